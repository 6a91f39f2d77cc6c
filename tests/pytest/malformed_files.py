"""Model files that are wrong in one way each; every one must end in a message, soon.

A maker writes a case into an empty folder and returns the file to be read. `CASES` has them by
name, with what the message must say.
"""

from __future__ import annotations

import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from fuzz import torch_archive
from fuzz.torch_archive import Call, Raw, tensor, typed_tensor
from repository import TEST_DATA

Array = NDArray[Any]

MARKER = "something_ran"
"""The file that foreign code would leave behind."""

FIXTURE = TEST_DATA / "onnx" / "depth1_script17.onnx"


@dataclass(frozen=True)
class Case:
    """A file that must be refused.

    Attributes
    ----------
    make : writes it into a folder, and returns its path.
    words : regular expression of what the message must say.
    options : of kan-opt.
    """

    make: Callable[[Path], Path]
    words: str
    options: tuple[str, ...] = ()


CASES: dict[str, Case] = {}


def case(words: str, name: str = "", options: tuple[str, ...] = ()) -> Callable[..., Any]:
    """Add a maker to the cases, under its own name unless told otherwise."""

    def add(make: Callable[[Path], Path]) -> Callable[[Path], Path]:
        CASES[name or make.__name__] = Case(make, words, options)
        return make

    return add


# ONNX: graphs

W = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
V = np.random.default_rng(1).normal(size=(4, 2)).astype(np.float32)


def node(op: str, operands: Sequence[str], output: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, list(operands), [output], name=f"the_{output}", **attributes)


def integers(*values: int) -> Array:
    return np.array(values, dtype=np.int64)


def model_of(
    nodes: Sequence[onnx.NodeProto],
    shape: Sequence[object] = ("b", 3),
    opset: int = 17,
    output: int = TensorProto.FLOAT,
    **tensors: Any,
) -> onnx.ModelProto:
    """A model from `x` to `y`; `w` (3, 4) and `v` (4, 2) are there."""
    held = {"w": W, "v": V} | tensors
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, list(shape))],  # pyright: ignore[reportArgumentType]
        [helper.make_tensor_value_info("y", output, None)],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in held.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 9
    return model


def save(folder: Path, model: onnx.ModelProto | bytes, name: str = "net.onnx") -> Path:
    path = folder / name
    path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
    return path


# atan is no function of the dialect: what follows goes through the search for layers.
HIDDEN = [node("Atan", ["x"], "a"), node("MatMul", ["a", "w"], "h")]
END = [node("Atan", ["h"], "e"), node("MatMul", ["e", "v"], "y")]


def graph_case(
    name: str,
    nodes: Sequence[onnx.NodeProto],
    words: str = "",
    shape: Sequence[object] = ("b", 3),
    **tensors: Any,
) -> None:
    """A graph, twice: as it is, and behind a layer that is not known by its form."""

    def make(folder: Path) -> Path:
        return save(folder, model_of(nodes, shape, **tensors))

    CASES[f"onnx {name}"] = Case(make, words)
    if list(shape) != ["b", 3]:
        return
    opaque = [*HIDDEN[:1], *(_reading(each, "x", "a") for each in nodes)]

    def make_opaque(folder: Path) -> Path:
        return save(folder, model_of(opaque, shape, **tensors))

    CASES[f"onnx {name}, opaque"] = Case(make_opaque, words)


def _reading(proto: onnx.NodeProto, old: str, new: str) -> onnx.NodeProto:
    changed = onnx.NodeProto()
    changed.CopyFrom(proto)
    for index, name in enumerate(changed.input):
        if name == old:
            changed.input[index] = new
    return changed


# ONNX: memory. Every place where a few bytes can ask for much.

HUGE = 10**5
_ONES = np.ones(1, dtype=np.float32)


_COLUMN, _ROW = np.ones((HUGE, 1), np.float32), np.ones((1, HUGE), np.float32)

_CONSTANTS: dict[str, tuple[str, list[str], dict[str, Any], dict[str, Any]]] = {
    "ConstantOfShape": ("ConstantOfShape", ["to"], {}, {"to": integers(HUGE, HUGE, 1, 3)}),
    "Tile of a constant": ("Tile", ["w", "to"], {}, {"to": integers(HUGE, HUGE)}),
    "Range": (
        "Range",
        ["p", "q", "r"],
        {},
        {"p": np.float32(0), "q": np.float32(1e30), "r": np.float32(1e-30)},
    ),
    "OneHot of a constant": (
        "OneHot",
        ["i", "d", "u"],
        {},
        {"i": integers(*[0] * 100), "d": integers(10**9), "u": np.float32([0, 1])},
    ),
    "MatMul of constants": ("MatMul", ["c", "r"], {}, {"c": _COLUMN, "r": _ROW}),
    "Einsum of many constants": (
        "Einsum",
        ["c"] * 8,
        {"equation": "a,b,c,d,e,f,g,h->abcdefgh"},
        {"c": np.ones((100,), np.float32)},
    ),
    "broadcast of constants": ("Add", ["c", "r"], {}, {"c": _COLUMN, "r": _ROW}),
    "Resize of a constant": (
        "Resize",
        ["c", "", "f"],
        {},
        {"c": np.ones((1, 1, 4, 4), np.float32), "f": np.float32([1, 1, 1e5, 1e5])},
    ),
    "Concat of constants": (
        "Concat",
        ["c"] * 2000,
        {"axis": 0},
        {"c": np.ones((10**5,), np.float32)},
    ),
    "RandomNormal": ("RandomNormal", [], {"shape": [HUGE, HUGE]}, {}),
    "HannWindow": ("HannWindow", ["z"], {}, {"z": np.array(10**12)}),
}
"""Huge constants that the network adds: operator, operands, attributes, tensors."""

for _name, (_op, _operands, _attributes, _tensors) in _CONSTANTS.items():
    _nodes = [node(_op, _operands, "big", **_attributes), node("Add", ["x", "big"], "y")]
    graph_case(f"huge {_name}", _nodes, **_tensors)

_RESULTS: dict[str, tuple[str, list[str], dict[str, Any], dict[str, Any]]] = {
    "Expand": ("Expand", ["x", "to"], {}, {"to": integers(HUGE, HUGE, 1, 3)}),
    "Pad of the batch": ("Pad", ["x", "to"], {}, {"to": integers(10**10, 0, 0, 0)}),
    "outer product": ("MatMul", ["x", "r"], {}, {"r": np.ones((3, 10**6), np.float32)}),
    "Einsum": (
        "Einsum",
        ["x", "c", "c"],
        {"equation": "bi,j,k->bijk"},
        {"c": np.ones((HUGE,), np.float32)},
    ),
    "Resize": (
        "Resize",
        ["x", "", "f"],
        {"mode": "nearest"},
        {"f": np.float32([1, 1e9])},
    ),
}
"""Huge outputs that are made of the input."""

