"""Imports ONNX files of Kolmogorov-Arnold networks: their function and their parameters."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import numpy_helper
from xdsl.dialects import func
from xdsl.ir import Operation

import onnx_graphs
from kan_dialect.errors import KanError
from kan_dialect.evaluate.interpreter import evaluate_function, find_function
from kan_dialect.frontends.frontend import find_frontends, frontend_for
from kan_dialect.frontends.onnx.load import load_onnx
from kan_dialect.ir.constants import to_floats, to_numpy
from kan_dialect.ops.layer import AffineOp, ConcatOp, MapOp, NodeSumOp
from kan_dialect.ops.spline import BaseOp, BSplineOp, ChebyshevOp, RadialOp
from repository import TEST_DATA

Array = NDArray[Any]

FIXTURES = sorted((TEST_DATA / "onnx").glob("*.onnx"))
TOLERANCE = 1e-5


def load(path: Path) -> func.FuncOp:
    return find_function(load_onnx(path))


def outputs(function: func.FuncOp, x: Array) -> Array:
    return evaluate_function(function, [x.astype(np.float64)])[0]


def ops_of(function: func.FuncOp, kind: type[Operation]) -> list[Any]:
    return [op for op in function.body.block.ops if isinstance(op, kind)]


def names_of(function: func.FuncOp) -> list[str]:
    """The ops in order, with the functions they name."""
    names: list[str] = []
    for op in function.body.block.ops:
        name = op.name.split(".")[1]
        names.append(f"{name} {op.function.data}" if isinstance(op, MapOp | BaseOp) else name)
    return names


def text_of(function: func.FuncOp) -> str:
    """The IR without the function's name."""
    return str(function).replace(function.sym_name.data, "NAME")


def largest_difference(actual: Array, expected: Array) -> float:
    return float(np.abs(actual - expected).max())


# The shared models


def initializers(path: Path) -> dict[str, Array]:
    return {each.name: numpy_helper.to_array(each) for each in onnx.load(path).graph.initializer}


def test_both_exporters_give_the_same_network(shared_data: Path) -> None:
    first, second = (
        load(shared_data / "onnx" / f"efficient_kan_wine{suffix}.onnx")
        for suffix in ("", "_dynamo")
    )
    assert text_of(first) == text_of(second)


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("efficient_kan_wine", (497, 502, 592, 492), (599, 604, 694, 594)),
        ("efficient_kan_digits", (499, 504, 594, 494), (601, 606, 696, 596)),
    ],
)
def test_parameters_have_the_bits_of_the_file(
    shared_data: Path, name: str, first: Sequence[int], second: Sequence[int]
) -> None:
    path = shared_data / "onnx" / f"{name}.onnx"
    tensors = {int(key.split("_")[1]): each for key, each in initializers(path).items()}
    function = load(path)
    splines, bases = ops_of(function, BSplineOp), ops_of(function, BaseOp)
    for spline, base, (lower, upper, weights, base_weights) in zip(
        splines, bases, (first, second), strict=True
    ):
        knots = np.hstack([tensors[lower], tensors[upper][:, -1:]])
        inputs, count = knots.shape
        coefficients = tensors[weights].T.reshape(-1, inputs, count - 4)
        assert spline.degree.value.data == 3
        assert np.array_equal(np.broadcast_to(to_numpy(spline.knots), knots.shape), knots)
        assert to_numpy(spline.coefficients).dtype == np.float32
        assert np.array_equal(to_numpy(spline.coefficients), coefficients)
        assert np.array_equal(to_numpy(base.weights), tensors[base_weights].T)


def test_radial_layers(shared_data: Path) -> None:
    path = shared_data / "onnx" / "fastkan_wine.onnx"
    function, tensors = load(path), initializers(path)
    assert names_of(function)[:4] == ["radial", "base silu", "addf", "node_sum"]
    radial, nodes = ops_of(function, RadialOp)[0], ops_of(function, NodeSumOp)[0]
    assert radial.function.data == "gaussian"
    assert np.array_equal(to_numpy(radial.centers), tensors["l.0.rbf.grid"])
    assert np.array_equal(
        to_numpy(radial.coefficients), tensors["onnx::MatMul_59"].T.reshape(4, 13, 8)
    )
    assert np.array_equal(to_numpy(nodes.bias), tensors["l.0.base_linear.bias"])


