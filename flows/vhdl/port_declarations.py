"""The ports of a design in VHDL: as the core has them, and as numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kan_dialect.lowering.vhdl.expressions import LARGEST_NATURAL, bit_string, bits_type
from kan_dialect.lowering.vhdl.names import VhdlNames, identifier


@dataclass(frozen=True)
class CorePort:
    """A port of the core, whose type is std_logic or std_logic_vector."""

    name: str
    """The name in the core, as an identifier."""
    is_output: bool
    bits: int
    subtype: str
    """Its type in the wrapper: a name in the package, or `core_type` for a port of control."""
    entry: Mapping[str, Any]
    """The port's entry in the report."""

    @property
    def core_type(self) -> str:
        """Its type in the core."""
        return bits_type(self.bits)

    @property
    def kind(self) -> str | None:
        """The type of its numbers, `signed` or `unsigned`; None for a port of control."""
        if "low" not in self.entry:
            return None
        return "signed" if self.entry["signed"] else "unsigned"


def core_ports(name: str, entries: Sequence[Mapping[str, Any]]) -> list[CorePort]:
    """The ports of the network `name`, in their order.

    Parameters
    ----------
    entries : the ports of the report, `report_ports.port_entries`.
    """
    ports, types = VhdlNames(), package_names(name)
    return [
        CorePort(
            ports.port(entry["name"]),
            entry["direction"] == "output",
            int(entry["bits"]),
            types.take(f"{entry['name']}_t") if "low" in entry else bits_type(int(entry["bits"])),
            entry,
        )
        for entry in entries
    ]


def package_names(name: str) -> VhdlNames:
    """The names that are taken in the package of the network `name`: that of the component."""
    names = VhdlNames()
    names.port(name)
    return names


def port_clause(declarations: Sequence[str], indent: str) -> Iterator[str]:
    """The clause of an entity or component with these ports."""
    yield f"{indent}port ("
    yield from (f"{indent}  {each};" for each in declarations[:-1])
    yield f"{indent}  {declarations[-1]}"
    yield f"{indent});"


def declaration(port: CorePort, kind: str) -> str:
    """A port in a port clause."""
    return f"{port.name} : {'out' if port.is_output else 'in'} {kind}"


def code_literal(code: int, kind: str, bits: int) -> str:
    """A code as a number of the type `kind`."""
    if abs(code) <= LARGEST_NATURAL:
        return f"to_{kind}({code}, {bits})"
    return bit_string(code & ((1 << bits) - 1), bits)


def real_literal(value: float) -> str:
    """A literal of the type real, which reads back as the same float64."""
    digits, _, exponent = repr(float(value)).partition("e")
    if "." not in digits:
        digits = f"{digits}.0"
    return f"{digits}e{exponent}" if exponent else digits


def package_name(name: str) -> str:
    """The name of the package of the network `name`."""
    return identifier(f"{name}_pkg")
