"""The points of a sweep: values for those options of `kan-compile` that vary.

Options are the fields of `kan-compile`'s dataclass, spelt as in a pipeline. Two stand for a part of
`bits`: `input-bits` for the inputs' codes, `activation-bits` for those of all layers.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from math import prod
from types import NoneType, UnionType
from typing import Any, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints

from kan_dialect.errors import KanError
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.passbase.kan_pass import KanPass
from kan_dialect.passbase.pipeline import suggestion
from kan_dialect.search.precision.budgets import parse_loss

Value: TypeAlias = int | float | bool | str | tuple[int, ...] | None
"""Of an option."""

INPUT_BITS = "input-bits"
ACTIVATION_BITS = "activation-bits"
PARTS_OF_BITS = (INPUT_BITS, ACTIVATION_BITS)

MAX_POINTS = 100_000

_FIELDS = {
    field.name.replace("_", "-"): field
    for field in dataclasses.fields(CompilePass)
    if field.init and field.name != "data"
}
OPTIONS = (*_FIELDS, *PARTS_OF_BITS)
"""What may vary."""


@dataclass(frozen=True)
class Axis:
    """An option and its values, each once."""

    option: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Point:
    """One choice of options; all others have `kan-compile`'s defaults."""

    options: tuple[tuple[str, Value], ...] = ()

    def with_options(self, more: Mapping[str, Value]) -> Point:
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


def spell(value: Value) -> str:
    """A value as `--vary` takes it."""
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case tuple():
            return ":".join(map(str, value))
        case _:
            return str(value)


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
    kinds = _kinds(option)
    found = dict.fromkeys(
        value
        for part in values.split(",")
        if part.strip()
        for value in _values(option, part.strip(), kinds)
    )
    if not found:
        raise KanError(f"{option} has no values in {text!r}: the grid is empty")
    return Axis(option, tuple(found))


def _kinds(option: str) -> tuple[object, ...]:
    """The types that a value may have."""
    if option in PARTS_OF_BITS:
        return (int,)
    kind = get_type_hints(CompilePass)[_FIELDS[option].name]
    kinds = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    return tuple(each for each in _READERS if each in kinds)


def _values(option: str, text: str, kinds: tuple[object, ...]) -> Iterator[Value]:
    found = re.fullmatch(r"(-?\d{1,9})\.\.(-?\d{1,9})(?:\.\.(\d{1,9}))?", text)
    if found is None or int not in kinds:
        yield _value(option, text, kinds)
        return
    first, last, step = int(found[1]), int(found[2]), int(found[3] or 1)
    if step == 0:
        raise KanError(f"{option}: the steps of {text} are 0")
    values = range(first, last + 1, step)
    if len(values) > MAX_POINTS:
        raise KanError(f"{option}: {text} has {len(values)} values, more than {MAX_POINTS}")
    yield from values


def _value(option: str, text: str, kinds: tuple[object, ...]) -> Value:
    if text.endswith("%") and option.endswith("-loss"):
        # A loss as everywhere; limits of errors keep the sign, which makes them relative.
        return parse_loss(text, option)
    for kind in kinds:
        with suppress(ValueError, KeyError):
            return _READERS[kind](text)
    wanted = " or ".join(_NAMES[kind] for kind in kinds if kind in _NAMES)
    raise KanError(f"option {option} cannot be {text!r}", remedy=f"it takes {wanted}")


def _list(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(":"))


_READERS: dict[object, Callable[[str], Value]] = {
    int: int,
    float: float,
    bool: lambda text: {"true": True, "false": False}[text.lower()],
    NoneType: lambda text: {"none": None}[text.lower()],
    tuple[int, ...]: _list,
    Literal["auto"]: lambda text: {"auto": "auto"}[text.lower()],
    str: str,
}
"""How values of each type are read; of several, the first that can."""

_NAMES: dict[object, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    NoneType: "none",
    tuple[int, ...]: "numbers with colons between",
    Literal["auto"]: "auto",
}


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
