"""ONNX graphs of unknown form: layers are discovered by exchange, and kept as `kan.onnx`."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime  # pyright: ignore[reportMissingTypeStubs] (it has none)
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from xdsl.dialects.builtin import ModuleOp
from xdsl.parser import Parser

from kan_dialect.errors import KanError
from kan_dialect.frontends.frontend import NO_OPTIONS, ImportOptions
from kan_dialect.frontends.loading import make_context
from kan_dialect.frontends.onnx.discover import layer_boundaries, layer_search
from kan_dialect.frontends.onnx.discover.additivity import make_exchanges, residuals
from kan_dialect.frontends.onnx.discover.layer_boundaries import find_layers
from kan_dialect.frontends.onnx.discover.layer_search import search_layers
from kan_dialect.frontends.onnx.load import load_onnx
from kan_dialect.frontends.onnx.operators.static_graph import make_static
from kan_dialect.frontends.onnx.operators.subgraphs import SubgraphRun, extract_subgraph
from kan_dialect.frontends.onnx.read.graph import Unrecognised, read_graph
from kan_dialect.frontends.onnx.recognise.layers import ImportedNetwork, recognise_layers
from kan_dialect.ir.constants import FloatArray, to_floats
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.model.model import Model
from kan_dialect.ops.layer import ConcatOp, NodeSumOp
from kan_dialect.ops.onnx import OnnxOp
from kan_dialect.ops.spline import BSplineOp
from repository import TEST_DATA

Array = NDArray[Any]

FIXTURES = TEST_DATA / "onnx"
RNG = np.random.default_rng(11)
W = RNG.normal(size=(3, 4)).astype(np.float32)
V = RNG.normal(size=(4, 2)).astype(np.float32)

ORT: Any = onnxruntime


def node(op: str, operands: Sequence[str], output: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, list(operands), [output], name=f"the_{output}", **attributes)


def save(
    folder: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[object] = ("b", 3),
    output: int = TensorProto.FLOAT,
    opset: int = 17,
    **tensors: Array | np.float32,
) -> Path:
    """A model file from `x` to `y`, with constants `w` (3, 4) and `v` (4, 2)."""
    held = {"w": W, "v": V} | tensors
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, list(inputs))],  # pyright: ignore[reportArgumentType]
        [helper.make_tensor_value_info("y", output, None)],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in held.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 9
    path = folder / "net.onnx"
    path.write_bytes(model.SerializeToString())
    return path


# The dialect has no atan.
FIRST = [node("Atan", ["x"], "a"), node("MatMul", ["a", "w"], "h")]
LAST = [node("Atan", ["h"], "b"), node("MatMul", ["b", "v"], "y")]


def outputs(path: Path, x: Array) -> FloatArray:
    """ONNX Runtime's outputs."""
    session = ORT.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x.astype(np.float32)})[0].astype(np.float64)


def assert_same(module: ModuleOp, path: Path, x: Array) -> None:
    expected = outputs(path, x)
    actual = Model.of(module).run(x.astype(np.float32).astype(np.float64))
    assert np.abs(actual - expected).max() <= 1e-5 * np.ptp(expected)


def count(module: ModuleOp, *kinds: type) -> list[int]:
    return [sum(isinstance(op, kind) for op in module.walk()) for kind in kinds]


def refusal(path: Path) -> str:
    with pytest.raises(KanError) as caught:
        load_onnx(path)
    message = str(caught.value)
    assert message.startswith("net.onnx: ") and "\n" not in message
    return message


# Layers that are discovered


def test_a_known_layer_between_unknown_ones_keeps_its_form(tmp_path: Path) -> None:
    nodes = [
        *FIRST,
        node("Relu", ["h"], "r"),
        node("MatMul", ["r", "v"], "g"),
        node("Atan", ["g"], "c"),
        node("MatMul", ["c", "u"], "y"),
    ]
    path = save(tmp_path, nodes, u=RNG.normal(size=(2, 2)).astype(np.float32))
    text = str(load_onnx(path))
    assert text.count("kan.onnx") == 2 and text.count('kan.base "relu"') == 1
    assert text.index("kan.onnx") < text.index("kan.base") < text.rindex("kan.onnx")
    assert 'as "layer2"' in text


