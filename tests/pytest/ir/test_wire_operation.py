"""Verification of wire-level ops after others of their kind were found to fit their declaration."""

from __future__ import annotations

import pytest
from xdsl.dialects import func
from xdsl.dialects.builtin import IntegerAttr, StringAttr, i8, i32
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.parser import Parser
from xdsl.rewriter import Rewriter
from xdsl.utils.exceptions import VerifyException

from kan_dialect.analysis.wires import wire_functions
from kan_dialect.frontends.loading import make_context
from kan_dialect.ir.constants import dense
from kan_dialect.ir.types import IntType
from kan_dialect.ops.clamp import ClampOp
from kan_dialect.ops.wire import DelayOp, SumOp, TableOp
from kan_dialect.passbase.dead_ops import remove_dead

TEXT = """
func.func @net(%x: !kan.int<0:3>) -> !kan.int<0:4> {
  %t = kan.table %x as "t" entries dense<[0, 1, 1, 2]> : tensor<4xi8>
    : !kan.int<0:3> -> !kan.int<0:2>
  %d = kan.delay %t by 1 as "d" : !kan.int<0:2>
  %s = kan.sum %d, %d as "s" : !kan.int<0:2>, !kan.int<0:2> -> !kan.int<0:4>
  func.return %s : !kan.int<0:4>
}
"""


def network() -> func.FuncOp:
    """A function whose ops all verified before."""
    module = Parser(make_context(), TEXT).parse_module()
    module.verify()
    (function,) = wire_functions(module)
    return function


def op_of(function: func.FuncOp, kind: type[Operation]) -> Operation:
    return next(op for op in function.body.block.ops if isinstance(op, kind))


def retype(value: SSAValue, kind: IntType) -> None:
    Rewriter.replace_value_with_new_type(value, kind)


@pytest.mark.parametrize(
    ("kind", "name", "value", "message"),
    [
        (TableOp, "entries", dense([0, 1, 1, 3]), "the table can be 0:3"),
        (TableOp, "entries", dense([0, 1, 1]), "must have shape 4"),
        (TableOp, "name", StringAttr("no name"), "is not an identifier"),
        (TableOp, "unknown", StringAttr("t"), "is not defined by the operation"),
        (TableOp, "care", StringAttr("t"), "care"),
        (DelayOp, "cycles", IntegerAttr(-1, 64), "cycles must lie in"),
        (DelayOp, "cycles", IntegerAttr(1, i32), "i64"),
        (DelayOp, "cycles", IntegerAttr(1, i8), "i64"),
    ],
)
def test_a_changed_property_is_seen(
    kind: type[Operation], name: str, value: Attribute, message: str
) -> None:
    function = network()
    op = op_of(function, kind)
    op.properties[name] = value
    with pytest.raises(VerifyException, match=message):
        function.verify()


def test_a_missing_property_is_seen() -> None:
    function = network()
    del op_of(function, DelayOp).properties["cycles"]
    with pytest.raises(VerifyException, match="cycles"):
        function.verify()


def test_a_register_between_types_is_seen() -> None:
    function = network()
    retype(op_of(function, DelayOp).results[0], IntType(0, 1))
    with pytest.raises(VerifyException, match="expected from variable"):
        function.verify()


def test_a_changed_range_is_seen() -> None:
    function = network()
    retype(op_of(function, SumOp).results[0], IntType(0, 3))
    with pytest.raises(VerifyException, match="the sum can be 0:4"):
        function.verify()


def test_an_op_at_the_end_of_a_block_is_seen() -> None:
    function = network()
    terminator = function.get_return_op()
    assert terminator is not None
    terminator.detach()
    with pytest.raises(VerifyException, match="terminator"):
        function.verify()


def test_dead_chains_go_and_marks_stay() -> None:
    function = network()
    total = op_of(function, SumOp)
    clamp = ClampOp(total, 0, 2)
    function.body.block.insert_ops_after([clamp, SumOp([clamp, clamp])], total)
    before = [op.name for op in function.body.block.ops]
    remove_dead(function)
    after = [op.name for op in function.body.block.ops]
    assert before.count("kan.clamp") == 1 and before.count("kan.sum") == 2
    assert after == ["kan.table", "kan.delay", "kan.sum", "func.return"]
