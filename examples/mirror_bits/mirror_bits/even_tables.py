"""`mirror-even-tables`: tables that are the same from both ends read a folded code.

    %t = kan.table %x                 8 input bits, entries e[0] .. e[127], e[127] .. e[0]
    %f = mirror_bits.fold %x to 7
    %t = kan.table %f                 7 input bits, entries e[0] .. e[127]

All tables of a value share its fold. Outputs stay bit for bit the same.
"""

from dataclasses import dataclass

import numpy as np
from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from kan_dialect.analysis.wires import wire_functions
from kan_dialect.ir.types import range_of
from kan_dialect.ops.wire import TableOp
from kan_dialect.passbase.kan_pass import KanPass
from mirror_bits.fold import FoldOp


def _is_even(op: TableOp) -> bool:
    """Whether a table has one input, of all codes of at least three bits, and is even."""
    if len(op.inputs) != 1 or op.care is not None:
        return False
    kind, entries = range_of(op.inputs[0]), op.entries_array
    whole = kind.size == 1 << kind.bits
    return 3 <= kind.bits <= 17 and whole and bool((entries == entries[::-1]).all())


def _fold(function: func.FuncOp) -> None:
    folds: dict[SSAValue, FoldOp] = {}
    for op in list(function.body.block.ops):
        if not isinstance(op, TableOp) or not _is_even(op):
            continue
        value = op.inputs[0]
        kind = range_of(value)
        if value not in folds:
            folds[value] = FoldOp(value, kind.bits - 1)
            Rewriter.insert_op(folds[value], InsertPoint.before(op))
        # Codes 0, 1, ... are the upper half of a code with sign, and the lower half without.
        half = np.split(op.entries_array, 2)[int(kind.is_signed)]
        table = TableOp([folds[value]], half, result_type=range_of(op.result), name=op.given_name)
        Rewriter.replace_op(op, table)


@dataclass(frozen=True)
class MirrorEvenTablesPass(KanPass):
    """Lets even tables read a folded code."""

    name = "mirror-even-tables"
    works_at = ("wire",)

    def run(self, ctx: Context, module: ModuleOp) -> bool:
        functions = list(wire_functions(module))
        for function in functions:
            _fold(function)
        return bool(functions)
