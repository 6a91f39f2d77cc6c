"""A module around the top module that has three pins, for designs with more ports than pins.

Place and route gives every port of the top module a pin. Networks often have more ports than a
package has pins. In this module all inputs are registers in a chain, which is filled from one pin,
and all outputs are registers whose exclusive or leads to one pin. So the logic of the design lies
between registers, and synthesis keeps all of it.

Quartus has virtual pins for this purpose, Vivado and nextpnr for ECP5 work out of context.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from kan_dialect.devices.parts import Part
from kan_dialect.flows.projects.design import ProjectDesign, TopPort

_CLOCK = TopPort("clk", False, 1, is_clock=True)
_DATA = TopPort("scan", False, 1)
"""The pin that fills the registers of the inputs."""
_RESULT = TopPort("sink", True, 1)
"""The pin that depends on all outputs."""


def few_pins_name(design: ProjectDesign) -> str:
    """Name of the module with three pins."""
    return f"{design.top}_few_pins"


def few_pins_file(design: ProjectDesign) -> str:
    """Path of its file in the build's folder."""
    return f"project/{few_pins_name(design)}.sv"


def fits_pins(design: ProjectDesign, part: Part) -> bool:
    """Whether each bit of the design's ports can have a pin of the part."""
    return sum(port.bits for port in design.ports) <= part.pins


def placeable(design: ProjectDesign, part: Part) -> ProjectDesign:
    """The design as a project places it on a part: in a module of three pins, if it needs more."""
    if fits_pins(design, part):
        return design
    return replace(
        design,
        top=few_pins_name(design),
        ports=(_CLOCK, _DATA, _RESULT),
        sources=(*design.sources, few_pins_file(design)),
        vhdl=(*design.vhdl, few_pins_file(design)) if design.vhdl else (),
    )


def few_pins_top(design: ProjectDesign) -> Iterator[str]:
    """Lines of the module's file."""
    inputs, outputs = design.inputs, design.outputs
    taken, given = (sum(port.bits for port in ports) for ports in (inputs, outputs))
    yield f"// {design.top} between registers, with three pins: parts have fewer pins than it has"
    yield "// ports. For area and timing."
    yield f"module {few_pins_name(design)} ("
    yield f"    input logic {_CLOCK.name},"
    yield f"    input logic {_DATA.name},"
    yield f"    output logic {_RESULT.name}"
    yield ");"
    yield f"  logic [{taken - 1}:0] inputs;"
    yield f"  logic [{given - 1}:0] outputs, registered;"
    yield f"  {design.top} core ("
    wires = _slices(inputs, "inputs") | _slices(outputs, "outputs")
    if design.clock is not None:
        wires[design.clock.name] = _CLOCK.name
    connections = [f"    .{port.name}({wires[port.name]})" for port in design.ports]
    yield ",\n".join(connections)
    yield "  );"
    yield f"  always_ff @(posedge {_CLOCK.name}) begin"
    yield f"    inputs <= {taken}'({{inputs, {_DATA.name}}});"
    yield "    registered <= outputs;"
    yield f"    {_RESULT.name} <= ^registered;"
    yield "  end"
    yield "endmodule"


def _slices(ports: Sequence[TopPort], vector: str) -> dict[str, str]:
    """The bits of a vector that each port has, by its name."""
    found: dict[str, str] = {}
    low = 0
    for port in ports:
        found[port.name] = f"{vector}[{low + port.bits - 1}:{low}]"
        low += port.bits
    return found
