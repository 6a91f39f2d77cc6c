"""Where a build comes from: the command, the files that it read, the versions at work."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import numpy as np

from kan_dialect import __version__
from kan_dialect.errors import KanError
from kan_dialect.files.printable_names import printable

IMPORTED = Path("ir") / "00-import.mlir"
"""The model as it was read, in a build's folder."""


@dataclass(frozen=True)
class Origin:
    """What a build was made of, as far as its caller says."""

    command: str | None = None
    """The command line as it was typed."""
    files: Mapping[str, Path] = field(default_factory=dict[str, Path])
    """By what they are for: `model`, `calibration`, `quantizers`."""

    def command_and_sources(self, folder: Path) -> tuple[str | None, dict[str, dict[str, str]]]:
        """Sections of the report: the command line, and of each file its name and SHA-256.

        The imported model in `folder` is among the sources. It stands for all files that a
        frontend read, as a configuration or weights beside the model.

        Raises
        ------
        KanError : a file cannot be read any more.
        """
        sources = {
            what: {"file": printable(path.name), "sha256": _digest(path)}
            for what, path in self.files.items()
            if path.is_file()
        }
        sources["import"] = {"file": IMPORTED.as_posix(), "sha256": _digest(folder / IMPORTED)}
        return None if self.command is None else printable(self.command), sources


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise KanError(f"cannot read {path}: {error.strerror}") from None


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that a build is made with, by their names."""
    return {
        "kan-dialect": __version__,
        "xdsl": version("xdsl"),
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