def test_chebyshev_layers(shared_data: Path) -> None:
    path = shared_data / "onnx" / "chebykan_wine.onnx"
    function, tensors = load(path), initializers(path)
    assert names_of(function)[:3] == ["map tanh", "chebyshev", "node_sum"]
    coefficients = tensors["a.cheby_coeffs"].transpose(1, 0, 2)
    assert np.array_equal(to_numpy(ops_of(function, ChebyshevOp)[0].coefficients), coefficients)


def test_multilayer_perceptron(shared_data: Path) -> None:
    path = shared_data / "onnx" / "mlp_relu_wine.onnx"
    function, tensors = load(path), initializers(path)
    assert names_of(function)[:-1] == ["base identity", "node_sum", "base relu", "node_sum"]
    assert np.array_equal(to_numpy(ops_of(function, BaseOp)[1].weights), tensors["2.weight"])
    assert np.array_equal(to_numpy(ops_of(function, NodeSumOp)[0].bias), tensors["0.bias"])


def test_pykan_export_with_a_symbolic_and_a_pruned_edge(shared_data: Path) -> None:
    function = load(shared_data / "pykan" / "exp_sin.onnx")
    data = np.load(shared_data / "pykan" / "exp_sin.npz")
    assert largest_difference(outputs(function, data["x"]), data["y"]) < TOLERANCE
    assert "base sin" in names_of(function)
    assert ops_of(function, NodeSumOp)[0].mask_array.tolist() == [[True, False], [True, True]]


# Fixtures: exporters, opsets, degrees, bases, forms


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_fixtures_compute_what_pytorch_computes(path: Path) -> None:
    function = load(path)
    data = np.load(path.with_suffix(".npz"))
    assert largest_difference(outputs(function, data["x"]), data["y"]) < TOLERANCE
    assert len(ops_of(function, BSplineOp)) == len(ops_of(function, NodeSumOp))


def exporters_of_one_network() -> list[list[Path]]:
    cases: dict[str, list[Path]] = {}
    for path in FIXTURES:
        cases.setdefault(path.stem.rsplit("_", 1)[0], []).append(path)
    return list(cases.values())


@pytest.mark.parametrize("paths", exporters_of_one_network(), ids=lambda paths: paths[0].stem)
def test_all_exporters_and_opsets_give_the_same_network(paths: list[Path]) -> None:
    assert len({text_of(load(path)) for path in paths}) == 1


# Graphs by hand


class Net(onnx_graphs.Net):
    """A graph of `x` that is loaded."""

    def load(
        self, output: str, inputs: int | tuple[int, ...], *, batch: int | str = "batch"
    ) -> func.FuncOp:
        features = (inputs,) if isinstance(inputs, int) else inputs
        with tempfile.TemporaryDirectory() as folder:
            return load(self.save(Path(folder), output, {"x": [batch, *features]}))


def basis(net: Net, x: str, knots: Array, degree: int, *, where: bool = False) -> str:
    """B-splines (batch, in, K - 1 - degree) of knots (in, K) or (K), by de Boor's recursion."""
    x = net("Unsqueeze", x, np.array([-1]))
    inside = net("And", net("GreaterOrEqual", x, knots[..., :-1]), net("Less", x, knots[..., 1:]))
    if where:
        values = net("Where", inside, np.float32(1), np.float32(0))
    else:
        values = net("Cast", inside, to=onnx.TensorProto.FLOAT)
    for order in range(1, degree + 1):
        last = knots.shape[-1] - 1
        rising = net(
            "Div",
            net("Sub", x, knots[..., : -order - 1]),
            knots[..., order:last] - knots[..., : -order - 1],
        )
        falling = net(
            "Div",
            net("Sub", knots[..., order + 1 :], x),
            knots[..., order + 1 :] - knots[..., 1:-order],
        )
        first = net("Slice", values, np.array([0]), np.array([-1]), np.array([2]))
        second = net("Slice", values, np.array([1]), np.array([2**62]), np.array([2]))
        values = net("Add", net("Mul", rising, first), net("Mul", falling, second))
    return values


