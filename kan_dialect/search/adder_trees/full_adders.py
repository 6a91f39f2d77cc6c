"""Full adders in the LUTs of other adders: three single bits of a place become one table.

The sum of three bits of a place is a bit there and a bit in the next place. Where the LUTs of an
adder absorb functions of three inputs, an adder of two bits takes in five single bits in place of
four, and three of them may be inverted. LUTs of two inputs, of further adders, share LUTs with
these. The estimate of the whole tree decides whether a sum has full adders.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from xdsl.ir import Operation, SSAValue

from kan_dialect.devices.carry_chains import is_single_bit
from kan_dialect.devices.device import DeviceFamily
from kan_dialect.devices.lut_count import absorbed_bits_of, count_luts
from kan_dialect.ir.operation import drop_ops
from kan_dialect.ir.types import range_of
from kan_dialect.ops.wire import SumOp, TableOp, low_zeros
from kan_dialect.search.adder_trees.tree import adder_tree, is_mostly_bits
from kan_dialect.search.table_groups import TableGroup

INPUTS = 3
"""Bits that a full adder adds."""

BITS_FOR_EACH = 4
"""A place has a full adder for this many of its bits. With more of them, too few bits are left to
add them to."""

Tree: TypeAlias = Sequence[TableOp | SumOp]
"""Full adders, and then the adders of a sum."""


def tree_with_full_adders(op: SumOp, device: DeviceFamily, further: int) -> Tree:
    """The ops that replace a sum, in no block, operands first; the last one is the whole sum.

    There are no full adders in a sum that has not mostly single bits, on a device whose adders
    absorb no functions of three inputs, and where the estimate is less without them.

    Parameters
    ----------
    further : levels that the tree of adders may have beyond the fewest.
    """
    groups = full_adders(op, device)
    if not groups:
        return adder_tree(op, device, further)
    without = adder_tree(op, device, further)
    least = _luts(op, without, device)
    drop_ops(without)
    tree = _tree(op, groups, device, further)
    if _luts(op, tree, device) <= least:
        return tree
    drop_ops(tree)
    return adder_tree(op, device, further)


def full_adders(op: SumOp, device: DeviceFamily) -> list[TableGroup]:
    """Tables of a sum that may become full adders: three bits of a place each, the lowest first.

    The upper bit of a full adder needs a bit to be added to, so there are no more than bits of the
    next place.
    """
    zeros: dict[SSAValue, int] = {}
    if device.adders.absorbed_inputs < INPUTS or not is_mostly_bits(op.inputs, zeros):
        return []
    bits = [value for value in dict.fromkeys(op.inputs) if is_single_bit(value, zeros)]
    counts = Counter(low_zeros(value, zeros) for value in bits)
    tables = _tables_of_nodes(bits, device)
    places = {value.owner: place for place, value in enumerate(op.inputs)}
    found: list[TableGroup] = []
    upper: Counter[int] = Counter()
    for place in sorted(counts):
        own = _one_of_each_input(each for each in tables if low_zeros(each.result, zeros) == place)
        free = max(counts[place] - upper[place], 0)
        number = min(free // BITS_FOR_EACH, len(own) // INPUTS, counts[place + 1])
        upper[place + 1] = number
        threes = (own[INPUTS * each :][:INPUTS] for each in range(number))
        found += [TableGroup({places[table]: table for table in three}) for three in threes]
    return found


def _tables_of_nodes(bits: Sequence[SSAValue], device: DeviceFamily) -> list[TableOp]:
    """Tables, each of a node of one bit, that nothing but the sum reads.

    Tables that adders absorb come first: carry chains do not take their bits as they are. Bits of
    ports are left out: they are inverted for little, and sums of the same ports share rows.
    """
    absorbed = dict(zip(bits, absorbed_bits_of(bits, device), strict=True))
    return [
        value.owner
        for value in sorted(bits, key=lambda bit: absorbed[bit] == 0)
        if isinstance(value.owner, TableOp)
        and value.has_one_use()
        and [range_of(each).bits for each in value.owner.inputs] == [1]
        and isinstance(value.owner.inputs[0].owner, Operation)
    ]


def _one_of_each_input(tables: Iterable[TableOp]) -> list[TableOp]:
    found: dict[SSAValue, TableOp] = {}
    for table in tables:
        found.setdefault(table.inputs[0], table)
    return list(found.values())


def _tree(op: SumOp, groups: Sequence[TableGroup], device: DeviceFamily, further: int) -> Tree:
    """The tree of a sum in which these groups are full adders."""
    before = list(op.inputs)
    tables = [group.table(next(iter(group.tables.values())).given_name, None) for group in groups]
    gone = {place for group in groups for place in group.places}
    left = [value for place, value in enumerate(before) if place not in gone]
    op.operands = [*left, *(table.result for table in tables)]
    adders = adder_tree(op, device, further)
    op.operands = before
    return [*tables, *adders]


def _luts(op: SumOp, tree: Tree, device: DeviceFamily) -> int:
    """The estimate of a tree with the tables that it reads."""
    before = list(op.inputs)
    # Tables that the sum reads besides the tree would not count as absorbed.
    op.operands = ()
    tables = [value.owner for value in before if isinstance(value.owner, TableOp)]
    read = [table for table in tables if table.result.has_one_use()]
    luts = device.pack(count_luts([*read, *tree], device))
    op.operands = before
    return luts
