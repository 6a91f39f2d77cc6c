"""The edges and biases of a layer as integers.

An edge value becomes `round_half_even(value / scale)`, once. Two kinds of edges would need far more
bits than their node has:

- Edges with a large common part, such as x in a layer x - 101325. The common part moves to the
  node's bias before anything is rounded.
- Edges that exceed the range of the node's codes by far at some input, such as 1/x near 0. Values
  beyond the point where the node saturates regardless of its other edges become that point.

Both keep every sum that the node's codes tell apart. Entries that still do not fit are an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from kan_dialect.errors import KanError
from kan_dialect.evaluate.edge_tables import Chain, place_of
from kan_dialect.ir.constants import FloatArray, IntArray

UNCHANGED_STEPS = 1 << 20
"""Largest common part of an edge, in steps of its node, that stays in the edge."""
MAX_STEPS = 1 << 50
"""Largest value in steps: float64 resolves it to an eighth of a step."""
MAX_ENTRY = 1 << 31
"""Bound of the entries of tables, which are 32-bit integers."""


@dataclass(frozen=True)
class SumRange:
    """Sums at which the nodes (out) saturate: up to `least`, and from `greatest` on."""

    least: tuple[int, ...]
    greatest: tuple[int, ...]


@dataclass(frozen=True)
class RoundedEdges:
    """Edges and biases of a layer in integers.

    Parameters
    ----------
    constants : (out, in), float64: the part of each edge that moves to its node's bias.
    tables : (out, in, entries), int64: `round((value - constant) / scale)`, entry `code - lo`.
    bias : (out), int64: `round((bias + sum of constants) / scale)`.
    """

    constants: FloatArray
    tables: IntArray
    bias: IntArray


def round_edges(
    values: FloatArray,
    scale: FloatArray,
    bias: FloatArray,
    saturation: SumRange | None,
    chain: Chain,
) -> RoundedEdges:
    """Round the edges and biases of a layer.

    Parameters
    ----------
    values : (entries, out, in): value of each edge for every code; 0 for edges that do not exist.
    scale : (out), size of a step of each node.
    bias : (out), float64.
    saturation : for sums that become codes; None for results, which are sums.
    chain : the edges, for messages.

    Raises
    ------
    KanError : an edge or a bias does not fit.
    """
    column = scale[:, np.newaxis]
    with np.errstate(over="ignore"):
        steps = values / column
    wide = (np.abs(steps) > UNCHANGED_STEPS).any(axis=0)
    constants = np.zeros(wide.shape)
    for node, edge in np.argwhere(wide).tolist():
        common = _common_part(values[:, node, edge])
        if abs(common) > UNCHANGED_STEPS * scale[node]:
            constants[node, edge] = common
    _require_resolved(constants, column, chain)
    if constants.any():
        with np.errstate(over="ignore"):
            steps = (values - constants) / column
    codes = np.rint(steps)
    total = np.array(
        [
            _rounded_bias(float(bias[node]), row, float(scale[node]), chain, node)
            for node, row in enumerate(constants)
        ],
        dtype=np.int64,
    )
    if saturation is not None:
        for node in np.flatnonzero((np.abs(codes) > UNCHANGED_STEPS).any(axis=(0, 2))).tolist():
            ends = saturation.least[node], saturation.greatest[node]
            codes[:, node] = _saturated(codes[:, node], int(total[node]), *ends)
    _require_entries(codes, values, column, chain)
    return RoundedEdges(constants, np.moveaxis(codes.astype(np.int64), 0, -1), total)


def _common_part(values: FloatArray) -> float:
    """The median of the finite values; it is one of them, so that a constant edge becomes 0."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0
    middle = len(finite) // 2
    return float(np.partition(finite, middle)[middle])


def _rounded_bias(bias: float, constants: FloatArray, scale: float, chain: Chain, node: int) -> int:
    """Round the sum of a bias and the constants that move to it."""
    moved = constants[constants != 0.0].tolist()
    with np.errstate(over="ignore"):
        steps = np.float64(bias) / scale
    if moved or abs(steps) > UNCHANGED_STEPS:
        rounded = round(sum(map(Fraction, moved), Fraction(bias)) / Fraction(scale))
    else:
        rounded = int(np.rint(steps))
    if abs(rounded) >= MAX_STEPS:
        raise KanError(
            f"{chain.name}: its sums need more than 51 bits: the bias of node {node} is "
            f"{bias:g}, in steps of {scale:g}",
            remedy="use fewer bits for this layer, or subtract the common part of its values in "
            "the model",
        )
    return rounded


def _require_resolved(constants: FloatArray, column: FloatArray, chain: Chain) -> None:
    """Refuse common parts so large that float64 does not resolve a node's steps beside them."""
    with np.errstate(over="ignore"):
        bad = np.argwhere(np.abs(constants) / column > MAX_STEPS)
    if bad.size:
        node, edge = bad[0].tolist()
        raise KanError(
            f"{chain.name}: edge [{node}, {edge}] has values near {constants[node, edge]:g}, its "
            f"node has steps of {column[node, 0]:g}: float64 does not resolve these",
            remedy="subtract the common part of the inputs' values from them, or use fewer bits "
            "for this layer",
        )


def _saturated(codes: FloatArray, bias: int, least: int, greatest: int) -> FloatArray:
    """Entries (entries, in) of a node, with those far beyond its codes replaced.

    If an entry makes the sum at least `greatest` for any values of the other edges, larger entries
    do the same, and become it. Likewise downwards for `least`.
    """
    lows = [_integer(value) for value in codes.min(axis=0).tolist()]
    highs = [_integer(value) for value in codes.max(axis=0).tolist()]
    saturated = codes.copy()
    for edge, (low, high) in enumerate(zip(lows, highs, strict=True)):
        if max(abs(low), abs(high)) <= UNCHANGED_STEPS:
            continue
        rest = [each for other, each in enumerate(lows) if other != edge]
        top = max(low, greatest - bias - sum(rest)) if -np.inf not in rest else np.inf
        rest = [each for other, each in enumerate(highs) if other != edge]
        bottom = min(high, least - bias - sum(rest)) if np.inf not in rest else -np.inf
        if abs(top) <= MAX_ENTRY:
            saturated[:, edge] = np.minimum(saturated[:, edge], float(top))
        if abs(bottom) <= MAX_ENTRY:
            saturated[:, edge] = np.maximum(saturated[:, edge], float(bottom))
    return saturated


def _integer(value: float) -> int | float:
    return int(value) if np.isfinite(value) else value


def _require_entries(
    codes: FloatArray, values: FloatArray, column: FloatArray, chain: Chain
) -> None:
    """Refuse entries that do not fit into a table."""
    bad = np.argwhere((codes >= MAX_ENTRY) | (codes < -MAX_ENTRY))
    if not bad.size:
        return
    entry, node, edge = bad[0].tolist()
    column_values, step = values[:, node, edge], float(column[node, 0])
    if np.isfinite(column_values).all():
        what = f"spans {column_values.min():g} to {column_values.max():g}"
        remedy = "use fewer bits for this layer, or calibrate with data that reaches such values"
    else:
        entry = int((~np.isfinite(column_values)).argmax())
        what = f"is {column_values[entry]:g} for {place_of(chain, entry, edge)}"
        remedy = "calibrate with data inside the edge's domain"
    raise KanError(
        f"{chain.name}: its sums need more than 32 bits: edge [{node}, {edge}] {what}, in steps of "
        f"{step:g}",
        remedy=remedy,
    )
