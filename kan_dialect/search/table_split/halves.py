"""A table as a choice between smaller tables, for clocks that the whole table is too slow for.

The highest input bit chooses between two tables of the other bits. A register may stand between
these and the choice. Halves that are still too slow are halved again.

    %t = kan.table %x

becomes, for each bit of the entries,

    %y = kan.extract %x from 0                all input bits but the highest
    %h = kan.extract %x from 6                the highest
    %low = kan.table %y
    %high = kan.table %y
    %l0 = kan.extract %low from 0
    %h0 = kan.extract %high from 0
    %t0 = kan.table %h, %h0, %l0           a choice; the bits of all places stand side by side
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from xdsl.ir import Operation, SSAValue

from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.derived_names import derived_name
from kan_dialect.ir.types import range_of
from kan_dialect.ops.wire import ExtractOp, SumOp, TableOp

CHOICE = np.array([[[0, 1], [0, 1]], [[0, 0], [1, 1]]], dtype=np.int64)
"""The third input where the first is 0, the second where it is 1."""


class TableHalves:
    """The ops that replace a table of one input, and the value of its result.

    Attributes
    ----------
    ops : in no block, operands first.
    result : of the range of the table's result.
    """

    def __init__(
        self, table: TableOp, is_fast: Callable[[Operation], bool], least_inputs: int
    ) -> None:
        """
        Parameters
        ----------
        is_fast : whether an op fits into a stage.
        least_inputs : tables of this many input bits and fewer are not halved.
        """
        self.ops: list[Operation] = []
        self._table = table
        self._input = table.inputs[0]
        self._is_fast = is_fast
        self._least_inputs = least_inputs
        self._kind = range_of(table.result)
        self._slices: dict[tuple[SSAValue, int, int], SSAValue] = {}
        self.result = self._of(table.by_bit_pattern, table.given_name)

    def _of(self, patterns: IntArray, name: str | None) -> SSAValue:
        """The table of these entries, by bit pattern of the lowest bits of the input."""
        inputs = (len(patterns) - 1).bit_length()
        index = self._bits(self._input, 0, inputs)
        kind = range_of(index)
        entries = patterns[kind.low : kind.high + 1]
        table = TableOp([index], entries, result_type=self._kind, name=name)
        if inputs <= self._least_inputs or self._is_fast(table):
            self.ops.append(table)
            return table.result
        table.drop_all_references()
        half = len(patterns) // 2
        low = self._of(patterns[:half], derived_name(name, "low"))
        high = self._of(patterns[half:], derived_name(name, "high"))
        return self._chosen(self._bits(self._input, inputs - 1, 1), low, high, name)

    def _chosen(
        self, choice: SSAValue, low: SSAValue, high: SSAValue, name: str | None
    ) -> SSAValue:
        """`high` where the bit `choice` is 1, else `low`."""
        kind = self._kind
        whole: SSAValue | None = None
        for place in range(kind.bits):
            weight = -1 if kind.is_signed and place == kind.bits - 1 else 1
            either = [self._bits(value, place, 1) for value in (high, low)]
            entries = CHOICE * (weight << place)
            bit = TableOp([choice, *either], entries, name=derived_name(name, f"bit{place}"))
            self.ops.append(bit)
            if whole is None:
                whole = bit.result
                continue
            is_last = place == kind.bits - 1
            joined = SumOp(
                [bit.result, whole],
                result_type=kind if is_last else None,
                name=name if is_last else None,
            )
            self.ops.append(joined)
            whole = joined.result
        assert whole is not None
        return whole

    def _bits(self, value: SSAValue, low: int, width: int) -> SSAValue:
        """Bits of a value's pattern, as a number that is at least 0."""
        kind = range_of(value)
        if low == 0 and width == kind.bits and not kind.is_signed:
            return value
        key = value, low, width
        if key not in self._slices:
            bits = ExtractOp(value, low, width)
            self.ops.append(bits)
            self._slices[key] = bits.result
        return self._slices[key]
