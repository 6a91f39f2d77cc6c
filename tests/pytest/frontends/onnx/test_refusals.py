"""Refused ONNX files: one error that names file, node, reason and remedy."""

from __future__ import annotations

import random
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from kan_dialect.errors import KanError
from kan_dialect.frontends.onnx.compare import network_comparison
from kan_dialect.frontends.onnx.discover.layer_search import default_comparison_inputs
from kan_dialect.frontends.onnx.load import load_onnx
from kan_dialect.frontends.onnx.read.graph import Unrecognised, read_graph
from kan_dialect.frontends.onnx.recognise import layers
from kan_dialect.ops.spline import BSplineOp
from repository import TEST_DATA

Array = NDArray[Any]

FIXTURES = TEST_DATA / "onnx"
SPLINES = FIXTURES / "depth1_script17.onnx"
WEIGHTS = np.ones((3, 2), dtype=np.float32)


def value(name: str, shape: Any, kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def network(
    *nodes: onnx.NodeProto,
    tensors: dict[str, Any] | None = None,
    inputs: Any = None,
    outputs: Any = None,
    opset: int = 17,
    domains: tuple[str, ...] = (),
) -> onnx.ModelProto:
    """A model from `x` (batch, 3) to `y`; without nodes a dense layer."""
    graph = helper.make_graph(
        list(nodes) or [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        inputs or [value("x", ["batch", 3])],
        outputs or [value("y", None)],
        [
            numpy_helper.from_array(np.asarray(array), name)
            for name, array in ({"w": WEIGHTS} | (tensors or {})).items()
        ],
    )
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(each, 1) for each in domains)]
    model = helper.make_model(graph, opset_imports=imports)
    model.ir_version = 9
    return model


def node(op: str, *operands: str, output: str = "y", **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, list(operands), [output], name=f"the_{output}", **attributes)


def refusal(model: onnx.ModelProto | bytes, folder: Path, name: str = "net.onnx") -> str:
    """The error message of loading the model, checked to be one line that names the file."""
    path = folder / name
    path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(KanError) as caught:
            load_onnx(path)
    message = str(caught.value)
    assert message.startswith(f"{name}: ") and "\n" not in message
    return message


# Malformed files; `test_malformed_models.py` has more, with their memory and time


def external(**entries: str) -> onnx.ModelProto:
    model = network()
    (tensor,) = model.graph.initializer
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, text in entries.items():
        tensor.external_data.add(key=key, value=text)
    return model


def changed(change: Callable[[onnx.ModelProto], object], **options: Any) -> onnx.ModelProto:
    model = network(**options)
    change(model)
    return model


def with_subgraph() -> onnx.ModelProto:
    relu = helper.make_node("Relu", ["x"], ["r"])
    branch = helper.make_graph([relu], "b", [], [value("r", None)])
    choice = node("If", "flag", then_branch=branch, else_branch=branch)
    return network(choice, tensors={"flag": np.array(True)})


def scaled(op: str, first: str, second: str, scale: float) -> onnx.ModelProto:
    nodes = [node(op, first, second, output="v"), node("MatMul", "x", "v")]
    return network(*nodes, tensors={"scale": np.float32(scale)})


