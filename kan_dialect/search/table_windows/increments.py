"""The increments of a value that its tables share, and the window of each table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kan_dialect.search.table_windows.costs import TableCosts
from kan_dialect.search.table_windows.shared_codes import Reading
from kan_dialect.search.table_windows.windows import Window


class Choice(NamedTuple):
    """How the tables of a value read it.

    Attributes
    ----------
    luts : of the tables and increments.
    free : the increment that the value itself has.
    windows : of each reading, with the increment of the value that it reads.
    """

    luts: float
    free: int
    windows: list[tuple[int, Window]]


def choose_increments(
    readings: Sequence[Reading], bits: int, costs: TableCosts, *, is_free: bool
) -> Choice:
    """Increments are added one by one while that saves LUTs.

    Parameters
    ----------
    bits : of the value's code.
    is_free : one increment costs nothing, as the value is a sum that takes it in; else it is 0.
    """
    increments = sorted({window.increment for each in readings for _, window in each.windows})
    behind = {increment: [each.behind(increment) for each in readings] for increment in increments}
    luts = {increment: [cost for cost, _ in found] for increment, found in behind.items()}

    def total(chosen: Sequence[int], free: int) -> float:
        added = sum(costs.increment((each - free) % (1 << bits), bits) for each in chosen)
        return added + sum(map(min, zip(*(luts[each] for each in chosen), strict=True)))

    def grown(free: int) -> tuple[float, int, list[int]]:
        chosen, least = [free], total([free], free)
        while others := [each for each in increments if each not in chosen]:
            further, best = min((total([*chosen, each], free), each) for each in others)
            if further >= least:
                break
            chosen, least = [*chosen, best], further
        return least, free, chosen

    least, free, chosen = min(map(grown, increments if is_free else [0]))
    windows: list[tuple[int, Window]] = []
    for index in range(len(readings)):
        increment = min(chosen, key=lambda each: (luts[each][index], chosen.index(each)))
        windows.append((increment, behind[increment][index][1]))
    return Choice(least, free, windows)
