"""`kan-narrow`: every value gets the exact range that its operands allow.

One walk from the inputs to the results. What an exact range proves is used at once:

- A table loses the entries that its input cannot reach. A value that is always the same becomes a
  constant, and a clamp that cannot saturate disappears.
- A table that only sums read starts from 0. What its entries have in common goes to these sums.
- A sum takes in the constants, and the sums that only it reads.
- An op of another package says the ranges of its results (`Ranged`).

Nothing is traded: no device is asked. `kan-fold-clamps` decides about the clamps that are left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from xdsl.dialects import func
from xdsl.ir import Operation, SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from kan_dialect.ir.constants import Array, extremes
from kan_dialect.ir.operation import ops_of
from kan_dialect.ir.ranged import exact_ranges
from kan_dialect.ir.types import IntType, range_of
from kan_dialect.ops.clamp import ClampOp
from kan_dialect.ops.shift import ShiftOp, shift_range
from kan_dialect.ops.wire import ConstantOp, DeadOp, DelayOp, ExtractOp, MarkOp, SumOp, TableOp
from kan_dialect.passbase.dead_ops import remove_dead
from kan_dialect.passbase.function_pass import FunctionPass
from kan_dialect.passbase.marks import moved_mark
from kan_dialect.passbase.sums import variables_and_constant


class _Term(NamedTuple):
    """What a sum adds in the place of one summand: values and a constant."""

    values: Sequence[SSAValue]
    constant: int
    name: str | None = None
    """The name of the sum that is taken in, for a sum without a name."""


class _Narrowing:
    """Builds each op of a function anew, in front of the old one, with the exact range."""

    def __init__(self) -> None:
        self._values: dict[SSAValue, SSAValue] = {}
        """Old values to new ones; arguments stand for themselves."""
        self._terms: dict[SSAValue, _Term] = {}
        """Old values that only sums read, as these sums add them."""
        self._constants: dict[int, SSAValue] = {}

    def run(self, function: func.FuncOp) -> None:
        replaced = [op for op in ops_of(function.body.block) if self._narrow(op)]
        for op in reversed(replaced):
            Rewriter.erase_op(op)
        function.update_function_type()

    def _narrow(self, op: Operation) -> bool:
        """Build what stands for an op; whether it replaces the op."""
        match op:
            case ConstantOp():
                self._values[op.result] = self._constant(op, op.value.value.data)
            case TableOp():
                self._narrow_table(op)
            case SumOp():
                self._narrow_sum(op)
            case ClampOp():
                self._narrow_clamp(op)
            case ShiftOp():
                self._narrow_shift(op)
            case ExtractOp():
                self._narrow_bits(op)
            case DelayOp():
                self._narrow_delay(op)
            case MarkOp():
                Rewriter.insert_op(moved_mark(op, self._value(op.value)), InsertPoint.before(op))
            case func.ReturnOp() | DeadOp():
                op.operands = [self._value(operand) for operand in op.operands]
                return False
            case _:
                self._narrow_other(op)
        return True

    def _value(self, old: SSAValue) -> SSAValue:
        return self._values.get(old, old)

    def _constant(self, op: Operation, value: int) -> SSAValue:
        """A constant, which exists once: before the first op that needs it."""
        if value not in self._constants:
            self._constants[value] = _add(op, ConstantOp(value))
        return self._constants[value]

    def _narrow_table(self, op: TableOp) -> None:
        inputs = [self._value(value) for value in op.inputs]
        entries, care = op.entries_array, None if op.care is None else op.care_array
        for axis, (old, new) in enumerate(zip(op.inputs, inputs, strict=True)):
            entries = _reachable(entries, axis, range_of(old), range_of(new))
            if care is not None:
                care = _reachable(care, axis, range_of(old), range_of(new))
        kept = entries if care is None else entries[care]
        low, high = extremes(kept) if kept.size else (0, 0)
        if low == high:
            self._values[op.result] = self._constant(op, low)
            return
        if care is not None:
            entries = np.where(care, entries, low)
        if not _only_sums_read(op.result):
            table = TableOp(inputs, entries, care=care, name=op.given_name)
            self._values[op.result] = _add(op, table)
            return
        from_zero = TableOp(inputs, entries - low, care=care, name=op.given_name)
        self._terms[op.result] = _Term([_add(op, from_zero)], low)

    def _narrow_sum(self, op: SumOp) -> None:
        values: list[SSAValue] = []
        constant = 0
        name = op.given_name
        for old in op.inputs:
            term = self._terms.get(old) or _Term(*variables_and_constant([self._value(old)]))
            values.extend(term.values)
            constant += term.constant
            name = name or term.name
        if len(values) > 1 and op.result.has_one_use() and _only_sums_read(op.result):
            self._terms[op.result] = _Term(values, constant, name)
            return
        if constant or not values:
            values.append(self._constant(op, constant))
        self._values[op.result] = (
            values[0] if len(values) == 1 else _add(op, SumOp(values, name=name))
        )

    def _narrow_clamp(self, op: ClampOp) -> None:
        value, target = self._value(op.input), range_of(op.result)
        source = range_of(value)
        low, high = (min(max(end, target.low), target.high) for end in (source.low, source.high))
        if low == high:
            self._values[op.result] = self._constant(op, low)
        elif (low, high) == (source.low, source.high):
            self._values[op.result] = value
        else:
            self._values[op.result] = _add(op, ClampOp(value, low, high, name=op.given_name))

    def _narrow_shift(self, op: ShiftOp) -> None:
        value, amount = self._value(op.input), op.amount.value.data
        low, high = shift_range(range_of(value), amount)
        self._values[op.result] = (
            self._constant(op, low)
            if low == high
            else _add(op, ShiftOp(value, amount, name=op.given_name))
        )

    def _narrow_bits(self, op: ExtractOp) -> None:
        """Above the bits that a narrower value has now, bits are zeros, or repeat the sign."""
        value, low, width = self._value(op.input), op.low.value.data, range_of(op.result).bits
        kind = range_of(value)
        if not kind.is_signed and kind.bits <= low:
            self._values[op.result] = self._constant(op, 0)
            return
        if not kind.is_signed:
            width = min(width, kind.bits - low)
        elif kind.bits < low + width:
            value = _add(op, SumOp([value], result_type=range_of(op.input)))
        self._values[op.result] = _add(op, ExtractOp(value, low, width))

    def _narrow_delay(self, op: DelayOp) -> None:
        value = self._value(op.input)
        if not isinstance(value.owner, ConstantOp):
            value = _add(op, DelayOp(value, op.cycles.value.data, name=op.given_name))
        self._values[op.result] = value

    def _narrow_other(self, op: Operation) -> None:
        """An op of another package reads narrower values, and says the ranges of its results."""
        inputs = [self._value(value) for value in op.operands]
        ranges = exact_ranges(op, [range_of(value) for value in inputs])
        if any(each.size > 1 for each in ranges) or not ranges:
            narrowed = op.clone(dict(zip(op.operands, inputs, strict=True)))
            Rewriter.insert_op(narrowed, InsertPoint.before(op))
            for old, kind in zip(op.results, ranges, strict=True):
                new = narrowed.results[old.index]
                self._values[old] = Rewriter.replace_value_with_new_type(new, kind)
        for old, kind in zip(op.results, ranges, strict=True):
            if kind.size == 1:
                self._values[old] = self._constant(op, kind.low)


def _add(place: Operation, op: Operation) -> SSAValue:
    """Insert an op in front of another one, and return its result."""
    Rewriter.insert_op(op, InsertPoint.before(place))
    return op.results[0]


def _reachable(entries: Array, axis: int, old: IntType, new: IntType) -> Array:
    """The entries for the values of `new`, out of those for the values of `old`.

    `old` may be the narrower one, where a sum is proven for its tables together
    (`joint_sum_range`): values beyond it do not occur.
    """
    if old == new:
        return entries
    index = np.arange(new.low, new.high + 1).clip(old.low, old.high) - old.low
    return entries.take(index, axis=axis)


def _only_sums_read(value: SSAValue) -> bool:
    users = [use.operation for use in value.uses]
    return bool(users) and all(isinstance(user, SumOp) for user in users)


def narrow(function: func.FuncOp) -> None:
    """Give every value of a wire-level function its exact range, in place."""
    _Narrowing().run(function)
    remove_dead(function)


@dataclass(frozen=True)
class NarrowPass(FunctionPass):
    """Gives every value its exact range, and drops what the ranges prove to be superfluous."""

    name = "kan-narrow"
    works_at = ("wire",)

    def rewrite(self, function: func.FuncOp) -> None:
        narrow(function)
