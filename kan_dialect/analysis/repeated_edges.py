"""Layers that repeat edge functions, as convolutions do, and their size when unrolled.

Every edge of a layer gets hardware of its own, so the size of such a layer is a surprise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue

from kan_dialect.evaluate.interpreter import evaluate_values
from kan_dialect.ir.constants import Array, FloatArray
from kan_dialect.ir.functions import functions_of
from kan_dialect.ir.types import is_float_tensor, tensor_shape
from kan_dialect.ops.layer import NodeSumOp

PROBES = np.array([-1.3, -0.7, -0.2, 0.3, 0.9, 1.6])
"""Inputs at which edge functions are compared."""
OFTEN = 4
"""Smallest mean number of edges per function of a layer that repeats its functions."""


@dataclass(frozen=True)
class Repetition:
    """A layer with edges between some of its inputs and nodes only, and few functions on them."""

    name: str
    layer: int
    """Its place among the function's layers."""
    nodes: int
    edges: int
    functions: int


def repetitions(module: ModuleOp) -> list[Repetition]:
    """The layers of functions of floats that are like convolutions.

    Edges that agree at all `PROBES`, up to a constant, have one function. Edges that are constant
    there do not count.
    """
    found: list[Repetition] = []
    for function in functions_of(module):
        sums = [op for op in function.body.block.ops if isinstance(op, NodeSumOp)]
        if sums and all(is_float_tensor(op.result) for op in sums):
            found += _of_function(function, sums)
    return found


def _of_function(function: func.FuncOp, sums: list[NodeSumOp]) -> list[Repetition]:
    ops = list(function.body.block.ops)
    known: dict[SSAValue, Array] = {}
    for value in (*function.body.block.args, *(op.result for op in sums)):
        if is_float_tensor(value):
            shape = tensor_shape(value)
            known[value] = np.broadcast_to(PROBES[:, np.newaxis], (len(PROBES), *shape))
    found: list[Repetition] = []
    for layer, op in enumerate(sums):
        with np.errstate(all="ignore"):
            (values,) = evaluate_values([op.edges], known, ops=ops)
        masked = np.where(op.mask_array, values, 0.0).reshape(len(PROBES), -1)
        # A constant goes into the node's bias.
        curves: FloatArray = (masked - masked[0]).T.astype(np.float64)
        # Relative to the layer's largest value: float32 weights differ by less.
        size = float(np.abs(curves).max(initial=0.0))
        if not np.isfinite(size) or not size:
            continue
        curves = np.round(curves / size, 6) + 0.0  # no -0
        live = curves[curves.any(axis=1)]
        functions = len(np.unique(live, axis=0))
        local = len(live) < 0.9 * len(curves)
        if local and functions * OFTEN <= len(live):
            name = op.given_name or f"layer {layer}"
            found.append(Repetition(name, layer, op.mask_array.shape[0], len(live), functions))
    return found
