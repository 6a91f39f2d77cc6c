"""Delays of ops and arrival times of values, with the ripple of carry chains."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Arrival(NamedTuple):
    """When the bits of a value are there, in ns after registers."""

    first: float = 0.0
    """The lowest bit of a sum; all bits of other values."""
    last: float = 0.0
    """All bits."""

    def or_later(self, other: Arrival) -> Arrival:
        """When both are there."""
        return Arrival(max(self.first, other.first), max(self.last, other.last))


class Delay(NamedTuple):
    """What an op takes, in ns. A carry chain is a ripple: a following one need not wait for it.

    The lowest bit of a sum is there before the others, and the next adder starts with it. So the
    chains of adders in a row run at the same time.
    """

    first: float
    """From an operand's bit to the same bit of the result."""
    ripple: float = 0.0
    """From the lowest bit of the result to the highest one."""
    onward: float = 0.0
    """What ops that read the result in the same stage wait for beside. Registers do not."""

    @property
    def whole(self) -> float:
        """From operands that are there at once to the whole result."""
        return self.first + self.ripple

    @property
    def is_none(self) -> bool:
        """Whether the result is its operands' wires, so that each bit is there when they are."""
        return not (self.first or self.ripple or self.onward)

    def after(self, operands: Iterable[Arrival]) -> Arrival:
        """When the result is there, for ops of the same stage."""
        first = last = 0.0
        for operand in operands:
            first, last = max(first, operand.first), max(last, operand.last)
        if not self.ripple:
            if self.is_none:
                return Arrival(first, last)
            last += self.first + self.onward
            return Arrival(last, last)
        return Arrival(first + self.first, max(last + self.first, first + self.whole))

    def within(self, limit: float) -> Delay:
        """The same, `limit` at most."""
        first = min(self.first, limit)
        return Delay(first, min(self.ripple, limit - first), self.onward)

    def end(self, arrival: Arrival) -> float:
        """When a register may take the result, if it is there then for other ops."""
        return arrival.last - self.onward
