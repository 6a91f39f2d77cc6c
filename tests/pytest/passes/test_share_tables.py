"""`kan-share-tables`: outputs stay what they were, and equal tables of one value exist once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, SSAValue

from kan_dialect.checking import Checker, run_passes
from kan_dialect.devices.device import device
from kan_dialect.devices.lut_count import luts_of
from kan_dialect.evaluate.interpreter import find_function
from kan_dialect.flows.prove.prove import prove
from kan_dialect.flows.tools import toolchain
from kan_dialect.frontends.loading import make_context
from kan_dialect.frontends.table_network import TableNetwork
from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.functions import module_of
from kan_dialect.ir.quant import UniformQuantizedType
from kan_dialect.ir.types import IntType, range_of
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.model.model import Model
from kan_dialect.ops.wire import MarkOp, SumOp, TableOp
from kan_dialect.passes.narrow import NarrowPass
from kan_dialect.passes.share_tables import ShareTablesPass

needs_yosys = pytest.mark.skipif(
    toolchain.look_for("yosys") is None, reason="Yosys is not installed"
)
RANGES = [(0, 7), (-8, 7), (0, 15), (-2, 3), (3, 34), (0, 63)]


def random_function(seed: int) -> ModuleOp:
    """Sums of tables that are a few functions of the inputs, with offsets and signs."""
    rng = np.random.default_rng(seed)
    kinds = [IntType(*RANGES[i]) for i in rng.integers(len(RANGES), size=rng.integers(1, 3))]
    if rng.random() < 0.5:
        kinds = [kinds[0], kinds[0]]  # Both have the same functions.
    block = Block(arg_types=kinds)
    shapes = [
        (value, [rng.integers(-5, 30, range_of(value).size) for _ in range(rng.integers(1, 3))])
        for value in block.args
    ]
    if len(set(kinds)) < len(kinds):
        shapes = [(value, shapes[0][1]) for value in block.args]
    cared = {value: rng.random(range_of(value).size) < 0.8 for value in block.args}
    ops: list[Operation] = []
    results: list[SSAValue] = []
    for node in range(rng.integers(1, 6)):
        terms: list[SSAValue] = [v for v in block.args if rng.random() < 0.2]
        for value, functions in shapes:
            for entries in functions:
                moved = entries * int(rng.choice([-1, 1])) + int(rng.integers(-9, 9))
                care = cared[value] if rng.random() < 0.2 else None
                kind = None if rng.random() < 0.9 else IntType(-99, 99)
                table = TableOp(
                    [value], moved, care=care, result_type=kind, name=f"t{node}_{len(ops)}"
                )
                ops.append(table)
                terms.extend([table.result] * int(rng.choice([1, 1, 1, 2])))
                if rng.random() < 0.1:
                    ops.append(MarkOp(table.result, f"node{len(ops)}"))
        ops.append(SumOp([terms[i] for i in rng.permutation(len(terms))], name=f"sum{node}"))
        results.append(ops[-1].results[0])
    block.add_ops(ops)
    return module_of("net", block, *results)


def cared_codes(module: ModuleOp) -> IntArray:
    """All inputs of which no table says that they do not matter: (samples, inputs)."""
    codes: list[IntArray] = []
    for value in find_function(module).args:
        kind = range_of(value)
        cares = [
            use.operation.care_array for use in value.uses if isinstance(use.operation, TableOp)
        ]
        kept = np.logical_and.reduce(cares) if cares else np.ones(kind.size, dtype=np.bool_)
        codes.append(np.arange(kind.low, kind.high + 1)[kept])
    return np.stack([axis.ravel() for axis in np.meshgrid(*codes)], axis=1)


def shared(module: ModuleOp, target: str) -> ModuleOp:
    result = module.clone()
    run_passes(make_context(), result, [ShareTablesPass(target=target)], Checker(count=100))
    return result


def summands(module: ModuleOp, limit: int) -> list[TableOp]:
    """Tables of so few input bits that only sums read, and whose type is what they hold."""
    return [
        op
        for op in module.walk()
        if isinstance(op, TableOp)
        and all(isinstance(use.operation, SumOp) for use in op.result.uses)
        and (op.filled.min(), op.filled.max())
        == (range_of(op.result).low, range_of(op.result).high)
        and range_of(op.inputs[0]).bits <= limit
    ]


def are_alike(first: TableOp, second: TableOp) -> bool:
    """Whether the difference or the sum of two tables is a constant."""
    if first.inputs[0] != second.inputs[0] or first.care != second.care:
        return False
    both = (first.filled - second.filled, first.filled + second.filled)
    return any(int(np.ptp(each)) == 0 for each in both)


@settings(derandomize=True, deadline=None, max_examples=120)
@given(st.integers(0, 1 << 30), st.sampled_from(["xcup", "ecp5", "lut6"]))
def test_sums_are_the_same(seed: int, target: str) -> None:
    module = random_function(seed)
    result = shared(module, target)
    codes = cared_codes(module)
    np.testing.assert_array_equal(
        Model.of(result).run_codes(codes), Model.of(module).run_codes(codes)
    )
    # Bits that are inverted take no LUT, whatever the range.
    inverters = [op for op in result.walk() if isinstance(op, TableOp)]
    inverters = [op for op in inverters if isinstance(op.inputs[0].owner, TableOp)]
    assert all(luts_of(op, device(target)) == 0 for op in inverters)
    # Every name is that of a table as it was, of its complement, or of a sum.
    names = {op.given_name for op in module.walk() if isinstance(op, TableOp | SumOp)}
    assert {op.given_name for op in result.walk() if isinstance(op, TableOp | SumOp)} <= names


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.integers(0, 1 << 30))
def test_without_adders_that_absorb_tables_equal_ones_exist_once(seed: int) -> None:
    module = random_function(seed)
    run_passes(make_context(), module, [NarrowPass()], Checker(count=100))
    result = shared(module, "ecp5")
    left = summands(result, device("ecp5").lut_inputs)
    arguments = find_function(result).args
    left = [table for table in left if table.inputs[0] in arguments]
    for index, table in enumerate(left):
        for other in left[:index]:
            # One-bit differences cost a table no LUT but those of adders.
            assert not are_alike(table, other) or int(np.ptp(table.filled)) <= 1


def tied_network(nodes: int = 6) -> ModuleOp:
    """A function for each input that all edges have, with another sign and offset each."""
    rng = np.random.default_rng(0)
    network = TableNetwork("net", UniformQuantizedType(4, False, 1.0), 5)
    for inputs, outputs in ((5, nodes), (nodes, 3)):
        functions = rng.integers(-20, 20, (inputs, 16))
        signs, offsets = (
            rng.choice([-1, 1], (outputs, inputs)),
            rng.integers(-3, 3, (outputs, inputs)),
        )
        entries = functions * signs[..., np.newaxis] + offsets[..., np.newaxis]
        network.add_layer(entries, saturate=(0, 15))
    return network.module()


@needs_yosys
@pytest.mark.parametrize("combinational", [False, True])
def test_a_tied_network_has_a_table_for_each_function_and_is_proven(
    combinational: bool, tmp_path: Path
) -> None:
    module = tied_network()
    integer = Model.of(module.clone())
    stages = CompilePass(combinational=combinational).passes()
    first = next(i for i, stage in enumerate(stages) if stage.name == "kan-split-tables")
    run_passes(make_context(), module, stages[:first], Checker(count=100))
    tables = [op for op in module.walk() if isinstance(op, TableOp)]
    whole = [table for table in tables if not isinstance(table.inputs[0].owner, TableOp)]
    assert len(whole) == 5 + 6
    for table in set(tables) - set(whole):
        # Its bits are those of a table, inverted.
        assert set(table.filled + range_of(table.inputs[0]).bit_patterns[: len(table.filled)]) == {
            (1 << range_of(table.inputs[0]).bits) - 1
        }
    run_passes(make_context(), module, stages[first:], Checker(count=100))
    rtl = tmp_path / "net.sv"
    rtl.write_text(emit_systemverilog(module))
    proof = prove(rtl, integer, Model.of(module))
    assert proof.proven, [outcome for outcome in proof.outcomes if not outcome.proven]
    assert not proof.plan.missing
