"""The points of a sweep: values of the options of `kan-compile` that vary.

Options are the fields of `kan-compile`'s dataclass, spelt as in a pipeline. Two further options set
a part of `bits`: `input-bits` for the codes of the inputs, `activation-bits` for all layers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import Any

from kan_dialect.errors import KanError
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.passbase.kan_pass import KanPass
from kan_dialect.passbase.option_text import OptionValue, expected, read_value, spell_value
from kan_dialect.passbase.options import Option, option_of, options_of
from kan_dialect.passbase.pipeline import suggestion
from kan_dialect.passes.quantize import QuantizePass

INPUT_BITS = "input-bits"
ACTIVATION_BITS = "activation-bits"
PARTS_OF_BITS = (INPUT_BITS, ACTIVATION_BITS)

MAX_POINTS = 100_000

_BITS = replace(option_of(QuantizePass, "bits"), kinds=(int,))
_OPTIONS = {
    **{option.name: option for option in options_of(CompilePass) if option.name != "data"},
    **{name: replace(_BITS, name=name) for name in PARTS_OF_BITS},
}
OPTIONS = tuple(_OPTIONS)
"""Names of the options that may vary."""

SEPARATOR = ":"
"""Separates the numbers of one value; commas separate values."""


@dataclass(frozen=True)
class Axis:
    """An option and its distinct values."""

    option: str
    values: tuple[OptionValue, ...]


@dataclass(frozen=True)
class Point:
    """A value for each varied option; the other options keep the defaults of `kan-compile`."""

    options: tuple[tuple[str, OptionValue], ...] = ()

    def with_options(self, more: Mapping[str, OptionValue]) -> Point:
        """The point with further options."""
        return Point((*self.options, *more.items()))

    def __str__(self) -> str:
        """As on the command line: `bits=6 levels=2`."""
        return " ".join(f"{option}={spell(value)}" for option, value in self.options) or "defaults"

    def compile_pass(self, layers: int, data: str | None = None) -> CompilePass:
        """The pipeline of the point.

        Parameters
        ----------
        layers : number of widths that `kan-quantize` takes beside the width of the inputs.
        data : path of the calibration data, or None.

        Raises
        ------
        KanError : an option does not take its value.
        """
        chosen = dict(self.options)
        fields: dict[str, Any] = {
            option.replace("-", "_"): value
            for option, value in chosen.items()
            if option not in PARTS_OF_BITS
        }
        if any(option in chosen for option in PARTS_OF_BITS):
            default = CompilePass(data=data, **fields).given_bits
            inputs, others = (chosen.get(option, default) for option in PARTS_OF_BITS)
            fields["bits"] = (inputs, *(others,) * layers)
        return CompilePass(data=data, **fields)

    def passes(self, layers: int, data: str | None = None) -> Sequence[KanPass]:
        """The passes of the pipeline, in order.

        Parameters and errors are those of `compile_pass`.
        """
        try:
            return self.compile_pass(layers, data).passes()
        except KanError as error:
            raise KanError(f"{self}: {error.message}", remedy=error.remedy) from None


def spell(value: OptionValue) -> str:
    """A value in the spelling of `--vary`."""
    return spell_value(value, SEPARATOR)


def parse_axis(text: str) -> Axis:
    """Read an axis from `OPTION=VALUES`.

    Commas separate values, and colons the widths of single layers in one value: `bits=6,6:8:8`.
    Numbers may be a range: `2..10`, or `2..10..4` in steps of 4.

    Raises
    ------
    KanError : the option does not exist, has no values, or does not take one of the values.
    """
    option, equals, values = text.partition("=")
    option = option.strip().replace("_", "-")
    if not equals:
        raise KanError(f"cannot read {text!r}", remedy="write --vary OPTION=VALUES, as bits=2..10")
    if option not in OPTIONS:
        more = "; --calibration gives the data" if option == "data" else ""
        raise KanError(
            f"there is no option {option!r} to vary{more}",
            remedy=suggestion(option, OPTIONS, "options are", OPTIONS),
        )
    found = dict.fromkeys(
        value
        for part in values.split(",")
        if part.strip()
        for value in _values(_OPTIONS[option], part.strip())
    )
    if not found:
        raise KanError(f"{option} has no values in {text!r}: the grid is empty")
    return Axis(option, tuple(found))


def _values(option: Option, text: str) -> Iterator[OptionValue]:
    """One value, or the numbers of a range."""
    found = re.fullmatch(r"(-?\d{1,9})\.\.(-?\d{1,9})(?:\.\.(\d{1,9}))?", text)
    if found is None or int not in option.kinds:
        try:
            yield read_value(option, text, SEPARATOR)
        except ValueError:
            raise KanError(
                f"option {option.name} cannot be {text!r}",
                remedy=f"it takes {expected(option, SEPARATOR)}",
            ) from None
        return
    first, last, step = int(found[1]), int(found[2]), int(found[3] or 1)
    if step == 0:
        raise KanError(f"{option.name}: the step of {text} is 0")
    values = range(first, last + 1, step)
    if len(values) > MAX_POINTS:
        raise KanError(f"{option.name}: {text} has {len(values)} values, more than {MAX_POINTS}")
    yield from values


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
