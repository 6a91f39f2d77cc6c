"""`kan-narrow`: exact ranges, and from them the fewest bits.

One walk from the inputs on. Tables lose the entries that their input cannot reach, give what they
all have in common to the sum that reads them (so that they start from 0), and become constants
where nothing is left; sums take in the sums and constants that only they read; a clamp that cannot
saturate disappears. Every type is then the exact range that its operands allow.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.rewriter import Rewriter

from kan_dialect.attributes import IntType, range_of
from kan_dialect.constants import Array
from kan_dialect.kan_pass import KanPass
from kan_dialect.wire_ops import (
    ClampOp,
    ConstantOp,
    DelayOp,
    MarkOp,
    ShiftOp,
    SumOp,
    TableOp,
    shift_range,
)
from kan_dialect.wires import remove_dead, wire_functions


@dataclass(frozen=True)
class NarrowPass(KanPass):
    """Computes exact ranges and drops what they make superfluous."""

    name = "kan-narrow"

    def run(self, ctx: Context, module: ModuleOp) -> bool:
        functions = list(wire_functions(module))
        for function in functions:
            narrowed = _Narrowing(function).run()
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
    block: Block = field(default_factory=Block)
    values: dict[SSAValue, SSAValue] = field(default_factory=dict[SSAValue, SSAValue])
    terms: dict[SSAValue, _Term] = field(default_factory=dict[SSAValue, _Term])
    """Old values that only one sum reads, as what that sum takes in instead of them."""
    constants: dict[int, SSAValue] = field(default_factory=dict[int, SSAValue])

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
            case DelayOp():
                value = self.values[op.input]
                self.values[op.result] = (
                    value
                    if isinstance(value.owner, ConstantOp)
                    else self.add(DelayOp(value, op.cycles.value.data, name=op.given_name))
                )
            case MarkOp():
                self.block.add_op(
                    MarkOp(
                        self.values[op.value],
                        op.node.data,
                        offset=op.offset.value.data,
                        cycle=op.cycle.value.data,
                    )
                )
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
            entries = _reachable(entries, axis, range_of(old), range_of(new))
            care = _reachable(care, axis, range_of(old), range_of(new))
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
            self.values[op.result] = self.add(ClampOp(value, low, high, name=op.given_name))

    def shift(self, op: ShiftOp) -> None:
        value = self.values[op.input]
        amount = op.amount.value.data
        low, high = shift_range(range_of(value), amount)
        self.values[op.result] = (
            self.constant(low)
            if low == high
            else self.add(ShiftOp(value, amount, name=op.given_name))
        )


def _reachable(entries: Array, axis: int, old: IntType, new: IntType) -> Array:
    """The entries for values of `new`, out of those for values of `old`."""
    index = np.arange(max(new.low, old.low), min(new.high, old.high) + 1) - old.low
    return entries.take(index, axis=axis)


def _only_sums_read(value: SSAValue) -> bool:
    users = [use.operation for use in value.uses]
    return bool(users) and all(isinstance(user, SumOp) for user in users)


def _constant_term(value: SSAValue) -> _Term:
    if isinstance(value.owner, ConstantOp):
        return _Term((), value.owner.value.value.data)
    return _Term((value,), 0)
