"""Synthesis with Yosys for the cells of a Liberty file: area, clock and energy.

Flip-flops are mapped by `dfflibmap`, and logic by ABC, for area, and for delay where a clock needs
it. OpenSTA times the netlist where it is installed, with the activity of a simulation. Wires have
neither area nor capacitance: nothing is placed.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kan_dialect.devices.liberty import Library, read_library
from kan_dialect.errors import KanError
from kan_dialect.flows.tools.cell_simulation import READ_CELLS, Bit, activities_of, play_gates
from kan_dialect.flows.tools.opensta import CellTiming, constraints, run_sta
from kan_dialect.flows.tools.toolchain import Tool, find, look_for
from kan_dialect.flows.tools.yosys_runs import run_yosys, statistics_of, with_top
from kan_dialect.ir.constants import BoolArray
from kan_dialect.shown import Shown

_BEFORE = "strash;&get -n;&fraig -x;&put;scorr;dc2;strash"
_AFTER = "topo;buffer -c;upsize;dnsize"
MAPPINGS = (
    "",
    f' -script "+{_BEFORE};if -g;strash;dch -f;amap;{_AFTER}"',
    f' -script "+{_BEFORE};dch -f;map -B 0.9;{_AFTER}"',
)
"""Options of Yosys's `abc`, for area first. On three designs, the second one has 0.90 of the path
of the first at 1.01 of its area, and the third one 0.81 at 1.08."""


@dataclass(frozen=True)
class Vectors:
    """Words that a design's ports have: (vectors,), uint64, by port."""

    inputs: Mapping[str, NDArray[np.uint64]]
    outputs: Mapping[str, NDArray[np.uint64]]
    """As the integer model has them."""


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
    netlist: str
    """The cells as a Verilog module."""
    constraints: str
    """Clock and ports of the netlist, as an SDC file."""
    timing: CellTiming | None
    """Clock, leakage and energy; None without OpenSTA, or without delays in the library."""

    @property
    def path_ns(self) -> float:
        """The longest path; 0 without timing."""
        return self.timing.path_ns if self.timing else 0.0

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
            **({} if self.timing is None else self.timing.summary()),
        }


def synthesize_asic(
    rtl: Path,
    liberty: Path,
    *,
    modules: tuple[Path, ...] = (),
    top: str | None = None,
    mhz: float | None = None,
    vectors: Vectors | None = None,
    yosys: Tool | None = None,
    timeout: float | None = None,
) -> AsicSynthesis:
    """Map a SystemVerilog file to the cells of a library.

    Parameters
    ----------
    liberty : the Liberty file.
    mhz : the clock to keep, if ABC can; None: the smallest area.
    vectors : what the ports have, for the energy of a cycle.
    modules, top, yosys, timeout : as of `synthesis.synthesize`.

    Raises
    ------
    KanError : as of `read_library`; Yosys is missing, or it or ABC refuses design or library; the
        library lacks a cell for some logic; OpenSTA fails; or the netlist gives other outputs than
        the vectors have.
    """
    library = read_library(liberty)
    yosys = yosys or find("yosys")
    synthesis: AsicSynthesis | None = None
    for mapping in MAPPINGS:
        with tempfile.TemporaryDirectory(prefix="kan-asic-") as directory:
            folder = Path(directory)
            shutil.copyfile(liberty, folder / "cells.lib")
            commands = _commands(with_top("synth -flatten", top), mapping)
            try:
                run_yosys(yosys, rtl, modules, commands, folder, library.name, timeout)
            except KanError as error:
                if synthesis:  # ABC's `map` fails on libraries of few gates.
                    break
                if "failed while" not in error.message:  # Too slow, or too large.
                    raise
                raise KanError(
                    f"Yosys and ABC cannot map to the cells of {liberty}: {error.message}",
                    remedy="give a library with an inverter, a buffer, NAND or NOR gates, and a "
                    "flip-flop of the rising edge",
                ) from None
            mapped = _measured(folder, library, yosys, mhz, vectors)
        if not synthesis or mapped.path_ns < synthesis.path_ns:
            synthesis = mapped
        if not mhz or synthesis.path_ns <= 1000 / mhz:
            break
    assert synthesis
    return synthesis


