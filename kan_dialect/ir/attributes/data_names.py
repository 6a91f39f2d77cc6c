"""`kan.features` and `kan.classes`: what the data calls the inputs and the classes of a network.

Functions and hardware modules carry them through all passes, and nothing is computed from them:

func.func @iris(...) attributes {kan.features = ["length", "width"], kan.classes = ["aster", ...]}
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

from xdsl.dialects import func, hw
from xdsl.dialects.builtin import (
    ArrayAttr,
    BytesAttr,
    DictionaryAttr,
    IntegerAttr,
    StringAttr,
    TensorType,
)
from xdsl.ir import Attribute, Operation
from xdsl.utils.exceptions import VerifyException

from kan_dialect.errors import KanError
from kan_dialect.ir.attributes.attribute_names import CLASSES, FEATURES, HEAD, ROLE


@dataclass(frozen=True)
class DataNames:
    """Names of the features of a sample and of its classes."""

    features: tuple[str, ...] = ()
    """A name for each input, in the order of the inputs; empty where they are not known."""
    classes: tuple[str, ...] = ()
    """A name for each class, in the order of the outputs; empty where they are not known."""

    @staticmethod
    def read(where: str, features: Iterable[str], classes: Iterable[str] = ()) -> DataNames:
        """Names from a file. Names of ports, `x0`, `x1`, ... in order, name nothing.

        Runs of white space, line ends among them, become one space.

        Parameters
        ----------
        where : the file, for messages.

        Raises
        ------
        KanError : a name is empty or not printable, or is given twice.
        """
        found, named = (tuple(" ".join(each.split()) for each in n) for n in (features, classes))
        names = DataNames(() if found == input_ports(len(found)) else found, named)
        problem = names.problem
        if problem is not None:
            raise KanError(
                f"{where}: {problem}",
                remedy="give each feature and class a name of its own; leave out a column of row "
                "numbers",
            )
        return names

    @staticmethod
    def of(op: Operation) -> DataNames:
        """The names that a function or hardware module carries.

        Raises
        ------
        VerifyException : an attribute holds something else than strings.
        """
        return DataNames(_strings(op, FEATURES), _strings(op, CLASSES))

    def declare(self, op: Operation) -> None:
        """Set the attributes of a function or hardware module; those without names are removed."""
        for attribute, names in ((FEATURES, self.features), (CLASSES, self.classes)):
            op.attributes.pop(attribute, None)
            if names:
                op.attributes[attribute] = ArrayAttr(map(StringAttr, names))

    @property
    def problem(self) -> str | None:
        """What is wrong with the names; None where nothing is."""
        for what, names in (("feature", self.features), ("class", self.classes)):
            places: dict[str, int] = {}
            for place, name in enumerate(names):
                if not name:
                    return f"{what} {place} has no name"
                if not name.isprintable():
                    return f"{what} {place} is called {name!r}, which is not printable"
                if name in places:
                    return f"{what} {places[name]} and {what} {place} are both called {name!r}"
                places[name] = place
        return None


NAMELESS = DataNames()
"""Neither features nor classes have names."""


def input_ports(count: int) -> tuple[str, ...]:
    """Names of the input ports of a network."""
    return tuple(f"x{index}" for index in range(count))


def named_port(port: str, name: str) -> str:
    """A port with the name of its feature or class, if it has one: `x0 (alcohol)`."""
    return f"{port} ({name})" if name else port


def verify_names(op: Operation) -> None:
    """Verify the names of a function or hardware module.

    Raises
    ------
    VerifyException : they are not printable or not unique, or their number is wrong.
    """
    names = DataNames.of(op)
    if names == NAMELESS:
        return
    if names.problem is not None:
        raise VerifyException(names.problem)
    inputs, outputs = features_of(op), outputs_of(op)
    if names.features and len(names.features) != inputs:
        raise VerifyException(f"{FEATURES} has {len(names.features)} names for {inputs} inputs")
    if names.classes and len(names.classes) != classes_of(outputs):
        raise VerifyException(f"{CLASSES} has {len(names.classes)} names for {outputs} outputs")


def classes_of(outputs: int) -> int:
    """Number of classes that outputs tell apart: one output tells two."""
    return max(outputs, 2)


def features_of(op: Operation) -> int:
    """Number of features of a sample that a function or hardware module takes."""
    if isinstance(op, hw.HWModuleOp):
        return _ports(op, "x")
    assert isinstance(op, func.FuncOp)
    return _width(op.function_type.inputs.data, op.arg_attrs, "input")


def outputs_of(op: Operation) -> int:
    """Number of outputs of a network, in front of its head."""
    head = op.attributes.get(HEAD)
    reads = head.data.get("reads") if isinstance(head, DictionaryAttr) else None
    if isinstance(reads, IntegerAttr):
        return reads.value.data
    if isinstance(op, hw.HWModuleOp):
        return _ports(op, "y")
    assert isinstance(op, func.FuncOp)
    return _width(op.function_type.outputs.data, op.res_attrs, "output")


def _ports(module: hw.HWModuleOp, letter: str) -> int:
    names = (port.port_name.data for port in module.module_type.ports)
    return sum(re.fullmatch(rf"{letter}[0-9]+", name) is not None for name in names)


def _width(
    kinds: Sequence[Attribute], attributes: ArrayAttr[DictionaryAttr] | None, role: str
) -> int:
    """Number of elements; of a training step, those of one role."""
    width = 0
    for index, kind in enumerate(kinds):
        given = None if attributes is None else attributes.data[index].data.get(ROLE)
        if given in (None, StringAttr(role)):
            shape = kind.get_shape() if isinstance(kind, TensorType) else ()
            width += shape[0] if shape else 1
    return width


def _strings(op: Operation, name: str) -> tuple[str, ...]:
    attribute = op.attributes.get(name)
    if attribute is None:
        return ()
    entries = (
        cast("ArrayAttr[Attribute]", attribute).data if isinstance(attribute, ArrayAttr) else ()
    )
    found = tuple(text for entry in entries if (text := _text(entry)) is not None)
    if not found or len(found) < len(entries):
        raise VerifyException(f"{name} must be an array of strings in UTF-8, got {attribute}")
    return found


def _text(entry: Attribute) -> str | None:
    """A string; xDSL parses one with characters outside ASCII as bytes."""
    if isinstance(entry, StringAttr):
        return entry.data
    try:
        return entry.data.decode() if isinstance(entry, BytesAttr) else None
    except UnicodeDecodeError:
        return None
