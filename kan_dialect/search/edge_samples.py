"""A layer's edge functions, sampled over the ranges that calibration saw of their inputs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from xdsl.dialects import func
from xdsl.ir import Block, SSAValue

from kan_dialect.analysis.quantization_points import observer
from kan_dialect.errors import KanError
from kan_dialect.evaluate.interpreter import evaluate_values
from kan_dialect.ir.constants import Array, BoolArray, FloatArray, to_floats, to_integers
from kan_dialect.ir.semantics import is_univariate
from kan_dialect.ops.layer import NodeSumOp, ObserveOp
from kan_dialect.ops.table import DequantizeOp

POINTS = 127
"""Number of points at which edges are sampled."""
BEYOND = 1.05
"""End of the points, as a multiple of half the seen range."""
EVERYWHERE = 0.1
"""Weight of the whole range; the rest is the weight of the seen values."""


class EdgeSamples(NamedTuple):
    """Edges of a layer at points t of -1 .. 1 and slightly beyond, where x = centre + half * t.

    Parameters
    ----------
    source : the value that the edges read, (in).
    t : (points,), the same for all inputs.
    centre, half : (in), centre and half width of the seen ranges.
    values : (points, out, in)
    weights : (in, points), which add up to 1 for each input.
    kept : (out, in), whether an edge exists and is finite.
    """

    source: SSAValue
    t: FloatArray
    centre: FloatArray
    half: FloatArray
    values: FloatArray
    weights: FloatArray
    kept: BoolArray


def sample_edges(function: func.FuncOp, nodes: NodeSumOp) -> EdgeSamples | None:
    """Samples of a layer's edges; None where these are functions of several vectors.

    Raises
    ------
    KanError : calibration did not see the layer's inputs.
    """
    source = edge_source(nodes.edges)
    if source is None:
        return None
    seen = seen_of(source)
    if seen is None:
        layer = nodes.given_name or "a layer"
        raise unknown_range(
            source, f"@{function.sym_name.data}: the inputs' ranges of {layer} are not known"
        )
    t = np.linspace(-BEYOND, BEYOND, POINTS)
    low, high = to_floats(seen.seen).T
    centre, half = (low + high) / 2, np.maximum((high - low) / 2, 1e-9)
    x = centre + half * t[:, np.newaxis]
    (values,) = evaluate_values([nodes.edges], {source: x}, ops=function.body.block.ops)
    kept = nodes.mask_array & np.isfinite(values).all(axis=0)
    weights = _weights(to_integers(seen.histogram).astype(np.float64), t)
    return EdgeSamples(source, t, centre, half, values, weights, kept)


def unknown_range(source: SSAValue, message: str) -> KanError:
    """The error that a layer reads values whose range nobody observed."""
    coded = isinstance(source.owner, DequantizeOp)
    remedy = "its inputs have codes of the model's file; leave this pass or option out"
    return KanError(message, remedy=remedy if coded else "run kan-calibrate first")


def edge_source(edges: SSAValue) -> SSAValue | None:
    """The one value that edges are functions of; None where they read several.

    Values of codes are such a value, results of `kan.dequantize`.
    """
    sources: set[SSAValue] = set()
    pending = [edges]
    while pending:
        value = pending.pop()
        owner = value.owner
        if isinstance(owner, Block | DequantizeOp) or not is_univariate(owner):
            sources.add(value)
        else:
            pending.extend(owner.operands)
    return sources.pop() if len(sources) == 1 else None


def edge_errors(
    values: FloatArray, fitted: FloatArray, weights: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Root mean square error of each edge (out, in), and standard deviation of its node (out, 1).

    The variance of a node is the sum of its edges' variances, as if its inputs were independent.

    Parameters
    ----------
    values, fitted : (points, out, in); weights : (in, points).
    """
    each = weights.T[:, np.newaxis]
    error = np.sqrt((each * (fitted - values) ** 2).sum(axis=0))
    mean = (each * values).sum(axis=0)
    variance = (each * (values - mean) ** 2).sum(axis=0)
    return error, np.sqrt(variance.sum(axis=1, keepdims=True))


def is_off(layer: str, error: FloatArray, node: FloatArray, share: float, wrong: Array) -> str:
    """A message on the worst of some edges whose error is too large.

    Parameters
    ----------
    error, node : see `edge_errors`.
    share : error that was allowed, relative to the deviation of the node.
    wrong : (n, 2), the edges.
    """
    o, i = max(wrong.tolist(), key=lambda edge: float(error[edge[0], edge[1]]))
    return (
        f"edge [{o}, {i}] of {layer} is off by {error[o, i]:.3g}, its node varies by "
        f"{node[o, 0]:.3g} and {share:g} of that was allowed"
    )


def seen_of(value: SSAValue) -> ObserveOp | None:
    """The observation of a value by calibration."""
    return value.owner if isinstance(value.owner, ObserveOp) else observer(value)


def _weights(histogram: FloatArray, t: FloatArray) -> FloatArray:
    """Weights (inputs, points) of points t; the histogram spans -1 .. 1."""
    bins = histogram.shape[1]
    centres = np.arange(1, 2 * bins, 2, dtype=np.float64) / bins - 1
    nearest = np.abs(t - centres[:, np.newaxis]).argmin(axis=1)
    shares = histogram / histogram.sum(axis=1, keepdims=True)
    weights = shares @ np.eye(len(t))[nearest]
    inside = np.abs(t) <= 1.0
    return (1 - EVERYWHERE) * weights + EVERYWHERE * inside / inside.sum()
