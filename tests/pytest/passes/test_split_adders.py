"""Adders in two parts against the whole adder, for all inputs, and the registers that they save."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Region, SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from kan_dialect.analysis.wires import latency_of
from kan_dialect.devices.register_cost import register_cost
from kan_dialect.evaluate.interpreter import evaluate_function
from kan_dialect.ir.types import range_of
from kan_dialect.ops.wire import ConstantOp, DelayOp, ExtractOp, SumOp, TableOp
from kan_dialect.passes.schedule import SchedulePass
from kan_dialect.passes.split_adders import SplitAddersPass
from kan_dialect.search.adder_trees.low_bits import AdderParts, low_bits
from wire_circuits import Circuit


def codes(*values: SSAValue) -> list[np.ndarray]:
    """All combinations of the codes of values."""
    axes = [np.arange(range_of(value).low, range_of(value).high + 1) for value in values]
    return [axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")]


def scaled(circuit: Circuit, value: SSAValue, zeros: int) -> SSAValue:
    """A table of the value times a power of two."""
    kind = range_of(value)
    return circuit.add(TableOp([value], np.arange(kind.low, kind.high + 1) << zeros))


@pytest.mark.parametrize("inputs", [3, 4, 6])
@pytest.mark.parametrize("bit", [False, True])
@pytest.mark.parametrize(
    ("ranges", "zeros", "most"),
    [
        (((0, 15), (0, 15)), (0, 0), 3),
        (((-16, 15), (-9, 7)), (0, 0), 4),
        (((3, 12), (0, 16)), (0, 0), 3),
        (((-5, 25), (0, 7)), (0, 2), 2),
        (((0, 7), (-8, 7)), (1, 0), 2),
        (((-40, -9), (5, 63)), (2, 2), 5),
    ],
)
def test_parts_are_the_adder(
    ranges: tuple[tuple[int, int], ...], zeros: tuple[int, int], most: int, bit: bool, inputs: int
) -> None:
    """`most`: the bits that one of the terms has besides its highest one and its zeros."""
    circuit = Circuit(*ranges, *([(0, 1)] if bit else []))
    args = circuit.block.args
    terms = [scaled(circuit, args[index], zeros[index]) for index in range(2)]
    terms += [scaled(circuit, args[2], max(zeros))] if bit else []
    op = SumOp(terms, name="s")
    function = circuit.finish(circuit.add(op))
    columns = codes(*args)
    (whole,) = evaluate_function(function, columns)
    count = low_bits(op, inputs)
    fitting = min((inputs - bit) // 2, most)
    assert count == (fitting if fitting + bit > 1 else 0)
    if not count:
        return
    parts = AdderParts(op, count)
    Rewriter.replace_op(op, parts.ops, [parts.ops[-1].results[0]])
    ModuleOp([function]).verify()
    (again,) = evaluate_function(function, columns)
    np.testing.assert_array_equal(again, whole)


@pytest.mark.parametrize("separable", [False, True])
@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_parts_of_tables_of_two_inputs_keep_the_range(
    seed: int, late: bool, separable: bool
) -> None:
    """Also where the carry is a stage later than the lowest bits, and where a part is a sum."""
    rng = np.random.default_rng(seed)
    circuit = Circuit((0, 7), (-4, 3), (0, 15))
    x, y, z = circuit.block.args
    entries = rng.integers(-7, 12, (8, 8))
    if separable:
        entries = entries % 8 + 8 * (np.arange(8) // 4)[:, np.newaxis]  # The upper part reads x.
    merged = circuit.add(TableOp([x, y], entries))
    op = SumOp([merged, circuit.add(TableOp([z], rng.integers(-7, -2, 16)))], name="s")
    function = circuit.finish(circuit.add(op))
    columns = codes(*circuit.block.args)
    (whole,) = evaluate_function(function, columns)
    parts = AdderParts(op, low_bits(op, 6))
    Rewriter.replace_op(op, parts.ops, [parts.ops[-1].results[0]])
    if late:
        (carry,) = [each for each in parts.ops if each.given_name == "s_carry"]
        registers = [DelayOp(value, 1) for value in carry.operands]
        Rewriter.insert_op(registers, InsertPoint.before(carry))
        carry.operands = [register.result for register in registers]
    ModuleOp([function]).verify()
    if not late:
        np.testing.assert_array_equal(evaluate_function(function, columns)[0], whole)


def test_adders_that_stay_whole() -> None:
    circuit = Circuit((0, 15), (0, 1))
    x, y = circuit.block.args
    table, other, twice = (scaled(circuit, x, 0) for _ in range(3))
    constant, bit = circuit.add(ConstantOp(5)), scaled(circuit, y, 0)
    circuit.add(ExtractOp(twice, 0, 2))
    kept = [
        SumOp([table, constant]),
        SumOp([other, x]),  # one is no table
        SumOp([twice, scaled(circuit, x, 0)]),  # something else reads a term
        SumOp([scaled(circuit, x, 0), bit]),  # a term of one bit
    ]
    for op in kept:
        circuit.add(op)
    assert [low_bits(op, 4) for op in kept] == [0, 0, 0, 0]


def network(inputs: Sequence[int]) -> func.FuncOp:
    """Sums of two random tables of some input bits each."""
    rng = np.random.default_rng(5)
    circuit = Circuit(*[(0, (1 << bits) - 1) for bits in inputs for _ in range(2)])
    results: list[SSAValue] = []
    for index in range(len(inputs)):
        pair = [
            circuit.add(TableOp([value], rng.permutation(range_of(value).size)))
            for value in circuit.block.args[2 * index : 2 * index + 2]
        ]
        results.append(circuit.add(SumOp(pair, name=f"s{index}")))
    circuit.block.add_op(func.ReturnOp(*results))
    types = [argument.type for argument in circuit.block.args]
    return func.FuncOp("net", (types, [each.type for each in results]), Region(circuit.block))


@pytest.mark.parametrize(
    ("mhz", "inputs", "saved"),
    [
        (210.0, (6, 6, 6), 3),
        (100.0, (6, 6, 6), 0),  # The adders need no registers before them.
        (210.0, (6, 7, 6), 2),  # Tables of seven inputs leave no time.
    ],
)
def test_a_register_less_for_each_adder(mhz: float, inputs: Sequence[int], saved: int) -> None:
    found: list[tuple[int, int]] = []
    for splits in (False, True):
        module = ModuleOp([function := network(inputs)])
        if splits:
            SplitAddersPass(mhz, target="ecp5").apply(Context(), module)
        SchedulePass(mhz=mhz, target="ecp5").apply(Context(), module)
        flip_flops = register_cost(function.body.block.ops).flip_flops
        found.append((latency_of(function), flip_flops))
    (cycles, before), (same, after) = found
    assert cycles == same
    assert before - after == saved