def contract(net: Net, values: str, coefficients: Array, writing: str) -> str:
    """Node sums (batch, out) of a basis (batch, in, m) with coefficients (out, in, m)."""
    outputs = coefficients.shape[0]
    flat = coefficients.reshape(outputs, -1)
    match writing:
        case "matmul":
            flattened = net("Reshape", values, np.array([-1, flat.shape[1]]))
            return net("MatMul", flattened, flat.T)
        case "gemm":
            return net("Gemm", net("Flatten", values), flat, transB=1)
        case "gemm with alpha":
            return net("Gemm", net("Flatten", values), flat / 2, transB=1, alpha=2.0)
        case "einsum":
            return net("Einsum", values, coefficients, equation="bim,oim->bo")
        case "edges":
            edges = net("Einsum", values, coefficients, equation="bim,oim->bio")
            return net("ReduceSum", edges, np.array([1]), keepdims=0)
        case "products":
            products = net("Mul", net("Unsqueeze", values, np.array([1])), coefficients)
            return net("ReduceSum", products, np.array([-1, -2]), keepdims=0)
        case "batched matmul":
            rows = net("Unsqueeze", values, np.array([2]))
            edges = net("MatMul", rows, coefficients.transpose(1, 2, 0))
            return net("ReduceSum", net("Squeeze", edges, np.array([2])), np.array([1]), keepdims=0)
        case _:
            raise ValueError(writing)


WRITINGS = ("matmul", "gemm", "gemm with alpha", "einsum", "edges", "products", "batched matmul")


@dataclass(frozen=True, eq=False)
class Layer:
    """Parameters of a layer of B-splines, all float32."""

    knots: Array
    coefficients: Array
    weights: Array | None
    bias: Array | None


def random_layer(rng: np.random.Generator, inputs: int, outputs: int, degree: int) -> Layer:
    cells = int(rng.integers(1, 5)) + 2 * degree
    shape = (cells,) if rng.random() < 0.4 else (inputs, cells)
    steps = np.full(shape, 0.5) if rng.random() < 0.4 else rng.uniform(0.2, 1.0, shape)
    start = rng.uniform(-3.0, 0.0, (*shape[:-1], 1))
    knots = np.concatenate([start, start + np.cumsum(steps, -1)], -1).astype(np.float32)
    coefficients = rng.normal(size=(outputs, inputs, cells - degree)).astype(np.float32)
    weights = rng.normal(size=(outputs, inputs)).astype(np.float32)
    bias = rng.normal(size=outputs).astype(np.float32)
    for array in (coefficients, weights):
        array[rng.random((outputs, inputs)) < 0.2] = 0.0
    return Layer(
        knots,
        coefficients,
        weights if rng.random() < 0.7 else None,
        bias if rng.random() < 0.5 else None,
    )


@pytest.mark.ci
@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32 - 1),
    widths=st.lists(st.integers(1, 5), min_size=2, max_size=4),
    degree=st.integers(0, 4),
    writing=st.sampled_from(WRITINGS),
    where=st.booleans(),
    batch=st.sampled_from(["batch", 1, 3]),
)
def test_random_networks_are_recovered_exactly(
    seed: int, widths: list[int], degree: int, writing: str, where: bool, batch: int | str
) -> None:
    rng = np.random.default_rng(seed)
    layers = [random_layer(rng, inputs, outputs, degree) for inputs, outputs in pairwise(widths)]
    net, value = Net(), "x"
    for layer in layers:
        spline = basis(net, value, layer.knots, degree, where=where)
        total = contract(net, spline, layer.coefficients, writing)
        if layer.weights is not None:
            base = net("Mul", value, net("Sigmoid", value))
            total = net("Add", total, net("Gemm", base, layer.weights, transB=1))
        value = net("Add", total, layer.bias) if layer.bias is not None else total
    function = net.load(value, widths[0], batch=batch)
    sums = ops_of(function, NodeSumOp)
    assert len(sums) == len(layers)
    for nodes, layer in zip(sums, layers, strict=True):
        check_layer(nodes, layer, degree)


