"""Synthesis with Yosys: what a design takes on a family of devices.

Yosys maps the SystemVerilog as it stands, out of context (no pads, no clock buffers), and what is
counted are the cells that it made. Placing and routing them is in `place_and_route.py`.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from kan_dialect.errors import KanError
from kan_dialect.extensions import Registry
from kan_dialect.flows.tools.tool_runs import run
from kan_dialect.flows.tools.toolchain import Tool, find
from kan_dialect.shown import Shown


@dataclass(frozen=True)
class Target:
    """A family of devices, as Yosys knows it."""

    name: str
    command: str
    """Yosys's synthesis command with its options."""

    lut: str
    """What a lookup table's cell is called, a regular expression whose group is its inputs."""

    register: str
    """What a flip-flop's cell is called, of every kind: with and without enable, set and reset."""

    carry: str = "$^"
    """What a cell of a carry chain is called."""

    carry_luts: int = 0
    """Lookup tables that a cell of a carry chain takes up."""

    mux: str = "$^"
    """What a multiplexer that widens lookup tables is called."""

    mux_luts: int = 0
    """Lookup tables that are part of such a cell."""

    multiplier: str = "$^"
    """What a multiplier of its own is called."""

    memory: str = "$^"
    """What a cell of memory is called, of lookup tables or in blocks."""

    shift_register: str = "$^"
    """What a cell is called that lookup tables make of a chain of registers."""

    statistics: str = "stat -json"

    keep_hierarchy: str = ""
    """The option that leaves modules apart, where the command flattens by itself."""


XILINX = Target(
    "xcup",
    "synth_xilinx -family xcup -flatten -noiopad -noclkbuf -abc9",
    lut=r"LUT(\d)",
    register=r"FD[RSCP]E(_1)?",
    carry=r"CARRY[48]",
    mux=r"MUXF[789]",
    multiplier=r"DSP48E2",
    memory=r"RAM[B\d]\w*|URAM\w*",
    shift_register=r"SRL\w+",
    statistics="stat -json -tech xilinx",
)
"""AMD UltraScale+; `luts` is Yosys's estimate of logic cells, two small tables sharing one."""

ECP5 = Target(
    "ecp5",
    "synth_ecp5 -abc9",
    lut=r"LUT(4)",
    register=r"TRELLIS_FF",
    carry=r"CCU2C",
    carry_luts=2,
    mux=r"PFUMX|L6MUX21",
    multiplier=r"MULT18X18D",
    memory=r"TRELLIS_DPR16X4|DP16KD|PDPW16KD",
    keep_hierarchy="-noflatten",
)
"""Lattice ECP5; a carry cell adds two bits in the place of two lookup tables."""

ICE40 = Target(
    "ice40",
    "synth_ice40 -abc9",
    lut=r"SB_LUT(4)",
    register=r"SB_DFF\w*",
    carry=r"SB_CARRY",
    multiplier=r"SB_MAC16",
    memory=r"SB_RAM40_4K\w*",
    keep_hierarchy="-noflatten",
)
"""Lattice iCE40; a carry cell sits beside a lookup table."""


XC7 = replace(
    XILINX,
    name="xc7",
    command="synth_xilinx -family xc7 -flatten -noiopad -noclkbuf -abc9",
    multiplier=r"DSP48E1",
)
"""AMD 7-series; `luts` as of UltraScale+."""

CYCLONEV = Target(
    "cyclonev",
    "synth_intel_alm -family cyclonev -noiopad -noclkbuf",
    lut=r"MISTRAL_(?:ALUT|NOT)([2-6]?)",
    register=r"MISTRAL_FF",
    carry=r"MISTRAL_ALUT_ARITH",
    carry_luts=1,
    multiplier=r"MISTRAL_MUL\w+",
    memory=r"MISTRAL_M(LAB|10K)",
    keep_hierarchy="-noflatten",
)
"""Intel Cyclone V; `luts` are lookup tables of ALMs (ALUTs), of which an ALM has two."""

GOWIN = Target(
    "gowin",
    "synth_gowin -family gw1n -noiopads",
    lut=r"LUT(\d)",
    register=r"DFF\w*",
    carry=r"ALU",
    carry_luts=1,
    mux=r"MUX2_LUT[5-8]",
    memory=r"RAM16S\w*|S?[DS]PX?9?B?",
    keep_hierarchy="-noflatten",
)
"""Gowin GW1N; an ALU takes the place of a lookup table."""

