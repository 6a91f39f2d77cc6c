"""A layer's edge functions as numbers: at points over what calibration saw of their inputs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from xdsl.dialects import func
from xdsl.ir import Block, SSAValue

from kan_dialect.constants import BoolArray, FloatArray, to_floats, to_integers
from kan_dialect.cuts import observer
from kan_dialect.errors import KanError
from kan_dialect.semantics import evaluate_values, is_univariate
from kan_dialect.spline_ops import NodeSumOp, ObserveOp

POINTS = 127
"""Points at which edges are compared."""
BEYOND = 1.05
"""They reach up to a twentieth beyond the range that was seen."""
EVERYWHERE = 0.1
"""The weight of the whole range, beside that of where values were seen."""


class EdgeSamples(NamedTuple):
    """Edges of a layer at points t of -1 .. 1, and a little beyond: x = centre + half * t.

    Parameters
    ----------
    source : what the edges read, (in).
    t : (points,), the same of all inputs.
    centre, half : (in), the middle and half the width of what was seen.
    values : (points, out, in)
    weights : (in, points), which add up to 1 for each input.
    kept : (out, in), edges that exist and are finite.
    """

    source: SSAValue
    t: FloatArray
    centre: FloatArray
    half: FloatArray
    values: FloatArray
    weights: FloatArray
    kept: BoolArray


def sample_edges(function: func.FuncOp, nodes: NodeSumOp) -> EdgeSamples | None:
    """The edges of a layer; None where they are functions of several vectors.

    Raises
    ------
    KanError : calibration did not see the layer's inputs.
    """
    source = edge_source(nodes.edges)
    if source is None:
        return None
    seen = source.owner if isinstance(source.owner, ObserveOp) else observer(source)
    if seen is None:
        raise KanError(
            f"@{function.sym_name.data}: the inputs' ranges of {nodes.given_name or 'a layer'} "
            "are not known",
            remedy="run kan-calibrate first",
        )
    t = np.linspace(-BEYOND, BEYOND, POINTS)
    low, high = to_floats(seen.seen).T
    centre, half = (low + high) / 2, np.maximum((high - low) / 2, 1e-9)
    x = centre + half * t[:, np.newaxis]
    (values,) = evaluate_values([nodes.edges], {source: x}, ops=function.body.block.ops)
    kept = nodes.mask_array & np.isfinite(values).all(axis=0)
    weights = _weights(to_integers(seen.histogram).astype(np.float64), t)
    return EdgeSamples(source, t, centre, half, values, weights, kept)


def edge_source(edges: SSAValue) -> SSAValue | None:
    """The value of which edges are functions; None where there is not one."""
    sources: set[SSAValue] = set()
    pending = [edges]
    while pending:
        value = pending.pop()
        owner = value.owner
        if isinstance(owner, Block) or not is_univariate(owner):
            sources.add(value)
        else:
            pending.extend(owner.operands)
    return sources.pop() if len(sources) == 1 else None


def _weights(histogram: FloatArray, t: FloatArray) -> FloatArray:
    """Weights (inputs, points) of points t, of which -1 .. 1 are the histogram's ends."""
    bins = histogram.shape[1]
    centres = np.arange(1, 2 * bins, 2, dtype=np.float64) / bins - 1
    nearest = np.abs(t - centres[:, np.newaxis]).argmin(axis=1)
    shares = histogram / histogram.sum(axis=1, keepdims=True)
    weights = shares @ np.eye(len(t))[nearest]
    inside = np.abs(t) <= 1.0
    return (1 - EVERYWHERE) * weights + EVERYWHERE * inside / inside.sum()
