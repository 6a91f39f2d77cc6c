"""The registers of `NAME_axi_lite`: one description for hardware, hosts, documentation and report.

Registers have 32 bits and follow each other without gaps. A port of more than 32 bits takes
several, the lowest bits first. Codes fill their registers by their sign, or by zeros.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal, TypeAlias

from xdsl.dialects import hw, seq

from kan_dialect.evaluate.hardware import bit_width
from kan_dialect.ir.attributes.module_attributes import declared_interval, ports_of

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

Access: TypeAlias = Literal["constant", "command", "status", "input", "output"]
"""Where a register's bits are: fixed, in the write itself, or in a register of the wrapper."""

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

    @property
    def is_writable(self) -> bool:
        """Whether a write is answered with OKAY."""
        return self.access in ("command", "input")

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
    """A number of 32 bits that changes with the core: the first bits of its IR's SHA-256."""
    return int.from_bytes(sha256(str(core).encode()).digest()[:BYTES], "big")


def register_map(core: hw.HWModuleOp, latency: int) -> RegisterMap:
    """The registers of a core's wrapper.

    Parameters
    ----------
    latency : of the core, in clock cycles.
    """
    ports = tuple(_data_ports(core))
    trains = declared_interval(core) is not None
    inputs = [port for port in ports if re.fullmatch(r"x\d+", port.name)]
    outputs = [port for port in ports if re.fullmatch(r"y\d+", port.name)]
    rows: list[tuple[str, Access, str, int]] = [
        ("ID", "constant", "`KAN1` in ASCII", IDENTITY),
        ("VERSION", "constant", "version of this map", VERSION),
        ("HASH", "constant", "changes with the network", identity_of(core)),
        (
            "PORTS",
            "constant",
            "inputs in bits 15..0, outputs in bits 31..16",
            len(inputs) | len(outputs) << 16,
        ),
        ("LATENCY", "constant", "clock cycles from a sample to its outputs", latency),
        ("CONTROL", "command", _control(trains), 0),
        ("STATUS", "status", _status(trains), 0),
        ("COUNT", "status", "samples that are done, modulo 2^32", 0),
    ]
    if trains:
        rows.append(("MEM_CONTROL", "command", "bit 0: read a coefficient, bit 1: write it", 0))
    registers = [
        Register(name, BYTES * place, access, meaning, value)
        for place, (name, access, meaning, value) in enumerate(rows)
    ]
    for port in ports:
        for word in range(port.words):
            suffix = f"_{word}" if port.words > 1 else ""
            registers.append(
                Register(
                    f"{port.name.upper()}{suffix}",
                    BYTES * len(registers),
                    "output" if port.is_output else "input",
                    _meaning(port, word),
                    port=port,
                    low=word * WORD,
                )
            )
    return RegisterMap(ports, tuple(registers), trains)


def _control(trains: bool) -> str:
    return "bit 0: start a sample" + ("; bit 1: it trains" if trains else "")


def _status(trains: bool) -> str:
    status = "bit 0: a sample is under way; bit 1: the outputs are those of the last sample"
    if trains:
        status += "; bit 2: an access to a coefficient waits; bit 3: the last one is done"
    return status


def _meaning(port: DataPort, word: int) -> str:
    low = word * WORD
    bits = f"bits {min(port.bits, low + WORD) - 1}..{low} of " if port.words > 1 else ""
    return f"{bits}port {port.name}"


def _data_ports(core: hw.HWModuleOp) -> Iterator[DataPort]:
    """Inputs, targets, memory and outputs of a core, in the order of its ports."""
    coded = {port.port: port.codes.is_signed for port in ports_of(core) or ()}
    for port in core.module_type.ports:
        name = port.port_name.data
        is_number = re.fullmatch(r"[xyte]\d+", name) is not None
        if port.type == seq.clock or not (is_number or name in _MEMORY_PORTS):
            continue
        # Hardware that trains has fixed-point numbers, all of them signed.
        signed = coded.get(name, is_number or name != "mem_address")
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
    bits = {"START": START, "TRAIN": TRAIN, "BUSY": BUSY, "DONE": DONE}
    if any(register.name == "MEM_CONTROL" for register in registers):
        bits |= {
            "MEM_BUSY": MEM_BUSY,
            "MEM_DONE": MEM_DONE,
            "READ_COEFFICIENT": MEM_READ,
            "WRITE_COEFFICIENT": MEM_WRITE,
        }
    else:
        del bits["TRAIN"]
    lines.append("")
    lines += [f"#define {prefix}_BIT_{each} (1u << {place})" for each, place in bits.items()]
    lines.append("")
    for register in registers:
        if register.access == "constant" and register.name in ("ID", "VERSION", "HASH"):
            lines.append(f"#define {prefix}_{register.name}_VALUE 0x{register.value:08X}u")
    lines += ["", f"#endif /* {guard} */", ""]
    return "\n".join(lines)
