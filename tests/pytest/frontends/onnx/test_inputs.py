"""Inputs of other forms than (batch, features), batches left in a file, and real samples."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from kan_dialect.errors import KanError
from kan_dialect.frontends.frontend import ImportOptions
from kan_dialect.frontends.onnx.load import load_onnx
from kan_dialect.frontends.onnx.read.graph import Unrecognised
from kan_dialect.model.model import Model
from kan_dialect.ops.layer import NodeSumOp
from onnx_graphs import Array, Extents, Net

RNG = np.random.default_rng(0)
FIRST = RNG.normal(size=(4, 3)).astype(np.float32)
SECOND = RNG.normal(size=(3, 2)).astype(np.float32)


def dense(net: Net, x: str) -> str:
    """Two layers, 4-3-2."""
    return net("MatMul", net("Tanh", net("MatMul", x, FIRST)), SECOND)


def expected(x: Array) -> Array:
    return np.tanh(x @ FIRST) @ SECOND


def samples(width: int = 4) -> Array:
    return np.random.default_rng(1).normal(size=(20, width))


# Several inputs


@pytest.mark.parametrize("batch", ["batch", 1, 5])
@pytest.mark.parametrize("order", [("b", "a"), ("a", "b")])
def test_inputs_side_by_side_in_the_graphs_order(
    batch: int | str, order: tuple[str, str], tmp_path: Path
) -> None:
    """The columns are the inputs in the graph's order, in whatever order the model joins them."""
    net = Net()
    both = net("Concat", "b", "a", axis=1)
    sizes = {"a": 1, "b": 3}
    path = net.save(tmp_path, dense(net, both), {name: [batch, sizes[name]] for name in order})
    x = samples()
    joined = x if order[0] == "b" else np.roll(x, 1, axis=1)
    actual = Model.of(load_onnx(path)).run(joined)
    np.testing.assert_allclose(actual, expected(x), atol=1e-5)


def test_inputs_of_different_types_and_without_use(tmp_path: Path) -> None:
    net = Net()
    wide = net("Concat", "x", net("Cast", "half", to=TensorProto.FLOAT), axis=1)
    path = net.save(
        tmp_path,
        dense(net, wide),
        {"half": ["n", 2], "idle": ["n", 3], "x": ["n", 2]},
        {"half": TensorProto.FLOAT16},
    )
    x = samples().astype(np.float16).astype(np.float64)
    given = np.hstack([x[:, 2:], np.ones((20, 3)), x[:, :2]])
    np.testing.assert_allclose(Model.of(load_onnx(path)).run(given), expected(x), atol=1e-3)


def test_a_name_that_is_taken(tmp_path: Path) -> None:
    net = Net()
    net.nodes.append(helper.make_node("Concat", ["a", "b"], ["a+b"], axis=1))
    path = net.save(tmp_path, dense(net, "a+b"), {"a": ["n", 2], "b": ["n", 2]})
    x = samples()
    np.testing.assert_allclose(Model.of(load_onnx(path)).run(x), expected(x), atol=1e-5)


def test_products_of_two_inputs_are_refused_by_their_op(tmp_path: Path) -> None:
    net = Net()
    path = net.save(tmp_path, net("Mul", "a", "b"), {"a": ["n", 2], "b": ["n", 2]})
    with pytest.raises(Unrecognised, match=r"node 'n0' \(Mul\): it combines values that depend on"):
        load_onnx(path)


# One sample without a batch


def outer(net: Net, x: str) -> str:
    """All edges at once, (out, in), then a sum over the inputs."""
    edges = net("Mul", net("Sin", net("Unsqueeze", x, np.array([0]))), FIRST.T.copy())
    return net("ReduceSum", edges, np.array([1]), keepdims=0)


def powers(net: Net, x: str) -> str:
    """(in, 3) -> in * 3 -> out, with axes from the front."""
    column = net("Unsqueeze", x, np.array([1]))
    terms = net("Concat", column, net("Mul", column, column), net("Sin", column), axis=1)
    weights = np.arange(24, dtype=np.float32).reshape(12, 2) / 12
    return net("MatMul", net("Reshape", terms, np.array([-1])), weights)


