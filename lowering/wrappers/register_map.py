"""The registers of `NAME_axi_lite`: one description for hardware, hosts, documentation and report.

Registers have 32 bits and follow each other without gaps. A port of more than 32 bits takes
several, the lowest bits first. Codes fill their registers by their sign, or by zeros.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from typing import Literal, TypeAlias

from xdsl.dialects import hw, seq

from kan_dialect.evaluate.hardware import bit_width
from kan_dialect.ir.attributes.module_attributes import ports_of, trains_itself
from kan_dialect.model.table_memory import layout_of, table_memory

WORD = 32
"""Bits of a register."""
BYTES = WORD // 8

IDENTITY = 0x4B414E31
"""What the register ID holds: `KAN1`."""
VERSION = 1
"""Of this map."""

START, TRAIN = 0, 1
"""Bits of CONTROL."""
BUSY, DONE, MEM_BUSY, MEM_DONE = 0, 1, 2, 3
"""Bits of STATUS."""
MEM_READ, MEM_WRITE = 0, 1
"""Bits of MEM_CONTROL."""

Access: TypeAlias = Literal["constant", "command", "status", "input", "counter", "output"]
"""Where a register's bits are: fixed, in the write itself, or in a register of the wrapper.

A counter is an input that the wrapper changes, too.
"""

_MEMORY_PORTS = ("mem_address", "mem_data", "mem_read_data")


@dataclass(frozen=True)
class DataPort:
    """A port of the core whose value a host reads or writes."""

    name: str
    bits: int
    signed: bool
    is_output: bool

    @property
    def words(self) -> int:
        """Registers that it takes."""
        return -(-self.bits // WORD)


@dataclass(frozen=True)
class Field:
    """Bits of a register that have a meaning of their own."""

    name: str
    low: int
    bits: int
    meaning: str


@dataclass(frozen=True)
class Register:
    """A register of the map."""

    name: str
    offset: int
    """Address in bytes."""
    access: Access
    meaning: str
    value: int = 0
    """Of a constant."""
    port: DataPort | None = None
    """The port that it holds bits of."""
    low: int = 0
    """Lowest bit of the port that it holds."""
    fields: tuple[Field, ...] = ()
    """Of a register that holds no bits of a port, the lowest first."""

    @property
    def is_writable(self) -> bool:
        """Whether a write is answered with OKAY."""
        return self.access in ("command", "input", "counter")

    @property
    def bits(self) -> int:
        """Bits of the port that it holds."""
        return 0 if self.port is None else min(WORD, self.port.bits - self.low)


@dataclass(frozen=True)
class RegisterMap:
    """The registers of a core's wrapper, in the order of their addresses."""

    ports: tuple[DataPort, ...]
    registers: tuple[Register, ...]
    trains: bool

    @property
    def has_memory(self) -> bool:
        """Whether a host reaches a memory: coefficients, or tables that can be loaded."""
        return bool(self.of_port("mem_address"))

    @property
    def address_bits(self) -> int:
        """Width of an address in bytes."""
        return ((len(self.registers) - 1).bit_length() or 1) + 2

    def of_port(self, name: str) -> list[Register]:
        """The registers of a port, the lowest bits first."""
        return [each for each in self.registers if each.port is not None and each.port.name == name]

    def named(self, name: str) -> Register:
        """The register of a name."""
        return next(each for each in self.registers if each.name == name)


def identity_of(core: hw.HWModuleOp) -> int:
    """A number of 32 bits that changes with the core: the first bits of its IR's SHA-256.

    The words of tables that can be loaded do not count.
    """
    if table_memory(core) is not None:
        return layout_of(core)
    return int.from_bytes(sha256(str(core).encode()).digest()[:BYTES], "big")


def register_map(core: hw.HWModuleOp, latency: int) -> RegisterMap:
    """The registers of a core's wrapper.

    Parameters
    ----------
    latency : of the core, in clock cycles.
    """
    ports = tuple(_data_ports(core))
    trains = trains_itself(core)
    inputs = [port for port in ports if re.fullmatch(r"x\d+", port.name)]
    outputs = [port for port in ports if re.fullmatch(r"y\d+", port.name)]
    registers = list(_fixed_registers(core, len(inputs), len(outputs), latency, trains))
    for port in ports:
        for word in range(port.words):
            suffix = f"_{word}" if port.words > 1 else ""
            registers.append(
                Register(
                    f"{port.name.upper()}{suffix}",
                    BYTES * len(registers),
                    _access(port, trains=trains),
                    _meaning(port, word, trains=trains),
                    port=port,
                    low=word * WORD,
                )
            )
    return RegisterMap(ports, tuple(registers), trains)


