"""Values of options as text: how command lines and sweeps read and print them."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from contextlib import suppress
from types import NoneType
from typing import TypeAlias, get_args, get_origin

from kan_dialect.passbase.options import Option
from kan_dialect.search.precision.budgets import parse_loss

OptionValue: TypeAlias = int | float | bool | str | tuple[int | float | str, ...] | None


def read_value(option: Option, text: str, separator: str) -> OptionValue:
    """The value that a text stands for: of the types that the option has, the first that fits.

    Parameters
    ----------
    separator : what stands between numbers where the option takes several.

    Raises
    ------
    ValueError : the value is not valid for the option; see `expected`.
    KanError : the text ends in `%` and is no loss.
    """
    if option.is_loss and text.endswith("%"):
        return parse_loss(text, option.name)
    for kind, read in _READERS.items():
        if kind in option.kinds:
            with suppress(ValueError, KeyError):
                return read(text)
    if text in option.choices:
        return text
    if text.lower() in option.choices:
        return text.lower()
    for items in _items(option):
        with suppress(ValueError):
            return tuple(_item(items, part) for part in text.split(separator))
    if str in option.kinds:
        return text
    raise ValueError(f"option {option.name} does not take {text!r}")


def expected(option: Option, separator: str) -> str:
    """The values that an option takes, in words: `whole numbers, as 8 or 6,8,8, or auto`."""
    names: list[str] = []
    several = {kind for items in _items(option) for kind in items}
    if int in several:
        names.append(f"whole numbers, as 8 or {separator.join('688')}")
    if float in several:
        names.append(f"numbers, as 0.5 or {separator.join(['0.5', '1'])}")
    if str in several:
        names.append(f"texts, as a or {separator.join('ab')}")
    if int in option.kinds and int not in several:
        names.append("a whole number")
    if float in option.kinds and float not in several:
        names.append("a number")
    if bool in option.kinds:
        names.append("true or false")
    names += option.choices
    if NoneType in option.kinds:
        names.append("none")
    if len(names) < 2:
        return "".join(names) or "text"
    # A comma shows where a name ends that has a comma or an "or" itself.
    comma = "," if any("," in name for name in names) else ""
    return f"{', '.join(names[:-1])}{comma} or {names[-1]}"


def spell_value(value: OptionValue, separator: str) -> str:
    """A value as `read_value` reads it."""
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case tuple():
            return separator.join(map(str, value))
        case _:
            return str(value)


def _items(option: Option) -> list[tuple[object, ...]]:
    """Types of the items of each alternative that takes several values: `tuple[int, ...]`."""
    found: list[tuple[object, ...]] = []
    for kind in option.kinds:
        match get_origin(kind), get_args(kind):
            case builtins.tuple, (item, builtins.Ellipsis):
                found.append(get_args(item) or (item,))
            case _:
                pass
    return found


def _item(kinds: tuple[object, ...], text: str) -> int | float | str:
    """One of several values.

    Raises
    ------
    ValueError : the text is of none of the types.
    """
    if int in kinds:
        with suppress(ValueError):
            return int(text)
    if float in kinds:
        return float(text)
    if str in kinds:
        return text
    raise ValueError(text)


_READERS: dict[object, Callable[[str], OptionValue]] = {
    int: int,
    float: float,
    bool: lambda text: {"true": True, "false": False}[text.lower()],
    NoneType: lambda text: {"none": None}[text.lower()],
}
