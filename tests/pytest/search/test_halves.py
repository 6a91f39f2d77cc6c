"""Tables as choices between smaller ones: the same table, of tables that are fast enough."""

from __future__ import annotations

import numpy as np
import pytest
from xdsl.dialects import func
from xdsl.ir import Block, Region
from xdsl.rewriter import Rewriter

from kan_dialect.evaluate.interpreter import evaluate_function
from kan_dialect.ir.types import IntType, range_of
from kan_dialect.ops.wire import TableOp
from kan_dialect.search.table_split.halves import TableHalves


def inputs_of(table: TableOp) -> int:
    return sum(range_of(each).bits for each in table.inputs)


@pytest.mark.parametrize("fast", [8, 6, 5, 3])
@pytest.mark.parametrize("ends", [(0, 255), (-128, 127), (-90, 45), (10, 200), (130, 140)])
@pytest.mark.parametrize("low", [0, -40, -77])
def test_is_the_same_table(ends: tuple[int, int], low: int, fast: int) -> None:
    kind = IntType(*ends)
    rng = np.random.default_rng(3)
    block = Block(arg_types=[kind])
    table = TableOp(block.args, rng.integers(low, low + 78, kind.size), name="t")
    entries, result = table.entries_array, table.result.type
    block.add_ops([table, func.ReturnOp(table)])
    function = func.FuncOp("f", ([kind], [result]), Region(block))
    halves = TableHalves(table, lambda op: isinstance(op, TableOp) and inputs_of(op) <= fast, 4)
    Rewriter.replace_op(table, halves.ops, [halves.result])
    function.verify()
    codes = np.arange(kind.low, kind.high + 1)
    np.testing.assert_array_equal(evaluate_function(function, [codes])[0], entries)
    tables = [op for op in block.ops if isinstance(op, TableOp)]
    assert max(map(inputs_of, tables)) == max(fast, 4)
    assert halves.result.type == result
