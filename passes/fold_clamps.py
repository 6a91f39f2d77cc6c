"""`kan-fold-clamps`: clamps go into what reads them or what they read, where that takes fewer LUTs.

A node saturates its sum with a clamp. Three rewrites make clamps cheaper; the device decides:

- `NodeIntoTable`: a clamp, its sum and the sum's tables become one table of all of their inputs.
  This pays for nodes that read few bits and give few.
- `ClampIntoTables`: tables saturate. Each has an entry for every value of the sum, so the clamp
  and the sum's constant disappear. This trades a clamp for larger tables.
- `ClampFromZero`: the sum is raised, so that the clamp's lower end is 0. This trades a constant of
  the sum, which costs nothing, for a simpler test of the upper bits.

Outputs and codes of nodes stay bit for bit: marks say how a node's code follows from its value.
The ranges must be exact: `kan-narrow` runs before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from xdsl.dialects import func
from xdsl.ir import SSAValue
from xdsl.pattern_rewriter import (
    PatternRewriter,
    RewritePattern,
    op_type_rewrite_pattern,
)

from kan_dialect.devices.device import DeviceFamily
from kan_dialect.devices.lut_count import luts_of
from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.types import IntType, range_of
from kan_dialect.ops.clamp import ClampOp
from kan_dialect.ops.shift import ShiftOp
from kan_dialect.ops.wire import ConstantOp, MarkOp, SumOp, TableOp
from kan_dialect.passbase.dead_ops import remove_dead
from kan_dialect.passbase.function_pass import FunctionPass
from kan_dialect.passbase.marks import moved_mark
from kan_dialect.passbase.rewriting import rewrite_ops
from kan_dialect.passbase.sums import variables_and_constant
from kan_dialect.passbase.target_pass import TargetPass
from kan_dialect.search.table_groups import TableGroup, may_merge, table_groups

MOST_BITS = 10
"""Bits of the inputs of a node that may become one table."""


def _only_tables_read(value: SSAValue) -> list[TableOp]:
    """The tables of one input that read a value; none if anything but marks does too."""
    users = [use.operation for use in value.uses if not isinstance(use.operation, MarkOp)]
    tables = [user for user in users if isinstance(user, TableOp) and len(user.inputs) == 1]
    return tables if len(tables) == len(users) else []


def _summands(op: ClampOp) -> tuple[list[SSAValue], int]:
    """The variables and the constant of the sum that only the clamp reads; else its input and 0.

    There is at least one variable: a sum of constants is a variable itself.
    """
    if isinstance(op.input.owner, SumOp) and op.input.has_one_use():
        variables, constant = variables_and_constant(op.input.owner.inputs)
        if variables:
            return variables, constant
    return [op.input], 0


def _move_readers(op: ClampOp, value: SSAValue, added: int, rewriter: PatternRewriter) -> None:
    """Tables and marks read `value` instead of a clamp: it plus `added`, saturated, is the code."""
    source, target = range_of(value), range_of(op.result)
    codes = np.arange(source.low, source.high + 1) + added
    index = codes.clip(target.low, target.high) - target.low
    for reader in [use.operation for use in op.result.uses]:
        if isinstance(reader, TableOp):
            table = TableOp(
                [value],
                reader.entries_array[index],
                care=reader.care_array[index],
                result_type=range_of(reader.result),
                name=reader.given_name,
            )
            rewriter.replace(reader, table)
        elif isinstance(reader, MarkOp):
            rewriter.replace(reader, moved_mark(reader, value, added))
    rewriter.erase(op)


@dataclass
class NodeIntoTable(RewritePattern):
    """A node that reads few bits is one table of them, from its inputs to its code.

    %s = kan.sum %t, %u, %k          with %t a table of %a, %u a table of %b
    %c = kan.clamp %s

    becomes `%c = kan.table %a, %b`.
    """

    device: DeviceFamily

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: ClampOp, rewriter: PatternRewriter) -> None:
        variables, constant = _summands(op)
        tables = {
            place: value.owner
            for place, value in enumerate(variables)
            if isinstance(value.owner, TableOp) and may_merge(value.owner)
        }
        if len(tables) < len(variables):
            return
        node = TableGroup(tables)
        if node.bits > MOST_BITS:
            return
        summed = node.table(None, None)
        code = range_of(op.result)
        table = TableOp(
            summed.inputs,
            (summed.filled + constant).clip(code.low, code.high),
            care=summed.care_array,
            result_type=code,
            name=op.given_name,
        )
        summed.erase()
        apart = self._luts_apart(op, tables)
        # Which bits of the table count depends on what reads it.
        op.result.replace_all_uses_with(table.result)
        if luts_of(table, self.device) > apart:
            table.result.replace_all_uses_with(op.result)
            table.erase()
            return
        rewriter.replace(op, table)

    def _luts_apart(self, op: ClampOp, tables: Mapping[int, TableOp]) -> float:
        """LUTs of a clamp, its sum and the tables. Tables that would merge count as one."""
        clamped = luts_of(op, self.device)
        sum_op = op.input.owner
        if not isinstance(sum_op, SumOp):
            return clamped + sum(luts_of(table, self.device) for table in tables.values())
        bits = range_of(op.input).bits
        groups = table_groups(sum_op, tables, self.device, same_inputs_only=False)
        summands = [self.device.summand_cost(group.patterns.ravel(), bits) for group in groups]
        return clamped + sum(summands)


@dataclass
class ClampIntoTables(RewritePattern):
    """Tables saturate what they read, where the sum's values fit into one lookup table."""

    device: DeviceFamily

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: ClampOp, rewriter: PatternRewriter) -> None:
        tables = _only_tables_read(op.result)
        variables, constant = _summands(op)
        source, target = range_of(op.input), range_of(op.result)
        varying = IntType(source.low - constant, source.high - constant)
        if not tables or varying.bits > self.device.lut_inputs:
            return
        clamp = ClampOp(op.input, target.low, target.high)
        clamped = luts_of(clamp, self.device) + self._luts(tables, target.bit_patterns)
        clamp.erase()
        if self._luts(tables, varying.bit_patterns + constant) > clamped:
            return
        value = op.input
        if constant and len(variables) == 1:
            value = variables[0]
        elif constant:
            name = value.owner.given_name if isinstance(value.owner, SumOp) else None
            value = rewriter.insert(SumOp(variables, name=name)).result
        if isinstance(value.owner, SumOp | ShiftOp) and value.owner.value_name is None:
            value.owner.value_name = op.value_name
        _move_readers(op, value, constant, rewriter)

    def _luts(self, tables: Sequence[TableOp], codes: IntArray) -> float:
        """LUTs of tables that saturate `codes`, which they read by bit pattern."""
        target = range_of(tables[0].inputs[0])
        index = codes.clip(target.low, target.high) - target.low
        return sum(
            self.device.summand_cost(table.filled[index], range_of(table.result).bits)
            for table in tables
        )


