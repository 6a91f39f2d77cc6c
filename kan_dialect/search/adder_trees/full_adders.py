"""Full adders in the LUTs of other adders: three single bits of a place become one table.

The sum of three bits of a place is a bit there and a bit in the next place. Where the LUTs of an
adder absorb functions of three inputs, an adder of two bits takes in five single bits in place of
four, and three of them may be inverted. LUTs of two inputs, of further adders, share LUTs with
these. The estimate of the whole tree decides whether a sum has full adders.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from xdsl.ir import Operation, SSAValue

from kan_dialect.devices.carry_chains import is_single_bit
from kan_dialect.devices.device import DeviceFamily
from kan_dialect.devices.lut_count import absorbed_bits_of, count_luts
from kan_dialect.ir.types import range_of
from kan_dialect.ops.wire import SumOp, TableOp, low_zeros
from kan_dialect.search.adder_trees.tree import adder_tree, is_mostly_bits

INPUTS = 3
"""Bits that a full adder adds."""

BITS_FOR_EACH = 4
"""A place has a full adder for this many of its bits. With more of them, too few bits are left to
add them to."""

Bits: TypeAlias = tuple[TableOp, ...]
"""Tables that give a bit of the same place each, all of the bit of a node."""


def full_adders(op: SumOp, device: DeviceFamily, further: int) -> list[Bits]:
    """The bits of a sum that full adders add, three of a place each.

    Empty for a sum that has not mostly single bits, and for a device whose adders absorb no
    functions of three inputs.

    Parameters
    ----------
    further : levels that the sum's tree of adders may have beyond the fewest.
    """
    zeros: dict[SSAValue, int] = {}
    if device.adders.absorbed_inputs < INPUTS or not is_mostly_bits(op.inputs, zeros):
        return []
    counts, tables = _bits_by_place(op, device, zeros)
    groups = _groups(counts, tables)
    if groups and _luts(op, groups, device, further) > _luts(op, [], device, further):
        return []
    return groups


def full_adder(bits: Bits) -> TableOp:
    """The table of the sum of tables of one input bit each, in no block."""
    axes = np.ix_(*(table.filled for table in bits))
    entries = sum(axes[1:], axes[0])
    inputs = [value for table in bits for value in table.inputs]
    return TableOp(inputs, entries, name=bits[0].given_name)


def terms_with(op: SumOp, groups: Iterable[Bits], adders: Sequence[TableOp]) -> list[SSAValue]:
    """The terms of a sum with full adders in the place of the bits that they add."""
    gone = {table.result for bits in groups for table in bits}
    return [
        *(value for value in op.inputs if value not in gone),
        *(table.result for table in adders),
    ]


def _bits_by_place(
    op: SumOp, device: DeviceFamily, zeros: dict[SSAValue, int]
) -> tuple[Counter[int], Mapping[int, list[TableOp]]]:
    """The number of single bits of each place, and those that a full adder may add.

    Bits that adders absorb come first: carry chains do not take them as they are. Bits of ports
    stay: they are inverted for little, and sums of the same ports share rows.
    """
    bits = [value for value in dict.fromkeys(op.inputs) if is_single_bit(value, zeros)]
    absorbed = dict(zip(bits, absorbed_bits_of(bits, device), strict=True))
    tables: dict[int, dict[SSAValue, TableOp]] = {}
    for value in sorted(bits, key=lambda bit: absorbed[bit] == 0):
        table = value.owner
        if (
            isinstance(table, TableOp)
            and value.has_one_use()
            and [range_of(each).bits for each in table.inputs] == [1]
            and isinstance(table.inputs[0].owner, Operation)
        ):
            tables.setdefault(low_zeros(value, zeros), {}).setdefault(table.inputs[0], table)
    counts = Counter(low_zeros(value, zeros) for value in bits)
    return counts, {place: list(own.values()) for place, own in sorted(tables.items())}


def _groups(counts: Counter[int], tables: Mapping[int, Sequence[TableOp]]) -> list[Bits]:
    """Groups of three bits, from the lowest place on.

    The upper bit of a full adder needs a bit to be added to, so there are no more than bits of the
    next place.
    """
    found: list[Bits] = []
    upper: Counter[int] = Counter()
    for place, own in tables.items():
        free = max(counts[place] - upper[place], 0)
        number = min(free // BITS_FOR_EACH, len(own) // INPUTS, counts[place + 1])
        upper[place + 1] = number
        found += [tuple(own[INPUTS * each :][:INPUTS]) for each in range(number)]
    return found


def _luts(op: SumOp, groups: Sequence[Bits], device: DeviceFamily, further: int) -> int:
    """The estimate of a sum with full adders."""
    before = list(op.inputs)
    adders = [full_adder(bits) for bits in groups]
    op.operands = terms_with(op, groups, adders)
    tree = adder_tree(op, device, further)
    # Tables that the sum reads besides the tree would not count as absorbed.
    op.operands = ()
    tables = [value.owner for value in before if isinstance(value.owner, TableOp)]
    alone = [table for table in tables if table.result.has_one_use()]
    luts = device.pack(count_luts([*alone, *adders, *tree], device))
    for each in [*tree, *adders]:
        each.drop_all_references()
    op.operands = before
    return luts