for _name, (_op, _operands, _attributes, _tensors) in _RESULTS.items():
    graph_case(f"huge {_name}", [node(_op, _operands, "y", **_attributes)], **_tensors)

graph_case(
    "huge broadcast",
    [node("Reshape", ["x", "to"], "c"), node("Mul", ["c", "r"], "y")],
    to=integers(-1, 3, 1),
    r=np.ones((1, 1, 10**7), np.float32),
)
graph_case(
    "huge OneHot of the input",
    [node("Cast", ["x"], "k", to=TensorProto.INT64), node("OneHot", ["k", "d", "u"], "y")],
    d=integers(10**9),
    u=np.array([0, 1], np.float32),
)
graph_case(
    "huge Conv pads",
    [
        node("Reshape", ["x", "to"], "c"),
        node("Conv", ["c", "k"], "d", pads=[10**6, 10**6, 10**6, 10**6]),
        node("Flatten", ["d"], "y"),
    ],
    to=integers(-1, 1, 1, 3),
    k=np.ones((1, 1, 1, 1), np.float32),
)
graph_case(
    "huge ConvTranspose strides",
    [
        node("Reshape", ["x", "to"], "c"),
        node("ConvTranspose", ["c", "k"], "d", strides=[10**6, 10**6]),
        node("Flatten", ["d"], "y"),
    ],
    to=integers(-1, 1, 1, 3),
    k=np.ones((1, 1, 2, 2), np.float32),
)
graph_case(
    "huge product of the input with itself",
    [
        node("Tile", ["x", "n"], "t"),
        node("Reshape", ["t", "column"], "c"),
        node("Reshape", ["t", "row"], "r"),
        node("MatMul", ["c", "r"], "o"),
        node("ReduceSum", ["o", "axes"], "y", keepdims=0),
    ],
    n=integers(1, 10**4),
    column=integers(-1, 3 * 10**4, 1),
    row=integers(-1, 1, 3 * 10**4),
    axes=integers(1),
)
graph_case(
    "doubling Concats",
    [
        *(
            node("Concat", [f"d{i}", f"d{i}"], f"d{i + 1}", axis=1)
            if i
            else node("Concat", ["x", "x"], "d1", axis=1)
            for i in range(40)
        ),
        node("ReduceSum", ["d40", "axes"], "y", keepdims=1),
    ],
    axes=integers(1),
)
graph_case(
    "doubling Concats of constants",
    [
        *(node("Concat", [f"d{i}", f"d{i}"], f"d{i + 1}", axis=0) for i in range(60)),
        node("Add", ["x", "d60"], "y"),
    ],
    d0=_ONES,
)
graph_case(
    "wide and deep",
    [
        *(node("Atan", [f"m{i}" if i else "x"], f"m{i + 1}") for i in range(3000)),
        node("Tile", ["m3000", "n"], "t"),
        node("Mul", ["t", "t"], "q"),
        node("ReduceMax", ["q"], "y", axes=[1]),
    ],
    n=integers(1, 10**5),
)
graph_case(
    "many wide values",
    [
        node("Tile", ["x", "n"], "t0"),
        *(node("Sin", [f"t{i}"], f"t{i + 1}") for i in range(400)),
        node("ReduceMax", ["t400"], "y", axes=[1]),
    ],
    n=integers(1, 10**5),
)


@case("features", "onnx huge input")
def _huge_input(folder: Path) -> Path:
    nodes = [node("Atan", ["x"], "a"), node("Sin", ["a"], "y")]
    return save(folder, model_of(nodes, ("b", 10**9)))


@case("batch|too much|elements", "onnx huge batch")
def _huge_batch(folder: Path) -> Path:
    return save(folder, model_of([*HIDDEN, *END], (10**9, 3)))


@case("too much", "onnx huge tensor")
def _huge_tensor(folder: Path) -> Path:
    model = model_of([*HIDDEN, *END])
    model.graph.initializer[0].dims[:] = [2**40, 2**20]
    return save(folder, model)


# ONNX: time. Chains, fans, and searches that must not blow up.

DEEP = 20_000


def _chain(op: str, count: int, first: str = "x", last: str = "y") -> list[onnx.NodeProto]:
    names = [first, *(f"c{i}" for i in range(count - 1)), last]
    return [node(op, [a], b) for a, b in pairwise(names)]


@case("ReduceMax", "onnx deep chain")
def _deep_chain(folder: Path) -> Path:
    nodes = [*_chain("Sin", DEEP - 1, last="z"), node("ReduceMax", ["z"], "y", axes=[1])]
    return save(folder, model_of(nodes))


@case("", "onnx deep chain of unknown functions and a product")
def _deep_opaque(folder: Path) -> Path:
    nodes = [*HIDDEN, *_chain("Atan", DEEP - 5, "h", "z"), node("Mul", ["z", "h"], "m")]
    return save(folder, model_of([*nodes, node("ReduceMax", ["m"], "y", axes=[1])]))


@case("more than 20000", "onnx too many nodes")
def _too_many_nodes(folder: Path) -> Path:
    return save(folder, model_of(_chain("Sin", DEEP + 1)))


@case("", "onnx many layers, then a softmax")
def _many_layers(folder: Path) -> Path:
    nodes: list[onnx.NodeProto] = []
    value = "x"
    for index in range(1000):
        nodes += [
            node("Atan", [value], f"a{index}"),
            node("MatMul", [f"a{index}", "square"], f"h{index}"),
        ]
        value = f"h{index}"
    square = np.random.default_rng(2).normal(size=(3, 3)).astype(np.float32)
    return save(
        folder, model_of([*nodes, node("ReduceMax", [value], "y", axes=[1])], square=square)
    )


@case("", "onnx many values that live at once")
def _many_live_values(folder: Path) -> Path:
    count = 5000
    nodes = [node("Atan", ["x"], "a")]
    nodes += [node("Sin", ["a"], f"s{i}") for i in range(count)]
    nodes += [node("Mul", ["s0", "s1"], "p1")]
    nodes += [node("Mul", [f"p{i}", f"s{i + 1}"], f"p{i + 1}") for i in range(1, count - 1)]
    return save(folder, model_of([*nodes, node("ReduceMax", [f"p{count - 1}"], "y", axes=[1])]))