def check_layer(nodes: NodeSumOp, layer: Layer, degree: int) -> None:
    """Require that the ops below `nodes` have exactly the parameters of `layer`."""
    edges: list[Operation] = []
    pending = [nodes.edges.owner]
    while pending:
        op = pending.pop()
        assert isinstance(op, Operation)
        if op.name == "arith.addf":
            pending += [operand.owner for operand in op.operands]
        else:
            edges.append(op)
    splines = [op for op in edges if isinstance(op, BSplineOp)]
    bases = [op for op in edges if isinstance(op, BaseOp) and op.function.data == "silu"]
    assert len(splines) == int(layer.coefficients.any())
    for op in splines:
        assert op.degree.value.data == degree
        knots = to_numpy(op.knots)
        both = np.broadcast_shapes(knots.shape, layer.knots.shape)
        assert np.array_equal(np.broadcast_to(knots, both), np.broadcast_to(layer.knots, both))
        assert np.array_equal(to_numpy(op.coefficients), layer.coefficients)
    if layer.weights is not None and layer.weights.any():
        assert np.array_equal(to_numpy(bases[0].weights), layer.weights)
    kept = layer.coefficients.any(axis=2)
    if layer.weights is not None:
        kept |= layer.weights != 0
    assert np.array_equal(nodes.mask_array, kept)
    bias = np.zeros(len(kept)) if layer.bias is None else layer.bias
    assert np.array_equal(nodes.bias_array, bias)


def uniform_layer(inputs: int, outputs: int, seed: int = 0) -> Layer:
    rng = np.random.default_rng(seed)
    knots = np.linspace(-3, 3, 9).astype(np.float32)
    shape = (outputs, inputs, 5)
    return Layer(knots, rng.normal(size=shape).astype(np.float32), None, None)


def spline_layer(net: Net, x: str, inputs: int, outputs: int, seed: int = 0) -> str:
    layer = uniform_layer(inputs, outputs, seed)
    return contract(net, basis(net, x, layer.knots, 3), layer.coefficients, "matmul")


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_other_widths_of_floats(dtype: type[np.floating[Any]]) -> None:
    net, layer = Net(dtype=dtype), uniform_layer(3, 2)
    x = net("Unsqueeze", "x", np.array([-1]))
    left, right = layer.knots[:-1], layer.knots[1:]
    inside = net("And", net("GreaterOrEqual", x, left), net("Less", x, right))
    like = net("CastLike", inside, "x")
    below = net("Div", net("Sub", x, layer.knots[:-2]), np.float32(0.75))
    above = net("Div", net("Sub", layer.knots[2:], x), np.float32(0.75))
    hats = net(
        "Add",
        net("Mul", below, net("Slice", like, np.array([0]), np.array([7]), np.array([2]))),
        net("Mul", above, net("Slice", like, np.array([1]), np.array([8]), np.array([2]))),
    )
    coefficients = np.linspace(-1, 1, 42).reshape(2, 3, 7).astype(dtype)
    function = net.load(contract(net, hats, coefficients, "einsum"), 3)
    (spline,) = ops_of(function, BSplineOp)
    assert spline.degree.value.data == 1
    assert np.array_equal(to_floats(spline.coefficients), coefficients.astype(np.float64))


def test_knots_that_repeat_at_the_ends() -> None:
    """An open uniform grid, where a Where skips terms over empty cells."""
    knots = np.array([-1, -1, -1, 0, 1, 1, 1], dtype=np.float32)
    net = Net()
    x = net("Unsqueeze", "x", np.array([-1]))
    values = net(
        "Cast",
        net("And", net("GreaterOrEqual", x, knots[:-1]), net("Less", x, knots[1:])),
        to=onnx.TensorProto.FLOAT,
    )
    for order in (1, 2):
        widths = knots[order:] - knots[:-order]
        safe = np.where(widths == 0, 1, widths)
        terms: list[str] = []
        for side, shift in ((0, 0), (1, 1)):
            width, divisor = (each[side : len(each) - 1 + side] for each in (widths, safe))
            left, right = knots[: -order - 1], knots[order + 1 :]
            distance = net("Sub", x, left) if side == 0 else net("Sub", right, x)
            ratio = net("Where", width == 0, np.float32(0), net("Div", distance, divisor))
            index = np.arange(len(knots) - 1 - order) + shift
            terms.append(net("Mul", ratio, net("Gather", values, index, axis=2)))
        values = net("Add", *terms)
    coefficients = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
    function = net.load(contract(net, values, coefficients, "einsum"), 3)
    (spline,) = ops_of(function, BSplineOp)
    assert np.array_equal(to_numpy(spline.knots), knots)
    assert np.array_equal(to_numpy(spline.coefficients), coefficients)


