"""Constants of hardware modules: arrays that are unpacked together, beside one evaluation each."""

from __future__ import annotations

import numpy as np
import pytest
from xdsl.dialects import hw
from xdsl.ir import Operation, SSAValue

from kan_dialect.ir.constants import Array
from kan_dialect.ir.semantics import evaluate_op
from kan_dialect.lowering.constant_folding import fold_constants
from kan_dialect.lowering.hw_builder import HwBuilder
from kan_dialect.maths.truth_tables import planes


def evaluated(ops: list[Operation]) -> dict[SSAValue, Array]:
    """The values of ops that depend on nothing, one after another."""
    known: dict[SSAValue, Array] = {}
    for op in ops:
        results = evaluate_op(op, [known[operand] for operand in op.operands])
        known.update(zip(op.results, results, strict=True))
    return known


@pytest.mark.parametrize("size, bits", [(1, 1), (2, 9), (5, 3), (64, 8), (256, 13), (7, 62)])
def test_arrays_are_those_of_one_evaluation_each(size: int, bits: int) -> None:
    rng = np.random.default_rng(size * bits)
    tables = [rng.integers(0, 1 << bits, size, dtype=np.int64) for _ in range(3)]
    build = HwBuilder()
    arrays = [build.array(table, bits, None) for table in tables]
    ops = list(build.block.ops)
    found = fold_constants(ops)
    expected = evaluated(ops)
    assert found.values.keys() == expected.keys()
    for value, array in expected.items():
        assert found.values[value].dtype == array.dtype
        assert np.array_equal(found.values[value], array)
    for value, table in zip(arrays, tables, strict=True):
        assert np.array_equal(found.values[value][0], table)
        assert found.planes[value] == planes(table, bits)


def test_negative_numbers_are_patterns() -> None:
    op = hw.ConstantOp(-1, 4)
    assert fold_constants([op]).values[op.result].tolist() == [15]
