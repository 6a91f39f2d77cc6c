"""`kan-balance-sums`: sums of many values become trees of two-input adders.

Values whose bits do not meet need no adder: they are one value, side by side. Values that are there
first meet first, narrow ones before wide ones, in few levels. Where the
target's adders have room in their LUTs for tables of few inputs, such a table is added to something
else, one to each adder. A single bit comes in at the carry of an adder that has none, for nothing.
A constant costs no adder where one of the summands is a table that nobody
else reads: the table takes it in, the one whose bits get dearer by least.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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

from kan_dialect.analysis.wires import layers_of, remove_dead, wire_functions
from kan_dialect.devices.carry_chains import is_single_bit, is_wires
from kan_dialect.devices.device import Fpga
from kan_dialect.devices.lut_count import absorbed_bits, absorbed_bits_of
from kan_dialect.errors import KanError
from kan_dialect.ir.constants import FloatArray
from kan_dialect.ir.types import range_of
from kan_dialect.ops.wire import ConstantOp, SumOp, TableOp, complement_of, low_zeros
from kan_dialect.passbase.option_bounds import Bounds, bounded
from kan_dialect.passbase.sums import rebuild_sum
from kan_dialect.passbase.target_pass import TargetPass
from kan_dialect.search.adder_trees import Extent, Pairing, Summands, joins


@dataclass
class ConstantIntoTable(RewritePattern):
    """A sum's constant moves into a table that only the sum reads, the one that it costs least."""

    target: Fpga

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: SumOp, rewriter: PatternRewriter) -> None:
        constants = [v for v in op.inputs if isinstance(v.owner, ConstantOp)]
        once = [v for v in op.inputs if v.has_one_use() and complement_of(v) is None]
        tables = [v.owner for v in once if isinstance(v.owner, TableOp)]
        if not constants or not tables:
            return
        amount = sum(range_of(value).low for value in constants)
        bits = range_of(op.result).bits
        rises = self._rises(tables, amount, bits).tolist()
        # Of equal ones, the widest.
        sizes = [-range_of(table.result).size for table in tables]
        _, _, table = min(zip(rises, sizes, tables, strict=True), key=lambda each: each[:2])
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

    def _rises(self, tables: Sequence[TableOp], amount: int, bits: int) -> FloatArray:
        """LUTs that the constant costs in each table, in a sum of so many bits."""
        entries = [table.by_bit_pattern for table in tables]
        before = self.target.summand_costs_of(entries, bits)
        after = self.target.summand_costs_of([each + amount for each in entries], bits)
        # What came in at the carry of an adder needs one of its own now.
        single = np.array([is_single_bit(table.result, {}) for table in tables])
        adders = self.target.adders
        own = adders.further_luts + adders.carry_in_luts
        return after - before + np.where(single, own, 0.0)


