"""`kan-balance-sums`: a sum of many values becomes a tree of two-input adders.

- A constant costs no adder where a summand is a table that nothing else reads: the table whose bits
  get dearer by the least takes it in.
- Values whose bits do not meet need no adder: they stand side by side as one value.
- The tree has few levels. It adds early values first, and narrow ones before wide ones.
- A table of few inputs fits into the LUTs of an adder of some devices. Each adder gets one.
- Three single bits of a place become a table that the LUTs of an adder absorb: a full adder.
- A single bit enters at the carry input of an adder that has none, which takes no LUT.
- Where every bit of an adder takes a LUT, constants move between the tables of a tree, so that
  partial sums have few bits.

`kan_dialect.search.adder_trees` chooses the tree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from xdsl.dialects import func
from xdsl.ir import Operation
from xdsl.pattern_rewriter import (
    PatternRewriter,
    RewritePattern,
    op_type_rewrite_pattern,
)
from xdsl.rewriter import Rewriter

from kan_dialect.analysis.tables import bit_patterns_of
from kan_dialect.analysis.wires import layers_of
from kan_dialect.devices.carry_chains import is_single_bit, is_wires
from kan_dialect.devices.device import DeviceFamily
from kan_dialect.errors import KanError
from kan_dialect.ir.constants import FloatArray
from kan_dialect.ir.derived_names import derived_name
from kan_dialect.ir.operation import ops_of
from kan_dialect.ir.types import int_type, range_of
from kan_dialect.ops.wire import ConstantOp, SumOp, TableOp, complement_of
from kan_dialect.passbase.dead_ops import remove_dead
from kan_dialect.passbase.function_pass import FunctionPass
from kan_dialect.passbase.option_bounds import Bounds, bounded
from kan_dialect.passbase.rewriting import rewrite_ops
from kan_dialect.passbase.sums import rebuild_sum
from kan_dialect.passbase.target_pass import TargetPass
from kan_dialect.search.adder_trees.full_adders import tree_with_full_adders
from kan_dialect.search.adder_trees.offsets import Place, TreeOffsets

EXTRA_LEVELS = Bounds(0, 64)
"""Levels of logic that a sum may have beyond the fewest."""


@dataclass
class ConstantIntoTable(RewritePattern):
    """A sum's constant moves into the table that only the sum reads and that it costs least.

    %s = kan.sum %t, %u, %c   becomes   %s = kan.sum %t', %u
    """

    target: DeviceFamily

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: SumOp, rewriter: PatternRewriter) -> None:
        constants = [v for v in op.inputs if isinstance(v.owner, ConstantOp)]
        once = [v for v in op.inputs if v.has_one_use() and complement_of(v) is None]
        tables = [v.owner for v in once if isinstance(v.owner, TableOp)]
        if not constants or not tables:
            return
        amount = sum(range_of(value).low for value in constants)
        luts = self._further_luts(tables, amount, range_of(op.result).bits).tolist()
        # Of equally cheap tables, the widest.
        sizes = [-range_of(table.result).size for table in tables]
        _, _, table = min(zip(luts, sizes, tables, strict=True), key=lambda each: each[:2])
        # Alone, it replaces the sum, whose readers rely on the sum's type.
        alone = len(op.inputs) == len(constants) + 1
        shifted = TableOp(
            table.inputs,
            table.entries_array + amount,
            care=table.care_array,
            result_type=range_of(op.result) if alone else None,
            name=table.given_name,
        )
        rewriter.replace(table, shifted)
        rest = [value for value in op.inputs if value not in constants]
        rewriter.replace(op, *rebuild_sum(op, rest))

    def _further_luts(self, tables: Sequence[TableOp], amount: int, bits: int) -> FloatArray:
        """LUTs that a constant costs in each table, in a sum of `bits` bits."""
        entries = bit_patterns_of(tables)
        before = self.target.summand_costs_of(entries, bits)
        after = self.target.summand_costs_of([each + amount for each in entries], bits)
        # A single bit entered at a carry input; it needs an adder now.
        single = np.array([is_single_bit(table.result, {}) for table in tables])
        adders = self.target.adders
        return after - before + single * (adders.further_luts + adders.carry_in_luts)


@dataclass
class SumIntoTree(RewritePattern):
    """A sum of several values becomes a tree of adders of two, and of single bits."""

    target: DeviceFamily
    further: Sequence[int]
    """Levels that the trees of each layer may have beyond the fewest; later layers: the last."""
    layers: Mapping[Operation, int]
    """The layer of each sum, where there is more than one number."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: SumOp, rewriter: PatternRewriter) -> None:
        if len(op.inputs) > 2:
            further = self.further[min(self.layers.get(op, 0), len(self.further) - 1)]
            rewriter.replace(op, tree_with_full_adders(op, self.target, further))


