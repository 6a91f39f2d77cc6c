"""The wrapper of a network: an entity with signed and unsigned ports around the core."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kan_dialect.flows.vhdl.port_declarations import (
    CorePort,
    declaration,
    package_name,
    port_clause,
)
from kan_dialect.lowering.vhdl.names import identifier


def wrapper_text(name: str, ports: Sequence[CorePort]) -> str:
    """The text of the entity NAME_wrapper, which instantiates the component NAME."""
    wrapper = identifier(f"{name}_wrapper")
    converted = [port for port in ports if port.is_output and port.kind is not None]
    connections = [f"{port.name} => {_actual(port)}" for port in ports]
    lines = [
        f"-- {name} with numbers at its ports: the codes of each are signed or unsigned.",
        "--",
        f"-- The component is bound to the core by its name: to the module of rtl/{name}.sv, or to",
        f"-- the entity of vhdl/{name}.vhd.",
        "library ieee;",
        "use ieee.std_logic_1164.all;",
        "use ieee.numeric_std.all;",
        f"use work.{package_name(name)}.all;",
        "",
        f"entity {wrapper} is",
        *port_clause([declaration(port, port.subtype) for port in ports], "  "),
        "end entity;",
        "",
        f"architecture rtl of {wrapper} is",
        *(f"  signal {_core_signal(port)} : {port.core_type};" for port in converted),
        "begin",
        f"  core : component work.{package_name(name)}.{identifier(name)}",
        "    port map (",
        *(f"      {each}," for each in connections[:-1]),
        f"      {connections[-1]}",
        "    );",
        *_results(converted),
        "end architecture;",
    ]
    return "".join(f"{line}\n" for line in lines)


def _core_signal(port: CorePort) -> str:
    return f"{port.entry['name']}_core"


def _actual(port: CorePort) -> str:
    """What a port of the core is connected to."""
    if port.kind is None:
        return port.name
    if port.is_output:
        return _core_signal(port)
    return f"{port.name}(0)" if port.bits == 1 else f"std_logic_vector({port.name})"


def _results(converted: Sequence[CorePort]) -> Iterator[str]:
    if converted:
        yield ""
    for port in converted:
        value = f"{port.kind}({_core_signal(port)})"
        if port.bits == 1:
            value = f"(0 => {_core_signal(port)})"
        yield f"  {port.name} <= {value};"
