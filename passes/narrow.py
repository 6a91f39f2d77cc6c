"""`kan-narrow`: exact ranges, and from them the fewest bits.

One walk from the inputs on. Tables lose the entries that their input cannot reach, give what they
all have in common to the sum that reads them (so that they start from 0), and become constants
where nothing is left; sums take in the sums and constants that only they read; a clamp that cannot
saturate disappears. Every type is then the exact range that its operands allow.

A clamp that only tables read disappears as well where its input fits into one lookup table of the
device, and tables that saturate cost no more: they get an entry for each value of the sum.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.rewriter import Rewriter

from kan_dialect.analysis.wires import remove_dead, wire_functions
from kan_dialect.devices.device import Fpga
from kan_dialect.devices.lut_count import luts_of
from kan_dialect.ir.constants import Array, IntArray
from kan_dialect.ir.operation import optional_name
from kan_dialect.ir.types import IntType, range_of
from kan_dialect.ops.wire import (
    BitsOp,
    ClampOp,
    ConstantOp,
    DelayOp,
    MarkOp,
    ShiftOp,
    SumOp,
    TableOp,
    shift_range,
)
from kan_dialect.passbase.target_pass import TargetPass


@dataclass(frozen=True)
class NarrowPass(TargetPass):
    """Computes exact ranges and drops what they, and the tables that read it, make superfluous."""

    name = "kan-narrow"

    def run(self, ctx: Context, module: ModuleOp) -> bool:
        functions = list(wire_functions(module))
        for function in functions:
            narrowed = _Narrowing(function, self.device).run()
            Rewriter.replace_op(function, narrowed)
            remove_dead(narrowed)
        return bool(functions)


@dataclass
class _Term:
    """What a sum may take in: a value plus a constant, or several values plus a constant."""

    values: tuple[SSAValue, ...]
    constant: int
    name: str | None = None
    """The sum's name, where the sum that takes it in has none."""


