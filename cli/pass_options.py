"""Options of a pass as options of a command: spelling, types, bounds and help texts.

They are derived from the fields of the pass (`kan_dialect.passbase.options`):

- `max_luts: int` is `--max-luts N`, refused out of its bounds, which the help text shows;
- `bits: tuple[int, ...] | int` is `--bits N[,N...]`;
- `max_accuracy_loss` takes `0.5%` and `0.005`;
- `per_tensor: bool = False` is the flag `--per-tensor`;
- `precision: Literal["given", "auto"]` is `--precision` with these choices.
"""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from types import NoneType
from typing import Any

from kan_dialect.cli.number_options import NumberType, Options
from kan_dialect.errors import KanError
from kan_dialect.passbase.option_bounds import shown
from kan_dialect.passbase.option_text import OptionValue, expected, read_value
from kan_dialect.passbase.options import Option, options_of
from kan_dialect.search.precision.budgets import parse_loss

SEPARATOR = ","
"""Stands between the numbers of one value."""


@dataclass(frozen=True)
class PassOptions:
    """The options of a pass that a command has, under the same names but for some."""

    owner: type[Any]
    """The pass."""
    without: Collection[str] = ()
    """Names of options that the command declares itself, or does not have."""
    renamed: Mapping[str, str] = field(default_factory=dict[str, str])
    """Names of options on the command line, by their names in pipelines."""
    metavars: Mapping[str, str] = field(default_factory=dict[str, str])
    """What stands for the value in the help text, by name of the option; by default, its type."""

    @property
    def options(self) -> list[Option]:
        """The options, as the pass declares them."""
        return [option for option in options_of(self.owner) if option.name not in self.without]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the options in the parsed arguments."""
        return tuple(self._spelling(option).replace("-", "_") for option in self.options)

    def add_to(self, parser: Options) -> None:
        """Add the options to a command."""
        for option in self.options:
            taken = replace(option, kinds=tuple(k for k in option.kinds if k is not NoneType))
            flag = f"--{self._spelling(option)}"
            details: dict[str, Any] = {"help": _help(option)}
            if taken.kinds == (bool,):
                details["action"] = "store_true"
            elif option.is_choice:
                details |= {"default": option.default, "choices": taken.choices}
            else:
                metavar = self.metavars.get(option.name, _metavar(taken))
                details |= {"default": option.default, "metavar": metavar}
                if str not in taken.kinds or len(taken.kinds) > 1:
                    details["type"] = _type(taken, flag)
            parser.add_argument(flag, **details)

    def values(self, arguments: argparse.Namespace) -> dict[str, Any]:
        """What the parsed arguments say, by field of the pass."""
        return {
            option.field: getattr(arguments, self._spelling(option).replace("-", "_"))
            for option in self.options
        }

    def _spelling(self, option: Option) -> str:
        return self.renamed.get(option.name, option.name)


@dataclass(frozen=True)
class ValueType:
    """An argparse type: a value of an option that takes other things than one number.

    Raises
    ------
    KanError : the option does not take the text, or a number in it is out of bounds; names the
        option.
    """

    option: Option
    flag: str

    def __call__(self, text: str) -> OptionValue:
        if self.option.is_loss:
            value = parse_loss(text, self.flag)
        else:
            try:
                value = read_value(self.option, text, SEPARATOR)
            except ValueError:
                raise KanError(
                    f"{self.flag} takes {expected(self.option, SEPARATOR)}, got {shown(text)!r}"
                ) from None
        if self.option.bounds is not None:
            self.option.bounds.require_all(self.flag, value)
        return value


def _type(option: Option, flag: str) -> NumberType[int] | NumberType[float] | ValueType:
    if option.bounds is not None and not option.is_loss:
        if option.kinds == (int,):
            return NumberType(flag, int, option.bounds)
        if option.kinds == (float,):
            return NumberType(flag, float, option.bounds)
    return ValueType(option, flag)


def _metavar(option: Option) -> str:
    """`N` for a whole number, `X` for any number, `SCALE` for the text of `--scale`."""
    if tuple[int, ...] in option.kinds:
        return f"N[{SEPARATOR}N...]"
    if float in option.kinds:
        return "X"
    return "N" if int in option.kinds else option.field.upper()


def _help(option: Option) -> str:
    """Help text in the manner of argparse: without markup, with bounds and default."""
    text = option.help.replace("`", "").removesuffix(".").replace("%", "%%")
    if not text[1:2].isupper():
        text = text[:1].lower() + text[1:]
    if option.bounds is not None:
        text += f" [{option.bounds.range}]"
    if option.default is not None and option.default is not False and option.default != ():
        text += f" (default: {option.default})"
    return text
