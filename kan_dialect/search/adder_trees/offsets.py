"""Constants that move between the tables of a tree of adders, so that partial sums have few bits.

The tables of a sum may have any offsets that add up to the same. A partial sum has more bits than
its values need where it is negative, or goes beyond a power of two: 1 .. 32 takes six bits, and
0 .. 31 five. Tools do not see that upper bits of a sum never change. So each takes a bit of an
adder, and a bit of each register behind it.

`TreeOffsets` finds the offsets with the fewest LUTs by dynamic programming over the tree: for each
adder and each offset of its result, the best offsets of both operands.

The last adder may read a constant beside the bits of an operand, which takes nothing: -173 .. -34
are 83 .. 222 less 256, eight bits beside a constant one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from xdsl.ir import SSAValue

from kan_dialect.devices.carry_chains import is_wires
from kan_dialect.devices.device import DeviceFamily
from kan_dialect.ir.constants import FloatArray, IntArray
from kan_dialect.ir.types import int_type, range_of
from kan_dialect.maths.truth_tables import supports
from kan_dialect.ops.wire import SumOp, TableOp, complement_of, low_zeros

MOST = 64
"""The largest constant that is added to a table or a partial sum, or taken from it."""
_AMOUNTS = np.arange(-MOST, MOST + 1)
CONSTANT_BIT = 0.25
"""What a bit of a table that never changes counts, in LUTs."""
CHANGE = 1e-3
"""LUTs of a change, so that tables stay where nothing is saved."""


class Place:
    """An operand or an adder of a tree."""

    def __init__(self, value: SSAValue) -> None:
        kind = range_of(value)
        self.value = value
        self.low, self.high = kind.low, kind.high
        self.operands: list[Place] = []
        """Those that may have another offset."""
        self.amount = 0
        """What is added to the value."""
        self.constant = 0
        """A constant above the bits of the value, which its reader adds to it."""
        self._best: list[IntArray] = []
        """For each operand but the first, and each amount of it and those before: its own."""

    @property
    def is_table(self) -> bool:
        return isinstance(self.value.owner, TableOp)

    @property
    def bits(self) -> int:
        """Bits that its values need."""
        return (self.high - self.low).bit_length()

    def lowest_table(self) -> Place:
        """The table below whose entries are the smallest."""
        tables = [self] if self.is_table else [each.lowest_table() for each in self.operands]
        return min(tables, key=lambda each: each.low + each.amount)

    def lift(self, table: Place, amount: int) -> None:
        """Add a constant to a table below, or to this one, and to all sums up to here."""
        self.amount += amount
        for each in self.operands:
            if table in each.tables():
                each.lift(table, amount)

    def tables(self) -> list[Place]:
        if self.is_table:
            return [self]
        return [table for each in self.operands for table in each.tables()]

    def together(self, costs: Sequence[FloatArray]) -> FloatArray:
        """The least sum of the operands' costs, for each amount that theirs add up to."""
        total = costs[0]
        self._best = []
        for cost in costs[1:]:
            beyond = np.full(MOST, np.inf)
            padded = np.concatenate([beyond, total, beyond])
            # Row by amount, column by the operand's amount from the highest to the lowest.
            sums = sliding_window_view(padded, len(cost)) + cost[::-1]
            choice = sums.argmin(axis=1)
            self._best.append(MOST - choice)
            total = sums[np.arange(len(sums)), choice]
        return total

    def take(self, amount: int) -> None:
        """Add an amount to the value. The operands get the amounts that cost the least for it."""
        self.amount += amount
        for operand, best in zip(reversed(self.operands[1:]), reversed(self._best), strict=True):
            own = int(best[amount + MOST])
            operand.take(own)
            amount -= own
        if self.operands:
            self.operands[0].take(amount)


