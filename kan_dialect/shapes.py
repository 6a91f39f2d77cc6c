"""What `kan-share-shapes` found: how many shapes carry how much accuracy."""

from __future__ import annotations

from dataclasses import dataclass
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

SHAPES = "kan.shapes"
"""Attribute of a function: what `kan-share-shapes` tried, and how many shapes it took."""


@dataclass(frozen=True)
class Tried:
    """A number of shapes, and the scores with them where there are samples."""

    count: int
    calibration: float | None = None
    validation: float | None = None


@dataclass(frozen=True)
class Shapes:
    """The outcome of a search for the fewest shapes."""

    up_to: str
    chosen: int | None
    """Of each layer or input; None where no number that was tried keeps the budget."""
    edges: int
    before: tuple[float, float] | None
    """The scores without sharing: on all samples, and on those held out."""
    tried: tuple[Tried, ...]

    def as_dict(self) -> dict[str, object]:
        """What a report holds."""
        tried = [
            {
                "shapes": each.count,
                **({} if each.calibration is None else {"calibration": each.calibration}),
                **({} if each.validation is None else {"validation": each.validation}),
            }
            for each in self.tried
        ]
        before = {}
        if self.before is not None:
            before = {"before": dict(zip(("calibration", "validation"), self.before, strict=True))}
        shapes = {} if self.chosen is None else {"shapes": self.chosen}
        return {"up_to": self.up_to, **shapes, "edges": self.edges, **before, "tried": tried}


def note_shapes(function: func.FuncOp, shapes: Shapes) -> None:
    """Leave the outcome with the function."""
    function.attributes[SHAPES] = _attribute(shapes.as_dict())


def noted_shapes(function: func.FuncOp) -> dict[str, object] | None:
    """What `note_shapes` left, as `Shapes.as_dict` says it, or None."""
    noted = function.attributes.get(SHAPES)
    return None if noted is None else cast("dict[str, object]", _value(noted))


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
