"""`fold-by-node`: layers whose nodes take turns, where that takes fewer LUTs.

    %s:2 = kan.folded_by_input %x, %y as "layer0" interval 4 ...
    %s:2 = fold_by_node.layer %x, %y as "layer0" interval 4 ...

Outputs stay bit for bit the same. The latency may grow: a layer takes a turn for each node of a
lane, in place of one for each input.
"""

from collections import Counter
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.rewriter import Rewriter

from fold_by_node.layer import LayerOp
from kan_dialect.analysis.wires import wire_functions
from kan_dialect.devices.device import DeviceFamily
from kan_dialect.ir.constants import to_integers
from kan_dialect.ops.folded import FoldedByInputOp, FoldedOp
from kan_dialect.passbase.target_pass import TargetPass


def by_node(op: FoldedByInputOp) -> LayerOp:
    """The same layer, node by node."""
    return LayerOp(
        op.inputs,
        op.edge_tables(),
        op.first.value.data,
        to_integers(op.bias),
        op.interval.value.data,
        word=op.word_bits,
        name=op.given_name,
    )


def _luts(op: FoldedOp, device: DeviceFamily) -> int:
    return device.pack(Counter(op.luts_on(device)))


@dataclass(frozen=True)
class FoldByNodePass(TargetPass):
    """Folds layers node by node where that takes fewer LUTs."""

    name = "fold-by-node"
    works_at = ("wire",)

    def run(self, ctx: Context, module: ModuleOp) -> bool:
        functions = list(wire_functions(module))
        for function in functions:
            for op in list(function.body.block.ops):
                if type(op) is FoldedByInputOp:
                    other = by_node(op)
                    if _luts(other, self.device) < _luts(op, self.device):
                        Rewriter.replace_op(op, other)
                    else:
                        other.erase()
        return bool(functions)