@case("", "onnx many skip connections")
def _many_skips(folder: Path) -> Path:
    """Each value is added to all before it."""
    nodes = [node("Atan", ["x"], "v0")]
    for index in range(60):
        nodes += [
            node("Sum", [f"v{i}" for i in range(index + 1)], f"t{index}"),
            node("Atan", [f"t{index}"], f"f{index}"),
            node("MatMul", [f"f{index}", "square"], f"v{index + 1}"),
        ]
    square = np.random.default_rng(2).normal(size=(3, 3)).astype(np.float32) / 4
    return save(
        folder, model_of([*nodes, node("ReduceMax", ["v60"], "y", axes=[1])], square=square)
    )


@case("", "onnx products of products")
def _squares(folder: Path) -> Path:
    nodes = [*HIDDEN, node("Mul", ["h", "h"], "q0")]
    nodes += [node("Mul", [f"q{i}", f"q{i}"], f"q{i + 1}") for i in range(800)]
    return save(folder, model_of([*nodes, node("ReduceMax", ["q800"], "y", axes=[1])]))


@case("", "onnx polynomial of sums")
def _polynomial(folder: Path) -> Path:
    """Nodes that are read many times, each time as a product with what was before."""
    nodes = [*HIDDEN]
    value = "h"
    for index in range(300):
        nodes += [
            node("MatMul", [value, "mix"], f"m{index}"),
            node("Mul", [f"m{index}", "h"], f"q{index}"),
        ]
        value = f"q{index}"
    mix = np.random.default_rng(3).normal(size=(4, 4)).astype(np.float32)
    return save(folder, model_of([*nodes, node("ReduceMax", [value], "y", axes=[1])], mix=mix))


@case("", "onnx Einsum of many operands")
def _einsum(folder: Path) -> Path:
    letters = "acdefghijklmnopqrstu"
    equation = "bz," + ",".join(letters) + "->b"
    nodes = [
        node("Atan", ["x"], "a"),
        node("Einsum", ["a", *["c"] * len(letters)], "s", equation=equation),
        node("Reshape", ["s", "to"], "r"),
        node("Mul", ["r", "a"], "y"),
    ]
    tensors: dict[str, Any] = {"c": np.ones((9,), np.float32), "to": integers(-1, 1)}
    return save(folder, model_of(nodes, **tensors))


@case("", "onnx Einsum of huge contraction, opaque")
def _einsum_time(folder: Path) -> Path:
    """Ten to the twelve multiplications, in a result of a few numbers."""
    nodes = [
        node("Atan", ["x"], "a"),
        node("Einsum", ["a", "c", "d", "e"], "y", equation="bi,ij,jk,kl->bl"),
    ]
    n = 3000
    tensors: dict[str, Any] = {
        "c": np.ones((3, n), np.float32),
        "d": np.ones((n, n), np.float32),
        "e": np.ones((n, 2), np.float32),
    }
    nodes += [node("ReduceMax", ["y"], "z", axes=[1])]
    model = model_of(nodes, **tensors)
    model.graph.output[0].name = "z"
    return save(folder, model)


@case("", "onnx many wide matrix products")
def _matmul_time(folder: Path) -> Path:
    n = 2000
    square = np.random.default_rng(4).normal(size=(n, n)).astype(np.float32) / n
    nodes = [node("Atan", ["x"], "a"), node("MatMul", ["a", "in"], "m0")]
    for index in range(400):
        nodes += [
            node("Atan", [f"m{index}"], f"f{index}"),
            node("MatMul", [f"f{index}", "square"], f"m{index + 1}"),
        ]
    tensors: dict[str, Any] = {"square": square, "in": np.ones((3, n), np.float32)}
    return save(folder, model_of([*nodes, node("ReduceMax", ["m400"], "y", axes=[1])], **tensors))


@case("", "onnx Conv that takes long, opaque")
def _conv_time(folder: Path) -> Path:
    """A kernel as large as its padded operand."""
    nodes = [
        node("Atan", ["x"], "a"),
        node("Reshape", ["a", "to"], "c"),
        node("Conv", ["c", "k"], "d", pads=[600, 600, 600, 600]),
        node("Flatten", ["d"], "f"),
        node("ReduceMax", ["f"], "y", axes=[1]),
    ]
    kernel = np.ones((1, 1, 601, 601), np.float32)
    return save(folder, model_of(nodes, to=integers(-1, 1, 1, 3), k=kernel))


@case("", "onnx sums over huge axes, opaque")
def _reduce_time(folder: Path) -> Path:
    nodes = [
        node("Atan", ["x"], "a"),
        node("Tile", ["a", "n"], "t"),
        *(node("CumSum", ["t" if i == 0 else f"u{i}", "one"], f"u{i + 1}") for i in range(200)),
        node("ReduceProd", ["u200"], "p", axes=[1], keepdims=1),
        node("ReduceMax", ["p"], "y", axes=[1]),
    ]
    return save(folder, model_of(nodes, n=integers(1, 20_000), one=np.array(1)))


@case("control flow", "onnx endless loop")
def _loop(folder: Path) -> Path:
    body = helper.make_graph(
        [node("Identity", ["cond"], "again"), node("Sin", ["v"], "next")],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("cond", TensorProto.BOOL, []),
            helper.make_tensor_value_info("v", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("again", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, None),
        ],
    )
    nodes = [node("Loop", ["count", "true", "x"], "y", body=body)]
    return save(folder, model_of(nodes, count=np.array(2**62), true=np.array(True)))


for _last in ("f0", "Relu"):

    @case("nested too deeply|call themselves", f"onnx functions that end in {_last}")
    def _functions(folder: Path, last: str = _last) -> Path:
        """40 functions, each of which calls the next twice."""
        model = model_of([helper.make_node("f0", ["x"], ["y"], domain="my")])
        imports = [helper.make_opsetid("", 17), helper.make_opsetid("my", 1)]
        model.opset_import.append(imports[1])
        for index in range(40):
            callee = f"f{index + 1}" if index < 39 else last
            domain = "" if callee == "Relu" else "my"
            calls = [helper.make_node(callee, [a], [b], domain=domain) for a, b in pairwise("pqr")]
            model.functions.append(
                helper.make_function("my", f"f{index}", ["p"], ["r"], calls, imports)
            )
        return save(folder, model)


@case("topologically sorted", "onnx cycle")
def _cycle(folder: Path) -> Path:
    return save(
        folder,
        model_of([node("Add", ["x", "b"], "a"), node("Sin", ["a"], "b"), node("Sin", ["b"], "y")]),
    )


@case("topologically sorted", "onnx long cycle")
def _long_cycle(folder: Path) -> Path:
    nodes = [
        node("Add", ["x", "z"], "s"),
        *_chain("Sin", 15_000, "s", "z"),
        node("Sin", ["z"], "y"),
    ]
    return save(folder, model_of(nodes))


