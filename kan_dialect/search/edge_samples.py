"""A layer's edge functions as numbers: at points over what calibration saw of their inputs."""

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
    seen = seen_of(source)
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


def edge_errors(
    values: FloatArray, fitted: FloatArray, weights: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The root mean square error of each edge (out, in), and the deviation of its node (out, 1).

    A node varies by what its edges vary by, as if its inputs were independent.

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
    """What is wrong with the worst of some edges, in words.

    Parameters
    ----------
    error, node : see `edge_errors`; share : of the deviation of its node, what was allowed.
    wrong : (n, 2), the edges.
    """
    o, i = max(wrong.tolist(), key=lambda edge: float(error[edge[0], edge[1]]))
    return (
        f"edge [{o}, {i}] of {layer} is off by {error[o, i]:.3g}, its node varies by "
        f"{node[o, 0]:.3g} and {share:g} of that was allowed"
    )


def seen_of(value: SSAValue) -> ObserveOp | None:
    """What calibration saw of a value."""
    return value.owner if isinstance(value.owner, ObserveOp) else observer(value)


def _weights(histogram: FloatArray, t: FloatArray) -> FloatArray:
    """Weights (inputs, points) of points t, of which -1 .. 1 are the histogram's ends."""
    bins = histogram.shape[1]
    centres = np.arange(1, 2 * bins, 2, dtype=np.float64) / bins - 1
    nearest = np.abs(t - centres[:, np.newaxis]).argmin(axis=1)
    shares = histogram / histogram.sum(axis=1, keepdims=True)
    weights = shares @ np.eye(len(t))[nearest]
    inside = np.abs(t) <= 1.0
    return (1 - EVERYWHERE) * weights + EVERYWHERE * inside / inside.sum()
