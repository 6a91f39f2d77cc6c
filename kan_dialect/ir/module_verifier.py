"""Verification of a whole module, as commands do it after every pass.

Hardware has tens of thousands of ops. Most have the class, types and properties of another one.
Their verifiers look at nothing else, so one of each kind is verified. xDSL verifies all other ops.
"""

from __future__ import annotations

from functools import cache
from typing import cast

from xdsl.dialects import hw
from xdsl.dialects.builtin import IntegerAttr, IntegerType, ModuleOp
from xdsl.ir import ErasedSSAValue, Operation, Region

from kan_dialect.ir.attributes.value_names import NAME_HINT
from kan_dialect.ir.operation import operands_of
from kan_dialect.ir.verifier import require_order

_HARDWARE = ("xdsl.dialects.comb", "xdsl.dialects.hw", "xdsl.dialects.seq")
_LOOKING_AROUND = frozenset({"hw.module", "hw.module.extern", "hw.instance", "hw.output"})
"""Hardware ops whose verifiers look at other ops, or at ops within them."""

_Kind = tuple[object, ...]


def verify_module(module: ModuleOp) -> None:
    """Verify a module and the order of its ops.

    Raises
    ------
    VerifyException : an op is invalid.
    OrderError : an op reads a value where it is not known yet.
    """
    for op in module.ops:
        if op.name == "hw.module":
            for region in op.regions:
                _verify_hardware(region)
            op.verify(verify_nested_ops=False)
        else:
            op.verify()
    module.verify(verify_nested_ops=False)
    require_order(module)


def _verify_hardware(region: Region) -> None:
    """Verify the ops of a hardware module, one of each kind."""
    block = region.blocks.first
    if block is None or block is not region.blocks.last or block.is_empty:
        region.verify()
        return
    verified: set[_Kind] = set()
    for op in block.ops:
        if op.parent is not block:
            region.verify()  # It says so.
        kind = _kind_of(op)
        if kind is None:
            op.verify()
        elif kind not in verified:
            op.verify()
            verified.add(kind)


def _kind_of(op: Operation) -> _Kind | None:
    """All that the verifier of an op looks at; None for an op that is verified by itself.

    Types and attributes are known by identity, since they live as long as their ops.
    """
    if not _is_local(type(op)) or op.next_op is None or op.regions or op.successors:
        return None  # The last op of a block has to be a terminator.
    kind: list[object] = [type(op)]
    for operand in operands_of(op):
        if type(operand) is ErasedSSAValue:
            return None
        kind.append(id(operand.type))
    kind.append(len(kind))
    for result in op.results:
        kind.append(id(result.type))
    for name, value in op.properties.items():
        if type(op) is hw.ConstantOp and type(value) is IntegerAttr:
            # Any number will do, and most constants are other numbers.
            value = cast("IntegerAttr[IntegerType]", value).type
        kind += (name, id(value))
    for name, value in op.attributes.items():
        if name != NAME_HINT:
            kind += (name, id(value))
    return tuple(kind)


@cache
def _is_local(kind: type[Operation]) -> bool:
    """Whether the verifier of a class of ops looks at types, properties and attributes only."""
    return kind.__module__ in _HARDWARE and kind.name not in _LOOKING_AROUND
