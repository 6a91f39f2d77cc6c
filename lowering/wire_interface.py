"""The interface of wire-level ops of other packages: all that the way to hardware asks of an op.

| method | says | used by |
| --- | --- | --- |
| `evaluate` | what the op computes | `kan-run`, the check of passes, simulation, proof |
| `result_ranges` | the exact ranges of its results | `kan-narrow` |
| `luts_on`, `levels_on`, `delay_on` | its costs on a device | estimate, `kan-schedule` |
| `lower` | its hardware | `lower-kan-to-hw` |

The op is combinational: results depend on operands of the same cycle.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import cast

from xdsl.dialects.builtin import IntegerType
from xdsl.ir import Operation, SSAValue
from xdsl.irdl import traits_def
from xdsl.traits import Pure

from kan_dialect.devices.costed import Costed
from kan_dialect.errors import KanError
from kan_dialect.foreign import naming
from kan_dialect.ir.ranged import Ranged, missing_interface
from kan_dialect.ir.semantics import Evaluable
from kan_dialect.ir.types import range_of
from kan_dialect.lowering.hardware_ops import dialect_of
from kan_dialect.lowering.hw_builder import HwBuilder
from kan_dialect.quantity import quantity

COMBINATIONAL = frozenset({"comb", "hw"})
"""Dialects of the ops that a lowering may make."""


class Lowerable(ABC):
    """Interface of a wire-level op that says its hardware."""

    @abstractmethod
    def lower(self, build: HwBuilder, wires: Sequence[SSAValue]) -> Sequence[SSAValue]:
        """Make the op's hardware.

        Parameters
        ----------
        build : appends `comb` and `hw` ops to the module.
        wires : of the operands. A value of `!kan.int<lo:hi>` is a signless integer of its type's
            `bits`, two's complement where lo < 0, else unsigned.

        Returns
        -------
        A wire for each result, of the bits of the result's type.
        """


class WireInterface(Evaluable, Ranged, Costed, Lowerable):
    """Interface of a wire-level op that goes all the way to hardware.

    Such an op has no side effects: the interface brings the trait `Pure`.
    """

    traits = traits_def(Pure())


def lowered(op: Operation, build: HwBuilder, wires: Sequence[SSAValue]) -> Sequence[SSAValue]:
    """The wires that an op of another package makes for its results.

    Raises
    ------
    KanError : the op says no hardware, fails, makes ops other than `comb` and `hw`, or returns
        wires that do not fit its results.
    """
    if not isinstance(op, Lowerable):
        raise missing_interface(op, "what its hardware is")
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
