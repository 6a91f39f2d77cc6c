"""An adder in two parts: the sum of its lowest bits by lookup tables, and the rest by an adder.

    %s = kan.sum %t, %u

becomes, for two bits,

    %t1 = kan.table %x                  the entries of %t without their two lowest bits
    %t0 = kan.table %x                  their two lowest bits
    %u1, %u0                            likewise
    %low = kan.table %t0, %u0           the two lowest bits of the sum
    %carry = kan.table %t0, %u0         the carry, 0 or 4
    %high = kan.sum %t1, %u1, %carry
    %s = kan.sum %high, %low            wires side by side

The lowest bits of both operands become one number of fewer bits. So it takes fewer registers than
they do, if it is there before the registers. A single bit at the carry input of the adder is added
too: three bits of one place become two.
"""

from __future__ import annotations

import numpy as np
from xdsl.ir import Operation, SSAValue

from kan_dialect.devices.carry_chains import addends_of, carry_of, is_wires
from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.derived_names import derived_name
from kan_dialect.ir.types import int_type, range_of
from kan_dialect.ops.wire import SumOp, TableOp, joint_sum_range, low_zeros


class AdderParts:
    """The ops that replace an adder.

    Attributes
    ----------
    ops : in no block, operands first; the last one is the whole sum.
    """

    def __init__(self, op: SumOp, bits: int) -> None:
        """
        Parameters
        ----------
        op : of two tables, and perhaps a bit at the carry input.
        bits : number of lowest bits, `low_bits(op, ...)` at most.
        """
        self.ops: list[Operation] = []
        self._name = op.given_name
        start, carry = _start_of(op), carry_of(op, {})
        end = start + bits
        tables = [_table_of(value) for value in addends_of(op)]
        upper = [self._slice(table, end, None, "high") for table in tables]
        lowest = [self._slice(table, start, end, "low", shifted=True) for table in tables]
        further = [table for table in tables if low_zeros(table.result, {}) < start]
        below = [self._slice(table, 0, start, "below") for table in further]
        if carry is not None:
            lowest.append(self._slice(_table_of(carry), start, start + 1, "bit", shifted=True))
        total = sum(np.ix_(*(np.arange(range_of(value).size) for value in lowest)), np.array(0))
        low = self._table(lowest, (total & ((1 << bits) - 1)) << start, "low").result
        carried = self._table(lowest, (total >> bits) << end, "carry").result
        terms = [*upper, carried]
        kind = int_type(*joint_sum_range(terms))
        high = SumOp(terms, result_type=kind, name=derived_name(self._name, "high"))
        self.ops.append(high)
        if below:
            together = SumOp([low, *below], name=derived_name(self._name, "lowest"))
            self.ops.append(together)
            low = together.result
        whole = [high.result, low]
        self.ops.append(SumOp(whole, result_type=range_of(op.result), name=self._name))

    def _slice(
        self, table: TableOp, low: int, high: int | None, suffix: str, *, shifted: bool = False
    ) -> SSAValue:
        """A table of some bits of a table's entries: in their places, or a number if `shifted`.

        Without `high` all upper ones, with the sign.
        """
        entries = table.filled >> low
        kind = None
        if high is not None:
            kind = int_type(0, (1 << (high - low)) - 1)
            entries &= kind.high
        found = TableOp(
            table.inputs,
            entries if shifted else entries << low,
            care=table.care,
            result_type=kind if shifted else None,
            name=derived_name(table.given_name, suffix),
        )
        self.ops.append(found)
        return found.result

    def _table(self, inputs: list[SSAValue], entries: IntArray, suffix: str) -> TableOp:
        table = TableOp(inputs, entries, name=derived_name(self._name, suffix))
        self.ops.append(table)
        return table


def low_bits(op: SumOp, inputs: int) -> int:
    """The most lowest bits of tables whose sum is a function of at most `inputs` inputs.

    0 where the sum has as many bits as what is added, and for adders of other values: what the
    verifier knows of sums of these would be lost.
    """
    addends, carry = addends_of(op), carry_of(op, {})
    if len(addends) != 2 or is_wires(op) or not all(map(_is_free, op.inputs)):
        return 0
    start = _start_of(op)
    if carry is not None and low_zeros(carry, {}) != start:
        return 0
    narrowest = min(range_of(value).bits for value in addends) - start
    entering = 0 if carry is None else 1
    bits = min((inputs - entering) // 2, narrowest - 1)
    return bits if bits + entering >= 2 and bits > 0 else 0


def _is_free(value: SSAValue) -> bool:
    """Whether a term may be taken apart: a table that nothing else reads."""
    return isinstance(value.owner, TableOp) and value.has_one_use()


def _table_of(value: SSAValue) -> TableOp:
    assert isinstance(value.owner, TableOp)
    return value.owner


def _start_of(op: SumOp) -> int:
    """The lowest place at which both terms of an adder have bits."""
    return max(low_zeros(value, {}) for value in addends_of(op))
