"""`kan-fit-splines`: edge functions of any kind become B-splines alone, on a uniform grid.

A layer that has a B-spline on a uniform grid keeps its grid, longer by whole cells where
calibration saw values beyond it, and its coefficients; what stands beside it, such as a base
function, is fitted by least squares and added to them. So a B-spline alone stays what it is. An
affine of the inputs moves the grid. Edges without such a B-spline are fitted on a grid over what
was seen. What counts is where calibration saw values, and the whole grid a little; without
calibration, the whole grid. `kan-make-trainable` takes what this leaves.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from xdsl.context import Context
from xdsl.dialects import arith, func
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue
from xdsl.rewriter import InsertPoint, Rewriter
from xdsl.transforms.dead_code_elimination import dce

from kan_dialect.analysis.quantization_points import spline_functions, unobserved
from kan_dialect.errors import KanError
from kan_dialect.evaluate.interpreter import evaluate_values
from kan_dialect.ir.constants import BoolArray, FloatArray, to_floats, to_integers
from kan_dialect.ir.figures import note
from kan_dialect.ir.types import tensor_shape
from kan_dialect.maths.bsplines import extend_grid, uniform_grid
from kan_dialect.ops.layer import AffineOp, NodeSumOp, ObserveOp
from kan_dialect.ops.spline import MAX_DEGREE, BSplineOp
from kan_dialect.passbase.kan_pass import KanPass
from kan_dialect.passbase.option_bounds import Bounds, bounded
from kan_dialect.search.edge_samples import edge_errors, edge_source, is_off, seen_of
from kan_dialect.search.spline_fit import fit_points, fit_splines, fit_weights, spline_values

FITTED = "kan.fitted"
"""Attribute of a function: of each layer its grid, and how far its edges are off."""

DEFAULT_CELLS = 8
DEFAULT_DEGREE = 3
"""Where edges have no B-spline to take the grid or the degree from."""
MAX_CELLS = 1024
SLACK = 1.0 + 1e-6
"""Of the check: sums are taken in another order."""
ROUNDING = 1e-9
"""Errors up to this share of an edge's size, or of 1 where that is more, are rounding."""


