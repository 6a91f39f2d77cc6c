"""Ranges of sums that are proven for their summands together, against all values of the inputs."""

from __future__ import annotations

import numpy as np
import pytest
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue
from xdsl.utils.exceptions import VerifyException

from kan_dialect.evaluate.interpreter import evaluate_function
from kan_dialect.ir.types import IntType, range_of
from kan_dialect.ops.clamp import ClampOp
from kan_dialect.ops.shift import ShiftOp
from kan_dialect.ops.wire import ConstantOp, DelayOp, ExtractOp, SumOp, TableOp
from wire_circuits import Circuit


def reached(circuit: Circuit, result: SSAValue) -> tuple[int, int]:
    """Smallest and largest value over all inputs."""
    axes = [np.arange(range_of(x).low, range_of(x).high + 1) for x in circuit.block.args]
    columns = [axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")]
    (values,) = evaluate_function(circuit.finish(result), columns)
    return int(values.min()), int(values.max())


def chain(seed: int, ends: tuple[int, int] | None) -> tuple[Circuit, SSAValue]:
    """A sum of tables that read a sum below them, all functions of one input, of a given range."""
    rng = np.random.default_rng(seed)
    circuit = Circuit((-8, 7))
    (x,) = circuit.block.args
    inner = circuit.add(SumOp([circuit.table(x, rng), circuit.table(x, rng)]))
    clamped = circuit.add(ClampOp(inner, -6, 5))
    shifted = circuit.add(ShiftOp(inner, 1))
    bits = circuit.add(ExtractOp(clamped, 0, 2))
    three = circuit.add(ConstantOp(3))
    more = circuit.add(SumOp([clamped, three]))
    summands = [circuit.table(v, rng) for v in (inner, clamped, shifted, bits, more, x)]
    late = circuit.add(DelayOp(summands[0], 1))
    kind = None if ends is None else IntType(*ends)
    return circuit, circuit.add(SumOp([late, *summands[1:]], result_type=kind))


@pytest.mark.parametrize("seed", range(10))
def test_the_range_is_exact_through_sums_below_tables(seed: int) -> None:
    low, high = reached(*chain(seed, None))
    circuit, result = chain(seed, (low, high))
    ModuleOp([circuit.finish(result)]).verify()
    for narrower in ((low + 1, high), (low, high - 1)):
        circuit, result = chain(seed, narrower)
        with pytest.raises(VerifyException, match=f"the sum can be {low}:{high}, which"):
            ModuleOp([circuit.finish(result)]).verify()


def test_values_of_two_inputs_are_not_proven_together_and_the_remedy_is_named() -> None:
    circuit = Circuit((0, 3), (0, 3))
    x, y = circuit.block.args
    total = circuit.add(SumOp([x, y]))
    rising = circuit.add(TableOp([total], np.arange(7)))
    falling = circuit.add(TableOp([x], np.array([3, 2, 1, 0])))
    result = circuit.add(SumOp([rising, falling], result_type=IntType(3, 6)))
    function = circuit.finish(result)
    with pytest.raises(VerifyException, match="run kan-narrow before that pass"):
        ModuleOp([function]).verify()


def test_deep_chains_of_one_input_verify_in_linear_time() -> None:
    """Every node reads all nodes of the layer before: paths grow exponentially."""
    circuit = Circuit((0, 3))
    nodes = list(circuit.block.args) * 4
    for _ in range(40):
        layer: list[SSAValue] = []
        for _ in range(4):
            tables = [circuit.add(TableOp([v], np.arange(range_of(v).size) % 3)) for v in nodes]
            layer.append(circuit.add(ClampOp(circuit.add(SumOp(tables)), 0, 3)))
        nodes = layer
    mirrored = circuit.add(TableOp([nodes[0]], np.array([3, 2, 1, 0])))
    result = circuit.add(SumOp([nodes[0], mirrored], result_type=IntType(3, 3)))
    ModuleOp([circuit.finish(result)]).verify()