NEXUS = Target(
    "nexus",
    "synth_nexus -noiopad -abc9",
    lut=r"LUT(4)",
    register=r"FD1P3[BDIJ]X",
    carry=r"CCU2",
    carry_luts=2,
    mux=r"WIDEFN9",
    mux_luts=2,
    multiplier=r"MULT\w+",
    memory=r"DPR16X4|PDP\w*16K\w*|DP16K\w*|SP16K\w*|PDPSC16K\w*",
    keep_hierarchy="-noflatten",
)
"""Lattice Nexus; a carry cell and a cell of 5 inputs (WIDEFN9) are two lookup tables each."""

GATEMATE = Target(
    "gatemate",
    "synth_gatemate -noiopad -noclkbuf -luttree -nomx8",
    # A multiplexer of two inputs is a lookup table of three.
    lut=r"CC_(?:LUT|L2T|MX(?=2))([1-5])",
    register=r"CC_DFF",
    carry=r"CC_ADDF",
    carry_luts=1,
    mux=r"CC_MX4",
    mux_luts=2,
    multiplier=r"CC_MULT",
    memory=r"CC_BRAM_[24]0K",
    keep_hierarchy="-noflatten",
)
"""CologneChip GateMate; lookup tables are halves of a CPE, which full adders take as well. A
multiplexer of four inputs takes two. nextpnr places the cells of `-luttree`, and no CC_MX8."""


def lut_target(inputs: int) -> Target:
    """Lookup tables of so many inputs and nothing else: no carry chains, no wide multiplexers."""
    if not 3 <= inputs <= 8:
        raise KanError(f"lookup tables of {inputs} inputs: must lie in 3..8")
    return Target(
        f"lut{inputs}",
        f"synth -flatten -lut {inputs}",
        lut=r"\$lut_?(\d*)",
        register=r"\$_\w*DFF\w*",
        statistics="stat -json -width",
    )


TARGETS = {
    target.name: target for target in (XILINX, ECP5, ICE40, XC7, CYCLONEV, GOWIN, NEXUS, GATEMATE)
}
"""Targets by name; `lutK` beside these, see `find_target`."""


def _problem_of(target: Target) -> str | None:
    """What is wrong with a target, in words; None if nothing is."""
    for name in ("lut", "register", "carry", "mux", "multiplier", "memory", "shift_register"):
        pattern: object = getattr(target, name)
        try:
            groups = re.compile(cast("str", pattern)).groups
        except (re.error, TypeError):
            return f"{name} must be a regular expression, got {pattern!r}"
        if name == "lut" and groups != 1:
            return f"lut must have one group, the number of inputs, got {pattern!r}"
    return None if target.command else "it has no command of Yosys"


INSTALLED = Registry("kan_dialect.synthesis", Target, "synthesis target", _problem_of)
"""The targets of other packages, by the names of their entry points."""


def find_target(name: str) -> Target:
    """The target of this name: one of `TARGETS`, lut3 .. lut8, or one of an installed package.

    Raises
    ------
    KanError : there is no such target; lists the names. Or its package publishes no valid record.
    """
    found = _target(name)
    if found is None:
        known = ", ".join([*TARGETS, "lut3 .. lut8", *INSTALLED.names()])
        raise KanError(f"there is no target {name!r}", remedy=f"take one of {known}")
    return found


def has_target(name: str) -> bool:
    """Whether `find_target` has a target of this name.

    Raises
    ------
    KanError : its package publishes no valid record.
    """
    return _target(name) is not None


def _target(name: str) -> Target | None:
    generic = re.fullmatch(r"lut([3-8])", name)
    if generic:
        return lut_target(int(generic[1]))
    return TARGETS.get(name) or INSTALLED.find(name)


@dataclass(frozen=True)
class Cells:
    """What a design was mapped to."""

    luts: int
    """Lookup tables (of Xilinx logic cells, in which two small tables may share one)."""

    registers: int
    luts_by_inputs: dict[int, int]
    carries: int
    muxes: int
    multipliers: int = 0
    memories: int = 0
    shift_registers: int = 0
    """Chains of registers in lookup tables, which `luts` and `registers` do not count."""


