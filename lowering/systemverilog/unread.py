"""Bits of signals that the text of a module does not read. Linters warn of such bits.

Examples are inputs that a pruned network does not use, the low bits of a rounded product, and the
highest bit of a sum modulo a power of two.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from xdsl.dialects import comb, hw
from xdsl.dialects.builtin import IntegerType
from xdsl.ir import Attribute, Operation, SSAValue

from kan_dialect.evaluate.hardware import bit_width, low_bit_of
from kan_dialect.ir.operation import operands_of, result_of
from kan_dialect.lowering.systemverilog.analysis import Analysis
from kan_dialect.lowering.systemverilog.expressions import Expression, part
from kan_dialect.lowering.systemverilog.tables import index_bits_read
from kan_dialect.ops.memory import (
    MemoryReadOp,
    MemoryType,
    MemoryWordOp,
    MemoryWriteOp,
    memory_type,
)


def unread_bits(signals: Sequence[SSAValue], facts: Analysis) -> Iterator[tuple[SSAValue, int]]:
    """Each signal with unread bits, and the mask of these bits.

    Memories are left out. If any bit of an array is unread, the mask has all its bits.

    Parameters
    ----------
    signals : the values that are ports or have a declaration.
    """
    read = _read_bits(set(signals), facts)
    for value in signals:
        every = _every_bit(value)
        mask = every & ~read.get(value, 0)
        if mask and type(value.type) is not MemoryType:
            yield value, mask if type(value.type) is IntegerType else every


def parts_of(name: str, value: SSAValue, mask: int) -> Iterator[Expression]:
    """Parts of the signal `name` that hold the bits of `mask`, highest first."""
    every = _every_bit(value)
    if mask == every:
        yield Expression(name)
        return
    width = every.bit_length()
    while mask:
        high = mask.bit_length()
        # Lowest bit of the run of ones that ends at the highest bit.
        low = (~mask & ((1 << high) - 1)).bit_length()
        yield part(name, width, low, high - low)
        mask &= (1 << low) - 1


def _read_bits(signals: set[SSAValue], facts: Analysis) -> dict[SSAValue, int]:
    """Mask of the bits of each value that an op reads."""
    read: dict[SSAValue, int] = {}
    slices: list[comb.ExtractOp] = []
    for op in facts.ops:
        if len(op.results) == 1 and (result := result_of(op)) not in signals:
            part = facts.slice_of(result)
            if part is not None:
                slices.append(part)
                continue
        for value, mask in _reads(op, facts):
            read[value] = read.get(value, 0) | mask
    # A slice without a name is printed where it is used, and reads only the bits used there. Its
    # source has a name, so slices can be visited in any order.
    for op in slices:
        (source,) = operands_of(op)
        mask = read.get(result_of(op), 0) << low_bit_of(op)
        read[source] = read.get(source, 0) | mask
    return read


def _reads(op: Operation, facts: Analysis) -> Iterable[tuple[SSAValue, int]]:
    """The operands in the text of an op, each with the mask of its bits that are read."""
    shown = facts.operands(op)
    # By identity: every op goes through here, and `match` takes ten times as long.
    if type(op) is comb.ExtractOp and (result := result_of(op)) not in facts.chains:
        (source,) = operands_of(op)
        return [(source, ((1 << bit_width(result.type)) - 1) << low_bit_of(op))]
    if type(op) is hw.ArrayGetOp:
        array, index = operands_of(op)
        width = bit_width(result_of(op).type)
        if array in facts.constants:
            size = facts.constants[array].shape[1]
            planes = facts.planes_of(array, width)
            return [(index, index_bits_read(planes, size, bit_width(index.type)))]
        if index in facts.constants:
            place = int(facts.constants[index][0]) * width
            return [(array, ((1 << width) - 1) << place)]
    if type(op) is MemoryReadOp or type(op) is MemoryWordOp or type(op) is MemoryWriteOp:
        # A memory of one word has no address in the text.
        ignored = op.address if memory_type(op.memory).words == 1 else None
        shown = [value for value in shown if value is not ignored]
    return [(value, _every_bit(value)) for value in shown]


def _every_bit(value: SSAValue) -> int:
    """Mask of all bits of a value; clocks and memories count as one bit."""
    kind: Attribute = value.type
    if type(kind) is IntegerType:
        return (1 << kind.width.data) - 1
    return (1 << bit_width(kind)) - 1 if type(kind) is hw.ArrayType else 1
