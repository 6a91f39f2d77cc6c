"""Values whose bits do not meet: they stand side by side as one value, without an adder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from heapq import heappop, heappush
from typing import NamedTuple


class Extent(NamedTuple):
    """The bits that a summand has.

    Parameters
    ----------
    zeros : number of lowest bits that are always 0.
    bits : number of bits, these included.
    signed : the summand may be negative; nothing can stand above it.
    absorbed : the LUTs of an adder absorb all of its bits.
    """

    zeros: int
    bits: int
    signed: bool
    absorbed: bool


def side_by_side(extents: Sequence[Extent]) -> Iterator[tuple[int, int]]:
    """Pairs of summands whose bits do not meet, the upper one first.

    Summands are numbered as in `extents`; each pair becomes a summand with the next number. A
    summand is in one pair at most. Below an upper one stands the widest that fits, preferably one
    that adders absorb if they absorb the upper one, so that adders absorb both or none.
    """
    known: list[Extent] = []
    below: dict[tuple[bool, int], list[int]] = {}
    """Summands without sign, by `absorbed` and `bits`."""
    pending: list[tuple[int, int]] = []
    """Possible upper summands: fewest zeros first, of equal ones the latest."""

    def offer(each: Extent) -> None:
        number = len(known)
        known.append(each)
        if not each.signed:
            below.setdefault((each.absorbed, each.bits), []).append(number)
        heappush(pending, (each.zeros, -number))

    for each in extents:
        offer(each)
    gone: set[int] = set()
    while pending:
        upper = -heappop(pending)[1]
        top = known[upper]
        lower = None if upper in gone else _take_widest_below(top, below)
        if lower is None:
            continue
        if not top.signed:
            below[top.absorbed, top.bits].remove(upper)
        gone.update((upper, lower))
        yield upper, lower
        bottom = known[lower]
        offer(Extent(bottom.zeros, top.bits, top.signed, top.absorbed and bottom.absorbed))


def _take_widest_below(top: Extent, below: Mapping[tuple[bool, int], list[int]]) -> int | None:
    """Remove and return the widest summand that ends below another one."""
    for absorbed in (top.absorbed, not top.absorbed):
        for bits in range(top.zeros, 0, -1):
            some = below.get((absorbed, bits))
            if some:
                return some.pop(0)
    return None
