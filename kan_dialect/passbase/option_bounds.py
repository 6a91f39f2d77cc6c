"""Bounds of numeric options, declared with the option: of passes, of builds, of commands."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from kan_dialect.errors import KanError

_Default = TypeVar("_Default")

BOUNDS = "bounds"
"""Key of a dataclass field's metadata."""

TRIED = "tried"
"""Key of a dataclass field's metadata: the values that `kan-flow tune` tries."""


@dataclass(frozen=True)
class Bounds:
    """The numbers that an option takes, from `low` to `high`; never NaN."""

    low: float
    high: float = math.inf
    above: bool = False
    """`low` itself is too low."""
    below: bool = False
    """`high` itself is too high."""
    remedy: str | None = None
    """Reason or advice that the message ends with."""

    def admits(self, value: float) -> bool:
        """Whether a number is within the bounds."""
        low = value > self.low if self.above else value >= self.low
        return low and (value < self.high if self.below else value <= self.high)

    def __str__(self) -> str:
        """What a number must do: `lie in 0..8`, `be above 0`."""
        low, high = (shown(end) for end in (self.low, self.high))
        if self.high == math.inf:
            finite = " and finite" if self.below else ""
            return f"be {'above' if self.above else 'at least'} {low}{finite}"
        if self.above and self.below:
            return f"lie between {low} and {high}"
        if self.above or self.below:
            start = "above" if self.above else "at least"
            return f"be {start} {low} and {'below' if self.below else 'at most'} {high}"
        return f"lie in {low}..{high}"

    @property
    def range(self) -> str:
        """The same without a verb: `in 0..8`, `above 0`."""
        return str(self).split(" ", 1)[1]

    def require(self, name: str, value: float) -> None:
        """Refuse a number that is out of bounds.

        Raises
        ------
        KanError : names the option, the bounds and the number.
        """
        if not self.admits(value):
            raise KanError(f"{name} must {self}, got {shown(value)}", remedy=self.remedy)

    def require_all(self, name: str, value: object) -> None:
        """Refuse a value that is or has a number out of bounds; see `require`."""
        for number in cast("tuple[object, ...]", value if isinstance(value, tuple) else (value,)):
            if isinstance(number, int | float) and not isinstance(number, bool):
                self.require(name, number)


SEED = Bounds(0, (1 << 32) - 1)
"""Seeds of random generators."""

SHARE = Bounds(0, 1, above=True, below=True)
"""A proper part of something: more than nothing, less than all."""

LOSS = Bounds(0, 1, below=True)
"""Losses of accuracy or of explained variance."""


def bounded(default: _Default, bounds: Bounds, *, tried: tuple[_Default, ...] = ()) -> _Default:
    """A dataclass field for a number, several numbers, or None or a text instead of them.

    Parameters
    ----------
    tried : values among which `kan-flow tune` searches; all of them give the same outputs.
    """
    metadata = {BOUNDS: bounds, TRIED: tried}
    return cast(_Default, dataclasses.field(default=cast(Any, default), metadata=metadata))


def declared_bounds(owner: Any) -> Iterator[tuple[str, Bounds]]:
    """Names and bounds of the bounded fields of a dataclass."""
    for field in dataclasses.fields(owner):
        if BOUNDS in field.metadata:
            yield field.name, field.metadata[BOUNDS]


def require_bounds(options: Any) -> None:
    """Refuse an instance of a dataclass with a number that is out of its field's bounds.

    Raises
    ------
    KanError : names the option, as passes spell it, the bounds and the number.
    """
    for field, bounds in declared_bounds(options):
        name, given = field.replace("_", "-"), getattr(options, field)
        values = cast("tuple[object, ...]", given if isinstance(given, tuple) else (given,))
        for value in values:
            if isinstance(value, bool):
                raise KanError(f"{name} takes a number, got {str(value).lower()}")
            if isinstance(value, int | float):
                bounds.require(name, value)


_LONGEST = 40
"""Characters of a value that a message shows."""


def shown(value: object) -> str:
    """A value as messages show it."""
    try:
        text = f"{value:.15g}" if isinstance(value, float) else str(value)
    except ValueError:  # an integer of thousands of digits
        return "a number of thousands of digits"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}... ({len(text)} characters)"
