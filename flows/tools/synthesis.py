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
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from kan_dialect.errors import KanError
from kan_dialect.extensions import Registry
from kan_dialect.flows.tools.module_files import design_text
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

    memory_luts: Mapping[str, int] = field(default_factory=dict[str, int])
    """Lookup tables of each such cell that is made of some."""

    shift_register: str = "$^"
    """What a cell is called that lookup tables make of a chain of registers."""

    statistics: str = "stat -json"

    prepare: str = ""
    """Yosys's command before synthesis, where the text asks for something the device lacks."""

    keep_hierarchy: str = ""
    """The option that leaves modules apart, where the command flattens by itself."""


UNSET_MEMORY_STYLE = "setattr -unset ram_style -unset ramstyle */m:*"
"""Leaves it to synthesis what memories are made of: the text asks for lookup tables."""

XILINX = Target(
    "xcup",
    "synth_xilinx -family xcup -flatten -noiopad -noclkbuf -abc9",
    lut=r"LUT(\d)",
    register=r"FD[RSCP]E(_1)?",
    carry=r"CARRY[48]",
    mux=r"MUXF[789]",
    multiplier=r"DSP48E2",
    memory=r"RAM[B\d]\w*|URAM\w*",
    memory_luts={"RAM32M": 4, "RAM64M": 4, "RAM32M16": 8, "RAM64M8": 8},
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
    memory_luts={"TRELLIS_DPR16X4": 4},
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
    prepare=UNSET_MEMORY_STYLE,
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
    memory_luts={"RAM16SDP4": 4, "RAM16SDP2": 2, "RAM16SDP1": 1},
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
    memory_luts={"DPR16X4": 4},
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
"""The targets of device families by name."""


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


REGISTRY = Registry(
    "kan_dialect.synthesis",
    Target,
    "synthesis target",
    _problem_of,
    TARGETS | {f"lut{inputs}": lut_target(inputs) for inputs in range(3, 9)},
)
"""All targets: those of other packages go by the names of their entry points."""


def find_target(name: str) -> Target:
    """The target of this name: one of `TARGETS`, lut3 .. lut8, or one of an installed package.

    Raises
    ------
    KanError : there is no such target; lists the names. Or its package publishes no valid record.
    """
    found = REGISTRY.find(name)
    if found is None:
        known = ", ".join(REGISTRY.names())
        raise KanError(f"there is no target {name!r}", remedy=f"take one of {known}")
    return found


def has_target(name: str) -> bool:
    """Whether `find_target` has a target of this name.

    Raises
    ------
    KanError : its package publishes no valid record.
    """
    return REGISTRY.find(name) is not None


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
    stored = sum(luts * cells.get(kind, 0) for kind, luts in target.memory_luts.items())
    return Cells(
        (luts if logic_cells is None else logic_cells) + stored,
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
            "command": self.target.command,
            "luts": cells.luts,
            "registers": cells.registers,
            "luts_by_inputs": {str(size): count for size, count in cells.luts_by_inputs.items()},
            "carry_cells": cells.carries,
            "wide_muxes": cells.muxes,
            **({"multipliers": cells.multipliers} if cells.multipliers else {}),
            **({"memories": cells.memories} if cells.memories else {}),
            **({"shift_registers": cells.shift_registers} if cells.shift_registers else {}),
            **({"core": self.core.size()} if self.core else {}),
        }

    def size(self) -> dict[str, int]:
        """The figures that stand beside those of a wrapper."""
        return {"luts": self.cells.luts, "registers": self.cells.registers}


def synthesize(
    rtl: Path,
    target: Target,
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
    KanError : Yosys is missing, refuses the design or takes too long or too much memory, or the
        file is missing.
    """
    if not rtl.is_file():
        raise KanError(f"there is no file '{rtl}' to synthesise")
    yosys = yosys or find("yosys")
    with tempfile.TemporaryDirectory(prefix="kan-synthesis-") as directory:
        # The wheel's Yosys sees little more than the folder that it runs in.
        folder = Path(directory)
        (folder / "design.sv").write_text(design_text(rtl, modules))
        commands = [
            "read_verilog -sv design.sv",
            *([target.prepare] if target.prepare else []),
            *_renaming(top, renamed),
            target.command + ("" if top is None else f" -top {top}"),
            *_FLATTEN,
            f"tee -q -o statistics.json {target.statistics}",
            *(["write_json netlist.json"] if with_netlist else []),
        ]
        try:
            run(
                yosys,
                ["-q", "-p", "; ".join(commands)],
                cwd=folder,
                timeout=timeout,
                phase=f"synthesising for {target.name}",
            )
        except KanError as error:
            require_modules(error, rtl)
            raise
        counted = read_statistics((folder / "statistics.json").read_text(), target)
        netlist = json.loads((folder / "netlist.json").read_text()) if with_netlist else None
    if len(counted) != 1:
        raise KanError(f"{rtl} holds {len(counted)} modules after flattening, not one")
    ((name, cells),) = counted.items()
    return Synthesis(target, name, cells, yosys.version, netlist)


def require_modules(error: KanError, rtl: Path) -> None:
    """Refuse a design that lacks a module, by the message of Yosys.

    Raises
    ------
    KanError : the message is of a missing module; names the file to add.
    """
    missing = re.search(r"Module `\\\\?(\w+)' referenced in module `\\\\?(\w+)'", error.message)
    if missing is not None:
        raise KanError(
            f"{rtl}: {missing[2]} instantiates {missing[1]}, which no file beside it declares",
            remedy=f"put the file that declares {missing[1]} into its folder",
        ) from None


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
