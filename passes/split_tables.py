"""`kan-split-tables`: a table becomes a sum of smaller tables where that takes fewer LUTs.

A summand whose entries differ little between neighbouring codes is a part that reads the upper
input bits only, plus one of few bits. Both join the sum that read the table:

    %t = kan.table %x                      6 input bits, entries 0 .. 22
    %s = kan.sum %t, %y

becomes

    %u = kan.bits %x from 4
    %p = kan.table %u                      2 input bits
    %q = kan.table %x                      6 input bits, entries 0 .. 15
    %s = kan.sum %p, %q, %y

The target says what a bit costs, adding included: on devices with 6-input LUTs, bits of at most 5
inputs fit into the adder's own LUTs. `kan_dialect.search.table_split` finds the parts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue
from xdsl.pattern_rewriter import (
    PatternRewriter,
    PatternRewriteWalker,
    RewritePattern,
    op_type_rewrite_pattern,
)

from kan_dialect.analysis.wires import wire_functions
from kan_dialect.devices.device import DeviceFamily
from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.types import range_of
from kan_dialect.ops.wire import BitsOp, SumOp, TableOp, complement_of
from kan_dialect.passbase.dead_ops import remove_dead
from kan_dialect.passbase.option_bounds import Bounds, bounded
from kan_dialect.passbase.sums import rebuild_sum
from kan_dialect.passbase.target_pass import TargetPass
from kan_dialect.search.table_split.limits import MAX_INPUT_BITS
from kan_dialect.search.table_split.parts import GatedPart, Part, Split
from kan_dialect.search.table_split.splitter import Splitter, splitter_for
from kan_dialect.search.table_split.sums import TableSplits, choose_splits, limit_terms

PARTS = Bounds(1, 64)
"""Parts that a table may be split into."""

DEFAULT_PARTS = 3
"""The most parts of a table on devices where parts are worth it."""

MAX_RESULT_BITS = 48
"""Result bits of the widest table that is split: sums of wider parts could leave the widest range
of an integer type."""


@dataclass
class SplitSummands(RewritePattern):
    """Tables of a sum become their parts, and the sum adds these."""

    splits: Mapping[TableOp, TableSplits]
    splitter: Splitter
    separate_bits: bool
    """Lowest bits of tables may be parts of their own."""
    most_terms: Mapping[str, int] = field(default_factory=dict[str, int])
    """The most terms of sums, by their names; others have as many as it takes."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: SumOp, rewriter: PatternRewriter) -> None:
        if len(op.inputs) < 2:
            return
        splits, separate_bits = self.splits, self.separate_bits
        most = self.most_terms.get(op.given_name or "")
        if most is not None:
            splits = limit_terms(op, splits, self.splitter, most)
            separate_bits = False
        chosen = choose_splits(op, splits, self.splitter, separate_bits=separate_bits)
        summands: list[SSAValue] = []
        constant = 0
        for value in op.inputs:
            table = value.owner
            if not isinstance(table, TableOp) or table not in chosen:
                summands.append(value)
                continue
            split = chosen[table]
            parts = _Parts(table, split)
            rewriter.insert(parts.ops)
            summands += parts.values
            constant += split.constant
        rewriter.replace(op, *rebuild_sum(op, summands, constant))


