"""Verification of whole modules finds what xDSL's verification of each op finds."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from xdsl.dialects import comb, hw
from xdsl.dialects.builtin import ArrayAttr, IntegerAttr, ModuleOp, StringAttr, UnitAttr, i32
from xdsl.ir import Block, ErasedSSAValue, Region
from xdsl.utils.exceptions import VerifyException

from kan_dialect.ir.module_verifier import verify_module
from kan_dialect.lowering.hw_builder import HwBuilder, integer


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
