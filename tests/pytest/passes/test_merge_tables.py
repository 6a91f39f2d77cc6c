"""`kan-merge-tables`: sums of tables of few bits are what they were, for all inputs there are."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, SSAValue

from kan_dialect.analysis.nodes import dead_nodes
from kan_dialect.checking import Checker, run_passes
from kan_dialect.devices.device import device
from kan_dialect.evaluate.interpreter import evaluate_inside, find_function
from kan_dialect.frontends.loading import make_context
from kan_dialect.frontends.table_network import TableNetwork
from kan_dialect.ir.constants import Array, IntArray
from kan_dialect.ir.functions import module_of
from kan_dialect.ir.quant import UniformQuantizedType
from kan_dialect.ir.types import IntType, range_of
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.maths.truth_tables import planes, support, supports
from kan_dialect.ops.wire import ConstantOp, MarkOp, SumOp, TableOp
from kan_dialect.passes.merge_tables import MergeTablesPass

RANGES = [(0, 1), (-1, 0), (3, 4), (0, 3), (-2, 1), (-1, 1), (0, 7), (-4, 3), (2, 6)]


def random_table(rng: np.random.Generator, inputs: list[SSAValue], with_care: bool) -> TableOp:
    """Some entries do not matter, and are out of range."""
    shape = [range_of(value).size for value in inputs]
    entries = rng.integers(-20, 60, shape)
    care = rng.random(shape) < (0.8 if with_care else 1.0)
    entries[~care] = 1000
    name = f"t{rng.integers(1 << 30)}" if rng.random() < 0.5 else None
    return TableOp(inputs, entries, care=care, name=name)


def random_function(seed: int, *, with_care: bool) -> ModuleOp:
    """Sums of tables of one or two inputs and of other values; some tables have other readers."""
    rng = np.random.default_rng(seed)
    kinds = [IntType(*RANGES[i]) for i in rng.integers(len(RANGES), size=rng.integers(1, 5))]
    block = Block(arg_types=kinds)
    values: list[SSAValue] = list(block.args)
    ops: list[Operation] = []
    sums: list[SSAValue] = []
    for node in range(rng.integers(1, 4)):
        terms: list[SSAValue] = []
        for _ in range(rng.integers(1, 8)):
            count = min(int(rng.choice([1, 1, 1, 2])), len(values))
            chosen = [values[i] for i in rng.permutation(len(values))[:count]]
            table = random_table(rng, chosen, with_care and rng.random() < 0.3)
            ops.append(table)
            terms.extend([table.result] * int(rng.choice([1, 1, 1, 2])))
            if rng.random() < 0.1:
                ops.append(MarkOp(table.result, f"node{len(ops)}"))
        if rng.random() < 0.5:
            ops.append(ConstantOp(int(rng.integers(-9, 9))))
            terms.append(ops[-1].results[0])
        terms.extend(value for value in [*values, *sums] if rng.random() < 0.2)
        order = rng.permutation(len(terms))
        ops.append(SumOp([terms[i] for i in order], name=f"sum{node}"))
        sums.append(ops[-1].results[0])
    results = [*sums, *(op.results[0] for op in ops if op.results and rng.random() < 0.05)]
    block.add_ops(ops)
    return module_of("net", block, *results)


def outputs(module: ModuleOp) -> IntArray:
    """For all inputs, (outputs, samples); every value is within its type."""
    function = find_function(module)
    ranges = [range_of(argument) for argument in function.args]
    codes = np.meshgrid(*(np.arange(kind.low, kind.high + 1) for kind in ranges))
    terminator = function.get_return_op()
    assert terminator is not None
    inside = [value for op in function.body.block.ops for value in op.results]
    wanted = [*terminator.operands, *inside]
    found = evaluate_inside(function, [column.ravel() for column in codes], wanted)
    for value, seen in zip(wanted, found, strict=True):
        assert range_of(value).contains(int(seen.min()), int(seen.max()))
    return np.stack([np.broadcast_to(column, codes[0].size) for column in found][: -len(inside)])


def merged(module: ModuleOp, **options: str) -> ModuleOp:
    result = module.clone()
    run_passes(Context(), result, [MergeTablesPass(**options)], Checker(count=100))
    return result


def mergeable(op: SumOp) -> list[TableOp]:
    tables = [value.owner for value in op.inputs if isinstance(value.owner, TableOp)]
    return [t for t in tables if all(use.operation is op for use in t.result.uses)]


def sums_of(module: ModuleOp) -> list[SumOp]:
    return [op for op in module.walk() if isinstance(op, SumOp)]


def repeats_inputs(op: SumOp) -> bool:
    """Whether several of the tables that it alone reads are of the same inputs."""
    inputs = [frozenset(table.inputs) for table in mergeable(op)]
    return len(set(inputs)) < len(inputs)


def cost(module: ModuleOp, target: str) -> float:
    """Of all tables that only one sum reads, as its summands."""
    return sum(
        device(target).summand_cost(table.by_bit_pattern, range_of(op.result).bits)
        for op in sums_of(module)
        for table in mergeable(op)
    )


@settings(derandomize=True, deadline=None, max_examples=150)
@given(st.integers(0, 1 << 30), st.sampled_from(["xcup", "ice40", "lut6"]))
def test_sums_are_the_same_and_no_dearer(seed: int, target: str) -> None:
    module = random_function(seed, with_care=False)
    result = merged(module, target=target)
    np.testing.assert_array_equal(outputs(result), outputs(module))
    assert not any(repeats_inputs(op) for op in sums_of(result))
    apart = not any(repeats_inputs(op) for op in sums_of(module))
    if apart and len(sums_of(result)) == len(sums_of(module)):
        # Neither were there tables of the same inputs, which become one in any case, nor did a
        # table become the whole sum, without an adder.
        assert cost(result, target) <= cost(module, target)
    assert str(merged(module, target=target)) == str(result)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.integers(0, 1 << 30))
def test_entries_that_do_not_matter_still_do_not(seed: int) -> None:
    """Where an input reads one of them, sums may differ, but stay within their types."""
    module = random_function(seed, with_care=True)
    result = module.clone()
    MergeTablesPass().apply(Context(), result)
    result.verify()
    function = find_function(module)
    same = outputs(result) == outputs(module)
    assert same[:, matters(function)].all()


def matters(function: func.FuncOp) -> Array:
    """The samples in which no table reads an entry that does not matter."""
    ranges = [range_of(argument) for argument in function.args]
    codes = np.meshgrid(*(np.arange(kind.low, kind.high + 1) for kind in ranges))
    known: dict[SSAValue, Array] = {
        a: column.ravel() for a, column in zip(function.args, codes, strict=True)
    }
    found = np.ones(codes[0].size, dtype=np.bool_)
    for op in function.body.block.ops:
        if isinstance(op, TableOp):
            index = tuple(known[value] - range_of(value).low for value in op.inputs)
            found &= op.care_array[index]
    return found


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.integers(0, 1 << 30), st.integers(1, 60))
def test_support_of_many_planes_is_that_of_each(seed: int, bits: int) -> None:
    rng = np.random.default_rng(seed)
    entries = rng.integers(-(1 << 40), 1 << 40, (3, 1 << rng.integers(0, 10)))
    entries &= rng.integers(0, 1 << 40, (3, 1))
    inputs = (entries.shape[1] - 1).bit_length()
    expected = [[support(plane, inputs) for plane in planes(row, bits)] for row in entries]
    np.testing.assert_array_equal(supports(entries, bits), expected)


def binary_network(seed: int) -> ModuleOp:
    """16 inputs of a bit, hidden nodes of a bit."""
    rng = np.random.default_rng(seed)
    network = TableNetwork("net", UniformQuantizedType(1, False, 1.0), 16)
    mask = rng.random((8, 16)) < 0.9
    network.add_layer(rng.integers(-40, 41, (8, 16, 2)), mask=mask, saturate=(0, 1))
    network.add_layer(rng.integers(-40, 41, (4, 8, 2)))
    return network.module()


def test_a_binary_network_has_few_adders() -> None:
    module = binary_network(0)
    stages = CompilePass(target="ice40").passes()
    first = next(i for i, stage in enumerate(stages) if stage.name == "kan-merge-tables")
    run_passes(make_context(), module, stages[:first], Checker(count=100))
    result = merged(module, target="ice40")
    before, after = (sum(len(op.inputs) for op in sums_of(each)) for each in (module, result))
    assert after < 0.7 * before
    assert cost(result, "ice40") <= cost(module, "ice40")


def pruned_network(seed: int) -> ModuleOp:
    """Five hidden nodes of one edge each, which read three inputs; both outputs add up all."""
    rng = np.random.default_rng(seed)
    network = TableNetwork("net", UniformQuantizedType(4, True, 1.0), 3)
    mask = np.arange(3) == np.array([0, 1, 1, 2, 2])[:, np.newaxis]
    network.add_layer(rng.integers(-8, 8, (5, 3, 16)), mask=mask, saturate=(-8, 7))
    network.add_layer(rng.integers(-40, 41, (2, 5, 16)))
    return network.module()


def test_nodes_of_one_edge_go_into_the_tables_that_read_them() -> None:
    """Each output then adds up a table of each input, and says so to the check of passes."""
    module = pruned_network(0)
    stages = CompilePass().passes()
    after = next(i for i, stage in enumerate(stages) if stage.name == "kan-merge-tables") + 1
    run_passes(make_context(), module, stages[:after], Checker(count=500))
    function = find_function(module)
    assert isinstance(function, func.FuncOp)
    tables = [op for op in function.body.block.ops if isinstance(op, TableOp)]
    assert [op.inputs[0] for op in tables] == [*function.args, *function.args]
    assert dead_nodes(function) == {f"layer0_node{node}" for node in range(5)}
