"""The points of a sweep: values for those options of `kan-compile` that vary.

Options are the fields of `kan-compile`'s dataclass, spelt as in a pipeline. Two stand for a part of
`bits`: `input-bits` for the inputs' codes, `activation-bits` for those of all layers.
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
"""Stands between the numbers of one value; values have commas between."""


@dataclass(frozen=True)
class Axis:
    """An option and its values, each once."""

    option: str
    values: tuple[OptionValue, ...]


@dataclass(frozen=True)
class Point:
    """One choice of options; all others have `kan-compile`'s defaults."""

    options: tuple[tuple[str, OptionValue], ...] = ()

    def with_options(self, more: Mapping[str, OptionValue]) -> Point:
        return Point((*self.options, *more.items()))

    def __str__(self) -> str:
        """As on the command line: `bits=6 levels=2`."""
        return " ".join(f"{option}={spell(value)}" for option, value in self.options) or "defaults"

    def compile_pass(self, layers: int, data: str | None = None) -> CompilePass:
        """The pipeline of the point.

        Parameters
        ----------
        layers : how many numbers of bits `kan-quantize` takes, but for the inputs'.
        data : the calibration data's path.

        Raises
        ------
        KanError : a value is none for its option.
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
        """The passes of the pipeline, in order; raises as `compile_pass`."""
        try:
            return self.compile_pass(layers, data).passes()
        except KanError as error:
            raise KanError(f"{self}: {error.message}", remedy=error.remedy) from None


def spell(value: OptionValue) -> str:
    """A value as `--vary` takes it."""
    return spell_value(value, SEPARATOR)


def parse_axis(text: str) -> Axis:
    """An axis from `OPTION=VALUES`: values with commas between, numbers also as `2..10`.

    Widths of single layers stand with colons between: `bits=6,6:8:8`. `2..10..4` has steps of 4.

    Raises
    ------
    KanError : there is no such option, no value, or a value of another type.
    """
    option, equals, values = text.partition("=")
    option = option.strip().replace("_", "-")
    if not equals:
        raise KanError(f"cannot read {text!r}", remedy="write --vary OPTION=VALUES, as bits=2..10")
    if option not in OPTIONS:
        more = "; the data is what --calibration says" if option == "data" else ""
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
        raise KanError(f"{option.name}: the steps of {text} are 0")
    values = range(first, last + 1, step)
    if len(values) > MAX_POINTS:
        raise KanError(f"{option.name}: {text} has {len(values)} values, more than {MAX_POINTS}")
    yield from values


def grid(axes: Sequence[Axis]) -> list[Point]:
    """All combinations, the last axis varying fastest; one point, all defaults, of no axes.

    Raises
    ------
    KanError : an option varies twice, or there are too many points.
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
