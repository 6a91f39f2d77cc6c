"""Checks the promises of quantisation: fine scales, fitting ranges, edges rounded once.

Steps are as fine as the bits allow over the recorded range, and no range cuts off more than pays.
The check uses the histograms that calibration recorded in the IR, not the search for the scales.
Edges are checked in `edges.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from xdsl.dialects import func
from xdsl.ir import BlockArgument, SSAValue

from kan_dialect.analysis.quantization_points import observer, quantization_points
from kan_dialect.checking.edges import edges_problem
from kan_dialect.evaluate.code_ports import code_values
from kan_dialect.ir.constants import FloatArray, IntArray, to_floats, to_integers
from kan_dialect.ir.types import quantized_type
from kan_dialect.model.quantizers import Quantizers
from kan_dialect.model.quantizers_in_ir import quantizers_of
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.ops.table import RequantizeOp
from kan_dialect.search.scales import Observed

_SLACK = 1.0 + 1e-6
_FINEST = 2.0**-45
"""The finest step that is checked, relative to the range: float64 does not resolve finer ones."""
_LEAST = 2.0**-999


def quantization_problem(
    before: func.FuncOp, after: func.FuncOp, widths: Sequence[int], method: str
) -> str | None:
    """The first promise that a quantised function breaks.

    Parameters
    ----------
    before, after : the calibrated function of floats, and the function of codes.
    widths : bits of each quantisation point of `before`, in order.
    method : how ranges were chosen, see `choose_ranges`.

    Returns
    -------
    The problem in words, or None.
    """
    values = quantization_points(before)
    problem = _layers_problem(before, after)
    if problem is not None:
        return problem
    arguments = [v for v in values if isinstance(v, BlockArgument)]
    sums = [v for v in values if isinstance(v.owner, NodeSumOp)]
    sources, _ = code_values(after)
    quantized = [op for op in after.body.block.ops if isinstance(op, NodeSumOp)]
    codes: dict[SSAValue, SSAValue] = dict(zip(arguments, sources, strict=True))
    for value, op in zip(sums, quantized, strict=True):
        codes[value] = next(
            (u.operation.result for u in op.result.uses if isinstance(u.operation, RequantizeOp)),
            op.result,
        )
    for value, bits in zip(values, widths, strict=True):
        seen = observer(value)
        if value not in codes or seen is None:
            continue
        observed = Observed(to_floats(seen.seen), to_integers(seen.histogram))
        problem = _range_problem(codes[value], observed, bits, method)
        if problem is not None:
            owner = value.owner
            where = owner.given_name if isinstance(owner, NodeSumOp) else None
            return f"{where or 'a layer' if isinstance(owner, NodeSumOp) else 'input'} {problem}"
    return None


def given_problem(before: func.FuncOp, after: func.FuncOp, given: Quantizers) -> str | None:
    """The first difference between a quantised function and the quantisers that were given.

    Parameters
    ----------
    before, after : the function of floats, and the function of codes.

    Returns
    -------
    The problem in words, or None.
    """
    problem = _layers_problem(before, after)
    if problem is not None:
        return problem
    return codes_problem(quantizers_of(after), given)


def codes_problem(found: Quantizers, given: Quantizers) -> str | None:
    """The first difference between the quantisers of a function and given ones.

    Returns
    -------
    The problem in words, or None.
    """
    if (len(found.arguments), len(found.layers)) != (len(given.arguments), len(given.layers)):
        return "the network has other layers"
    for index, (mine, its) in enumerate(zip(found.arguments, given.arguments, strict=True)):
        if not mine.codes.equals(its.codes):
            return f"input {index} has other codes than were given"
        if not (np.array_equal(mine.gain, its.gain) and np.array_equal(mine.offset, its.offset)):
            return f"input {index} has another gain or offset than was given"
    for mine, its in zip(found.layers, given.layers, strict=True):
        if its.saturates != mine.saturates or (its.saturates and not mine.nodes.equals(its.nodes)):
            return f"{mine.name} has other codes than were given"
        if mine.edges is not None and its.edges is not None:
            count = len(mine.nodes)
            one, other = (np.broadcast_to(e.scale, count) for e in (mine.edges, its.edges))
            if not np.array_equal(one, other):
                return f"{mine.name} has other scales of edges than were given"
            if mine.edges.kept.shape != its.edges.kept.shape:
                return f"{mine.name} has other edges than were given"
            if (mine.edges.kept & ~its.edges.kept).any():
                return f"{mine.name} has edges that were to be left out"
    return None


def _layers_problem(before: func.FuncOp, after: func.FuncOp) -> str | None:
    """A missing argument or layer, or an edge that is off by more than half a step, in words."""
    values = quantization_points(before)
    sums = [v.owner for v in values if isinstance(v.owner, NodeSumOp)]
    sources, _ = code_values(after)
    quantized = [op for op in after.body.block.ops if isinstance(op, NodeSumOp)]
    if len(sources) != len(before.args) or len(quantized) != len(sums):
        return f"{len(sums)} layers became {len(quantized)}"
    for old, new in zip(sums, quantized, strict=True):
        problem = edges_problem(old, new, values)
        if problem is not None:
            return f"{new.given_name or 'a layer'}: {problem}"
    return None


def _range_problem(codes: SSAValue, observed: Observed, bits: int, method: str) -> str | None:
    """What is wrong with the scale or the zero point of one of the elements."""
    element = quantized_type(codes)
    if element.axis is None:
        observed = observed.merged()
    count = len(observed.seen)
    scale = np.broadcast_to(element.scale_for(1), (count,))[:, np.newaxis]
    point = np.broadcast_to(element.zero_point_for(1), (count,))[:, np.newaxis]
    low, high = observed.seen[:, :1], observed.seen[:, 1:]
    width = high - low
    # Where values hardly vary, or hardly differ from 0, float64 limits the scale.
    step = width / ((1 << bits) - 1)
    size = np.maximum(np.abs(low), np.abs(high))
    varies = (step > np.maximum(size * _FINEST, _LEAST) * _SLACK)[:, 0]
    coarse = np.flatnonzero(varies & (scale > step * _SLACK)[:, 0])
    if coarse.size:
        n = int(coarse[0])
        return (
            f"{n}: steps of {scale[n, 0]:.6g}, where {bits} bits over the recorded range have "
            f"{step[n, 0]:.6g}"
        )
    last = (1 << bits) - 1
    if isinstance(codes.owner, NodeSumOp):
        return None  # Sums that are results do not saturate.
    # A zero point is rounded, which moves the range by half a step at most.
    first, end = -point * scale, (last - point) * scale
    outside = (first < low - scale) | (end > high + scale)
    if method == "minmax":
        outside |= (first > low + scale) | (end < high - scale)
    astray = np.flatnonzero(varies & outside[:, 0])
    if astray.size:
        n = int(astray[0])
        return (
            f"{n}: codes for {first[n, 0]:.6g} .. {end[n, 0]:.6g}, where "
            f"{low[n, 0]:.6g} .. {high[n, 0]:.6g} was recorded"
        )
    if method == "mse":
        lost = _squared_errors(observed, scale, point, last)
        least = _squared_errors(
            observed, step, np.rint(-low / np.where(width > 0, step, 1.0)), last
        )
        worse = np.flatnonzero(varies & (lost > least * 1.01))
        if worse.size:
            n = int(worse[0])
            return (
                f"{n}: a mean squared error of {lost[n]:.6g}, where codes for the recorded range "
                f"have {least[n]:.6g}"
            )
    return None


def _squared_errors(
    observed: Observed, scale: FloatArray, point: FloatArray | IntArray, last: int
) -> FloatArray:
    """Mean squared errors (n,) of codes 0 .. last over the histograms, for columns (n, 1)."""
    values = observed.centres()
    share = observed.histogram / np.maximum(observed.histogram.sum(axis=1, keepdims=True), 1)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        nearest = np.clip(np.rint(values / scale) + point, 0, last)
        return (((nearest - point) * scale - values) ** 2 * share).sum(axis=1)
