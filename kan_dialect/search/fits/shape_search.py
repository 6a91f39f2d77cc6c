"""The outcome of `kan-share-shapes`: accuracy by number of shapes."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.dialects import func

from kan_dialect.ir.attributes.figures import record_figures, recorded_figures

SHAPES = "kan.shapes"
"""Attribute of a function: the numbers of shapes that `kan-share-shapes` tried, and its choice."""


@dataclass(frozen=True)
class ShapeCount:
    """A number of shapes, and the scores with it if there are samples."""

    count: int
    calibration: float | None = None
    validation: float | None = None


@dataclass(frozen=True)
class ShapeSearch:
    """The outcome of a search for the fewest shapes."""

    up_to: str
    chosen: int | None
    """Number of shapes of each layer or input; None where no tried number keeps the budget."""
    edges: int
    before: tuple[float, float] | None
    """Scores without sharing, on all samples and on those held out."""
    tried: tuple[ShapeCount, ...]

    def as_dict(self) -> dict[str, object]:
        """The outcome as a report holds it."""
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


def record_shape_search(function: func.FuncOp, search: ShapeSearch) -> None:
    """Attach the outcome to the function."""
    record_figures(function, SHAPES, search.as_dict())


def recorded_shape_search(function: func.FuncOp) -> dict[str, object] | None:
    """The recorded outcome as `ShapeSearch.as_dict` gives it, or None."""
    return recorded_figures(function, SHAPES)