def test_last_knot_that_belongs_to_the_last_cell() -> None:
    knots = np.array([0, 1, 2, 3], dtype=np.float32)
    net = Net()
    x = net("Unsqueeze", "x", np.array([-1]))
    above = net("GreaterOrEqual", x, knots[:-1])
    below = net("Less", x, knots[1:])
    last = net("And", net("Equal", x, np.float32(3)), np.array([False, False, True]))
    cells = net("Cast", net("Or", net("And", above, below), last), to=onnx.TensorProto.FLOAT)
    coefficients = np.arange(1, 7, dtype=np.float32).reshape(1, 2, 3)
    function = net.load(contract(net, cells, coefficients, "einsum"), 2)
    (spline,) = ops_of(function, BSplineOp)
    assert spline.degree.value.data == 0 and spline.closed is not None
    assert outputs(function, np.array([[3.0, 3.0]])).tolist() == [[9.0]]


@pytest.mark.parametrize(
    ("activation", "written"),
    [
        (lambda n, x: n("Relu", x), ["base relu"]),
        (lambda n, x: n("Max", x, np.float32(0)), ["base relu"]),
        (lambda n, x: n("Mul", x, n("Sigmoid", x)), ["base silu"]),
        (
            lambda n, x: n("Div", x, n("Add", n("Exp", n("Neg", x)), np.float32(1))),
            ["base silu"],
        ),
        (lambda n, x: n("Gelu", x), ["base gelu"]),
        (lambda n, x: n("Gelu", x, approximate="tanh"), ["base gelu_tanh"]),
        (lambda n, x: n("Pow", x, np.float32(3)), ["base cube"]),
        (lambda n, x: n("Mul", x, x), ["base square"]),
        (lambda n, x: n("Sin", x), ["base sin"]),
        (lambda n, x: n("Exp", x), ["base exp"]),
        (lambda n, x: n("Abs", x), ["base abs"]),
        (
            lambda n, x: n("Cos", n("Mul", x, np.array([1.0, 2.0, 3.0, 4.0]))),
            ["affine", "base cos"],
        ),
        (lambda n, x: n("LeakyRelu", x, alpha=0.1), None),
        (lambda n, x: n("Clip", x, np.float32(-1), np.float32(2)), None),
        (lambda n, x: n("Clip", x, "", np.float32(2)), None),
        (lambda n, x: n("Elu", x), None),
        (lambda n, x: n("Celu", x, alpha=0.7), None),
        (lambda n, x: n("Selu", x), None),
        (lambda n, x: n("Softplus", x), None),
        (lambda n, x: n("Mish", x), None),
        (lambda n, x: n("HardSwish", x), None),
        (lambda n, x: n("HardSigmoid", x), None),
        (lambda n, x: n("Softsign", x), None),
        (lambda n, x: n("PRelu", x, np.array([0.1, 0.2, 0.3, 0.4])), None),
        (lambda n, x: n("Mul", n("Sin", x), n("Exp", n("Neg", n("Abs", x)))), None),
        (lambda n, x: n("Pow", x, np.float32(5)), None),
        (lambda n, x: n("Min", x, np.float32(1)), None),
        (lambda n, x: n("Log", n("Sigmoid", x)), ["map sigmoid", "base log"]),
        # softplus(x, beta=2, threshold=15), softshrink and elu as PyTorch's exporters write them.
        (
            lambda n, x: n(
                "Where",
                n("Greater", n("Mul", x, np.float32(2)), np.float32(15)),
                x,
                n("Div", n("Softplus", n("Mul", x, np.float32(2))), np.float32(2)),
            ),
            None,
        ),
        (
            lambda n, x: n(
                "Add",
                n(
                    "Where",
                    n("Greater", x, np.float32(0.5)),
                    n("Sub", x, np.float32(0.5)),
                    np.float32(0),
                ),
                n(
                    "Where",
                    n("Less", x, np.float32(-0.5)),
                    n("Add", x, np.float32(0.5)),
                    np.float32(0),
                ),
            ),
            None,
        ),
        (
            lambda n, x: n(
                "Where",
                n("LessOrEqual", np.float32(0), n("Neg", x)),
                n("Sub", n("Exp", x), np.float32(1)),
                x,
            ),
            None,
        ),
    ],
)
def test_dense_layers_with_an_activation(activation: Any, written: list[str] | None) -> None:
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(4, 3)), rng.normal(size=(2, 4)).astype(np.float32)
    net = Net(opset=20)
    hidden = net("Gemm", "x", first, rng.normal(size=4), transB=1)
    function = net.load(net("MatMul", activation(net, hidden), second.T), 3)
    names = names_of(function)
    assert names[:2] == ["base identity", "node_sum"] and names[-2:] == ["node_sum", "return"]
    if written is not None:
        assert names[2:-2] == written
        assert np.array_equal(to_numpy(ops_of(function, BaseOp)[-1].weights), second)


