"""Wire level: decisions on values, which a head makes of the outputs of a network.

A *candidate* is a value and its index. The first of two candidates is the one of the larger
value, or of the smaller index where the values are equal: a total order, so trees and networks of
these ops decide as `numpy.argmax` and a stable sort do.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from xdsl.dialects.builtin import I64, IntegerAttr, StringAttr, i64
from xdsl.ir import Operation, SSAValue
from xdsl.irdl import (
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
    result_def,
    traits_def,
)
from xdsl.traits import Pure

from kan_dialect.ir import verifier
from kan_dialect.ir.constants import Array
from kan_dialect.ir.operation import direct_access, optional_name
from kan_dialect.ir.ranged import Ranged
from kan_dialect.ir.semantics import Evaluable
from kan_dialect.ir.types import IntType, int_type, range_of
from kan_dialect.ir.verifier import require
from kan_dialect.ir.wire_operation import WireOp


def _require_ranges(op: WireOp, needed: Sequence[IntType]) -> None:
    """Refuse results whose types do not hold the ranges that the operands give."""
    for result, kind in zip(op.results, needed, strict=True):
        declared = range_of(result)
        require(
            declared.contains(kind.low, kind.high),
            f"result {result.index} can be {kind.low}:{kind.high}, which "
            f"!kan.int<{declared.low}:{declared.high}> does not hold",
        )


def is_first(left: Array, left_index: Array, right: Array, right_index: Array) -> Array:
    """Whether the left candidate comes before the right one, bool: (samples)."""
    return (left > right) | ((left == right) & (left_index < right_index))


def _surely_first(one: Sequence[IntType], other: Sequence[IntType]) -> bool:
    """Whether a candidate of these ranges, value and index, always comes before the other."""
    (value, index), (against, against_index) = one, other
    return value.low > against.high or (
        value.low == against.high and index.high < against_index.low
    )


def _index_range(first: bool, second: bool, left: IntType, right: IntType) -> IntType:
    """The range of the left index where it is surely chosen, of the right one, or of both."""
    if first or second:
        return left if first else right
    return int_type(min(left.low, right.low), max(left.high, right.high))


def _range_of_first(kinds: Sequence[IntType]) -> list[IntType]:
    """Ranges of value and index of the first of two candidates."""
    left, right = kinds[:2], kinds[2:]
    value = int_type(max(left[0].low, right[0].low), max(left[0].high, right[0].high))
    sure = _surely_first(left, right), _surely_first(right, left)
    return [value, _index_range(*sure, left[1], right[1])]


def _range_of_second(kinds: Sequence[IntType]) -> list[IntType]:
    """Ranges of value and index of the second of two candidates."""
    left, right = kinds[:2], kinds[2:]
    value = int_type(min(left[0].low, right[0].low), min(left[0].high, right[0].high))
    sure = _surely_first(right, left), _surely_first(left, right)
    return [value, _index_range(*sure, left[1], right[1])]


class ComparesCandidates(WireOp, Evaluable, Ranged):
    """An op on two candidates: its operands are value and index of the left, then of the right."""

    left = operand_def(IntType)
    left_index = operand_def(IntType)
    right = operand_def(IntType)
    right_index = operand_def(IntType)
    value_name = opt_prop_def(StringAttr, prop_name="name")

    def __init__(self, *candidates: SSAValue | Operation, name: str | None = None) -> None:
        """
        Parameters
        ----------
        candidates : value and index of the left one, value and index of the right one.
        """
        values = [SSAValue.get(each) for each in candidates]
        ranges = self.result_ranges([range_of(value) for value in values])
        self.set_up(values, ranges, {"name": optional_name(name)})

    def check(self) -> None:
        _require_ranges(self, self.result_ranges([range_of(value) for value in self.operands]))
        verifier.value_name(self.given_name)


@direct_access
@irdl_op_definition
class LargerOp(ComparesCandidates):
    """The first of two candidates: the larger value with its index; of equal ones, the smaller
    index.

    Example:

        %v, %k = kan.larger %a at %i or %b at %j as "head0" : !kan.int<0:9> at !kan.int<0:1>
          or !kan.int<-4:3> at !kan.int<2:3> -> !kan.int<0:9> at !kan.int<0:3>
    """

    name = "kan.larger"

    value = result_def(IntType)
    index = result_def(IntType)

    traits = traits_def(Pure())
    assembly_format = (
        "$left `at` $left_index `or` $right `at` $right_index (`as` $name^)? attr-dict "
        "`:` type($left) `at` type($left_index) `or` type($right) `at` type($right_index) "
        "`->` type($value) `at` type($index)"
    )

    def result_ranges(self, operands: Sequence[IntType]) -> Sequence[IntType]:
        return _range_of_first(operands)

    def evaluate(self, operands: Sequence[Array]) -> Sequence[Array]:
        left, left_index, right, right_index = operands
        first = is_first(left, left_index, right, right_index)
        return np.where(first, left, right), np.where(first, left_index, right_index)


@direct_access
@irdl_op_definition
class ExchangeOp(ComparesCandidates):
    """Two candidates in order: the first as `kan.larger` gives it, then the other one.

    Example:

        %p, %q, %r, %s = kan.exchange %a at %i or %b at %j : !kan.int<0:9> at !kan.int<0:1>
          or !kan.int<-4:3> at !kan.int<2:3> -> !kan.int<0:9> at !kan.int<0:3>,
          !kan.int<-4:3> at !kan.int<0:3>
    """

    name = "kan.exchange"

    first = result_def(IntType)
    first_index = result_def(IntType)
    second = result_def(IntType)
    second_index = result_def(IntType)

    traits = traits_def(Pure())
    assembly_format = (
        "$left `at` $left_index `or` $right `at` $right_index (`as` $name^)? attr-dict "
        "`:` type($left) `at` type($left_index) `or` type($right) `at` type($right_index) "
        "`->` type($first) `at` type($first_index) `,` type($second) `at` type($second_index)"
    )

    def result_ranges(self, operands: Sequence[IntType]) -> Sequence[IntType]:
        return [*_range_of_first(operands), *_range_of_second(operands)]

    def evaluate(self, operands: Sequence[Array]) -> Sequence[Array]:
        left, left_index, right, right_index = operands
        first = is_first(left, left_index, right, right_index)
        return (
            np.where(first, left, right),
            np.where(first, left_index, right_index),
            np.where(first, right, left),
            np.where(first, right_index, left_index),
        )


@direct_access
@irdl_op_definition
class GreaterOp(WireOp, Evaluable, Ranged):
    """Whether a value is greater than a constant: 1 if input > bound, else 0.

    Example:

        %g = kan.greater %b than -2 as "above" : !kan.int<-4:3> -> !kan.int<0:1>
    """

    name = "kan.greater"

    input = operand_def(IntType)
    bound = prop_def(IntegerAttr[I64])
    value_name = opt_prop_def(StringAttr, prop_name="name")
    result = result_def(IntType)

    traits = traits_def(Pure())
    assembly_format = (
        "$input `than` $bound (`as` $name^)? attr-dict `:` type($input) `->` type($result)"
    )

    def __init__(self, input: SSAValue | Operation, bound: int, *, name: str | None = None) -> None:
        value = SSAValue.get(input)
        properties = {"bound": IntegerAttr(bound, i64), "name": optional_name(name)}
        low, high = (int(end > bound) for end in (range_of(value).low, range_of(value).high))
        self.set_up([value], [int_type(low, high)], properties)

    def result_ranges(self, operands: Sequence[IntType]) -> Sequence[IntType]:
        bound = self.bound.value.data
        return [int_type(int(operands[0].low > bound), int(operands[0].high > bound))]

    def check(self) -> None:
        _require_ranges(self, self.result_ranges([range_of(self.input)]))
        verifier.value_name(self.given_name)

    def evaluate(self, operands: Sequence[Array]) -> Sequence[Array]:
        return ((operands[0] > self.bound.value.data).astype(np.int64),)


DECISION_OPS: list[type[Operation]] = [LargerOp, ExchangeOp, GreaterOp]
