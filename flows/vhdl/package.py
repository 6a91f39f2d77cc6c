"""The package of a network: its constants and types, and its core as a component."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kan_dialect.files.templates import filled
from kan_dialect.flows.vhdl.port_declarations import (
    CorePort,
    code_literal,
    declaration,
    package_name,
    package_names,
    port_clause,
    real_literal,
)
from kan_dialect.lowering.systemverilog.layout import broken
from kan_dialect.lowering.vhdl.expressions import LARGEST_NATURAL
from kan_dialect.lowering.vhdl.names import identifier


def package_text(name: str, latency: int, interval: int, ports: Sequence[CorePort]) -> str:
    """The text of the package NAME_pkg.

    Parameters
    ----------
    latency : clock cycles from a sample to its outputs; 0 if combinational.
    interval : clock cycles from a sample to the next.
    """
    names = package_names(name)
    for port in ports:
        if port.kind is not None:
            names.take(port.subtype)

    def constant(entry: Mapping[str, Any], what: str, subtype: str, value: object) -> str:
        taken = names.take(f"{entry['name'].upper()}_{what}")
        return "\n".join(broken(f"  constant {taken} : {subtype} := {value};"))

    return filled(
        "flows/vhdl/templates/package.vhd.j2",
        name=name,
        package=package_name(name),
        core=identifier(name),
        latency=latency,
        interval=interval,
        names=names,
        ports=ports,
        constant=constant,
        code_literal=code_literal,
        real_literal=real_literal,
        largest=LARGEST_NATURAL,
        component=list(port_clause([declaration(p, p.core_type) for p in ports], "    ")),
    )
