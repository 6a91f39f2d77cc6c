"""A mapped design with registers at its ports, so that place and route times every path.

Out of context, nextpnr has no arrival time for a path that starts at a port, and its clock
frequency leaves such paths out. A design whose first stage starts at the ports looks faster than it
is. Here every input goes through a register first (and, of a combinational design, every output
through one last). The logic is the same cells; only registers are added, into the netlist.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias, cast

from kan_dialect.devices.open_tools import Cell, NetlistModule
from kan_dialect.errors import KanError

Bit: TypeAlias = int | str

CLOCKS = ("clk", "aclk")
"""Names of the clock's port in emitted designs: of networks, and of wrappers with AXI."""


def register_ports(netlist: dict[str, Any], top: str, register: Cell) -> dict[str, Any]:
    """A copy of a netlist, in Yosys's JSON form, with registers behind its inputs.

    Where it has no clock, one is added, and registers before its outputs too.

    Raises
    ------
    KanError : the netlist holds no module `top`.
    """
    whole = copy.deepcopy(netlist)
    try:
        module = cast("NetlistModule", whole["modules"][top])
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
            _add_registers(module, register, name, clock, outside, port["bits"])
        elif combinational:
            _add_registers(module, register, name, clock, port["bits"], outside)
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


def clock_port(module: NetlistModule) -> str:
    """Name of the clock's port of a design that has one."""
    return next(name for name in CLOCKS if name in module["ports"])


def _add_registers(
    module: NetlistModule,
    register: Cell,
    port: str,
    clock: Bit,
    sources: Sequence[Bit],
    results: Sequence[Bit],
) -> None:
    for index, (source, result) in enumerate(zip(sources, results, strict=True)):
        name = f"timed_{port}_{index}"
        add_cell(module, name, register, [clock, source], result)
        module["netnames"][name] = {"hide_name": 0, "bits": [result], "attributes": {}}


def add_cell(
    module: NetlistModule, name: str, cell: Cell, sources: Sequence[Bit], result: Bit
) -> None:
    """Add a cell to a netlist.

    Parameters
    ----------
    sources : nets of its inputs.
    result : net of its output.
    """
    nets = zip((*cell.inputs, cell.output), (*sources, result), strict=True)
    pins: dict[str, Bit] = {**dict(nets), **cell.tied}
    module["cells"][name] = {
        "hide_name": 0,
        "type": cell.kind,
        "parameters": dict(cell.parameters),
        "attributes": {},
        "port_directions": {pin: "output" if pin == cell.output else "input" for pin in pins},
        "connections": {pin: [bit] for pin, bit in pins.items()},
    }


def fresh_nets(module: NetlistModule) -> Iterator[int]:
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
