"""Numeric options of commands, with their bounds."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from kan_dialect.errors import KanError
from kan_dialect.passbase.option_bounds import Bounds, shown

_Number = TypeVar("_Number", int, float)


@dataclass(frozen=True)
class NumberType(Generic[_Number]):
    """An argparse type: a number within bounds.

    Raises
    ------
    KanError : the text is no number, or one out of bounds; names the option.
    """

    option: str
    kind: Callable[[str], _Number]
    bounds: Bounds

    def __call__(self, text: str) -> _Number:
        try:
            value = self.kind(text)
        except ValueError:
            what = "whole number" if self.kind is int else "number"
            raise KanError(f"{self.option} takes a {what}, got {shown(text)!r}") from None
        self.bounds.require(self.option, value)
        return value


class Options(Protocol):
    """A parser, or a group of its options."""

    def add_argument(self, *names: str, **options: Any) -> argparse.Action:
        """Add an option."""
        ...


def add_number(
    parser: Options,
    option: str,
    bounds: Bounds,
    *,
    kind: type[int] | type[float] = int,
    help: str,
    **options: Any,
) -> None:
    """Add an option that takes a number; its help tells the bounds.

    Parameters
    ----------
    kind : whole numbers or any.
    options : what `add_argument` takes.
    """
    parser.add_argument(
        option, type=NumberType(option, kind, bounds), help=f"{help} [{bounds.range}]", **options
    )