def by_shape(net: Net, x: str) -> str:
    """The new shape comes from the graph."""
    terms = net("Expand", net("Unsqueeze", x, np.array([-1])), np.array([4, 2]))
    scaled = net("Sin", net("Mul", terms, np.array([1, 2], dtype=np.float32)))
    count = net("ReduceProd", net("Shape", scaled), keepdims=1, axes=[0])
    return net("MatMul", net("Reshape", scaled, count), np.ones((8, 2), dtype=np.float32))


def through_rows(net: Net, x: str) -> str:
    """The model adds a batch itself, and removes it."""
    row = net("Unsqueeze", x, np.array([0]))
    hidden = net("Tanh", net("Gemm", row, FIRST.T.copy(), np.ones(3, np.float32), transB=1))
    return net("Squeeze", net("MatMul", hidden, SECOND), np.array([0]))


def pieces(net: Net, x: str) -> str:
    first = net("Slice", x, np.array([0]), np.array([2]))
    last = net("Gather", x, np.array([3, 2]), axis=0)
    return dense(net, net("Concat", first, net("Tile", last, np.array([1])), axis=0))


def flattened(net: Net, x: str) -> str:
    grid = net("Transpose", net("Reshape", x, np.array([2, 2])), perm=[1, 0])
    row = net("Flatten", grid, axis=0)
    return net("Squeeze", dense(net, row))


def einsum(net: Net, x: str) -> str:
    return net("Einsum", net("Sin", x), FIRST, equation="i,io->o")


VECTORS: dict[str, tuple[Callable[[Net, str], str], int]] = {
    "dense": (dense, 2),
    "matrix times vector": (
        lambda n, x: n("MatMul", SECOND.T.copy(), n("Tanh", n("MatMul", FIRST.T.copy(), x))),
        2,
    ),
    "dot product": (lambda n, x: n("MatMul", n("Sin", x), FIRST[:, 0].copy()), 1),
    "outer": (outer, 1),
    "powers": (powers, 1),
    "by shape": (by_shape, 1),
    "through rows": (through_rows, 2),
    "pieces": (pieces, 2),
    "flattened": (flattened, 2),
    "einsum": (einsum, 1),
    "sum of all": (lambda n, x: n("ReduceSum", n("Sin", x), keepdims=0), 1),
    "mean by attribute": (lambda n, x: n("ReduceMean", n("Sin", x), axes=[0], keepdims=1), 1),
}


@pytest.mark.parametrize("name", VECTORS)
def test_one_sample_without_a_batch(name: str, tmp_path: Path) -> None:
    write, layers = VECTORS[name]
    net = Net()
    path = net.save(tmp_path, write(net, "x"), {"x": [4]})
    module = load_onnx(path)
    assert sum(isinstance(op, NodeSumOp) for op in module.walk()) == layers
    session: Any = onnxruntime.InferenceSession(path)
    x = samples().astype(np.float32)
    rows = [np.atleast_1d(session.run(None, {"x": row})[0]).ravel() for row in x]
    np.testing.assert_allclose(Model.of(module).run(x.astype(np.float64)), rows, atol=1e-5)


def test_the_head_of_one_sample(tmp_path: Path) -> None:
    net = Net()
    path = net.save(tmp_path, net("Softmax", dense(net, "x"), axis=0), {"x": [4]})
    with pytest.raises(KanError, match=r"\(Softmax\).*--strip-head"):
        load_onnx(path)
    x = samples()
    stripped = Model.of(load_onnx(path, ImportOptions(strip_head=True)))
    np.testing.assert_allclose(stripped.run(x), expected(x), atol=1e-5)


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda n, x: n("LayerNormalization", dense(n, x), np.ones(2, np.float32)), "mixes the"),
        (lambda n, x: n("Mul", x, n("ReduceSum", x)), r"\(Mul\): it divides or multiplies"),
        (lambda n, x: n("MatMul", dense(n, x), dense(n, x)), r"\(MatMul\): it combines values"),
        (
            lambda n, x: n("Gather", FIRST, n("Cast", x, to=TensorProto.INT64)),
            r"\(Gather\): where it moves values to depends on the input",
        ),
    ],
)
def test_other_networks_of_one_sample_are_refused(
    write: Callable[[Net, str], str], words: str, tmp_path: Path
) -> None:
    net = Net()
    with pytest.raises(Unrecognised, match=words):
        load_onnx(net.save(tmp_path, write(net, "x"), {"x": [4]}))


