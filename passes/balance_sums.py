"""`kan-balance-sums`: sums of many values become trees of two-input adders.

Values that are there first meet first, narrow ones before wide ones, in few levels. Where the
target's adders have room in their LUTs for tables of few inputs, such a table is added to something
else, one to each adder. A constant costs no adder where one of the summands is a table that nobody
else reads: the table takes it in, the one whose bits get dearer by least.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue
from xdsl.pattern_rewriter import (
    PatternRewriter,
    PatternRewriteWalker,
    RewritePattern,
    op_type_rewrite_pattern,
)

from kan_dialect.attributes import range_of
from kan_dialect.fpga import Fpga
from kan_dialect.pairing import Pairing, Summands
from kan_dialect.target_pass import TargetPass
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
    """The adders of one sum: again and again the two summands that are best added next."""

    def __init__(self, op: SumOp, target: Fpga, further: int) -> None:
        self.added: list[SumOp] = []
        constants = [value for value in op.inputs if isinstance(value.owner, ConstantOp)]
        terms = [term for term in op.inputs if term not in constants]
        values = dict(enumerate(terms))
        known: dict[SSAValue, int] = {}
        summands = Summands.of(
            [(kind.low, kind.high) for kind in map(range_of, terms)],
            [low_zeros(value, known) for value in terms],
            [0] * len(terms),
            [target.is_absorbed(value) for value in terms],
        )
        pairing = Pairing((len(terms) - 1).bit_length() + further, summands)
        # Constants last: an adder with a constant is the cheapest, and can wait.
        while len(values) + len(constants) > 2 and len(values) > 1:
            left, right = pairing.best()
            pair = [values.pop(left), values.pop(right)]
            name = op.given_name
            if name is not None:
                name = f"{name}_part{len(self.added)}"
            adder = SumOp(pair, name=name)
            values[len(terms) + len(self.added)] = adder.result
            self.added.append(adder)
            pairing.add(left, right, range_of(adder.result))
        self.whole = SumOp(
            [*values.values(), *constants], result_type=range_of(op.result), name=op.given_name
        )


@dataclass(frozen=True)
class BalanceSumsPass(TargetPass):
    """Shapes n-ary sums into binary adders."""

    name = "kan-balance-sums"

    further_levels: int = 1
    """How many levels more than needed a sum may have, where that saves LUTs."""

    def run(self, ctx: Context, module: ModuleOp) -> bool:
        functions = list(wire_functions(module))
        target = self.device
        for function in functions:
            for pattern in (ConstantIntoTable(target), SumIntoTree(target, self.further_levels)):
                PatternRewriteWalker(pattern, apply_recursively=False).rewrite_region(function.body)
            remove_dead(function)
        return bool(functions)
