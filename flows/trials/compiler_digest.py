"""A digest of the code that decides results: the compiler and the packages that extend it."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import kan_dialect
from kan_dialect.other_packages import extension_packages


def current_compiler() -> str:
    """The digest of the compiler in this process, with all packages that extend it."""
    return compiler_digest(tuple(sorted(extension_packages())))


@cache
def compiler_digest(packages: tuple[str, ...] = ()) -> str:
    """SHA-256 of the compiler's source, which keeps results of different compilers apart.

    Versions of xDSL and NumPy count too; commands and flows do not.

    Parameters
    ----------
    packages : names of further packages whose source counts too, such as `extension_packages`.
    """
    ours = Path(kan_dialect.__file__).parent
    sources = [(ours, [*ours.glob("*.py")])]
    for room in sorted(ours.iterdir()):
        if room.is_dir() and room.name not in ("flows", "cli"):
            sources.append((ours, [*room.rglob("*.py"), *room.rglob("*.[ch]")]))
    for place in filter(None, map(_place, packages)):
        sources.append((place.parent, [*place.rglob("*.py")] if place.is_dir() else [place]))
    whole = hashlib.sha256(f"xdsl {version('xdsl')}, numpy {version('numpy')}\n".encode())
    for root, files in sources:
        for path in sorted(files):
            whole.update(f"{path.relative_to(root)}\n".encode())
            whole.update(path.read_bytes())
    return whole.hexdigest()


def _place(package: str) -> Path | None:
    """The folder of a package, or the file of a module that stands alone."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        return None
    origin = Path(spec.origin)
    return origin.parent if origin.name == "__init__.py" else origin