# A batch left in a reshape


@pytest.mark.parametrize("traced", [1, 3])
@pytest.mark.parametrize("op", ["Reshape", "Expand"])
def test_reshapes_to_the_traced_batch(traced: int, op: str, tmp_path: Path) -> None:
    """The input's batch is open, but a reshape's is fixed: the file runs with that batch only."""
    net = Net()
    shape = np.array([traced, 4])
    path = net.save(tmp_path, dense(net, net(op, "x", shape)), {"x": ["batch", 4]})
    if op == "Reshape":
        session: Any = onnxruntime.InferenceSession(path)
        with pytest.raises(Exception, match="cannot be reshaped"):
            session.run(None, {"x": np.zeros((traced + 1, 4), np.float32)})
    x = samples()
    np.testing.assert_allclose(Model.of(load_onnx(path)).run(x), expected(x), atol=1e-5)


def test_constants_within_the_graph_give_the_batch(tmp_path: Path) -> None:
    net = Net()
    shape = net("Constant", value=numpy_helper.from_array(np.array([5, -1])))
    path = net.save(tmp_path, dense(net, net("Reshape", "x", shape)), {"x": ["batch", 2, 2]})
    x = samples()
    np.testing.assert_allclose(Model.of(load_onnx(path)).run(x), expected(x), atol=1e-5)


def test_the_farthest_recognition_gives_the_error(tmp_path: Path) -> None:
    net = Net()
    hidden = net("Reshape", "x", np.array([1, 4]))
    path = net.save(tmp_path, net("ReduceMax", dense(net, hidden), axes=[1]), {"x": ["b", 4]})
    with pytest.raises(Unrecognised, match=r"\(ReduceMax\): it mixes values"):
        load_onnx(path)


def test_a_sum_of_functions_of_one_sample_imports_whatever_its_ops(tmp_path: Path) -> None:
    """x . x = sum of x_i ** 2; running sums; a batch that is no axis."""
    x = samples()[:20]
    net = Net()
    path = net.save(tmp_path, net("MatMul", "x", "x"), {"x": [4]})
    np.testing.assert_allclose(Model.of(load_onnx(path)).run(x), (x**2).sum(1)[:, None], rtol=1e-5)
    net = Net()
    path = net.save(tmp_path, net("CumSum", "x", np.array(0)), {"x": [4]})
    np.testing.assert_allclose(Model.of(load_onnx(path)).run(x), x.cumsum(1), rtol=1e-5, atol=1e-6)
    net = Net()
    hidden = net("Reshape", "x", np.array([2, 1, 2]))
    path = net.save(tmp_path, net("MatMul", hidden, SECOND[:2]), {"x": ["b", 4]})
    expected = (x.reshape(-1, 2, 2) @ SECOND[:2]).reshape(20, -1)
    np.testing.assert_allclose(Model.of(load_onnx(path)).run(x), expected, rtol=1e-5, atol=1e-6)


# Samples


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (np.zeros((5, 3)), r"the samples have shape \(5, 3\), the network has 4 inputs; give"),
        (np.zeros(4), r"the samples have shape \(4,\)"),
        (np.zeros((0, 4)), r"the samples have shape \(0, 4\)"),
        (np.full((2, 4), np.nan), "the samples are not finite"),
    ],
)
@pytest.mark.parametrize("inputs", [{"x": ["b", 4]}, {"x": [4]}])
def test_samples_must_fit(
    given: Array, words: str, inputs: dict[str, Extents], tmp_path: Path
) -> None:
    net = Net()
    path = net.save(tmp_path, dense(net, "x"), inputs)
    with pytest.raises(KanError, match=rf"^net\.onnx: {words}"):
        load_onnx(path, ImportOptions(samples=given))


def test_samples_change_no_parameter(tmp_path: Path) -> None:
    net = Net()
    path = net.save(tmp_path, dense(net, "x"), {"x": ["b", 4]})
    assert str(load_onnx(path, ImportOptions(samples=samples()))) == str(load_onnx(path))
