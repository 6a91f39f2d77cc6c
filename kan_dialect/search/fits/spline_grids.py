"""Grids of the B-splines that `kan-fit-splines` fits, edges at points over a grid, and the fits.

A layer keeps the grid of its own uniform B-spline, extended by whole cells over the observed range.
Without one, the grid spans the observed range.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from xdsl.dialects import arith, func
from xdsl.ir import SSAValue

from kan_dialect.errors import KanError
from kan_dialect.evaluate.interpreter import evaluate_values
from kan_dialect.ir.constants import BoolArray, FloatArray, to_floats, to_integers
from kan_dialect.ir.types import tensor_shape
from kan_dialect.maths.bsplines import extend_grid, uniform_grid
from kan_dialect.ops.layer import AffineOp, NodeSumOp, ObserveOp
from kan_dialect.ops.spline import BSplineOp
from kan_dialect.search.edge_samples import edge_source, seen_of, unknown_range
from kan_dialect.search.fits.spline_fit import fit_points, fit_splines, fit_weights, spline_values

DEFAULT_CELLS = 8
DEFAULT_DEGREE = 3
"""Of layers without a B-spline to take them from."""
MAX_CELLS = 1024
ROUNDING = 1e-9
"""Errors up to this share of an edge's size, or of 1 where that is more, are rounding."""


@dataclass(frozen=True)
class LayerGrid:
    """The uniform grid of a layer."""

    source: SSAValue
    """The vector (in) that the edges are functions of."""
    knots: FloatArray
    """(in, cells + 1 + 2 * degree), float64."""
    degree: int

    @property
    def cells(self) -> int:
        """Number of cells between the first and the last grid point."""
        return self.knots.shape[1] - 1 - 2 * self.degree

    @property
    def ends(self) -> FloatArray:
        """The first and the last grid point, (in, 2)."""
        return self.knots[:, [self.degree, -1 - self.degree]]


class GridSamples(NamedTuple):
    """Edges at points over a grid.

    Parameters
    ----------
    points : (points, in), see `fit_points`.
    values : (points, out, in), 0 for pruned edges.
    weights : (points, in), see `fit_weights`.
    """

    points: FloatArray
    values: FloatArray
    weights: FloatArray


def choose_grid(
    nodes: NodeSumOp, cells: int | None, degree: int | None, where: str
) -> tuple[LayerGrid, FloatArray]:
    """The grid of a layer, and coefficients (out, in, cells + degree) of its own B-spline on it.

    Parameters
    ----------
    cells, degree : of a new grid; None takes those of the layer's B-spline, else the defaults.
    where : function and layer, for messages.

    Raises
    ------
    KanError : edges read several vectors, the range is unknown, or the grid has too many cells.
    """
    source = edge_source(nodes.edges)
    if source is None:
        raise KanError(
            f"{where} has edges that are functions of several vectors",
            remedy="B-splines can be fitted to functions of one value",
        )
    inputs, outputs = tensor_shape(source)[0], tensor_shape(nodes.edges)[0]
    spline = next(_own_splines(nodes.edges, source), None)
    seen = seen_of(source)
    own = None if spline is None else uniform_grid(spline.knots, spline.degree)
    wanted = cells is not None or degree is not None
    if spline is not None and own is not None and not wanted:
        return _extended(source, spline, own, seen, where)
    if degree is None:
        degree = spline.degree if spline is not None else DEFAULT_DEGREE
    if cells is None:
        cells = spline.cells if spline is not None else DEFAULT_CELLS
    ranges: list[FloatArray] = [] if seen is None else [to_floats(seen.seen)]
    if spline is not None:
        ranges.append(spline.inner)
    if not ranges:
        raise unknown_range(
            source,
            f"{where}: the ranges of its inputs are not known, and it has no B-spline "
            "whose grid could be taken",
        )
    low: FloatArray = np.stack(ranges)[..., 0].min(axis=0)
    high: FloatArray = np.stack(ranges)[..., 1].max(axis=0)
    # An input that never changes gets a grid of width 1.
    flat = high - low <= 1e-9 * np.maximum(np.abs(low), 1.0)
    low, high = np.where(flat, low - 0.5, low), np.where(flat, high + 0.5, high)
    knots = extend_grid(np.linspace(low, high, cells + 1, axis=-1), degree)
    return LayerGrid(source, knots, degree), np.zeros((outputs, inputs, cells + degree))


def sample_on_grid(nodes: NodeSumOp, function: func.FuncOp, grid: LayerGrid) -> GridSamples:
    """The edges of a layer at points over a grid, weighted by the observed values."""
    source = edge_source(nodes.edges)
    assert source is not None
    points = fit_points(grid.ends, grid.cells, grid.degree)
    (values,) = evaluate_values([nodes.edges], {source: points}, ops=function.body.block.ops)
    seen = seen_of(source)
    weights = (
        fit_weights(points, grid.ends, None, None)
        if seen is None
        else fit_weights(
            points,
            grid.ends,
            to_floats(seen.seen),
            to_integers(seen.histogram).astype(np.float64),
        )
    )
    return GridSamples(points, np.where(nodes.mask_array, values, 0.0), weights)


