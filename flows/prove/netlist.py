"""The text of a design as Yosys reads it: cells, their connections, and the names of signals.

Yosys parses and elaborates (`read_verilog -sv`, `hierarchy`, `proc`), and nothing is optimised: the
cells are word-level operators, registers and tables, as they are written in the file.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, cast

from kan_dialect.errors import KanError
from kan_dialect.flows.design import Design, require_ports
from kan_dialect.flows.tools.tool_runs import run
from kan_dialect.flows.tools.toolchain import Tool
from kan_dialect.model.interface import Interface

Bit: TypeAlias = int | str
"""A bit of a connection: the number of a net, or the constant `0`, `1` or `x`."""


@dataclass(frozen=True, eq=False)
class Cell:
    """An operator, a register or a table."""

    name: str
    kind: str
    """Yosys's name for it, without the dollar sign: `add`, `dff`."""

    place: str
    """File and line."""

    parameters: dict[str, int]
    connections: dict[str, list[Bit]]
    memory: str = ""
    """Of a read port, which table it reads; of an output of an instance, which module that is."""


@dataclass(frozen=True, eq=False)
class InputPort:
    """An input of the design."""

    name: str


Source: TypeAlias = Cell | InputPort


@dataclass(frozen=True, eq=False)
class Instance:
    """A module within a module. Its outputs are cells of the kind `instance`, one each."""

    name: str
    module: str
    place: str
    """File and line."""

    inputs: dict[str, list[Bit]]
    """By port, clocks included."""

    outputs: dict[str, list[Bit]]


@dataclass
class Memory:
    """A memory, or a table that is written as one.

    A read is a cell `memrd_v2` (or `memrd`) that gives the word at `ADDR` within the cycle; where
    it comes a cycle later, a register follows it. A write is a cell `memwr_v2`: at the edge of
    `CLK`, the bits of `DATA` whose bit of `EN` is 1 are written to the word at `ADDR`. A read in
    the cycle of a write has the word from before.
    """

    name: str
    width: int
    entries: list[int | None]
    """Words as bit patterns when the device wakes up, from address 0 on; None where undefined."""

    reads: list[Cell] = field(default_factory=list[Cell])
    writes: list[Cell] = field(default_factory=list[Cell])


@dataclass
class Netlist:
    """A module after elaboration."""

    inputs: dict[str, list[Bit]]
    outputs: dict[str, list[Bit]]
    names: dict[str, list[Bit]]
    """Bits of every named signal, lowest first."""

    ports: list[str]
    """Names of all ports, in the order of the file."""

    drivers: dict[Bit, tuple[Source, int]] = field(default_factory=dict[Bit, tuple[Source, int]])
    """Of each net, what drives it, and which bit of it that is."""

    memories: dict[str, Memory] = field(default_factory=dict[str, Memory])

    instances: dict[str, Instance] = field(default_factory=dict[str, Instance])

    clocks: set[str] = field(default_factory=set[str])
    """Inputs that are clocks; not known of a netlist that Yosys made."""

    is_kept: bool = False
    """Synthesis keeps the module apart; in the netlist of another one stand its cells."""

    turns: dict[Cell, tuple[int, ...]] = field(default_factory=dict[Cell, tuple[int, ...]])
    """Registers that count the cycles of an interval: what they hold in each, from a sample on."""

    loaded: set[str] = field(default_factory=set[str])
    """Memories whose words stay while a sample is under way, and are written at other times."""

    signed: set[Source] = field(default_factory=set[Source])
    """What something reads as a signed number."""

    @property
    def port_bits(self) -> dict[str, tuple[bool, int]]:
        """Whether each port is an output, and its bits."""
        sides = (False, self.inputs), (True, self.outputs)
        return {name: (is_out, len(bits)) for is_out, side in sides for name, bits in side.items()}

    @property
    def cells(self) -> list[Cell]:
        """The cells that drive nets, each once, in the order of the file."""
        sources = dict.fromkeys(source for source, _ in self.drivers.values())
        return [source for source in sources if isinstance(source, Cell)]

    def drive(self, source: Source, bits: Sequence[Bit]) -> None:
        """Enter what drives some nets.

        Raises
        ------
        KanError : something drives one of them already.
        """
        for index, bit in enumerate(bits):
            if bit in self.drivers:
                raise KanError(f"a signal is driven twice, by {source.name} too")
            self.drivers[bit] = source, index

    def add_instance(self, instance: Instance) -> None:
        """Enter an instance as what drives the bits of its outputs."""
        self.instances[instance.name] = instance
        for port, bits in instance.outputs.items():
            name = f"{instance.name}.{port}"
            cell = Cell(name, INSTANCE, instance.place, {}, {"Y": bits}, instance.module)
            self.drive(cell, bits)


