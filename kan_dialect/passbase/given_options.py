"""Options that a user gave to a pipeline, and modules that are past the passes that take them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from xdsl.utils.arg_spec import ParameterListType, parse_pipeline
from xdsl.utils.exceptions import ArgSpecParseError

from kan_dialect.deferred import deferred
from kan_dialect.errors import KanError

_spell_value = cast(
    "Callable[[object, str], str]", deferred("kan_dialect.passbase.option_text", "spell_value")
)


@dataclass(frozen=True)
class GivenOption:
    """An option that a user gave to a pipeline, as one of its passes takes it."""

    name: str
    """As the pipeline spells it: `bits`."""
    field: str
    """The field of the pass that has the value."""
    value: object

    def __str__(self) -> str:
        """`bits=6,8,8`, as pipelines spell it."""
        return f"{self.name}={_spell_value(self.value, ',')}"


def require_as_recorded(given: Sequence[GivenOption], spelt: str, passed: Sequence[str]) -> None:
    """Refuse options of a pass that does not run, if it has run with others.

    Parameters
    ----------
    spelt : the pass with its options, as a record spells it.
    passed : the record of the module.

    Raises
    ------
    KanError : names the option, the pass as it has run, and what to do.
    """
    name = spelt.partition("{")[0]
    entry = _last_entry(passed, name)
    if entry is None:
        return
    own, known = _parameters(spelt), _parameters(entry)
    for option in given:
        key = option.field.replace("_", "-")
        if own is None or known is None or own.get(key) != known.get(key):
            raise KanError(
                f"{option} has no meaning: the IR has been through {entry} already",
                remedy=f"leave {option.name} out, or give IR of a stage before {name}",
            )


def recorded_options(passed: Sequence[str], name: str) -> dict[str, ParameterListType]:
    """Options of the last run of a pass in a record, `max-luts`; none of a pass that has not run.

    Parameters
    ----------
    passed : the record of a module.
    name : of the pass.
    """
    entry = _last_entry(passed, name)
    return (None if entry is None else _parameters(entry)) or {}


def _last_entry(passed: Sequence[str], name: str) -> str | None:
    return next((each for each in reversed(passed) if each.partition("{")[0] == name), None)


def _parameters(entry: str) -> dict[str, ParameterListType] | None:
    """The options of an entry of a record; None of an entry that does not parse."""
    try:
        (spec,) = parse_pipeline(entry)
    except (ArgSpecParseError, ValueError):
        return None
    return spec.parameters
