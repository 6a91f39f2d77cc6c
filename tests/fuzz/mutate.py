"""Broken files: mutations of text, of bytes, and of the values in JSON, ONNX and NumPy files."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

NUMBERS = (
    "0", "1", "-1", "2", "3", "7", "31", "32", "33", "63", "64", "65", "127", "128", "255", "-128",
    "1023", "65536", "2147483647", "-2147483648", "4294967296", "9223372036854775807",
    "-9223372036854775808", "18446744073709551616", "99999999999999999999999", "0.0", "-0.0",
    "1.0e-300", "1.0e308", "1.0e400", "0x7FC00000", "0x7FF0000000000000", "0xFFF8000000000001",
    "1.5", "nan", "inf", "", "-",
)  # fmt: skip
TYPES = (
    "i1", "i7", "i8", "i16", "i32", "i64", "i128", "f16", "bf16", "f32", "f64", "index", "none",
    "tensor<3xf32>", "tensor<0xf32>", "tensor<?xf32>", "tensor<f32>", "tensor<2x3xi8>",
    "!kan.int<0:1>", "!kan.int<-4:3>", "!kan.int<5:5>", "!kan.int<0:4611686018427387903>",
    "!quant.uniform<u6:f32, 0.05:32>", "!quant.uniform<i32:f32, 1.0>", "!seq.clock",
    "!hw.array<8xi3>", "!quant.uniform<u1:f32:0, {0.1,0.2}>", "complex<f32>", "vector<2xf32>",
)  # fmt: skip
UNEXPECTED: tuple[Any, ...] = (
    None, True, 0, -1, 1 << 70, 1e308, float("nan"), float("inf"), "", "x", [], {}, [[]], [0],
    {"a": 1}, "0", 3.5, [1, 2, 3], "nn.SiLU", 40, 1 << 31, [None],
)  # fmt: skip
_NUMBER = re.compile(r"-?\b\d+(?:\.\d*)?(?:[eE][-+]?\d+)?")
_TYPE = re.compile(r"!?\b(?:tensor<[^<>]*(?:<[^<>]*>)?[^<>]*>|kan\.int<[^>]*>|[iuf]\d+)|!\w+\.\w+")
_ATTRIBUTE = re.compile(r"\b[\w.]+ = [^,{}\[\]<>]+(?:, )?")
_TOKEN = re.compile(r"\"[^\"]*\"|%[\w]+|[@!#]?[\w.$]+|[^\s\w]")
_HEX = re.compile(r"0x[0-9A-F]{8,}")


class Mutator:
    """Random changes. The same generator gives the same changes."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def below(self, count: int) -> int:
        return int(self.rng.integers(0, max(count, 1)))

    def pick(self, options: Sequence[Any]) -> Any:
        return options[self.below(len(options))]

    # Text.

    def text(self, text: str, other: str) -> str:
        """A few changes of a text. Parts of `other` may be inserted."""
        changes: list[Callable[[str, str], str]] = [
            self._number,
            self._number,
            self._number,
            self._type,
            self._type,
            self._attribute,
            self._line,
            self._line,
            self._line,
            self._token,
            self._token,
            self._hex,
            self._other_line,
            self._characters,
            self._cut,
            self._nest,
        ]
        for _ in range(1 + min(self.below(3), self.below(4))):
            text = self.pick(changes)(text, other)
        return text

    def _replaced(self, pattern: re.Pattern[str], text: str, by: Callable[[str], str]) -> str:
        found = list(pattern.finditer(text))
        if not found:
            return text
        match = found[self.below(len(found))]
        return text[: match.start()] + by(match[0]) + text[match.end() :]

    def _number(self, text: str, other: str) -> str:
        def change(number: str) -> str:
            if self.below(2) and number.lstrip("-").isdigit():
                return str(int(number) + int(self.pick([-2, -1, 1, 2, 8])))
            return str(self.pick(NUMBERS))

        return self._replaced(_NUMBER, text, change)

    def _type(self, text: str, other: str) -> str:
        present = _TYPE.findall(text)
        return self._replaced(
            _TYPE, text, lambda _: str(self.pick(present if present and self.below(2) else TYPES))
        )

    def _attribute(self, text: str, other: str) -> str:
        return self._replaced(_ATTRIBUTE, text, lambda _: "")

    def _line(self, text: str, other: str) -> str:
        lines = text.splitlines(keepends=True)
        if not lines:
            return text
        index, where = self.below(len(lines)), self.below(len(lines))
        match self.below(4):
            case 0:
                del lines[index]
            case 1:
                lines.insert(where, lines[index])
            case 2:
                lines[index], lines[where] = lines[where], lines[index]
            case _:
                lines.insert(where, lines.pop(index))
        return "".join(lines)

    def _other_line(self, text: str, other: str) -> str:
        lines, others = text.splitlines(keepends=True), other.splitlines(keepends=True)
        if lines and others:
            lines.insert(self.below(len(lines)), self.pick(others))
        return "".join(lines)

    def _token(self, text: str, other: str) -> str:
        tokens = _TOKEN.findall(text)
        return self._replaced(
            _TOKEN, text, lambda _: "" if not self.below(3) else str(self.pick(tokens))
        )

    def _hex(self, text: str, other: str) -> str:
        def change(digits: str) -> str:
            match self.below(4):
                case 0:
                    return digits[: self.below(len(digits))]
                case 1:
                    return digits + "00" * (1 + self.below(8))
                case 2:
                    return digits[:2] + "".join(self.pick("08F") for _ in digits[2:])
                case _:
                    place = 2 + self.below(len(digits) - 2)
                    return (
                        digits[:place] + str(self.pick("0123456789ABCDEFx")) + digits[place + 1 :]
                    )

        return self._replaced(_HEX, text, change)

    def _characters(self, text: str, other: str) -> str:
        return self.bytes(text.encode()).decode(errors="replace")

    def _cut(self, text: str, other: str) -> str:
        return text[: self.below(len(text))] if not self.below(4) else text

    def _nest(self, text: str, other: str) -> str:
        if self.below(8):
            return text
        place = self.below(len(text))
        piece = str(self.pick(["(", "[", "{", "<", "tensor<", "dense<[", "((", "builtin.module {"]))
        return text[:place] + piece * int(self.pick([2, 50, 2000])) + text[place:]

    # Bytes.

    def bytes(self, data: bytes) -> bytes:
        """Bits flipped, bytes replaced, a part cut out or doubled, an end cut off."""
        changed = bytearray(data)
        for _ in range(1 + self.below(4)):
            if not changed:
                break
            place = self.below(len(changed))
            length = 1 + self.below(min(64, len(changed) - place))
            match self.below(6):
                case 0 | 1:
                    changed[place] ^= 1 << self.below(8)
                case 2:
                    changed[place] = int(self.pick([0, 1, 127, 128, 255]))
                case 3:
                    del changed[place : place + length]
                case 4:
                    changed[place:place] = changed[place : place + length]
                case _:
                    if not self.below(3):
                        del changed[place:]
        return bytes(changed)

    # Values of any kind, as JSON holds them.

    def value(self) -> Any:
        """An unexpected value."""
        return self.pick(UNEXPECTED)

    def tree(self, tree: Any) -> Any:
        """One change somewhere in lists and mappings."""
        if isinstance(tree, dict) and tree and self.below(8):
            return self._mapping(cast("dict[Any, Any]", tree))
        if isinstance(tree, list) and tree and self.below(8):
            return self._list(cast("list[Any]", tree))
        if isinstance(tree, bool) or not isinstance(tree, int | float):
            return self.value()
        near = [tree + 1, tree - 1, -tree, tree * 2, float(tree), str(tree), [tree]]
        return self.pick(near) if self.below(2) else self.value()

    def _mapping(self, tree: dict[Any, Any]) -> dict[Any, Any]:
        tree = dict(tree)
        key = self.pick(list(tree))
        match self.below(8):
            case 0:
                del tree[key]
            case 1:
                tree[f"{key}{self.pick(['', '_', '0', '.', ' '])}x"] = tree[key]
            case 2:
                tree[self.pick([key, "extra", "0_0_0", "9_9_9", "layers"])] = self.value()
            case _:
                tree[key] = self.tree(tree[key])
        return tree

    def _list(self, tree: list[Any]) -> list[Any]:
        tree = list(tree)
        index = self.below(len(tree))
        match self.below(6):
            case 0:
                del tree[index]
            case 1:
                tree.insert(index, tree[index])
            case 2:
                tree = tree[:index]
            case _:
                tree[index] = self.tree(tree[index])
        return tree

    def json(self, data: bytes) -> bytes:
        """A JSON file with one to three changes of its values."""
        tree: Any = json.loads(data)
        for _ in range(1 + self.below(3)):
            tree = self.tree(tree)
        return json.dumps(tree).encode()

    # ONNX.

    def onnx(self, data: bytes) -> bytes:
        """A graph with a few changes of nodes, attributes, types and constants."""
        model = onnx.load_model_from_string(data)
        graph = model.graph
        for _ in range(1 + self.below(3)):
            match self.below(9):
                case 0 if graph.node:
                    del graph.node[self.below(len(graph.node))]
                case 1 if graph.node:
                    graph.node.append(graph.node[self.below(len(graph.node))])
                case 2 if graph.node:
                    node = self.pick(graph.node)
                    node.op_type = str(
                        self.pick(
                            ["Add", "Mul", "MatMul", "Gemm", "Relu", "Softmax", "Conv", "Loop", "X"]
                            + [other.op_type for other in graph.node]
                        )
                    )
                case 3 if graph.node:
                    node = self.pick(graph.node)
                    names = [name for other in graph.node for name in (*other.input, *other.output)]
                    side = self.pick([node.input, node.input, node.output])
                    if side:
                        side[self.below(len(side))] = str(self.pick([*names, "", "nowhere"]))
                case 4 if graph.initializer:
                    tensor = self.pick(graph.initializer)
                    self._initializer(tensor)
                case 5:
                    self._shape(self.pick([*graph.input, *graph.output]))
                case 6 if graph.node:
                    node = self.pick(graph.node)
                    if node.attribute:
                        attribute = self.pick(node.attribute)
                        attribute.i = int(self.pick([-1, 0, 1, 2, 99, 1 << 40]))
                        if attribute.ints:
                            attribute.ints[self.below(len(attribute.ints))] = attribute.i
                        if not self.below(4):
                            node.attribute.remove(attribute)
                case 7:
                    if model.opset_import:
                        model.opset_import[0].version = int(self.pick([0, 1, 7, 13, 25, 1 << 40]))
                case _:
                    if graph.initializer:
                        del graph.initializer[self.below(len(graph.initializer))]
        return model.SerializeToString()

    def _initializer(self, tensor: Any) -> None:
        match self.below(4):
            case 0:
                tensor.data_type = int(self.pick([0, 1, 6, 7, 10, 11, 14, 16, 8, 99]))
            case 1:
                if tensor.dims:
                    tensor.dims[self.below(len(tensor.dims))] = int(
                        self.pick([0, -1, 1, 2, 1000, 1 << 40])
                    )
            case _:
                try:
                    array = np.array(numpy_helper.to_array(tensor))
                except (ValueError, TypeError, KeyError):
                    return  # broken by a change before
                if array.size and array.dtype.kind == "f":
                    flat = array.ravel()
                    flat[self.below(flat.size)] = float(
                        self.pick([np.nan, np.inf, -np.inf, 0.0, 1e30, -1e-30])
                    )
                    tensor.CopyFrom(numpy_helper.from_array(flat.reshape(array.shape), tensor.name))

    def _shape(self, info: Any) -> None:
        kind = info.type.tensor_type
        if not self.below(3):
            kind.elem_type = int(self.pick([TensorProto.DOUBLE, TensorProto.INT64, 0, 10, 99]))
        elif kind.shape.dim:
            dimension = kind.shape.dim[self.below(len(kind.shape.dim))]
            dimension.dim_value = int(self.pick([0, 1, 2, 5, -3, 1 << 40]))

    # Arrays.

    def array(self, array: Any) -> Any:
        """An array with other values, another shape or another type."""
        array = np.array(array)
        match self.below(8):
            case 0 if array.size and array.dtype.kind == "f":
                array.ravel()[self.below(array.size)] = self.pick([np.nan, np.inf, -np.inf, 1e38])
            case 1:
                return array.ravel()[:0]
            case 2:
                return array.reshape(-1)
            case 3:
                return array.reshape((*array.shape, 1))
            case 4:
                return array.astype(self.pick(["i1", "u8", "f2", "f8", "c8", "?", "U3"]))
            case 5 if array.ndim:
                return array[..., :-1]
            case 6 if array.size and array.dtype.kind in "fi":
                return np.full_like(array, self.pick([0, 1, -1, 100]))
            case _:
                return np.concatenate([array, array], axis=-1) if array.ndim else array
        return array

    def npz(self, data: bytes) -> bytes:
        """Arrays changed, left out, renamed."""
        with np.load(io.BytesIO(data), allow_pickle=False) as loaded:
            arrays = {name: loaded[name] for name in loaded.files}
        for _ in range(1 + self.below(2)):
            name = self.pick(list(arrays) or ["x"])
            match self.below(5):
                case 0:
                    arrays.pop(name, None)
                case 1:
                    arrays[str(self.pick(["x", "y", "x_train", "x_test", "z"]))] = arrays.get(
                        name, np.zeros(3)
                    )
                case _:
                    arrays[name] = self.array(arrays.get(name, np.zeros((3, 2))))
        stream = io.BytesIO()
        np.savez(stream, **arrays)
        return stream.getvalue()
