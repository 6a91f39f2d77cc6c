"""`kan-share-shapes`: what fits find, what budgets allow, and which tables are equal afterwards."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.builder import ImplicitBuilder
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp, TensorType, f64
from xdsl.ir import Block, Region, SSAValue

from kan_dialect.checking import Checker, run_passes
from kan_dialect.errors import KanError
from kan_dialect.evaluate.interpreter import find_function
from kan_dialect.files.data_sets import load_dataset
from kan_dialect.frontends.loading import load_model, make_context
from kan_dialect.ir.constants import FloatArray, to_floats, to_integers
from kan_dialect.model.model import Model
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.ops.shaped import ShapedOp
from kan_dialect.ops.spline import BSplineOp
from kan_dialect.ops.table import TablesOp
from kan_dialect.passes.calibrate import CalibratePass, observe
from kan_dialect.passes.fold_tables import FoldTablesPass
from kan_dialect.passes.quantize import QuantizePass
from kan_dialect.passes.share_shapes import ShareShapesPass
from kan_dialect.search.fits.shape_fit import (
    Copies,
    Functions,
    copies_up_to_factors,
    copies_up_to_scale,
)
from kan_dialect.search.fits.shape_search import recorded_shape_search
from kan_dialect.search.precision.judge import Judge
from repository import EXAMPLES

EXAMPLE, DATA = EXAMPLES / "wine.onnx", EXAMPLES / "wine.npz"


def copied(copies: Copies, t: FloatArray) -> FloatArray:
    """What the copies are at t, one after the other: (n, points)."""
    return np.stack(
        [
            c * np.interp(a * t + b, copies.grid, copies.shapes[shape]) + d
            for shape, (a, b, c), d in zip(
                copies.choice, copies.affine, copies.constant, strict=True
            )
        ]
    )


def lost(functions: Functions, copies: Copies) -> float:
    """The share of the functions' variance that copies miss."""
    apart = (functions.weights * (copied(copies, functions.t) - functions.values) ** 2).sum(axis=1)
    return float((functions.importance * apart).sum() / functions.variances.sum())


def functions_of(values: FloatArray, t: FloatArray, seed: int) -> Functions:
    weights = np.random.default_rng(seed).dirichlet(np.full(len(t), 5.0), len(values))
    return Functions(t, values, weights, np.ones(len(values)))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("only_gain", [False, True])
