"""`kan-fit-splines`: edge functions of any kind become B-splines on a uniform grid.

A layer with a B-spline on a uniform grid keeps its grid, extended by whole cells over the observed
range, and its coefficients. The other summands of its edges, such as base functions, are fitted by
least squares and added to the coefficients, so a B-spline alone is unchanged. Affines of the inputs
move the grid. Edges without such a B-spline are fitted on a grid over the observed range.

Fits weigh observed values most and the whole grid a little; without calibration, the whole grid.
`kan-make-trainable` takes the result.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.rewriter import InsertPoint, Rewriter

from kan_dialect.analysis.quantization_points import spline_functions, unobserved
from kan_dialect.errors import KanError
from kan_dialect.ir.attributes.figures import record_figures
from kan_dialect.ir.constants import to_floats
from kan_dialect.maths.bsplines import uniform_grid
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.ops.spline import MAX_DEGREE, BSplineOp
from kan_dialect.passbase.dead_ops import remove_dead
from kan_dialect.passbase.function_pass import FunctionPass
from kan_dialect.passbase.option_bounds import Bounds, bounded
from kan_dialect.search.edge_samples import edge_errors, edge_source, is_off
from kan_dialect.search.fits.spline_fit import spline_values
from kan_dialect.search.fits.spline_grids import (
    MAX_CELLS,
    LayerGrid,
    choose_grid,
    fit_coefficients,
    require_finite,
    sample_on_grid,
    within_budget,
)

FITTED = "kan.fitted"
"""Attribute of a function: grid and errors of each layer."""

SLACK = 1.0 + 1e-6
"""Factor of the budget in the check, which adds in another order."""


def _layers(function: func.FuncOp) -> list[NodeSumOp]:
    return [op for op in function.body.block.ops if isinstance(op, NodeSumOp)]


@dataclass(frozen=True)
class FitSplinesPass(FunctionPass):
    """Makes B-splines of edge functions within a budget of error."""

    name = "kan-fit-splines"
    works_at = ("spline",)
    preserves: ClassVar[str] = "accuracy within a share of what nodes vary by, for each edge"

    error: float = bounded(0.02, Bounds(0, above=True, below=True))
    """The largest root mean square error of an edge, as a share of its node's standard
    deviation."""
    cells: int | None = bounded(None, Bounds(1, MAX_CELLS))
    """Cells of the grids; without it those of the layer's B-splines, else 8."""
    degree: int | None = bounded(None, Bounds(0, MAX_DEGREE))
    """Degree of the B-splines; without it that of the layer's B-splines, else 3."""

    def rewrite(self, function: func.FuncOp) -> None:
        fitted = [
            self._fit(function, nodes, f"layer{index}")
            for index, nodes in enumerate(_layers(function))
            if not self.keeps(nodes)
        ]
        if fitted:
            record_figures(function, FITTED, {"layers": fitted})
        remove_dead(function)

    def needed(self, module: ModuleOp) -> bool:
        """True if a layer has edges other than B-splines on a uniform grid."""
        return any(
            not self.keeps(nodes)
            for function in spline_functions(module)
            for nodes in _layers(function)
        )

    def violation(self, before: func.FuncOp, after: func.FuncOp) -> str | None:
        for old, new in zip(_layers(before), _layers(after), strict=True):
            spline = unobserved(new.edges).owner
            if not isinstance(spline, BSplineOp):
                return f"the edges of {new.given_name or 'a layer'} are no B-splines"
            knots, degree = np.atleast_2d(spline.knot_vector), spline.degree.value.data
            ends = uniform_grid(knots, degree)
            if ends is None:
                return f"{new.given_name or 'a layer'} has a grid that is not uniform"
            grid = LayerGrid(spline.input, knots, degree)
            samples = sample_on_grid(old, before, grid)
            found = sample_on_grid(new, after, grid)
            error, node = edge_errors(samples.values, found.values, samples.weights)
            wrong = np.argwhere(~within_budget(error, node, SLACK * self.error, samples.values))
            if wrong.size:
                return is_off(new.given_name or "a layer", error, node, self.error, wrong)
        return None

    def keeps(self, nodes: NodeSumOp) -> bool:
        """True if a layer's edges are B-splines alone, on a uniform grid as the options say."""
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
        """Replace the edges of a layer by B-splines; returns its entry of `kan.fitted`."""
        name = nodes.given_name or default
        where = f"@{function.sym_name.data}: {name}"
        grid, begin = choose_grid(nodes, self.cells, self.degree, where)
        samples = sample_on_grid(nodes, function, grid)
        require_finite(samples.values, grid, where)
        kept = nodes.mask_array
        coefficients = fit_coefficients(samples, np.where(kept[..., np.newaxis], begin, 0.0), grid)
        fitted = spline_values(samples.points, coefficients, grid.knots, grid.degree)
        error, node = edge_errors(samples.values, fitted, samples.weights)
        wrong = np.argwhere(~within_budget(error, node, self.error, samples.values))
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
