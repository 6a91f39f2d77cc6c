"""Synthesis with Yosys for the cells of a Liberty file: area in the units of the library.

Flip-flops are mapped by `dfflibmap`, and logic by ABC, for area. Wires have no area, and nothing is
placed.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kan_dialect.errors import KanError
from kan_dialect.flows.tools.toolchain import Tool, find
from kan_dialect.flows.tools.yosys_runs import run_yosys, statistics_of, with_top
from kan_dialect.shown import Shown

COMMANDS = (
    "synth -flatten",
    "dfflibmap -liberty cells.lib",
    "abc -liberty cells.lib",
    "opt_clean",
)
"""Yosys's commands between reading and counting; `synth` gets the top module."""


@dataclass(frozen=True, repr=False)
class AsicSynthesis(Shown):
    """A design in the cells of a library."""

    top: str
    library: str
    """The name that the library gives itself."""
    digest: str
    """SHA-256 of the Liberty file, in hexadecimal."""
    area: float
    """In the units of the library."""
    cells: Mapping[str, int]
    """Number of cells by type."""
    registers: int
    """Flip-flops."""
    version: str
    """Of Yosys."""

    def figures(self) -> dict[str, Any]:
        """The summary."""
        return self.summary()

    def summary(self) -> dict[str, Any]:
        """What `report.json` holds under `asic`."""
        return {
            "tool": f"yosys {self.version}",
            "library": self.library,
            "sha256": self.digest,
            "area": self.area,
            "cells": sum(self.cells.values()),
            "registers": self.registers,
            "cells_by_type": dict(sorted(self.cells.items())),
        }


@dataclass(frozen=True)
class Library:
    """A Liberty file, as far as a message can be made of it before tools read it."""

    path: Path
    name: str
    flip_flops: frozenset[str]
    """Names of the cells that have a flip-flop."""


def read_library(path: Path) -> Library:
    """A Liberty file.

    Raises
    ------
    KanError : the file does not exist, is not Liberty, ends too early, or a cell that
        synthesis needs is missing.
    """
    try:
        text = re.sub(r"/\*.*?\*/", " ", path.read_text(errors="replace"), flags=re.DOTALL)
    except OSError as error:
        raise KanError(f"cannot read the library {path}: {error.strerror}") from None
    named = re.search(r"\blibrary\s*\(\s*\"?([^\")]*?)\"?\s*\)\s*\{", text)
    if named is None:
        raise KanError(f"{path} is no Liberty file: it has no library (NAME) {{ ... }}")
    unquoted = re.sub(r'"(?:\\.|[^"\\])*"', '""', text, flags=re.DOTALL)
    if unquoted.count("{") != unquoted.count("}"):
        raise KanError(
            f"{path} is no whole Liberty file: it has {unquoted.count('{')} opening and "
            f"{unquoted.count('}')} closing braces",
            remedy="get the file again",
        )
    found = re.split(r"\bcell\s*\(\s*\"?([^\")\s]+)\"?\s*\)\s*\{", text)
    bodies = dict(zip(found[1::2], found[2::2], strict=True))
    flip_flops = frozenset(name for name, body in bodies.items() if re.search(r"\bff\s*\(", body))
    if not flip_flops:
        raise KanError(
            f"{path} has no flip-flop among its {len(bodies)} cells",
            remedy="give a library of standard cells, with a cell that has an ff group",
        )
    return Library(path, named[1], flip_flops)


def synthesize_asic(
    rtl: Path,
    liberty: Path,
    *,
    modules: tuple[Path, ...] = (),
    top: str | None = None,
    yosys: Tool | None = None,
    timeout: float | None = None,
) -> AsicSynthesis:
    """Map a SystemVerilog file to the cells of a library.

    Parameters
    ----------
    liberty : the Liberty file.
    modules, top, yosys, timeout : as of `synthesis.synthesize`.

    Raises
    ------
    KanError : as of `read_library`; Yosys is missing, or it or ABC refuses design or library; or
        the library lacks a cell for some logic.
    """
    library = read_library(liberty)
    yosys = yosys or find("yosys")
    synth, *others = COMMANDS
    statistics = "tee -q -o statistics.json stat -json -liberty cells.lib"
    commands = [with_top(synth, top), *others, statistics]
    with tempfile.TemporaryDirectory(prefix="kan-asic-") as directory:
        folder = Path(directory)
        shutil.copyfile(liberty, folder / "cells.lib")
        try:
            run_yosys(yosys, rtl, modules, commands, folder, library.name, timeout)
        except KanError as error:
            if "failed while" not in error.message:  # Too slow, or too large.
                raise
            raise KanError(
                f"Yosys and ABC cannot map to the cells of {liberty}: {error.message}",
                remedy="give a library with an inverter, a buffer, NAND or NOR gates, and a "
                "flip-flop of the rising edge",
            ) from None
        text = (folder / "statistics.json").read_text()
    return _read(text, library, hashlib.sha256(liberty.read_bytes()).hexdigest(), yosys)


def _read(text: str, library: Library, digest: str, yosys: Tool) -> AsicSynthesis:
    """The figures that Yosys's `stat -json -liberty` prints."""
    ((name, (cells, _, area)),) = statistics_of(text).items()
    # Flattening notes in such a cell where an instance was.
    cells.pop("$scopeinfo", None)
    unmapped = sorted(kind for kind in cells if kind.startswith(("$", "\\$")))
    if unmapped:
        raise KanError(
            f"{library.path} has no cell for {', '.join(unmapped)}",
            remedy="give a library with combinational gates and a flip-flop of the rising edge",
        )
    registers = sum(count for kind, count in cells.items() if kind in library.flip_flops)
    return AsicSynthesis(name, library.name, digest, area, cells, registers, yosys.version)