def test_copies_of_two_shapes_are_found(seed: int, only_gain: bool) -> None:
    rng = np.random.default_rng(seed)
    t = np.linspace(-1.05, 1.05, 127)
    n = 30
    a = np.ones(n) if only_gain else rng.uniform(0.6, 1.2, n)
    a *= rng.choice([-1, 1], n)
    b = np.zeros(n) if only_gain else rng.uniform(-0.3, 0.3, n)
    inner = a[:, np.newaxis] * t + b[:, np.newaxis]
    bump, wave = np.exp(-4 * inner**2), np.sin(2.5 * inner + 0.4)
    c, d = rng.uniform(0.2, 2.0, (n, 1)) * rng.choice([-1, 1], (n, 1)), rng.normal(size=(n, 1))
    values = c * np.where(np.arange(n)[:, np.newaxis] < n // 2, bump, wave) + d
    functions = functions_of(values, t, seed)
    one, two = copies_up_to_scale(functions, np.array([1, 2]), only_gain=only_gain)
    assert (len(one.shapes), len(two.shapes)) == (1, 2)
    # With its input scaled and shifted, one shape that has a bump and a wave does well, too.
    assert lost(functions, two) < 3e-3
    assert lost(functions, two) < lost(functions, one)
    if only_gain:
        assert lost(functions, one) > 0.05
        assert set(two.affine[:, 0]) == {-1.0, 1.0}
        assert not two.affine[:, 1].any()
        assert len(set(two.choice[: n // 2])) == len(set(two.choice[n // 2 :])) == 1


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.integers(0, 1 << 30))
def test_reflected_functions_are_one_shape(seed: int) -> None:
    rng = np.random.default_rng(seed)
    t = np.linspace(-1.05, 1.05, 40)
    count, n = int(rng.integers(1, 4)), int(rng.integers(4, 12))
    shapes = rng.normal(size=(count, len(t)))
    sign, offset = rng.choice([-1.0, 1.0], (n, 1)), rng.normal(size=(n, 1))
    used = rng.integers(count, size=n)
    values = sign * shapes[used] + offset
    weights = np.full(values.shape, 1 / len(t))
    functions = Functions(t, values, weights, rng.uniform(0.5, 2.0, n))
    found = copies_up_to_factors(functions, count)
    assert len(found.shapes) <= count
    np.testing.assert_allclose(copied(found, t), values, atol=1e-9)
    assert (np.abs(found.affine) == [1.0, 0.0, 1.0]).all()
    # Of one shape less, something is lost; of two more, none is made.
    if len(np.unique(used)) == count > 1:
        assert lost(functions, copies_up_to_factors(functions, count - 1)) > 1e-4
    assert len(copies_up_to_factors(functions, n + 2).shapes) <= n


def test_shaped_edges_are_what_they_say() -> None:
    rng = np.random.default_rng(3)
    grid, shapes = np.array([-1.0, -0.2, 0.5, 2.0]), rng.normal(size=(3, 4))
    choice, affine = rng.integers(3, size=(4, 2)), rng.normal(size=(4, 2, 3))
    affine[1, 1, 2] = 0.0
    block = Block(arg_types=[TensorType(f64, (2,))])
    op = ShapedOp(block.args[0], grid, shapes, choice, affine)
    op.verify()
    x = rng.normal(size=(50, 2)) * 3
    for row, edges in zip(x, op.edges(x), strict=True):
        for o, i in np.ndindex(4, 2):
            a, b, c = affine[o, i]
            u = min(max(a * row[i] + b, grid[0]), grid[-1])
            cell = min(int(np.searchsorted(grid, u, side="right")) - 1, 2)
            share = (u - grid[cell]) / (grid[cell + 1] - grid[cell])
            ends = shapes[choice[o, i], cell : cell + 2]
            assert edges[o, i] == pytest.approx(c * (ends[0] * (1 - share) + ends[1] * share))


def random_network(seed: int) -> tuple[ModuleOp, FloatArray]:
    """Two calibrated layers of splines with edges missing, and samples."""
    rng = np.random.default_rng(seed)
    widths = [int(n) for n in rng.integers(2, 5, 3)]
    block = Block(arg_types=[TensorType(f64, (widths[0],))])
    with ImplicitBuilder(block):
        x: SSAValue = block.args[0]
        for layer, (inputs, outputs) in enumerate(pairwise(widths)):
            knots, coefficients = np.linspace(-2, 2, 7), rng.normal(size=(outputs, inputs, 9))
            edges = BSplineOp(x, 3, knots, coefficients, extend=True).result
            mask, bias = rng.random((outputs, inputs)) < 0.8, rng.normal(size=outputs)
            x = NodeSumOp(edges, mask=mask, bias=bias, name=f"layer{layer}").result
        func.ReturnOp(x)
    module = ModuleOp([func.FuncOp("net", ([block.args[0].type], [x.type]), Region(block))])
    samples = rng.uniform(-1.8, 1.8, (300, widths[0]))
    observe(find_function(module), [samples], 256)
    module.verify()
    return module, samples


@settings(derandomize=True, deadline=None, max_examples=15)
@given(st.integers(0, 1 << 30), st.sampled_from([1, 2, 8]))
def test_tables_of_an_input_are_equal_up_to_sign(seed: int, count: int) -> None:
    module, samples = random_network(seed)
    expected = Model.of(module).run(samples)
    sharing = ShareShapesPass(shapes=count, up_to="sign")
    run_passes(make_context(), module, [sharing], Checker(samples, count=50))
    if count == 8:
        # A shape for each edge: what is lost is between the points of the shapes.
        apart = Model.of(module).run(samples) - expected
        assert np.abs(apart).max() < 0.05 * np.ptp(expected)
    stages = [QuantizePass(bits=5, per_layer=True), FoldTablesPass()]
    run_passes(make_context(), module, stages, Checker(count=50))
    for op in module.walk():
        if isinstance(op, TablesOp):
            (use,) = op.result.uses
            assert isinstance(use.operation, NodeSumOp)
            kept = use.operation.mask_array
            for i in range(kept.shape[1]):
                tables = to_integers(op.tables)[kept[:, i], i]
                shapes = {min(each.tobytes(), (-each).tobytes()) for each in tables}
                assert len(shapes) <= count


@pytest.mark.ci
def test_the_fewest_shapes_within_the_budget_are_taken(tmp_path: Path) -> None:
    data = tmp_path / "data.npz"
    arrays = load_dataset(DATA)
    np.savez(data, x=arrays.x, y=np.load(DATA)["y_train"])
    for up_to, loss in (("gain", 0.03), ("sign", 0.02), ("scale", 0.02)):
        module = load_model(make_context(), EXAMPLE)
        sharing = ShareShapesPass(data=str(data), up_to=up_to, max_accuracy_loss=loss)
        checks = run_passes(make_context(), module, [CalibratePass(str(data)), sharing])
        assert checks[-1].failed is None
        found = recorded_shape_search(find_function(module))
        assert found is not None and found["up_to"] == up_to and found["edges"] == 64
        tried = found["tried"]
        assert isinstance(tried, list) and tried[-1]["shapes"] == found["shapes"]
        assert found["before"] == {"calibration": 1.0, "validation": 1.0}
        assert min(tried[-1]["calibration"], tried[-1]["validation"]) >= 1.0 - loss
        # With one less, others lose too much: of all decisions, by the networks' own outputs.
        for fewer in tried[:-1]:
            given = load_model(make_context(), EXAMPLE)
            CalibratePass(str(data)).apply(make_context(), given)
            other = given.clone()
            ShareShapesPass(shapes=fewer["shapes"], up_to=up_to).apply(make_context(), other)
            run, now = Model.of(given).run, Model.of(other).run
            held = np.random.default_rng(0).permutation(len(arrays.x))[:31]
            y = np.load(DATA)["y_train"]
            assert (
                Judge(arrays.x, y, run(arrays.x), run, held, [0, 1]).loss(now(arrays.x), now, 50)
                > loss
            )
        labels = Model.of(module).run(arrays.x).argmax(axis=1)
        assert (labels == np.load(DATA)["y_train"]).mean() == tried[-1]["calibration"]
        shapes = [len(to_floats(op.shapes)) for op in module.walk() if isinstance(op, ShapedOp)]
        most = found["shapes"]
        assert isinstance(most, int)
        limits = [most * 13, most * 4] if up_to == "sign" else [most, most]
        assert all(count <= limit for count, limit in zip(shapes, limits, strict=True))


def test_without_enough_shapes_edges_stay(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    module, samples = random_network(5)
    data = tmp_path / "data.npz"
    np.savez(data, x=samples)
    monkeypatch.setattr("kan_dialect.passbase.shape_pass.COUNTS", (1, 2))
    before = Model.of(module).run(samples)
    sharing = ShareShapesPass(data=str(data), up_to="gain", max_accuracy_loss=1e-6)
    run_passes(make_context(), module, [sharing], Checker(samples, count=50))
    np.testing.assert_array_equal(Model.of(module).run(samples), before)
    found = recorded_shape_search(find_function(module))
    assert found is not None and "shapes" not in found
    assert [each["shapes"] for each in found["tried"]] == [1, 2]  # pyright: ignore


def test_the_check_of_passes_finds_a_broken_budget(tmp_path: Path) -> None:
    data = tmp_path / "data.npz"
    arrays = load_dataset(DATA)
    np.savez(data, x=arrays.x, y=np.load(DATA)["y_train"])
    module = load_model(make_context(), EXAMPLE)
    CalibratePass(str(data)).apply(make_context(), module)
    worse = module.clone()
    ShareShapesPass(shapes=1, up_to="sign").apply(make_context(), worse)
    promised = ShareShapesPass(data=str(data), up_to="sign", max_accuracy_loss=0.001)
    with pytest.raises(KanError, match=r"a score of 1.0000 became 0.9\d+, a loss of at most 0.001"):
        Checker(arrays.x).check(promised, module, worse).require_passed()
    two = module.clone()
    ShareShapesPass(shapes=2).apply(make_context(), two)
    with pytest.raises(KanError, match="layer0 has 2 shapes, not 1"):
        Checker(arrays.x).check(ShareShapesPass(shapes=1), module, two).require_passed()
