"""Hardware level: one lookup table (LUT) of a device.

CIRCT's `comb.truth_table` says the same, but xDSL's `comb` does not have it, and CIRCT does not
print it. Both exporters print `kan.lut` as an instance of a small module that synthesis keeps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from xdsl.dialects.builtin import IntegerAttr, IntegerType, Signedness, i1
from xdsl.ir import Operation, SSAValue
from xdsl.irdl import irdl_op_definition, prop_def, result_def, var_operand_def

from kan_dialect.ir.operation import KanOperation
from kan_dialect.ir.verifier import require

MAX_LUT_INPUTS = 6
"""Most inputs of a lookup table of an FPGA."""


@irdl_op_definition
class LutOp(KanOperation):
    """A bit of at most six others, which one lookup table of the device gives.

    `%y = kan.lut %a, %b, %c table 232 : ui8` is the majority of three bits. Bit p of the table is
    the result where input k is bit k of p, the first input bit 0.

    Example:

        %y = kan.lut %a, %b, %c table 202 : ui8 {sv.namehint = "first"}
    """

    name = "kan.lut"

    table = prop_def(IntegerAttr)
    inputs = var_operand_def(i1)
    result = result_def(i1)

    assembly_format = "$inputs `table` $table attr-dict"

    def __init__(self, table: int, inputs: Sequence[SSAValue]) -> None:
        """
        Parameters
        ----------
        table : bit p is the result where the inputs are the bits of p, input 0 the lowest.
        """
        self.set_up(inputs, [i1], table=IntegerAttr(table, _table_type(len(inputs))))

    @property
    def entries(self) -> int:
        """The table as a number without sign."""
        return cast("IntegerAttr[IntegerType]", self.table).value.data

    def verify_(self) -> None:
        count = len(self.inputs)
        require(
            1 <= count <= MAX_LUT_INPUTS,
            f"a lookup table has 1 to {MAX_LUT_INPUTS} inputs, got {count}",
        )
        require(
            self.table.type == _table_type(count),
            f"the table of {count} inputs must be {_table_type(count)}, got {self.table.type}",
        )


def _table_type(inputs: int) -> IntegerType:
    return IntegerType(1 << inputs, Signedness.UNSIGNED)


LUT_OPS: list[type[Operation]] = [LutOp]
