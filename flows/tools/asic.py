"""Synthesis with Yosys for the cells of a Liberty file: area, clock and energy.

Flip-flops are mapped by `dfflibmap`, and logic by ABC, for area, or for a period where one is
given. OpenSTA times the netlist where it is installed, with the activity of a simulation. Wires
have neither area nor capacitance: nothing is placed.
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

from kan_dialect.devices.liberty import Library, read_library
from kan_dialect.errors import KanError
from kan_dialect.flows.tools.cell_simulation import Bit, pin_activities, play_cells
from kan_dialect.flows.tools.opensta import CellTiming, constraints, run_sta
from kan_dialect.flows.tools.toolchain import Tool, find, look_for
from kan_dialect.flows.tools.yosys_runs import run_yosys, statistics_of, with_top
from kan_dialect.ir.constants import BoolArray, IntArray
from kan_dialect.shown import Shown

COMMANDS = (
    "synth -flatten",
    "dfflibmap -liberty cells.lib",
    "abc -liberty cells.lib",
    "splitnets",
    "opt_clean -purge",
)
"""Yosys's commands between reading and counting; `synth` gets the top module."""

LONG_PERIOD_NS = 1000.0
"""Period for which the longest path is asked where no clock is given."""


@dataclass(frozen=True)
class Vectors:
    """Words that a design's ports have: (vectors,) by port."""

    inputs: Mapping[str, IntArray]
    outputs: Mapping[str, IntArray]
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
    """The netlist's clock and ports, as an SDC file."""
    period_ns: float | None = None
    """The clock asked for, or the fastest one by OpenSTA; None without either."""
    path_ns: float | None = None
    """Longest path between registers or ports, setup included; None without OpenSTA or delays."""
    path: tuple[str, str] = ("", "")
    """Where it starts and ends."""
    leakage_w: float | None = None
    energy_j: float | None = None
    """Switching energy of a cycle, clock and registers included; None without vectors."""

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
            **_known(
                period_ns=self.period_ns,
                path_ns=self.path_ns,
                path_from=self.path[0] or None,
                path_to=self.path[1] or None,
                leakage_w=self.leakage_w,
                energy_j=self.energy_j,
            ),
        }


def _known(**figures: float | str | None) -> dict[str, Any]:
    """The figures that are not None, numbers to six digits."""
    return {
        name: float(f"{value:.6g}") if isinstance(value, float) else value
        for name, value in figures.items()
        if value is not None
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
    mhz : the clock to map for; None: the smallest area.
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
    synth, registers, abc, *clean = COMMANDS
    commands = [
        with_top(synth, top),
        registers,
        abc if mhz is None else f"{abc} -D {round(1e6 / mhz)}",
        *clean,
        "rename -enumerate",
        "tee -q -o statistics.json stat -json -liberty cells.lib",
        "write_verilog -noattr netlist.v",
        "write_json netlist.json",
    ]
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
        name, area, cells = _counted((folder / "statistics.json").read_text(), library)
        module = json.loads((folder / "netlist.json").read_text())["modules"][name]
        is_clocked = "clk" in module["ports"]
        period = None if mhz is None else 1000 / mhz
        timing = _timed(folder, name, library, period, {}, is_clocked)
        path = None
        if timing is not None:
            path = (period or LONG_PERIOD_NS) - timing.slack * library.unit_ns
            period = period or path
        energy = None
        if timing is not None and period and vectors is not None and is_clocked:
            activities = _activities(module, library, vectors)
            powered = activities and _timed(folder, name, library, period, activities, is_clocked)
            energy = powered and powered.dynamic_w * period * 1e-9
        asked = (period or LONG_PERIOD_NS) / library.unit_ns
        return AsicSynthesis(
            name,
            library.name,
            library.digest,
            area,
            cells,
            sum(count for kind, count in cells.items() if kind in library.flip_flops),
            yosys.version,
            (folder / "netlist.v").read_text(),
            constraints(name, asked, clocked=is_clocked),
            period,
            path,
            ("", "") if timing is None else (timing.start, timing.end),
            None if timing is None else timing.leakage_w,
            energy or None,
        )


def _timed(
    folder: Path,
    top: str,
    library: Library,
    period_ns: float | None,
    activities: Mapping[str, float],
    is_clocked: bool,
) -> CellTiming | None:
    """What OpenSTA says of the netlist in a folder; None without it, or without delays."""
    sta = look_for("sta")
    if sta is None or not library.gate_ns:
        return None
    period = (period_ns or LONG_PERIOD_NS) / library.unit_ns
    (folder / "constraints.sdc").write_text(constraints(top, period, clocked=is_clocked))
    return run_sta(sta, top, folder, activities)


def _activities(
    module: Mapping[str, Any], library: Library, vectors: Vectors
) -> dict[str, float] | None:
    """Transitions of pins in a cycle; None of a design with feedback.

    Raises
    ------
    KanError : the netlist gives other outputs than the vectors have.
    """
    count = len(next(iter(vectors.inputs.values())))
    idle = np.zeros(count, dtype=np.bool_)
    inputs: dict[Bit, BoolArray] = {}
    for port, entry in module["ports"].items():
        if entry["direction"] == "input" and port != "clk":
            words = vectors.inputs.get(port)
            for place, bit in enumerate(entry["bits"]):
                taken = idle if port == "rst" else ~idle
                inputs[bit] = taken if words is None else (words >> place & 1).astype(np.bool_)
    values = play_cells(module, library, inputs)
    if values is None:
        return None
    for port, words in vectors.outputs.items():
        for place, bit in enumerate(module["ports"][port]["bits"]):
            if not np.array_equal(values[bit], (words >> place & 1).astype(np.bool_)):
                raise KanError(f"bit {place} of {port} differs between netlist and integer model")
    return pin_activities(module, values)


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
