"""The memory map of an IP-XACT component: registers of AXI4-Lite, with their fields.

Source: IEEE Std 1685-2014 and 1685-2022, clauses 6.8 to 6.11 (memory maps, registers, fields).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from kan_dialect.flows.projects.ipxact_elements import Elements
from kan_dialect.lowering.wrappers.register_map import WORD, Register, RegisterMap

MEMORY_MAP = "registers"
"""Name of the memory map, and of its only address block."""


@dataclass(frozen=True)
class _Field:
    """Bits of a register as IP-XACT describes them."""

    name: str
    low: int
    bits: int
    meaning: str
    access: str
    reset: int | None = None
    is_volatile: bool = False
    """Whether the hardware changes it."""


def memory_maps(registers: RegisterMap, make: Elements) -> Element:
    """The element `memoryMaps` with a map of one address block."""
    block = make.element(
        "addressBlock",
        make.text("name", MEMORY_MAP),
        make.text("baseAddress", "0"),
        make.text("range", str(1 << registers.address_bits)),
        make.text("width", str(WORD)),
        make.text("usage", "register"),
        *(_register(each, make) for each in registers.registers),
    )
    unit = make.text("addressUnitBits", "8")
    return make.element(
        "memoryMaps", make.element("memoryMap", make.text("name", MEMORY_MAP), block, unit)
    )


def _register(register: Register, make: Elements) -> Element:
    fields = list(_fields(register))
    return make.element(
        "register",
        make.text("name", register.name),
        make.text("description", register.meaning),
        make.text("addressOffset", f"'h{register.offset:02X}"),
        make.text("size", str(WORD)),
        make.text("volatile", _truth(any(field.is_volatile for field in fields))),
        *_access(_register_access(register), make, "accessPolicies", "accessPolicy"),
        *(_field(field, make) for field in fields),
    )


def _register_access(register: Register) -> str:
    if register.access == "command":
        return "write-only"
    return "read-write" if register.is_writable else "read-only"


def _fields(register: Register) -> Iterator[_Field]:
    """The fields of a register, the lowest bits first."""
    access = _register_access(register)
    changes = register.access in ("status", "output")
    if register.port is None:
        for each in register.fields:
            constant = register.access == "constant"
            reset = register.value >> each.low & (1 << each.bits) - 1 if constant else 0
            known = None if register.access == "command" else reset
            yield _Field(each.name, each.low, each.bits, each.meaning, access, known, changes)
        return
    yield _Field("CODE", 0, register.bits, register.meaning, access, 0, changes)
    if register.bits < WORD:
        sign = "copies of the code's sign" if register.port.signed else "zeros"
        name, low, bits = "EXTENSION", register.bits, WORD - register.bits
        yield _Field(name, low, bits, sign, "read-only", 0, register.port.signed)


def _field(field: _Field, make: Elements) -> Element:
    resets: list[Element] = []
    if field.reset is not None:
        value = make.element("reset", make.text("value", f"'h{field.reset:X}"))
        resets.append(make.element("resets", value))
    width = make.text("bitWidth", str(field.bits))
    is_volatile = make.text("volatile", _truth(field.is_volatile))
    # 2014 says what a reset does before the width, 2022 behind it.
    order = [*resets, width, is_volatile] if make.edition == 2014 else [width, is_volatile, *resets]
    return make.element(
        "field",
        make.text("name", field.name),
        make.text("description", field.meaning),
        make.text("bitOffset", str(field.low)),
        *order,
        *_access(field.access, make, "fieldAccessPolicies", "fieldAccessPolicy"),
    )


def _access(access: str, make: Elements, policies: str, policy: str) -> Iterator[Element]:
    """2014 has one kind of access, 2022 a list of policies."""
    kind = make.text("access", access)
    yield kind if make.edition == 2014 else make.element(policies, make.element(policy, kind))


def _truth(value: bool) -> str:
    return "true" if value else "false"
