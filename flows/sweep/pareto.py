"""The Pareto front of points, and the cheapest point that is good enough."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kan_dialect.flows.trials.columns import COLUMNS, Row, is_number
from kan_dialect.ir.constants import BoolArray, FloatArray


def pareto_front(costs: FloatArray) -> BoolArray:
    """Mask of the rows that no other row dominates: (points), bool.

    A row dominates another if no cost is larger and one cost is smaller. Equal rows are all on the
    front or all off it. A row with a NaN is off it.

    Parameters
    ----------
    costs : (points, objectives), float64; less is better.
    """
    known = np.unique(costs[~np.isnan(costs.sum(axis=1))], axis=0)
    # In lexicographic order, a row stands behind the rows that dominate it.
    kept = np.empty((0, costs.shape[1]))
    for row in known:
        if not (kept <= row).all(axis=1).any():
            kept = np.vstack([kept, row])
    best = {tuple(row) for row in kept.tolist()}
    return np.array([tuple(row) in best for row in costs.tolist()], dtype=np.bool_)


def costs_of(rows: Sequence[Row], objectives: Sequence[str]) -> FloatArray:
    """Figures as costs, (rows, objectives), float64: less is better, NaN is unknown."""
    costs = np.full((len(rows), len(objectives)), np.nan)
    for column, name in enumerate(objectives):
        sign = -1.0 if name in COLUMNS and COLUMNS[name].better > 0 else 1.0
        for index, row in enumerate(rows):
            value = row.get(name)
            if value is not None and is_number(value):
                costs[index, column] = sign * float(value)
    return costs


def cheapest(
    rows: Sequence[Row], quality: str, cost: str, reference: float, loss: float
) -> int | None:
    """Index of the row of least `cost` whose quality is within `loss` of `reference`, or None.

    Among rows of equal cost the best quality wins, then the least error against the float model.

    Parameters
    ----------
    quality, cost : columns.
    reference : quality to compare with.
    loss : for accuracies, an allowed difference; for errors, an allowed increase relative to the
        reference.
    """
    good, area, error = costs_of(rows, [quality, cost, "validation_error"]).T
    more = COLUMNS[quality].better > 0
    limit = loss - reference if more else reference * (1 + loss)
    # The margin of 1e-9 covers rounding.
    fits = np.flatnonzero((good <= limit + 1e-9) & ~np.isnan(area))
    if not fits.size:
        return None
    order = np.lexsort((error[fits], good[fits], area[fits]))
    return int(fits[order[0]])