def test_batch_norm_becomes_an_affine() -> None:
    rng = np.random.default_rng(2)
    scale, bias, mean = rng.normal(size=(3, 3)).astype(np.float32)
    variance = rng.uniform(0.5, 2, 3).astype(np.float32)
    net = Net()
    normed = net("BatchNormalization", "x", scale, bias, mean, variance, epsilon=1e-3)
    base = net("MatMul", net("Relu", normed), rng.normal(size=(3, 2)))
    function = net.load(net("Add", spline_layer(net, normed, 3, 2), base), 3)
    (affine,) = ops_of(function, AffineOp)
    gain = scale / np.sqrt(variance.astype(np.float64) + np.float32(1e-3))
    assert np.allclose(to_floats(affine.scale), gain, rtol=1e-15)
    assert np.allclose(to_floats(affine.bias), bias - mean * gain, rtol=1e-14)
    assert names_of(function) == ["affine", "bspline", "base relu", "addf", "node_sum", "return"]


@pytest.mark.parametrize(
    ("head", "names"),
    [
        (lambda n, y: n("Sigmoid", y), ["map sigmoid"]),
        (lambda n, y: n("Tanh", y), ["map tanh"]),
        (lambda n, y: n("Mul", y, np.array([2.0, 3.0])), ["affine"]),
        (lambda n, y: n("Squeeze", n("Unsqueeze", y, np.array([1])), np.array([1])), []),
        (lambda n, y: n("Dropout", n("Identity", y)), []),
        (lambda n, y: n("Reshape", y, np.array([0, -1])), []),
        (lambda n, y: n("Mul", y, np.float32(1)), []),
    ],
)
def test_heads(head: Any, names: list[str]) -> None:
    net = Net()
    function = net.load(head(net, spline_layer(net, "x", 3, 2)), 3)
    assert names_of(function) == ["bspline", "node_sum", *names, "return"]


def test_outputs_that_are_chosen_and_ordered() -> None:
    net = Net()
    nodes = spline_layer(net, "x", 3, 4)
    function = net.load(net("Gather", nodes, np.array([3, 0, 3]), axis=1), 3)
    coefficients = uniform_layer(3, 4).coefficients[[3, 0, 3]]
    assert names_of(function) == ["bspline", "node_sum", "return"]
    assert np.array_equal(to_numpy(ops_of(function, BSplineOp)[0].coefficients), coefficients)


def test_skip_connection_is_an_identity_edge() -> None:
    net = Net()
    hidden = net("Add", spline_layer(net, "x", 3, 3), "x")
    function = net.load(spline_layer(net, hidden, 3, 2, seed=1), 3)
    (identity,) = ops_of(function, BaseOp)
    assert np.array_equal(to_numpy(identity.weights), np.eye(3))
    assert len(ops_of(function, NodeSumOp)) == 2


