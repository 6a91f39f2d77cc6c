"""Which values of wires are nodes of a layer, and their marks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence, Set

from xdsl.ir import Block, SSAValue

from kan_dialect.ops.wire import MarkOp


def mark_nodes(
    block: Block,
    results: Sequence[SSAValue],
    edges: Set[SSAValue],
    sums: Set[SSAValue],
) -> dict[SSAValue, tuple[int, int]]:
    """Mark the nodes of wires, behind the other ops: the layer and the number of each.

    A node is a sum, or a table alone, that something else than a sum reads. Its layer is the
    largest number of nodes on a path to it.

    Parameters
    ----------
    block : without its return.
    edges : the tables of edges.
    sums : the sums of nodes. Others are parts of numbers.
    """
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
    for value, (layer, number) in nodes.items():
        block.add_op(MarkOp(value, f"layer{layer}_node{number}"))
    return nodes
