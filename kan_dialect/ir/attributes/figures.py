"""Figures that a pass records in an attribute of a function, for later passes and reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from xdsl.dialects import func
from xdsl.dialects.builtin import (
    ArrayAttr,
    DictionaryAttr,
    FloatAttr,
    IntegerAttr,
    StringAttr,
    f64,
    i64,
)
from xdsl.ir import Attribute

from kan_dialect.errors import KanError


def record_figures(function: func.FuncOp, name: str, figures: Mapping[str, object]) -> None:
    """Record numbers, strings, and lists and dictionaries of them as the attribute `name`."""
    function.attributes[name] = _attribute(dict(figures))


def recorded_figures(function: func.FuncOp, name: str) -> dict[str, object] | None:
    """The figures that `record_figures` recorded as the attribute `name`, or None.

    Raises
    ------
    KanError : the attribute is no dictionary.
    """
    found = function.attributes.get(name)
    if found is None:
        return None
    if not isinstance(found, DictionaryAttr):
        raise KanError(
            f"@{function.sym_name.data}: {name} must be a dictionary of figures, got {found}",
            remedy="leave the attribute out",
        )
    return cast("dict[str, object]", _value(found))


def _attribute(value: object) -> Attribute:
    match value:
        case dict():
            entries = cast("dict[str, object]", value).items()
            return DictionaryAttr({key: _attribute(each) for key, each in entries})
        case list():
            return ArrayAttr(_attribute(each) for each in cast("list[object]", value))
        case int():
            return IntegerAttr(value, i64)
        case float():
            return FloatAttr(value, f64)
        case _:
            return StringAttr(str(value))


def _value(attribute: Attribute) -> object:
    match attribute:
        case DictionaryAttr():
            return {key: _value(each) for key, each in attribute.data.items()}
        case ArrayAttr():
            return [_value(each) for each in attribute.data]
        case IntegerAttr() | FloatAttr():
            return attribute.value.data
        case StringAttr():
            return attribute.data
        case _:
            return str(attribute)
