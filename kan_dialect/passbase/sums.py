"""Sums that passes rebuild: other summands, the same value, type and name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from xdsl.ir import Operation, SSAValue

from kan_dialect.ir.types import range_of
from kan_dialect.ops.wire import ConstantOp, SumOp


def rebuild_sum(
    op: SumOp, summands: Sequence[SSAValue], constant: int = 0
) -> tuple[list[Operation], list[SSAValue]]:
    """The ops and the value that replace a sum, as `Rewriter.replace_op` takes them.

    The replacement keeps the sum's name, and its type, since readers rely on it. Constants among
    the summands and `constant` become one constant, the last summand. For example, `op` is

        %s = kan.sum %t, %u, %c as "s" : !kan.int<1:8>, !kan.int<0:3>, !kan.int<2:2> -> !kan.int<3:13>

    A pass makes %v = %t - 1, and asks for the summands %v, %u, %c and the constant 1:

        %k = kan.constant 3 : !kan.int<3:3>
        %s = kan.sum %v, %u, %k as "s" : !kan.int<0:7>, !kan.int<0:3>, !kan.int<3:3> -> !kan.int<3:13>

    A single summand that has the sum's type replaces the sum itself.
    """  # noqa: E501 (IR)
    values, amount = variables_and_constant(summands)
    amount += constant
    added: list[Operation] = []
    if amount or not values:
        added.append(ConstantOp(amount))
        values.append(added[0].results[0])
    if len(values) == 1 and values[0].type == op.result.type:
        return added, values
    added.append(SumOp(values, result_type=range_of(op.result), name=op.given_name))
    return added, [added[-1].results[0]]


def variables_and_constant(summands: Iterable[SSAValue]) -> tuple[list[SSAValue], int]:
    """The summands that are not constants, in order, and the sum of the constants."""
    values: list[SSAValue] = []
    constant = 0
    for value in summands:
        op = value.owner
        if type(op) is ConstantOp:
            constant += op.value.value.data
        else:
            values.append(value)
    return values, constant
