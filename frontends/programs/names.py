"""Names the layers of a program: `layer0_edge3_5` (node 3, input 5), `layer0_sum3`, and marks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set

from xdsl.dialects.builtin import StringAttr
from xdsl.ir import Block, BlockArgument, OpResult, SSAValue

from kan_dialect.ops.wire import ConstantOp, SumOp, TableOp
from kan_dialect.passbase.node_marks import mark_nodes


def name_layers(
    block: Block,
    results: Sequence[SSAValue],
    edges: Set[SSAValue],
    sums: Set[SSAValue],
) -> None:
    """Name the tables and sums of nodes, and mark the nodes.

    Parameters
    ----------
    edges : the tables of edges. Other tables, of single bits, get no names.
    sums : the sums that a program has. Others are parts of numbers.
    """
    nodes = mark_nodes(block, results, edges, sums)
    taken: Counter[str] = Counter()
    for op in list(block.ops):
        if isinstance(op, TableOp) and op.result in edges:
            node = _read_by(op.result, nodes)
            if node is not None:
                layer, number = node
                name = f"layer{layer}_edge{number}_{_source(op.inputs[0], layer, nodes)}"
                taken[name] += 1
                again = f"_{taken[name]}" if taken[name] > 1 else ""
                op.value_name = StringAttr(name + again)
        elif isinstance(op, SumOp) and op.result in nodes:
            layer, number = nodes[op.result]
            op.value_name = StringAttr(f"layer{layer}_sum{number}")


def _read_by(edge: SSAValue, nodes: Mapping[SSAValue, tuple[int, int]]) -> tuple[int, int] | None:
    """The node that an edge is a summand of, or is."""
    sums = [result for use in edge.uses for result in use.operation.results]
    return next((nodes[each] for each in (edge, *sums) if each in nodes), None)


def _source(value: SSAValue, layer: int, nodes: Mapping[SSAValue, tuple[int, int]]) -> str:
    """The input or node that an edge reads: its number, and its layer where it skips one."""
    while value not in nodes and isinstance(value, OpResult):
        varying = [each for each in value.op.operands if not isinstance(each.owner, ConstantOp)]
        if not varying:
            return "constant"
        value = varying[0]
    if isinstance(value, BlockArgument):
        return f"x{value.index}" if layer else str(value.index)
    at, number = nodes[value]
    return str(number) if at == layer - 1 else f"layer{at}_node{number}"
