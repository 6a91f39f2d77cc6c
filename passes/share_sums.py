"""`kan-share-sums`: two nodes with similar edges share a sum.

Where two nodes have similar tables of some inputs, the sum of the first node's tables is computed
once. The second node adds this sum and tables of the differences, which have fewer bits. For
example, where the second node has %t + 1 in the place of %t:

    %s = kan.sum %t, %u, %v                   %common = kan.sum %t, %u
    %r = kan.sum %t1, %u, %w        ->        %s = kan.sum %common, %v
                                              %r = kan.sum %common, %w, 1

Where its tables resemble the negatives of the first node's, it adds the sum's complement, which
takes no logic. `kan_dialect.search.shared_sums` finds the pairs of nodes by the device's costs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from xdsl.dialects import func
from xdsl.ir import Block, Operation, SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from kan_dialect.devices.device import DeviceFamily
from kan_dialect.ir.derived_names import derived_name
from kan_dialect.ir.operation import ops_of
from kan_dialect.ir.types import IntType, range_of
from kan_dialect.ops.wire import MAX_TABLE_BITS, SumOp, TableOp, complement
from kan_dialect.passbase.dead_ops import remove_dead
from kan_dialect.passbase.function_pass import FunctionPass
from kan_dialect.passbase.sums import rebuild_sum
from kan_dialect.passbase.target_pass import TargetPass
from kan_dialect.search.shared_sums import MAX_INPUT_BITS, SharedSum, shared_sums
from kan_dialect.search.table_split.limits import MAX_RESULT_BITS


@dataclass(frozen=True)
class _Node:
    """A sum and those of its tables that may be shared, by their input."""

    sum: SumOp
    tables: Mapping[SSAValue, TableOp]


def _node(op: SumOp) -> _Node:
    """Tables of one input that only the sum reads, the first one of each input."""
    tables: dict[SSAValue, TableOp] = {}
    for value in op.inputs:
        table = value.owner
        if (
            isinstance(table, TableOp)
            and len(table.inputs) == 1
            and table.care is None
            and value.has_one_use()
            and range_of(table.inputs[0]).bits <= MAX_INPUT_BITS
            and range_of(table.result).bits <= MAX_RESULT_BITS
        ):
            tables.setdefault(table.inputs[0], table)
    return _Node(op, tables)


def _share(function: func.FuncOp, device: DeviceFamily) -> None:
    sums = [op for op in ops_of(function.body.block) if type(op) is SumOp and len(op.inputs) > 1]
    nodes = [_node(op) for op in sums]
    entries = [{x: t.by_bit_pattern for x, t in node.tables.items()} for node in nodes]
    for pair in shared_sums(entries, device):
        first, second = nodes[pair.first], nodes[pair.second]
        if not _can_be_shared(first, pair):
            continue
        common = _add_common_sum(first, pair, before=sums[min(pair.first, pair.second)])
        _read_common_sum(first, second, pair, common)


def _can_be_shared(node: _Node, pair: SharedSum) -> bool:
    """Whether the complement of the common sum, where it is needed, is a table of few bits."""
    kinds = [range_of(node.tables[x].result) for x in pair.inputs]
    common = IntType(sum(kind.low for kind in kinds), sum(kind.high for kind in kinds))
    return pair.sign > 0 or common.bits <= MAX_TABLE_BITS


def _add_common_sum(node: _Node, pair: SharedSum, *, before: SumOp) -> SSAValue:
    """Sum the shared tables of the first node, which adds this sum in their place."""
    tables = [node.tables[x] for x in pair.inputs]
    for table in tables:
        table.detach()
    common = SumOp(tables, name=derived_name(node.sum.given_name, "common"))
    Rewriter.insert_op([*tables, common], InsertPoint.before(before))
    shared = set[Operation | Block](tables)  # comparing ops calls a function in Python
    kept = [value for value in node.sum.inputs if value.owner not in shared]
    Rewriter.replace_op(node.sum, *rebuild_sum(node.sum, [common.result, *kept]))
    return common.result


def _read_common_sum(first: _Node, second: _Node, pair: SharedSum, common: SSAValue) -> None:
    """The second node adds the common sum, or its complement, and the differences."""
    added: list[Operation] = []
    summands, constant = [common], 0
    if pair.sign < 0:
        name = derived_name(second.sum.given_name, "inverted")
        inverted, meaning = complement(common, name)
        added.append(inverted)
        summands, constant = [inverted.result], -meaning.constant
    replaced = [second.tables[x] for x in pair.inputs]
    gone = set[Operation | Block](replaced)
    summands += [value for value in second.sum.inputs if value.owner not in gone]
    for x, table in zip(pair.inputs, replaced, strict=True):
        difference = table.entries_array - pair.sign * first.tables[x].entries_array
        low = int(difference.min())
        constant += low
        if difference.max() > low:
            name = derived_name(table.given_name, "differs")
            differs = TableOp(table.inputs, difference - low, name=name)
            added.append(differs)
            summands.append(differs.result)
    Rewriter.insert_op(added, InsertPoint.before(second.sum))
    Rewriter.replace_op(second.sum, *rebuild_sum(second.sum, summands, constant))


@dataclass(frozen=True)
class ShareSumsPass(FunctionPass, TargetPass):
    """Lets nodes with similar edges share a sum."""

    name = "kan-share-sums"
    works_at = ("wire",)
    is_optional: ClassVar[bool] = True

    def rewrite(self, function: func.FuncOp) -> None:
        _share(function, self.device)
        remove_dead(function)
