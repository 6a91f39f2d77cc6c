"""`kan-fit-splines`: against SciPy's splines, over random layers, and down to hardware."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ci_cases import others_in_ci
from commands import flow
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import BSpline, make_lsq_spline
from xdsl.builder import ImplicitBuilder
from xdsl.context import Context
from xdsl.dialects import arith
from xdsl.dialects.builtin import ModuleOp, TensorType, f64
from xdsl.ir import Block, SSAValue

from kan_dialect.checking import Checker, run_passes
from kan_dialect.evaluate.interpreter import find_function
from kan_dialect.files.data_sets import Dataset, load_dataset
from kan_dialect.flows.on_chip.samples import samples_of, targets_of
from kan_dialect.flows.tools.toolchain import find_simulator
from kan_dialect.frontends.loading import load_model, make_context
from kan_dialect.ir.attributes.figures import recorded_figures
from kan_dialect.ir.constants import FloatArray, to_floats
from kan_dialect.ir.functions import module_of
from kan_dialect.maths import functions
from kan_dialect.model.model import Model
from kan_dialect.model.on_chip.training_step import infer, step_of
from kan_dialect.ops.layer import AffineOp, MapOp, NodeSumOp
from kan_dialect.ops.spline import BaseOp, BSplineOp, ChebyshevOp, RadialOp
from kan_dialect.passes.calibrate import CalibratePass, observe
from kan_dialect.passes.fit_splines import FITTED, FitSplinesPass
from kan_dialect.passes.fold_affine import FoldAffinePass
from kan_dialect.passes.make_trainable import MakeTrainablePass
from kan_dialect.search.fits.spline_fit import fit_points, fit_splines, fit_weights
from repository import EXAMPLES, ROOT

EXAMPLES, SHARED = EXAMPLES, ROOT.parent / "shared" / "data" / "onnx"
BASES = ["silu", "tanh", "sin", "identity", "square", "gelu"]

deterministic = settings(derandomize=True, deadline=None, max_examples=60)
needs_verilator = pytest.mark.skipif(
    find_simulator("verilator") is None, reason="verilator not installed"
)


def network(inputs: int, edges: Any) -> ModuleOp:
    """One layer `@net` with the edges that `edges` makes of its input."""
    block = Block(arg_types=[TensorType(f64, (inputs,))])
    with ImplicitBuilder(block):
        result = NodeSumOp(edges(block.args[0]), name="layer0").result
    return module_of("net", block, result)


def fitted(module: ModuleOp, x: FloatArray | None = None, **options: Any) -> BSplineOp:
    """The B-splines that the pass leaves, checked."""
    if x is not None:
        observe(find_function(module), [x], 64)
    stage = FitSplinesPass(**options)
    run_passes(Context(), module, [stage], Checker(x, count=200))
    assert not stage.needed(module)
    (spline,) = [op for op in module.walk() if isinstance(op, BSplineOp)]
    (nodes,) = [op for op in module.walk() if isinstance(op, NodeSumOp)]
    assert nodes.edges is spline.result
    return spline


@deterministic
@given(st.integers(0, 1 << 30))
def test_a_fit_is_that_of_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    degree, cells, inputs = int(rng.integers(1, 6)), int(rng.integers(1, 9)), 2
    low = rng.normal(size=inputs)
    ends = np.stack([low, low + rng.uniform(0.1, 5, inputs)], axis=1)
    points = fit_points(ends, cells, degree)
    step = (ends[:, 1] - ends[:, 0]) / cells
    knots = ends[:, :1] + step[:, np.newaxis] * np.arange(-degree, cells + degree + 1)
    values = rng.normal(size=(len(points), 3, inputs))
    histogram = rng.integers(0, 9, (inputs, 50)).astype(np.float64)
    weights = fit_weights(points, ends, ends * 1.1, histogram)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    found = fit_splines(points, values, weights, knots, degree)
    for i in range(inputs):
        # SciPy weighs differences, not their squares.
        expected = make_lsq_spline(
            points[:, i], values[..., i], knots[i], degree, np.sqrt(weights[i])
        )
        np.testing.assert_allclose(found[:, i].T, expected.c, rtol=1e-6, atol=1e-6)


def test_weights_are_where_values_were_seen() -> None:
    ends, seen = np.array([[0.0, 4.0]]), np.array([[1.0, 2.0]])
    points = fit_points(ends, 4, 3)
    weights = fit_weights(points, ends, seen, np.array([[5.0, 5.0, 5.0, 5.0]]))
    inside = (points[:, 0] > 1) & (points[:, 0] < 2)
    assert weights[0, inside].sum() == pytest.approx(0.9 + 0.1 / 4)
    # What was seen outside of the grid counts at its ends; without any all points are alike.
    outside = fit_weights(points, ends, np.array([[9.0, 10.0]]), np.array([[1.0, 1.0]]))
    assert outside[0].argmax() == len(points) - 1 and outside[0].max() > 0.9
    assert np.ptp(fit_weights(points, ends, None, None)) == 0
    assert np.ptp(fit_weights(points, ends, seen, np.zeros((1, 4)))) == 0


@deterministic
@given(st.integers(0, 1 << 30))
def test_b_splines_alone_keep_their_coefficients(seed: int) -> None:
    """Also behind affines of any sign, and where a base function has weights of 0."""
    rng = np.random.default_rng(seed)
    degree, cells = int(rng.integers(0, 6)), int(rng.integers(1, 9))
    gain, offset = rng.normal(size=2), rng.normal(size=2)
    gain = np.where(np.abs(gain) < 0.05, 1.0, gain)
    grid = np.linspace(-1, 2, cells + 1)
    coefficients = rng.normal(size=(3, 2, cells + degree))

    def edges(x: SSAValue) -> SSAValue:
        moved = AffineOp(x, gain, offset)
        spline = BSplineOp(moved, degree, grid, coefficients, extend=True)
        return arith.AddfOp(BaseOp("silu", moved, np.zeros((3, 2))), spline).result

    module = network(2, edges)
    given = module.clone()
    spline = fitted(module)
    kept = to_floats(spline.coefficients)
    for i in range(2):
        expected = coefficients[:, i, ::-1] if gain[i] < 0 else coefficients[:, i]
        np.testing.assert_array_equal(kept[:, i], expected)
    x = (rng.uniform(-1, 2, (500, 2)) - offset) / gain
    np.testing.assert_allclose(Model.of(module).run(x), Model.of(given).run(x), atol=1e-9)
    # Again, nothing happens, and nothing is said.
    again = module.clone()
    FitSplinesPass().apply(Context(), again)
    (second,) = [op for op in again.walk() if isinstance(op, BSplineOp)]
    assert second.properties == spline.properties


@deterministic
@given(st.integers(0, 1 << 30), st.sampled_from(BASES), st.booleans())
def test_base_functions_go_into_coefficients(seed: int, base: str, observed: bool) -> None:
    """Over what was seen, edges are those of SciPy and NumPy within what the pass says."""
    rng = np.random.default_rng(seed)
    degree, cells = int(rng.integers(2, 6)), int(rng.integers(4, 10))
    grid = np.linspace(-2, 2, cells + 1)
    coefficients, weights = rng.normal(size=(2, 3, cells + degree)), rng.normal(size=(2, 3))

    def edges(x: SSAValue) -> SSAValue:
        spline = BSplineOp(x, degree, grid, coefficients, extend=True)
        return arith.AddfOp(spline, BaseOp(base, x, weights)).result

    module = network(3, edges)
    x = rng.uniform(-3.1, 2.4, (800, 3)) if observed else rng.uniform(-2, 2, (800, 3))
    found = fitted(module, x if observed else None)
    count = to_floats(found.coefficients).shape[2] - degree
    step = 4 / cells
    assert count == cells if not observed else count * step >= 5.4
    if observed:
        assert count <= cells + int(np.ceil(1.1 / step)) + int(np.ceil(0.4 / step))
    # SciPy's splines are defined where all functions of a cell are: beyond the grid, of zeros too.
    knots = np.arange(-2 * degree, cells + 2 * degree + 1) * step - 2
    padded = np.pad(coefficients, ((0, 0), (0, 0), (degree, degree)))
    figures: Any = recorded_figures(find_function(module), FITTED)
    (layer,) = figures["layers"]
    assert (layer["cells"], layer["degree"]) == (count, degree)
    assert 0 <= layer["mean_error"] <= layer["largest_error"] <= 0.02
    values = np.stack(
        [
            [
                np.nan_to_num(BSpline(knots, padded[o, i], degree, False)(x[:, i]))
                + weights[o, i] * functions.apply(base, x[:, i])
                for i in range(3)
            ]
            for o in range(2)
        ]
    )
    got = found.edges(x).transpose(1, 2, 0)
    error = np.sqrt(((got - values) ** 2).mean(axis=-1))
    node = np.sqrt(values.var(axis=-1).sum(axis=1, keepdims=True))
    assert (error <= 1.5 * layer["largest_error"] * node + 1e-3 * node).all()


@pytest.mark.parametrize("kind", ["silu", "radial", "chebyshev", "knots"])
def test_edges_of_other_kinds_are_fitted_over_what_was_seen(kind: str) -> None:
    rng = np.random.default_rng(0)

    def edges(x: SSAValue) -> SSAValue:
        match kind:
            case "radial":
                centers = np.linspace(-2, 2, 5)
                op = RadialOp("gaussian", x, centers, np.full(5, 0.9), rng.normal(size=(2, 2, 5)))
            case "chebyshev":
                op = ChebyshevOp(MapOp("tanh", x), rng.normal(size=(2, 2, 4)))
            case "knots":
                knots = np.sort(rng.uniform(-3, 3, (2, 12)), axis=1)
                op = BSplineOp(x, 3, knots, rng.normal(size=(2, 2, 8)))
            case _:
                op = BaseOp("silu", x, rng.normal(size=(2, 2)))
        return op.results[0]

    module = network(2, edges)
    given = module.clone()
    x = rng.uniform(-2, 1.5, (1000, 2))
    x[:, 1] *= 0.3
    spline = fitted(module, x, cells=32)
    knots = spline.knot_vector
    if kind != "knots":
        np.testing.assert_allclose(knots[:, 3], x.min(axis=0))
        np.testing.assert_allclose(knots[:, -4], x.max(axis=0))
    expected = Model.of(given).run(x)
    error = np.abs(Model.of(module).run(x) - expected).max()
    assert error <= 0.02 * expected.std()


def test_an_input_that_never_changes_has_a_grid() -> None:
    module = network(2, lambda x: BaseOp("silu", x, np.ones((1, 2))).result)
    x = np.stack([np.linspace(-1, 1, 50), np.full(50, 3.0)], axis=1)
    spline = fitted(module, x)
    np.testing.assert_allclose(spline.knot_vector[1, [3, -4]], [2.5, 3.5])


def test_the_check_sees_splines_that_are_wrong() -> None:
    def edges(x: SSAValue) -> SSAValue:
        spline = BSplineOp(x, 3, np.linspace(-1, 1, 6), np.ones((1, 1, 8)), extend=True)
        return arith.AddfOp(spline, BaseOp("silu", x, np.ones((1, 1)))).result

    module = network(1, edges)
    before, stage = module.clone(), FitSplinesPass()
    stage.apply(Context(), module)
    assert stage.violation(find_function(before), find_function(module)) is None
    (spline,) = [op for op in module.walk() if isinstance(op, BSplineOp)]
    wrong = to_floats(spline.coefficients).copy()
    wrong[0, 0, 4] += 0.1
    (nodes,) = [op for op in module.walk() if isinstance(op, NodeSumOp)]
    other = BSplineOp(spline.input, 3, spline.knots, wrong)
    nodes.parent_block().insert_op_before(other, nodes)  # pyright: ignore[reportOptionalMemberAccess]
    nodes.operands[0] = other.result
    said = stage.violation(find_function(before), find_function(module))
    assert said is not None and "edge [0, 0] of layer0 is off by" in said


# Real networks.


EXPORTS = ROOT / "tests" / "data" / "onnx"
MODELS = [
    ("depth1_script17", []),
    ("batch_norm_dynamo18", []),
    ("base_gelu_erf_dynamo18", []),
    ("uneven_knots_dynamo18", ["--cells", "30", "--degree", "3", "--fit-error", "0.05"]),
    ("degree0_script17", ["--cells", "60", "--degree", "2", "--fit-error", "0.3"]),
]


@needs_verilator
@pytest.mark.parametrize(("name", "options"), others_in_ci(MODELS))
def test_an_onnx_network_trains_on_the_chip(name: str, options: list[str], tmp_path: Path) -> None:
    """Its outputs to begin with are ONNX Runtime's, and the RTL is compared over a whole run."""
    path, data = EXPORTS / f"{name}.onnx", EXPORTS / f"{name}.npz"
    numbers = ["--integer-bits", "7", "--fraction-bits", "14", "--local-bits", "9"]
    rate = ["--learning-rate", "0.01"]
    out = tmp_path / "out"
    given = ["--trainable", "--calibration", data, *numbers, *rate, *options]
    assert flow("build", path, *given, "-o", out) == 0
    names = [each.name for each in sorted((out / "ir").iterdir())]
    assert names[2:5] == [
        "02-kan-calibrate.mlir",
        "03-kan-fit-splines.mlir",
        "04-kan-make-trainable.mlir",
    ]
    report = json.loads((out / "report.json").read_text())
    assert max(layer["largest_error"] for layer in report["fitted"]) <= 0.3
    simulation = report["simulation"]
    assert simulation["vectors"] == simulation["trained"] == 48
    assert simulation["coefficients"] == report["training"]["coefficients"]
    assert simulation["mismatches"] == simulation["coefficient_mismatches"] == 0
    step = step_of(load_model(make_context(), out / "ir" / names[4]))
    dataset = load_dataset(data)
    assert dataset.y is not None
    outputs = step.decode(infer(step, step.encode(dataset.x), step.initial()))
    error = np.abs(outputs - dataset.y)
    if name != "degree0_script17":  # it jumps
        assert error.max() <= 0.05 * dataset.y.std()
    assert np.sqrt((error**2).mean()) <= 0.2 * dataset.y.std()


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    """Samples with the classes that a network of one layer says, in an order of no meaning."""
    model = Model.of(load_model(make_context(), EXPORTS / "depth1_script17.onnx"))
    x = np.random.default_rng(0).uniform(-2, 2, (900, 3))
    path = tmp_path / "classes.npz"
    np.savez(path, x=x, y=model.run(x).argmax(axis=1))
    return path


