"""The registers of a wrapper and their places, as docs/reference/axi-lite.md says.

This shares no code with the wrapper's generator.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kan_dialect.flows.design import require_ports
from kan_dialect.flows.prove.interfaces.boundary import Clocking
from kan_dialect.flows.prove.netlist import Netlist
from kan_dialect.model.interface import Port

WORD, LANE = 32, 8
BUS = "s_axi"
ID, VERSIONS, HASH, PORTS, LATENCY, CONTROL, STATUS, COUNT, MEM_CONTROL = range(9)
"""Places of the registers in their order; those of ports follow."""

_INPUTS = {
    "awvalid": 1,
    "wvalid": 1,
    "wdata": WORD,
    "wstrb": WORD // LANE,
    "bready": 1,
    "arvalid": 1,
    "rready": 1,
}
_OUTPUTS = {
    "awready": 1,
    "wready": 1,
    "bvalid": 1,
    "bresp": 2,
    "arready": 1,
    "rvalid": 1,
    "rdata": WORD,
    "rresp": 2,
}


@dataclass(frozen=True)
class Place:
    """A register that has bits of a port."""

    port: Port
    low: int
    """Lowest bit of the port."""

    @property
    def bits(self) -> int:
        return min(WORD, self.port.width - self.low)

    @property
    def lanes(self) -> int:
        """Bytes with bits of the port."""
        return -(-self.bits // LANE)

    def lane_bits(self, lane: int) -> int:
        return min(LANE, self.bits - LANE * lane)


@dataclass(frozen=True)
class RegisterPorts(Clocking):
    """All ports of a wrapper with registers."""

    commands: tuple[int, ...]
    """Places of the registers that take commands."""
    inputs: tuple[Place, ...]
    outputs: tuple[Place, ...]

    @property
    def first(self) -> int:
        """Place of the first register of a port."""
        return max(COUNT, *self.commands) + 1

    @property
    def count(self) -> int:
        """Number of registers."""
        return self.first + len(self.inputs) + len(self.outputs)

    @property
    def address_bits(self) -> int:
        return (self.count - 1).bit_length() + 2


def register_ports(
    inputs: Sequence[Port], outputs: Sequence[Port], netlist: Netlist, *, memory: bool = False
) -> RegisterPorts:
    """The registers and ports of a wrapper.

    Parameters
    ----------
    inputs, outputs : ports of the core that have registers, in the order of the registers.
    memory : whether there are commands of a memory port.

    Raises
    ------
    KanError : a port is missing, there is another one, or one has another width.
    """

    def places(ports: Sequence[Port]) -> tuple[Place, ...]:
        return tuple(Place(p, low) for p in ports for low in range(0, p.width, WORD))

    commands = (CONTROL, MEM_CONTROL) if memory else (CONTROL,)
    found = RegisterPorts("aclk", "aresetn", 0, commands, places(inputs), places(outputs))
    address = found.address_bits
    wanted: dict[str, tuple[bool, int]] = {"aclk": (False, 1), "aresetn": (False, 1)}
    widths = _INPUTS | {"awaddr": address, "araddr": address}
    wanted |= {f"{BUS}_{name}": (False, bits) for name, bits in widths.items()}
    wanted |= {f"{BUS}_{name}": (True, bits) for name, bits in _OUTPUTS.items()}
    require_ports(netlist.port_bits, wanted, "the wrapper")
    return found
