"""`kan-balance-sums`: a sum of many values becomes a tree of two-input adders.

- A constant costs no adder where a summand is a table that nothing else reads: the table whose bits
  get dearer by the least takes it in.
- Values whose bits do not meet need no adder: they stand side by side as one value.
- The tree has few levels. It adds early values first, and narrow ones before wide ones.
- A table of few inputs fits into the LUTs of an adder of some devices. Each adder gets one.
- A single bit enters at the carry input of an adder that has none, which takes no LUT.

`kan_dialect.search.adder_trees` chooses the tree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation
from xdsl.pattern_rewriter import (
    PatternRewriter,
    RewritePattern,
    op_type_rewrite_pattern,
)

from kan_dialect.analysis.tables import bit_patterns_of
from kan_dialect.analysis.wires import layers_of, wire_functions
from kan_dialect.devices.carry_chains import is_single_bit
from kan_dialect.devices.device import DeviceFamily
from kan_dialect.errors import KanError
from kan_dialect.ir.constants import FloatArray
from kan_dialect.ir.types import range_of
from kan_dialect.ops.wire import ConstantOp, SumOp, TableOp, complement_of
from kan_dialect.passbase.dead_ops import remove_dead
from kan_dialect.passbase.option_bounds import Bounds, bounded
from kan_dialect.passbase.rewriting import rewrite_ops
from kan_dialect.passbase.sums import rebuild_sum
from kan_dialect.passbase.target_pass import TargetPass
from kan_dialect.search.adder_trees.tree import adder_tree

FURTHER_LEVELS = Bounds(0, 64)
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
            rewriter.replace(op, adder_tree(op, self.target, further))


@dataclass(frozen=True)
class BalanceSumsPass(TargetPass):
    """Makes sums of many values trees of two-input adders."""

    name = "kan-balance-sums"
    works_at = ("wire",)
    is_optional: ClassVar[bool] = True

    further_levels: tuple[int, ...] | int = bounded(
        0, FURTHER_LEVELS, tried=(0, 1, 2, 3, (0, 1), (1, 0), (0, 2), (2, 0))
    )
    """Levels of logic that a sum may have beyond the fewest, where that saves LUTs.

    One number, or one for each layer; the last one holds for all later layers.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self._of_layers:
            raise KanError("further-levels needs a number, or one for each layer")

    @property
    def _of_layers(self) -> tuple[int, ...]:
        further = self.further_levels
        return (further,) if isinstance(further, int) else further

    def run(self, ctx: Context, module: ModuleOp) -> bool:
        functions = list(wire_functions(module))
        further = self._of_layers
        for function in functions:
            rewrite_ops(function, SumOp, ConstantIntoTable(self.device))
            layers = layers_of(function) if len(further) > 1 else {}
            rewrite_ops(function, SumOp, SumIntoTree(self.device, further, layers))
            remove_dead(function)
        return bool(functions)
