"""C sources that are compiled once for a user, into the cache, and loaded as a library.

Everything that a library does is also there in Python. So each obstacle leads to Python: no
compiler, a compiler that refuses, a folder that cannot be written, a library that does not load.
"""

from __future__ import annotations

import ctypes
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from kan_dialect.files.digested_files import find_digested, keep_digested
from kan_dialect.files.user_cache import user_cache

SWITCH = "KAN_COMPILED_SEARCH"
"""Environment variable; "0": nothing is compiled or loaded."""

_OPTIONS = ("-std=gnu11", "-O2", "-ffp-contract=off", "-fPIC", "-shared")
"""Floating-point operations are rounded one by one, as NumPy does."""
_COMPILE_SECONDS = 60
_KEPT = 4
"""Libraries of one name that are kept: those used last, and those of the last day."""
_IN_USE_SECONDS = 24 * 3600


def load_c_library(name: str, sources: Sequence[Path]) -> ctypes.CDLL | None:
    """Load the library of C sources. The first source includes the others. None without a library.

    It is compiled anew where sources, options, compiler or machine differ. Its file name holds the
    digest of its content, so that a damaged file is not loaded. A file appears whole, so several
    processes may compile at once.

    Parameters
    ----------
    name : of the library's files in the cache.
    """
    folder = user_cache()
    command = None if os.environ.get(SWITCH) == "0" else _compiler()
    if folder is None or command is None:
        return None
    try:
        stem = f"{name}-{_key(command, sources)}"
        return _kept(folder, stem) or _compiled(folder, name, stem, command, sources[0])
    except (OSError, subprocess.SubprocessError):
        return None


def _compiler() -> list[str] | None:
    """The command of the C compiler, its path resolved."""
    for command in (shlex.split(os.environ.get("CC", "")), ["cc"], ["gcc"], ["clang"]):
        path = shutil.which(command[0]) if command else None
        if path is not None:
            return [path, *command[1:]]
    return None


def _key(command: Sequence[str], sources: Sequence[Path]) -> str:
    state = Path(command[0]).resolve().stat()
    machine = sys.platform, platform.machine(), sys.maxsize
    known = repr((command, state.st_size, state.st_mtime_ns, _OPTIONS, machine))
    digest = sha256(known.encode())
    for source in sources:
        content = source.read_bytes()
        digest.update(f"{source.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]


def _kept(folder: Path, stem: str) -> ctypes.CDLL | None:
    """The library that is there; one that does not load is removed."""
    path = find_digested(folder, stem, ".so")
    if path is None:
        return None
    try:
        return ctypes.CDLL(str(path))
    except OSError:
        path.unlink(missing_ok=True)
        return None


def _compiled(
    folder: Path, name: str, stem: str, command: Sequence[str], source: Path
) -> ctypes.CDLL | None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=folder) as place:
        new = Path(place, "library.so")
        subprocess.run(
            [*command, *_OPTIONS, "-o", str(new), str(source), "-lm"],
            check=True,
            capture_output=True,
            timeout=_COMPILE_SECONDS,
        )
        library = ctypes.CDLL(str(new))
        keep_digested(new, folder, stem, ".so")
    _remove_old(folder, name)
    return library


def _remove_old(folder: Path, name: str) -> None:
    used: list[tuple[float, Path]] = []
    for path in folder.glob(f"{name}-*.so"):
        try:
            used.append((path.stat().st_mtime, path))
        except OSError:  # removed by another process
            continue
    for last, path in sorted(used, reverse=True)[_KEPT:]:
        if time.time() - last > _IN_USE_SECONDS:
            path.unlink(missing_ok=True)
