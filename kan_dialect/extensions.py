"""Records that other packages publish under an entry point group, by name.

The name of the entry point is the record's name, so that names are listed without loading packages.
A package is loaded when its record is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from kan_dialect.errors import KanError
from kan_dialect.other_packages import place_of

_Record = TypeVar("_Record")

DISTRIBUTION = "kan-dialect"
"""The package of this compiler."""

NOT_OURS = "it is no part of kan-dialect; update or uninstall that package"
"""The remedy for what another package does wrong."""


@dataclass(frozen=True)
class Registry(Generic[_Record]):
    """The records of this compiler, and those of an entry point group.

    Attributes
    ----------
    group : the entry point group.
    kind : class of its records, each with a `name`.
    what : noun for messages.
    problem : what is wrong with a record, in words; None if nothing is.
    ours : the records of this compiler by name. A package cannot replace one.
    """

    group: str
    kind: type[_Record]
    what: str
    problem: Callable[[_Record], str | None]
    ours: Mapping[str, _Record]

    def names(self) -> list[str]:
        """Names of all records: of this compiler, then of other packages, sorted."""
        installed = {entry.name for entry in entry_points(group=self.group)}
        return [*self.ours, *sorted(installed - self.ours.keys())]

    def find(self, name: str) -> _Record | None:
        """The record of a name, loaded and checked; None where no package has it.

        Raises
        ------
        KanError : two packages have it, or its package cannot be loaded or publishes something
            else than a valid record; names the package.
        """
        entries = {e.value: e for e in entry_points(group=self.group) if e.name == name}
        packages = [DISTRIBUTION] if name in self.ours else []
        packages += map(package_of_entry, entries.values())
        if len(packages) > 1:
            raise duplicated(packages, f"{self.what} {name!r}")
        return self.ours.get(name) or next(map(self._load, entries.values()), None)

    def _load(self, entry: EntryPoint) -> _Record:
        record = load_entry(entry, self.kind, self.what)
        own_name: object = getattr(record, "name", None)
        problem = self.problem(record)
        if own_name != entry.name:
            problem = f"its name is {own_name!r}, but the entry point's is {entry.name!r}"
        if problem is not None:
            raise KanError(f"{_where(entry, self.what)}: {problem}", remedy=NOT_OURS)
        return record


def load_entry(entry: EntryPoint, kind: type[_Record], what: str) -> _Record:
    """What an entry point names, loaded.

    Parameters
    ----------
    kind : its class.
    what : noun for messages.

    Raises
    ------
    KanError : it cannot be loaded, or is of another class; names the package.
    """
    where = _where(entry, what)
    try:
        record: object = entry.load()
    except Exception as error:
        place = place_of(error, entry.module.partition(".")[0])
        raise KanError(f"{where} cannot be loaded: {error}{place}", remedy=NOT_OURS) from error
    if not isinstance(record, kind):
        raise KanError(
            f"{where}: {entry.value} is a {type(record).__name__}, not a {kind.__name__}",
            remedy=NOT_OURS,
        )
    return record


def duplicated(packages: Iterable[str], what: str) -> KanError:
    """The message for several packages that have something of the same name."""
    owners = sorted(packages)
    others = [package for package in owners if package != DISTRIBUTION]
    return KanError(
        f"the packages {' and '.join(owners)} both have a {what}",
        remedy="uninstall one of them" if others == owners else f"uninstall {' and '.join(others)}",
    )


def _where(entry: EntryPoint, what: str) -> str:
    return f"{what} {entry.name!r} of the package {package_of_entry(entry)}"


@cache
def package_of_entry(entry: EntryPoint) -> str:
    """The distribution that publishes an entry point."""
    return entry.value.partition(":")[0] if entry.dist is None else entry.dist.name
