"""Bugs as edits of one definition of the compiler, and the module that an edit makes."""

from __future__ import annotations

import ast
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType

from edits import Edit, EditError, ReplaceText, definitions, edited
from jinja2 import Environment, FileSystemLoader

ROOT = Path(__file__).parent.parent.parent
PACKAGE = "kan_dialect"


class SeedError(ValueError):
    """A seed that does not fit the source; the message names it and says why."""


@dataclass(frozen=True)
class Seed:
    """A bug."""

    name: str
    """What is wrong, in one line."""

    subject: str
    """The pass or the part of the compiler: a row of the table of results."""

    function: str
    """Qualified name of a function, class or module-level variable: `Class.method`.

    A name that several modules define has the end of the module's name before it:
    `fold_tables:_replace`. Nested functions are `outer.inner`. Of a template, its path in the
    package: `flows/host/templates/codec.h.j2`.
    """

    edit: Edit

    equivalent: str = ""
    """Why the program behaves as before. Then no check may object."""


@dataclass(frozen=True)
class SpoiltTemplate:
    """A template with a bug."""

    name: str
    """As it is filled: `flows/host/templates/codec.h.j2`."""

    text: str


@dataclass(frozen=True)
class SpoiltModule:
    """A module with a bug."""

    name: str
    """As it is imported: `kan_dialect.passes.narrow`."""

    path: Path
    tree: ast.Module


def seeds_in(
    subject: str, function: str, *bugs: tuple[str, Edit] | tuple[str, Edit, str]
) -> list[Seed]:
    """Seeds in one function: name, edit and, where behaviour stays, the reason."""
    return [Seed(name, subject, function, edit, *reason) for name, edit, *reason in bugs]


def spoilt_module(seed: Seed) -> SpoiltModule | SpoiltTemplate:
    """The module or template that a seed changes, with the bug.

    Raises
    ------
    SeedError : the function or the edit's pattern is not found exactly once.
    """
    if seed.function.endswith(".j2"):
        return _spoilt_template(seed)
    ending, _, function = seed.function.rpartition(":")
    places = [
        (module, path)
        for module, path in modules().items()
        if f".{module}".endswith(f".{ending}" if ending else "")
        and function.split(".")[-1] in _text(path)
        and definitions(_tree(path), function)
    ]
    where = f"seed {seed.name!r} of {seed.subject}: {seed.function}"
    if len(places) != 1:
        found = ", ".join(module for module, _ in places) or "none"
        raise SeedError(f"{where}: expected one module that defines it, found {found}")
    module, path = places[0]
    try:
        return SpoiltModule(module, path, edited(_tree(path), function, seed.edit))
    except EditError as error:
        raise SeedError(f"{where}, in {module}: {error}") from error


def _spoilt_template(seed: Seed) -> SpoiltTemplate:
    text = (ROOT / PACKAGE / seed.function).read_text()
    where = f"seed {seed.name!r} of {seed.subject}: {seed.function}"
    if not isinstance(seed.edit, ReplaceText):
        raise SeedError(f"{where}: a template takes ReplaceText")
    if (places := text.count(seed.edit.old)) != 1:
        raise SeedError(f"{where}: {places} places match {seed.edit.old!r}, expected one")
    return SpoiltTemplate(seed.function, text.replace(seed.edit.old, seed.edit.new))


@contextmanager
def imported_with_bug(spoilt: SpoiltModule | SpoiltTemplate) -> Iterator[None]:
    """Imports of the module, or texts of the template, get the bug until the context ends."""
    if isinstance(spoilt, SpoiltTemplate):
        with _filled_with_bug(spoilt):
            yield
        return
    original = SourceFileLoader.get_code

    def get_code(self: SourceFileLoader, fullname: str) -> CodeType | None:
        if fullname == spoilt.name:
            return compile(spoilt.tree, str(spoilt.path), "exec")
        return original(self, fullname)

    SourceFileLoader.get_code = get_code
    try:
        yield
    finally:
        SourceFileLoader.get_code = original


@contextmanager
def _filled_with_bug(spoilt: SpoiltTemplate) -> Iterator[None]:
    original = FileSystemLoader.get_source

    def get_source(
        self: FileSystemLoader, environment: Environment, template: str
    ) -> tuple[str, str, Callable[[], bool]]:
        source, path, uptodate = original(self, environment, template)
        return spoilt.text if template == spoilt.name else source, path, uptodate

    FileSystemLoader.get_source = get_source
    try:
        yield
    finally:
        FileSystemLoader.get_source = original


@lru_cache(1)
def modules() -> dict[str, Path]:
    """All modules of the package with their files. Stages are linked folders."""
    found: dict[str, Path] = {}
    for folder, _, files in os.walk(ROOT / PACKAGE, followlinks=True):
        for file in sorted(files):
            path = Path(folder, file)
            if path.suffix == ".py":
                parts = path.relative_to(ROOT).with_suffix("").parts
                found[".".join(parts).removesuffix(".__init__")] = path
    return found


@lru_cache(None)
def _text(path: Path) -> str:
    return path.read_text()


@lru_cache(None)
def _tree(path: Path) -> ast.Module:
    return ast.parse(_text(path))
