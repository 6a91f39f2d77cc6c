"""NAME_tables.bin: the words of a build's tables, for hardware whose tables can be loaded.

All numbers have 64 bits, the lowest byte first: `KANTABLE` in ASCII, the layout, the number of
words, the number of bytes of a text in UTF-8 that says the layout in lines; the text, filled with
zeros to 8 bytes; then of each word its address and itself. The codec of a build reads files of its
own layout, and refuses others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from xdsl.dialects import hw

from kan_dialect.ir.constants import IntArray
from kan_dialect.model.interface import Interface
from kan_dialect.model.table_memory import TableMemory, layout_of, table_memory

MAGIC = b"KANTABLE"
UNIT = 8
"""Bytes of a number."""
MOST_WORDS = 50_000
"""Most words that a build writes in its simulation."""


@dataclass(frozen=True)
class LoadableTables:
    """The tables of a module, and what other tables have to be like."""

    layout: int
    """See `layout_of`."""
    shape: Sequence[str]
    """Lines about ports, latency and memories."""
    memory: TableMemory

    @classmethod
    def of_module(cls, module: hw.HWModuleOp, interface: Interface) -> LoadableTables | None:
        """The tables of a network's module; None where they cannot be loaded."""
        memory = table_memory(module)
        if memory is None:
            return None
        ports = (*interface.inputs, *interface.outputs)
        shape = [
            f"a sample every {interface.interval} cycles, latency {interface.latency} cycles",
            *(f"{port.name}: codes {port.low} to {port.high}" for port in ports),
            *memory.shape,
        ]
        return cls(layout_of(module), shape, memory)

    @cached_property
    def accesses(self) -> IntArray:
        """Address and word of each access, (words, 2), int64."""
        return self.memory.accesses

    def file(self) -> bytes:
        """The bytes of NAME_tables.bin."""
        text = "\n".join(self.shape).encode()
        numbers = np.array([self.layout, len(self.accesses), len(text)], dtype="<u8")
        filled = text.ljust(-(-len(text) // UNIT) * UNIT, b"\0")
        return MAGIC + numbers.tobytes() + filled + self.accesses.astype("<u8").tobytes()


def rewritten(accesses: IntArray, interface: Interface, most: int = MOST_WORDS) -> IntArray:
    """Accesses that write the inverse of words, and then the words.

    Of more than `most` words, some are chosen at random, and the others stay.

    Parameters
    ----------
    accesses : address and word, (words, 2), int64.
    """
    if len(accesses) > most:
        chosen = np.random.default_rng(0).permutation(len(accesses))[:most]
        accesses = accesses[np.sort(chosen)]
    inverse = accesses ^ [0, interface.memory[-1].high]
    return np.concatenate([inverse, accesses])
