"""Constants between the tables of a sum, against all offsets of small trees."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, Region

from kan_dialect.devices.device import DEVICES
from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.types import IntType, range_of
from kan_dialect.maths.truth_tables import supports
from kan_dialect.ops.wire import SumOp, TableOp
from kan_dialect.passes.balance_sums import narrow_partial_sums

INPUT = IntType(0, 15)
ECP5 = DEVICES["ecp5"]
CONSTANT_BIT = 0.25
ENDS = (-110, -20), (-63, -14), (0, 127), (0, 120)
"""Of tables whose first two have a sum of -173 .. -34."""


def sums_of_four(tables: list[IntArray]) -> func.FuncOp:
    """(t0 + t1) + (t2 + t3), each of an input of its own."""
    block = Block(arg_types=[INPUT] * 4)
    leaves = [TableOp([x], t) for x, t in zip(block.args, tables, strict=True)]
    pairs = [SumOp([leaves[0].result, leaves[1].result], name="left")]
    pairs.append(SumOp([leaves[2].result, leaves[3].result], name="right"))
    whole = SumOp([pair.result for pair in pairs], name="whole")
    block.add_ops([*leaves, *pairs, whole, func.ReturnOp(whole.result)])
    return func.FuncOp("f", ([INPUT] * 4, [whole.result.type]), Region(block))


def outputs(function: func.FuncOp, codes: IntArray) -> IntArray:
    """Results for codes (samples, 4), by NumPy alone."""
    values = {x: codes[:, place] for place, x in enumerate(function.args)}
    for op in function.body.block.ops:
        if isinstance(op, TableOp):
            values[op.result] = op.entries_array[values[op.inputs[0]]]
        elif isinstance(op, SumOp):
            values[op.result] = sum(
                (values[each] for each in op.inputs), np.zeros_like(codes[:, 0])
            )
        elif not isinstance(op, func.ReturnOp):
            values[op.results[0]] = np.int64(range_of(op.results[0]).low)
    return values[function.get_return_op().operands[0]]  # type: ignore[union-attr]


def bits(low: int, high: int) -> int:
    return max(high, ~low if low < 0 else 0).bit_length() + (low < 0)


def cost(tables: list[IntArray]) -> float:
    """LUTs of four tables, and of the bits of both partial sums."""
    found = 0.0
    for left, right in (tables[:2], tables[2:]):
        low, high = int(left.min() + right.min()), int(left.max() + right.max())
        found += bits(low, high) if high >= 0 else (low ^ high).bit_length()
    for table in tables:
        low, high = int(table.min()), int(table.max())
        used = supports(table[np.newaxis], bits(low, high))[0]
        found += float(np.maximum(ECP5.summand_costs(4)[used] - 1, 0).sum())
        found += CONSTANT_BIT * (bits(low, high) - (high - low).bit_length())
    return found


def is_narrow(table: IntArray) -> bool:
    low, high = int(table.min()), int(table.max())
    return (low < 0) == (high < 0) and (low ^ high).bit_length() == (high - low).bit_length()


def random_tables(rng: np.random.Generator) -> list[IntArray]:
    return [
        rng.integers(0, int(rng.integers(2, 40)), 16) + int(rng.integers(-20, 20)) for _ in range(4)
    ]


@pytest.mark.parametrize("seed", range(6))
def test_no_other_offsets_take_less(seed: int) -> None:
    rng = np.random.default_rng(seed)
    tables = random_tables(rng)
    function = sums_of_four(tables)
    ModuleOp([function]).verify()
    codes = rng.integers(0, 16, (200, 4))
    before = outputs(function, codes)
    narrow_partial_sums(function, ECP5)
    function.verify()
    np.testing.assert_array_equal(outputs(function, codes), before)
    ops: list[Operation] = list(function.body.block.ops)
    moved = [op.entries_array for op in ops if isinstance(op, TableOp)]
    assert all(len(np.unique(a - b)) == 1 for a, b in zip(moved, tables, strict=True))
    around = range(-8, 9)
    best = cost(tables)
    for first, second, third in product(around, around, around):
        shifts = (first, second, third, -first - second - third)
        found = [table + shift for table, shift in zip(tables, shifts, strict=True)]
        # No table takes a bit more than it has to.
        if all(not shift or is_narrow(t) for t, shift in zip(found, shifts, strict=True)):
            best = min(best, cost(found))
    assert cost(moved) <= best + 0.01


def test_upper_bits_that_never_change_are_a_constant() -> None:
    rng = np.random.default_rng(3)
    tables = [rng.permutation(np.linspace(*ends, 16).astype(np.int64)) for ends in ENDS]
    function = sums_of_four(tables)
    codes = rng.integers(0, 16, (100, 4))
    before = outputs(function, codes)
    narrow_partial_sums(function, ECP5)
    function.verify()
    np.testing.assert_array_equal(outputs(function, codes), before)
    sums = {op.given_name: op for op in function.body.block.ops if isinstance(op, SumOp)}
    below = range_of(sums["left"].result)
    assert below.low >= 0
    assert below.bits == 8
    assert sums["left_whole"].inputs[0] is sums["left"].result
    assert range_of(sums["left_whole"].result).high < 0
