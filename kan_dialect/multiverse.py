"""Passes, dialects and targets of all installed packages: xDSL's multiverse, with messages.

xDSL's own function raises exceptions that do not say which package is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import wraps
from importlib.metadata import EntryPoint, entry_points
from typing import Any, cast

from xdsl.ir import Dialect
from xdsl.passes import ModulePass
from xdsl.universe import Universe
from xdsl.utils.target import Target

from kan_dialect.errors import KanError
from kan_dialect.extensions import NOT_OURS, duplicated, load_entry, package_of_entry

GROUP = "xdsl.universe"
"""The entry point group."""

_Factory = Callable[[], Any]


@dataclass(frozen=True)
class _Kind:
    """What universes hold under one of their fields."""

    field: str
    what: str
    """Noun for messages."""
    made: str
    """What its factories return, in words."""
    is_made: Callable[[object], bool]


def _is_class_of(base: type[object]) -> Callable[[object], bool]:
    return lambda made: isinstance(made, type) and issubclass(made, base)


_KINDS = (
    _Kind("all_dialects", "dialect", "a Dialect", lambda made: isinstance(made, Dialect)),
    _Kind("all_passes", "pass", "a class of ModulePass", _is_class_of(ModulePass)),
    _Kind("all_targets", "target", "a class of Target", _is_class_of(Target)),
)


def installed_universe() -> Universe:
    """Passes, dialects and targets of all installed packages.

    Factories of another package that make something else raise a message when they are called.

    Raises
    ------
    KanError : the universe of a package cannot be loaded or is not a universe, or two
        packages have something of the same name. Names the packages.
    """
    entries = sorted(entry_points(group=GROUP), key=lambda entry: entry.name)
    universes = [(package_of_entry(entry), _load(entry)) for entry in entries]
    return Universe(**{kind.field: _merged(kind, universes) for kind in _KINDS})


def _load(entry: EntryPoint) -> Universe:
    return load_entry(entry, Universe, "universe")


def _merged(kind: _Kind, universes: list[tuple[str, Universe]]) -> dict[str, _Factory]:
    """The factories of one kind, by name."""
    found: dict[str, _Factory] = {}
    owners: dict[str, str] = {}
    for package, universe in universes:
        for name, factory in _factories(kind, package, universe):
            if name in found:
                raise duplicated((owners[name], package), f"{kind.what} {name!r}")
            found[name], owners[name] = _checked(kind, name, package, factory), package
    return found


def _factories(kind: _Kind, package: str, universe: Universe) -> Iterator[tuple[str, _Factory]]:
    held: object = getattr(universe, kind.field)
    if not isinstance(held, dict):
        raise KanError(
            f"universe of the package {package}: {kind.field} is a {type(held).__name__}, "
            "not a dict",
            remedy=NOT_OURS,
        )
    yield from cast("dict[str, _Factory]", held).items()


def _checked(kind: _Kind, name: str, package: str, factory: _Factory) -> _Factory:
    """The factory; calling it raises a message where it makes something else."""

    @wraps(factory)
    def make() -> object:
        made: object = factory()
        if not kind.is_made(made):
            raise KanError(
                f"{kind.what} {name} of the package {package}: its factory returns {made!r:.80}, "
                f"not {kind.made}",
                remedy=NOT_OURS,
            )
        return made

    return make
