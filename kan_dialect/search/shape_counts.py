"""What `kan-share-shapes` found: how many shapes carry how much accuracy."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.dialects import func

from kan_dialect.ir.figures import note, noted

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
    note(function, SHAPES, shapes.as_dict())


def noted_shapes(function: func.FuncOp) -> dict[str, object] | None:
    """What `note_shapes` left, as `Shapes.as_dict` says it, or None."""
    return noted(function, SHAPES)
