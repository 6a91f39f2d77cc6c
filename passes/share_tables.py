"""`kan-share-tables`: tables that are equal up to offset and sign become one table.

Tables of the same value that only sums read are equal up to offset where they differ by a constant,
and up to sign where they add up to a constant: one is then the complement of the other's bits, and
a constant. Sums take in constants, and inverters cost no logic:

    %t = kan.table %x          [0, 1, 6, 5]
    %u = kan.table %x          [3, 2, -3, -2]
    %r = kan.sum %u, %y

becomes

    %t = kan.table %x          [0, 1, 6, 5]
    %n = kan.table %t          7 - code
    %r = kan.sum %n, %y, -4

One table is enough where that is cheaper by the target's costs: the LUTs of adders absorb no table
that several sums read. Tables of more input bits than a LUT has are left to `kan-split-tables`.
Bits, and tables that other ops read, become one where they are equal.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from xdsl.dialects import func
from xdsl.ir import Block, SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from kan_dialect.devices.device import DeviceFamily
from kan_dialect.ops.wire import ExtractOp, SumOp, TableOp, complement
from kan_dialect.passbase.dead_ops import remove_dead
from kan_dialect.passbase.function_pass import FunctionPass
from kan_dialect.passbase.sums import rebuild_sum
from kan_dialect.passbase.target_pass import TargetPass
from kan_dialect.search.alike_tables import (
    alike_tables,
    cheapest_table,
    only_sums_read,
    sharing_saves,
)


def _share_equal(block: Block) -> None:
    """Equal ops become one, inputs first, so that their readers may be equal too."""
    known: dict[Hashable, SSAValue] = {}
    for op in list(block.ops):
        if not isinstance(op, ExtractOp | TableOp):
            continue
        if isinstance(op, TableOp) and only_sums_read(op):
            continue
        meaning = frozenset((name, op.properties[name]) for name in op.properties if name != "name")
        key = type(op), tuple(op.operands), op.result.type, meaning
        if key in known:
            Rewriter.replace_op(op, (), [known[key]])
        else:
            known[key] = op.result


class _Summand(NamedTuple):
    """A value and a constant that a sum adds instead of a table."""

    value: SSAValue
    constant: int


def _share_alike(tables: Sequence[TableOp], target: DeviceFamily) -> dict[SSAValue, _Summand]:
    """Keep the cheapest of some tables; the summand in place of each of the others."""
    kept = cheapest_table(tables, target)
    if kept is not tables[0]:
        # All read the same values, so it may stand before the others.
        kept.detach()
        Rewriter.insert_op(kept, InsertPoint.before(tables[0]))
    entries = kept.filled
    summands: dict[SSAValue, _Summand] = {}
    for table in tables:
        if table is kept:
            continue
        offset = table.filled - entries
        value = kept.result
        if offset.min() < offset.max():
            inverted, meaning = complement(kept.result, table.given_name)
            Rewriter.insert_op(inverted, InsertPoint.before(table))
            value = inverted.result
            offset = table.filled - (meaning.constant - entries)
        summands[table.result] = _Summand(value, int(offset.flat[0]))
    return summands


def _replace_summands(block: Block, summands: Mapping[SSAValue, _Summand]) -> None:
    """Sums add the summands in place of tables."""
    for op in list(block.ops):
        if not isinstance(op, SumOp) or summands.keys().isdisjoint(op.inputs):
            continue
        terms = [summands.get(value, _Summand(value, 0)) for value in op.inputs]
        constant = sum(term.constant for term in terms)
        Rewriter.replace_op(op, *rebuild_sum(op, [term.value for term in terms], constant))


@dataclass(frozen=True)
class ShareTablesPass(FunctionPass, TargetPass):
    """Makes one of tables that are equal up to offset and sign."""

    name = "kan-share-tables"
    works_at = ("wire",)
    is_optional: ClassVar[bool] = True

    def rewrite(self, function: func.FuncOp) -> None:
        block, target = function.body.block, self.device
        _share_equal(block)
        summands: dict[SSAValue, _Summand] = {}
        for tables in alike_tables(block.ops, target.lut_inputs):
            if sharing_saves(tables, target):
                summands |= _share_alike(tables, target)
        _replace_summands(block, summands)
        remove_dead(function)