@dataclass
class _Narrowing:
    """Builds the narrowed function; `values` maps old values to new."""

    function: func.FuncOp
    device: Fpga
    block: Block = field(default_factory=Block)
    values: dict[SSAValue, SSAValue] = field(default_factory=dict[SSAValue, SSAValue])
    terms: dict[SSAValue, _Term] = field(default_factory=dict[SSAValue, _Term])
    """Old values that only one sum reads, as what that sum takes in instead of them."""
    constants: dict[int, SSAValue] = field(default_factory=dict[int, SSAValue])
    taken: dict[SSAValue, int] = field(default_factory=dict[SSAValue, int])
    """Old values whose new ones lack this constant."""

    def run(self) -> func.FuncOp:
        for argument in self.function.args:
            new = self.block.insert_arg(argument.type, argument.index)
            new.name_hint = argument.name_hint
            self.values[argument] = new
        for op in self.function.body.block.ops:
            self.visit(op)
        terminator = self.block.last_op
        assert terminator is not None
        narrowed = func.FuncOp(
            self.function.sym_name.data,
            ([a.type for a in self.block.args], [v.type for v in terminator.operands]),
            Region(self.block),
            arg_attrs=self.function.arg_attrs,
            res_attrs=self.function.res_attrs,
        )
        narrowed.attributes.update(self.function.attributes)
        return narrowed

    def add(self, op: Operation) -> SSAValue:
        self.block.add_op(op)
        return op.results[0]

    def constant(self, value: int) -> SSAValue:
        if value not in self.constants:
            self.constants[value] = self.add(ConstantOp(value))
        return self.constants[value]

    def visit(self, op: Operation) -> None:
        match op:
            case ConstantOp():
                self.values[op.result] = self.constant(op.value.value.data)
            case TableOp():
                self.table(op)
            case SumOp():
                self.sum(op)
            case ClampOp():
                self.clamp(op)
            case ShiftOp():
                self.shift(op)
            case BitsOp():
                self.bits(op)
            case DelayOp():
                value = self.values[op.input]
                self.values[op.result] = (
                    value
                    if isinstance(value.owner, ConstantOp)
                    else self.add(DelayOp(value, op.cycles.value.data, name=op.given_name))
                )
            case MarkOp():
                self.mark(op)
            case func.ReturnOp():
                self.block.add_op(func.ReturnOp(*(self.values[v] for v in op.operands)))
            case _:
                # An op of another package: it keeps its declared range.
                clone = op.clone({old: self.values[old] for old in op.operands})
                self.block.add_op(clone)
                self.values.update(zip(op.results, clone.results, strict=True))

    def table(self, op: TableOp) -> None:
        inputs = [self.values[value] for value in op.inputs]
        entries, care = op.entries_array, op.care_array
        for axis, (old, new) in enumerate(zip(op.inputs, inputs, strict=True)):
            taken = self.taken.get(old, 0)
            entries = _reachable(entries, axis, range_of(old), range_of(new), taken)
            care = _reachable(care, axis, range_of(old), range_of(new), taken)
        kept = entries[care]
        low, high = (int(kept.min()), int(kept.max())) if kept.size else (0, 0)
        if low == high:
            self.values[op.result] = self.constant(low)
            return
        entries = np.where(care, entries, low)
        if _only_sums_read(op.result):
            value = self.add(TableOp(inputs, entries - low, care=care, name=op.given_name))
            self.terms[op.result] = _Term((value,), low)
            return
        self.values[op.result] = self.add(TableOp(inputs, entries, care=care, name=op.given_name))

    def sum(self, op: SumOp) -> None:
        values: list[SSAValue] = []
        constant = 0
        name = op.given_name
        for old in op.inputs:
            term = self.terms.get(old)
            if term is None:
                term = _constant_term(self.values[old])
            values.extend(term.values)
            constant += term.constant
            name = name or term.name
        if len(values) > 1 and op.result.has_one_use() and _only_sums_read(op.result):
            self.terms[op.result] = _Term(tuple(values), constant, name)
            return
        if constant:
            values.append(self.constant(constant))
        if not values:
            values.append(self.constant(0))
        self.values[op.result] = (
            values[0] if len(values) == 1 else self.add(SumOp(values, name=name))
        )

    def clamp(self, op: ClampOp) -> None:
        value = self.values[op.input]
        source, target = range_of(value), range_of(op.result)
        low = min(max(source.low, target.low), target.high)
        high = max(min(source.high, target.high), target.low)
        if low == high:
            self.values[op.result] = self.constant(low)
        elif (low, high) == (source.low, source.high):
            self.values[op.result] = value
        else:
            clamp = ClampOp(value, low, high, name=op.given_name)
            if self.goes_into_tables(op, clamp) or self.starts_from_zero(op, clamp):
                clamp.erase()
            else:
                self.values[op.result] = self.add(clamp)

    def goes_into_tables(self, op: ClampOp, clamp: ClampOp) -> bool:
        """Let the tables that read a clamp saturate instead, where that takes no more LUTs.

        They read the sum without its constant.
        """
        tables = _only_tables_read(op.result)
        value, kind = clamp.input, range_of(clamp.result)
        constant = _constant_of(value) if op.input.has_one_use() else 0
        source = range_of(value)
        code = IntType(source.low - constant, source.high - constant)
        if not tables or code.bits > self.device.lut_inputs:
            return False

        def luts(patterns: IntArray) -> float:
            index = patterns.clip(kind.low, kind.high) - range_of(op.result).low
            return sum(
                self.device.summand_cost(table.filled[index], range_of(table.result).bits)
                for table in tables
            )

        clamped = luts(kind.bit_patterns) + luts_of(clamp, self.device)
        if luts(code.bit_patterns + constant) > clamped:
            return False
        node = self.without_constant(value) if constant else value
        if isinstance(node.owner, SumOp | ShiftOp) and node.owner.value_name is None:
            node.owner.value_name = optional_name(op.given_name)
        self.values[op.result] = node
        self.taken[op.result] = constant
        return True

    def starts_from_zero(self, op: ClampOp, clamp: ClampOp) -> bool:
        """Add half of the range to the sum before a clamp at both ends, where it has room for that.

        One bit less tells whether the sum is beyond an end, which matters where each bit's LUT
        gets small by it. Tables that read the clamp take
        the codes as they are then; for other readers the half is taken off again, which inverts the
        highest bit.
        """
        value, kind = clamp.input, range_of(clamp.result)
        source, half = range_of(value), -kind.low
        moved = IntType(source.low + half, source.high + half)
        if (
            half <= 0
            or kind.high != half - 1
            or not (source.low < kind.low and kind.high < source.high)
            or moved.bits > source.bits
            or source.bits - kind.bits + 2 <= self.device.small_inputs
            or not isinstance(value.owner, SumOp)
            or not op.input.has_one_use()
        ):
            return False
        constant = self.constant(_constant_of(value) + half)
        raised = self.add(SumOp([*_variables(value.owner), constant], name=value.owner.given_name))
        if _only_tables_read(op.result):
            name = op.given_name
            self.values[op.result] = self.add(ClampOp(raised, 0, 2 * half - 1, name=name))
            self.taken[op.result] = -half
            return True
        unsigned = self.add(ClampOp(raised, 0, 2 * half - 1))
        lowered = SumOp([unsigned, self.constant(-half)], name=op.given_name)
        self.values[op.result] = self.add(lowered)
        return True

    def without_constant(self, value: SSAValue) -> SSAValue:
        """The other terms of a sum."""
        assert isinstance(value.owner, SumOp)
        terms = _variables(value.owner)
        return terms[0] if len(terms) == 1 else self.add(SumOp(terms, name=value.owner.given_name))

    def mark(self, op: MarkOp) -> None:
        """A mark on what is the node's code only once it is saturated says so."""
        value, offset, within = self.values[op.value], op.offset.value.data, op.within
        taken = self.taken.get(op.value, 0)
        old, new = range_of(op.value), range_of(value)
        if not old.contains(new.low + taken, new.high + taken):
            low, high = old.low + offset, old.high + offset
            if within is not None:
                low, high = (min(max(end, within.low), within.high) for end in (low, high))
            within = IntType(low, high)
        self.block.add_op(
            MarkOp(
                value,
                op.node.data,
                offset=offset + taken,
                cycle=op.cycle.value.data,
                within=within,
            )
        )

    def shift(self, op: ShiftOp) -> None:
        value = self.values[op.input]
        amount = op.amount.value.data
        low, high = shift_range(range_of(value), amount)
        self.values[op.result] = (
            self.constant(low)
            if low == high
            else self.add(ShiftOp(value, amount, name=op.given_name))
        )

    def bits(self, op: BitsOp) -> None:
        """Of a value that has fewer bits now, the bits above are zeros, or the sign."""
        value, low, width = self.values[op.input], op.low.value.data, range_of(op.result).bits
        kind = range_of(value)
        if kind.is_signed:
            if kind.bits < low + width:
                value = self.add(SumOp([value], result_type=range_of(op.input)))
        elif kind.bits <= low:
            self.values[op.result] = self.constant(0)
            return
        else:
            width = min(width, kind.bits - low)
        self.values[op.result] = self.add(BitsOp(value, low, width))


