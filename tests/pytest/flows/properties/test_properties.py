"""Properties against all codes of small networks, by the interpreter."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.errors import KanError
from kan_dialect.flows.properties.cells import common_cells
from kan_dialect.flows.properties.property import Built, Property, read_properties
from kan_dialect.flows.properties.prove import Verdict, prove_property
from kan_dialect.frontends.loading import make_context
from kan_dialect.frontends.table_network import TableNetwork
from kan_dialect.ir.constants import Array, IntArray
from kan_dialect.ir.quant import UniformQuantizedType
from kan_dialect.model.interface import Port
from kan_dialect.model.model import Model
from kan_dialect.model.port_codes import encode
from kan_dialect.passes.add_head import AddHeadPass
from kan_dialect.passes.expand_wires import ExpandWiresPass

SEEDS = range(8)
INPUTS, BITS = 3, 3
COMPARISONS = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
}


def network(seed: int, outputs: int = 3, layers: int | None = None, name: str = "net") -> ModuleOp:
    """A random network of three inputs of three bits; odd seeds have signed codes."""
    rng = np.random.default_rng(seed)
    kind = UniformQuantizedType(BITS, bool(seed % 2), 0.5)
    tables = TableNetwork(name, kind, INPUTS, (np.ones(INPUTS), np.zeros(INPUTS)))
    layers = 1 + seed % 3 if layers is None else layers
    width, entries = INPUTS, 1 << BITS
    for layer in range(layers):
        last = layer == layers - 1
        nodes = outputs if last else int(rng.integers(2, 5))
        values = rng.integers(-9, 9, (nodes, width, entries))
        mask = rng.random((nodes, width)) < 0.9
        tables.add_layer(values, mask=mask, saturate=None if last and seed % 4 else (-6, 9))
        width, entries = nodes, 16
    return tables.module()


def with_head(module: ModuleOp, kind: Any) -> Model:
    module = module.clone()
    context = make_context()
    ExpandWiresPass().apply(context, module)
    AddHeadPass(kind=kind).apply(context, module)
    return Model.of(module)


def all_codes(model: Model) -> IntArray:
    ranges = [range(port.low, port.high + 1) for port in model.ports()[0]]
    return np.array(list(itertools.product(*ranges)))


def proven(model: Model, keys: Mapping[str, Any], **options: float) -> Verdict:
    (wanted,) = read_properties(model, {"it": keys})
    return prove_property(model, wanted, **options)


def classes(model: Model, codes: IntArray) -> Array:
    results = model.run_codes(codes)
    return results.argmax(axis=1) if results.shape[1] > 1 else results[:, 0]


def assert_decided(verdict: Verdict, model: Model, holds: Callable[[IntArray], Array]) -> None:
    """Proven just where it holds for all codes; else refuted by codes for which it does not."""
    assert verdict.status == ("proven" if holds(all_codes(model)).all() else "refuted")
    for _, codes in verdict.samples:
        assert not holds(codes[np.newaxis]).any()


@pytest.mark.parametrize("seed", SEEDS)
def test_ends_of_a_range_are_reached(seed: int) -> None:
    model = Model.of(network(seed))
    outputs = model.run_codes(all_codes(model))
    values = outputs[:, 0] - 2 * outputs[:, 1] + 3
    verdict = proven(model, {"range": "y0 - 2 * y1 + 3"})
    assert verdict.proven
    assert verdict.results == {"least": values.min(), "greatest": values.max()}
    for end, (_, codes) in zip((values.min(), values.max()), verdict.samples, strict=True):
        y = model.run_codes(codes[np.newaxis])[0]
        assert y[0] - 2 * y[1] + 3 == end


@pytest.mark.parametrize("seed", SEEDS)
def test_bounds_within_a_region(seed: int) -> None:
    model = Model.of(network(seed))
    codes = all_codes(model)
    inside = (codes[:, 0] >= 1) & (codes[:, 0] <= 3) & (codes[:, 2] < 2)
    greatest = int(model.run_codes(codes[inside])[:, 0].max())
    for limit, status in ((greatest, "proven"), (greatest - 1, "refuted")):
        verdict = proven(model, {"range": f"y0 <= {limit}", "for": "x0 in 1..3 and x2 < 2"})
        assert verdict.status == status
    ((_, at),) = verdict.samples
    assert 1 <= at[0] <= 3 and at[2] < 2 and model.run_codes(at[np.newaxis])[0, 0] == greatest


@pytest.mark.parametrize(
    ("formula", "holds"),
    [
        ("y0 > y1 and y1 > y2", lambda x, y: (y[:, 0] > y[:, 1]) & (y[:, 1] > y[:, 2])),
        ("not (y0 <= 20 or x0 == 1)", lambda x, y: (y[:, 0] > 20) & (x[:, 0] != 1)),
        ("y0 == 7 and x0 != x1", lambda x, y: (y[:, 0] == 7) & (x[:, 0] != x[:, 1])),
        ("class == 1 and y1 < -12", lambda x, y: (y.argmax(axis=1) == 1) & (y[:, 1] < -12)),
        ("class != 2 and 3 <= y2 < 4", lambda x, y: (y.argmax(axis=1) != 2) & (y[:, 2] == 3)),
        ("x1 not in 1..2 and -2 * y2 >= 31", lambda x, y: None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("seed", range(4))
def test_formulas(seed: int, formula: str, holds: Callable[[Array, Array], Array]) -> None:
    model = Model.of(network(seed))
    if "not in" in formula:
        with pytest.raises(KanError, match="is no formula"):
            proven(model, {"never": formula})
        return
    assert_decided(
        proven(model, {"never": formula}), model, lambda x: ~holds(x, model.run_codes(x))
    )


@pytest.mark.parametrize("way", ["rises", "falls"])
@pytest.mark.parametrize("seed", SEEDS)
def test_monotone(seed: int, way: str) -> None:
    model = Model.of(network(seed, layers=2))
    low, high = model.ports()[0][1].low, model.ports()[0][1].high
    verdict = proven(model, {"monotone": f"y0 - y1 {way} with x1", "for": "x0 in 0..1"})
    codes = all_codes(model)
    codes = codes[(codes[:, 1] < high) & (codes[:, 0] >= 0) & (codes[:, 0] <= 1)]
    assert low < high

    def step(before: IntArray, after: IntArray) -> IntArray:
        y, z = (model.run_codes(of).astype(np.int64) for of in (before, after))
        return (z[:, 0] - z[:, 1] - y[:, 0] + y[:, 1]) * (1 if way == "rises" else -1)

    assert verdict.status == (
        "proven" if (step(codes, codes + np.array([0, 1, 0])) >= 0).all() else "refuted"
    )
    if verdict.samples:
        (_, before), (_, after) = verdict.samples
        assert (after - before).tolist() == [0, 1, 0]
        assert step(before[np.newaxis], after[np.newaxis]) < 0


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_networks_of_rising_tables_are_monotone(layers: int) -> None:
    rng = np.random.default_rng(layers)
    tables = TableNetwork("net", UniformQuantizedType(BITS, False, 1.0), INPUTS)
    width, entries = INPUTS, 1 << BITS
    for _ in range(layers):
        tables.add_layer(
            np.sort(rng.integers(-5, 9, (3, width, entries)), axis=2), saturate=(-6, 9)
        )
        width, entries = 3, 16
    model = Model.of(tables.module())
    for feature in ("x0", "x2"):
        assert proven(model, {"monotone": f"y0 rises with {feature}"}).proven
    assert proven(model, {"monotone": "-y1 falls with x1"}).proven


@pytest.mark.parametrize("head", [None, "argmax", "threshold"])
@pytest.mark.parametrize("seed", SEEDS)
def test_robust(seed: int, head: str | None, tmp_path: Path) -> None:
    module = network(seed, outputs=1 if head == "threshold" else 3)
    model = Model.of(module) if head is None else with_head(module, head)
    rng = np.random.default_rng(seed)
    np.savez(tmp_path / "data.npz", x=rng.uniform(-2, 4, (5, INPUTS)))
    keys = {"robust": 3, "data": str(tmp_path / "data.npz"), "features": ["x0", "x2"]}
    verdict = proven(model, keys)
    every = all_codes(model)
    own = classes(model, every)
    nearest: list[int] = []
    for sample in encode(model.ports()[0], np.load(tmp_path / "data.npz")["x"]):
        (mine,) = classes(model, sample[np.newaxis])
        others = every[(own != mine) & (every[:, 1] == sample[1])]
        nearest.append(np.abs(others - sample).max(axis=1).min(initial=99))
    expected = [sum(of > within for of in nearest) for within in (1, 2, 3)]
    assert verdict.results == {"samples": 5, "certified": expected, "undecided": 0}
    assert verdict.proven == (expected[-1] == 5)
    if verdict.samples:
        (_, sample), (_, changed) = verdict.samples
        assert np.abs(sample - changed).max() in nearest
        assert len(set(classes(model, np.stack([sample, changed])))) == 2


@pytest.mark.parametrize("seed", SEEDS)
def test_heads_decide_as_the_formulas_say(seed: int) -> None:
    model = with_head(network(seed, outputs=4), "argmax")
    formula = "class == 2 and score3 > score1 and x0 > 1"
    scores = Model.of(network(seed, outputs=4)).run_codes
    verdict = proven(model, {"never": formula})

    def holds(x: IntArray) -> Array:
        s = scores(x)
        return (model.run_codes(x)[:, 0] == 2) & (s[:, 3] > s[:, 1]) & (x[:, 0] > 1)

    assert_decided(verdict, model, lambda x: ~holds(x))


@pytest.mark.parametrize("seed", SEEDS)
def test_equivalent_decisions(seed: int) -> None:
    one = Model.of(network(seed))
    rounded = network(seed + 1) if seed % 2 else network(seed)
    other = with_head(rounded, "argmax")
    wanted = Property("it", "equivalent", "", region="x0 > 1", other=Built(other, other, Path()))
    verdict = prove_property(one, wanted)
    ports = one.ports()[0], other.ports()[0]
    steps = np.linspace(-3, 5, 65)[:, np.newaxis]
    pairs = [np.unique(np.hstack([encode([p], steps), encode([q], steps)]), axis=0)
             for p, q in zip(*ports, strict=True)]  # fmt: skip
    for cells, p, q in zip(pairs, *ports, strict=True):
        np.testing.assert_array_equal(common_cells(p, q), cells)
    both = np.array(list(itertools.product(*[map(tuple, of) for of in pairs])))
    both = both[both[:, 0, 0] > 1]
    same = classes(one, both[:, :, 0]) == classes(other, both[:, :, 1])
    assert verdict.status == ("proven" if same.all() else "refuted")
    if verdict.samples:
        (_, a), (_, b) = verdict.samples
        assert [a.tolist(), b.tolist()] in both.transpose(0, 2, 1).tolist()
        assert classes(one, a[np.newaxis]) != classes(other, b[np.newaxis])


def test_cells_of_two_codecs_are_those_of_all_values() -> None:
    one = Port.of_range("x0", 0, 9, 0.3, 4, -1.7, 0.1)
    other = Port.of_range("x0", -3, 2, 0.7)
    values = np.linspace(-6, 6, 100_001)[:, np.newaxis]
    pairs = np.hstack([encode([one], values), encode([other], values)])
    np.testing.assert_array_equal(common_cells(one, other), np.unique(pairs, axis=0))


def test_values_in_units_are_codes_of_the_codec() -> None:
    module = network(2, layers=2)
    model = Model.of(module)
    schema = type(model.schema)(features=("a", "b b", "c"), targets=("u", "v", "w"))
    schema.declare(model.op)
    values = np.linspace(-1, 5, 601)
    regions = {"a < 1.26": values < 1.26, "a >= 1.25": values >= 1.25, "2 > a": values < 2}
    for text, inside in regions.items():
        allowed = set(encode(model.ports()[0][:1], values[inside][:, np.newaxis])[:, 0].tolist())
        codes = all_codes(model)
        reached = model.run_codes(codes[np.isin(codes[:, 0], list(allowed))])[:, 0]
        verdict = proven(model, {"range": "y0", "for": f"{text} and 'b b' in -1..9"})
        assert verdict.results == {"least": reached.min(), "greatest": reached.max()}
    scale = model.ports()[1][1].scale
    outputs = model.run_codes(all_codes(model))[:, 1] * scale
    for sign, compare in COMPARISONS.items():
        for limit in (outputs.min(), outputs.max(), np.median(outputs) + scale / 3):
            verdict = proven(model, {"never": f"v {sign} {float(limit)!r}"})
            assert verdict.proven == (not compare(outputs, limit).any())


def test_without_time_nothing_is_claimed() -> None:
    verdict = proven(Model.of(network(5, layers=2)), {"range": "y0 <= 1000"}, timeout=0.0)
    assert verdict.status == "undecided" and not verdict.samples


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({}, "has 0 kinds"),
        ({"range": "y0", "never": "y0 > 1"}, "has 2 kinds"),
        ({"range": "y0", "within": 1}, "'within' has no meaning for range"),
        ({"range": 3}, "range must be str, not 3"),
        ({"range": "y7"}, "y7 is no integer, and no name of a port or a node"),
        ({"range": "y0 <"}, "is no formula"),
        ({"range": "y0 <= 3", "for": "x0 in 9..3"}, "9..3 is empty; write it as 3..9"),
        ({"never": "y0"}, "y0 is no comparison"),
        ({"never": "y0 > 3000000000"}, "3000000000 is larger than"),
        ({"never": "99999 * (99999 * y0) > 1"}, "a factor is larger than"),
        ({"never": "2147483648 * y0 > y1"}, "numbers of more than 34 bits"),
        ({"never": "class > 1"}, "class is == or != one of 0 to 2"),
        ({"never": "class == 3"}, "class is == or != one of 0 to 2"),
        ({"never": "y0 < 1.5"}, "1.5 is no integer"),
        ({"never": "y0 is 3"}, "a comparison is one of"),
        ({"monotone": "y0 x0"}, "does not say what rises with what"),
        ({"monotone": "y0 rises with x9"}, "there is no feature x9"),
        ({"robust": 0, "data": "a.npz"}, "robust needs a number of codes"),
        ({"robust": 1}, "robust needs a number of codes"),
        ({"robust": 1, "data": "a.npz", "features": ["z"]}, "there is no feature 'z'"),
        ({"robust": 1, "data": "a.npz"}, "a.npz"),
        ({"equivalent": "nowhere"}, "nowhere is no folder of a build"),
    ],
)
def test_bad_properties_are_named(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(KanError) as error:
        proven(Model.of(network(1)), keys)
    assert message in str(error.value)
