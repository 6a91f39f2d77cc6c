"""`kan-shape-tables`: tables have the form exactly, and the fits find what is there."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kan_dialect import Network
from kan_dialect.api.loading import from_ir
from kan_dialect.checking import Checker, run_passes
from kan_dialect.errors import KanError
from kan_dialect.frontends.loading import make_context
from kan_dialect.frontends.table_network import TableNetwork
from kan_dialect.ir.constants import FloatArray, IntArray
from kan_dialect.ir.quant import UniformQuantizedType
from kan_dialect.passes.shape_tables import ShapeTablesPass
from kan_dialect.search.fits.shape_fit import Functions, copies_up_to_factors
from kan_dialect.search.fits.shape_tables import FACTORS, multiples_of_few
from kan_dialect.search.shared_shapes import shapes_of


def classes_of(tables: IntArray) -> set[tuple[Fraction, ...]]:
    """Tables (..., codes) less their first entry, divided by what makes the first other entry one
    of 1, 3, 5, ..: equal for multiples by ±2^s."""
    found: set[tuple[Fraction, ...]] = set()
    for table in (tables - tables[..., :1]).reshape(-1, tables.shape[-1]).tolist():
        first = next((each for each in table if each), 0)
        if first:
            while first % 2 == 0:
                first //= 2
            scale = next(each for each in table if each) // first * (1 if first > 0 else -1)
            found.add(tuple(Fraction(each, scale) for each in table))
    return found


def random_tables(rng: np.random.Generator, shape: tuple[int, int, int]) -> IntArray:
    return np.rint(rng.normal(0.0, 40.0, shape).cumsum(axis=2)).astype(np.int64)


def multiples(rng: np.random.Generator, shape: tuple[int, int, int], count: int) -> IntArray:
    """Tables ±2^s R + d, s = 0 .. 3, of `count` shapes R; some are constant."""
    shapes = rng.integers(-9, 10, (count, shape[2]))
    factor = rng.choice([-1, 1], shape[:2]) * 2 ** rng.integers(0, 4, shape[:2])
    factor[rng.random(shape[:2]) < 0.1] = 0
    chosen = shapes[rng.integers(count, size=shape[:2])]
    return factor[..., np.newaxis] * chosen + rng.integers(-20, 20, (*shape[:2], 1))


def uniform(inputs: int, codes: int) -> FloatArray:
    return np.full((inputs, codes), 1.0 / codes)


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.integers(0, 1 << 30), st.integers(1, 4))
def test_tables_have_at_most_so_many_shapes(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    outputs, inputs, codes = (int(rng.integers(1, 5)) for _ in range(3))
    given = random_tables(rng, (outputs, inputs, codes + 1))
    kept = rng.random((outputs, inputs)) < 0.8
    found, gained = multiples_of_few(given, kept, uniform(inputs, codes + 1), count)
    assert len(classes_of(found)) <= count
    assert len(shapes_of(found)) == len(classes_of(found))
    assert not found[~kept].any()
    # Constants are made up for: the mean of each node stays, up to rounding.
    missing = ((given - found) * kept[..., np.newaxis]).mean(axis=2).sum(axis=1) - gained
    assert (np.abs(missing) <= 0.5 + 1e-9).all()


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.integers(0, 1 << 30), st.integers(1, 3))
def test_shapes_are_those_of_multiples(seed: int, count: int) -> None:
    tables = multiples(np.random.default_rng(seed), (6, 5, 8), count)
    assert len(shapes_of(tables)) == len(classes_of(tables)) <= count


@pytest.mark.parametrize("seed", range(6))
def test_tables_that_have_the_form_stay(seed: int) -> None:
    """Of one shape, whatever its multiples; nodes of very different size among them."""
    rng = np.random.default_rng(seed)
    tables = multiples(rng, (5, 4, 16), 1)
    found, gained = multiples_of_few(tables, np.ones((5, 4), np.bool_), uniform(4, 16), 1)
    np.testing.assert_array_equal(found, tables - tables[..., :1])
    np.testing.assert_array_equal(gained, tables[..., 0].sum(axis=1))


@pytest.mark.parametrize("seed", range(4))
def test_more_shapes_lose_less(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = random_tables(rng, (1, 30, 12))[0].astype(np.float64)
    weights = rng.dirichlet(np.full(12, 5.0), len(values))
    functions = Functions(np.arange(12.0), values, weights, np.ones(len(values)))
    lost: list[float] = []
    for count in (1, 4, 16, 30):
        copies = copies_up_to_factors(functions, count, FACTORS)
        c = copies.affine[:, 2]
        assert set(np.abs(c)) <= {0.0, 0.125, 0.25, 0.5, 1.0}
        copied = c[:, np.newaxis] * copies.shapes[copies.choice] + copies.constant[:, np.newaxis]
        lost.append(float((weights * (copied - values) ** 2).sum()))
    assert all(after < before for before, after in pairwise(lost))
    assert lost[-1] < 1e-6 * lost[0]


def network_of(seed: int) -> Network:
    rng = np.random.default_rng(seed)
    network = TableNetwork("net", UniformQuantizedType(3, True, 0.25), 4)
    network.add_layer(random_tables(rng, (5, 4, 8)) // 8, scale=0.5, saturate=(-16, 15))
    network.add_layer(random_tables(rng, (2, 5, 32)), scale=1.0)
    return from_ir(network.module())


@pytest.mark.parametrize("count", [1, 3])
def test_a_network_of_few_shapes(count: int, tmp_path: Path) -> None:
    """Results are those of the tables that the pass wrote; it runs with samples and without."""
    network = network_of(count)
    x = np.random.default_rng(0).uniform(-1.0, 0.75, (300, 4))
    np.savez(tmp_path / "data.npz", x=x)
    for data in (None, str(tmp_path / "data.npz")):
        module = network.module()
        sharing = ShapeTablesPass(shapes=count, data=data)
        run_passes(make_context(), module, [sharing], Checker(x, count=50))
        shaped = from_ir(module)
        assert all(len(classes_of(layer.tables)) <= count for layer in shaped.layers)
        codes = np.rint(x / 0.25).astype(np.int64)
        for layer, bounds in zip(shaped.layers, ((-4, 3), (-16, 15)), strict=True):
            bias = np.rint(layer.bias / layer.output_scale[:, 0]).astype(np.int64)
            each = np.arange(layer.tables.shape[1])
            places = codes.clip(*bounds) - bounds[0]
            codes = layer.tables[:, each, places].sum(axis=2).T + bias
        np.testing.assert_array_equal(shaped.run(x), codes)


def test_weights_are_those_of_samples(tmp_path: Path) -> None:
    """A shape is what the tables are where samples are."""
    network = TableNetwork("net", UniformQuantizedType(3, False, 1.0), 2)
    network.add_layer(np.array([[[0, 8, 16, 24, 10, -10, 10, -10], [0, 4, 8, 12, 0, 0, 0, 0]]]))
    x = np.random.default_rng(0).integers(0, 4, (200, 2)).astype(np.float64)
    np.savez(tmp_path / "data.npz", x=x)
    given = from_ir(network.module())
    near, blind = (
        given.apply(ShapeTablesPass(shapes=1, data=data))
        for data in (str(tmp_path / "data.npz"), None)
    )
    wrong = [np.abs(each.run(x) - given.run(x)).mean() for each in (near, blind)]
    assert wrong[0] < 0.2 * wrong[1]


def test_the_check_of_the_pass_finds_further_shapes() -> None:
    network = network_of(3)
    two = network.apply(ShapeTablesPass(shapes=2))
    with pytest.raises(KanError, match="has 2 shapes, not 1"):
        Checker(None).check(
            ShapeTablesPass(shapes=1), network.module(), two.module()
        ).require_passed()


@pytest.mark.ci
def test_hardware_gives_the_integers(tmp_path: Path) -> None:
    shaped = network_of(3).apply(ShapeTablesPass(shapes=2))
    built = shaped.build(tmp_path / "out")
    assert built.report["simulation"]["mismatches"] == 0
    assert built.report["shapes"]["up_to"] == "shift"
