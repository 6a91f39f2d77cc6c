"""Records that other packages publish under an entry point group, by name.

The name of the entry point is the record's name, so that names are listed without loading packages.
A package is loaded when its record is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from kan_dialect.errors import KanError

_Record = TypeVar("_Record")


@dataclass(frozen=True)
class Registry(Generic[_Record]):
    """The records of an entry point group.

    Attributes
    ----------
    group : the entry point group.
    kind : class of its records, each with a `name`.
    what : noun for messages.
    problem : what is wrong with a record, in words; None if nothing is.
    """

    group: str
    kind: type[_Record]
    what: str
    problem: Callable[[_Record], str | None]

    def names(self) -> list[str]:
        """Names of the installed records, sorted."""
        return sorted({entry.name for entry in entry_points(group=self.group)})

    def find(self, name: str) -> _Record | None:
        """The record of a name, loaded and checked; None where no package has it.

        Raises
        ------
        KanError : two packages have it, or its package cannot be loaded or publishes something
            else than a valid record; names the package.
        """
        entries = {e.value: e for e in entry_points(group=self.group) if e.name == name}
        if len(entries) > 1:
            packages = " and ".join(sorted(map(_package_of, entries.values())))
            raise KanError(
                f"the packages {packages} both have a {self.what} {name!r}",
                remedy="uninstall one of them",
            )
        return next(map(self._load, entries.values()), None)

    def _load(self, entry: EntryPoint) -> _Record:
        where = f"{self.what} {entry.name!r} of the package {_package_of(entry)}"
        remedy = "it is no part of kan-dialect; update or uninstall that package"
        try:
            record: object = entry.load()
        except Exception as error:
            raise KanError(f"{where} cannot be loaded: {error}", remedy=remedy) from error
        if not isinstance(record, self.kind):
            raise KanError(
                f"{where}: {entry.value} is a {type(record).__name__}, not a {self.kind.__name__}",
                remedy=remedy,
            )
        own_name: object = getattr(record, "name", None)
        problem = self.problem(record)
        if own_name != entry.name:
            problem = f"its name is {own_name!r}, but the entry point's is {entry.name!r}"
        if problem is not None:
            raise KanError(f"{where}: {problem}", remedy=remedy)
        return record


@cache
def _package_of(entry: EntryPoint) -> str:
    """The distribution that publishes an entry point."""
    return entry.value.partition(":")[0] if entry.dist is None else entry.dist.name