INSTANCE = "instance"
"""The kind of a cell that is an output of an instance, named `INSTANCE.PORT`."""

RESULTS = ("Y", "Q", "DATA")
"""Names of the cells' output ports."""


def read_design(
    rtl: Path, top: str, yosys: Tool, timeout: float | None = None, *, parts: Sequence[Path] = ()
) -> Netlist:
    """The module `top` of a SystemVerilog file.

    Parameters
    ----------
    parts : files with the modules of its instances.

    Raises
    ------
    KanError : a file is missing, Yosys refuses it or it lacks the module.
    """
    for path in (rtl, *parts):
        if not path.is_file():
            raise KanError(f"there is no {path}", remedy="run kan-flow build first")
    with tempfile.TemporaryDirectory(prefix="kan-proof-") as directory:
        # The wheel's Yosys sees little more than the folder that it runs in.
        folder = Path(directory)
        name = rtl.name if re.fullmatch(r"\w[\w.]*\.sv", rtl.name, re.ASCII) else "design.sv"
        shutil.copyfile(rtl, folder / name)
        names = [f"part{index}.sv" for index in range(len(parts))]
        for part, path in zip(names, parts, strict=True):
            shutil.copyfile(path, folder / part)
        commands = [
            # Else a memory that is only read at constant addresses would become registers.
            *(f"read_verilog -sv -nomem2reg {each}" for each in (*names, name)),
            f"hierarchy -check -top {top}",
            *_FLATTEN_KEPT,
            f"select -module {top}",
            "proc -noopt",
            "write_json -selected design.json",
        ]
        run(
            yosys,
            ["-q", "-p", "; ".join(commands)],
            cwd=folder,
            timeout=timeout,
            phase="reading the RTL",
        )
        written = json.loads((folder / "design.json").read_text())
    modules = cast("dict[str, dict[str, Any]]", written["modules"])
    if top not in modules:
        raise KanError(f"{rtl} holds no module {top}")
    return _netlist(modules[top])


_FLATTEN_KEPT = (
    "setattr -mod -set kept 1 A:keep_hierarchy",
    "setattr -mod -set keep_hierarchy 1 A:kept %n",
    "setattr -mod -unset keep_hierarchy A:kept",
    "flatten",
)
"""Commands that put the cells of modules that synthesis keeps in the place of their instances."""


def _netlist(module: dict[str, Any]) -> Netlist:
    ports = cast("dict[str, dict[str, Any]]", module["ports"])
    netlist = Netlist(
        {name: port["bits"] for name, port in ports.items() if port["direction"] == "input"},
        {name: port["bits"] for name, port in ports.items() if port["direction"] == "output"},
        {name: net["bits"] for name, net in module["netnames"].items()},
        list(ports),
    )
    for name, bits in netlist.inputs.items():
        netlist.drive(InputPort(name), bits)
    cells: list[Cell] = []
    for name, entry in module["cells"].items():
        if str(entry["type"]).startswith("$"):
            cells.append(_cell(name, entry))
        else:
            netlist.add_instance(_instance(name, entry))
    for memory, entry in cast("dict[str, dict[str, Any]]", module.get("memories", {})).items():
        if entry["start_offset"]:
            raise KanError(f"table {memory} does not start at address 0")
        netlist.memories[memory] = Memory(memory, entry["width"], [None] * entry["size"])
    for cell in cells:
        if cell.kind.startswith("memwr"):
            netlist.memories[cell.memory].writes.append(cell)
            continue
        if cell.kind.startswith("meminit"):
            _fill(netlist, cell)
            continue
        if cell.kind.startswith("memrd"):
            netlist.memories[cell.memory].reads.append(cell)
        for port in RESULTS:
            netlist.drive(cell, cell.connections.get(port, []))
    for cell in cells:
        note_signed(netlist, cell)
    return netlist


