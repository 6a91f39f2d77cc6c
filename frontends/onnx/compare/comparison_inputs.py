"""Chooses the inputs on which an imported network is compared with its file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from xdsl.dialects import func
from xdsl.ir import SSAValue

from kan_dialect.frontends.onnx.operators.thresholds import Thresholds
from kan_dialect.ir.constants import DenseAttr, FloatArray, to_floats
from kan_dialect.ir.types import tensor_shape
from kan_dialect.ops.layer import AffineOp
from kan_dialect.ops.spline import BSplineOp, RadialOp

_SEED = 2024


@dataclass(frozen=True, eq=False)
class ComparisonInputs:
    """Inputs to compare networks on, beside those around a function's grids.

    Attributes
    ----------
    groups : (rows, in) each, float64, the likeliest inputs last.
    thresholds : where the model branches, if it does.
    samples : (samples, in), float64, real inputs.
    """

    groups: Sequence[FloatArray] = ()
    thresholds: Thresholds | None = None
    samples: FloatArray | None = None


NO_FURTHER_INPUTS = ComparisonInputs()
"""The inputs around the grids only."""


def sample_inputs(function: func.FuncOp) -> tuple[FloatArray, FloatArray]:
    """Random inputs (samples, in), float64: within the function's grid with its knots, and
    beyond it.

    All are float32 values, so that every runtime computes from the same numbers.
    """
    argument = function.body.block.args[0]
    low, high = input_range(argument)
    rng = np.random.default_rng(_SEED)
    center, half = (low + high) / 2, (high - low) / 2
    uniform = rng.uniform(-1.0, 1.0, (160, low.size)) * half + center
    knots = _knots_read_from(argument)
    inside = [uniform, center[np.newaxis], low[np.newaxis]]
    if knots is not None:
        inside.append(
            np.take_along_axis(knots, rng.integers(0, knots.shape[1], (low.size, 48)), 1).T
        )
    outside = [
        rng.normal(size=(48, low.size)) * half + center,
        rng.uniform(-3.0, 3.0, (48, low.size)) * half + center,
        rng.uniform(-40.0, 40.0, (8, low.size)) * half + center,
    ]
    return round_to_float32(np.concatenate(inside)), round_to_float32(np.concatenate(outside))


def round_to_float32(x: FloatArray) -> FloatArray:
    """The nearest float32 values, as float64; infinite beyond the largest."""
    with np.errstate(over="ignore"):
        return x.astype(np.float32).astype(np.float64)


def input_range(value: SSAValue) -> tuple[FloatArray, FloatArray]:
    """Likely range of a value (in): the range of the grids of the ops that read it.

    Returns
    -------
    low, high : (in), float64; -3 and 3 if no op has a grid.
    """
    (size,) = tensor_shape(value)
    lows: list[FloatArray] = []
    highs: list[FloatArray] = []
    for use in value.uses:
        match use.operation:
            case BSplineOp() as op:
                knots = op.knot_vector
                lows.append(np.broadcast_to(knots.min(-1), size))
                highs.append(np.broadcast_to(knots.max(-1), size))
            case RadialOp() as op:
                centers, widths = to_floats(op.centers), to_floats(op.widths)
                lows.append(np.broadcast_to((centers - 2 * widths).min(-1), size))
                highs.append(np.broadcast_to((centers + 2 * widths).max(-1), size))
            case AffineOp() as op:
                low, high = input_range(op.result)
                scale = np.broadcast_to(to_floats(cast(DenseAttr, op.scale)), size)
                scale = np.where(scale == 0.0, 1.0, scale)
                ends = [(end - to_floats(cast(DenseAttr, op.bias))) / scale for end in (low, high)]
                lows.append(np.minimum(*ends))
                highs.append(np.maximum(*ends))
            case _:
                pass
    if not lows:
        return np.full(size, -3.0), np.full(size, 3.0)
    return np.min(lows, axis=0), np.max(highs, axis=0)


def _knots_read_from(argument: SSAValue) -> FloatArray | None:
    """Knots (in, K) of the B-splines that read the argument itself; None without any."""
    for use in argument.uses:
        if isinstance(use.operation, BSplineOp):
            knots = use.operation.knot_vector
            return np.broadcast_to(knots, (use.operation.inputs, knots.shape[-1]))
    return None
