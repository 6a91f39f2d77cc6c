"""A digest of the code that decides results: the compiler and the packages that extend it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import entry_points, version
from importlib.util import find_spec
from pathlib import Path

import kan_dialect
from kan_dialect.other_packages import EXTENSION_GROUPS, OURS


@cache
def compiler_digest(packages: tuple[str, ...] = ()) -> str:
    """SHA-256 of the compiler's source, which keeps results of different compilers apart.

    Versions of xDSL and NumPy count too; commands and flows do not.

    Parameters
    ----------
    packages : names of further packages whose source counts too, such as `extensions`.
    """
    root = Path(kan_dialect.__file__).parent
    files = [*root.glob("*.py")]
    for folder in root.iterdir():
        if folder.is_dir() and folder.name not in ("flows", "cli"):
            files += [*folder.rglob("*.py"), *folder.rglob("*.[ch]")]
    whole = hashlib.sha256(f"xdsl {version('xdsl')}, numpy {version('numpy')}\n".encode())
    for line in _lines(root, files):
        whole.update(line)
    for package in packages:
        for place in _places(package):
            files = place.rglob("*.py") if place.is_dir() else [place]
            for line in _lines(place.parent, files):
                whole.update(line)
    return whole.hexdigest()


def _places(package: str) -> list[Path]:
    """The folders of a package, or the file of a module that stands alone."""
    spec = find_spec(package)
    if spec is None:
        return []
    if spec.submodule_search_locations is not None:
        return [Path(place) for place in spec.submodule_search_locations]
    return [] if spec.origin is None else [Path(spec.origin)]


def extensions() -> tuple[str, ...]:
    """Names of the installed packages that extend the compiler, in order."""
    found = {
        entry.value.partition(":")[0].partition(".")[0]
        for group in EXTENSION_GROUPS
        for entry in entry_points(group=group)
    }
    return tuple(sorted(found - {OURS, "xdsl"}))


def _lines(root: Path, files: Iterable[Path]) -> Iterator[bytes]:
    """Name and content of each file."""
    for path in sorted(files):
        yield f"{path.relative_to(root)}\n".encode()
        yield path.read_bytes()
