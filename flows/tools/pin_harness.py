"""A mapped design between registers and a few pins, as nextpnr for some devices needs it.

nextpnr for Nexus, Gowin, GateMate and iCE40 knows no design out of context, and networks often
have more ports than packages have pins. So all inputs are registers that read one pin, and outputs
lead to no pin, or all to one. Only paths between registers count for the clock, and these are the
design's own. The netlist is also brought into the form that the family's nextpnr reads and times.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from kan_dialect.devices.open_tools import Cell, NetlistModule, Nextpnr
from kan_dialect.flows.tools.timed_netlist import (
    Bit,
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
class Harnessed:
    """A design in its harness, and what the harness takes."""

    netlist: dict[str, Any]
    registers: int
    """At the ports."""
    gates: int
    """Lookup tables that join the outputs."""


def harness(netlist: dict[str, Any], top: str, nextpnr: Nextpnr) -> Harnessed:
    """A copy of a netlist, in Yosys's JSON form, with registers at its ports and two or three pins.

    Raises
    ------
    KanError : the netlist holds no module `top`.
    """
    whole = register_ports(netlist, top, nextpnr.register)
    module: NetlistModule = whole["modules"][top]
    registers = len(module["cells"]) - len(netlist["modules"][top]["cells"])
    nextpnr.prepare(module)
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
        if nextpnr.input_pad is not None:
            pin = next(nets)
            add_cell(module, f"pad_{name}", nextpnr.input_pad, [pin], inside)
        _add_port(module, name, "input", pin)
    outputs = [
        bit
        for port in ports.values()
        if port["direction"] == "output"
        for bit in dict.fromkeys(port["bits"])
        if isinstance(bit, int)
    ]
    gates = 0
    if nextpnr.exclusive_or is not None and nextpnr.output_pad is not None and outputs:
        gates = len(outputs) - 1
        result, pin = _joined(module, nextpnr.exclusive_or, outputs, nets), next(nets)
        add_cell(module, f"pad_{RESULT}", nextpnr.output_pad, [result], pin)
        _add_port(module, RESULT, "output", pin)
    return Harnessed(whole, registers, gates)


def _join(module: NetlistModule, bits: set[Bit], net: int) -> None:
    """Make several nets one."""
    for cell in module["cells"].values():
        for pin, sources in cell["connections"].items():
            cell["connections"][pin] = [net if bit in bits else bit for bit in sources]
    for entry in module["netnames"].values():
        entry["bits"] = [net if bit in bits else bit for bit in entry["bits"]]


def _joined(module: NetlistModule, gate: Cell, bits: Sequence[Bit], nets: Iterator[int]) -> Bit:
    """The net of a tree of gates over bits."""
    waiting = list(bits)
    while len(waiting) > 1:
        first, second, *waiting = waiting
        waiting.append(next(nets))
        add_cell(module, f"join_{waiting[-1]}", gate, [first, second], waiting[-1])
    return waiting[0]


def _add_port(module: NetlistModule, name: str, direction: str, pin: int) -> None:
    module["ports"][name] = {"direction": direction, "bits": [pin]}
    module["netnames"][name] = {"hide_name": 0, "bits": [pin], "attributes": {}}
