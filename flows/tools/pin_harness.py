"""A mapped design between registers and a few pins, as nextpnr for some devices needs it.

nextpnr for Nexus, Gowin, GateMate and iCE40 knows no design out of context, and networks often
have more ports than packages have pins. So all inputs are registers that read one pin, and outputs
lead to no pin, or all to one. Only paths between registers count for the clock, and these are the
design's own. The netlist is also brought into the form that the family's nextpnr reads and times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from kan_dialect.flows.tools.timed_netlist import (
    Bit,
    Module,
    add_cell,
    clock_port,
    fresh_nets,
    register_ports,
)

CLOCK = "clk"
"""The pin of the clock."""
DATA = "scan"
"""The pin that all inputs read."""
RESULT = "sink"
"""The pin that all outputs lead to, where cells without a way to a pin are removed."""


@dataclass(frozen=True)
class _Gate:
    """A kind of cell with one output."""

    kind: str
    inputs: tuple[str, ...]
    output: str
    parameters: tuple[tuple[str, str], ...] = ()

    def add(self, module: Module, name: str, sources: Sequence[Bit], result: Bit) -> None:
        pins = dict(zip((*self.inputs, self.output), (*sources, result), strict=True))
        add_cell(module, name, self.kind, dict(self.parameters), pins, self.output)


@dataclass(frozen=True)
class _Form:
    """The form in which a family's nextpnr reads designs."""

    input_pad: _Gate | None = None
    """None: nextpnr adds pads."""
    prepare: Callable[[Module], None] = lambda _module: None
    """Changes cells as nextpnr needs them; the design computes the same."""
    exclusive_or: _Gate | None = None
    """Joins outputs for one pin. None: nextpnr keeps cells that lead nowhere."""
    output_pad: _Gate | None = None


def _drop_constant_carries(module: Module) -> None:
    """Leave the carry into the first cell of a chain open, which that cell ignores.

    Yosys ties it to a constant, and nextpnr-nexus refuses a carry that no carry cell drives.
    """
    cells: dict[str, dict[str, Any]] = module["cells"]
    driven = {cell["connections"]["COUT"][0] for cell in cells.values() if cell["type"] == "CCU2"}
    for cell in cells.values():
        if cell["type"] == "CCU2" and cell["connections"].get("CIN", ["0"])[0] not in driven:
            cell["connections"].pop("CIN", None)
            cell["port_directions"].pop("CIN", None)


def _widen_tables(module: Module) -> None:
    """Make LUT1, LUT2 and LUT3 a LUT4 with open inputs.

    The device has no others, but nextpnr for Gowin has delays of LUT4 only and leaves out all paths
    through smaller ones (0.11).
    """
    for cell in module["cells"].values():
        if cell["type"] in ("LUT1", "LUT2", "LUT3"):
            entries = 1 << int(cell["type"][3])
            table: str = cell["parameters"]["INIT"]
            cell["parameters"]["INIT"] = table[-entries:] * (16 // entries)
            cell["type"] = "LUT4"


_FORMS = {
    "ice40": _Form(),
    "nexus": _Form(_Gate("IB", ("I",), "O"), _drop_constant_carries),
    "gowin": _Form(_Gate("IBUF", ("I",), "O"), _widen_tables),
    "gatemate": _Form(
        _Gate("CC_IBUF", ("I",), "Y"),
        exclusive_or=_Gate("CC_LUT2", ("I0", "I1"), "O", (("INIT", "0110"),)),
        output_pad=_Gate("CC_OBUF", ("A",), "O"),
    ),
}


@dataclass(frozen=True)
class Harnessed:
    """A design in its harness, and what the harness takes."""

    netlist: dict[str, Any]
    registers: int
    """At the ports."""
    gates: int
    """Lookup tables that join the outputs."""


def harness(netlist: dict[str, Any], top: str, target: str) -> Harnessed:
    """A copy of a netlist, in Yosys's JSON form, with registers at its ports and two or three pins.

    Raises
    ------
    KanError : the netlist holds no module `top`, or `target` has no place and route.
    """
    whole = register_ports(netlist, top, target)
    form = _FORMS[target]
    module: Module = whole["modules"][top]
    registers = len(module["cells"]) - len(netlist["modules"][top]["cells"])
    form.prepare(module)
    nets, clock_name = fresh_nets(module), clock_port(module)
    ports, module["ports"] = module["ports"], {}
    data, clock = next(nets), ports.pop(clock_name)["bits"][0]
    outside = [port["bits"] for port in ports.values() if port["direction"] == "input"]
    _join(module, {bit for bits in outside for bit in bits}, data)
    for name in (clock_name, *ports):
        # The names of ports are those of what is outside.
        module["netnames"][f"design_{name}"] = module["netnames"].pop(name)
    for name, inside in ((CLOCK, clock), (DATA, data)):
        pin = inside
        if form.input_pad is not None:
            pin = next(nets)
            form.input_pad.add(module, f"pad_{name}", [pin], inside)
        _add_port(module, name, "input", pin)
    outputs = [
        bit
        for port in ports.values()
        if port["direction"] == "output"
        for bit in dict.fromkeys(port["bits"])
        if isinstance(bit, int)
    ]
    gates = 0
    if form.exclusive_or is not None and form.output_pad is not None and outputs:
        gates = len(outputs) - 1
        result, pin = _joined(module, form.exclusive_or, outputs, nets), next(nets)
        form.output_pad.add(module, f"pad_{RESULT}", [result], pin)
        _add_port(module, RESULT, "output", pin)
    return Harnessed(whole, registers, gates)


def _join(module: Module, bits: set[Bit], net: int) -> None:
    """Make several nets one."""
    for cell in module["cells"].values():
        for pin, sources in cell["connections"].items():
            cell["connections"][pin] = [net if bit in bits else bit for bit in sources]
    for entry in module["netnames"].values():
        entry["bits"] = [net if bit in bits else bit for bit in entry["bits"]]


def _joined(module: Module, gate: _Gate, bits: Sequence[Bit], nets: Iterator[int]) -> Bit:
    """The net of a tree of gates over bits."""
    waiting = list(bits)
    while len(waiting) > 1:
        first, second, *waiting = waiting
        waiting.append(next(nets))
        gate.add(module, f"join_{waiting[-1]}", [first, second], waiting[-1])
    return waiting[0]


def _add_port(module: Module, name: str, direction: str, pin: int) -> None:
    module["ports"][name] = {"direction": direction, "bits": [pin]}
    module["netnames"][name] = {"hide_name": 0, "bits": [pin], "attributes": {}}
