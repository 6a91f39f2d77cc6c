"""Which registers of the AXI4-Lite wrapper a driver reads and writes."""

from __future__ import annotations

from dataclasses import dataclass

from kan_dialect.lowering.wrappers.register_map import RegisterMap


@dataclass(frozen=True)
class DriverRegisters:
    """Offsets in bytes of the registers of a sample."""

    identity: int
    identity_value: int
    hash: int
    hash_value: int
    control: int
    status: int
    inputs: tuple[tuple[int, ...], ...]
    """For each input port its registers, the lowest bits first."""
    outputs: tuple[tuple[int, ...], ...]
    size: int
    """Bytes of all registers."""

    @classmethod
    def of(cls, registers: RegisterMap) -> DriverRegisters:
        """The registers that a map has for samples."""

        def ports(letter: str) -> tuple[tuple[int, ...], ...]:
            return tuple(
                tuple(each.offset for each in registers.of_port(port.name))
                for port in registers.ports
                if port.name[0] == letter and port.name[1:].isdigit()
            )

        return cls(
            registers.named("ID").offset,
            registers.named("ID").value,
            registers.named("HASH").offset,
            registers.named("HASH").value,
            registers.named("CONTROL").offset,
            registers.named("STATUS").offset,
            ports("x"),
            ports("y"),
            1 << registers.address_bits,
        )
