"""Testbench of an AXI4-Lite wrapper: plays accesses from a file, and checks every answer.

It needs nothing of this package, and runs in Icarus Verilog and Verilator. Pauses on all five
channels are pseudo-random, so addresses and data of writes come in any order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

from kan_dialect.files.templates import filled
from kan_dialect.lowering.wrappers.register_map import BYTES, WORD, Register, RegisterMap

ALL_BYTES = (1 << BYTES) - 1
"""WSTRB of a write of a whole word."""


class _Kind(IntEnum):
    """What an access is, and its answer."""

    WRITE = 0
    REFUSED_WRITE = 1
    READ = 2
    REFUSED_READ = 3
    POLL = 4


@dataclass
class Accesses:
    """Accesses in their order, with the answers that must come."""

    rows: list[str] = field(default_factory=list[str])

    def write(self, register: Register, word: int, strobes: int = ALL_BYTES) -> None:
        """Write the bytes of a word that `strobes` selects. The answer is OKAY."""
        self._add(_Kind.WRITE, register.offset, word, 0, strobes)

    def write_refused(self, offset: int, word: int) -> None:
        """Write a word to an address that answers SLVERR."""
        self._add(_Kind.REFUSED_WRITE, offset, word, 0, ALL_BYTES)

    def read(self, register: Register, word: int) -> None:
        """Read a register that holds a word."""
        self._add(_Kind.READ, register.offset, word, (1 << WORD) - 1, 0)

    def read_refused(self, offset: int) -> None:
        """Read an address that answers SLVERR."""
        self._add(_Kind.REFUSED_READ, offset, 0, 0, 0)

    def poll(self, register: Register, bits: int, mask: int) -> None:
        """Read a register until the bits under a mask are the given ones."""
        self._add(_Kind.POLL, register.offset, bits, mask, 0)

    def write_port(self, registers: Sequence[Register], code: int) -> None:
        """Write the code of a port to its registers, the lowest bits first."""
        for each in registers:
            self.write(each, code >> each.low)

    def read_port(self, registers: Sequence[Register], code: int) -> None:
        """Read the code of a port, extended by its sign, from its registers."""
        for each in registers:
            self.read(each, code >> each.low)

    def _add(self, kind: _Kind, offset: int, word: int, mask: int, strobes: int) -> None:
        bits = (1 << WORD) - 1
        self.rows.append(f"{kind:x}_{strobes:x}_{offset:08x}_{word & bits:08x}_{mask & bits:08x}")


def write_register_bench(
    directory: Path, wrapper: str, registers: RegisterMap, accesses: Accesses
) -> None:
    """Write WRAPPER_tb.sv and WRAPPER_accesses.hex.

    Parameters
    ----------
    directory : a folder, created if it is missing; the RTL is in `../rtl`.
    wrapper : name of the module with AXI4-Lite.
    """
    directory.mkdir(parents=True, exist_ok=True)
    rows = "".join(f"{row}\n" for row in accesses.rows)
    (directory / f"{wrapper}_accesses.hex").write_text(rows)
    (directory / f"{wrapper}_tb.sv").write_text(
        filled(
            "flows/interfaces/templates/register_testbench.sv.j2",
            wrapper=wrapper,
            core=wrapper.removesuffix("_axi_lite"),
            accesses=len(accesses.rows),
            address=registers.address_bits - 1,
            kinds=list(_Kind),
        )
    )
