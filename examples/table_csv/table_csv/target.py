"""The target `table-csv`: every table entry of a network as a line of CSV.

    layer,node,input,code,entry
    layer0,0,0,-4,17

Layers, nodes and inputs are called as in the RTL: `layer0_edge3_5` is node 3, input 5. Edges that
are pruned have no lines. Node sums add the entries and the node's bias, which is a line without an
input and a code.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import IO

import numpy as np
from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.utils.target import Target

from kan_dialect.analysis.nodes import layer_names
from kan_dialect.errors import KanError
from kan_dialect.ir.constants import to_integers
from kan_dialect.ir.types import quantized_type
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.ops.table import TablesOp

HEADER = ("layer", "node", "input", "code", "entry")


@dataclass(frozen=True)
class TableCsvTarget(Target):
    """Prints the tables of functions at table level."""

    name = "table-csv"

    def emit(self, ctx: Context, module: ModuleOp, output: IO[str]) -> None:
        writer = csv.writer(output, lineterminator="\n")
        writer.writerow(HEADER)
        found = False
        for function in module.ops:
            if not isinstance(function, func.FuncOp) or function.is_declaration:
                continue
            layers = layer_names(function)
            for op in function.body.block.ops:
                if isinstance(op, NodeSumOp) and isinstance(op.edges.owner, TablesOp):
                    writer.writerows(_rows(layers[op.result], op, op.edges.owner))
                    found = True
        if not found:
            raise KanError(
                "there are no tables to print", remedy="run kan-quantize and kan-fold-tables first"
            )


def _rows(layer: str, nodes: NodeSumOp, lookup: TablesOp) -> list[tuple[object, ...]]:
    """The lines of a layer."""
    tables = to_integers(lookup.tables)  # (out, in, codes)
    low, _ = quantized_type(lookup.input).bounds
    mask, bias = nodes.mask_array, nodes.bias_array
    rows: list[tuple[object, ...]] = []
    for node in range(len(tables)):
        if bias[node]:
            rows.append((layer, node, "", "", int(bias[node])))
        for edge in np.flatnonzero(mask[node]).tolist():
            entries = enumerate(tables[node, edge].tolist(), low)
            rows += [(layer, node, edge, code, entry) for code, entry in entries]
    return rows