@dataclass(frozen=True)
class FitSplinesPass(KanPass):
    """Makes B-splines of edge functions within a budget of error."""

    name = "kan-fit-splines"
    preserves: ClassVar[str] = "accuracy within a share of what nodes vary by, for each edge"

    error: float = bounded(0.02, Bounds(0, above=True, below=True))
    """The largest root mean square error of an edge, as a share of its node's standard
    deviation."""
    cells: int | None = bounded(None, Bounds(1, MAX_CELLS))
    """Cells of the grids; without it those of the layer's B-splines, else 8."""
    degree: int | None = bounded(None, Bounds(0, MAX_DEGREE))
    """Degree of the B-splines; without it that of the layer's B-splines, else 3."""

    def run(self, ctx: Context, module: ModuleOp) -> bool:
        functions = list(spline_functions(module))
        for function in functions:
            fitted: list[dict[str, object]] = []
            for index, nodes in enumerate(_layers(function)):
                if not self.keeps(nodes):
                    fitted.append(self._fit(function, nodes, f"layer{index}"))
            if fitted:
                note(function, FITTED, {"layers": fitted})
        if functions:
            dce(module)
        return bool(functions)

    def needed(self, module: ModuleOp) -> bool:
        """Whether a layer has edges that are not B-splines on a uniform grid already."""
        return any(
            not self.keeps(nodes)
            for function in spline_functions(module)
            for nodes in _layers(function)
        )

    def broken_promise(self, before: func.FuncOp, after: func.FuncOp) -> str | None:
        for old, new in zip(_layers(before), _layers(after), strict=True):
            spline = unobserved(new.edges).owner
            if not isinstance(spline, BSplineOp):
                return f"the edges of {new.given_name or 'a layer'} are no B-splines"
            knots, degree = np.atleast_2d(spline.knot_vector), spline.degree.value.data
            ends = uniform_grid(knots, degree)
            if ends is None:
                return f"{new.given_name or 'a layer'} has a grid that is not uniform"
            grid = _Grid(spline.input, knots, degree)
            samples = _sample(old, before, grid)
            found = _sample(new, after, grid)
            error, node = edge_errors(samples.values, found.values, samples.weights)
            wrong = np.argwhere(~_within(error, node, SLACK * self.error, samples.values))
            if wrong.size:
                return is_off(new.given_name or "a layer", error, node, self.error, wrong)
        return None

    def keeps(self, nodes: NodeSumOp) -> bool:
        """Whether a layer stays as it is: B-splines alone, on a uniform grid that is wanted."""
        spline = unobserved(nodes.edges).owner
        if not isinstance(spline, BSplineOp):
            return False
        if edge_source(nodes.edges) is not spline.input:
            return False
        degree = spline.degree.value.data
        cells = to_floats(spline.coefficients).shape[2] - degree
        return (
            uniform_grid(spline.knot_vector, degree) is not None
            and self.cells in (None, cells)
            and self.degree in (None, degree)
        )

    def _fit(self, function: func.FuncOp, nodes: NodeSumOp, default: str) -> dict[str, object]:
        """Give a layer B-splines for edges; what is to be reported of it."""
        name = nodes.given_name or default
        where = f"@{function.sym_name.data}: {name}"
        grid, begin = self._grid(nodes, where)
        samples = _sample(nodes, function, grid)
        kept = nodes.mask_array
        values = samples.values
        bad = np.argwhere(~np.isfinite(values).all(axis=0))
        if bad.size:
            o, i = bad[0].tolist()
            raise KanError(
                f"{where}: edge [{o}, {i}] is not finite everywhere on the grid from "
                f"{grid.ends[i, 0]:g} to {grid.ends[i, 1]:g}",
                remedy="calibrate on samples for which it is, and give `cells`",
            )
        coefficients = np.where(kept[..., np.newaxis], begin, 0.0)
        rest = values - spline_values(samples.points, coefficients, grid.knots, grid.degree)
        # What is rounding is nothing: B-splines alone keep their coefficients to the last bit.
        nothing = np.abs(rest).max(axis=0) <= ROUNDING * np.maximum(np.abs(values).max(axis=0), 1.0)
        rest = np.where(nothing, 0.0, rest)
        more = fit_splines(samples.points, rest, samples.weights, grid.knots, grid.degree)
        coefficients = coefficients + np.where(nothing[..., np.newaxis], 0.0, more)
        fitted = spline_values(samples.points, coefficients, grid.knots, grid.degree)
        error, node = edge_errors(values, fitted, samples.weights)
        wrong = np.argwhere(~_within(error, node, self.error, values))
        if wrong.size:
            raise KanError(
                f"@{function.sym_name.data}: {is_off(name, error, node, self.error, wrong)}",
                remedy=f"take more cells (of degree {grid.degree} it has {grid.cells}), another "
                "degree, or allow a larger error",
            )
        spline = BSplineOp(grid.source, grid.degree, grid.knots, coefficients, name=name)
        Rewriter.insert_op(spline, InsertPoint.before(nodes))
        nodes.operands[0] = spline.result
        share = np.where(node > 0, error / np.where(node > 0, node, 1.0), 0.0)
        return {
            "name": name,
            "cells": grid.cells,
            "degree": grid.degree,
            "largest_error": float(share.max()),
            "mean_error": float(share[kept].mean()) if kept.any() else 0.0,
        }

    def _grid(self, nodes: NodeSumOp, where: str) -> tuple[_Grid, FloatArray]:
        """The grid of a layer, and the coefficients that its edges begin with."""
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
        wanted = self.cells is not None or self.degree is not None
        if spline is not None and own is not None and not wanted:
            return _extended(source, spline, own, seen, where)
        degree = spline.degree if spline is not None else DEFAULT_DEGREE
        cells = spline.cells if spline is not None else DEFAULT_CELLS
        degree = degree if self.degree is None else self.degree
        cells = cells if self.cells is None else self.cells
        ranges: list[FloatArray] = [] if seen is None else [to_floats(seen.seen)]
        if spline is not None:
            ranges.append(spline.inner)
        if not ranges:
            raise KanError(
                f"{where}: the ranges of its inputs are not known, and it has no B-spline "
                "whose grid could be taken",
                remedy="run kan-calibrate first",
            )
        low: FloatArray = np.stack(ranges)[..., 0].min(axis=0)
        high: FloatArray = np.stack(ranges)[..., 1].max(axis=0)
        # An input that never changes has a grid, too.
        flat = high - low <= 1e-9 * np.maximum(np.abs(low), 1.0)
        low, high = np.where(flat, low - 0.5, low), np.where(flat, high + 0.5, high)
        knots = extend_grid(np.linspace(low, high, cells + 1, axis=-1), degree)
        return _Grid(source, knots, degree), np.zeros((outputs, inputs, cells + degree))


@dataclass(frozen=True)
class _Grid:
    """The grid of a layer."""

    source: SSAValue
    """What its edges are functions of, (in)."""
    knots: FloatArray
    """(in, K)."""
    degree: int

    @property
    def cells(self) -> int:
        return self.knots.shape[1] - 1 - 2 * self.degree

    @property
    def ends(self) -> FloatArray:
        """The first and the last grid point, (in, 2)."""
        return self.knots[:, [self.degree, -1 - self.degree]]


class _Samples(NamedTuple):
    """Edges at points over a grid, pruned ones 0: see `fit_points` and `fit_weights`."""

    points: FloatArray
    values: FloatArray
    weights: FloatArray


class _Spline(NamedTuple):
    """A B-spline of a layer's edges as one of the layer's inputs, whatever affines are between."""

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


def _layers(function: func.FuncOp) -> list[NodeSumOp]:
    return [op for op in function.body.block.ops if isinstance(op, NodeSumOp)]


def _sample(nodes: NodeSumOp, function: func.FuncOp, grid: _Grid) -> _Samples:
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
    return _Samples(points, np.where(nodes.mask_array, values, 0.0), weights)


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
) -> tuple[_Grid, FloatArray]:
    """A B-spline's grid, with as many whole cells more as hold what was seen; it is the same."""
    knots, coefficients, degree = spline
    below = above = 0
    step = (ends[:, 1] - ends[:, 0]) / spline.cells
    if seen is not None:
        low, high = to_floats(seen.seen).T
        # Of float32, the last bit says nothing.
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
    return _Grid(source, knots, degree), coefficients


def _within(error: FloatArray, node: FloatArray, share: float, values: FloatArray) -> BoolArray:
    """Which edges (out, in) are off by no more than a share of what their node varies by."""
    size = np.maximum(np.abs(values).max(axis=0), 1.0)
    return error <= share * node + ROUNDING * size
