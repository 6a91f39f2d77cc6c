"""Names the layers of a program's IR: `layer0_edge3_5` (node 3, input 5), `layer0_sum3`, and marks.

A node is a sum, or a table alone, that something else than a sum reads. Its layer is the largest
number of nodes on a path to it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set

from xdsl.dialects.builtin import StringAttr
from xdsl.ir import Block, BlockArgument, OpResult, SSAValue

from kan_dialect.ops.wire import ConstantOp, MarkOp, SumOp, TableOp


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
    nodes = _nodes(block, results, edges, sums)
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
    for value, (layer, number) in nodes.items():
        block.add_op(MarkOp(value, f"layer{layer}_node{number}"))


def _nodes(
    block: Block,
    results: Sequence[SSAValue],
    edges: Set[SSAValue],
    sums: Set[SSAValue],
) -> dict[SSAValue, tuple[int, int]]:
    """The layer and the number of each node."""
    layers: dict[SSAValue, int] = dict.fromkeys(block.args, 0)
    nodes: dict[SSAValue, tuple[int, int]] = {}
    counts: Counter[int] = Counter()
    for op in block.ops:
        layer = max((layers[each] + (each in nodes) for each in op.operands), default=0)
        for result in op.results:
            layers[result] = layer
            users = [use.operation for use in result.uses]
            is_read = result in results or any(sums.isdisjoint(user.results) for user in users)
            if is_read and (result in edges or result in sums):
                nodes[result] = layer, counts[layer]
                counts[layer] += 1
    return nodes


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