@dataclass
class ClampFromZero(RewritePattern):
    """clamp(s) to -h:h-1 is clamp(s + h) to 0:2h-1, less h.

    One bit less tells whether the sum is beyond an end. That pays where the test has too many bits
    for the device's smallest function. Tables read the codes from 0; for other readers, h is
    subtracted again, which inverts the highest bit.
    """

    device: DeviceFamily

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: ClampOp, rewriter: PatternRewriter) -> None:
        source, target = range_of(op.input), range_of(op.result)
        half = -target.low
        raised = IntType(source.low + half, source.high + half)
        if (
            half <= 0
            or target.high != half - 1
            or not (source.low < target.low and target.high < source.high)
            or raised.bits > source.bits
            or source.bits - target.bits + 2 <= self.device.small_inputs
            or not isinstance(op.input.owner, SumOp)
            or not op.input.has_one_use()
        ):
            return
        variables, constant = _summands(op)
        offset = rewriter.insert(ConstantOp(constant + half))
        whole = rewriter.insert(SumOp([*variables, offset], name=op.input.owner.given_name))
        from_tables = bool(_only_tables_read(op.result))
        name = op.given_name if from_tables else None
        clamp = rewriter.insert(ClampOp(whole, 0, 2 * half - 1, name=name))
        if from_tables:
            _move_readers(op, clamp.result, -half, rewriter)
        else:
            lowered = [ConstantOp(-half)]
            rewriter.replace(op, [*lowered, SumOp([clamp, *lowered], name=op.given_name)])


@dataclass(frozen=True)
class FoldClampsPass(FunctionPass, TargetPass):
    """Makes clamps of nodes cheaper."""

    name = "kan-fold-clamps"
    works_at = ("wire",)
    is_optional: ClassVar[bool] = True

    def rewrite(self, function: func.FuncOp) -> None:
        patterns = (NodeIntoTable, ClampIntoTables, ClampFromZero)
        rewrite_ops(function, ClampOp, *(pattern(self.device) for pattern in patterns))
        remove_dead(function)
