"""A module around the top module with a register at every port, to time all of the logic.

nextpnr's clock is that of paths between registers. The logic before the first registers of a
design starts at ports, so it is not in that clock, and out of context nextpnr does not time it at
all. In this module such logic lies between registers. They stand for the ports' neighbours, as the
delays of 0 in the constraints of other tools do (`constraints.py`).
"""

from __future__ import annotations

from collections.abc import Iterator

from kan_dialect.flows.projects.design import ProjectDesign, TopPort

_NEW_CLOCK = TopPort("clk", False, 1, is_clock=True)
"""The clock of the registers around a combinational design."""


def timed_name(design: ProjectDesign) -> str:
    """Name of the module with registers at its ports."""
    return f"{design.top}_timed"


def timed_top(design: ProjectDesign) -> Iterator[str]:
    """Lines of TOP_timed.sv. Ports are those of the top module, after a clock if it has none."""
    clock = design.clock or _NEW_CLOCK
    ports = design.ports if design.clock else (clock, *design.ports)
    yield f"// {design.top} with a register at every port, to time the logic from and to its ports."
    yield f"module {timed_name(design)} ("
    yield from _separated([f"{_direction(port)} logic {_range(port)}{port.name}" for port in ports])
    yield ");"
    data = [port for port in ports if port != clock]
    for port in data:
        yield f"  logic {_range(port)}inner_{port.name};"
    yield f"  {design.top} core ("
    yield from _separated([f".{port.name}({_inner(port)})" for port in design.ports])
    yield "  );"
    yield f"  always_ff @(posedge {clock.name}) begin"
    for port in data:
        target, source = port.name, _inner(port)
        yield f"    {target} <= {source};" if port.is_output else f"    {source} <= {target};"
    yield "  end"
    yield "endmodule"


def _inner(port: TopPort) -> str:
    """The net at a port of the instance."""
    return port.name if port.is_clock else f"inner_{port.name}"


def _direction(port: TopPort) -> str:
    return "output" if port.is_output else "input"


def _range(port: TopPort) -> str:
    return "" if port.bits == 1 else f"[{port.bits - 1}:0] "


def _separated(items: list[str]) -> Iterator[str]:
    yield from (f"    {item}," for item in items[:-1])
    yield f"    {items[-1]}"
