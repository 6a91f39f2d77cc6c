"""Clamps that `kan-fold-clamps` rewrites: against NumPy, for every input."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.context import Context
from xdsl.ir import Block, SSAValue

from kan_dialect.analysis.nodes import dead_nodes
from kan_dialect.analysis.wires import wire_functions
from kan_dialect.checking import Checker, run_passes
from kan_dialect.devices.carry_chains import inverts_top
from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.functions import module_of
from kan_dialect.ir.types import IntType, range_of
from kan_dialect.model.model import Model
from kan_dialect.ops.clamp import ClampOp
from kan_dialect.ops.shift import ShiftOp
from kan_dialect.ops.wire import ConstantOp, MarkOp, SumOp, TableOp
from kan_dialect.passes.fold_clamps import FoldClampsPass
from kan_dialect.passes.narrow import NarrowPass


def codes_of(kind: IntType) -> IntArray:
    return np.arange(kind.low, kind.high + 1)


class Network:
    """Two layers: tables, sums, clamps, which are marked, tables, sums; and what it computes."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        kinds = [IntType(0, int(self.rng.integers(2, 16))) for _ in range(2)]
        self.block = Block(arg_types=kinds)
        grid = np.meshgrid(*map(codes_of, kinds), indexing="ij")
        self.inputs = np.stack([axis.ravel() for axis in grid], axis=1)
        arguments: list[SSAValue] = list(self.block.args)
        nodes, codes = self.layer(arguments, list(self.inputs.T), 0, clamped=True)
        self.nodes = {f"layer0_node{i}": column for i, column in enumerate(codes)}
        results, outputs = self.layer(nodes, codes, 1, clamped=False)
        self.outputs = np.stack(outputs, axis=1)
        self.module = module_of("net", self.block, *results)

    def layer(
        self, values: list[SSAValue], codes: list[IntArray], layer: int, *, clamped: bool
    ) -> tuple[list[SSAValue], list[IntArray]]:
        found: list[SSAValue] = []
        columns: list[IntArray] = []
        for node in range(int(self.rng.integers(1, 4))):
            kept = [i for i in range(len(values)) if self.rng.random() < 0.8] or [0]
            terms = [self.table(values[i], f"layer{layer}_edge{node}_{i}") for i in kept]
            tables = [table.entries_array for table in terms]
            total = sum(
                (
                    entries[codes[i] - range_of(values[i]).low]
                    for i, entries in zip(kept, tables, strict=True)
                ),
                np.zeros(len(self.inputs), dtype=np.int64),
            )
            constant = int(self.rng.integers(-9, 10))
            self.block.add_ops([*terms, offset := ConstantOp(constant)])
            whole = SumOp([*terms, offset], name=f"layer{layer}_sum{node}")
            self.block.add_op(whole)
            value, total = whole.result, total + constant
            if clamped and self.rng.random() < 0.3:
                # As where the scale of the codes is another: a constant behind a shift.
                shifted, behind = ShiftOp(value, 1), ConstantOp(3)
                moved = SumOp([shifted, behind])
                self.block.add_ops([shifted, behind, moved])
                value, total = moved.result, np.rint(total / 2).astype(np.int64) + 3
            if clamped:
                low, high = self.ends()
                name = f"layer{layer}_node{node}"
                clamp = ClampOp(value, low, high, name=name)
                self.block.add_ops([clamp, MarkOp(clamp, name)])
                value, total = clamp.result, np.clip(total, low, high)
            elif self.rng.random() < 0.4:
                low, high = self.ends()
                self.block.add_op(clamp := ClampOp(value, low, high))
                value, total = clamp.result, np.clip(total, low, high)
            found.append(value)
            columns.append(total)
        return found, columns

    def ends(self) -> tuple[int, int]:
        """Of a clamp: anywhere, or all that some bits hold."""
        if self.rng.random() < 0.4:
            half = 1 << int(self.rng.integers(1, 5))
            return -half, half - 1
        low = int(self.rng.integers(-9, 3))
        return low, low + int(self.rng.choice([3, 7, 11, 15]))

    def table(self, value: SSAValue, name: str) -> TableOp:
        """Flat at its ends, at times, and with entries that are far out."""
        size = range_of(value).size
        reach = int(self.rng.choice([2, 9, 40]))
        entries = np.cumsum(self.rng.integers(-reach, reach + 1, size))
        flat = self.rng.integers(0, size // 2 + 1, 2)
        index = np.arange(size).clip(int(flat[0]), max(int(flat[0]), size - 1 - int(flat[1])))
        return TableOp([value], entries[index], name=name)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.integers(0, 2**32), st.sampled_from(["xcup", "ecp5", "lut4"]))
def test_outputs_and_nodes_stay(seed: int, target: str) -> None:
    network = Network(seed)
    run_passes(
        Context(), network.module, [NarrowPass(), FoldClampsPass(target=target)], Checker(count=50)
    )
    outputs, nodes = Model.of(network.module).run_nodes(network.inputs)
    np.testing.assert_array_equal(outputs, network.outputs)
    (function,) = wire_functions(network.module)
    dead = dead_nodes(function)
    assert nodes.keys() | dead == network.nodes.keys() and nodes.keys().isdisjoint(dead)
    for node, codes in nodes.items():
        np.testing.assert_array_equal(codes, network.nodes[node])


def test_clamps_go_and_stay() -> None:
    """Among random networks there are both; where clamps go, so do the sums' constants.

    And there are nodes that are one table, and clamps that start from 0, with and without half of
    the range off again.
    """
    kinds: set[str] = set()
    for seed in range(40):
        network = Network(seed)
        for each in (NarrowPass(), FoldClampsPass()):
            each.apply(Context(), network.module)
        for op in network.module.walk():
            match op:
                case SumOp() if inverts_top(op) is not None:
                    kinds.add("half off again")
                case MarkOp() if isinstance(op.value.owner, ClampOp) and op.offset.value.data < 0:
                    kinds.add("from zero")
                case ClampOp():
                    kinds.add("clamp")
                case TableOp() if len(op.inputs) > 1:
                    kinds.add("node")
                case MarkOp() if op.within is not None:
                    kinds.add("moved" if op.offset.value.data else "in place")
                case _:
                    pass
    assert {"clamp", "node", "moved", "from zero", "half off again"} <= kinds


def test_a_clamp_of_a_constant_sum() -> None:
    """As before `kan-narrow`: the sum that a clamp reads adds constants only."""
    block = Block(arg_types=[IntType(0, 3)])
    zero, offset = ConstantOp(0), ConstantOp(-2)
    whole = SumOp([zero, offset])
    clamp = ClampOp(whole, -1, 0)
    table = TableOp([clamp.result], np.array([5, 7]))
    block.add_ops([zero, offset, whole, clamp, table])
    module = module_of("net", block, table.result)
    FoldClampsPass().apply(Context(), module)
    module.verify()
    assert Model.of(module).run_codes(np.arange(4)[:, np.newaxis]).tolist() == [[5]] * 4
