"""`kan-merge-tables`: tables that meet in one sum, or read one another, become one table.

A lookup table does not depend on the meaning of its inputs. Where inputs have one to three bits,
several summands fit into one table of several inputs, and the adders between them disappear:

    %s = kan.sum %t, %u         with %t a table of %a, %u a table of %b
    %s = kan.table %a, %b       with the entry t[a] + u[b] for each pair of inputs

Before, a node of one edge goes into the tables that read it, if that takes no more LUTs: a table of
a table is one. In a pruned network, tables of the same input then often meet in one sum.

`kan_dialect.search.table_groups` finds the groups of tables.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import ClassVar

from xdsl.dialects import func
from xdsl.ir import SSAValue
from xdsl.pattern_rewriter import (
    PatternRewriter,
    PatternRewriteWalker,
    RewritePattern,
    op_type_rewrite_pattern,
)

from kan_dialect.devices.device import DeviceFamily
from kan_dialect.devices.lut_count import luts_of
from kan_dialect.ir.operation import MAX_NAME, ops_of
from kan_dialect.ir.types import range_of
from kan_dialect.ops.wire import DeadOp, DelayOp, MarkOp, SumOp, TableOp, sum_range
from kan_dialect.passbase.function_pass import FunctionPass
from kan_dialect.passbase.rewriting import rewrite_ops
from kan_dialect.passbase.sums import rebuild_sum
from kan_dialect.passbase.target_pass import TargetPass
from kan_dialect.search.table_groups import TableGroup, may_merge, table_groups

SUFFIX = "_merged"
"""Added to the name of the first table of a group."""


@dataclass
class ComposeTables(RewritePattern):
    """A node that is a table of no fewer bits goes into the tables that read it.

    No value holds the node then: it is `kan.dead`, and proven with its readers.
    """

    device: DeviceFamily

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: TableOp, rewriter: PatternRewriter) -> None:
        users = [use.operation for use in op.result.uses]
        marks = [user for user in users if isinstance(user, MarkOp)]
        tables = [user for user in users if isinstance(user, TableOp) and len(user.inputs) == 1]
        if (
            not tables
            or len(tables) + len(marks) < len(users)
            or len(op.inputs) > 1
            or range_of(op.inputs[0]).bits > range_of(op.result).bits
        ):
            return
        composed = [_composed(op, table) for table in tables]
        before = after = 0.0
        for table, new in zip(tables, composed, strict=True):
            bits = range_of(table.result).bits
            before += self.device.summand_cost(table.by_bit_pattern, bits)
            after += self.device.summand_cost(new.by_bit_pattern, bits)
        if after > before + luts_of(op, self.device):
            for new in composed:
                new.erase()
            return
        for table, new in zip(tables, composed, strict=True):
            rewriter.replace(table, new)
        for mark in marks:
            rewriter.replace(mark, DeadOp(mark.node.data))
        rewriter.erase(op)


def _composed(inner: TableOp, outer: TableOp) -> TableOp:
    """The outer table of what the inner one reads."""
    index = inner.filled - range_of(inner.result).low
    summed = all(isinstance(use.operation, SumOp) for use in outer.result.uses)
    return TableOp(
        inner.inputs,
        outer.filled[index],
        care=outer.care_array[index] & inner.care_array,
        result_type=None if summed else range_of(outer.result),
        name=outer.given_name,
    )


@dataclass
class MergeSummands(RewritePattern):
    """Each group of a sum's tables becomes one table."""

    device: DeviceFamily
    joint_sums: Collection[SumOp]
    """Sums in which only tables of the same inputs may become one: see `_joint_sums`."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: SumOp, rewriter: PatternRewriter) -> None:
        places = [(i, v.owner) for i, v in enumerate(op.inputs) if isinstance(v.owner, TableOp)]
        tables = {i: table for i, table in places if may_merge(table)}
        if len(tables) < 2:
            return
        summands: dict[int, SSAValue] = dict(enumerate(op.inputs))
        merged: set[TableOp] = set()
        same_inputs_only = op in self.joint_sums
        for group in table_groups(op, tables, self.device, same_inputs_only=same_inputs_only):
            if len(group.tables) == 1:
                continue
            table = _merged_table(group, op)
            if self._is_dearer(table, group.tables.values(), range_of(op.result).bits):
                table.erase()
                continue
            first, *others = group.tables
            summands[first] = rewriter.insert(table).result
            for place in others:
                del summands[place]
            merged.update(group.tables.values())
        if merged:
            rewriter.replace(op, *rebuild_sum(op, list(summands.values())))
        for table in merged:
            rewriter.erase(table)

    def _is_dearer(self, merged: TableOp, apart: Collection[TableOp], bits: int) -> bool:
        """Whether filled entries that do not matter make a table dearer than the tables apart."""
        if merged.care is None or all(set(table.inputs) == set(merged.inputs) for table in apart):
            return False
        before = sum(self.device.summand_cost(table.by_bit_pattern, bits) for table in apart)
        return self.device.summand_cost(merged.by_bit_pattern, bits) > before


def _merged_table(group: TableGroup, op: SumOp) -> TableOp:
    name = _merged_name(next(iter(group.tables.values())).given_name)
    if len(group.tables) < len(op.inputs):
        return group.table(name, None)
    # The table replaces the sum, whose readers rely on its type.
    return group.table(op.given_name or name, range_of(op.result))


def _merged_name(name: str | None) -> str | None:
    """The name of a merged table, from the name of the first of its tables."""
    if name is None or name.endswith(SUFFIX) or len(name) + len(SUFFIX) > MAX_NAME:
        return name
    return name + SUFFIX


def _joint_sums(function: func.FuncOp) -> set[SumOp]:
    """Sums below one whose range is proven for tables of the same inputs together.

    The proof (`joint_sum_range`) needs these tables: they must not be merged with others.
    """
    joint: set[SumOp] = set()
    for op in reversed(ops_of(function.body.block)):
        if not isinstance(op, SumOp):
            continue
        if op in joint or not range_of(op.result).contains(*sum_range(op.inputs)):
            joint.add(op)
            joint.update(_sums_behind(op.inputs))
    return joint


def _sums_behind(values: Iterable[SSAValue]) -> Iterable[SumOp]:
    """The sums among values, also behind registers."""
    for value in values:
        while isinstance(value.owner, DelayOp):
            value = value.owner.input
        if isinstance(value.owner, SumOp):
            yield value.owner


@dataclass(frozen=True)
class MergeTablesPass(FunctionPass, TargetPass):
    """Makes one table of several summands."""

    name = "kan-merge-tables"
    works_at = ("wire",)
    is_optional: ClassVar[bool] = True

    def rewrite(self, function: func.FuncOp) -> None:
        compose = ComposeTables(self.device)
        PatternRewriteWalker(compose, apply_recursively=False).rewrite_region(function.body)
        rewrite_ops(function, SumOp, MergeSummands(self.device, _joint_sums(function)))