for _opset in (1, 2**40):

    @case("operator set", f"onnx operator set {_opset}")
    def _opset_case(folder: Path, opset: int = _opset) -> Path:
        return save(folder, model_of([*HIDDEN, *END], opset=opset))


# ONNX: the file

for _share in (0, 1, 10, 50, 90, 99):

    @case("empty|truncated|no ONNX graph|operator set", f"onnx cut off at {_share} %")
    def _truncated(folder: Path, share: int = _share) -> Path:
        data = FIXTURE.read_bytes()
        return save(folder, data[: len(data) * share // 100])


@case("truncated|no ONNX graph", "onnx of random bytes")
def _noise(folder: Path) -> Path:
    return save(folder, np.random.default_rng(5).bytes(100_000))


@case("truncated|no ONNX graph|nested", "onnx nested too deeply")
def _nested(folder: Path) -> Path:
    """A message within a message, a hundred thousand times."""
    data = b""
    for _ in range(2000):
        data = b"\x2a" + _varint(len(data)) + data
    return save(folder, b"\x08\x09\x3a" + _varint(len(data)) + data)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


@case("is a folder|cannot be read", "onnx folder")
def _folder(folder: Path) -> Path:
    (folder / "net.onnx").mkdir()
    return folder / "net.onnx"


def _external(folder: Path, **entries: str) -> Path:
    model = model_of([*HIDDEN, *END])
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, text in entries.items():
        tensor.external_data.add(key=key, value=text)
    models = folder / "models"
    models.mkdir()
    (folder / "secret.bin").write_bytes(W.tobytes())
    (models / "link.bin").symlink_to(folder / "secret.bin")
    (models / "linked").symlink_to(folder)
    (models / "short.bin").write_bytes(bytes(10))
    os.mkfifo(models / "pipe.bin")
    return save(models, model)


_EXTERNAL: dict[str, tuple[str, dict[str, str]]] = {
    **{
        f"at {location[:20]!r}": (
            "outside the model's folder|cannot be read",
            {"location": location},
        )
        for location in ("linked/secret.bin", "a\0b", "./../secret.bin", "x" * 5000)
    },
    "in a pipe": ("cannot be read", {"location": "pipe.bin"}),
    "at a huge offset": (
        "its length is 1000000",
        {"location": "short.bin", "offset": str(10**30), "length": str(10**30)},
    ),
    "beyond what a file can have": ("", {"location": "short.bin", "offset": str(2**63)}),
}
"""Data in other files than they should be in; `test_refusals.py` has more."""

for _name, (_words, _entries) in _EXTERNAL.items():

    @case(_words, f"onnx data {_name}")
    def _external_case(folder: Path, entries: dict[str, str] = _entries) -> Path:
        return _external(folder, **entries)


@case("too much", "onnx sparse file of data")
def _external_sparse(folder: Path) -> Path:
    path = _external(folder, location="sparse.bin")
    with (path.parent / "sparse.bin").open("wb") as stream:
        stream.truncate(1 << 40)
    model = onnx.ModelProto.FromString(path.read_bytes())
    model.graph.initializer[0].dims[:] = [1 << 19, 1 << 19]
    return save(path.parent, model)


# PyTorch: checkpoints of KANELÉ

CONFIG: dict[str, Any] = {
    "layers": [3, 2],
    "layers_bitwidth": [4, 5],
    "grid_size": 4,
    "spline_order": 2,
    "grid_range": [-2, 2],
    "base_activation": "nn.SiLU",
}
_SCALE = "brevitas_module.act_quant.tensor_quant.scaling_impl.value"


def ones(*shape: int) -> Array:
    return np.ones(shape, np.float32)


def state_dict() -> dict[str, Any]:
    """The parameters of the network of `CONFIG`."""
    return {
        f"input_layer.{_SCALE}": np.array(1.5, np.float32),
        "layers.0.base_weight": ones(2, 3),
        "layers.0.spline_weight": ones(2, 3, 6),
        "layers.0.grid": np.tile(np.arange(9, dtype=np.float32), (3, 1)),
        f"layers.0.output_quantizer.{_SCALE}": np.array(2.5, np.float32),
    }


def checkpoint(folder: Path, content: object, config: dict[str, Any] | None = None) -> Path:
    (folder / "config.json").write_text(json.dumps(CONFIG if config is None else config))
    torch_archive.save(content, folder / "net.pt")
    return folder / "net.pt"


def foreign(folder: Path) -> Call:
    """A call that leaves a file behind."""
    return Call("posix", "system", (f"touch '{folder / MARKER}'",))


class Foreign:
    """Pickles as that call."""

    def __init__(self, folder: Path) -> None:
        self.command = f"touch '{folder / MARKER}'"

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, (self.command,))


@case("Python object", "pt with a foreign object")
def _foreign(folder: Path) -> Path:
    return checkpoint(folder, {"model_state_dict": state_dict(), "more": foreign(folder)})


@case("Python object", "pt with foreign source")
def _foreign_source(folder: Path) -> Path:
    source = f"open({str(folder / MARKER)!r}, 'w').close()"
    return checkpoint(folder, Call("__builtin__", "exec", (source,)))


@case("nothing in it is executed", "pt that is a plain pickle")
def _foreign_pickle(folder: Path) -> Path:
    path = checkpoint(folder, {})
    path.write_bytes(pickle.dumps(Foreign(folder), protocol=2))
    return path


@case("nothing in it is executed", "pt that is a plain pickle of the latest protocol")
def _foreign_pickle5(folder: Path) -> Path:
    path = checkpoint(folder, {})
    path.write_bytes(pickle.dumps(Foreign(folder), protocol=5))
    return path


@case("Python object|cannot be read|TorchScript", "torch TorchScript archive")
def _script(folder: Path) -> Path:
    import torch

    path = checkpoint(folder, {})
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(path))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
    return path


@case("Python object", "torch whole module")
def _module(folder: Path) -> Path:
    import torch

    path = checkpoint(folder, {})
    torch.save(torch.nn.Linear(2, 2), path)
    return path


