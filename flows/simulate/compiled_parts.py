"""What a simulation shares with others, compiled once: Verilator's library, and whole programs.

Both are in the user's cache folder, or in that of `$KAN_CACHE`. Each version of compiler and
library has a folder there. Files in it appear whole, so several processes may use it at once. A
file that was damaged since is made again.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path

from kan_dialect.errors import KanError
from kan_dialect.files.digested_files import find_digested, keep_digested
from kan_dialect.files.user_cache import CACHE_VARIABLE, user_cache
from kan_dialect.flows.tools.toolchain import Tool

_KEPT_VERSIONS = 3
"""How many versions of compiler and library are kept, those used last."""

_KEPT_BYTES = 200_000_000
"""Size of the programs that are kept for a version, those used last."""

_IN_USE_SECONDS = 24 * 3600
"""A version that was used in this time is not removed: another process may link with it."""


class CompiledParts:
    """The folder of one version of compiler and library."""

    def __init__(self, folder: Path, *, lasting: bool) -> None:
        self.folder = folder
        self.lasting = lasting
        """Whether later processes find the parts."""

    def find(self, name: str) -> Path | None:
        """A compiled file, such as `verilated.o`; None: nobody has compiled it yet."""
        stem, dot, suffix = name.partition(".")
        return find_digested(self.folder, stem, dot + suffix)

    def keep(self, compiled: Path) -> None:
        """Copy a file into the folder."""
        stem, dot, suffix = compiled.name.partition(".")
        with suppress(OSError):  # for example a full disk: the next design compiles it again
            keep_digested(compiled, self.folder, stem, dot + suffix)

    def take_program(self, key: str, path: Path) -> bool:
        """Copy the program that was compiled of the same sources; False if it does not exist."""
        kept = find_digested(self._programs, key, ".program")
        try:
            if kept is not None:
                shutil.copy(kept, path)
        except OSError:  # removed by another process
            return False
        return kept is not None

    def keep_program(self, key: str, path: Path) -> None:
        """Keep a program. Where there is no room, the program that was used first is removed."""
        with suppress(OSError):
            self._programs.mkdir(exist_ok=True)
            keep_digested(path, self._programs, key, ".program")
        room = _KEPT_BYTES
        for other in _used_last_first(self._programs):
            try:
                room -= other.stat().st_size
            except OSError:  # removed by another process
                continue
            if room < 0:
                other.unlink(missing_ok=True)

    @property
    def _programs(self) -> Path:
        return self.folder / "programs"


def sources_key(directory: Path) -> str:
    """A key of all C++ in a folder: equal for equal files."""
    digest = sha256()
    for path in sorted((*directory.glob("*.cpp"), *directory.glob("*.h"))):
        content = path.read_bytes()
        digest.update(f"{path.name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()[:32]


@cache
def compiled_parts(compiler: Tool, include: Path, options: tuple[str, ...]) -> CompiledParts:
    """The parts of a compiler, the library's headers, and the compiler's options.

    Raises
    ------
    KanError : the folder that `$KAN_CACHE` names cannot be made.
    """
    sources = [compiler.path.resolve(), *sorted(include.glob("*.*"))]
    states = [(str(path), (state := path.stat()).st_size, state.st_mtime_ns) for path in sources]
    name = f"verilator-{sha256(repr((states, options)).encode()).hexdigest()[:16]}"
    folder = user_cache()
    if folder is None:
        return CompiledParts(Path(_temporary_folder().name), lasting=False)
    kept = folder / name
    try:
        kept.mkdir(parents=True, exist_ok=True)
        os.utime(kept)
    except OSError as error:
        if CACHE_VARIABLE not in os.environ:  # for example a home that is read-only
            return CompiledParts(Path(_temporary_folder().name), lasting=False)
        raise KanError(
            f"cannot make the folder {kept}: {error.strerror}",
            remedy=f"set the environment variable {CACHE_VARIABLE} to another folder, or unset it",
        ) from None
    for other in list(_used_last_first(folder, "verilator-*"))[_KEPT_VERSIONS:]:
        if not _in_use(other):
            shutil.rmtree(other, ignore_errors=True)
    return CompiledParts(kept, lasting=True)


@cache
def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="kan-verilator-")


def _used_last_first(folder: Path, pattern: str = "*") -> Iterator[Path]:
    """The entries of a folder. Another process may remove some meanwhile: they are left out."""
    used: list[tuple[float, Path]] = []
    for path in folder.glob(pattern):
        try:
            used.append((path.stat().st_mtime, path))
        except OSError:
            continue
    return (path for _, path in sorted(used, reverse=True))


def _in_use(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime < _IN_USE_SECONDS
    except OSError:
        return False