def _cell(name: str, entry: dict[str, Any]) -> Cell:
    written = cast("dict[str, str]", entry["parameters"])
    # Of `$pmux` and the like, only numbers; initial values may hold x, and stay out.
    parameters = {
        key: int(value, 2) for key, value in written.items() if value and set(value) <= {"0", "1"}
    }
    place = str(entry["attributes"].get("src", name)).split("|")[-1]
    memory = written.get("MEMID", "").removeprefix("\\")
    kind = str(entry["type"]).removeprefix("$")
    return Cell(name, kind, place, parameters, entry["connections"], memory)


def _instance(name: str, entry: dict[str, Any]) -> Instance:
    place = str(entry["attributes"].get("src", name)).split("|")[-1]
    directions = cast("dict[str, str]", entry["port_directions"])
    sides = {
        side: {
            port: bits for port, bits in entry["connections"].items() if directions[port] == side
        }
        for side in ("input", "output")
    }
    return Instance(name, str(entry["type"]), place, sides["input"], sides["output"])


def _fill(netlist: Netlist, cell: Cell) -> None:
    """Entries of a table: data of `WORDS` words from an address on."""
    entries = netlist.memories[cell.memory].entries
    width = cell.parameters["WIDTH"]
    first = number(cell.connections["ADDR"])
    enabled = number(cell.connections["EN"]) if "EN" in cell.connections else (1 << width) - 1
    if first is None or enabled != (1 << width) - 1:
        raise KanError(f"{cell.place}: a table that is filled in part cannot be proven")
    data = cell.connections["DATA"]
    for index in range(cell.parameters["WORDS"]):
        entries[first + index] = number(data[index * width : (index + 1) * width])


def note_signed(netlist: Netlist, cell: Cell) -> None:
    """A hint only: which sources are read as two's complement, by an operator or an extension."""
    for port, bits in cell.connections.items():
        signed = cell.parameters.get(f"{port}_SIGNED") or (len(bits) > 1 and bits[-1] == bits[-2])
        if signed and port not in RESULTS and bits[-1] in netlist.drivers:
            netlist.signed.add(netlist.drivers[bits[-1]][0])


def number(bits: Sequence[Bit]) -> int | None:
    """The unsigned number of constant bits; None where one is x or no constant."""
    if not all(bit in ("0", "1") for bit in bits):
        return None
    return sum(1 << index for index, bit in enumerate(bits) if bit == "1")


def require_interface(netlist: Netlist, interface: Interface) -> None:
    """Refuse a module whose ports are not those of a network's interface, in their order.

    Raises
    ------
    KanError : names the first port that is another one.
    """
    expected = Design(interface).ports
    require_ports(netlist.port_bits, expected, "the RTL")
    for port, wanted in zip(netlist.ports, expected, strict=True):
        if port != wanted:
            raise KanError(f"port {port} of the RTL stands where {wanted} should")


def check_clock(netlist: Netlist, register: Cell, clock: str = "clk") -> None:
    """Check that a register loads at every rising edge of a port.

    Raises
    ------
    KanError : it does not.
    """
    source, _ = netlist.drivers.get(register.connections["CLK"][0], (None, 0))
    if not (
        isinstance(source, InputPort)
        and source.name == clock
        and register.parameters.get("CLK_POLARITY") == 1
    ):
        raise KanError(
            f"{register.place}: a register that does not load at the rising edge of {clock}"
        )


def width_without_extension(bits: Sequence[Bit]) -> int:
    """The width of a word without the copies of its sign bit at the top."""
    least = len(bits)
    while least > 1 and isinstance(bits[-1], int) and bits[least - 2] == bits[-1]:
        least -= 1
    return least
