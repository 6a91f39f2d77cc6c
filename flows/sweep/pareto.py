"""Which points no other beats, and which one is the cheapest that is good enough."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kan_dialect.flows.sweep.columns import COLUMNS, Row, is_number
from kan_dialect.ir.constants import BoolArray, FloatArray


def pareto_front(costs: FloatArray) -> BoolArray:
    """Which rows of `costs` (points, objectives; less is better) no other row dominates.

    A row dominates another if it is nowhere larger and somewhere smaller. Rows that are the same
    are all in or all out. A row with a NaN is out.
    """
    known = np.unique(costs[~np.isnan(costs.sum(axis=1))], axis=0)
    # In lexicographic order: what dominates a row stands before it.
    kept = np.empty((0, costs.shape[1]))
    for row in known:
        if not (kept <= row).all(axis=1).any():
            kept = np.vstack([kept, row])
    best = {tuple(row) for row in kept.tolist()}
    return np.array([tuple(row) in best for row in costs.tolist()], dtype=np.bool_)


def costs_of(rows: Sequence[Row], objectives: Sequence[str]) -> FloatArray:
    """Figures (rows, objectives) such that less is better; NaN where there is none."""
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
    """The row of least `cost` of those hardly worse than `reference`.

    Of several, the best; of these, the one with the least error against the float model.

    Hardly worse is at most by `loss`: of accuracies that share of the samples, of errors that share
    of the reference. None where no row is.
    """
    good, area, error = costs_of(rows, [quality, cost, "validation_error"]).T
    more = COLUMNS[quality].better > 0
    limit = loss - reference if more else reference * (1 + loss)
    # A hair's breadth for rounding.
    fits = np.flatnonzero((good <= limit + 1e-9) & ~np.isnan(area))
    if not fits.size:
        return None
    order = np.lexsort((error[fits], good[fits], area[fits]))
    return int(fits[order[0]])
