"""`kan-balance-sums`: sums of many values become trees of two-input adders.

Narrow values meet first, in as few levels as there can be. A constant costs no adder where one of
the summands is a table that nobody else reads: the table takes it in.
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
from xdsl.transforms.dead_code_elimination import dce

from kan_dialect.attributes import range_of
from kan_dialect.kan_pass import KanPass
from kan_dialect.wire_ops import ConstantOp, SumOp, TableOp
from kan_dialect.wires import wire_functions


class ConstantIntoTable(RewritePattern):
    """A sum's constant moves into a table that only the sum reads, the one that gives most bits."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: SumOp, rewriter: PatternRewriter) -> None:
        constants = [v for v in op.inputs if isinstance(v.owner, ConstantOp)]
        tables = [v for v in op.inputs if isinstance(v.owner, TableOp) and v.has_one_use()]
        if not constants or not tables:
            return
        amount = sum(range_of(value).low for value in constants)
        chosen = max(tables, key=lambda value: range_of(value).size)
        table = chosen.owner
        assert isinstance(table, TableOp)
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


class SumIntoTree(RewritePattern):
    """An n-ary sum becomes a tree of binary ones of the least depth."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: SumOp, rewriter: PatternRewriter) -> None:
        if len(op.inputs) <= 2:
            return
        terms: list[SSAValue] = list(op.inputs)
        added: list[SumOp] = []
        while len(terms) > 2:
            # Constants last: an adder with a constant is the cheapest, and can wait.
            terms.sort(key=lambda v: (isinstance(v.owner, ConstantOp), range_of(v).bits))
            paired: list[SSAValue] = []
            for left, right in zip(terms[0::2], terms[1::2], strict=False):
                name = None if op.given_name is None else f"{op.given_name}_part{len(added)}"
                added.append(SumOp([left, right], name=name))
                paired.append(added[-1].result)
            terms = paired + terms[len(terms) - len(terms) % 2 :]
        whole = SumOp(terms, result_type=range_of(op.result), name=op.given_name)
        rewriter.replace(op, [*added, whole])


@dataclass(frozen=True)
class BalanceSumsPass(KanPass):
    """Shapes n-ary sums into binary adders."""

    name = "kan-balance-sums"

    def run(self, ctx: Context, module: ModuleOp) -> bool:
        functions = list(wire_functions(module))
        for function in functions:
            for pattern in (ConstantIntoTable(), SumIntoTree()):
                PatternRewriteWalker(pattern, apply_recursively=False).rewrite_region(function.body)
        if functions:
            dce(module)
        return bool(functions)