def test_dense_connection_is_a_concatenation() -> None:
    net = Net()
    both = net("Concat", "x", spline_layer(net, "x", 3, 2), axis=1)
    function = net.load(spline_layer(net, both, 5, 2, seed=1), 3)
    assert len(ops_of(function, ConcatOp)) == 1
    assert ops_of(function, BSplineOp)[1].inputs == 5


def test_two_branches_of_one_layer_read_different_nodes() -> None:
    net = Net()
    hidden = spline_layer(net, "x", 3, 4)
    branch = net("MatMul", net("Tanh", "x"), np.ones((3, 2)))
    function = net.load(net("Add", spline_layer(net, hidden, 4, 2, seed=1), branch), 3)
    assert len(ops_of(function, ConcatOp)) == 1
    assert ops_of(function, NodeSumOp)[1].mask_array.all()


def test_basis_and_base_in_one_product() -> None:
    net, layer = Net(), uniform_layer(3, 2)
    flat = net("Flatten", basis(net, "x", layer.knots, 3))
    features = net("Concat", net("Tanh", "x"), flat, axis=-1)
    weights = np.arange(6, dtype=np.float32).reshape(2, 3)
    matrix = np.hstack([weights, layer.coefficients.reshape(2, -1)])
    function = net.load(net("Gemm", features, matrix, transB=1), 3)
    assert np.array_equal(to_numpy(ops_of(function, BaseOp)[0].weights), weights)
    assert np.array_equal(to_numpy(ops_of(function, BSplineOp)[0].coefficients), layer.coefficients)


def test_images_are_flattened() -> None:
    net = Net()
    function = net.load(spline_layer(net, net("Flatten", "x"), 12, 2), (3, 2, 2))
    assert ops_of(function, BSplineOp)[0].inputs == 12


@pytest.mark.parametrize("family", ["chebyshev by recursion", "legendre", "powers"])
def test_polynomials_of_any_family(family: str) -> None:
    rng = np.random.default_rng(3)
    net = Net()
    x = net("Tanh", "x")
    terms = [net("Add", net("Mul", x, np.float32(0)), np.float32(1)), x]
    for n in range(2, 5):
        step, back = (2.0, 1.0) if family.startswith("c") else ((2 * n - 1) / n, (n - 1) / n)
        if family == "powers":
            step, back = 1.0, 0.0
        risen = net("Mul", net("Mul", x, np.float32(step)), terms[-1])
        terms.append(net("Sub", risen, net("Mul", terms[-2], np.float32(back))))
    stacked = net("Concat", *[net("Unsqueeze", term, np.array([2])) for term in terms], axis=2)
    coefficients = rng.normal(size=(2, 3, 5)).astype(np.float32)
    function = net.load(contract(net, stacked, coefficients, "einsum"), 3)
    assert names_of(function) == ["map tanh", "chebyshev", "node_sum", "return"]
    if family.startswith("c"):
        raised = to_numpy(ops_of(function, ChebyshevOp)[0].coefficients)
        assert np.array_equal(raised, coefficients)


@pytest.mark.parametrize("kind", ["gaussian", "inverse_quadratic", "multiquadric"])
def test_radial_functions(kind: str) -> None:
    rng = np.random.default_rng(4)
    centers = rng.normal(size=(3, 4)).astype(np.float32)
    widths = rng.uniform(0.5, 2, (3, 4)).astype(np.float32)
    coefficients = rng.normal(size=(2, 3, 4)).astype(np.float32)
    net = Net()
    distance = net("Div", net("Sub", net("Unsqueeze", "x", np.array([2])), centers), widths)
    square = net("Mul", distance, distance)
    one = np.float32(1)
    values = {
        "gaussian": lambda: net("Exp", net("Neg", square)),
        "inverse_quadratic": lambda: net("Reciprocal", net("Add", square, one)),
        "multiquadric": lambda: net("Sqrt", net("Add", square, one)),
    }[kind]()
    function = net.load(contract(net, values, coefficients, "einsum"), 3)
    (radial,) = ops_of(function, RadialOp)
    assert radial.function.data == kind
    assert np.array_equal(to_numpy(radial.centers), centers)
    assert np.array_equal(to_numpy(radial.widths), widths)
    assert np.array_equal(to_numpy(radial.coefficients), coefficients)


