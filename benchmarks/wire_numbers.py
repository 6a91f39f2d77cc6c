"""A network as numbers for da4ml and alkaid, which `peer_network.py` reads in their environment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue

from kan_dialect.analysis.wires import wire_functions
from kan_dialect.frontends.loading import make_context
from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.types import range_of
from kan_dialect.model.interface import Port
from kan_dialect.model.model import Model
from kan_dialect.ops.clamp import ClampOp
from kan_dialect.ops.shift import ShiftOp
from kan_dialect.ops.wire import ConstantOp, SumOp, TableOp
from kan_dialect.passes.expand_wires import ExpandWiresPass

SAMPLES = 1000
"""Samples whose outputs are compared."""


def random_codes(ports: Sequence[Port], samples: int) -> IntArray:
    """Codes (samples, ports) over the whole range of each port."""
    low, high = np.array([[port.low, port.high] for port in ports]).T
    return np.random.default_rng(1).integers(low, high + 1, size=(samples, len(ports)))


def as_numbers(module: ModuleOp) -> dict[str, Any]:
    """A network at table level as `peer_network.py` reads it; the module is expanded to wires."""
    given = Model.of(module)
    ports = given.interface().inputs
    codes = random_codes(ports, SAMPLES)
    outputs = given.run_codes(codes)
    ExpandWiresPass().apply(make_context(), module)
    (function,) = wire_functions(module)
    places: dict[SSAValue, int] = {value: place for place, value in enumerate(function.args)}
    ops: list[list[Any]] = []
    results: list[int] = []
    for op in function.body.block.ops:
        match op:
            case ConstantOp():
                ops.append(["constant", op.value.value.data])
            case TableOp():
                kind = range_of(op.inputs[0])
                entries = op.entries_array.tolist()
                ops.append(["table", places[op.inputs[0]], entries, kind.low, kind.high])
            case SumOp():
                ops.append(["sum", [places[value] for value in op.inputs]])
            case ShiftOp():
                ops.append(["shift", places[op.input], op.amount.value.data])
            case ClampOp():
                kind = range_of(op.result)
                sign = int(kind.is_signed)
                ops.append(["clamp", places[op.input], kind.low, kind.high, sign, kind.bits - sign])
            case func.ReturnOp():
                results = [places[value] for value in op.operands]
                continue
            case _:
                continue
        places[op.results[0]] = len(places)
    numbers = {
        "low": [port.low for port in ports],
        "high": [port.high for port in ports],
        "ops": ops,
        "results": results,
    }
    return {**numbers, "codes": codes.tolist(), "outputs": outputs.tolist()}