def test_targets_of_classes_and_of_numbers() -> None:
    module = load_model(make_context(), EXPORTS / "depth1_script17.onnx")
    for stage in (FitSplinesPass(error=0.5), MakeTrainablePass()):
        stage.apply(Context(), module)
    step, x = step_of(module), np.zeros((3, 3))
    labels = np.array([1, 0, 1])
    expected = [[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]
    np.testing.assert_array_equal(targets_of(step, Dataset(x, labels)), expected)
    np.testing.assert_array_equal(targets_of(step, Dataset(x, labels[:, np.newaxis])), expected)
    numbers = np.arange(6.0).reshape(3, 2)
    np.testing.assert_array_equal(targets_of(step, Dataset(x, numbers)), numbers)
    np.testing.assert_array_equal(targets_of(step, Dataset(x, numbers.astype(np.int64))), numbers)
    codes = samples_of(step, Dataset(x, labels)).targets
    np.testing.assert_array_equal(codes, np.array(expected) * 1024)


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        (np.full(10, 2), [], "label 0 of the data is 2, @depth1_script17 has 2 outputs"),
        (np.full(10, -1), [], "classes are 0 to 1; give numeric targets as floats"),
        (np.zeros(10, dtype=int), ["--error", "fed"], "classes, but @depth1_script17 takes errors"),
        (np.zeros(10), [], "the data has 1 target a sample, @depth1_script17 2 outputs"),
    ],
)
def test_labels_that_do_not_fit(
    labels: Any,
    options: list[str],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path, out = tmp_path / "data.npz", tmp_path / "out"
    np.savez(path, x=np.random.default_rng(0).uniform(-1, 1, (10, 3)), y=labels)
    given = ["--trainable", "--calibration", path, "--no-check-passes", *options, "-o", out]
    assert flow("build", EXPORTS / "depth1_script17.onnx", *given) == 1
    assert message in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--cells", "0"], "cells must lie in 1..1024"),
        (["--degree", "101"], "degree must lie in 0..100"),
        (["--fit-error", "1e-7"], "take more cells"),
        (["--degree", "6", "--fit-error", "0.5"], "degrees 1..5 can be trained"),
        ([], "take more integer-bits (it needs 13)"),
    ],
)
def test_what_a_build_refuses(
    options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--trainable", "--calibration", EXAMPLES / "wine.npz", *options]
    out = tmp_path / "out"
    assert flow("build", EXAMPLES / "wine.onnx", *given, "-o", out) == 1
    assert message in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize("name", ["wine", "digits"])
def test_the_examples_keep_their_classes(name: str) -> None:
    """As a training step, before it has trained, and trained on nothing else but its samples."""
    module = load_model(make_context(), EXAMPLES / f"{name}.onnx")
    data = load_dataset(EXAMPLES / f"{name}.npz")
    assert data.x_test is not None and data.y_test is not None
    before = Model.of(module).run(data.x_test)
    make = MakeTrainablePass(integer_bits=13, fraction_bits=12, local_bits=8, revive=True)
    passes = [
        FoldAffinePass(),
        CalibratePass(str(EXAMPLES / f"{name}.npz")),
        FitSplinesPass(),
        make,
    ]
    run_passes(Context(), module, passes)
    step = step_of(module)
    outputs = step.decode(infer(step, step.encode(data.x_test), step.initial()))
    assert np.sqrt(((outputs - before) ** 2).mean()) <= 0.03 * before.std()
    accuracy = [(y.argmax(axis=1) == data.y_test).mean() for y in (before, outputs)]
    assert abs(accuracy[0] - accuracy[1]) <= 0.01