def test_centres_of_a_second_layer_are_no_biases_of_the_first() -> None:
    """The first layer has a node for each sum, and not one for each centre that reads it."""
    rng = np.random.default_rng(6)
    centers = np.linspace(-1, 1, 4, dtype=np.float32)
    net, value = Net(), "x"
    for inputs, outputs in ((2, 3), (3, 1)):
        distance = net("Sub", net("Unsqueeze", value, np.array([2])), centers)
        radial = net("Exp", net("Neg", net("Mul", distance, distance)))
        weights = rng.normal(size=(inputs * centers.size, outputs)).astype(np.float32)
        bias = rng.normal(size=outputs).astype(np.float32)
        value = net("Gemm", net("Flatten", radial, axis=1), weights, bias)
    function = net.load(value, 2)
    assert names_of(function) == ["radial", "node_sum", "radial", "node_sum", "return"]
    assert [radial.coefficients.type.get_shape() for radial in ops_of(function, RadialOp)] == [
        (3, 2, 4),
        (1, 3, 4),
    ]


def test_parameters_that_the_graph_computes() -> None:
    """The graph computes grid, scaler and shapes in float32."""
    net, rng = Net(), np.random.default_rng(5)
    steps = net("Cast", net("Range", np.int64(-3), np.int64(6), np.int64(1)), to=1)
    knots = net("Add", net("Mul", steps, np.float32(0.4)), np.float32(0.1))
    left, right = (
        net("Slice", knots, np.array([start]), np.array([end]), np.array([0]))
        for start, end in ((0, -1), (1, 2**62))
    )
    x = net("Unsqueeze", "x", np.array([-1]))
    cells = net("Cast", net("And", net("GreaterOrEqual", x, left), net("Less", x, right)), to=1)
    batch = net("Gather", net("Shape", "x"), np.array([0]), axis=0)
    flat = net("Reshape", cells, net("Concat", batch, np.array([-1]), axis=0))
    coefficients, scaler = rng.normal(size=(2, 3, 8)), rng.normal(size=(2, 3, 1))
    weights = net("Mul", coefficients, scaler)
    matrix = net("Transpose", net("Reshape", weights, np.array([2, 24])), perm=[1, 0])
    function = net.load(net("MatMul", flat, matrix), 3)
    (spline,) = ops_of(function, BSplineOp)
    grid = np.arange(-3, 6).astype(np.float32) * np.float32(0.4) + np.float32(0.1)
    assert np.array_equal(to_numpy(spline.knots), grid)
    scaled = coefficients.astype(np.float32) * scaler.astype(np.float32)
    assert np.array_equal(to_numpy(spline.coefficients), scaled)


def test_column_major_products() -> None:
    """Weights times inputs instead of inputs times weights: W (out, in) @ x' (in, batch)."""
    weights = np.arange(6, dtype=np.float32).reshape(2, 3) - 2
    net = Net()
    columns = net("MatMul", weights, net("Transpose", net("Relu", "x")))
    function = net.load(net("Transpose", columns), 3)
    assert names_of(function) == ["base relu", "node_sum", "return"]
    assert np.array_equal(to_numpy(ops_of(function, BaseOp)[0].weights), weights)


def test_the_function_has_the_files_name(tmp_path: Path) -> None:
    path = tmp_path / "2 my-net.v1.ONNX"
    path.write_bytes(FIXTURES[0].read_bytes())
    function = find_function(frontend_for(path).load(path))
    assert function.sym_name.data.isidentifier()
    assert function.sym_name.data.endswith("2_my_net_v1")


def test_the_frontend_is_found_by_its_extension() -> None:
    assert find_frontends()[".onnx"].name == "onnx"
    with pytest.raises(KanError, match=r"net\.xyz: no frontend reads files of this kind"):
        frontend_for(Path("net.xyz"))
