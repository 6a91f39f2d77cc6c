"""Verification of whole modules finds what xDSL's verification of each op finds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from xdsl.dialects import comb, func, hw
from xdsl.dialects.builtin import ArrayAttr, IntegerAttr, ModuleOp, StringAttr, UnitAttr, i32
from xdsl.ir import Block, ErasedSSAValue, Region
from xdsl.rewriter import InsertPoint, Rewriter
from xdsl.utils.exceptions import VerifyException

from kan_dialect.ir.attributes.hardware_attributes import NodeAttr
from kan_dialect.ir.attributes.module_attributes import list_nodes
from kan_dialect.ir.constants import dense
from kan_dialect.ir.module_verifier import verify_module
from kan_dialect.ir.types import int_type
from kan_dialect.lowering.hw_builder import HwBuilder, integer
from kan_dialect.ops.wire import DeadOp, MarkOp, SumOp, TableOp


def hardware() -> ModuleOp:
    """Three slices of an input, sums, constants and a concatenation."""
    build = HwBuilder()
    x = build.input("x", integer(8))
    parts = [build.part(x, low, 2) for low in (0, 0, 4)]
    total = build.added([parts[0], parts[1]])
    total = build.added([total, parts[2], build.constant(1, 2)])
    wide = build.joined([total, build.constant(2, 2)], 4)
    return ModuleOp([build.finish(StringAttr("top"), {"y": wide})])


def block_of(module: ModuleOp) -> Block:
    (circuit,) = module.ops
    assert isinstance(circuit, hw.HWModuleOp)
    return circuit.body.block


def last(module: ModuleOp, kind: type) -> comb.ExtractOp | comb.AddOp | hw.ConstantOp:
    return [op for op in block_of(module).ops if type(op) is kind][-1]  # pyright: ignore[reportReturnType] (of the kind)


def too_high(module: ModuleOp) -> None:
    last(module, comb.ExtractOp).properties["lowBit"] = IntegerAttr(8, i32)


def other_width(module: ModuleOp) -> None:
    sum_op = last(module, comb.AddOp)
    sum_op.operands[1] = block_of(module).args[0]


def unknown_property(module: ModuleOp) -> None:
    last(module, comb.AddOp).properties["surplus"] = UnitAttr()


def wrong_constant(module: ModuleOp) -> None:
    last(module, hw.ConstantOp).properties["value"] = IntegerAttr(1, integer(3))


def no_terminator(module: ModuleOp) -> None:
    block = block_of(module)
    terminator = block.last_op
    assert terminator is not None
    terminator.detach()
    terminator.drop_all_references()


def erased_operand(module: ModuleOp) -> None:
    sum_op = last(module, comb.AddOp)
    sum_op.operands[0] = ErasedSSAValue(sum_op.operands[0].type, sum_op.operands[0])


def wrong_concatenation(module: ModuleOp) -> None:
    concat = next(op for op in block_of(module).ops if type(op) is comb.ConcatOp)
    concat.operands[0] = block_of(module).args[0]


def a_second_body(module: ModuleOp) -> None:
    (circuit,) = module.ops
    circuit.add_region(Region(Block()))


def parameters(module: ModuleOp) -> None:
    (circuit,) = module.ops
    circuit.properties["parameters"] = ArrayAttr([UnitAttr()])


@pytest.mark.parametrize(
    "spoil",
    [
        too_high,
        other_width,
        unknown_property,
        wrong_constant,
        no_terminator,
        erased_operand,
        wrong_concatenation,
        a_second_body,
        parameters,
    ],
)
def test_what_xdsl_finds_is_found(spoil: Callable[[ModuleOp], None]) -> None:
    module = hardware()
    module.verify()
    verify_module(module)
    spoil(module)
    for verify in (ModuleOp.verify, verify_module):
        with pytest.raises((VerifyException, ValueError)):
            verify(module)


def test_ops_of_a_kind_are_verified_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[comb.ExtractOp] = []
    verify = comb.ExtractOp.verify

    def counted(op: comb.ExtractOp, verify_nested_ops: bool = True) -> None:
        seen.append(op)
        verify(op, verify_nested_ops)

    monkeypatch.setattr(comb.ExtractOp, "verify", counted)
    verify_module(hardware())
    assert [op.low_bit.value.data for op in seen] == [0, 4]


def wire_level(*, tables: int = 3) -> ModuleOp:
    """Tables of one input, one of two inputs, and their sum."""
    function = func.FuncOp("f", ([int_type(0, 3)], [int_type(0, 9 * tables + 9)]))
    block = function.body.block
    (x,) = block.args
    read = [TableOp([x], np.array([0, 1, 2, 9]), name=f"t{index}") for index in range(tables)]
    both = TableOp([x, x], np.arange(16).reshape(4, 4) % 10)
    total = SumOp([*read, both])
    block.add_ops([*read, both, total, func.ReturnOp(total)])
    return ModuleOp([function])


def tables_of(module: ModuleOp) -> list[TableOp]:
    return [op for op in module.walk() if isinstance(op, TableOp)]


def entry_out_of_range(module: ModuleOp) -> None:
    tables_of(module)[1].properties["entries"] = dense(np.array([0, 1, 2, 10]))


def entry_below_range(module: ModuleOp) -> None:
    tables_of(module)[1].properties["entries"] = dense(np.array([0, -1, 2, 9]))


def surplus_entry(module: ModuleOp) -> None:
    tables_of(module)[1].properties["entries"] = dense(np.array([0, 1, 2, 9, 9]))


def bytes_of_another_table(module: ModuleOp) -> None:
    """All bytes together are as many as they should be."""
    first, second, *_ = tables_of(module)
    for table, raw in ((first, bytes(5)), (second, bytes(3))):
        constant = dense(np.array([0, 1, 2, 9]))
        object.__setattr__(constant.data, "data", raw)
        table.properties["entries"] = constant


def real_entries(module: ModuleOp) -> None:
    tables_of(module)[1].properties["entries"] = dense(np.array([0.0, 1.0, 2.0, 9.0]))


def wrong_table_of_two(module: ModuleOp) -> None:
    tables_of(module)[-1].properties["entries"] = dense(np.full((4, 4), 10))


def name_with_a_space(module: ModuleOp) -> None:
    tables_of(module)[1].properties["name"] = StringAttr("a table")


def other_argument(module: ModuleOp) -> None:
    (function,) = module.ops
    Rewriter.replace_value_with_new_type(function.regions[0].block.args[0], int_type(0, 4))


def sum_out_of_range(module: ModuleOp) -> None:
    (total,) = (op for op in module.walk() if isinstance(op, SumOp))
    Rewriter.replace_value_with_new_type(total.result, int_type(0, 8))


def value_of_another_function(module: ModuleOp) -> None:
    other = wire_level()
    function = other.body.block.first_op
    assert isinstance(function, func.FuncOp)
    function.detach()
    module.body.block.add_op(function)
    tables_of(module)[0].operands[0] = function.body.block.args[0]


def erased_input(module: ModuleOp) -> None:
    table = tables_of(module)[1]
    table.operands[0] = ErasedSSAValue(table.operands[0].type, table.operands[0])


def no_return(module: ModuleOp) -> None:
    (function,) = module.ops
    terminator = function.regions[0].block.last_op
    assert terminator is not None
    terminator.detach()
    terminator.drop_all_references()


@pytest.mark.parametrize(
    "spoil",
    [
        entry_out_of_range,
        entry_below_range,
        surplus_entry,
        bytes_of_another_table,
        real_entries,
        wrong_table_of_two,
        name_with_a_space,
        other_argument,
        sum_out_of_range,
        value_of_another_function,
        erased_input,
        no_return,
    ],
)
def test_what_xdsl_finds_at_wire_level_is_found_with_its_message(
    spoil: Callable[[ModuleOp], None],
) -> None:
    module = wire_level()
    module.verify()
    verify_module(module)
    spoil(module)
    messages: list[str] = []
    for verify in (ModuleOp.verify, verify_module):
        with pytest.raises((VerifyException, ValueError)) as caught:
            verify(module)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


@pytest.mark.parametrize("again", ["mark", "dead"])
def test_a_node_that_is_named_twice_is_refused(again: str) -> None:
    module = wire_level()
    first, second, *_ = tables_of(module)
    mark = MarkOp(first.result, "layer0_node0")
    Rewriter.insert_op(mark, InsertPoint.after(second))
    verify_module(module)
    other = MarkOp(second.result, "layer0_node0") if again == "mark" else DeadOp("layer0_node0")
    Rewriter.insert_op(other, InsertPoint.after(mark))
    with pytest.raises(VerifyException, match=f"@f: 'kan.{again}' names the node \"layer0_node0\""):
        verify_module(module)


def test_a_node_that_hardware_lists_twice_is_refused() -> None:
    module = hardware()
    (circuit,) = module.ops
    assert isinstance(circuit, hw.HWModuleOp)
    list_nodes(circuit, [NodeAttr.of_dead("layer0_node0"), NodeAttr.of_dead("layer0_node1")])
    verify_module(module)
    list_nodes(circuit, [NodeAttr.of_dead("layer0_node0")] * 2)
    with pytest.raises(VerifyException, match=r"'hw.module' names the node .layer0_node0."):
        verify_module(module)
