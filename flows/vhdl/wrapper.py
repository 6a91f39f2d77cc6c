"""The wrapper of a network: an entity with signed and unsigned ports around the core."""

from __future__ import annotations

from collections.abc import Sequence

from kan_dialect.files.templates import filled
from kan_dialect.flows.vhdl.port_declarations import (
    CorePort,
    declaration,
    package_name,
    port_clause,
)
from kan_dialect.lowering.vhdl.names import identifier


def wrapper_text(name: str, ports: Sequence[CorePort]) -> str:
    """The text of the entity NAME_wrapper, which instantiates the component NAME."""
    return filled(
        "flows/vhdl/templates/wrapper.vhd.j2",
        name=name,
        package=package_name(name),
        wrapper=identifier(f"{name}_wrapper"),
        core=identifier(name),
        ports=list(port_clause([declaration(port, port.subtype) for port in ports], "  ")),
        converted=[port for port in ports if port.is_output and port.kind is not None],
        connections=[f"{port.name} => {_actual(port)}" for port in ports],
    )


def _actual(port: CorePort) -> str:
    """What a port of the core is connected to."""
    if port.kind is None:
        return port.name
    if port.is_output:
        return f"{port.entry['name']}_core"
    return f"{port.name}(0)" if port.bits == 1 else f"std_logic_vector({port.name})"
