"""`kan-balance-sums`: sums of many values become trees of two-input adders.

Values that are there first meet first, narrow ones before wide ones, in few levels. Where the
target's adders have room in their LUTs for tables of few inputs, such a table is added to something
else, one to each adder. A constant costs no adder where one of the summands is a table that nobody
else reads: the table takes it in, the one whose bits get dearer by least.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.pattern_rewriter import (
    PatternRewriter,
    PatternRewriteWalker,
    RewritePattern,
    op_type_rewrite_pattern,
)

from kan_dialect.attributes import range_of
from kan_dialect.constants import IntArray
from kan_dialect.fpga import XCUP, Fpga, device
from kan_dialect.kan_pass import KanPass
from kan_dialect.wire_ops import ConstantOp, SumOp, TableOp, low_zeros
from kan_dialect.wires import remove_dead, wire_functions


@dataclass
class ConstantIntoTable(RewritePattern):
    """A sum's constant moves into a table that only the sum reads, the one that it costs least."""

    target: Fpga

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: SumOp, rewriter: PatternRewriter) -> None:
        constants = [v for v in op.inputs if isinstance(v.owner, ConstantOp)]
        tables = [v.owner for v in op.inputs if isinstance(v.owner, TableOp) and v.has_one_use()]
        if not constants or not tables:
            return
        amount = sum(range_of(value).low for value in constants)
        bits = range_of(op.result).bits
        table = min(tables, key=lambda table: self._rise(table, amount, bits))
        # The sum's readers rely on its type, also where that is wider than it must be.
        result_type = range_of(op.result)
        alone = len(op.inputs) == len(constants) + 1
        shifted = TableOp(
            table.inputs,
            table.entries_array + amount,
            care=table.care_array,
            result_type=result_type if alone else None,
            name=table.given_name,
        )
        rewriter.replace(table, shifted)
        if alone:
            rewriter.replace(op, (), [shifted.result])
            return
        rest = [value for value in op.inputs if value not in constants]
        rewriter.replace(op, SumOp(rest, result_type=result_type, name=op.given_name))

    def _rise(self, table: TableOp, amount: int, bits: int) -> tuple[float, int]:
        """LUTs that the constant costs, in a sum of so many bits; wide tables first."""
        entries = table.by_bit_pattern
        before = self.target.summand_cost(entries, bits)
        after = self.target.summand_cost(entries + amount, bits)
        return after - before, -range_of(table.result).size


@dataclass
class SumIntoTree(RewritePattern):
    """An n-ary sum becomes a tree of binary ones."""

    target: Fpga
    further: int

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: SumOp, rewriter: PatternRewriter) -> None:
        if len(op.inputs) <= 2:
            return
        tree = _Tree(op, self.target, self.further)
        rewriter.replace(op, [*tree.added, tree.whole])


class _Tree:
    """The adders of one sum: again and again the two summands that are best added next.

    `arrival` is a summand's level. Two summands may be added if all can still be added up within
    `depth` levels, that is while the sum of 2^arrival is at most 2^depth (Kraft's inequality). Of
    these pairs, one is taken that costs least: bits of an adder where both have something, and the
    bits that later adders will have to take because of it.
    """

    def __init__(self, op: SumOp, target: Fpga, further: int) -> None:
        self.added: list[SumOp] = []
        self._op = op
        constants = [value for value in op.inputs if isinstance(value.owner, ConstantOp)]
        self._values = [term for term in op.inputs if term not in constants]
        ranges = [range_of(value) for value in self._values]
        self._low = np.array([kind.low for kind in ranges])
        self._high = np.array([kind.high for kind in ranges])
        self._zeros = np.array([low_zeros(value, {}) for value in self._values])
        self._arrival = np.zeros(len(ranges), dtype=np.int64)
        self._absorbed = np.array([target.is_absorbed(value) for value in self._values])
        self._depth = (len(ranges) - 1).bit_length() + further
        # Constants last: an adder with a constant is the cheapest, and can wait.
        while len(self._values) + len(constants) > 2 and len(self._values) > 1:
            self._add(*self._best())
        self.whole = SumOp(
            [*self._values, *constants], result_type=range_of(op.result), name=op.given_name
        )

    def _best(self) -> tuple[int, int]:
        """Of the pairs that may be added, the one that costs least."""
        width = bits_of(self._low, self._high)
        own = np.where(self._absorbed, 0, width - self._zeros)
        low, high = self._low + self._low[:, np.newaxis], self._high + self._high[:, np.newaxis]
        zeros = np.minimum(self._zeros, self._zeros[:, np.newaxis])
        # Of numbers without a sign, nothing is added above the narrower one.
        top = np.where(self._low < 0, bits_of(low, high), width)
        top = np.minimum(top, top.T)
        added = np.maximum(top - np.maximum(self._zeros, self._zeros[:, np.newaxis]), 0)
        added[self._absorbed | self._absorbed[:, np.newaxis]] = 0
        cost = added + bits_of(low, high) - zeros - own - own[:, np.newaxis]
        level = np.maximum(self._arrival, self._arrival[:, np.newaxis])
        weight = np.exp2(self._arrival)
        left_over = weight.sum() - weight - weight[:, np.newaxis] + np.exp2(level + 1)
        possible = left_over <= 2.0**self._depth
        np.fill_diagonal(possible, False)
        assert possible.any(), "two summands of least arrival can always be added"
        # Early ones first, where it makes no difference.
        total = np.where(possible, cost + level / 64 + left_over / 2.0 ** (self._depth + 8), np.inf)
        left, right = np.unravel_index(int(total.argmin()), total.shape)
        return int(left), int(right)

    def _add(self, left: int, right: int) -> None:
        name = self._op.given_name
        if name is not None:
            name = f"{name}_part{len(self.added)}"
        adder = SumOp([self._values[left], self._values[right]], name=name)
        self.added.append(adder)
        pair = [left, right]
        kind = range_of(adder.result)
        zeros, arrival = self._zeros[pair].min(), self._arrival[pair].max() + 1
        self._values = [v for i, v in enumerate(self._values) if i not in pair] + [adder.result]
        self._low = np.append(np.delete(self._low, pair), kind.low)
        self._high = np.append(np.delete(self._high, pair), kind.high)
        self._zeros = np.append(np.delete(self._zeros, pair), zeros)
        self._arrival = np.append(np.delete(self._arrival, pair), arrival)
        self._absorbed = np.append(np.delete(self._absorbed, pair), False)


def bits_of(low: IntArray, high: IntArray) -> IntArray:
    """Bits of integers in these ranges: two's complement where they may be negative."""
    signed = low < 0
    largest = np.maximum(high, np.where(signed, ~low, 0))
    return np.frexp(largest)[1].astype(np.int64) + signed


@dataclass(frozen=True)
class BalanceSumsPass(KanPass):
    """Shapes n-ary sums into binary adders."""

    name = "kan-balance-sums"

    target: str = XCUP.name
    """The device whose adders they are."""
    further_levels: int = 1
    """How many levels more than needed a sum may have, where that saves LUTs."""

    def __post_init__(self) -> None:
        device(self.target)

    def run(self, ctx: Context, module: ModuleOp) -> bool:
        functions = list(wire_functions(module))
        target = device(self.target)
        for function in functions:
            for pattern in (ConstantIntoTable(target), SumIntoTree(target, self.further_levels)):
                PatternRewriteWalker(pattern, apply_recursively=False).rewrite_region(function.body)
            remove_dead(function)
        return bool(functions)
