"""`kan-snap-symbolic`: edge functions become formulas, where these are close enough.

An edge becomes c * f(a * x + b) + d with the first of some functions, simplest first, whose root
mean square error is within the budget: a share of what the edge's node varies by. So weak edges
become lines or constants, and strong ones stay what they are unless a formula fits them well. What
counts is where calibration saw values, and the whole range that it saw a little (pykan's
`auto_symbolic` does likewise: Liu et al., "KAN: Kolmogorov-Arnold Networks", arXiv 2404.19756,
section 2.5.1). The target `formula` prints the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from xdsl.dialects import arith, func
from xdsl.ir import Operation
from xdsl.rewriter import InsertPoint, Rewriter

from kan_dialect.errors import KanError
from kan_dialect.ir.constants import FloatArray, IntArray
from kan_dialect.ops.layer import AffineOp, NodeSumOp
from kan_dialect.ops.symbolic import SYMBOLIC_FUNCTIONS, SymbolicOp
from kan_dialect.passbase.dead_ops import remove_dead
from kan_dialect.passbase.function_pass import FunctionPass
from kan_dialect.passbase.option_bounds import Bounds, bounded
from kan_dialect.search.edge_samples import edge_errors, is_off, sample_edges
from kan_dialect.search.fits.symbolic_fit import fit

SLACK = 1.0 + 1e-6
"""Factor of the budget in the check, which adds in another order."""
ROUNDING = 1e-6
"""Offsets below this share of the range of a * x are rounding, and become 0."""
SIMPLEST_FIRST = (
    *("zero", "identity", "square", "abs", "relu", "cube", "sin", "exp", "tanh"),
    *("sigmoid", "gaussian", "sqrt", "log", "reciprocal"),
)
"""The functions that are tried where nothing else is said."""


@dataclass(frozen=True)
class SnapSymbolicPass(FunctionPass):
    """Replaces edge functions by formulas within a budget of error."""

    name = "kan-snap-symbolic"
    works_at = ("spline",)
    preserves: ClassVar[str] = "accuracy within a share of what nodes vary by, for each edge"

    error: float = bounded(0.02, Bounds(0, above=True, below=True))
    """The root mean square error of an edge, as a share of its node's standard deviation."""
    functions: tuple[str, ...] = SIMPLEST_FIRST
    """Which functions, simplest first; the first that is within the budget is taken."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in self.functions:
            if name not in SYMBOLIC_FUNCTIONS:
                raise KanError(
                    f"unknown function {name!r}", remedy=f"use {', '.join(SYMBOLIC_FUNCTIONS)}"
                )

    def rewrite(self, function: func.FuncOp) -> None:
        for op in list(function.body.block.ops):
            if isinstance(op, NodeSumOp):
                self._snap(function, op)
        remove_dead(function)

    def violation(self, before: func.FuncOp, after: func.FuncOp) -> str | None:
        layers = (
            [op for op in each.body.block.ops if isinstance(op, NodeSumOp)]
            for each in (before, after)
        )
        for old, new in zip(*layers, strict=True):
            given, now = sample_edges(before, old), sample_edges(after, new)
            if given is None or now is None:
                continue
            values, found = (np.where(given.kept, each.values, 0.0) for each in (given, now))
            error, node = edge_errors(values, found, given.weights)
            # Errors that the fit takes as rounding do not count.
            wrong = np.argwhere(~(error <= SLACK * self.error * node + 1e-8))
            if wrong.size:
                return is_off(old.given_name or "a layer", error, node, self.error, wrong)
        return None

    def _snap(self, function: func.FuncOp, nodes: NodeSumOp) -> None:
        """Replace the edges of a layer that fit a formula."""
        samples = sample_edges(function, nodes)
        if samples is None:
            return
        source, t, centre, half, values, weights, kept = samples
        o, i = (index.astype(np.int64) for index in kept.nonzero())
        names, choice, affine = self._formulas(t, values[:, o, i].T, weights[i], o)
        snapped = choice >= 0
        if not snapped.any():
            return
        o, i, choice, affine = o[snapped], i[snapped], choice[snapped], affine[snapped]
        # From -1 .. 1 to the range that was seen.
        slope = affine[:, 0] / half[i]
        offset = affine[:, 1] - slope * centre[i]
        offset[np.abs(offset) < ROUNDING * np.abs(affine[:, 0])] = 0.0
        affine[:, 0], affine[:, 1] = slope, offset
        choices = np.zeros(kept.shape, dtype=np.int8)
        affines = np.zeros((*kept.shape, 4))
        choices[o, i], affines[o, i] = choice, affine
        edges: Operation = SymbolicOp(names, source, choices, affines, name=nodes.given_name)
        added = [edges]
        if len(o) < np.count_nonzero(nodes.mask_array):
            left = np.ones(kept.shape)
            left[o, i] = 0.0
            rest = AffineOp(nodes.edges, left, np.zeros_like(left))
            edges = arith.AddfOp(rest, edges)
            added += [rest, edges]
        Rewriter.insert_op(added, InsertPoint.before(nodes))
        nodes.operands[0] = edges.results[0]

    def _formulas(
        self, t: FloatArray, y: FloatArray, weights: FloatArray, node: IntArray
    ) -> tuple[Sequence[str], IntArray, FloatArray]:
        """The functions that are used, and of each edge which one it has (-1: none), and affine.

        Parameters
        ----------
        y, weights : (edges, points).
        node : the node of each edge.
        """
        mean = (weights * y).sum(axis=1, keepdims=True)
        variance = (weights * (y - mean) ** 2).sum(axis=1)
        of_nodes = np.bincount(node, variance).astype(np.float64)
        budget = self.error**2 * of_nodes[node]
        chosen = np.full(len(y), -1, dtype=np.int64)
        affine = np.zeros((len(y), 4))
        used: list[str] = []
        for name in self.functions:
            open_ = (chosen < 0).nonzero()[0]
            found = fit(name, t, y[open_], weights[open_])
            fits = found.error <= np.maximum(budget[open_], 1e-18)
            if fits.any():
                chosen[open_[fits]] = len(used)
                affine[open_[fits]] = found.affine[fits]
                used.append(name)
        return used, chosen, affine
