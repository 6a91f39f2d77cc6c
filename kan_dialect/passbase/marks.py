"""Marks of nodes that passes move from one value to another."""

from __future__ import annotations

from xdsl.ir import SSAValue

from kan_dialect.ir.types import IntType, range_of
from kan_dialect.ops.wire import MarkOp


def moved_mark(mark: MarkOp, value: SSAValue, added: int = 0) -> MarkOp:
    """The mark of the same node on a value that, plus `added`, is the marked one once saturated.

    The clamp of a node is folded into the tables that read it, and %s lacks the sum's constant -3:

        %c = kan.clamp %t : !kan.int<-3:15> -> !kan.int<8:15>
        kan.mark %c as "n" offset 2 cycle 0 : !kan.int<8:15>

    The mark on %s, with `added` -3, says where the node's code is saturated:

        kan.mark %s as "n" offset -1 cycle 0 within <10:17> : !kan.int<0:18>
    """
    offset, within = mark.offset.value.data, mark.within
    old, new = range_of(mark.value), range_of(value)
    if not old.contains(new.low + added, new.high + added):
        low, high = old.low + offset, old.high + offset
        if within is not None:
            low, high = (min(max(end, within.low), within.high) for end in (low, high))
        within = IntType(low, high)
    return MarkOp(
        value,
        mark.node.data,
        offset=offset + added,
        cycle=mark.cycle.value.data,
        within=within,
    )
