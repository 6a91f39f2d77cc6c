"""Fields of the registers of AXI4-Lite, as IP-XACT describes them.

Source: IEEE Std 1685-2014 and 1685-2022, clauses 6.8 to 6.11 (memory maps, registers, fields).
"""

from __future__ import annotations

from dataclasses import dataclass

from kan_dialect.lowering.wrappers.register_map import WORD, Register


@dataclass(frozen=True)
class RegisterField:
    """Bits of a register."""

    name: str
    low: int
    bits: int
    meaning: str
    access: str
    reset: int | None = None
    is_volatile: bool = False
    """Whether the hardware changes it."""


def register_access(register: Register) -> str:
    """What software may do with a register, in the words of IP-XACT."""
    if register.access == "command":
        return "write-only"
    return "read-write" if register.is_writable else "read-only"


def register_fields(register: Register) -> list[RegisterField]:
    """The fields of a register, the lowest bits first."""
    access = register_access(register)
    changes = register.access in ("status", "counter", "output")
    if register.port is None:
        constant = register.access == "constant"
        return [
            RegisterField(
                *(field.name, field.low, field.bits, field.meaning, access),
                None
                if access == "write-only"
                else register.value >> field.low & (1 << field.bits) - 1
                if constant
                else 0,
                changes,
            )
            for field in register.fields
        ]
    code = RegisterField("CODE", 0, register.bits, register.meaning, access, 0, changes)
    if register.bits == WORD:
        return [code]
    is_signed = register.port.signed
    sign = "copies of the code's sign" if is_signed else "zeros"
    name, low, bits = "EXTENSION", register.bits, WORD - register.bits
    return [code, RegisterField(name, low, bits, sign, "read-only", 0, is_signed)]
