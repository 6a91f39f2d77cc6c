"""The ops that replace a table in a sum once it is taken apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from xdsl.ir import Operation, SSAValue

from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.types import range_of
from kan_dialect.ops.wire import ExtractOp, TableOp
from kan_dialect.search.table_split.parts import GatedPart, Part, Split


class PartOps:
    """The ops of the parts of a table, and the values to add.

    Attributes
    ----------
    ops : in no block, operands first.
    values : the parts; their sum is the table less the constant of the split.
    """

    def __init__(self, table: TableOp, split: Split) -> None:
        self.ops: list[Operation] = []
        self._table = table
        self._input = table.inputs[0]
        self._slices: dict[tuple[int, int], SSAValue] = {}
        if len(split.parts) == 1:
            self.values = [self._whole(split.parts[0])]
        else:
            self.values = [self._part(part, f"part{n}") for n, part in enumerate(split.parts)]

    def _whole(self, part: Part | GatedPart) -> SSAValue:
        """The only part: the table with another offset."""
        entries = self._by_code(part)
        table = TableOp([self._input], entries, care=self._table.care, name=self._table.given_name)
        self.ops.append(table)
        return table.result

    def _part(self, part: Part | GatedPart, name: str) -> SSAValue:
        if isinstance(part, Part):
            if part.skipped == 0:
                return self._add_table([self._input], self._by_code(part), name)
            return self._add_table([self._bits(part.skipped)], part.entries, name)
        gate = self._bits(part.skipped, part.gate_bits)
        if part.classes.min() == part.classes.max():
            return self._add_table([gate], part.amounts[:, part.classes[0]], name)
        above = self._bits(part.skipped + part.gate_bits)
        kind = self._add_table([above], part.classes, f"{name}_class")
        classes = range_of(kind)
        amounts = part.amounts[:, classes.low : classes.high + 1]
        return self._add_table([gate, kind], amounts, name)

    def _add_table(self, inputs: Sequence[SSAValue], entries: IntArray, suffix: str) -> SSAValue:
        name = self._table.given_name
        table = TableOp(inputs, entries, name=None if name is None else f"{name}_{suffix}")
        self.ops.append(table)
        return table.result

    def _by_code(self, part: Part | GatedPart) -> IntArray:
        """A part's values by the codes of the input's range."""
        kind = range_of(self._input)
        return part.values(kind.bits)[np.arange(kind.low, kind.high + 1) & ((1 << kind.bits) - 1)]

    def _bits(self, low: int, width: int | None = None) -> SSAValue:
        """`width` bits of the input from bit `low` on, or all from there on."""
        width = range_of(self._input).bits - low if width is None else width
        if (low, width) not in self._slices:
            bits = ExtractOp(self._input, low, width)
            self.ops.append(bits)
            self._slices[low, width] = bits.result
        return self._slices[low, width]
