"""Wire-level functions, built op by op."""

from __future__ import annotations

import numpy as np
from xdsl.dialects import func
from xdsl.ir import Block, Operation, Region, SSAValue

from kan_dialect.ir.types import IntType, range_of
from kan_dialect.ops.wire import TableOp


class Circuit:
    """A wire-level function that grows op by op."""

    def __init__(self, *ranges: tuple[int, int]) -> None:
        self.block = Block(arg_types=[IntType(*each) for each in ranges])

    def add(self, op: Operation) -> SSAValue:
        self.block.add_op(op)
        return op.results[0]

    def table(self, x: SSAValue, rng: np.random.Generator) -> SSAValue:
        return self.add(TableOp([x], rng.integers(-9, 10, size=range_of(x).size)))

    def finish(self, result: SSAValue) -> func.FuncOp:
        self.block.add_op(func.ReturnOp(result))
        types = [argument.type for argument in self.block.args]
        return func.FuncOp("net", (types, [result.type]), Region(self.block))
