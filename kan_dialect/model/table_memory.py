"""The memories of a folded module whose tables can be loaded: addresses, words and layout.

An address at the memory port is the number of a memory and the address of a word in it, side by
side. Memories are counted layer by layer, lane by lane, and by the parts of a word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from xdsl.dialects import hw
from xdsl.dialects.builtin import StringAttr

from kan_dialect.ir.attributes.attribute_names import INTERVAL, LATENCY
from kan_dialect.ir.attributes.module_attributes import trains_itself
from kan_dialect.ir.attributes.value_names import name_hint
from kan_dialect.ir.constants import IntArray
from kan_dialect.ops.memory import MemoryOp, MemoryWriteOp, memory_type

HASH_BYTES = 4


@dataclass(frozen=True)
class TableMemory:
    """The memories of one module."""

    memories: Sequence[MemoryOp]
    """In the order of their addresses."""

    @property
    def row_bits(self) -> int:
        """Bits of the address in a memory."""
        return max(memory_type(memory.result).address_bits for memory in self.memories)

    @property
    def address_bits(self) -> int:
        """Width of an address at the memory port."""
        return (len(self.memories) - 1).bit_length() + self.row_bits

    @property
    def data_bits(self) -> int:
        """Width of the longest word."""
        return max(memory_type(memory.result).bits for memory in self.memories)

    @property
    def shape(self) -> list[str]:
        """A line about each memory."""
        kinds = [
            (name_hint(each.result) or "memory", memory_type(each.result)) for each in self.memories
        ]
        return [f"{name}: {kind.words} words of {kind.bits} bits" for name, kind in kinds]

    @property
    def accesses(self) -> IntArray:
        """Address and word of each access that writes the initial words, (words, 2), int64."""
        return np.stack(self.words, axis=1)

    @property
    def words(self) -> tuple[IntArray, IntArray]:
        """Addresses and initial words of all memories, (words) each, int64."""
        addresses: list[IntArray] = []
        words: list[IntArray] = []
        for place, memory in enumerate(self.memories):
            contents = memory.contents
            assert contents is not None, "a loadable memory has contents"
            addresses.append((place << self.row_bits) + np.arange(len(contents)))
            words.append(contents)
        return np.concatenate(addresses), np.concatenate(words)


def table_memory(module: hw.HWModuleOp) -> TableMemory | None:
    """The memories of a module whose tables can be loaded; None of another module."""
    if trains_itself(module):
        return None
    written = [op.memory.owner for op in module.body.ops if isinstance(op, MemoryWriteOp)]
    memories = [memory for memory in written if isinstance(memory, MemoryOp)]
    return TableMemory(tuple(memories)) if memories else None


def layout_of(module: hw.HWModuleOp) -> int:
    """A number of 32 bits that modules share which are the same but for the words of tables.

    Names of modules and ports, and scales of ports, do not count: the host has them.
    """
    layout = module.clone()
    for op in layout.body.ops:
        if isinstance(op, MemoryOp):
            del op.properties["initial"]
    kept = {name: layout.attributes[name] for name in (LATENCY, INTERVAL)}
    layout.attributes.clear()
    layout.attributes.update(kept)
    layout.sym_name = StringAttr("layout")
    return int.from_bytes(sha256(str(layout).encode()).digest()[:HASH_BYTES], "big")