def narrow_partial_sums(
    function: func.FuncOp, device: DeviceFamily, register_luts: float = 0.0
) -> None:
    """Move constants between the tables of trees, where that saves bits of partial sums.

    Devices stay as they are whose adders take LUTs only for the bits that both numbers have.

    Parameters
    ----------
    register_luts : what a bit of a register counts.
    """
    if not device.adders.whole_bits:
        return
    for op in ops_of(function.body.block):
        if type(op) is SumOp and not _is_partial(op) and not is_wires(op):
            offsets = TreeOffsets(op, device, device.adders.bit_luts + register_luts)
            for place in offsets.changed():
                _move(place)


def _is_partial(op: SumOp) -> bool:
    """Whether only one other sum reads a sum."""
    return op.result.has_one_use() and all(type(use.operation) is SumOp for use in op.result.uses)


def _move(place: Place) -> None:
    """Add a constant to a table, or give a sum of such tables its new range.

    %s = kan.sum %t, %u : ... -> !kan.int<-173:-34>   becomes, for 256 and the constant -256:

    %s = kan.sum %v, %u : ... -> !kan.int<83:222>
    %c = kan.constant -256 : !kan.int<-256:-256>
    %w = kan.sum %s, %c : ... -> !kan.int<-173:-34>
    """
    op, amount = place.value.owner, place.amount
    kind = range_of(place.value)
    moved = int_type(kind.low + amount, kind.high + amount)
    if isinstance(op, TableOp):
        entries = op.entries_array + amount
        table = TableOp(op.inputs, entries, care=op.care_array, name=op.given_name)
        Rewriter.replace_op(op, table)
        return
    assert isinstance(op, SumOp)
    added: list[Operation] = [SumOp(op.inputs, result_type=moved, name=op.given_name)]
    if place.constant:
        constant = ConstantOp(place.constant)
        operands = [added[0].results[0], constant.result]
        name = derived_name(op.given_name, "whole")
        added += [constant, SumOp(operands, name=name)]
    Rewriter.replace_op(op, added, [added[-1].results[0]])


@dataclass(frozen=True)
class BalanceSumsPass(FunctionPass, TargetPass):
    """Makes sums of many values trees of two-input adders."""

    name = "kan-balance-sums"
    works_at = ("wire",)
    is_optional: ClassVar[bool] = True

    extra_levels: tuple[int, ...] | int = bounded(
        0, EXTRA_LEVELS, tried=(0, 1, 2, 3, (0, 1), (1, 0), (0, 2), (2, 0))
    )
    """Levels of logic that a sum may have beyond the fewest, where that saves LUTs.

    One number, or one for each layer; the last one holds for all later layers.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.of_layers:
            raise KanError("extra-levels needs a number, or one for each layer")

    @property
    def of_layers(self) -> tuple[int, ...]:
        further = self.extra_levels
        return (further,) if isinstance(further, int) else further

    def rewrite(self, function: func.FuncOp) -> None:
        make_trees(function, self.device, self.of_layers)
        narrow_partial_sums(function, self.device)


def make_trees(function: func.FuncOp, device: DeviceFamily, further: Sequence[int]) -> None:
    """Constants move into tables, and sums become trees of adders.

    Parameters
    ----------
    further : levels that the trees of each layer may have beyond the fewest; later layers: the
        last.
    """
    rewrite_ops(function, SumOp, ConstantIntoTable(device))
    layers = layers_of(function) if len(further) > 1 else {}
    rewrite_ops(function, SumOp, SumIntoTree(device, further, layers))
    remove_dead(function)