def _commands(front: str, mapping: str) -> list[str]:
    """Yosys's commands from `design.sv` to the netlist in its forms."""
    return [
        front,
        "splitnets -format _",
        "rename -wire -suffix reg",
        "dfflibmap -liberty cells.lib",
        "abc -liberty cells.lib" + mapping,
        "splitnets -format _",
        "opt_clean -purge",
        "rename -enumerate",
        "tee -q -o statistics.json stat -json -liberty cells.lib",
        "write_verilog -noattr -simple-lhs netlist.v",
        *READ_CELLS,
    ]


def _measured(
    folder: Path,
    library: Library,
    yosys: Tool,
    mhz: float | None,
    vectors: Vectors | None,
) -> AsicSynthesis:
    """The netlist in a folder, with its timing, and energy by vectors.

    Raises
    ------
    KanError : the library lacks a cell for some logic, OpenSTA fails, or the netlist gives other
        outputs than the vectors have.
    """
    name, area, cells = _counted((folder / "statistics.json").read_text(), library)
    netlist, gates = (
        json.loads((folder / file).read_text())["modules"][name]
        for file in ("netlist.json", "gates.json")
    )
    timing = None
    period = 1000 / (mhz or 1)
    inputs = {
        port: len(entry["bits"])
        for port, entry in netlist["ports"].items()
        if entry["direction"] == "input"
    }
    sta = look_for("sta")
    if sta is not None:
        activities: Mapping[str, float] = {}
        if vectors is not None and "clk" in inputs:
            values = _played(gates, vectors)
            activities = activities_of(netlist, gates, values) if values else {}
        text = constraints(name, inputs, library, period)
        (folder / "constraints.sdc").write_text(text)
        timing = run_sta(sta, name, folder, library, period, activities)
    if timing and not mhz:
        period = timing.path_ns
    return AsicSynthesis(
        name,
        library.name,
        library.digest,
        area,
        cells,
        sum(count for kind, count in cells.items() if kind in library.flip_flops),
        yosys.version,
        (folder / "netlist.v").read_text(),
        constraints(name, inputs, library, period),
        timing,
    )


def _played(gates: Mapping[str, Any], vectors: Vectors) -> dict[Bit, BoolArray]:
    """Values of the nets; empty of a design with feedback.

    Raises
    ------
    KanError : the gates give other outputs than the vectors have.
    """
    first = next(iter(vectors.inputs.values()))
    controls = {"rst": np.zeros(len(first), np.bool_), "in_valid": np.ones(len(first), np.bool_)}
    inputs: dict[Bit, BoolArray] = {
        gates["ports"][port]["bits"][0]: value
        for port, value in controls.items()
        if port in gates["ports"]
    }
    for port, words in vectors.inputs.items():
        bits = gates["ports"][port]["bits"]
        inputs |= {bit: _bit_of(words, place) for place, bit in enumerate(bits)}
    values = play_gates(gates, inputs)
    if values is None:
        return {}
    for port, words in vectors.outputs.items():
        bits = gates["ports"][port]["bits"]
        for place, bit in enumerate(bits):
            if not np.array_equal(values[bit], _bit_of(words, place)):
                raise KanError(f"bit {place} of {port} differs between netlist and integer model")
    return values


def _bit_of(words: NDArray[np.uint64], place: int) -> BoolArray:
    return (words >> np.uint64(place) & np.uint64(1)).astype(np.bool_)


def _counted(text: str, library: Library) -> tuple[str, float, dict[str, int]]:
    """Top module, area and cells that Yosys's `stat -json -liberty` prints."""
    ((name, (cells, _, area)),) = statistics_of(text).items()
    # Flattening notes in such a cell where an instance was.
    cells.pop("$scopeinfo", None)
    unmapped = sorted(kind for kind in cells if kind.startswith(("$", "\\$")))
    if unmapped:
        raise KanError(
            f"{library.path} has no cell for {', '.join(unmapped)}",
            remedy="give a library with combinational gates and a flip-flop of the rising edge",
        )
    return name, area, cells
