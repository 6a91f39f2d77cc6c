"""Options given as keyword arguments, checked against the dataclasses that declare them."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from types import NoneType
from typing import Any, TypeAlias, TypeVar, cast

import numpy as np

from kan_dialect.errors import KanError
from kan_dialect.flows.build import require_name
from kan_dialect.passbase.option_bounds import Bounds
from kan_dialect.passbase.option_text import expected
from kan_dialect.passbase.options import Option, options_of
from kan_dialect.passbase.pipeline import suggestion
from kan_dialect.search.precision.budgets import parse_loss

Owners: TypeAlias = Mapping[str, type[Any]]
"""Dataclasses that declare options, by a name."""

_Function = TypeVar("_Function", bound=Callable[..., object])

_PROCESSES = Bounds(1, 1024)


def options_by_owner(owners: Owners, without: Collection[str] = ()) -> dict[str, dict[str, Option]]:
    """The options that each of some dataclasses declares, by the names of their fields."""
    return {
        name: {each.field: each for each in options_of(owner) if each.field not in without}
        for name, owner in owners.items()
    }


def with_options(owners: Owners, without: Collection[str] = ()) -> Callable[[_Function], _Function]:
    """Decorator: `help` and editors show the options behind `**` with defaults and help texts."""

    def decorated(function: _Function) -> _Function:
        signature = inspect.signature(function)
        own = [each for each in signature.parameters.values() if each.kind is not each.VAR_KEYWORD]
        shown = {each.name: each for each in own}
        lines = ["", "", "Options", "-------"]
        for options in options_by_owner(owners, without).values():
            for field, option in options.items():
                if field not in shown:
                    shown[field] = inspect.Parameter(
                        field,
                        inspect.Parameter.KEYWORD_ONLY,
                        default=option.default,
                        annotation=option.type,
                    )
                    told = f"{field} : {option.help}"
                    lines += textwrap.wrap(
                        told, 100, subsequent_indent="    ", break_on_hyphens=False
                    )
        function.__dict__["__signature__"] = signature.replace(parameters=list(shown.values()))
        function.__doc__ = inspect.cleandoc(function.__doc__ or "") + "\n".join(lines)
        return function

    return decorated


def split_options(
    given: Mapping[str, object],
    owners: Owners,
    *,
    without: Collection[str] = (),
) -> dict[str, dict[str, Any]]:
    """Values of options by the dataclass that declares them, checked.

    Parameters
    ----------
    given : by the name of the dataclass's field, `max_luts`.
    without : fields that are no options.
    owners : dataclasses by a name for the result. An option that several declare goes to each.

    Raises
    ------
    KanError : an option or its value is unknown.
    """
    declared = options_by_owner(owners, without)
    found: dict[str, dict[str, Any]] = {name: {} for name in owners}
    for field, value in given.items():
        takers = {name: known[field] for name, known in declared.items() if field in known}
        if not takers:
            names = sorted({field for known in declared.values() for field in known})
            raise KanError(
                f"there is no option {field}",
                remedy=suggestion(field, names, "options are", names),
            )
        for name, option in takers.items():
            found[name][field] = _checked(option, value)
    return found


def require_module_name(name: object) -> None:
    """Refuse what is no name of a module; None keeps the name.

    Raises
    ------
    KanError : it is no text, no identifier, or a keyword of SystemVerilog, VHDL or C++.
    """
    if name is not None:
        require_name(as_text(name, "name"))


def as_text(value: object, what: str) -> str:
    """The value itself.

    Raises
    ------
    KanError : it is no text.
    """
    if not isinstance(value, str):
        raise KanError(f"{what} takes text, got {value!r}")
    return value


def require_processes(jobs: object) -> None:
    """Refuse what is no number of processes.

    Raises
    ------
    KanError : it is no whole number, or out of bounds.
    """
    number = _plain(jobs)
    if isinstance(number, bool) or not isinstance(number, int):
        raise KanError(f"jobs takes a whole number, got {jobs!r}")
    _PROCESSES.require("jobs", number)


def _checked(option: Option, given: object) -> object:
    """The value as the dataclass takes it: lists as tuples, NumPy's scalars as Python's."""
    value, kinds = _plain(given), option.kinds
    if isinstance(value, tuple):
        items = cast("tuple[object, ...]", value)
        for kind, several in ((int, tuple[int, ...]), (str, tuple[str, ...])):
            if several in kinds and all(type(each) is kind for each in items):
                return items
        raise _refusal(option, given)
    match value:
        case str() if value in option.choices or str in kinds:
            return value
        case str() | Path() if Path in kinds:
            return Path(value)
        case Path() if str in kinds:
            return str(value)
        case "none" if NoneType in kinds:
            return None  # the word of the command line
        case str() if option.is_loss:
            return parse_loss(value, option.field)
        case None if NoneType in kinds:
            return value
        case bool() if bool in kinds:
            return value
        case int() if not isinstance(value, bool) and int in kinds:
            return value
        case int() | float() if not isinstance(value, bool) and float in kinds:
            return float(value)
        case _:
            raise _refusal(option, given)


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return cast(object, value.item())
    if isinstance(value, list | tuple | np.ndarray):
        return tuple(_plain(each) for each in cast("Iterable[object]", value))
    return value


def _refusal(option: Option, value: object) -> KanError:
    return KanError(f"{option.field} takes {expected(option, ',')}, got {value!r}")