def _reachable(entries: Array, axis: int, old: IntType, new: IntType, taken: int) -> Array:
    """The entries for values of `new`, out of those for values of `old`, which saturate.

    A value of `old` is one of `new` plus what was `taken` from it.
    """
    index = np.arange(new.low + taken, new.high + taken + 1).clip(old.low, old.high) - old.low
    return entries.take(index, axis=axis)


def _only_sums_read(value: SSAValue) -> bool:
    users = [use.operation for use in value.uses]
    return bool(users) and all(isinstance(user, SumOp) for user in users)


def _only_tables_read(value: SSAValue) -> list[TableOp]:
    """The tables of one input that read a value, marks apart; none if anything else does."""
    users = [use.operation for use in value.uses if not isinstance(use.operation, MarkOp)]
    tables = [user for user in users if isinstance(user, TableOp) and len(user.inputs) == 1]
    return tables if len(tables) == len(users) else []


def _variables(op: SumOp) -> list[SSAValue]:
    """The terms of a sum that are no constants."""
    return [term for term in op.inputs if not isinstance(term.owner, ConstantOp)]


def _constant_of(value: SSAValue) -> int:
    """What a sum has in it besides other terms."""
    if not isinstance(value.owner, SumOp):
        return 0
    return sum(_constant_term(term).constant for term in value.owner.inputs)


def _constant_term(value: SSAValue) -> _Term:
    if isinstance(value.owner, ConstantOp):
        return _Term((), value.owner.value.value.data)
    return _Term((value,), 0)
