"""Points: values of the options that vary, spelt as in a pipeline."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import product
from math import prod

from kan_dialect.errors import KanError
from kan_dialect.flows.trials.pipeline import DEFAULT, PARTS_OF_BITS, Pipeline, Values
from kan_dialect.passbase.option_text import OptionValue, expected, read_value, spell_value
from kan_dialect.passbase.options import Option

MAX_POINTS = 100_000

SEPARATOR = ":"
"""Separates the numbers of one value; commas separate values."""


@dataclass(frozen=True)
class Axis:
    """An option, by its canonical name in a `Pipeline`, and its distinct values."""

    option: str
    values: tuple[OptionValue, ...]


@dataclass(frozen=True)
class Point:
    """A value for each varied option; the other options are as in the pipeline."""

    options: Values = ()

    def with_options(self, more: Mapping[str, OptionValue]) -> Point:
        """The point with further options."""
        return Point((*self.options, *more.items()))

    def cells(self) -> dict[str, int | float | str]:
        """The options by column: numbers as they are, other values as on the command line."""
        return {
            column_of(name): value if isinstance(value, int | float) else spell(value)
            for name, value in self.options
        }

    def __str__(self) -> str:
        """As on the command line: `bits=6 levels=2`."""
        return " ".join(f"{option}={spell(value)}" for option, value in self.options) or "defaults"


def spell(value: OptionValue) -> str:
    """A value in the spelling of `--vary`."""
    return spell_value(value, SEPARATOR)


def column_of(option: str) -> str:
    """The column of an option in the table: `guard_bits`, `kan_split_tables.parts`."""
    return option.replace("-", "_")


def parse_axis(text: str, pipeline: Pipeline = DEFAULT) -> Axis:
    """Read an axis from `OPTION=VALUES` or `PASS.OPTION=VALUES`.

    Commas separate values, and colons the widths of single layers in one value: `bits=6,6:8:8`.
    Numbers may be a range: `2..10`, or `2..10..4` in steps of 4.

    Parameters
    ----------
    pipeline : contains the pass, or a pass that expands to it.

    Raises
    ------
    KanError : the option does not exist, has no values, or does not take one of the values.
    """
    name, equals, values = (part.strip() for part in text.partition("="))
    if not equals:
        raise KanError(f"cannot read {text!r}", remedy="write --vary OPTION=VALUES, as bits=2..10")
    option = pipeline.option(name)
    parts = filter(None, map(str.strip, values.split(",")))
    found = dict.fromkeys(value for part in parts for value in _values(option, part))
    if not found:
        raise KanError(f"{option.name} has no values in {text!r}: the grid is empty")
    return Axis(option.name, tuple(found))


_NUMBER = r"-?\d{1,9}(?:\.\d{1,9})?"
_RANGE = re.compile(rf"({_NUMBER})\.\.({_NUMBER})(?:\.\.({_NUMBER}))?")


def _values(option: Option, text: str) -> Iterator[OptionValue]:
    """One value, or the numbers of a range."""
    found = _RANGE.fullmatch(text)
    if found is None or not {int, float} & set(option.kinds):
        yield _one_value(option, text)
        return
    first, last, step = (Decimal(number or 1) for number in found.groups())
    if step <= 0:
        raise KanError(f"{option.name}: the step of {text} is {step}")
    count = max(0, int((last - first) / step) + 1) if last >= first else 0
    if count > MAX_POINTS:
        raise KanError(f"{option.name}: {text} has {count} values, more than {MAX_POINTS}")
    for number in range(count):
        yield _one_value(option, str(first + number * step))


def _one_value(option: Option, text: str) -> OptionValue:
    """A value, which lies in the bounds of the option.

    Raises
    ------
    KanError : it does not, or the option does not take it.
    """
    try:
        value = read_value(option, text, SEPARATOR)
    except ValueError:
        raise KanError(
            f"option {option.name} cannot be {text!r}",
            remedy=f"it takes {expected(option, SEPARATOR)}",
        ) from None
    if option.bounds is not None:
        option.bounds.require_all(option.name, value)
    return value


def grid(axes: Sequence[Axis]) -> list[Point]:
    """All combinations of values; the last axis varies fastest. No axes give one point of defaults.

    Raises
    ------
    KanError : an option varies twice, or the points are more than MAX_POINTS.
    """
    options = [axis.option for axis in axes]
    for option in options:
        if options.count(option) > 1:
            raise KanError(
                f"option {option} varies twice", remedy="give all its values in one --vary"
            )
    if "bits" in options and any(part in options for part in PARTS_OF_BITS):
        raise KanError(
            "bits cannot vary beside input-bits or activation-bits, which are parts of it"
        )
    count = prod(len(axis.values) for axis in axes)
    if count > MAX_POINTS:
        raise KanError(f"the grid has {count} points, more than {MAX_POINTS}")
    return [
        Point(tuple(zip(options, values, strict=True)))
        for values in product(*(axis.values for axis in axes))
    ]