for _share in (0, 1, 30, 70, 99):

    @case("cannot be read", f"pt cut off at {_share} %")
    def _truncated_pt(folder: Path, share: int = _share) -> Path:
        path = checkpoint(folder, {"model_state_dict": state_dict()})
        data = path.read_bytes()
        path.write_bytes(data[: len(data) * share // 100])
        return path


@case("compressed", "pt that unpacks to gigabytes")
def _zip_bomb(folder: Path) -> Path:
    """zipfile finds the end of an archive that is a comment; PyTorch reads the file."""
    path = checkpoint(folder, {"model_state_dict": state_dict()})
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
        with archive.open("archive/data/9", "w", force_zip64=True) as entry:
            for _ in range(1 << 6):
                entry.write(bytes(1 << 25))
    return path


@case("cannot be read", "pt that unpacks to gigabytes behind a false end")
def _zip_false_end(folder: Path) -> Path:
    path = _zip_bomb(folder)
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"PK\5\6"
    return path


@case("larger than the file", "pt that lies of its size")
def _zip_lie(folder: Path) -> Path:
    """The directory says 2 GiB for a storage of 24 bytes."""
    path = checkpoint(folder, {"model_state_dict": {"layers.0.grid": ones(6)}})
    data = path.read_bytes()
    sizes = struct.pack("<II", 24, 24)
    path.write_bytes(data.replace(sizes, struct.pack("<II", 1 << 31, 1 << 31)))
    return path


@case("no `model_state_dict`", "pt of a list")
def _pt_list(folder: Path) -> Path:
    return checkpoint(folder, [1, 2, 3])


@case("nothing in it is executed", "pt nested too deeply")
def _pt_nested(folder: Path) -> Path:
    path = checkpoint(folder, {})
    path.write_bytes(b"\x80\x02" + b"]" * 10**6 + b"a" * (10**6 - 1) + b".")
    return path


@case("of type float", "pt with a number for a tensor")
def _pt_number(folder: Path) -> Path:
    return checkpoint(folder, {"model_state_dict": state_dict() | {"layers.0.grid": 3.0}})


@case("no key", "pt with a key missing")
def _pt_missing(folder: Path) -> Path:
    state = state_dict()
    del state["layers.0.base_weight"]
    return checkpoint(folder, {"model_state_dict": state})


@case("is not understood", "pt with a key too many")
def _pt_unknown(folder: Path) -> Path:
    state = state_dict() | {"layers.0.gate": ones(2)}
    return checkpoint(folder, {"model_state_dict": state})


@case("is not a string", "pt with a key that is no text")
def _pt_key(folder: Path) -> Path:
    return checkpoint(folder, {"model_state_dict": state_dict() | {3: 1}})


@case("has shape", "pt with a tensor of the wrong shape")
def _pt_shape(folder: Path) -> Path:
    state = state_dict() | {"layers.0.spline_weight": ones(2, 3, 7)}
    return checkpoint(folder, {"model_state_dict": state})


@case("tensor of shape", "pt with a view that claims terabytes")
def _pt_view(folder: Path) -> Path:
    view = tensor(ones(1), (10**6, 10**6), (0, 0))
    state = state_dict() | {"layers.0.spline_weight": view}
    return checkpoint(folder, {"model_state_dict": state})


@case("finite", "pt with a number that is not finite")
def _pt_nan(folder: Path) -> Path:
    state = state_dict() | {"layers.0.base_weight": ones(2, 3) * np.nan}
    return checkpoint(folder, {"model_state_dict": state})


def _value_case(words: str, name: str, value: object) -> None:
    """A value in place of a weight."""

    def make(folder: Path) -> Path:
        state = state_dict() | {"layers.0.base_weight": value}
        return checkpoint(folder, {"model_state_dict": state})

    CASES[f"pt with {name}"] = Case(make, words)


def _call(name: str, *arguments: object, module: str = "torch._utils") -> Call:
    return Call(module, name, arguments)


_PLAIN = tensor(ones(2, 3))
_DENSE = "`layers.0.base_weight` is .* not a dense tensor of real numbers"
_value_case(_DENSE, "a complex tensor", ones(2, 3).astype(np.complex64))
_value_case(_DENSE, "a tensor of bits8", typed_tensor(bytes(6), "bits8", (2, 3)))
_value_case(_DENSE, "a tensor of bits16", typed_tensor(bytes(12), "bits16", (2, 3)))
_value_case(_DENSE, "a negated float64", tensor(np.ones((2, 3)), metadata={"neg": True}))
_value_case(_DENSE, "a nested tensor", _call("_rebuild_nested_tensor", _PLAIN, _PLAIN, _PLAIN))
_value_case(_DENSE, "a quantised tensor", _call("_rebuild_qtensor", _PLAIN))
_value_case(
    "without data", "a tensor without data", _call("_rebuild_meta_tensor_no_storage", 0, (2, 3))
)
_value_case(
    "a sparse tensor",
    "a sparse tensor of terabytes",
    _call("_rebuild_sparse_tensor", 0, (_PLAIN, _PLAIN, (10**6, 10**6), False)),
)
_value_case("torch.Tensor", "memory that nobody wrote", _call("Tensor", 1, 2, module="torch"))
_value_case(_DENSE, "6 GB of zeros", _call("bytearray", 6_000_000_000, module="__builtin__"))
_value_case(_DENSE, "a slow codec", _call("encode", "ü" * 400_000, "punycode", module="_codecs"))
_value_case("leaves its storage", "an offset beyond", tensor(ones(2, 3), offset=1))
_value_case("leaves its storage", "strides beyond", tensor(ones(2, 3), strides=(3, 2)))
_value_case("not valid", "a negative stride", tensor(ones(2, 3), strides=(-3, 1)))
_value_case("do not fit", "a stride too few", tensor(ones(2, 3), strides=(1,)))
_value_case("has 24 bytes", "a storage of another size", tensor(ones(2, 3), count=7))
_value_case("wrong arguments", "too few arguments", _call("_rebuild_tensor_v2", 1))
_value_case("has none", "a state that is set", Raw(b"K\x01}b"))
_value_case("of type tuple", "a tuple as a key", Raw(b"}(K\x01\x85K\x01u"))
_value_case("twice", "a key twice", Raw(b"}(K\x01K\x01K\x01K\x01u"))
_value_case("64 bits", "an integer of 100 bits", 1 << 100)
# Each level has the one below twice: 2^200 entries in 1000 bytes.
_DOUBLED = b")" + b"".join(b"q%ch%c\x86" % (level, level) for level in range(200))
_value_case("of type tuple", "2^200 entries", Raw(_DOUBLED))
_value_case("of type tuple", "2^200 entries as a key", Raw(b"}" + _DOUBLED + b"K\x01s"))


@case("protocol 4", "pt of another protocol")
def _pt_protocol(folder: Path) -> Path:
    return _changed(folder, "data.pkl", lambda data: b"\x80\x04" + data[2:])


@case("byte order", "pt of an unknown byte order")
def _pt_byte_order(folder: Path) -> Path:
    return _changed(folder, "byteorder", lambda data: b"middle")


@case("no member archive/data/0", "pt without a storage")
def _pt_no_storage(folder: Path) -> Path:
    return _changed(folder, "data/0", None)


@case("no data.pkl", "pt without a pickle")
def _pt_no_pickle(folder: Path) -> Path:
    return _changed(folder, "data.pkl", None)


def _changed(folder: Path, member: str, change: Callable[[bytes], bytes] | None) -> Path:
    """A checkpoint with a member changed, or left out."""
    path = checkpoint(folder, {})
    files = torch_archive.members({"model_state_dict": state_dict()})
    data = files.pop(f"archive/{member}")
    if change is not None:
        files[f"archive/{member}"] = change(data)
    path.write_bytes(torch_archive.packed(files))
    return path


def _config_case(words: str, name: str, **changes: Any) -> None:
    def make(folder: Path) -> Path:
        return checkpoint(folder, {"model_state_dict": state_dict()}, CONFIG | changes)

    CASES[f"config {name}"] = Case(make, words)


_config_case("`layers`", "without nodes", layers=[3])
_config_case("`layers`", "with layers as text", layers="3-2")
_config_case("`layers`", "with a width of 0", layers=[3, 0])
_config_case("`layers_bitwidth`", "with a width of 40 bits", layers_bitwidth=[40, 4])
_config_case("`layers_bitwidth`", "with bits missing", layers_bitwidth=[4])
_config_case("`spline_order`", "with a degree of a million", spline_order=10**6)
_config_case("`spline_order`", "with a truth value for the degree", spline_order=True)
_config_case(
    "`base_activation`", "with code for the activation", base_activation="__import__('os')"
)
_config_case("too large", "with huge widths", layers=[1 << 20, 1 << 20])
_config_case("too large", "with a huge grid", grid_size=1 << 24, layers=[100, 100])
_config_case("no key", "of more layers", layers=[3, 2, 2], layers_bitwidth=[4, 5, 5])
_config_case("has shape", "of a million layers", layers=[1] * 10**6, layers_bitwidth=[4] * 10**6)


def _config_text(words: str, name: str, text: bytes) -> None:
    def make(folder: Path) -> Path:
        path = checkpoint(folder, {"model_state_dict": state_dict()})
        (folder / "config.json").write_bytes(text)
        return path

    CASES[f"config {name}"] = Case(make, words)


_config_text("no valid JSON", "that is empty", b"")
_config_text("no valid JSON", "that is no text", bytes(range(256)))
_config_text("no valid JSON", "that is nested too deeply", b"[" * 10**6)
_config_text("given twice", "with a key twice", b'{"layers": [3, 2], "layers": [3, 2]}')
_config_text("no JSON object", "that is a list", b"[1, 2]")
_config_text("no key", "that is an empty object", b"{}")
_config_text("", "with a number of a million digits", b'{"layers": ' + b"9" * 10**6 + b"}")


@case("is missing", "config missing")
def _no_config(folder: Path) -> Path:
    path = checkpoint(folder, {"model_state_dict": state_dict()})
    (folder / "config.json").unlink()
    return path


# KANELÉ: truth tables


def _tables(**changes: Any) -> dict[str, Any]:
    edges = {f"0_{i}_{o}": {"acive": 1, "values_int": [1] * 16} for i in range(3) for o in range(2)}
    return edges | changes


def _tables_case(words: str, name: str, content: object, **config: Any) -> None:
    def make(folder: Path) -> Path:
        (folder / "config.json").write_text(json.dumps(CONFIG | config))
        path = folder / "truth_tables.json"
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return path

    CASES[f"tables {name}"] = Case(make, words)


def _edge(**changes: Any) -> dict[str, Any]:
    return _tables(**{"0_1_1": {"acive": 1, "values_int": [1] * 16} | changes})


_TWICE = json.dumps(_tables()).encode()[:-1] + b', "0_0_0": {"acive": 0}}'
_tables_case("no valid JSON", "that are empty", b"")
_tables_case("no valid JSON", "cut off", json.dumps(_tables()).encode()[:200])
_tables_case("no valid JSON", "nested too deeply", b'{"a":' * 10**5)
_tables_case("given twice", "with an edge twice", _TWICE)
_tables_case("a program has 8 or 9 fields", "in a list", [1, 2])
_tables_case("no JSON object", "that are a number", 3)
_tables_case("has no edge", "without edges", {})
_tables_case("is no edge", "with an edge too many", _tables(**{"5_0_0": {}}))
_tables_case("is no object", "with an edge that is a number", _tables(**{"0_1_1": 3}))
_tables_case("entries", "of another length", _edge(values_int=[1] * 15))
_tables_case("gives", "with an entry out of range", _edge(values_int=[10**30] * 16))
_tables_case("gives", "with floats", _edge(values_int=[0.5] * 16))
_tables_case("gives", "with no number", _edge(values_int=[float("nan")] * 16))
_tables_case("`acive`", "with an edge that is half there", _edge(acive=0.5))
_tables_case("`acive`", "with a list for a flag", _edge(acive=[1]))
_tables_case("no list", "with text for a table", _edge(values_int="1" * 16))
_tables_case("has no edge|too large", "of huge widths", _tables(), layers=[1 << 12, 1 << 11])
_tables_case("too large", "of widths beyond memory", _tables(), layers=[1 << 24, 1 << 24])


# pykan


def pykan_config() -> dict[str, Any]:
    return {
        "width": [[2, 0], [1, 0]],
        "grid": 3,
        "k": 3,
        "mult_arity": 2,
        "base_fun_name": "silu",
        "symbolic_enabled": True,
        "affine_trainable": False,
        "grid_eps": 0.02,
        "grid_range": [-1, 1],
        "sp_trainable": True,
        "sb_trainable": True,
        "state_id": 0,
        "auto_save": False,
        "ckpt_path": "./model",
        "round": 0,
        "device": "cpu",
        "symbolic.funs_name.0": [["0", "0"]],
    }


def pykan_state() -> dict[str, Any]:
    return {
        "node_bias_0": 0 * ones(1),
        "node_scale_0": ones(1),
        "subnode_bias_0": 0 * ones(1),
        "subnode_scale_0": ones(1),
        "act_fun.0.grid": np.tile(np.arange(-3, 7, dtype=np.float32), (2, 1)),
        "act_fun.0.coef": ones(2, 1, 6),
        "act_fun.0.mask": ones(2, 1),
        "act_fun.0.scale_base": ones(2, 1),
        "act_fun.0.scale_sp": ones(2, 1),
        "symbolic_fun.0.mask": 0 * ones(1, 2),
        "symbolic_fun.0.affine": 0 * ones(1, 2, 4),
    }


def pykan_files(
    folder: Path, config: dict[str, Any] | bytes | None = None, state: object = None
) -> Path:
    """NAME_config.yml, JSON being YAML, and NAME_state."""
    path = folder / "net_config.yml"
    config = pykan_config() if config is None else config
    path.write_bytes(config if isinstance(config, bytes) else json.dumps(config).encode())
    torch_archive.save(pykan_state() if state is None else state, folder / "net_state")
    return path


def _pykan_case(
    words: str, name: str, config: dict[str, Any] | bytes | None = None, /, **state: Any
) -> None:
    def make(folder: Path) -> Path:
        parameters = pykan_state() | state
        parameters = {key: each for key, each in parameters.items() if each is not None}
        if state.get("symbolic_fun.0.mask") == "ones":
            parameters["symbolic_fun.0.mask"] = ones(1, 2)
        return pykan_files(folder, config, parameters)

    CASES[f"pykan {name}"] = Case(make, words)


def _yaml(**changes: Any) -> dict[str, Any]:
    return {key: each for key, each in (pykan_config() | changes).items() if each is not None}


_pykan_case("", "config that is empty", b"")
_pykan_case("", "config that is no text", bytes(range(256)))
_pykan_case("", "config that is a list", b"[1, 2]")
_pykan_case("", "config cut off", json.dumps(pykan_config()).encode()[:100])
_pykan_case("", "config nested too deeply", b"[" * 10**5)
_pykan_case(
    "", "config that calls a function", b"!!python/object/apply:os.system ['touch something_ran']"
)
# Each level has the one below ten times, as YAML and as Python writes it.
_DOUBLING = ", ".join(
    ["&a0 [x]", *(f"&a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10))]
)
for _key in ("width", "k", "base_fun_name", "symbolic_enabled"):
    _text = json.dumps(pykan_config())[:-1] + f', "{_key}": [{_DOUBLING}]}}'
    _pykan_case("alias", f"config of aliases that double in {_key}", _text.encode())
_pykan_case("a key twice", "config with a key twice", b"{width: [2, 1], grid: 3, grid: 4}")
_pykan_case(
    "characters", "config with a number to the base of 60", b"{k: 1" + b":59" * 10**6 + b"}"
)
_pykan_case("alias", "config that holds itself", b"&a {width: *a, grid: 3}")
_pykan_case("", "without widths", _yaml(width=None))
_pykan_case("", "with a width of 0", _yaml(width=[[2, 0], [0, 0]]))
_pykan_case("", "with multiplication nodes", _yaml(width=[[2, 0], [1, 1]]))
_pykan_case("", "with huge widths", _yaml(width=[[10**9, 0], [10**9, 0]]))
_pykan_case("", "with a huge grid", _yaml(grid=10**9))
_pykan_case("", "with a degree of a million", _yaml(k=10**6))
_pykan_case("`k` is", "with a long list for a degree", _yaml(k=[[["x" * 900] * 99] * 99]))
_pykan_case("", "with an unknown function", _yaml(base_fun_name="__import__('os').getcwd()"))
_pykan_case(
    "",
    "with an unknown symbolic function",
    _yaml(**{"symbolic.funs_name.0": [["evil", "0"]]}),
    **{"symbolic_fun.0.mask": "ones"},
)
_pykan_case("no key", "state with a key missing", **{"act_fun.0.coef": None})
_pykan_case("is not understood", "state with a key too many", **{"act_fun.7.coef": 1.0})
_pykan_case("of type str", "state with text for a tensor", **{"act_fun.0.coef": "text"})


@case("there is no", "pykan without a state")
def _no_state(folder: Path) -> Path:
    path = pykan_files(folder)
    (folder / "net_state").unlink()
    return path


@case("Python object|cannot be read", "pykan state with a foreign object")
def _foreign_state(folder: Path) -> Path:
    return pykan_files(folder, None, pykan_state() | {"more": foreign(folder)})


@case("cannot be read", "pykan state cut off")
def _truncated_state(folder: Path) -> Path:
    path = pykan_files(folder)
    state = folder / "net_state"
    state.write_bytes(state.read_bytes()[:500])
    return path


# Samples

SAMPLES = ("--samples", "samples.npz")


def _samples_case(words: str, name: str, write: Callable[[Path], object]) -> None:
    def make(folder: Path) -> Path:
        write(folder / "samples.npz")
        return save(folder, model_of([*HIDDEN, *END]))

    CASES[f"samples {name}"] = Case(make, words, SAMPLES)


def _zipped(path: Path, name: str, data: bytes) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)


def _header(text: str) -> bytes:
    body = text.encode()
    return b"\x93NUMPY\x01\x00" + len(body).to_bytes(2, "little") + body


def _npz_bomb(path: Path) -> None:
    """2 GiB of zeros."""
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("x.npy", "w", force_zip64=True) as entry,
    ):
        text = "{'descr': '<f8', 'fortran_order': False, 'shape': (89478485, 3), }\n"
        entry.write(_header(text))
        for _ in range(1 << 6):
            entry.write(bytes(1 << 25))


_samples_case("cannot read", "that are empty", lambda path: path.write_bytes(b""))
_samples_case("cannot read", "that are text", lambda path: path.write_text("0.1, 0.2"))
_samples_case(
    "cannot read|single array",
    "that are a pickle",
    lambda path: path.write_bytes(pickle.dumps(Foreign(path.parent), protocol=4)),
)
_samples_case(
    "cannot read",
    "of objects",
    lambda path: np.savez(path, x=np.array([[Foreign(path.parent)]], dtype=object)),
)
_samples_case("has no array", "without x", lambda path: np.savez(path, z=np.ones((3, 3))))
_samples_case("shape", "of one axis", lambda path: np.savez(path, x=np.ones(3)))
_samples_case("shape", "of no rows", lambda path: np.savez(path, x=np.ones((0, 3))))
_samples_case("shape", "of another width", lambda path: np.savez(path, x=np.ones((5, 4))))
_samples_case(
    "not numbers", "that are text in an array", lambda path: np.savez(path, x=np.array([["a"] * 3]))
)
_samples_case("inf", "that are not finite", lambda path: np.savez(path, x=np.full((5, 3), np.inf)))
_samples_case("miss", "that are missing", lambda path: np.savez(path, x=np.full((5, 3), np.nan)))
_samples_case(
    "",
    "that claim terabytes",
    lambda path: _zipped(
        path,
        "x.npy",
        _header("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 3), }\n"),
    ),
)
_samples_case(
    "",
    "of a negative extent",
    lambda path: _zipped(
        path, "x.npy", _header("{'descr': '<f8', 'fortran_order': False, 'shape': (-5, 3), }\n")
    ),
)
_samples_case(
    "",
    "whose header is code",
    lambda path: _zipped(
        path, "x.npy", _header("__import__('os').system('touch something_ran')\n")
    ),
)
_samples_case(
    "",
    "whose header is nested too deeply",
    lambda path: _zipped(path, "x.npy", _header("(" * 9000 + "\n")),
)
_samples_case("", "that unpack to gigabytes", _npz_bomb)
_samples_case(
    "single array",
    "in a single array",
    lambda path: path.write_bytes(
        _header("{'descr': '<f8', 'fortran_order': False, 'shape': (1, 3), }\n") + bytes(24)
    ),
)


# IR with kan.onnx


def ir(
    folder: Path, model: onnx.ModelProto | bytes, inputs: int = 3, outputs: int = 2, rest: str = ""
) -> Path:
    """A function of one `kan.onnx` that holds these bytes."""
    data = model if isinstance(model, bytes) else model.SerializeToString()
    zeros = rest or f"dense<0.0> : tensor<{inputs}xf32>"
    path = folder / "net.mlir"
    path.write_text(
        f"""builtin.module {{
  func.func @net(%x: tensor<{inputs}xf32>) -> tensor<{outputs}xf32> {{
    %e = kan.onnx %x as "layer0" rest {zeros}
      model dense<"0x{data.hex()}"> : tensor<{len(data)}xi8>
      : tensor<{inputs}xf32> -> tensor<{outputs}x{inputs}xf32>
    %n = kan.node_sum %e as "layer0" : tensor<{outputs}x{inputs}xf32> -> tensor<{outputs}xf32>
    func.return %n : tensor<{outputs}xf32>
  }}
}}
"""
    )
    return path


def subgraph(
    nodes: Sequence[onnx.NodeProto] | None = None,
    batch: int = 2,
    outputs: int = 2,
    **tensors: Any,
) -> onnx.ModelProto:
    model = model_of([*HIDDEN, *END] if nodes is None else nodes, (batch, 3), **tensors)
    model.graph.output[0].CopyFrom(
        helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, outputs])
    )
    return model


