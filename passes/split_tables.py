"""`kan-split-tables`: a table becomes a sum of smaller tables where that takes fewer LUTs.

A summand whose entries differ little between neighbouring codes is a part that reads the upper
input bits only, plus one of few bits. Both join the sum that read the table:

    %t = kan.table %x                      6 input bits, entries 0 .. 22
    %s = kan.sum %t, %y

becomes

    %u = kan.extract %x from 4
    %p = kan.table %u                      2 input bits
    %q = kan.table %x                      6 input bits, entries 0 .. 15
    %s = kan.sum %p, %q, %y

The target says what a bit costs, adding included: on devices with 6-input LUTs, bits of at most 5
inputs fit into the adder's own LUTs. Where adders absorb no tables, the estimate of the whole sum
with its adders says which of its tables come in parts. `kan_dialect.search.table_split` finds both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from xdsl.dialects import func
from xdsl.ir import SSAValue
from xdsl.pattern_rewriter import (
    PatternRewriter,
    RewritePattern,
    op_type_rewrite_pattern,
)

from kan_dialect.analysis.tables import bit_patterns_of
from kan_dialect.devices.device import DeviceFamily
from kan_dialect.ir.operation import ops_of
from kan_dialect.ir.types import range_of
from kan_dialect.ops.wire import SumOp, TableOp, complement_of
from kan_dialect.passbase.dead_ops import remove_dead
from kan_dialect.passbase.function_pass import FunctionPass
from kan_dialect.passbase.option_bounds import Bounds, bounded
from kan_dialect.passbase.rewriting import rewrite_ops
from kan_dialect.passbase.sums import rebuild_sum
from kan_dialect.passbase.target_pass import TargetPass
from kan_dialect.search.table_split.limits import MAX_INPUT_BITS, MAX_RESULT_BITS
from kan_dialect.search.table_split.part_ops import PartOps
from kan_dialect.search.table_split.parts import Split
from kan_dialect.search.table_split.splitter import Splitter, splitter_for
from kan_dialect.search.table_split.sums import TableSplits, choose_splits, limit_terms
from kan_dialect.search.table_split.whole_sums import choose_by_estimate

PARTS = Bounds(1, 64)
"""Parts that a table may be split into."""

DEFAULT_PARTS = 3
"""The most parts of a table on devices where parts are worth it."""


@dataclass
class SplitSummands(RewritePattern):
    """Tables of a sum become their parts, and the sum adds these."""

    splits: Mapping[TableOp, TableSplits]
    splitter: Splitter
    device: DeviceFamily
    separate_bits: bool
    """Lowest bits of tables may be parts of their own."""
    most_levels: Mapping[str, int] = field(default_factory=dict[str, int])
    """The most levels of adders of sums, by their names; others have as many as it takes."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: SumOp, rewriter: PatternRewriter) -> None:
        if len(op.inputs) < 2:
            return
        chosen = self._choose(op)
        summands: list[SSAValue] = []
        constant = 0
        for value in op.inputs:
            table = value.owner
            if not isinstance(table, TableOp) or table not in chosen:
                summands.append(value)
                continue
            split = chosen[table]
            parts = PartOps(table, split)
            rewriter.insert(parts.ops)
            summands += parts.values
            constant += split.constant
        rewriter.replace(op, *rebuild_sum(op, summands, constant))

    def _choose(self, op: SumOp) -> Mapping[TableOp, Split]:
        """A split for each table of a sum that has some."""
        splits, separate_bits = self.splits, self.separate_bits
        most = self.most_levels.get(op.given_name or "")
        if separate_bits and self.device.adders.absorbed_inputs < 0:
            return choose_by_estimate(op, splits, self.splitter, self.device, most)
        if most is not None:
            splits = limit_terms(op, splits, self.splitter, 1 << most)
            separate_bits = False
        return choose_splits(op, splits, self.splitter, separate_bits=separate_bits)


def _may_split(table: TableOp) -> bool:
    """Whether it has one input, of several codes, and one reader.

    Inverters stay, as they take no logic.
    """
    return (
        len(table.inputs) == 1
        and range_of(table.inputs[0]).size > 1
        and range_of(table.inputs[0]).bits <= MAX_INPUT_BITS
        and range_of(table.result).bits <= MAX_RESULT_BITS
        and table.result.has_one_use()
        and complement_of(table.result) is None
    )


def _tables(function: func.FuncOp) -> list[TableOp]:
    """The tables that may be split: those that a sum adds."""
    sums = [op for op in ops_of(function.body.block) if type(op) is SumOp and len(op.inputs) > 1]
    owners = dict.fromkeys(value.owner for op in sums for value in op.inputs)
    return [op for op in owners if isinstance(op, TableOp) and _may_split(op)]


def find_splits(function: func.FuncOp, splitter: Splitter) -> list[TableSplits]:
    """Splits of all tables that a sum adds, in the order of the sums, searched together."""
    entries = bit_patterns_of(_tables(function))
    in_parts, whole = splitter.split_all(entries), splitter.split_all(entries, 1)
    return list(map(TableSplits, in_parts, whole))


@dataclass(frozen=True)
class SplitTablesPass(FunctionPass, TargetPass):
    """Takes tables apart into sums of cheaper ones."""

    name = "kan-split-tables"
    works_at = ("wire",)
    is_optional: ClassVar[bool] = True

    parts: int | None = bounded(None, PARTS, tried=(1, 2, 3, 4, 6))
    """The most tables that one table is split into; 1: only its offset is chosen. The default is 3
    where adders of the target absorb tables (xcup), where adders share carry chains (ecp5), or
    where lookup tables choose between those of a table of more inputs (ice40). Elsewhere it is 1:
    there, a further part takes more for its adder than it saves."""

    def rewrite(self, function: func.FuncOp) -> None:
        parts = most_parts(self.parts, self.device)
        splitter = splitter_for(self.device, parts)
        split_tables(function, splitter, find_splits(function, splitter), self.device, parts > 1)


def most_parts(parts: int | None, device: DeviceFamily) -> int:
    """The option of the pass, or its default for a device."""
    if parts is not None:
        return parts
    return DEFAULT_PARTS if device.takes_tables_apart else 1


def split_tables(
    function: func.FuncOp,
    splitter: Splitter,
    splits: Sequence[TableSplits],
    device: DeviceFamily,
    separate_bits: bool,
    most_levels: Mapping[str, int] | None = None,
) -> None:
    """Take the tables of a function apart.

    Parameters
    ----------
    splits : what `find_splits` has found for this function, or for one that it is a copy of.
    separate_bits : lowest bits of tables may be parts of their own.
    most_levels : the most levels of adders of sums, by their names; others have as many as it
        takes.
    """
    of_tables = dict(zip(_tables(function), splits, strict=True))
    pattern = SplitSummands(of_tables, splitter, device, separate_bits, most_levels or {})
    rewrite_ops(function, SumOp, pattern)
    remove_dead(function)