MALFORMED: dict[str, tuple[onnx.ModelProto | bytes, str]] = {
    "text": (b"# a text file, not a model\n", "not an ONNX file, or a truncated"),
    "zeros": (bytes(64), "not an ONNX file, or a truncated"),
    "opset 12": (network(opset=12), "operator set 12 is not supported, only 13 to 23"),
    "opset 24": (network(opset=24), "operator set 24 is not supported, only 13 to 23"),
    "no opset": (changed(lambda m: m.ClearField("opset_import")), "names no operator set"),
    "operands that do not broadcast": (
        network(
            node("MatMul", "x", "w", output="sums"),
            node("GreaterOrEqual", "sums", "limits", output="above"),
            node("Cast", "above", to=TensorProto.FLOAT),
            tensors={"limits": np.zeros((2, 3), dtype=np.float32)},
            opset=13,
        ),
        "'the_above' (GreaterOrEqual): its operands do not fit it",
    ),
    "data outside": (external(location="../secret.bin"), "'w': its external data cannot be read"),
    "data by a link": (external(location="link.bin"), "'w': its external data cannot be read"),
    "data nowhere": (external(), "'w': its external data cannot be read"),
    "data of another length": (
        external(location="short.bin", length="9999999999"),
        "'w' needs 24 bytes of external data, but its length is 9999999999",
    ),
    "data that ends": (external(location="short.bin"), "'w': its external data cannot be read"),
    "a tensor of another size": (
        changed(lambda m: m.graph.initializer[0].dims.__setitem__(0, 5)),
        "tensor 'w' of shape [5, 2] cannot be read",
    ),
    "a tensor of 0 elements and 2 ** 62 rows": (
        changed(lambda m: m.graph.initializer[0].dims.__setitem__(slice(None), [2**62, 0])),
        "too much",
    ),
    "a tensor of many axes": (
        changed(lambda m: m.graph.initializer[0].dims.extend([1] * 80)),
        "82 axes, more than 32",
    ),
    "weights of NaN": (
        network(tensors={"w": np.where(np.eye(3, 2) == 1, np.nan, WEIGHTS).astype(np.float32)}),
        "tensor 'w'[0, 0] is nan: parameters must be finite",
    ),
    "a scale of NaN": (scaled("Mul", "w", "scale", np.nan), "tensor 'scale'[] is nan"),
    "a division by 0": (scaled("Div", "w", "scale", 0.0), "not finite"),
    "bfloat16": (
        changed(lambda m: setattr(m.graph.initializer[0], "data_type", TensorProto.BFLOAT16)),
        "tensor 'w' holds BFLOAT16",
    ),
    "a value that nothing computes": (
        network(node("MatMul", "x", "missing")),
        "topologically sorted, however input 'missing' of node",
    ),
    "an output that nothing computes": (
        network(outputs=[value("z", None)]),
        "no node computes output 'z'",
    ),
    "nodes in no order": (
        network(node("MatMul", "a", "w"), node("Relu", "x", output="a")),
        "topologically sorted, however input 'a' of node",
    ),
    "a value that is computed twice": (
        network(node("Relu", "x"), node("Tanh", "x")),
        "single static assignment (SSA) form, however 'y'",
    ),
    "a constant output": (network(node("Relu", "w")), "does not depend on the input"),
    "two operands of Relu": (network(node("Relu", "x", "w")), "not valid ONNX"),
    "another domain": (
        network(helper.make_node("FusedGelu", ["x"], ["y"], domain="vendor"), domains=("vendor",)),
        "(FusedGelu): operators of the domain 'vendor' are not known",
    ),
    "a branch": (with_subgraph(), "node 'the_y' (If): control flow with subgraphs"),
    "an empty layer": (
        network(tensors={"w": np.zeros((3, 0), dtype=np.float32)}),
        "an extent is 0",
    ),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_files(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(WEIGHTS.tobytes())
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    (folder / "short.bin").write_bytes(bytes(10))
    model, words = MALFORMED[name]
    assert words in refusal(model, folder)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(KanError, match=r"none\.onnx: cannot be read: No such file"):
        load_onnx(tmp_path / "none.onnx")


def test_external_data_in_the_files_folder(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(bytes(8) + WEIGHTS.tobytes())
    path = tmp_path / "net.onnx"
    path.write_bytes(external(location="weights.bin", offset="8").SerializeToString())
    assert "kan.base" in str(load_onnx(path))


def test_comparisons_of_nothing_but_nan(tmp_path: Path) -> None:
    """No warning beside the refusal."""
    model = network(
        node("MatMul", "x", "w", output="sums"),
        node("Exp", "sums", output="positive"),
        node("Sub", "low", "positive", output="negative"),
        node("Log", "negative", output="nan"),
        node("Greater", "nan", "limit", output="above"),
        node("Cast", "above", to=TensorProto.FLOAT, output="gate"),
        node("Split", "sums", axis=1, output="first"),
        node("Mul", "first", "second", output="product"),
        node("Add", "product", "gate"),
        tensors={"limit": np.float32(0), "low": np.float32(-1)},
    )
    model.graph.node[-3].output.append("second")
    path = tmp_path / "net.onnx"
    path.write_bytes(model.SerializeToString())
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        with pytest.raises(KanError, match="this is no KAN layer"):
            load_onnx(path)
    assert found == []


def test_sums_of_sums_do_not_explode(tmp_path: Path) -> None:
    """Each value is the difference of the two before it: 200 values have 2 ** 139 paths."""
    steps = [node("Sub", f"v{i + 1}", f"v{i}", output=f"v{i + 2}") for i in range(200)]
    model = network(
        node("Relu", "x", output="v0"),
        node("Tanh", "x", output="v1"),
        *steps,
        node("MatMul", "v201", "w"),
    )
    path = tmp_path / "net.onnx"
    path.write_bytes(model.SerializeToString())
    # They repeat after 6: v201 = v3 = -v0.
    text = str(load_onnx(path))
    assert '"relu"' in text and '"tanh"' not in text


@pytest.mark.parametrize(
    ("inputs", "outputs", "words"),
    [
        ([value("x", ["b", 3]), value("z", ["b"])], None, "input 'z' of shape (?) has no batch"),
        ([value("x", ["b", 3]), value("z", [2])], None, "input 'z' of shape (2) has no batch"),
        (
            [value("x", ["b", 3]), value("z", ["b", 2, 2])],
            None,
            "input 'z' of shape (?, 2, 2) is one of several, each of which must have the shape",
        ),
        (
            [value("x", ["b", 3]), value("z", [4, 2])],
            None,
            "input 'z' of shape (4, 2) has another batch than input 'x' of shape (?, 3)",
        ),
        ([value("x", ["b", 3]), value("z", ["b", 1], TensorProto.INT64)], None, "input 'z' holds"),
        ([value("x", ["b", 3]), value("z", ["b", 10**6])], None, "'x+z' has 1000003 features"),
        ([value("w", [3, 2])], None, "the model has no input"),
        (None, [value("y", None), value("w", None)], "the model has 2: 'y', 'w'"),
        ([value("x", ["b", 3], TensorProto.INT64)], None, "input 'x' holds INT64"),
        ([value("x", ["b", 3], TensorProto.BFLOAT16)], None, "input 'x' holds BFLOAT16"),
        ([value("x", ["b", "n"])], None, "leaves the number of features open"),
        ([value("x", ["b", 0])], None, "extent that is not positive"),
        ([value("x", [0, 3])], None, "extent that is not positive"),
        ([value("x", ["n"])], None, "has no batch dimension"),
        ([value("x", [0])], None, "has no batch dimension"),
        ([value("x", [])], None, "has no batch dimension"),
        ([value("x", None)], None, "input 'x' has no shape"),
        ([value("x", ["b", 10**9])], None, "more than 65536"),
        ([value("x", [10**9, 3])], None, "a batch of 1000000000 samples"),
    ],
)  # fmt: skip
def test_inputs_and_outputs(inputs: Any, outputs: Any, words: str, tmp_path: Path) -> None:
    assert words in refusal(network(inputs=inputs, outputs=outputs), tmp_path)


# Networks that are no KAN


@pytest.mark.parametrize(
    ("op", "operands", "attributes", "reason", "remedy"),
    [
        ("Softmax", ["h"], {}, "each output depends on all others", "the classes stay the same"),
        ("LogSoftmax", ["h"], {}, "each output depends on all others", "the classes stay the same"),
        ("ArgMax", ["h"], {"axis": 1}, "an index instead", "the classes stay the same"),
        ("LayerNormalization", ["h", "ones"], {}, "mixes the inputs", "without it"),
        ("LpNormalization", ["h"], {}, "mixes the inputs", "without it"),
        ("ReduceMax", ["h"], {"axes": [1]}, "mixes values by their maximum", "of one input each"),
        ("RandomNormalLike", ["h"], {}, "its result is random", "evaluation mode"),
        ("DynamicQuantizeLinear", ["h"], {}, "quantised already", "float32"),
        ("MatMul", ["h", "x"], {}, "other than by adding", "only add"),
        ("Mul", ["h", "x"], {}, "other than by adding", "only add"),
        ("Max", ["h", "x"], {}, "other than by adding", "only add"),
        ("ReduceSum", ["h", "axis"], {}, "adds up the samples of a batch", ""),
        ("Gather", ["h", "axis"], {}, "between the samples of a batch", "batch stays"),
        ("Reshape", ["h", "axis"], {}, "cannot reshape [batch, 3] to [0]", "any batch size"),
    ],
)  # fmt: skip
def test_operators_that_have_no_place_in_a_kan(
    op: str,
    operands: list[str],
    attributes: dict[str, Any],
    reason: str,
    remedy: str,
    tmp_path: Path,
) -> None:
    model = network(
        node("MatMul", "x", "square", output="h"),
        helper.make_node(op, operands, ["y"], name="the_op", **attributes),
        tensors={
            "square": np.eye(3, dtype=np.float32) + 1,
            "ones": np.ones(3, dtype=np.float32),
            "axis": np.array([0]),
        },
    )
    if op == "DynamicQuantizeLinear":
        model.graph.node[-1].output[:] = ["y", "scale", "zero"]
    message = refusal(model, tmp_path)
    assert f"node 'the_op' ({op}): " in message
    assert reason in message and remedy in message


def test_softmax_within_the_network(tmp_path: Path) -> None:
    model = network(
        node("Softmax", "x", output="h"),
        node("MatMul", "h", "uneven"),
        tensors={"uneven": np.array([[1.0], [2.0], [4.0]], dtype=np.float32)},
    )
    message = refusal(model, tmp_path)
    assert "classes" not in message and "edges are functions of one input each" in message


def test_layer_norm_from_its_parts(tmp_path: Path) -> None:
    model = network(
        node("ReduceMean", "x", output="mean", axes=[1]),
        node("Sub", "x", "mean", output="centered"),
        node("Mul", "centered", "centered", output="squares"),
        node("ReduceMean", "squares", output="variance", axes=[1]),
        node("Sqrt", "variance", output="deviation"),
        node("Div", "centered", "deviation", output="normal"),
        node("MatMul", "normal", "w"),
    )
    message = refusal(model, tmp_path)
    assert "node 'the_normal' (Div)" in message and "as a layer normalisation does" in message


def test_batch_norm_in_training_mode(tmp_path: Path) -> None:
    model = network(
        helper.make_node(
            "BatchNormalization", ["x", *["ones"] * 4], ["y", "m", "v"], training_mode=1
        ),
        tensors={"ones": np.ones(3, dtype=np.float32)},
    )
    message = refusal(model, tmp_path)
    assert "training mode" in message and "model.eval()" in message


def test_the_shared_layer_norm_model(shared_data: Path) -> None:
    with pytest.raises(Unrecognised, match="mixes the inputs of a layer") as caught:
        load_onnx(shared_data / "onnx" / "fastkan_layernorm_wine.onnx")
    assert caught.value.node.op_type == "LayerNormalization"


def test_values_that_differ_from_sample_to_sample(tmp_path: Path) -> None:
    model = network(
        node("Add", "x", "table"),
        inputs=[value("x", [4, 3])],
        tensors={"table": np.arange(12, dtype=np.float32).reshape(4, 3)},
    )
    assert "differs from sample to sample" in refusal(model, tmp_path)


# The comparison with the file


def test_wrong_imports_are_refused() -> None:
    """A changed coefficient is found."""
    graph = read_graph(FIXTURES / "plain_script17.onnx")
    network = layers.recognise_layers(graph)
    network_comparison.check_network(graph, network, default_comparison_inputs(graph))
    first = next(op for op in network.function.body.block.ops if isinstance(op, BSplineOp))
    changed = BSplineOp(
        first.input,
        first.degree.value.data,
        first.knots,
        np.frombuffer(first.coefficients.data.data, dtype=np.float32)
        .reshape(first.coefficients.get_shape())
        .astype(np.float64)
        * 1.01,
    )
    first.properties["coefficients"] = changed.coefficients
    with pytest.raises(KanError, match=r"the imported network gives .* and ONNX Runtime"):
        network_comparison.check_network(graph, network, default_comparison_inputs(graph))


# Damage


def damaged(data: bytes, seed: int) -> bytes:
    """A few bytes changed, removed or inserted."""
    rng = random.Random(seed)
    result = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        place = rng.randrange(len(result))
        match rng.randrange(4):
            case 0:
                result[place] ^= 1 << rng.randrange(8)
            case 1:
                result[place] = rng.choice((0, 1, 2, 7, 127, 128, 255))
            case 2:
                del result[place : place + rng.randrange(1, 4)]
            case _:
                result.insert(place, rng.randrange(256))
    return bytes(result)


def load_or_refuse(data: bytes, folder: Path) -> str:
    path = folder / "damaged.onnx"
    path.write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            load_onnx(path)
        except KanError as error:
            return str(error)
    return ""


def test_truncated_anywhere(tmp_path: Path) -> None:
    data = SPLINES.read_bytes()
    messages = [load_or_refuse(data[:end], tmp_path) for end in range(0, len(data), 37)]
    assert all(messages)


@pytest.mark.ci
@pytest.mark.parametrize("name", ["depth1_script17", "batch_norm_dynamo18"])
def test_damaged_anywhere(name: str, tmp_path: Path) -> None:
    data = (FIXTURES / f"{name}.onnx").read_bytes()
    messages = [load_or_refuse(damaged(data, seed), tmp_path) for seed in range(400)]
    assert any(messages) and not all(messages)
    assert not any(re.search(r"Traceback|\n", message) for message in messages)


@pytest.mark.ci
def test_operators_and_operands_at_random(tmp_path: Path) -> None:
    """Graphs with exchanged parts: valid files without meaning."""
    rng = random.Random(0)
    model = onnx.load(SPLINES)
    operators = sorted({each.op_type for each in model.graph.node} | {"Einsum", "Gemm", "Where"})
    changes: list[Callable[[onnx.GraphProto], None]] = [
        lambda graph: _set_operand(graph, rng),
        lambda graph: setattr(rng.choice(graph.node), "op_type", rng.choice(operators)),
        lambda graph: _set_attribute(graph, rng),
        lambda graph: graph.node.remove(rng.choice(graph.node)),
    ]
    for _ in range(400):
        changed = onnx.ModelProto()
        changed.CopyFrom(model)
        for _ in range(rng.choice((1, 2, 3))):
            rng.choice(changes)(changed.graph)
        load_or_refuse(changed.SerializeToString(), tmp_path)


def _set_operand(graph: onnx.GraphProto, rng: random.Random) -> None:
    names = [name for each in graph.node for name in each.output] + ["x"]
    names += [each.name for each in graph.initializer]
    target = rng.choice([each for each in graph.node if each.input])
    target.input[rng.randrange(len(target.input))] = rng.choice(names)


def _set_attribute(graph: onnx.GraphProto, rng: random.Random) -> None:
    numbers = [
        each for node in graph.node for each in node.attribute if each.name in ("axis", "to")
    ]
    tensors = [
        each
        for node in graph.node
        for each in node.attribute
        if each.t.data_type == TensorProto.INT64
    ]
    choices = (0, 1, -1, 3, 7, 10**6, 2**40, -(2**63))
    if numbers and rng.random() < 0.5:
        rng.choice(numbers).i = rng.choice(choices)
    elif tensors:
        attribute = rng.choice(tensors)
        array = numpy_helper.to_array(attribute.t).copy()
        if array.size:
            array.reshape(-1)[rng.randrange(array.size)] = rng.choice(choices)
        attribute.t.CopyFrom(numpy_helper.from_array(array))
