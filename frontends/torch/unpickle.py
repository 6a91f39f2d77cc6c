"""Reads the pickle in a file of `torch.save` as data: nothing in it is executed.

A pickle is a program for a stack machine that may call any Python function. The machine here has
the instructions that `torch.save` writes, and calls nothing: it knows the functions that rebuild
tensors by their names, and makes views of the storages itself. Memory and time are linear in the
length of the pickle.

Sources: Python's `pickletools` for the instructions, PyTorch's `torch/_utils.py` for the functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pickletools import opcodes
from typing import cast

from kan_dialect.errors import KanError
from kan_dialect.frontends.torch.tensors import (
    ELEMENTS,
    OTHER_ELEMENTS,
    Other,
    Storage,
    Storages,
)
from kan_dialect.quoting import quoted

_PROTOCOL = 2
"""The protocol that `torch.save` writes by default."""

_MAX_INTEGER = 1 << 65
"""Integers beyond this could be chosen to have the same hash by the thousand."""

_INSTRUCTIONS = {
    opcode.code.encode("latin-1"): opcode
    for opcode in opcodes
    if opcode.name
    in (
        *("PROTO", "STOP", "GLOBAL", "BINPERSID", "REDUCE", "BUILD"),
        *("BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET", "MARK"),
        *("NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"),
        *("BINUNICODE", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"),
        *("EMPTY_LIST", "APPEND", "APPENDS", "EMPTY_DICT", "SETITEM", "SETITEMS"),
    )
}
"""Instructions of the machine by their byte."""

_DICT = "collections.OrderedDict"
_TENSOR = "torch._utils._rebuild_tensor_v2"
_TYPED_TENSOR = "torch._utils._rebuild_tensor_v3"
_PARAMETER = "torch._utils._rebuild_parameter"

_OTHER_CALLS: Mapping[str, str] = {
    "torch._utils._rebuild_sparse_tensor": "a sparse tensor",
    "torch._utils._rebuild_nested_tensor": "a nested tensor",
    "torch._utils._rebuild_qtensor": "a quantised tensor",
    "torch._utils._rebuild_meta_tensor_no_storage": "a tensor without data",
    "torch._utils._rebuild_parameter_with_state": "a parameter with attributes",
    "torch.serialization._get_layout": "a layout",
    "torch.Size": "a shape",
    "torch.device": "a device",
    "collections.Counter": "a counter",
    "numpy.core.multiarray.scalar": "a NumPy scalar",
    "numpy._core.multiarray.scalar": "a NumPy scalar",
    "numpy.dtype": "a NumPy type",
    "_codecs.encode": "bytes",
    "__builtin__.bytearray": "bytes",
    "__builtin__.set": "a set",
    "__builtin__.complex": "a complex number",
}
"""Functions for data that training scripts keep beside the weights -> the data in words."""

_OTHER_NAMES: Mapping[str, Other] = {
    f"torch.{name}": Other(f"torch.{name}")
    for name in (
        *("float16", "bfloat16", "float32", "float64", "bool", "uint8", "int8", "int16", "int32"),
        *("int64", "complex64", "complex128", "qint8", "quint8", "qint32"),
        *("per_tensor_affine", "per_channel_affine", "per_channel_affine_float_qparams"),
    )
}
"""Constants of PyTorch that are data."""

_NAMES = frozenset(
    {_DICT, _TENSOR, _TYPED_TENSOR, _PARAMETER, *_OTHER_CALLS, *ELEMENTS, *OTHER_ELEMENTS}
)


@dataclass(frozen=True)
class _Name:
    """A function or type that the pickle refers to, one of `_NAMES`."""

    name: str


class Unpickler:
    """The machine.

    Attributes
    ----------
    file : name of the file, for messages.
    """

    def __init__(self, file: str, pickle: bytes, storages: Storages) -> None:
        self.file = file
        self._stream = BytesIO(pickle)
        self._storages = storages
        self._stack: list[object] = []
        """Values above the last mark."""
        self._below: list[list[object]] = []
        """Values below each mark, the last mark last."""
        self._memo: dict[object, object] = {}

    def load(self) -> object:
        """The content: dicts whose keys are strings or integers, lists, tuples, strings, numbers,
        None, tensors as read-only arrays, and `Other`.

        Raises
        ------
        KanError : the pickle refers to a Python object that is not data, or has another protocol.
        ValueError, LookupError : it is damaged.
        """
        while True:
            byte = self._stream.read(1)
            instruction = _INSTRUCTIONS.get(byte)
            if instruction is None:
                raise ValueError(f"its pickle has {byte!r} as an instruction")
            if instruction.name == "STOP":
                return self._stack.pop()
            if instruction.name == "GLOBAL":
                # pickletools reads escape sequences in names, which pickle does not have.
                argument = f"{self._line()} {self._line()}"
            else:
                argument = None if instruction.arg is None else instruction.arg.reader(self._stream)
            self._run(instruction.name, argument)

    def _line(self) -> str:
        """A part of a name, up to the end of the line."""
        line = self._stream.readline()
        if not line.endswith(b"\n"):
            raise ValueError("its pickle ends within a name")
        return line[:-1].decode("ascii")

    def _run(self, instruction: str, argument: object) -> None:
        stack = self._stack
        match instruction:
            case "NONE" | "BININT" | "BININT1" | "BININT2" | "BINFLOAT" | "BINUNICODE":
                stack.append(argument)
            case "BINPUT" | "LONG_BINPUT":
                self._memo[argument] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(self._memo[argument])
            case "MARK":
                self._below.append(stack)
                self._stack = []
            case "NEWTRUE" | "NEWFALSE":
                stack.append(instruction == "NEWTRUE")
            case "LONG1":
                stack.append(_integer(argument))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                count = int(instruction[-1])
                stack[-count:] = [(*(stack[-index] for index in range(count, 0, -1)),)]
            case "EMPTY_TUPLE":
                stack.append(())
            case "TUPLE":
                values = tuple(self._above_mark())
                self._stack.append(values)
            case "EMPTY_LIST":
                stack.append([])
            case "APPEND" | "APPENDS":
                self._append([stack.pop()] if instruction == "APPEND" else self._above_mark())
            case "EMPTY_DICT":
                stack.append({})
            case "SETITEM" | "SETITEMS":
                one = instruction == "SETITEM"
                self._set_items([stack.pop(-2), stack.pop()] if one else self._above_mark())
            case "GLOBAL":
                stack.append(self._named(str(argument).replace(" ", ".", 1)))
            case "BINPERSID":
                stack.append(_storage(stack.pop()))
            case "REDUCE":
                arguments = stack.pop()
                stack.append(self._rebuild(stack.pop(), arguments))
            case "BUILD":
                # What is set on a dict, its versions of modules, is not needed.
                stack.pop()
                if not isinstance(stack[-1], dict | Other):
                    raise ValueError("its pickle sets attributes of what has none")
            case _:  # PROTO
                if argument != _PROTOCOL:
                    raise KanError(
                        f"{self.file} is a pickle of protocol {argument}, not {_PROTOCOL}",
                        remedy="save it again with torch.save, without pickle_protocol",
                    )

    def _above_mark(self) -> list[object]:
        """Remove the last mark and the values above it."""
        values = self._stack
        self._stack = self._below.pop()
        return values

    def _append(self, values: list[object]) -> None:
        target = self._stack[-1]
        if not isinstance(target, list):
            raise ValueError("its pickle appends to what is not a list")
        cast("list[object]", target).extend(values)

    def _set_items(self, values: list[object]) -> None:
        target = self._stack[-1]
        if not isinstance(target, dict) or len(values) % 2:
            raise ValueError("its pickle sets items of what is not a dict")
        target = cast("dict[object, object]", target)
        for key, value in zip(values[::2], values[1::2], strict=True):
            if not isinstance(key, str | int):  # A nested tuple may take forever to hash.
                raise ValueError(f"it holds a dict with a key of type {type(key).__name__}")
            if key in target:
                raise ValueError(f"it holds a dict with the key {quoted(key)} twice")
            target[key] = value

    def _named(self, name: str) -> _Name | Other:
        if name in _OTHER_NAMES:
            return _OTHER_NAMES[name]
        if name not in _NAMES:
            raise KanError(
                f"{self.file} holds a Python object of type {quoted(name)}: only tensors, numbers, "
                "strings, lists and dicts are read, and nothing is executed",
                remedy="save the model's state dict (torch.save(model.state_dict(), ...))",
            )
        return _Name(name)

    def _rebuild(self, function: object, arguments: object) -> object:
        """What a call of a function stands for."""
        name = function.name if isinstance(function, _Name) else ""
        if name in _OTHER_CALLS:
            return Other(_OTHER_CALLS[name])
        given = list(cast("tuple[object, ...]", arguments)) if isinstance(arguments, tuple) else []
        count = len(given)
        if name == _DICT and arguments == ():
            return {}
        if name == _PARAMETER and count == 3:
            return given[0]
        if name == _TENSOR and count in (6, 7) and isinstance(given[0], Storage):
            elements, metadata = given[0].elements, given[6:]
        elif name == _TYPED_TENSOR and count in (7, 8) and isinstance(given[6], _Name):
            elements, metadata = given[6].name, given[7:]
        else:
            raise ValueError(f"its pickle calls {quoted(name)} with wrong arguments")
        if metadata not in ([], [{}]):
            return Other("a tensor that is negated or conjugated when it is read")
        storage, offset, shape, strides = given[:4]
        return self._storages.tensor(storage, elements, offset, shape, strides)


def _integer(value: object) -> int:
    if not isinstance(value, int) or abs(value) > _MAX_INTEGER:
        raise ValueError("it holds an integer of more than 64 bits")
    return value


def _storage(reference: object) -> Storage:
    parts = cast("tuple[object, ...]", reference) if isinstance(reference, tuple) else ()
    if len(parts) != 5 or parts[0] != "storage":
        raise ValueError("its pickle refers to data outside of the file")
    _, elements, key, _, count = parts
    if not (isinstance(elements, _Name) and isinstance(key, str) and isinstance(count, int)):
        raise ValueError("its pickle refers to a storage with wrong arguments")
    return Storage(elements.name, key, count)
