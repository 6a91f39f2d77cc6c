"""The hardware that an op says, checked. `ir/wire_interface.py` has the interface of such ops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from xdsl.dialects.builtin import IntegerType
from xdsl.ir import Operation, SSAValue

from kan_dialect.errors import KanError
from kan_dialect.ir.ranged import missing_interface
from kan_dialect.ir.types import range_of
from kan_dialect.ir.wire_interface import Lowerable, WireInterface
from kan_dialect.ir.wire_operation import WireOp
from kan_dialect.lowering.hardware_ops import dialect_of
from kan_dialect.lowering.hw_builder import HwBuilder
from kan_dialect.other_packages import naming
from kan_dialect.quantity import quantity

__all__ = ["WireInterface", "lowered"]

COMBINATIONAL = frozenset({"comb", "hw"})
"""Dialects of the ops that a lowering may make."""


def lowered(op: Operation, build: HwBuilder, wires: Sequence[SSAValue]) -> Sequence[SSAValue]:
    """The wires that an op makes for its results.

    Raises
    ------
    KanError : the op says no hardware, fails, makes ops other than `comb` and `hw`, or returns
        wires that do not fit its results.
    """
    if not isinstance(op, Lowerable):
        raise missing_interface(op, "what its hardware is")
    if isinstance(op, WireOp):
        return op.lower(build, wires)
    before = build.block.last_op
    with naming(f"'{op.name}'", type(op)):
        found = op.lower(build, wires)
    made = build.block.first_op if before is None else before.next_op
    while made is not None:
        if dialect_of(made) not in COMBINATIONAL:
            raise KanError(
                f"'{op.name}': lower made '{made.name}'",
                remedy="make comb and hw ops only; kan-schedule inserts the registers",
            )
        made = made.next_op
    returned = _types_of(found)
    expected = [str(IntegerType(range_of(result).bits)) for result in op.results]
    if returned != expected:
        raise KanError(
            f"'{op.name}': lower returned {', '.join(returned) or 'nothing'}",
            remedy=f"return a sequence of {quantity(len(expected), 'wire')}: "
            + ", ".join(expected),
        )
    return found


def _types_of(wires: object) -> list[str]:
    """The type of each wire, as text; a description of any other object."""
    if not isinstance(wires, Sequence):
        what = "a wire" if isinstance(wires, SSAValue) else type(wires).__name__
        return [f"{what} instead of a sequence"]
    values = cast("Sequence[object]", wires)
    return [
        str(cast("SSAValue", each).type) if isinstance(each, SSAValue) else type(each).__name__
        for each in values
    ]