@dataclass
class SumIntoTree(RewritePattern):
    """An n-ary sum becomes a tree of binary ones."""

    target: Fpga
    further: Mapping[Operation, int]
    """Levels that the tree of each sum may have beyond the fewest."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: SumOp, rewriter: PatternRewriter) -> None:
        if len(op.inputs) <= 2:
            return
        tree = _Tree(op, self.target, self.further[op])
        rewriter.replace(op, [*tree.added, tree.whole])


class _Tree:
    """The adders of one sum: again and again the two summands that are best added next.

    Each adder takes in one of the single bits, as long as there are any.
    """

    def __init__(self, op: SumOp, target: Fpga, further: int) -> None:
        self.added: list[SumOp] = []
        self._name = op.given_name
        self._target = target
        self._zeros = dict[SSAValue, int]()
        self._levels = dict[SSAValue, int]()
        values = list(dict.fromkeys(op.inputs))
        self._absorbed = dict(zip(values, absorbed_bits_of(values, target), strict=True))
        constants = [value for value in op.inputs if isinstance(value.owner, ConstantOp)]
        terms = [term for term in op.inputs if term not in constants]
        fewest = 2 - len(constants)
        terms = self._joined(terms, fewest, bits=False)
        terms, self._carries = _apart(terms, self._absorbed, self._zeros)
        # Bits that no adder takes in at its carry may stand beside something, as long as adders are
        # left for those that come in at carries.
        terms = self._joined(terms, max(fewest, len(self._carries) + 1), bits=True)
        self._count = len(terms)
        self._left = dict(enumerate(terms))
        self._pairing = Pairing(self._summands(terms), further)
        # Constants last: an adder with a constant is the cheapest, and can wait.
        last = self._add_up(constants)
        if len(self._carries) == 1 and len(last) == 2:
            last += self._carry(max(low_zeros(value, self._zeros) for value in last))
        if self._carries:
            # No adder has room for these at its carry: they are summands like others.
            self._append(self._carries)
            self._carries = []
            last = self._add_up(constants)
        self.whole = SumOp(last, result_type=range_of(op.result), name=op.given_name)

    def _joined(self, terms: Sequence[SSAValue], fewest: int, *, bits: bool) -> list[SSAValue]:
        """The terms, with those side by side whose bits do not meet: one term each.

        At least so many are left. Single bits only with `bits`.
        """
        left = dict(enumerate(terms))
        numbers = [
            number
            for number, term in left.items()
            if not self._levels_of(term) and (bits or not is_single_bit(term, self._zeros))
        ]
        for upper, lower in joins([self._extent(left[number]) for number in numbers]):
            if len(left) <= fewest:
                break
            both = SumOp([left.pop(numbers[upper]), left.pop(numbers[lower])], name=self._part())
            self.added.append(both)
            numbers.append(len(terms) + len(numbers))
            left[numbers[-1]] = both.result
        return list(left.values())

    def _extent(self, value: SSAValue) -> Extent:
        kind, zeros = range_of(value), low_zeros(value, self._zeros)
        small = self._absorbed_bits(value) >= kind.bits - zeros
        return Extent(zeros, kind.bits, kind.is_signed, small)

    def _levels_of(self, value: SSAValue) -> int:
        return _levels(value, self._levels)

    def _part(self) -> str | None:
        """A name for the next of the sums that the sum is made of."""
        return None if self._name is None else f"{self._name}_part{len(self.added)}"

    def _summands(self, values: Sequence[SSAValue]) -> Summands:
        return Summands.of(
            [(kind.low, kind.high) for kind in map(range_of, values)],
            [low_zeros(value, self._zeros) for value in values],
            [self._levels_of(value) for value in values],
            [self._absorbed_bits(value) for value in values],
        )

    def _absorbed_bits(self, value: SSAValue) -> int:
        if value not in self._absorbed:
            self._absorbed[value] = absorbed_bits(value, self._target)
        return self._absorbed[value]

    def _append(self, values: Sequence[SSAValue]) -> None:
        for value in values:
            self._left[self._count] = value
            self._count += 1
        self._pairing.extend(self._summands(values))

    def _add_up(self, constants: Sequence[SSAValue]) -> list[SSAValue]:
        """Add until one adder is left: what it adds."""
        while len(self._left) + len(constants) > 2 and len(self._left) > 1:
            left, right = self._pairing.best()
            carry = self._carry(self._pairing.most_zeros(left, right))
            pair = [self._left.pop(left), self._left.pop(right)]
            adder = SumOp([*pair, *carry], name=self._part())
            self.added.append(adder)
            self._left[self._count] = adder.result
            self._count += 1
            zeros = low_zeros(adder.result, self._zeros)
            self._pairing.add(left, right, range_of(adder.result), zeros)
        return [*self._left.values(), *constants]

    def _carry(self, zeros: int) -> list[SSAValue]:
        """A bit for the carry of an adder of numbers of which one ends in so many zeros."""
        for bit in self._carries:
            if low_zeros(bit, self._zeros) <= zeros:
                self._carries.remove(bit)
                return [bit]
        return []


def _levels(value: SSAValue, known: dict[SSAValue, int]) -> int:
    """Levels of adders that end at a value; `known` is what has been found, and grows."""
    inverted = complement_of(value)
    if inverted is not None:
        value = inverted.value
    op = value.owner
    if not isinstance(op, SumOp):
        return 0
    if value not in known:
        own = 0 if is_wires(op) else 1
        known[value] = own + max(_levels(each, known) for each in op.inputs)
    return known[value]


def _apart(
    terms: Sequence[SSAValue], absorbed: Mapping[SSAValue, int], zeros: dict[SSAValue, int]
) -> tuple[list[SSAValue], list[SSAValue]]:
    """What is added up, and single bits among the terms that adders take in at their carries.

    Where there are more bits than adders, some are terms like others: those that adders absorb. The
    rest come by falling place, so that each adder gets the highest one that it has room for.
    """
    place = {term: low_zeros(term, zeros) for term in terms}
    bits = [term for term in terms if is_single_bit(term, zeros)]
    numbers = [term for term in terms if not is_single_bit(term, zeros)]
    most = max((place[number] for number in numbers), default=0)
    bits = [bit for bit in bits if place[bit] <= most]
    as_terms = max(0, -((len(terms) - 2 * len(bits) - 1) // 2))
    bits.sort(key=lambda bit: (absorbed[bit] == 0, place[bit]))
    ends = [place[term] for term in [*numbers, *bits[:as_terms]]]
    carries: list[SSAValue] = []
    for bit in sorted(reversed(bits[as_terms:]), key=lambda bit: -place[bit]):
        # Above the lowest place, each needs a number of its own that ends in as many zeros.
        if place[bit] == 0 or len(carries) < sum(end >= place[bit] for end in ends):
            carries.append(bit)
        else:
            ends.append(place[bit])
    added = list(terms)
    for bit in carries:
        added.remove(bit)  # once: a value may be a term twice
    return added, carries


FURTHER_LEVELS = Bounds(0, 64)
"""Levels of logic that a sum may have beyond the fewest."""


@dataclass(frozen=True)
class BalanceSumsPass(TargetPass):
    """Shapes n-ary sums into binary adders."""

    name = "kan-balance-sums"

    further_levels: tuple[int, ...] | int = bounded(0, FURTHER_LEVELS)
    """How many levels more than needed a sum may have, where that saves LUTs.

    One number, or one for each layer; the last one for all layers after it.
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
        target = self.device
        of_layers = self._of_layers
        for function in functions:
            _rewrite(function, ConstantIntoTable(target))
            further = {
                op: of_layers[min(layer, len(of_layers) - 1)]
                for op, layer in layers_of(function).items()
            }
            _rewrite(function, SumIntoTree(target, further))
            remove_dead(function)
        return bool(functions)


def _rewrite(function: func.FuncOp, pattern: RewritePattern) -> None:
    PatternRewriteWalker(pattern, apply_recursively=False).rewrite_region(function.body)
