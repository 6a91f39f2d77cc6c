"""A layer of float edges in integers: types, bounds, constants and biases for `kan-quantize`.

`kan_dialect.search.edge_rounding` rounds the edges. This file gives the result types of the ops
that compute the integers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from xdsl.dialects.builtin import TensorType

from kan_dialect.errors import KanError
from kan_dialect.evaluate.edge_tables import Chain
from kan_dialect.ir.constants import DenseAttr, FloatArray, IntArray, to_integers
from kan_dialect.ir.quant import MAX_STORAGE_BITS, UniformQuantizedType, storage_for
from kan_dialect.ir.types import bounds_constant
from kan_dialect.model.code_choice import LayerCodes
from kan_dialect.search.edge_rounding import RoundedEdges, SumRange, round_edges


@dataclass(frozen=True)
class IntegerTensor:
    """Type and bounds of a tensor of integers."""

    element: UniformQuantizedType
    bounds: DenseAttr | None
    """(shape, 2), where elements are narrower than the storage; else None."""


@dataclass(frozen=True)
class RoundedLayer:
    """A layer in integers.

    Parameters
    ----------
    rounded : constants, tables and biases.
    edges : of the tables, (out, in).
    sums : of the node sums, (out).
    """

    rounded: RoundedEdges
    edges: IntegerTensor
    sums: IntegerTensor


def round_layer(
    values: FloatArray, bias: FloatArray, codes: LayerCodes, chain: Chain, layer: str
) -> RoundedLayer:
    """Round a layer to the steps of its edges.

    Parameters
    ----------
    values : (entries, out, in), float64, the edges at every code; 0 of masked edges.
    bias : (out), float64.
    codes : of the nodes, and the steps of the edges.
    chain : the edges; chain and `layer` are for messages.

    Raises
    ------
    KanError : an edge, a bias or a sum does not fit its integers.
    """
    outputs, inputs = values.shape[1:]
    scale = np.broadcast_to(codes.edges, (outputs,))
    saturation = _saturation(codes, outputs) if codes.saturates else None
    rounded = round_edges(values, scale, bias, saturation, chain)
    lower, upper = rounded.tables.min(axis=-1), rounded.tables.max(axis=-1)
    edges = _integers(lower, upper, codes, (outputs, inputs), layer)
    total_low = lower.sum(axis=1) + rounded.bias
    total_high = upper.sum(axis=1) + rounded.bias
    sums = _integers(total_low, total_high, codes, (outputs,), layer)
    return RoundedLayer(rounded, edges, sums)


def _saturation(codes: LayerCodes, outputs: int) -> SumRange:
    """Sums of the nodes at which their codes reach either end."""
    element, bounds = codes.nodes
    low, high = element.bounds
    ends = np.broadcast_to([low, high], (outputs, 2)) if bounds is None else to_integers(bounds)
    points = np.broadcast_to(element.zero_points, (outputs,)).tolist()
    ratios = np.broadcast_to(element.scales / codes.edges, (outputs,))
    shifts = np.rint(np.log2(ratios)).astype(np.int64).tolist()
    least, greatest = (
        tuple(
            rounded((end - point) * Fraction(2) ** shift)
            for end, point, shift in zip(ends[:, side].tolist(), points, shifts, strict=True)
        )
        for side, rounded in enumerate((math.floor, math.ceil))
    )
    return SumRange(least, greatest)


def _integers(
    lower: IntArray, upper: IntArray, codes: LayerCodes, shape: tuple[int, ...], layer: str
) -> IntegerTensor:
    """Integers lower..upper of edges or sums: zero point 0, in the narrowest storage."""
    bits, signed = storage_for(min(int(lower.min()), 0), max(int(upper.max()), 0))
    if bits > MAX_STORAGE_BITS:
        raise KanError(
            f"{layer}: its sums need {bits} bits, more than {MAX_STORAGE_BITS}",
            remedy="use fewer bits, or calibrate: the edges exceed what their node can hold by far",
        )
    nodes = codes.nodes.element
    element = UniformQuantizedType(
        bits, signed, codes.edges, 0, axis=nodes.axis, expressed=nodes.expressed_type
    )
    return IntegerTensor(element, bounds_constant(TensorType(element, shape), lower, upper))
