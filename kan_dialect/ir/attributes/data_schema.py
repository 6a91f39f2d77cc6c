"""The columns of a table that a network reads and predicts, as attributes of its function.

Functions and hardware modules carry them through all passes, and compute nothing from them:

func.func @iris(...) attributes {
  kan.features = ["length", "width"], kan.missing = array<f64: 5.8, 3.0>,
  kan.label = "species", kan.classes = ["aster", ...]
}
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from xdsl.dialects import func, hw
from xdsl.dialects.builtin import (
    ArrayAttr,
    BytesAttr,
    DenseArrayBase,
    DictionaryAttr,
    IntegerAttr,
    StringAttr,
    TensorType,
    f64,
)
from xdsl.ir import Attribute, Operation
from xdsl.utils.exceptions import VerifyException

from kan_dialect.errors import KanError
from kan_dialect.ir.attributes.attribute_names import (
    CLASSES,
    FEATURES,
    HEAD,
    LABEL,
    MISSING,
    ROLE,
    TARGETS,
)
from kan_dialect.ir.constants import FloatArray


@dataclass(frozen=True)
class DataSchema:
    """What the columns of a table mean to a network."""

    features: tuple[str, ...] = ()
    """A name for each input, in the order of the inputs; empty where they are not known."""
    classes: tuple[str, ...] = ()
    """A name for each class, in the order of the outputs; empty where they are not known."""
    label: str = ""
    """The column of classes; empty where it is not known, or results are no classes."""
    targets: tuple[str, ...] = ()
    """A column of numbers for each output; empty where they are not known."""
    missing: tuple[float, ...] = ()
    """What stands for a missing value of each feature; empty where no value may be missing."""

    @staticmethod
    def read(
        where: str,
        features: Iterable[str],
        classes: Iterable[str] = (),
        label: str = "",
        targets: Iterable[str] = (),
    ) -> DataSchema:
        """Names from a file. Names of ports, `x0`, `x1`, ... in order, name nothing.

        Runs of white space, line ends among them, become one space.

        Parameters
        ----------
        where : the file, for messages.

        Raises
        ------
        KanError : a name is empty or not printable, or is given twice.
        """
        found, named, numbers = (
            tuple(" ".join(each.split()) for each in names)
            for names in (features, classes, targets)
        )
        features = () if found == input_ports(len(found)) else found
        schema = DataSchema(features, named, " ".join(label.split()), numbers)
        problem = schema.problem
        if problem is not None:
            raise KanError(
                f"{where}: {problem}",
                remedy="give each feature and class a name of its own; leave out a column of row "
                "numbers",
            )
        return schema

    @staticmethod
    def of(op: Operation) -> DataSchema:
        """What a function or hardware module carries.

        Raises
        ------
        VerifyException : an attribute holds something else.
        """
        features, classes, targets = (_strings(op, name) for name in (FEATURES, CLASSES, TARGETS))
        return DataSchema(features, classes, _string(op), targets, _numbers(op))

    def declare(self, op: Operation) -> None:
        """Set the attributes of a function or hardware module; what is empty is removed."""
        given: dict[str, Attribute] = {
            name: ArrayAttr(map(StringAttr, names))
            for name, names in (
                (FEATURES, self.features),
                (CLASSES, self.classes),
                (TARGETS, self.targets),
            )
            if names
        }
        if self.label:
            given[LABEL] = StringAttr(self.label)
        if self.missing:
            given[MISSING] = DenseArrayBase.from_list(f64, self.missing)
        for name in (FEATURES, CLASSES, LABEL, TARGETS, MISSING):
            op.attributes.pop(name, None)
            if name in given:
                op.attributes[name] = given[name]

    def filled(self, x: FloatArray) -> FloatArray:
        """Samples (samples, features) with what stands for missing values in place of NaN."""
        return np.where(np.isnan(x), self.missing, x) if self.missing else x

    @property
    def labels(self) -> tuple[str, ...]:
        """The columns of labels; empty where they are not known."""
        return (self.label,) if self.label else self.targets

    @property
    def problem(self) -> str | None:
        """What is wrong with the names; None where nothing is."""
        if self.label and self.targets:
            return f"the labels are classes of column {self.label!r}, and numbers of others"
        labels = (self.label,) if self.label else ()
        for what, names in (
            ("feature", self.features),
            ("class", self.classes),
            ("label", labels),
            ("target", self.targets),
        ):
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


NO_SCHEMA = DataSchema()
"""Nothing is known of the columns."""


def input_ports(count: int) -> tuple[str, ...]:
    """Names of the input ports of a network."""
    return tuple(f"x{index}" for index in range(count))


def named_port(port: str, name: str) -> str:
    """A port with the name of its feature or class, if it has one: `x0 (alcohol)`."""
    return f"{port} ({name})" if name else port


def verify_schema(op: Operation) -> None:
    """Verify what a function or hardware module carries.

    Raises
    ------
    VerifyException : names are not printable or not unique, or a number of them is wrong.
    """
    schema = DataSchema.of(op)
    if schema == NO_SCHEMA:
        return
    if schema.problem is not None:
        raise VerifyException(schema.problem)
    inputs, outputs = features_of(op), outputs_of(op)
    if schema.features and len(schema.features) != inputs:
        raise VerifyException(f"{FEATURES} has {len(schema.features)} names for {inputs} inputs")
    if schema.classes and len(schema.classes) != classes_of(outputs):
        raise VerifyException(f"{CLASSES} has {len(schema.classes)} names for {outputs} outputs")
    if schema.targets and len(schema.targets) != outputs:
        raise VerifyException(f"{TARGETS} has {len(schema.targets)} names for {outputs} outputs")
    if schema.missing and len(schema.missing) != inputs:
        raise VerifyException(f"{MISSING} has {len(schema.missing)} values for {inputs} inputs")
    if not all(map(math.isfinite, schema.missing)):
        raise VerifyException(f"{MISSING} has a value that is not finite")


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


def _string(op: Operation) -> str:
    attribute = op.attributes.get(LABEL)
    found = "" if attribute is None else _text(attribute)
    if found is None:
        raise VerifyException(f"{LABEL} must be a string in UTF-8, got {attribute}")
    return found


def _numbers(op: Operation) -> tuple[float, ...]:
    attribute = op.attributes.get(MISSING)
    if attribute is None:
        return ()
    values = cast("DenseArrayBase[Any]", attribute)
    if not isinstance(attribute, DenseArrayBase) or values.elt_type != f64:
        raise VerifyException(f"{MISSING} must be an array<f64: ...>, got {attribute}")
    return tuple(map(float, values.get_values()))


def _text(entry: Attribute) -> str | None:
    """A string; xDSL parses one with characters outside ASCII as bytes."""
    if isinstance(entry, StringAttr):
        return entry.data
    try:
        return entry.data.decode() if isinstance(entry, BytesAttr) else None
    except UnicodeDecodeError:
        return None
