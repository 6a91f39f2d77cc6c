"""Entries of many tables at once, against those of each table alone."""

from __future__ import annotations

import numpy as np
import pytest
from xdsl.dialects.builtin import IntegerAttr
from xdsl.ir import Block, SSAValue

from kan_dialect.analysis.tables import bit_patterns_of, low_zeros_of
from kan_dialect.ir.constants import IntArray, integer_of
from kan_dialect.ir.types import int_type, range_of
from kan_dialect.lowering.hw_builder import integer
from kan_dialect.ops.wire import TableOp, low_zeros


def _value(low: int, high: int) -> SSAValue:
    return Block(arg_types=[int_type(low, high)]).args[0]


def _tables() -> list[TableOp]:
    """Tables of equal and other ranges: shifted, constant, with entries that do not matter, of two
    inputs, and with inverted codes."""
    rng = np.random.default_rng(3)
    ranges = [(0, 7), (-3, 4), (0, 5), (-4, 3)] * 6
    tables = [
        TableOp([_value(low, high)], rng.integers(-9, 9, high - low + 1) << rng.integers(0, 4))
        for low, high in ranges
    ]
    care = np.array([True, False, True, True, True, True])
    tables.append(TableOp([_value(0, 5)], np.arange(6) * 4, care=care))
    tables.append(TableOp([_value(0, 5)], np.zeros(6, dtype=np.int64)))
    tables.append(TableOp([_value(0, 5)], np.arange(6) ^ 7))
    tables.append(TableOp([_value(0, 1), _value(0, 2)], rng.integers(0, 99, (2, 3))))
    return tables


def _nearest(table: TableOp) -> IntArray:
    """Entries by pattern of the one input; outside its range, those of the nearest code."""
    kind = range_of(table.inputs[0])
    codes = kind.bit_patterns.clip(kind.low, kind.high)
    return table.filled[codes - kind.low]


def test_tables_together_are_those_alone():
    tables = _tables()
    for table, patterns in zip(tables, bit_patterns_of(tables), strict=True):
        np.testing.assert_array_equal(patterns, table.by_bit_pattern)
    for table, patterns in zip(tables[:-2], bit_patterns_of(tables[:-2]), strict=True):
        np.testing.assert_array_equal(patterns, _nearest(table))
    assert low_zeros_of(tables) == [low_zeros(table.result, {}) for table in tables]


def test_inverted_codes_are_inverted_in_all_patterns():
    (patterns,) = bit_patterns_of([TableOp([_value(0, 5)], np.arange(6) ^ 7)])
    assert patterns.tolist() == [7, 6, 5, 4, 3, 2, 1, 0]


@pytest.mark.parametrize(("pattern", "number"), [(0, 0), (3, 3), (4, -4), (7, -1)])
def test_constants_are_those_of_xdsl(pattern: int, number: int):
    constant = integer_of(pattern, integer(3))
    assert constant == IntegerAttr(pattern, 3)
    assert constant.value.data == number
