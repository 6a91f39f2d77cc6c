"""The package of a network: its constants and types, and its core as a component."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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
from kan_dialect.lowering.vhdl.names import VhdlNames, identifier


def package_text(name: str, latency: int, ports: Sequence[CorePort]) -> str:
    """The text of the package NAME_pkg.

    Parameters
    ----------
    latency : clock cycles from a sample to its outputs; 0 if combinational.
    """
    package, names = package_name(name), package_names(name)
    for port in ports:
        if port.kind is not None:
            names.take(port.subtype)
    lines = [
        f"-- Constants and types of {name}, and its core as a component.",
        "--",
        "-- A code stands for the number (code - ZERO_POINT) * SCALE. The component is the module",
        f"-- of rtl/{name}.sv, or the entity of vhdl/{name}.vhd, which has the same ports.",
        "library ieee;",
        "use ieee.std_logic_1164.all;",
        "use ieee.numeric_std.all;",
        "",
        f"package {package} is",
        "  -- Clock cycles from a sample to its outputs.",
        f"  constant {names.take('LATENCY')} : natural := {latency};",
    ]
    for port in ports:
        if port.kind is not None:
            lines += ["", *_numbers(port, port.kind, names)]
    lines += [
        "",
        f"  component {identifier(name)} is",
        *port_clause([declaration(port, port.core_type) for port in ports], "    "),
        "  end component;",
        "end package;",
    ]
    return "".join(f"{line}\n" for line in lines)


def _numbers(port: CorePort, kind: str, names: VhdlNames) -> Iterator[str]:
    """Constants and type of a port whose codes are numbers."""
    entry = port.entry

    def constant(what: str, subtype: str, value: str) -> Iterator[str]:
        name = names.take(f"{entry['name'].upper()}_{what}")
        return broken(f"  constant {name} : {subtype} := {value};")

    yield from constant("WIDTH", "positive", str(port.bits))
    yield f"  subtype {port.subtype} is {kind}({port.bits - 1} downto 0);"
    for end in ("low", "high"):
        yield from constant(end.upper(), port.subtype, code_literal(entry[end], kind, port.bits))
    yield from constant("SCALE", "real", real_literal(entry["scale"]))
    zero = int(entry["zero_point"])
    if abs(zero) <= LARGEST_NATURAL:
        yield from constant("ZERO_POINT", "integer", str(zero))
    else:
        yield "  -- Too large for an integer of VHDL."
        yield from constant("ZERO_POINT", "real", real_literal(zero))
    if "gain" in entry:
        yield f"  -- The number is {entry['name']} * GAIN + OFFSET."
        yield from constant("GAIN", "real", real_literal(entry["gain"]))
        yield from constant("OFFSET", "real", real_literal(entry["offset"]))
