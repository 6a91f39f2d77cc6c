"""`rebuild_sum`: the op that replaces a sum keeps its type, its name and, with care, its value."""

from __future__ import annotations

import pytest
from xdsl.ir import Block

from kan_dialect.ir.derived_names import derived_name
from kan_dialect.ir.types import IntType
from kan_dialect.ops.wire import ConstantOp, SumOp
from kan_dialect.passbase.sums import rebuild_sum

BLOCK = Block(arg_types=[IntType(0, 3), IntType(0, 7)])
X, Y = BLOCK.args


def test_constants_become_one_which_stands_last() -> None:
    two = ConstantOp(2)
    op = SumOp([X, two, Y], result_type=IntType(-50, 50), name="s")
    (constant, whole), (value,) = rebuild_sum(op, [two.result, X, Y], 3)
    assert isinstance(constant, ConstantOp) and constant.value.value.data == 5
    assert isinstance(whole, SumOp) and value is whole.result
    assert list(whole.inputs) == [X, Y, constant.result]
    assert whole.given_name == "s" and value.type == IntType(-50, 50)


def test_constants_that_cancel_disappear() -> None:
    two = ConstantOp(2)
    op = SumOp([X, Y, two])
    (whole,), _ = rebuild_sum(op, [X, Y, two.result], -2)
    assert list(whole.operands) == [X, Y]


@pytest.mark.parametrize("kind", [IntType(0, 3), IntType(0, 4)])
def test_one_summand_of_the_same_type_replaces_the_sum(kind: IntType) -> None:
    op = SumOp([X], result_type=kind, name="s")
    added, (value,) = rebuild_sum(op, [X])
    if kind == X.type:
        assert not added and value is X
    else:
        assert value is added[0].results[0] and value.type == kind


def test_a_sum_of_nothing_is_a_constant() -> None:
    one = ConstantOp(1)
    op = SumOp([one])
    added, (value,) = rebuild_sum(op, [], 1)
    assert [type(each) for each in added] == [ConstantOp] and value is added[0].results[0]


def test_names_that_would_be_too_long_stay() -> None:
    assert derived_name("layer0_sum3", "common") == "layer0_sum3_common"
    assert derived_name(None, "common") is None
    assert derived_name("n" * 200, "common") == "n" * 200
