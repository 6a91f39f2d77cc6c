"""Checks the rounding of a quantised layer: half a step for each edge, half a step for each bias.

Both layers are evaluated at every code of their inputs: the float edges at the number that the code
stands for, and the integer edges. A pass may split a sum into edges and bias as it likes: an edge
may be off by a constant if the node's bias makes up for it.
"""

from __future__ import annotations

from collections.abc import Collection
from fractions import Fraction

import numpy as np
from xdsl.ir import SSAValue

from kan_dialect.analysis.quantization_points import point_behind
from kan_dialect.evaluate.edge_tables import find_chain
from kan_dialect.evaluate.interpreter import evaluate_values
from kan_dialect.ir.code_bounds import bounds_of
from kan_dialect.ir.constants import BoolArray, FloatArray, IntArray
from kan_dialect.ir.types import quantized_type
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.ops.table import DequantizeOp, QuantizeOp, RequantizeOp

_SLACK = 1e-5
"""Rounding of float64, in steps."""


def edges_problem(before: NodeSumOp, after: NodeSumOp, points: Collection[SSAValue]) -> str | None:
    """The first edge or bias that is off by more than half a step.

    Parameters
    ----------
    before, after : the layer of floats, and the layer of codes.
    points : values of `before` that have codes in `after`.

    Returns
    -------
    The problem in words. None without one, or if the layer no longer has float edges.
    """
    found = _tables(before, after, points)
    if found is None:
        return None
    values, codes = found
    scale = np.broadcast_to(quantized_type(after.result).scale_for(1), values.shape[1:2])
    for node, kept in enumerate(after.mask_array):
        one = _Node(
            values[:, node, kept],
            codes[:, node, kept],
            float(scale[node]),
            float(before.bias_array[node]),
            int(after.bias_array[node]),
            _saturation(after, node),
        )
        edge = one.edge_off()
        if edge is not None:
            return f"edge [{node}, {np.flatnonzero(kept)[edge]}] is off by more than half a step"
        if one.sum_off():
            share = tolerance_text(int(kept.sum()))
            return (
                f"node {node} with a bias of {before.bias_array[node]:.6g} is off by more than "
                f"{share}"
            )
    return None


def tolerance_text(edges: int) -> str:
    """Half a step for each edge and for the bias, in words."""
    return f"{(edges + 1) / 2:g} steps"


def _tables(
    before: NodeSumOp, after: NodeSumOp, points: Collection[SSAValue]
) -> tuple[FloatArray, IntArray] | None:
    """Edges of both layers at every code of the inputs: (entries, out, in) each."""
    quantize = after.edges.owner
    chain = find_chain(quantize.input) if isinstance(quantize, QuantizeOp) else None
    leaf = point_behind(before.edges, points)
    if chain is None or leaf is None:
        return None
    element = quantized_type(chain.source)
    low, high = element.bounds
    codes = np.clip(np.arange(low, high + 1)[:, np.newaxis], *bounds_of(chain.source))
    stands_for = next(op for op in chain.ops if isinstance(op, DequantizeOp))
    (real,) = stands_for.evaluate([codes])
    blocks = before.parent, after.parent
    assert blocks[0] is not None and blocks[1] is not None
    (values,) = evaluate_values([before.edges], {leaf: real}, ops=blocks[0].ops)
    (integers,) = evaluate_values([after.edges], {chain.source: codes}, ops=blocks[1].ops)
    return values, integers


def _saturation(after: NodeSumOp, node: int) -> tuple[Fraction, Fraction] | None:
    """The sums at which a node reaches its least and its greatest code; None if none saturates."""
    readers = [use.operation for use in after.result.uses]
    requantize = next((op for op in readers if isinstance(op, RequantizeOp)), None)
    if requantize is None or len(readers) > 1:
        return None
    lower, upper = bounds_of(requantize.result)
    points = np.broadcast_to(quantized_type(requantize.result).zero_point_for(1), lower.shape)
    step = Fraction(2) ** int(requantize.shifts[node])
    point = int(points[node])
    return (int(lower[node]) - point) * step, (int(upper[node]) - point) * step