def _ir_case(words: str, name: str, make_model: Callable[[], onnx.ModelProto | bytes]) -> None:
    CASES[f"mlir {name}"] = Case(lambda folder: ir(folder, make_model()), words)


def _ir_graph(words: str, name: str, nodes: Sequence[onnx.NodeProto], **tensors: Any) -> None:
    _ir_case(words, name, lambda: subgraph(nodes, **tensors))


def _external_subgraph() -> onnx.ModelProto:
    model = subgraph()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    return model


def _foreign_subgraph() -> onnx.ModelProto:
    model = subgraph([helper.make_node("Evil", ["x"], ["y"], domain="my")])
    model.opset_import.append(helper.make_opsetid("my", 1))
    return model


def _huge_subgraph_tensor() -> onnx.ModelProto:
    model = subgraph()
    model.graph.initializer[0].dims[:] = [2**40, 2**20]
    return model


_ir_case("no ONNX model|not valid", "of noise", lambda: np.random.default_rng(1).bytes(1000))
_ir_case("no ONNX model", "cut off", lambda: subgraph().SerializeToString()[:300])
_ir_case("another file", "with data elsewhere", _external_subgraph)
_ir_case("domain 'my'", "with an operator of its own", _foreign_subgraph)
_ir_case("not valid|outputs", "of other widths", lambda: subgraph(outputs=3))
_ir_case("", "with a huge tensor", _huge_subgraph_tensor)
_ir_case("", "with a huge batch", lambda: subgraph(batch=10**9))
_ir_graph(
    "elements|not valid",
    "with a huge Expand",
    [node("Expand", ["x", "to"], "b"), node("ReduceSum", ["b", "axes"], "y", keepdims=0)],
    to=integers(HUGE, HUGE, 2, 3),
    axes=integers(0, 1),
)
_ir_graph(
    "",
    "with a huge ConstantOfShape",
    [node("ConstantOfShape", ["to"], "c"), node("Add", ["x", "c"], "y")],
    to=integers(HUGE, HUGE, 1, 3),
)
_ir_graph(
    "",
    "with a huge Range",
    [node("Range", ["p", "q", "r"], "c"), node("Add", ["x", "c"], "y")],
    p=np.array(0),
    q=np.array(10**15),
    r=np.array(1),
)
_ir_graph("", "with a huge Tile", [node("Tile", ["x", "to"], "y")], to=integers(1, 10**12))
_ir_graph(
    "",
    "with extents that depend on data",
    [node("Cast", ["x"], "i", to=TensorProto.INT64), node("Expand", ["w", "i"], "y")],
)
_ir_graph(
    "",
    "with a cycle",
    [node("Add", ["x", "b"], "a"), node("Sin", ["a"], "b"), node("Sin", ["b"], "y")],
)
_ir_case("operator set 3", "of an old operator set", lambda: _with_opset(3))
_ir_case("operator set 99", "of a future operator set", lambda: _with_opset(99))


