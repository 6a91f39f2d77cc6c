"""The port that writes the tables of a folded module at run time.

An access takes place where `mem_valid` and `mem_ready` are 1, as in hardware that trains. It waits
until no sample is under way, and samples wait for it. `TableMemory` has the addresses.
"""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.ir import SSAValue

from kan_dialect.lowering.hw_builder import HwBuilder, integer
from kan_dialect.model.table_memory import TableMemory
from kan_dialect.ops.memory import MemoryWriteOp, memory_type


def write_memories(build: HwBuilder, valid: SSAValue, occupied: Sequence[SSAValue]) -> SSAValue:
    """Give all loadable memories a write port, and the module its address and data.

    Parameters
    ----------
    valid : the port `mem_valid`.
    occupied : bits that are 1 while a sample is under way.

    Returns
    -------
    `mem_ready`.
    """
    space = TableMemory(tuple(build.loadable))
    address = build.input("mem_address", integer(space.address_bits))
    data = build.input("mem_data", integer(space.data_bits))
    assert build.clock is not None
    ready = build.inverted(build.any_of(occupied), 1, "mem_idle")
    access = build.all_of([valid, ready], "mem_access")
    upper_bits = space.address_bits - space.row_bits
    upper = build.part(address, space.row_bits, upper_bits) if upper_bits else None
    for place, memory in enumerate(build.loadable):
        kind, enable = memory_type(memory.result), access
        if upper is not None:
            chosen = build.equal(upper, build.constant(place, upper_bits))
            enable = build.all_of([access, chosen])
        row, word = build.part(address, 0, kind.address_bits), build.part(data, 0, kind.bits)
        build.block.add_op(MemoryWriteOp(memory.result, row, word, enable, build.clock))
    return ready
