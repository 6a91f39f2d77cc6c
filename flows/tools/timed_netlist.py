"""A mapped design with registers at its ports, so that place and route times every path.

Out of context, nextpnr has no arrival time for a path that starts at a port, and its clock
frequency leaves such paths out. A design whose first stage starts at the ports looks faster than it
is. Here every input goes through a register first (and, of a combinational design, every output
through one last). The logic is the same cells; only registers are added, into the netlist.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

from kan_dialect.errors import KanError

Bit: TypeAlias = int | str
Module: TypeAlias = dict[str, Any]

CLOCKS = ("clk", "aclk")
"""Names of the clock's port in emitted designs: of networks, and of wrappers with AXI."""


@dataclass(frozen=True)
class _Register:
    """A cell that is a register, and its pins."""

    kind: str
    clock: str
    data: str
    result: str
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])
    tied: Mapping[str, str] = field(default_factory=dict[str, str])
    """Pins that are constant."""


_REGISTERS = {
    "ecp5": _Register(
        "TRELLIS_FF",
        *("CLK", "DI", "Q"),
        # A blank behind text that would else be read as a number of bits.
        {"CEMUX": "1 ", "CLKMUX": "CLK", "GSR": "DISABLED", "LSRMUX": "LSR", "REGSET": "RESET"},
    ),
    "ice40": _Register("SB_DFF", "C", "D", "Q"),
    "nexus": _Register("FD1P3IX", "CK", "D", "Q", {"GSR": "DISABLED"}),
    "gowin": _Register("DFF", "CLK", "D", "Q"),
    "gatemate": _Register(
        "CC_DFF",
        *("CLK", "D", "Q"),
        {"CLK_INV": "0", "EN_INV": "0", "SR_INV": "0", "SR_VAL": "0", "INIT": "x"},
        {"EN": "1", "SR": "0"},
    ),
}


def register_ports(netlist: dict[str, Any], top: str, target: str) -> dict[str, Any]:
    """A copy of a netlist, in Yosys's JSON form, with registers behind its inputs.

    Where it has no clock, one is added, and registers before its outputs too.

    Raises
    ------
    KanError : the netlist holds no module `top`, or `target` has no place and route.
    """
    if target not in _REGISTERS:
        raise KanError(f"there is no place and route for {target}")
    whole = copy.deepcopy(netlist)
    try:
        module = cast("Module", whole["modules"][top])
    except KeyError:
        raise KanError(f"the netlist holds no module {top}") from None
    ports = cast("dict[str, dict[str, Any]]", module["ports"])
    nets = fresh_nets(module)
    combinational = not is_clocked(netlist, top)
    if combinational:
        added = {"direction": "input", "bits": [next(nets)]}
        ports[CLOCKS[0]] = added
        module["netnames"][CLOCKS[0]] = {"hide_name": 0, "bits": added["bits"], "attributes": {}}
    clock_name = clock_port(module)
    clock = ports[clock_name]["bits"][0]
    for name, port in ports.items():
        if name == clock_name:
            continue
        outside = [next(nets) for _ in port["bits"]]
        if port["direction"] == "input":
            _add_registers(module, target, name, clock, outside, port["bits"])
        elif combinational:
            _add_registers(module, target, name, clock, port["bits"], outside)
        else:
            continue
        port["bits"] = outside
        # The port's name now is that of what is outside.
        module["netnames"].pop(name, None)
        module["netnames"][name] = {"hide_name": 0, "bits": outside, "attributes": {}}
    return whole


def is_clocked(netlist: dict[str, Any], top: str) -> bool:
    """Whether the design has a clock."""
    return not netlist["modules"][top]["ports"].keys().isdisjoint(CLOCKS)


def port_bits(netlist: dict[str, Any], top: str) -> int:
    """Number of bits of all ports of a design."""
    return sum(len(port["bits"]) for port in netlist["modules"][top]["ports"].values())


def clock_port(module: Module) -> str:
    """Name of the clock's port of a design that has one."""
    return next(name for name in CLOCKS if name in module["ports"])


def _add_registers(
    module: Module,
    target: str,
    port: str,
    clock: Bit,
    sources: Sequence[Bit],
    results: Sequence[Bit],
) -> None:
    register = _REGISTERS[target]
    for index, (source, result) in enumerate(zip(sources, results, strict=True)):
        pins: dict[str, Bit] = {
            register.clock: clock,
            register.data: source,
            register.result: result,
            **register.tied,
        }
        add_cell(
            module,
            f"timed_{port}_{index}",
            register.kind,
            register.parameters,
            pins,
            register.result,
        )
        module["netnames"][f"timed_{port}_{index}"] = {
            "hide_name": 0,
            "bits": [result],
            "attributes": {},
        }


def add_cell(
    module: Module,
    name: str,
    kind: str,
    parameters: Mapping[str, str],
    pins: dict[str, Bit],
    output: str,
) -> None:
    """Add a cell with pins of one bit, one of them an output."""
    module["cells"][name] = {
        "hide_name": 0,
        "type": kind,
        "parameters": dict(parameters),
        "attributes": {},
        "port_directions": {pin: "output" if pin == output else "input" for pin in pins},
        "connections": {pin: [bit] for pin, bit in pins.items()},
    }


def fresh_nets(module: Module) -> Iterator[int]:
    """Numbers that no net has."""
    used = [
        bit
        for holder in (*module["ports"].values(), *module["netnames"].values())
        for bit in holder["bits"]
        if isinstance(bit, int)
    ]
    used += [
        bit
        for cell in module["cells"].values()
        for bits in cell["connections"].values()
        for bit in bits
        if isinstance(bit, int)
    ]
    number = max(used, default=1)
    while True:
        number += 1
        yield number
