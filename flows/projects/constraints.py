"""Timing constraints in the format of Synopsys (SDC), which most tools read, and Lattice's LPF.

The core has no registers at its inputs. With the clock alone, tools would not time the logic from
the inputs to the first registers, so ports have external delays of 0: the whole period is left for
that logic, as if the ports' neighbours were registers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kan_dialect.flows.projects.design import ProjectDesign, TopPort

LPF_PIN = 'LOCATE COMP "{bit}" SITE "PIN";'
"""Assignment of a pin in a preference file."""
PDC_PIN = "ldc_set_location -site {{PIN}} [get_ports {{{bit}}}]"
"""Assignment of a pin in a post-synthesis constraint file of Lattice Radiant."""
PCF_PIN = "set_io {bit} PIN"
"""Assignment of a pin in a constraint file of nextpnr-ice40."""


def sdc(design: ProjectDesign, source: str) -> Iterator[str]:
    """Lines of an SDC file.

    Parameters
    ----------
    source : the manual that describes the commands, for the header.
    """
    yield f"# Timing of {design.top}. {_origin(design)}"
    yield f"# Commands: {source}"
    yield from sdc_commands(design)


def sdc_commands(design: ProjectDesign) -> Iterator[str]:
    """The commands of an SDC file, without a header."""
    clock, period = design.clock, f"{design.period.ns:.3f}"
    inputs, outputs = _listed(design.inputs), _listed(design.outputs)
    if clock is None:
        yield f"set_max_delay {period} -from [get_ports {inputs}] -to [get_ports {outputs}]"
        return
    yield f"create_clock -name {clock.name} -period {period} [get_ports {{{clock.name}}}]"
    yield f"set_input_delay -clock {clock.name} 0.000 [get_ports {inputs}]"
    yield f"set_output_delay -clock {clock.name} 0.000 [get_ports {outputs}]"


def lpf(design: ProjectDesign) -> Iterator[str]:
    """Lines of a preference file of Lattice Diamond.

    Source: Lattice Diamond Help, "Preferences".
    """
    yield f"# Timing of {design.top}. {_origin(design)}"
    yield "# Commands: Lattice Diamond Help, Preferences: FREQUENCY, MAXDELAY, LOCATE, IOBUF."
    clock = design.clock
    if clock is not None:
        yield f'FREQUENCY PORT "{clock.name}" {design.period.mhz:.3f} MHZ;'
    yield from pin_notes(design, LPF_PIN)


def pin_notes(design: ProjectDesign, form: str) -> Iterator[str]:
    """Comments with a line for each pin, for a user whose board has it.

    Parameters
    ----------
    form : the assignment of a pin, with `{bit}` for the bit of a port.
    """
    yield "# Pins of a board, to be filled in:"
    for port in design.ports:
        yield from (f"# {form.format(bit=bit)}" for bit in port.bit_names)


def _origin(design: ProjectDesign) -> str:
    what = "Longest delay" if design.clock is None else "Clock period"
    return f"{what}: {design.period.ns:.3f} ns, {design.period.origin}."


def _listed(ports: Sequence[TopPort]) -> str:
    return "{" + " ".join(port.pattern for port in ports) + "}"
