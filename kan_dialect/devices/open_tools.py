"""How the open tools are used for a device family: Yosys, and nextpnr."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

NetlistModule: TypeAlias = dict[str, Any]
"""A module in Yosys's JSON form."""

NO_CELL = "$^"
"""A regular expression for cells that a family lacks."""


WITHOUT_LUT_MEMORY = "setattr -unset ram_style -unset ramstyle */a:ram_style=distributed"
"""`Yosys.prepare` of families without memories of lookup tables, which buffers ask for."""


@dataclass(frozen=True)
class Yosys:
    """Yosys's synthesis for a family, and the cells that it makes.

    Cells are regular expressions for the whole name of their type.
    """

    command: str
    """The synthesis command with its options."""
    lut: str
    """Lookup tables. Its group is the number of inputs."""
    register: str
    """Flip-flops of every kind: with and without enable, set and reset."""
    lut_areas: tuple[float, ...] = ()
    """Areas of functions of 1, 2, ... inputs by which ABC chooses, as in Yosys's library or fitted;
    empty: 1 for a lookup table, twice as much for each further input."""
    restructured: float = 0.0
    """Further LUTs of a table for each bit that it reads beyond those of a lookup table, as a
    share: ABC's restructuring takes shared choices apart."""
    carry: str = NO_CELL
    """Cells of a carry chain."""
    carry_luts: int = 0
    """Lookup tables that a cell of a carry chain takes up."""
    mux: str = NO_CELL
    """Multiplexers that widen lookup tables."""
    mux_luts: int = 0
    """Lookup tables that are part of such a cell."""
    covers_choices: bool = False
    """Synthesis makes multiplexers of four signals of trees of choices first (`muxcover -mux4`),
    and lookup tables of the rest."""
    multiplier: str = NO_CELL
    memory: str = NO_CELL
    """Memories, of lookup tables or in blocks."""
    memory_luts: Mapping[str, int] = field(default_factory=dict[str, int])
    """Lookup tables of each memory that is made of some."""
    block_rams: Mapping[str, int] = field(default_factory=dict[str, int])
    """Block RAMs of each memory in blocks, in the size that the family's parts count."""
    shift_register: str = NO_CELL
    """Chains of registers in lookup tables."""
    statistics: str = "stat -json"
    prepare: str = ""
    """Command before synthesis, where the text asks for something that the device lacks."""
    keep_hierarchy: str = ""
    """The option that leaves modules apart, where the command flattens by itself."""
    pad_option: str = ""
    """The option of `command` that leaves out pads. Projects, whose ports have pins, omit it."""

    @property
    def command_with_pads(self) -> str:
        """The synthesis command for a design whose ports have pins."""
        return self.command.replace(f" {self.pad_option}", "") if self.pad_option else self.command


@dataclass(frozen=True)
class Cell:
    """A type of cell with one output, and how it is added to a netlist."""

    kind: str
    inputs: tuple[str, ...]
    """Pins. A register has its clock first."""
    output: str
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])
    tied: Mapping[str, str] = field(default_factory=dict[str, str])
    """Pins that are constant."""


@dataclass(frozen=True)
class Bitstream:
    """How nextpnr gets pins and writes a routed design, and the tool that packs it."""

    constraints: str
    """Ending of the file of constraints, and the name of nextpnr's option for it."""
    unconstrained: str
    """Option that lets nextpnr choose pins; empty where it cannot."""
    routed: str
    """nextpnr's format of a routed design: an option, and a file's ending."""
    pack: str
    """Command that makes a bitstream of it."""


@dataclass(frozen=True)
class Nextpnr:
    """nextpnr for a family."""

    tool: str
    part: str
    """Name of the part that is taken where the user names none."""
    luts: Mapping[str, int]
    """Lookup tables of each cell that has some, under nextpnr's names."""
    registers: str | None
    """Type of its flip-flops, where these are cells of their own."""
    register: Cell
    """A flip-flop in a netlist of Yosys."""
    options: tuple[str, ...] = ()
    """Options for all parts."""
    luts_at_registers: bool = False
    """A register takes a lookup table where the one before it is not its own."""
    out_of_context: bool = False
    """nextpnr places designs whose ports have no pins."""
    places_ports: bool = False
    """nextpnr chooses pins for ports. Without this and `out_of_context`, a design stands in a
    harness of few pins, as does one with more ports than pins."""
    pin_file: str = ""
    """Name of the file that gives the harness its pins; empty where nextpnr chooses them."""
    pin_line: str = ""
    """A line of that file, with `{pin}` and `{port}`."""
    harness_options: tuple[str, ...] = ()
    input_pad: Cell | None = None
    """None: nextpnr adds pads."""
    output_pad: Cell | None = None
    exclusive_or: Cell | None = None
    """Joins the outputs of a design for one pin, with `output_pad`. None: nextpnr keeps cells that
    lead nowhere."""
    prepare: Callable[[NetlistModule], None] = lambda _module: None
    """Changes cells as nextpnr needs them; the design computes the same."""
    bitstream: Bitstream | None = None
    """None: projects have no rule for a bitstream."""