def count_cells(target: Target, cells: Mapping[str, int], logic_cells: int | None = None) -> Cells:
    """Sort cells by what they are.

    Parameters
    ----------
    cells : how many there are of each type.
    logic_cells : Yosys's own estimate of the place they take, where it has one.
    """
    by_inputs: Counter[int] = Counter()
    registers = carries = muxes = multipliers = memories = shift_registers = 0
    for kind, count in cells.items():
        if match := re.fullmatch(target.lut, kind):
            by_inputs[int(match[1] or 0)] += count
        elif re.fullmatch(target.register, kind):
            registers += count
        elif re.fullmatch(target.carry, kind):
            carries += count
        elif re.fullmatch(target.mux, kind):
            muxes += count
        elif re.fullmatch(target.multiplier, kind):
            multipliers += count
        elif re.fullmatch(target.memory, kind):
            memories += count
        elif re.fullmatch(target.shift_register, kind):
            shift_registers += count
    luts = sum(by_inputs.values()) + target.carry_luts * carries + target.mux_luts * muxes
    return Cells(
        luts if logic_cells is None else logic_cells,
        registers,
        dict(sorted(by_inputs.items())),
        carries,
        muxes,
        multipliers,
        memories,
        shift_registers,
    )


@dataclass(frozen=True, repr=False)
class Synthesis(Shown):
    """What Yosys made of a design."""

    target: Target
    top: str
    cells: Cells
    version: str
    """Of Yosys."""

    netlist: dict[str, Any] | None = None
    """The mapped design in Yosys's JSON form, where asked for: what nextpnr reads."""

    def figures(self) -> dict[str, Any]:
        """The summary."""
        return self.summary()

    def summary(self) -> dict[str, Any]:
        """What `report.json` holds under `synthesis`."""
        cells = self.cells
        return {
            "tool": f"yosys {self.version}",
            "target": self.target.name,
            "command": self.target.command,
            "luts": cells.luts,
            "registers": cells.registers,
            "luts_by_inputs": {str(size): count for size, count in cells.luts_by_inputs.items()},
            "carry_cells": cells.carries,
            "wide_muxes": cells.muxes,
            **({"multipliers": cells.multipliers} if cells.multipliers else {}),
            **({"memories": cells.memories} if cells.memories else {}),
            **({"shift_registers": cells.shift_registers} if cells.shift_registers else {}),
        }


def synthesize(
    rtl: Path,
    target: Target,
    *,
    top: str | None = None,
    yosys: Tool | None = None,
    timeout: float | None = None,
    with_netlist: bool = False,
    renamed: int = 0,
) -> Synthesis:
    """Map a SystemVerilog file.

    Parameters
    ----------
    top : the top module; where not given, the one that no other instantiates.
    yosys : which one; where not given, the one that is found.
    timeout : in seconds; None takes the limit in force (`tools.limited`).
    with_netlist : give the mapped design too.
    renamed : seed of random names for all signals but ports; 0: the names that they have. With
        other names, Yosys makes other choices among equal ones.

    Raises
    ------
    KanError : Yosys is missing, refuses the design or takes too long or too much memory, or the
        file is missing.
    """
    if not rtl.is_file():
        raise KanError(f"there is no file '{rtl}' to synthesise")
    yosys = yosys or find("yosys")
    with tempfile.TemporaryDirectory(prefix="kan-synthesis-") as directory:
        # The wheel's Yosys sees little more than the folder that it runs in.
        folder = Path(directory)
        shutil.copyfile(rtl, folder / "design.sv")
        commands = [
            "read_verilog -sv design.sv",
            *_renaming(top, renamed),
            target.command + ("" if top is None else f" -top {top}"),
            *_FLATTEN,
            f"tee -q -o statistics.json {target.statistics}",
            *(["write_json netlist.json"] if with_netlist else []),
        ]
        run(
            yosys,
            ["-q", "-p", "; ".join(commands)],
            cwd=folder,
            timeout=timeout,
            phase=f"synthesising for {target.name}",
        )
        counted = read_statistics((folder / "statistics.json").read_text(), target)
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


def read_statistics(text: str, target: Target) -> dict[str, Cells]:
    """The cells of each module, from what Yosys's `stat -json` prints.

    Raises
    ------
    KanError : the text is something else.
    """
    try:
        modules = cast("dict[str, dict[str, Any]]", json.loads(text)["modules"])
        return {
            name.removeprefix("\\"): count_cells(
                target,
                # Newer ones count instances of modules apart.
                entry["num_cells_by_type"],
                entry.get("estimated_num_lc"),
            )
            for name, entry in modules.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise KanError(f"Yosys's statistics cannot be read: {error}") from None
