"""The outcome of `kan-share-shapes` and `kan-shape-tables`: accuracy by number of shapes."""

from __future__ import annotations

from xdsl.dialects import func

from kan_dialect.ir.attributes.figures import record_figures, recorded_figures

SHAPES = "kan.shapes"
"""Attribute of a function: the numbers of shapes that a pass tried, and its choice."""

Scores = tuple[float, float]
"""Of all samples, and of those held out."""


def _named(scores: Scores) -> dict[str, float]:
    return dict(zip(("calibration", "validation"), scores, strict=True))


def record_shape_search(
    function: func.FuncOp,
    up_to: str,
    chosen: int | None,
    edges: int,
    before: Scores | None,
    tried: dict[int, Scores | None],
) -> None:
    """Attach the outcome of a search for the fewest shapes to the function.

    Parameters
    ----------
    chosen : number of shapes of each layer or input; None where no tried number keeps the budget.
    edges : number of edges that are copies.
    before : scores without sharing; None without samples.
    tried : scores by number of shapes; None without samples.
    """
    figures: dict[str, object] = {
        "up_to": up_to,
        **({} if chosen is None else {"shapes": chosen}),
        "edges": edges,
        **({} if before is None else {"before": _named(before)}),
        "tried": [
            {"shapes": count, **({} if scores is None else _named(scores))}
            for count, scores in tried.items()
        ],
    }
    record_figures(function, SHAPES, figures)


def recorded_shape_search(function: func.FuncOp) -> dict[str, object] | None:
    """The figures that `record_shape_search` attached, or None."""
    return recorded_figures(function, SHAPES)