@pytest.mark.parametrize("case", ["depth3_script17", "plain_script13", "fixed_batch_dynamo18"])
def test_known_layers_found_by_search_keep_their_splines(case: str) -> None:
    graph = read_graph(FIXTURES / f"{case}.onnx")
    _, network = search_layers(graph, NO_OPTIONS, KanError("not recognised"))
    assert count(network.module, OnnxOp) == [0] and count(network.module, BSplineOp)[0] >= 2


@pytest.mark.parametrize(
    "path", sorted(FIXTURES.glob("*_script17.onnx")), ids=lambda path: path.stem
)
def test_every_fixture_as_opaque_layers(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With recognition switched off, every form goes through the search."""

    def unknown(assembly: object, part: object, activations: object) -> ImportedNetwork | None:
        return None

    monkeypatch.setattr(layer_search._Assembly, "_recognise", unknown)  # pyright: ignore[reportPrivateUsage]
    _, network = search_layers(read_graph(path), NO_OPTIONS, KanError("not recognised"))
    data = np.load(path.with_suffix(".npz"))
    actual = Model.of(network.module).run(data["x"].astype(np.float64))
    expected = data["y"].astype(np.float64)
    assert np.abs(actual - expected).max() <= 1e-5 * np.ptp(expected)
    assert count(network.module, OnnxOp)[0] == network.layers >= 1


def test_skip_connections(tmp_path: Path) -> None:
    nodes = [
        *FIRST,
        node("Atan", ["h"], "b"),
        node("MatMul", ["b", "v"], "z"),
        node("MatMul", ["x", "skip"], "s"),
        node("Add", ["z", "s"], "y"),
    ]
    path = save(tmp_path, nodes, skip=W[:, :2].copy())
    module = load_onnx(path)
    assert count(module, ConcatOp) == [1]
    assert_same(module, path, RNG.normal(size=(50, 3)))


def test_dense_connections_keep_their_layers(tmp_path: Path) -> None:
    nodes = [
        *FIRST,
        node("Concat", ["x", "h"], "c", axis=1),
        node("Atan", ["c"], "b"),
        node("MatMul", ["b", "u"], "g"),
        node("Concat", ["c", "g"], "d", axis=1),
        node("Atan", ["d"], "e"),
        node("MatMul", ["e", "t"], "y"),
    ]
    path = save(
        tmp_path,
        nodes,
        u=RNG.normal(size=(7, 5)).astype(np.float32),
        t=RNG.normal(size=(12, 2)).astype(np.float32),
    )
    module = load_onnx(path)
    # No edge is an identity: concatenated values are not computed again.
    assert count(module, OnnxOp, NodeSumOp, ConcatOp) == [3, 3, 2]
    assert_same(module, path, RNG.normal(size=(50, 3)))


def test_a_single_node_absorbs_the_functions_after_it(tmp_path: Path) -> None:
    nodes = [
        node("Atan", ["x"], "a"),
        node("MatMul", ["a", "one"], "h"),
        node("Atan", ["h"], "b"),
        node("Mul", ["b", "h"], "m"),
        node("MatMul", ["m", "three"], "y"),
    ]
    path = save(tmp_path, nodes, one=W[:, :1].copy(), three=V[:1].copy())
    module = load_onnx(path)
    assert count(module, NodeSumOp) == [2]
    assert_same(module, path, RNG.normal(size=(50, 3)))


@pytest.mark.parametrize(
    ("op", "low", "high"), [("Acos", -0.9, 0.9), ("Log", 0.1, 3.0), ("Acosh", 1.1, 4.0)]
)
def test_functions_with_a_domain(op: str, low: float, high: float, tmp_path: Path) -> None:
    path = save(tmp_path, [node(op, ["x"], "a"), *FIRST[1:], *LAST])
    module = load_onnx(path)
    assert_same(module, path, RNG.uniform(low, high, (50, 3)))


def test_a_large_offset_does_not_hide_the_functions(tmp_path: Path) -> None:
    nodes = [
        node("Sub", ["x", "big"], "q"),
        node("Atan", ["q"], "a"),
        *FIRST[1:],
        node("Add", ["h", "big"], "o"),
        node("Sub", ["o", "big"], "p"),
        node("Atan", ["p"], "b"),
        LAST[1],
    ]
    path = save(tmp_path, nodes, big=np.float32(1000.0))
    module = load_onnx(path)
    assert count(module, OnnxOp) == [2]


def test_convolutions_that_add_up_functions(tmp_path: Path) -> None:
    kernel = RNG.normal(size=(2, 1, 2, 2)).astype(np.float32)
    nodes = [
        node("Atan", ["x"], "a"),
        node("Conv", ["a", "kernel"], "h"),
        node("Atan", ["h"], "b"),
        node("Flatten", ["b"], "f", axis=1),
        node("MatMul", ["f", "u"], "y"),
    ]
    path = save(
        tmp_path, nodes, ("b", 1, 3, 3), kernel=kernel, u=RNG.normal(size=(8, 2)).astype(np.float32)
    )
    module = load_onnx(path)
    x = RNG.normal(size=(20, 9)).astype(np.float32)
    expected = outputs(path, x.reshape(20, 1, 3, 3))
    actual = Model.of(module).run(x.astype(np.float64))
    assert np.abs(actual - expected).max() <= 1e-5 * np.ptp(expected)


def test_the_order_of_features_is_kept_across_axes(tmp_path: Path) -> None:
    """The batch is not always the first axis."""
    nodes = [
        node("Transpose", ["x"], "t", perm=[1, 0]),
        node("Atan", ["t"], "a"),
        node("MatMul", ["u", "a"], "h"),
        node("Atan", ["h"], "b"),
        node("Transpose", ["b"], "s", perm=[1, 0]),
        node("MatMul", ["s", "v"], "y"),
    ]
    path = save(tmp_path, nodes, u=W.T.copy())
    module = load_onnx(path)
    assert count(module, OnnxOp) == [2]
    assert_same(module, path, RNG.normal(size=(50, 3)))


def test_piecewise_functions(tmp_path: Path) -> None:
    nodes = [
        node("Greater", ["x", "zero"], "right"),
        node("Exp", ["x"], "rise"),
        node("Where", ["right", "x", "rise"], "pieces"),
        node("MatMul", ["pieces", "w"], "y"),
    ]
    path = save(tmp_path, nodes, zero=np.float32(0))
    with pytest.raises(Unrecognised, match="not recognised as B-splines"):
        recognise_layers(read_graph(path))
    assert_same(load_onnx(path), path, RNG.normal(size=(50, 3)))


def test_running_sums(tmp_path: Path) -> None:
    path = save(tmp_path, [*FIRST, node("CumSum", ["h", "axis"], "y")], axis=np.array(1))
    assert_same(load_onnx(path), path, RNG.normal(size=(50, 3)))


# Refusals


def test_the_op_that_mixes_and_the_evidence(tmp_path: Path) -> None:
    nodes = [
        *FIRST,
        node("MatMul", ["x", "w"], "g"),
        node("Sigmoid", ["g"], "s"),
        node("Mul", ["h", "s"], "m"),
        node("MatMul", ["m", "v"], "y"),
    ]
    message = refusal(save(tmp_path, nodes))
    assert "node 'the_m' (Mul): it combines values" in message
    assert "as a function of 'h' and 's', it misses a sum of functions" in message


def test_a_weak_interaction(tmp_path: Path) -> None:
    nodes = [
        *FIRST,
        node("Gather", ["x", "zero"], "x0", axis=1),
        node("Gather", ["x", "one"], "x1", axis=1),
        node("Mul", ["x0", "x1"], "p"),
        node("Mul", ["p", "weak"], "q"),
        node("Add", ["h", "q"], "i"),
        node("Atan", ["i"], "b"),
        LAST[1],
    ]
    path = save(tmp_path, nodes, zero=np.array([0]), one=np.array([1]), weak=np.float32(1e-4))
    assert "node 'the_p' (Mul)" in refusal(path)


def test_functions_without_finite_values(tmp_path: Path) -> None:
    nodes = [
        node("Mul", ["x", "x"], "q"),
        node("Add", ["q", "far"], "s"),
        node("Acos", ["s"], "a"),
        *FIRST[1:],
        *LAST,
    ]
    path = save(tmp_path, nodes, far=np.float32(50.0))
    message = refusal(path)
    assert "finite" in message and "--samples" in message


def test_the_graph_says_where_functions_are_defined(tmp_path: Path) -> None:
    nodes = [node("Sub", ["x", "far"], "s"), node("Acos", ["s"], "a"), *FIRST[1:], *LAST]
    path = save(tmp_path, nodes, far=np.float32(50.0))
    assert_same(load_onnx(path), path, RNG.uniform(49.2, 50.8, (50, 3)))


def test_samples_say_where_functions_are_defined(tmp_path: Path) -> None:
    nodes = [node("Sub", ["x", "far"], "s"), node("Acos", ["s"], "a"), *FIRST[1:], *LAST]
    path = save(tmp_path, nodes, far=np.float32(50.0))
    samples = RNG.uniform(49.2, 50.8, (80, 3))
    options = ImportOptions(samples=samples)
    _, network = search_layers(read_graph(path), options, KanError("not recognised"))
    assert_same(network.module, path, RNG.uniform(49.2, 50.8, (50, 3)))


def test_an_interaction_that_few_points_show(tmp_path: Path) -> None:
    """A bump of the sum of all inputs, at an untypical value: two layers, not one."""
    nodes = [
        *FIRST,
        node("MatMul", ["x", "ones"], "sum"),
        node("Sub", ["sum", "place"], "d"),
        node("Mul", ["d", "d"], "dd"),
        node("Mul", ["dd", "narrow"], "e"),
        node("Exp", ["e"], "bump"),
        node("Add", ["h", "bump"], "i"),
        node("Atan", ["i"], "b"),
        LAST[1],
    ]
    path = save(
        tmp_path,
        nodes,
        ones=np.ones((3, 1), np.float32),
        place=np.float32(2.0),
        narrow=np.float32(-2000.0),
    )
    x = RNG.normal(size=(50, 3))
    x[:, 2] = 2.0 - x[:, 0] - x[:, 1]
    assert_same(load_onnx(path), path, x)


def test_samples_that_influence_each_other(tmp_path: Path) -> None:
    nodes = [node("ReduceMean", ["x"], "m", axes=[0]), node("Sub", ["x", "m"], "s"), *FIRST[1:]]
    nodes = [nodes[0], nodes[1], node("Atan", ["s"], "a"), node("MatMul", ["a", "w"], "y")]
    message = refusal(save(tmp_path, nodes))
    assert "node 'the_m' (ReduceMean)" in message and "batch" in message


def test_extents_that_depend_on_data(tmp_path: Path) -> None:
    nodes = [
        node("Atan", ["x"], "a"),
        node("NonZero", ["a"], "n"),
        node("Cast", ["n"], "f", to=TensorProto.FLOAT),
        node("ReduceSum", ["f"], "y", keepdims=1),
    ]
    assert "node 'the_n' (NonZero)" in refusal(save(tmp_path, nodes))


# The test of additivity


def test_residuals_tell_sums_from_products(tmp_path: Path) -> None:
    nodes = [
        *FIRST,
        node("Gather", ["x", "zero"], "x0", axis=1),
        node("Mul", ["h", "x0"], "m"),
        node("Add", ["h", "m"], "y"),
    ]
    static = make_static(read_graph(save(tmp_path, nodes, zero=np.array([0]))))
    run = SubgraphRun(static, ["x"], ["h", "x0", "m", "y"])
    rng = np.random.default_rng(0)
    group = make_exchanges(rng.normal(size=(64, 3)), rng)
    shares = residuals(run, [group])
    assert shares[:2].tolist() == [0.0, 0.0] and shares[2:].min() > 1e-2


def test_values_that_are_hardly_ever_finite_are_inconclusive(tmp_path: Path) -> None:
    nodes = [node("Log", ["x"], "l"), node("MatMul", ["l", "w"], "y")]
    static = make_static(read_graph(save(tmp_path, nodes)))
    run = SubgraphRun(static, ["x"], ["y"])
    rng = np.random.default_rng(0)
    negative = make_exchanges(-rng.uniform(1, 2, size=(64, 3)), rng)
    positive = make_exchanges(rng.uniform(1, 2, size=(64, 3)), rng)
    assert residuals(run, [negative]).tolist() == [np.inf]
    assert residuals(run, [negative, positive]).tolist() == [0.0]


def test_narrow_boundaries_come_before_wide_ones(tmp_path: Path) -> None:
    """The next layer's basis expansion is additive too, but is no layer boundary."""
    nodes = [
        *FIRST,
        node("Unsqueeze", ["h", "last"], "u"),
        node("Sub", ["u", "centers"], "d"),
        node("Mul", ["d", "d"], "dd"),
        node("Atan", ["dd"], "basis"),
        node("Reshape", ["basis", "flat"], "f"),
        node("MatMul", ["f", "c"], "y"),
    ]
    path = save(
        tmp_path,
        nodes,
        last=np.array([-1]),
        centers=np.linspace(-2, 2, 5, dtype=np.float32),
        flat=np.array([-1, 20]),
        c=RNG.normal(size=(20, 2)).astype(np.float32),
    )
    layers = find_layers(make_static(read_graph(path)), None)
    assert [(layer.sources, layer.target) for layer in layers] == [(("x",), "h"), (("h",), "y")]


# Subgraphs


def test_a_subgraph_computes_what_the_graph_does(tmp_path: Path) -> None:
    path = save(tmp_path, FIRST + LAST)
    static = make_static(read_graph(path))
    x = RNG.normal(size=(70, 3))
    hidden = SubgraphRun(static, ["x"], ["h"])(x)
    both = SubgraphRun(static, ["h", "x"], ["y", "h"])(np.concatenate([hidden, x], axis=1))
    assert np.allclose(both[:, :2], outputs(path, x), atol=1e-5)
    assert np.array_equal(both[:, 2:], hidden)
    part = extract_subgraph(static, ["h"], ["y"])
    assert [each.name for each in part.graph.input] == ["x"] and part.graph.node[-1].output == ["y"]


@pytest.mark.parametrize("names", [("y", "x"), ("part_x", "part_y"), ("part_input", "part_output")])
def test_names_of_a_graph_and_a_subgraph_do_not_clash(names: tuple[str, str]) -> None:
    first, second = names
    nodes = [
        helper.make_node("Atan", ["in"], [first]),
        helper.make_node("MatMul", [first, "w"], [second]),
        helper.make_node("Atan", [second], ["b"]),
        helper.make_node("MatMul", ["b", "v"], ["out"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("in", TensorProto.FLOAT, ["b", 3])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(W, "w"), numpy_helper.from_array(V, "v")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.onnx"
        path.write_bytes(model.SerializeToString())
        module = load_onnx(path)
    x = RNG.normal(size=(20, 3))
    expected = np.arctan(np.arctan(x) @ W) @ V
    assert np.allclose(Model.of(module).run(x), expected, atol=1e-5)


# The op


def _opaque(folder: Path) -> ModuleOp:
    return load_onnx(save(folder, FIRST + LAST))


def test_edges_sum_to_the_function(tmp_path: Path) -> None:
    module = _opaque(tmp_path)
    first = next(op for op in module.walk() if isinstance(op, OnnxOp))
    rest = to_floats(first.rest)
    x = RNG.normal(size=(7, 3))
    expected = (np.arctan(x) - np.arctan(rest))[:, np.newaxis, :] * W.T
    assert np.allclose(first.edges(x), expected, atol=1e-12)
    # A value that many samples share is evaluated once, with the same result.
    again = first.edges(np.repeat(x, 3, axis=0))
    assert np.array_equal(again, np.repeat(first.edges(x), 3, axis=0))


def test_the_op_reads_back_as_written(tmp_path: Path) -> None:
    module = _opaque(tmp_path)
    again = Parser(make_context(), str(module)).parse_module()
    again.verify()
    assert str(again) == str(module)
    x = RNG.normal(size=(7, 3))
    assert np.array_equal(Model.of(again).run(x), Model.of(module).run(x))


def test_opaque_layers_reach_the_hardware(tmp_path: Path) -> None:
    module = _opaque(tmp_path)
    real = Model.of(module.clone())
    x = RNG.normal(size=(300, 3))
    np.savez(tmp_path / "data.npz", x=x)
    context = make_context()
    for each in CompilePass(data=str(tmp_path / "data.npz"), bits=9).expand():
        each.apply(context, module)
    module.verify()
    circuit = Model.of(module)
    assert circuit.level == "hardware"
    error = np.abs(circuit.run(x) - real.run(x)).max()
    assert error < 0.03 * np.ptp(real.run(x))


def test_the_search_does_not_depend_on_chance(tmp_path: Path) -> None:
    path = save(tmp_path, FIRST + LAST)
    assert str(load_onnx(path)) == str(load_onnx(path))
    assert layer_boundaries.TRIALS >= 128
