"""`kan-compress-codes`: wide tables read codes without the ranges in which they are constant.

A class of the upper bits, which is a table of its own, numbers the blocks of 2^low codes that a
table tells apart. Neighbouring blocks that are equal have one number:

    %t = kan.table %x                          7 bits: 0, ..., 0, 3, 9, 12, ..., 12

becomes

    %u = kan.extract %x from 3
    %c = kan.table %u                          0, ..., 0, 8, 16, ..., 16
    %l = kan.extract %x from 0
    %y = kan.sum %c, %l                        side by side: a code of 5 bits
    %t = kan.table %y

Codes keep their order, so `kan-split-tables` finds the same slopes. The target says what tables
take. (This is a disjoint decomposition: Ashenhurst, "The decomposition of switching functions",
1957.)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from xdsl.dialects import func
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern, op_type_rewrite_pattern

from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.derived_names import derived_name
from kan_dialect.ir.types import range_of
from kan_dialect.ops.wire import ExtractOp, SumOp, TableOp
from kan_dialect.passbase.function_pass import FunctionPass
from kan_dialect.passbase.rewriting import rewrite_ops
from kan_dialect.passbase.target_pass import TargetPass
from kan_dialect.search.table_split.limits import MAX_INPUT_BITS, MAX_RESULT_BITS
from kan_dialect.search.table_windows.costs import TableCosts
from kan_dialect.search.table_windows.windows import Ring

LEAST_SAVED = 1.5
"""LUTs that a compressed code has to save, as it takes a level of logic."""


class CompressedCode(NamedTuple):
    """A code of fewer bits that a table may read."""

    low: int
    """Number of lowest bits that stay as they are."""
    classes: IntArray
    """(patterns of the other bits): the number of the block."""
    entries: IntArray
    """Entries of the table by the new code; at most as many as it has patterns."""


def compressed_codes(entries: IntArray) -> Iterator[CompressedCode]:
    """The codes of fewer bits for a table, by the number of bits that stay.

    Parameters
    ----------
    entries : (2^bits) by bit pattern. Blocks are numbered from the first one or, for codes in two's
        complement, from the middle one.
    """
    bits = len(entries).bit_length() - 1
    for start in (0, len(entries) // 2):
        for low in range(1, bits - 1):
            blocks = np.roll(entries, -start).reshape(-1, 1 << low)
            is_new = np.append(True, np.any(blocks[1:] != blocks[:-1], axis=1))
            numbers = np.cumsum(is_new) - 1
            if low + int(numbers[-1]).bit_length() < bits:
                classes = np.roll(numbers, start >> low)
                yield CompressedCode(low, classes, blocks[is_new].ravel())


@dataclass
class CompressCode(RewritePattern):
    """A wide table that one sum reads gets a code of fewer bits.

    %t = kan.table %x   becomes   %t = kan.table %y, where %y = kan.sum %class, %low
    """

    costs: TableCosts
    lut_inputs: int

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: TableOp, rewriter: PatternRewriter) -> None:
        if not self._is_wide(op):
            return
        patterns = op.by_bit_pattern
        least, best = self._luts(patterns, is_added=True) - LEAST_SAVED, None
        for code in compressed_codes(patterns):
            size = 1 << (len(code.entries) - 1).bit_length()
            entries = np.pad(code.entries, (0, size - len(code.entries)), "edge")
            luts = self._luts(entries, is_added=True) + self._luts(code.classes, is_added=False)
            if luts < least:
                least, best = luts, code
        if best is not None:
            _compress(op, best, rewriter)

    def _is_wide(self, op: TableOp) -> bool:
        return (
            len(op.inputs) == 1
            and self.lut_inputs < range_of(op.inputs[0]).bits <= MAX_INPUT_BITS
            and range_of(op.result).bits <= MAX_RESULT_BITS
            and op.result.has_one_use()
            and all(type(use.operation) is SumOp for use in op.result.uses)
        )

    def _luts(self, entries: IntArray, *, is_added: bool) -> float:
        return self.costs.of(Ring(entries, np.ones(len(entries), dtype=np.bool_)), is_added)


def _compress(op: TableOp, code: CompressedCode, rewriter: PatternRewriter) -> None:
    (value,) = op.inputs
    upper = ExtractOp(value, code.low, range_of(value).bits - code.low)
    name = derived_name(op.given_name, "class")
    number = TableOp([upper.result], code.classes << code.low, name=name)
    lower = ExtractOp(value, 0, code.low)
    joined = SumOp([number.result, lower.result])
    kind = range_of(op.result)
    table = TableOp([joined.result], code.entries, result_type=kind, name=op.given_name)
    rewriter.replace(op, [upper, number, lower, joined, table])


@dataclass(frozen=True)
class CompressCodesPass(FunctionPass, TargetPass):
    """Makes wide tables read codes without the ranges in which they are constant.

    On devices whose adders absorb no tables, it changes nothing.
    """

    name = "kan-compress-codes"
    works_at = ("wire",)
    is_optional: ClassVar[bool] = True

    def rewrite(self, function: func.FuncOp) -> None:
        costs = TableCosts(self.device)
        if costs.counts_parts:
            rewrite_ops(function, TableOp, CompressCode(costs, self.device.lut_inputs))