def _with_opset(version: int) -> onnx.ModelProto:
    model = subgraph()
    model.opset_import[0].version = version
    return model


@case("rest", "mlir with a rest of another width")
def _ir_rest(folder: Path) -> Path:
    return ir(folder, subgraph(), rest="dense<0.0> : tensor<4xf32>")


@case("", "mlir with a rest that is not finite")
def _ir_nan(folder: Path) -> Path:
    return ir(folder, subgraph(), rest='dense<"0x0000C07F0000C07F0000C07F"> : tensor<3xf32>')


@case("", "mlir of huge extents")
def _ir_huge(folder: Path) -> Path:
    return ir(
        folder, subgraph(), inputs=10**9, outputs=10**9, rest="dense<0.0> : tensor<1000000000xf32>"
    )


@case("", "mlir cut off")
def _ir_truncated(folder: Path) -> Path:
    path = ir(folder, subgraph())
    path.write_text(path.read_text()[:400])
    return path


@case("", "mlir whose model is no hexadecimal number")
def _ir_hex(folder: Path) -> Path:
    path = ir(folder, subgraph())
    path.write_text(path.read_text().replace('dense<"0x', 'dense<"0xzz', 1))
    return path


@case("", "mlir whose model is shorter than its type")
def _ir_short(folder: Path) -> Path:
    path = ir(folder, subgraph())
    text = path.read_text()
    path.write_text(text.replace("xi8>", "0xi8>", 1))
    return path