class _Node:
    """The edges of one node: values and integers (entries, in), in steps of the node."""

    def __init__(
        self,
        values: FloatArray,
        codes: IntArray,
        scale: float,
        bias: float,
        total: int,
        ends: tuple[Fraction, Fraction] | None,
    ) -> None:
        finite = np.isfinite(values)
        pivots: FloatArray = values[finite.argmax(axis=0), np.arange(values.shape[1])]
        self.pivots = np.where(np.isfinite(pivots), pivots, 0.0)
        self.codes, self.scale, self.bias, self.total, self.ends = codes, scale, bias, total, ends
        # Differences of nearby values are exact in float64, and their quotients are small.
        with np.errstate(over="ignore"):
            self.steps: FloatArray = (values - self.pivots) / scale
            self.offsets: FloatArray = codes - self.steps
        self.above: BoolArray = np.zeros(codes.shape, dtype=np.bool_)
        self.below: BoolArray = self.above
        if ends is not None:
            lows, highs = codes.min(axis=0), codes.max(axis=0)
            self.below = codes + (highs.sum() - highs) + total <= float(ends[0])
            self.above = codes + (lows.sum() - lows) + total >= float(ends[1])
        certain: BoolArray = ~self.above & ~self.below
        self.lowest: FloatArray = np.where(certain, self.offsets, np.inf).min(axis=0)
        self.highest: FloatArray = np.where(certain, self.offsets, -np.inf).max(axis=0)
        self.known: BoolArray = np.logical_or.reduce(certain, axis=0)
        """Edges with a code at which saturation of the node depends on the other edges."""

    def edge_off(self) -> int | None:
        """The first edge whose integers are off by more than half a step and a constant."""
        wide = self.known & (self.highest - self.lowest > 1 + _SLACK)
        if wide.any():
            return int(wide.argmax())
        if self.ends is None:
            return None
        most = np.where(self.known, self.lowest, self.offsets.max(axis=0)) + 1 + _SLACK
        least = np.where(self.known, self.highest, self.offsets.min(axis=0)) - 1 - _SLACK
        too_low: BoolArray = self.known & (self.offsets < least)
        too_high: BoolArray = self.known & (self.offsets > most)
        for edge in np.flatnonzero((too_low | too_high).any(axis=0)).tolist():
            wrong = self._unsaturated(edge, too_low[:, edge], self.above[:, edge], most - 1, 1)
            wrong |= self._unsaturated(edge, too_high[:, edge], self.below[:, edge], least + 1, 0)
            if wrong:
                return edge
        return None

    def _unsaturated(
        self, edge: int, off: BoolArray, saturates: BoolArray, constants: FloatArray, end: int
    ) -> bool:
        """Whether an entry is off at which the node need not saturate."""
        assert self.ends is not None
        if not off.any():
            return False
        if not saturates[off].all():
            return True
        others = np.delete(self.steps + constants, edge, axis=1)
        rest = (others.min(axis=0) if end else others.max(axis=0)).sum()
        sums = self.codes[off, edge] + rest + self.total
        slack = len(self.pivots) + 1  # steps of edges round
        if end:
            return bool((sums < float(self.ends[1]) - slack).any())
        return bool((sums > float(self.ends[0]) + slack).any())

    def sum_off(self) -> bool:
        """Whether the sum of edges and bias is off by more than half a step for each of them."""
        if not self.known.all():
            return False
        exact = sum(map(Fraction, self.pivots.tolist()), Fraction(self.bias))
        bias = float(self.total - exact / Fraction(self.scale))
        slack = 0.5 + _SLACK * (len(self.pivots) + 1)
        with np.errstate(over="ignore"):
            centred = np.stack([self.lowest, self.highest]) - self.pivots / self.scale
        if (np.abs(centred) <= 0.5 + _SLACK).all():
            alone = float(self.total - Fraction(self.bias) / Fraction(self.scale))
            return abs(alone) > slack
        half = len(self.pivots) / 2
        highest, lowest = float(self.highest.sum()), float(self.lowest.sum())
        return highest + bias > half + slack or lowest + bias < -half - slack