class _Parts:
    """The ops of the parts of a table, and the values to add."""

    def __init__(self, table: TableOp, split: Split) -> None:
        self.ops: list[Operation] = []
        self._table = table
        self._input = table.inputs[0]
        self._slices: dict[tuple[int, int], SSAValue] = {}
        if len(split.parts) == 1:
            self.values = [self._whole(split.parts[0])]
        else:
            self.values = [self._part(part, f"part{n}") for n, part in enumerate(split.parts)]

    def _whole(self, part: Part | GatedPart) -> SSAValue:
        """The only part: the table with another offset."""
        entries = self._by_code(part)
        table = TableOp([self._input], entries, care=self._table.care, name=self._table.given_name)
        self.ops.append(table)
        return table.result

    def _part(self, part: Part | GatedPart, name: str) -> SSAValue:
        if isinstance(part, Part):
            if part.skipped == 0:
                return self._add_table([self._input], self._by_code(part), name)
            return self._add_table([self._bits(part.skipped)], part.entries, name)
        gate = self._bits(part.skipped, part.gate_bits)
        if part.classes.min() == part.classes.max():
            return self._add_table([gate], part.amounts[:, part.classes[0]], name)
        above = self._bits(part.skipped + part.gate_bits)
        kind = self._add_table([above], part.classes, f"{name}_class")
        classes = range_of(kind)
        amounts = part.amounts[:, classes.low : classes.high + 1]
        return self._add_table([gate, kind], amounts, name)

    def _add_table(self, inputs: Sequence[SSAValue], entries: IntArray, suffix: str) -> SSAValue:
        name = self._table.given_name
        table = TableOp(inputs, entries, name=None if name is None else f"{name}_{suffix}")
        self.ops.append(table)
        return table.result

    def _by_code(self, part: Part | GatedPart) -> IntArray:
        """A part's values by the codes of the input's range."""
        kind = range_of(self._input)
        return part.values(kind.bits)[np.arange(kind.low, kind.high + 1) & ((1 << kind.bits) - 1)]

    def _bits(self, low: int, width: int | None = None) -> SSAValue:
        """`width` bits of the input from bit `low` on, or all from there on."""
        width = range_of(self._input).bits - low if width is None else width
        if (low, width) not in self._slices:
            bits = BitsOp(self._input, low, width)
            self.ops.append(bits)
            self._slices[low, width] = bits.result
        return self._slices[low, width]


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
    sums = [op for op in function.body.block.ops if isinstance(op, SumOp) and len(op.inputs) > 1]
    owners = dict.fromkeys(value.owner for op in sums for value in op.inputs)
    return [op for op in owners if isinstance(op, TableOp) and _may_split(op)]


def find_splits(function: func.FuncOp, splitter: Splitter) -> list[TableSplits]:
    """Splits of all tables that a sum adds, in the order of the sums, searched together."""
    entries = [op.by_bit_pattern for op in _tables(function)]
    in_parts, whole = splitter.split_all(entries), splitter.split_all(entries, 1)
    return list(map(TableSplits, in_parts, whole))


@dataclass(frozen=True)
class SplitTablesPass(TargetPass):
    """Takes tables apart into sums of cheaper ones."""

    name = "kan-split-tables"
    works_at = ("wire",)
    is_optional: ClassVar[bool] = True

    parts: int | None = bounded(None, PARTS, tried=(1, 2, 3, 4, 6))
    """The most tables that one table is split into; 1: only its offset is chosen. The default is 3
    where adders of the target absorb tables (xcup), or where lookup tables choose between those of
    a table of more inputs (ice40). Elsewhere it is 1: there, a further part takes more for its
    adder than it saves."""

    def run(self, ctx: Context, module: ModuleOp) -> bool:
        functions = list(wire_functions(module))
        parts = most_parts(self.parts, self.device)
        splitter = splitter_for(self.device, parts)
        for function in functions:
            split_tables(function, splitter, find_splits(function, splitter), parts > 1)
        return bool(functions)


def most_parts(parts: int | None, device: DeviceFamily) -> int:
    """The option of the pass, or its default for a device."""
    if parts is not None:
        return parts
    return DEFAULT_PARTS if device.takes_tables_apart else 1


def split_tables(
    function: func.FuncOp,
    splitter: Splitter,
    splits: Sequence[TableSplits],
    separate_bits: bool,
    most_terms: Mapping[str, int] | None = None,
) -> None:
    """Take the tables of a function apart.

    Parameters
    ----------
    splits : what `find_splits` has found for this function, or for one that it is a copy of.
    separate_bits : lowest bits of tables may be parts of their own.
    most_terms : the most terms of sums, by their names; others have as many as it takes.
    """
    of_tables = dict(zip(_tables(function), splits, strict=True))
    pattern = SplitSummands(of_tables, splitter, separate_bits, most_terms or {})
    PatternRewriteWalker(pattern, apply_recursively=False).rewrite_region(function.body)
    remove_dead(function)
