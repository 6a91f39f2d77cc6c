"""Synthesis with Yosys: what a design takes on a family of devices.

Yosys maps the SystemVerilog as it stands, out of context (no pads, no clock buffers), and what is
counted are the cells that it made. Placing and routing them is in `place_and_route.py`.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kan_dialect.devices.device import DEVICES, DeviceFamily, Yosys
from kan_dialect.errors import KanError
from kan_dialect.flows.tools.toolchain import Tool, find
from kan_dialect.flows.tools.yosys_runs import run_yosys, statistics_of, with_top
from kan_dialect.shown import Shown


def yosys_of(family: DeviceFamily) -> Yosys:
    """Yosys's synthesis for a family.

    Raises
    ------
    KanError : Yosys does not map to it; lists the families of this compiler.
    """
    if family.yosys is None:
        known = [name for name, each in DEVICES.items() if each.yosys is not None]
        raise KanError(
            f"Yosys does not map to {family.name}", remedy=f"take one of {', '.join(known)}"
        )
    return family.yosys


@dataclass(frozen=True)
class Cells:
    """What a design was mapped to."""

    luts: int
    """Lookup tables (of Xilinx logic cells, in which two small tables may share one), with those of
    memories."""

    registers: int
    luts_by_inputs: dict[int, int]
    carries: int
    muxes: int
    multipliers: int = 0
    memories: int = 0
    shift_registers: int = 0
    """Chains of registers in lookup tables, which `luts` and `registers` do not count."""
    block_rams: int = 0
    """Block RAMs, in the size that the family's parts count."""


def count_cells(yosys: Yosys, cells: Mapping[str, int], logic_cells: int | None = None) -> Cells:
    """Sort cells by what they are.

    Parameters
    ----------
    cells : how many there are of each type.
    logic_cells : Yosys's own estimate of the place they take, where it has one.
    """
    by_inputs: Counter[int] = Counter()
    counts: Counter[str] = Counter()
    for name, count in cells.items():
        if match := re.fullmatch(yosys.lut, name):
            by_inputs[int(match[1] or 0)] += count
        else:
            kinds = (kind for kind in _KINDS if re.fullmatch(getattr(yosys, kind), name))
            counts[next(kinds, "other")] += count
    luts = by_inputs.total() + yosys.carry_luts * counts["carry"] + yosys.mux_luts * counts["mux"]
    stored = sum(luts * cells.get(kind, 0) for kind, luts in yosys.memory_luts.items())
    return Cells(
        (luts if logic_cells is None else logic_cells) + stored,
        counts["register"],
        dict(sorted(by_inputs.items())),
        *(counts[kind] for kind in _KINDS[1:]),
        block_rams=sum(blocks * cells.get(kind, 0) for kind, blocks in yosys.block_rams.items()),
    )


_KINDS = ("register", "carry", "mux", "multiplier", "memory", "shift_register")
"""Cells beside lookup tables: patterns of `Yosys`, in the order of `Cells`."""


@dataclass(frozen=True, repr=False)
class Synthesis(Shown):
    """What Yosys made of a design."""

    target: DeviceFamily
    top: str
    cells: Cells
    version: str
    """Of Yosys."""

    netlist: dict[str, Any] | None = None
    """The mapped design in Yosys's JSON form, where asked for: what nextpnr reads."""

    core: Synthesis | None = None
    """The network alone, where `top` is a wrapper around it."""

    def figures(self) -> dict[str, Any]:
        """The summary."""
        return self.summary()

    def summary(self) -> dict[str, Any]:
        """What `report.json` holds under `synthesis`."""
        cells = self.cells
        return {
            "tool": f"yosys {self.version}",
            "target": self.target.name,
            "command": yosys_of(self.target).command,
            "luts": cells.luts,
            "registers": cells.registers,
            "luts_by_inputs": {str(size): count for size, count in cells.luts_by_inputs.items()},
            "carry_cells": cells.carries,
            "wide_muxes": cells.muxes,
            **({"multipliers": cells.multipliers} if cells.multipliers else {}),
            **({"memories": cells.memories} if cells.memories else {}),
            **({"block_rams": cells.block_rams} if cells.block_rams else {}),
            **({"shift_registers": cells.shift_registers} if cells.shift_registers else {}),
            **({"core": self.core.size()} if self.core else {}),
        }

    def size(self) -> dict[str, int]:
        """The figures that stand beside those of a wrapper."""
        cells = self.cells
        return {
            "luts": cells.luts,
            "registers": cells.registers,
            **({"block_rams": cells.block_rams} if cells.block_rams else {}),
        }


def synthesize(
    rtl: Path,
    target: DeviceFamily,
    *,
    modules: tuple[Path, ...] = (),
    top: str | None = None,
    yosys: Tool | None = None,
    timeout: float | None = None,
    with_netlist: bool = False,
    renamed: int = 0,
) -> Synthesis:
    """Map a SystemVerilog file.

    Parameters
    ----------
    modules : files of the modules that it instantiates.
    top : the top module; where not given, the one that no other instantiates.
    yosys : which one; where not given, the one that is found.
    timeout : in seconds; None takes the limit in force (`tools.limited`).
    with_netlist : give the mapped design too.
    renamed : seed of random names for all signals but ports; 0: the names that they have. With
        other names, Yosys makes other choices among equal ones.

    Raises
    ------
    KanError : Yosys is missing, does not map to the device, refuses the design or takes too long or
        too much memory, or the file is missing.
    """
    mapping = yosys_of(target)
    commands = [
        *([mapping.prepare] if mapping.prepare else []),
        *_renaming(top, renamed),
        with_top(mapping.command, top),
        *_FLATTEN,
        f"tee -q -o statistics.json {mapping.statistics}",
        *(["write_json netlist.json"] if with_netlist else []),
    ]
    yosys = yosys or find("yosys")
    with tempfile.TemporaryDirectory(prefix="kan-synthesis-") as directory:
        folder = Path(directory)
        run_yosys(yosys, rtl, modules, commands, folder, target.name, timeout)
        counted = read_statistics((folder / "statistics.json").read_text(), mapping)
        netlist = json.loads((folder / "netlist.json").read_text()) if with_netlist else None
    if len(counted) != 1:
        raise KanError(f"{rtl} holds {len(counted)} modules after flattening, not one")
    ((name, cells),) = counted.items()
    return Synthesis(target, name, cells, yosys.version, netlist)


_FLATTEN = ("setattr -mod -unset keep_hierarchy *", "flatten")
"""Commands behind the mapping, that put modules which it keeps into the one that has them."""


def _renaming(top: str | None, seed: int) -> list[str]:
    """Commands that give all signals random names; none for seed 0."""
    if not seed:
        return []
    hierarchy = "hierarchy -auto-top" if top is None else f"hierarchy -top {top}"
    return [hierarchy, "proc", f"rename -scramble-name -seed {seed}"]


def read_statistics(text: str, yosys: Yosys) -> dict[str, Cells]:
    """The cells of each module, from what Yosys's `stat -json` prints.

    Raises
    ------
    KanError : the text is something else.
    """
    return {
        name: count_cells(yosys, found.cells, found.logic_cells)
        for name, found in statistics_of(text).items()
    }