def within_budget(
    error: FloatArray, node: FloatArray, share: float, values: FloatArray
) -> BoolArray:
    """Edges (out, in) whose error is at most a share of their node's deviation, or rounding."""
    size = np.maximum(np.abs(values).max(axis=0), 1.0)
    return error <= share * node + ROUNDING * size


def fit_coefficients(samples: GridSamples, begin: FloatArray, grid: LayerGrid) -> FloatArray:
    """Coefficients (out, in, cells + degree): `begin`, and a fit of the rest of the edges."""
    values = samples.values
    rest = values - spline_values(samples.points, begin, grid.knots, grid.degree)
    # Rests that are rounding count as 0: B-splines alone keep their coefficients to the last bit.
    nothing = np.abs(rest).max(axis=0) <= ROUNDING * np.maximum(np.abs(values).max(axis=0), 1.0)
    rest = np.where(nothing, 0.0, rest)
    more = fit_splines(samples.points, rest, samples.weights, grid.knots, grid.degree)
    return begin + np.where(nothing[..., np.newaxis], 0.0, more)


def require_finite(values: FloatArray, grid: LayerGrid, where: str) -> None:
    """Refuse edges (points, out, in) that are not finite on the whole grid."""
    bad = np.argwhere(~np.isfinite(values).all(axis=0))
    if bad.size:
        o, i = bad[0].tolist()
        raise KanError(
            f"{where}: edge [{o}, {i}] is not finite everywhere on the grid from "
            f"{grid.ends[i, 0]:g} to {grid.ends[i, 1]:g}",
            remedy="calibrate on samples for which it is, and give `cells`",
        )


class _Spline(NamedTuple):
    """A B-spline of a layer's edges as a function of the layer's inputs, without their affines."""

    knots: FloatArray
    """(in, K) ascending."""
    coefficients: FloatArray
    degree: int

    @property
    def cells(self) -> int:
        return max(self.knots.shape[1] - 1 - 2 * self.degree, 1)

    @property
    def inner(self) -> FloatArray:
        """The range (in, 2) of the grid, or of all knots where these enclose none."""
        outer = self.degree if self.knots.shape[1] >= 2 * self.degree + 2 else 0
        return self.knots[:, [outer, -1 - outer]]


def _own_splines(edges: SSAValue, source: SSAValue) -> Iterator[_Spline]:
    """The B-splines that are a summand of edges, as functions of their source."""
    owner = edges.owner
    if isinstance(owner, ObserveOp):
        yield from _own_splines(owner.input, source)
    elif isinstance(owner, arith.AddfOp):
        for part in owner.operands:
            yield from _own_splines(part, source)
    elif isinstance(owner, BSplineOp):
        value: SSAValue = owner.input
        inputs = owner.inputs
        gain, offset = np.ones(inputs), np.zeros(inputs)
        while value is not source and isinstance(value.owner, AffineOp | ObserveOp):
            if isinstance(value.owner, AffineOp):
                offset = offset + gain * to_floats(value.owner.bias)
                gain = gain * to_floats(value.owner.scale)
            value = value.owner.input
        if value is source and bool(gain.all()):
            yield _through_affine(owner, gain, offset)


def _through_affine(spline: BSplineOp, gain: FloatArray, offset: FloatArray) -> _Spline:
    """The B-spline of gain * x + offset as one of x: a gain below 0 turns it round."""
    knots = np.broadcast_to(spline.knot_vector, (spline.inputs, spline.knot_vector.shape[-1]))
    coefficients = to_floats(spline.coefficients)
    if (gain != 1.0).any() or offset.any():
        knots = (knots - offset[:, np.newaxis]) / gain[:, np.newaxis]
    turned = gain < 0
    knots = np.where(turned[:, np.newaxis], knots[:, ::-1], knots)
    coefficients = np.where(turned[:, np.newaxis], coefficients[..., ::-1], coefficients)
    return _Spline(knots, coefficients, spline.degree.value.data)


def _extended(
    source: SSAValue, spline: _Spline, ends: FloatArray, seen: ObserveOp | None, where: str
) -> tuple[LayerGrid, FloatArray]:
    """The grid and coefficients of a B-spline, extended by whole cells over the observed range."""
    knots, coefficients, degree = spline
    below = above = 0
    step = (ends[:, 1] - ends[:, 0]) / spline.cells
    if seen is not None:
        low, high = to_floats(seen.seen).T
        # The slack covers the last bit of float32.
        below = max(0, math.ceil(float(((ends[:, 0] - low) / step).max()) - 1e-5))
        above = max(0, math.ceil(float(((high - ends[:, 1]) / step).max()) - 1e-5))
    if spline.cells + below + above > MAX_CELLS:
        raise KanError(
            f"{where}: values reach so far beyond the grid that it would have "
            f"{spline.cells + below + above} cells",
            remedy="give `cells`, for a new grid over all of them",
        )
    before = step[:, np.newaxis] * np.arange(below, 0, -1, dtype=np.float64)
    behind = step[:, np.newaxis] * np.arange(1, above + 1, dtype=np.float64)
    knots = np.concatenate([knots[:, :1] - before, knots, knots[:, -1:] + behind], axis=1)
    coefficients = np.pad(coefficients, ((0, 0), (0, 0), (below, above)))
    return LayerGrid(source, knots, degree), coefficients
