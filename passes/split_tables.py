"""`kan-split-tables`: a table becomes a sum of smaller tables where that takes fewer LUTs.

A summand whose entries differ little between neighbouring codes is a part that reads the upper
input bits only, plus one of few bits (`kan_dialect.search.table_split`). Both join the sum that
read the table. The target says what a bit costs, adding included: on devices with 6-input LUTs,
bits of at most 5 inputs fit into the adder's own LUTs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from kan_dialect.analysis.wires import remove_dead, wire_functions
from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.types import range_of
from kan_dialect.ops.wire import BitsOp, ConstantOp, SumOp, TableOp, complement_of
from kan_dialect.passbase.option_bounds import Bounds, bounded
from kan_dialect.passbase.sums import rebuild_sum
from kan_dialect.passbase.target_pass import TargetPass
from kan_dialect.search.table_split.limits import MAX_INPUT_BITS
from kan_dialect.search.table_split.parts import GatedPart, Part, Split
from kan_dialect.search.table_split.splitter import splitter_for
from kan_dialect.search.table_split.sums import TableSplits, choose_splits

MAX_RESULT_BITS = 48
"""Tables of more bits are left as they are: sums of their parts could leave the widest range."""


PARTS = Bounds(1, 64)
"""Parts that a table may be split into."""


@dataclass(frozen=True)
class SplitTablesPass(TargetPass):
    """Takes tables apart into sums of cheaper ones."""

    name = "kan-split-tables"

    parts: int = bounded(3, PARTS)
    """The most tables that one becomes; 1: only its offset is chosen."""

    def run(self, ctx: Context, module: ModuleOp) -> bool:
        functions = list(wire_functions(module))
        splitter = splitter_for(self.device, self.parts)
        for function in functions:
            sums = [op for op in function.body.block.ops if isinstance(op, SumOp)]
            sums = [op for op in sums if len(op.inputs) > 1]
            owners = dict.fromkeys(value.owner for op in sums for value in op.inputs)
            tables = [op for op in owners if isinstance(op, TableOp) and _may_split(op)]
            entries = [op.by_bit_pattern for op in tables]
            in_parts, whole = splitter.split_all(entries), splitter.split_all(entries, 1)
            splits = dict(zip(tables, map(TableSplits, in_parts, whole), strict=True))
            for op in sums:
                chosen = choose_splits(op, splits, splitter, separate_bits=self.parts > 1)
                _split_summands(op, chosen)
            remove_dead(function)
        return bool(functions)


def _split_summands(op: SumOp, splits: Mapping[TableOp, Split]) -> None:
    """The same sum of other tables."""
    place = InsertPoint.before(op)
    summands: list[SSAValue] = []
    constant = 0
    for value in op.inputs:
        owner = value.owner
        if isinstance(owner, TableOp) and owner in splits:
            split = splits[owner]
            constant += split.constant
            parts = _Parts(owner)
            if len(split.parts) == 1:
                summands.append(parts.whole(split.parts[0]))
            else:
                summands.extend(parts.add(part, index) for index, part in enumerate(split.parts))
            Rewriter.insert_op(parts.ops, place)
        else:
            summands.append(value)
    Rewriter.replace_op(op, *rebuild_sum(op, summands, constant))


def _may_split(table: TableOp) -> bool:
    """Whether it has one input, and no other reader; inverters take no logic as they are."""
    return (
        len(table.inputs) == 1
        and range_of(table.inputs[0]).bits <= MAX_INPUT_BITS
        and range_of(table.result).bits <= MAX_RESULT_BITS
        and table.result.has_one_use()
        and complement_of(table.result) is None
    )


class _Parts:
    """The ops of the parts of a table."""

    def __init__(self, table: TableOp) -> None:
        self.ops: list[BitsOp | TableOp] = []
        self._care = table.care
        self._input = table.inputs[0]
        self._name = table.given_name
        self._slices: dict[tuple[int, int], SSAValue] = {}

    def whole(self, part: Part | GatedPart) -> SSAValue:
        """The value of a part that is the only one: the table, but for an offset."""
        self.ops.append(
            TableOp([self._input], self._by_code(part), care=self._care, name=self._name)
        )
        return self.ops[-1].result

    def add(self, part: Part | GatedPart, index: int) -> SSAValue:
        """The value of a part."""
        name = f"part{index}"
        if isinstance(part, Part):
            if part.skipped == 0:
                return self._table([self._input], self._by_code(part), name)
            return self._table([self._bits(part.skipped)], part.entries, name)
        gate = self._bits(part.skipped, 1)
        if part.classes.min() == part.classes.max():
            return self._table([gate], part.amounts[:, part.classes[0]], name)
        kind = self._table([self._bits(part.skipped + 1)], part.classes, f"{name}_class")
        classes = range_of(kind)
        return self._table([gate, kind], part.amounts[:, classes.low : classes.high + 1], name)

    def _table(self, inputs: Sequence[SSAValue], entries: IntArray, suffix: str) -> SSAValue:
        name = None if self._name is None else f"{self._name}_{suffix}"
        self.ops.append(TableOp(inputs, entries, name=name))
        return self.ops[-1].result

    def _by_code(self, part: Part | GatedPart) -> IntArray:
        """A part's values for the codes of the input's range."""
        kind = range_of(self._input)
        return part.values(kind.bits)[np.arange(kind.low, kind.high + 1) & ((1 << kind.bits) - 1)]

    def _bits(self, low: int, width: int | None = None) -> SSAValue:
        """Some bits of the input, from `low` on."""
        bits = range_of(self._input).bits
        width = bits - low if width is None else width
        if (low, width) not in self._slices:
            self.ops.append(BitsOp(self._input, low, width))
            self._slices[low, width] = self.ops[-1].result
        return self._slices[low, width]