class TreeOffsets:
    """The best offsets of the tables of a tree.

    Parameters
    ----------
    last : the last adder. Its result stays as it is.
    bit_luts : LUTs of a bit of a partial sum.
    """

    def __init__(self, last: SumOp, device: DeviceFamily, bit_luts: float) -> None:
        self._device = device
        self._bit_luts = bit_luts
        self.root = self._tree(last.result)
        adders = [each for each in self.root.operands if each.operands]
        if not adders or len(self.root.tables()) < 2:
            return
        for each in adders:
            self._lift(each)
        costs = [self._costs(each, is_last=True) for each in self.root.operands]
        if np.isinf(self.root.together(costs)[MOST]):
            self.root = Place(last.result)
            return
        self.root.take(0)
        for each in adders:
            self._lift(each)

    def changed(self) -> list[Place]:
        """All places whose values change, operands first."""
        found: list[Place] = []
        pending = [self.root]
        while pending:
            place = pending.pop()
            found += [place] if place.amount else []
            pending += place.operands
        return found[::-1]

    def _tree(self, value: SSAValue) -> Place:
        place = Place(value)
        op = value.owner
        assert isinstance(op, SumOp | TableOp)
        if isinstance(op, SumOp):
            place.operands = [self._tree(each) for each in op.inputs if _may_move(each)]
        return place

    def _lift(self, place: Place) -> None:
        """Where a partial sum is always negative, its highest bits become a constant."""
        low, high = place.low + place.amount, place.high + place.amount
        if high < 0:
            above = low >> place.bits << place.bits
            place.lift(place.lowest_table(), -above)
            place.constant += above

    def _costs(self, place: Place, *, is_last: bool = False) -> FloatArray:
        """LUTs for each amount that is added to a value; those of its operands included."""
        if place.is_table:
            return self._table_costs(place)
        costs = place.together([self._costs(each) for each in place.operands])
        low = place.low + place.amount + _AMOUNTS
        high = place.high + place.amount + _AMOUNTS
        bits = _widths(low, high)
        if is_last:
            bits = np.where(high < 0, _bit_lengths(low ^ high), bits)
        costs[_widths(low, high) > range_of(place.value).bits] = np.inf
        return costs + self._bit_luts * bits

    def _table_costs(self, place: Place) -> FloatArray:
        op = place.value.owner
        assert isinstance(op, TableOp)
        patterns = op.by_bit_pattern + place.amount
        low, high = int(patterns.min()), int(patterns.max())
        size = (high - low).bit_length()
        starts = _AMOUNTS + low
        # Only where the table takes no bit more than it has to.
        fits = (starts >> size) == ((_AMOUNTS + high) >> size)
        amounts = _AMOUNTS[fits | (_AMOUNTS == 0)]
        entries = patterns + amounts[:, np.newaxis]
        bits = int_type(int(entries.min()), int(entries.max())).bits
        luts = self._device.summand_costs((len(patterns) - 1).bit_length())
        alone = np.maximum(luts - self._device.adders.bit_luts, 0.0)
        costs = np.full(len(_AMOUNTS), np.inf)
        costs[amounts + MOST] = alone[supports(entries, bits)].sum(axis=1)
        # Upper bits that never change take nothing, but make the operand of an adder wider.
        widths = _widths(_AMOUNTS + low, _AMOUNTS + high)
        (use,) = op.result.uses
        result = range_of(use.operation.results[0])
        if result.bits < self._device.adders.shortest_chain:
            costs[widths > range_of(place.value).bits] = np.inf
        costs += CONSTANT_BIT * (widths - size)
        costs[_AMOUNTS != 0] += CHANGE
        return costs


def _may_move(value: SSAValue) -> bool:
    """Whether an operand of an adder may have another offset."""
    op = value.owner
    if not value.has_one_use():
        return False
    if isinstance(op, SumOp):
        return not is_wires(op) and any(map(_may_move, op.inputs))
    return (
        isinstance(op, TableOp)
        and len(op.inputs) == 1
        and range_of(value).size > 2
        and not low_zeros(value, {})
        and complement_of(value) is None
    )


def _widths(low: IntArray, high: IntArray) -> IntArray:
    """Bits of ranges in hardware: in two's complement where they have negative values."""
    above = _bit_lengths(np.maximum(high, 0))
    return np.where(low < 0, 1 + np.maximum(_bit_lengths(np.maximum(~low, 0)), above), above)


def _bit_lengths(values: IntArray) -> IntArray:
    """`int.bit_length` of each of some numbers below 2^52 that are not negative."""
    return np.frexp(values.astype(np.float64))[1].astype(np.int64)