def _fixed_registers(
    core: hw.HWModuleOp, inputs: int, outputs: int, latency: int, trains: bool
) -> Iterator[Register]:
    """The registers before those of the ports."""
    offsets = count(0, BYTES)
    for name, meaning, value in (
        ("ID", "`KAN1` in ASCII", IDENTITY),
        ("VERSION", "version of this map", VERSION),
        ("HASH", "changes with the network", identity_of(core)),
    ):
        whole = (Field(name, 0, WORD, meaning),)
        yield Register(name, next(offsets), "constant", meaning, value, fields=whole)
    halves = Field("INPUTS", 0, 16, "inputs"), Field("OUTPUTS", 16, 16, "outputs")
    meaning, value = "inputs in bits 15..0, outputs in bits 31..16", inputs | outputs << 16
    yield Register("PORTS", next(offsets), "constant", meaning, value, fields=halves)
    meaning = "clock cycles from a sample to its outputs"
    cycles = (Field("CYCLES", 0, WORD, meaning),)
    yield Register("LATENCY", next(offsets), "constant", meaning, latency, fields=cycles)

    def of_bits(name: str, access: Access, bits: Iterable[tuple[str, int, str]]) -> Register:
        fields = tuple(Field(bit, place, 1, meaning) for bit, place, meaning in bits)
        meaning = "; ".join(f"bit {each.low}: {each.meaning}" for each in fields)
        return Register(name, next(offsets), access, meaning, fields=fields)

    control = [("START", START, "start a sample")]
    status = [
        ("BUSY", BUSY, "a sample is under way"),
        ("DONE", DONE, "the outputs are those of the last sample"),
    ]
    if trains:
        control.append(("TRAIN", TRAIN, "it trains"))
        status += [
            ("MEM_BUSY", MEM_BUSY, "an access to a coefficient waits"),
            ("MEM_DONE", MEM_DONE, "the last one is done"),
        ]
    yield of_bits("CONTROL", "command", control)
    yield of_bits("STATUS", "status", status)
    meaning = "samples that are done, modulo 2^32"
    samples = (Field("SAMPLES", 0, WORD, meaning),)
    yield Register("COUNT", next(offsets), "status", meaning, fields=samples)
    if trains:
        accesses = [
            ("READ_COEFFICIENT", MEM_READ, "read a coefficient"),
            ("WRITE_COEFFICIENT", MEM_WRITE, "write it"),
        ]
        yield of_bits("MEM_CONTROL", "command", accesses)


def _access(port: DataPort, *, trains: bool) -> Access:
    if port.is_output:
        return "output"
    return "counter" if port.name == "mem_address" and not trains else "input"


def _meaning(port: DataPort, word: int, *, trains: bool) -> str:
    low = word * WORD
    bits = f"bits {min(port.bits, low + WORD) - 1}..{low} of " if port.words > 1 else ""
    what = f"{bits}port {port.name}"
    if port.name == "mem_address" and not trains:
        what += "; the next one follows behind each word"
    if port.name == "mem_data" and word == port.words - 1 and not trains:
        what += "; writing its highest byte writes the word"
    return what


def _data_ports(core: hw.HWModuleOp) -> Iterator[DataPort]:
    """Inputs, targets, memory and outputs of a core, in the order of its ports."""
    coded = {port.port: port.codes.is_signed for port in ports_of(core) or ()}
    for port in core.module_type.ports:
        name = port.port_name.data
        is_number = re.fullmatch(r"[xyte]\d+", name) is not None
        if port.type == seq.clock or not (is_number or name in _MEMORY_PORTS):
            continue
        # Hardware that trains has fixed-point numbers, all of them signed.
        is_coefficient = trains_itself(core) and name != "mem_address"
        signed = coded.get(name, is_number or is_coefficient)
        is_output = port.dir.data is hw.Direction.OUTPUT
        yield DataPort(name, bit_width(port.type), signed, is_output)


def c_header(name: str, registers: Sequence[Register]) -> str:
    """The registers as a C header: offsets, and bits of CONTROL and STATUS."""
    prefix = name.upper()
    guard = f"{prefix}_REGISTERS_H"
    lines = [
        f"/* Registers of {name}_axi_lite: offsets in bytes, each of 32 bits. */",
        f"#ifndef {guard}",
        f"#define {guard}",
        "",
    ]
    for register in registers:
        lines.append(f"#define {prefix}_{register.name} 0x{register.offset:02X}u")
    lines.append("")
    for register in registers:
        for field in register.fields:
            if field.bits == 1:
                lines.append(f"#define {prefix}_BIT_{field.name} (1u << {field.low})")
    lines.append("")
    for register in registers:
        if register.access == "constant" and register.name in ("ID", "VERSION", "HASH"):
            lines.append(f"#define {prefix}_{register.name}_VALUE 0x{register.value:08X}u")
    lines += ["", f"#endif /* {guard} */", ""]
    return "\n".join(lines)
