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

from kan_dialect.analysis.quantization_points import (
    has_codes_only,
    observer,
    quantization_points,
)
from kan_dialect.checking.edges import edges_problem
from kan_dialect.evaluate.code_ports import code_values, rounded_codes
from kan_dialect.ir.code_bounds import bounds_of
from kan_dialect.ir.constants import FloatArray, IntArray, to_floats, to_integers
from kan_dialect.ir.types import is_float_tensor, quantized_type
from kan_dialect.model.function_formats import FunctionFormats
from kan_dialect.model.number_formats import NumberFormat
from kan_dialect.model.quantizers import Quantizers
from kan_dialect.model.quantizers_in_ir import quantizers_of
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.ops.table import RequantizeOp
from kan_dialect.search.scales import Observed

_SLACK = 1.0 + 1e-6
_FINEST = 2.0**-45
"""The finest step that is checked, relative to the range: float64 does not resolve finer ones."""
_LEAST = 2.0**-999


def _varies(low: float, high: float) -> bool:
    """Whether a recorded range is more than rounding of a constant."""
    return high - low > max(abs(low) * _FINEST, abs(high) * _FINEST, _LEAST)


def quantization_problem(
    before: func.FuncOp,
    after: func.FuncOp,
    widths: Sequence[int],
    method: str,
    formats: FunctionFormats,
    *,
    per_tensor: bool = False,
) -> str | None:
    """The first promise that a quantised function breaks.

    Parameters
    ----------
    before, after : the calibrated function of floats, and the function of codes.
    widths : bits of each quantisation point of `before`, in order.
    method : how ranges were chosen, see `choose_ranges`.
    formats : of the ports.
    per_tensor : all inputs share a scale.

    Returns
    -------
    The problem in words, or None.
    """
    values = quantization_points(before)
    problem = _layers_problem(before, after)
    if problem is not None:
        return problem
    arguments = [v for v in values if isinstance(v, BlockArgument)]
    sources, _ = code_values(after)
    codes: dict[SSAValue, SSAValue] = {
        value: rounded_codes(sources[value.index]) for value in arguments
    }
    problem = _ports_problem(formats, after)
    if problem is not None:
        return problem
    for before_op, op in _float_layers(before, after):
        value = before_op.result
        if has_codes_only(value):
            continue  # Codes of the file, not of these bits.
        codes[value] = next(
            (u.operation.result for u in op.result.uses if isinstance(u.operation, RequantizeOp)),
            op.result,
        )
    for value, bits in zip(values, widths, strict=True):
        seen = observer(value)
        if value not in codes or seen is None:
            continue
        observed = Observed(to_floats(seen.seen), to_integers(seen.histogram))
        inputs = formats.of_argument(value) if isinstance(value, BlockArgument) else None
        if inputs is not None:
            shared = observed.merged() if per_tensor else observed
            problem = _rounding_problem(codes[value], inputs, shared, bits)
        elif formats.of_result(value) is not None:
            problem = _sum_problem(codes[value], observed, bits, method)
        elif method == "pow2":
            problem = _power_problem(codes[value], observed, bits)
        else:
            problem = _range_problem(codes[value], observed, bits, method)
        if problem is not None:
            owner = value.owner
            where = owner.given_name if isinstance(owner, NodeSumOp) else None
            return f"{where or 'a layer' if isinstance(owner, NodeSumOp) else 'input'} {problem}"
    return None


def _ports_problem(formats: FunctionFormats, after: func.FuncOp) -> str | None:
    """The first port that has another format than the user gave, in words."""
    for side, given, values in zip(
        ("input", "output"),
        (formats.inputs, formats.outputs),
        code_values(after),
        strict=True,
    ):
        index = 0
        for value in values if given else ():
            element = quantized_type(value)
            lower, upper = bounds_of(value)
            for place in range(len(lower)):
                each, one = given[index], element.element([place])
                codes = int(lower[place]), int(upper[place])
                wrong = each is not None and (
                    codes != each.codes
                    or float(one.scales[0]) != each.scale
                    or int(one.zero_points[0]) != each.zero_point
                )
                if wrong:
                    return f"{side} {index} does not have the format {each}"
                index += 1
    return None


def _rounding_problem(
    codes: SSAValue, formats: Sequence[NumberFormat | None], observed: Observed, bits: int
) -> str | None:
    """What is wrong with the codes to which hardware rounds those of ports with formats."""
    element, (lower, upper) = quantized_type(codes), bounds_of(codes)
    for n, each in enumerate(formats):
        if each is None:
            continue
        one = element.element([n])
        scale, point = float(one.scales[0]), int(one.zero_points[0])
        exponent = np.log2(scale / each.scale)
        if exponent < 0 or exponent != np.rint(exponent):
            return f"{n}: steps of {scale:.6g} are no multiple of those of {each}, {each.scale:.6g}"
        low, high = observed.seen[0 if len(observed.seen) == 1 else n].tolist()
        step = max((high - low) / ((1 << bits) - 1), each.scale)
        # Twice, as the next power of two; constants have a scale of their own.
        if _varies(low, high) and scale > 2 * step * _SLACK and upper[n] > lower[n] and exponent:
            return (
                f"{n}: steps of {scale:.6g}, where {bits} bits over the recorded range have "
                f"{step:.6g}"
            )
        first, last = (int(lower[n]) - point) * scale, (int(upper[n]) - point) * scale
        if last < max(low, each.values[0]) - scale or first > min(high, each.values[1]) + scale:
            return (
                f"{n}: codes for {first:.6g} .. {last:.6g}, where {low:.6g} .. {high:.6g} was "
                "recorded"
            )
    return None


def _sum_problem(codes: SSAValue, observed: Observed, bits: int, method: str) -> str | None:
    """What is wrong with the steps of sums that are rounded to formats."""
    owner = codes.owner
    if not isinstance(owner, RequantizeOp):
        return None
    steps = np.broadcast_to(quantized_type(owner.input).scale_for(1), len(observed.seen))
    low, high = float(observed.seen[:, 0].min()), float(observed.seen[:, 1].max())
    step = (high - low) / ((1 << bits) - 1) * (2 if method == "pow2" else 1)
    wide = np.flatnonzero(steps > max(step, np.abs(observed.seen).max() * _FINEST) * _SLACK)
    if _varies(low, high) and wide.size:
        n = int(wide[0])
        return f"{n}: sums have steps of {steps[n]:.6g}, {bits} bits have {step:.6g}"
    return None


def _power_problem(codes: SSAValue, observed: Observed, bits: int) -> str | None:
    """What is wrong with a scale that is to be a power of two."""
    element = quantized_type(codes)
    if element.axis is None:
        observed = observed.merged()
    count = len(observed.seen)
    scale = np.broadcast_to(element.scale_for(1), (count,))
    odd = np.flatnonzero(np.frexp(scale)[0] != 0.5)
    if odd.size:
        return f"{int(odd[0])}: a scale of {scale[odd[0]]!r} is no power of two"
    low, high = observed.seen.T
    step = (high - low) / ((1 << bits) - 1)
    size = np.maximum(np.abs(low), np.abs(high))
    varies = step > np.maximum(size * _FINEST, _LEAST) * _SLACK
    # The next power of two; one more where rounding of both ends takes a code more.
    coarse = np.flatnonzero(varies & (scale > 4 * step * _SLACK))
    if coarse.size:
        n = int(coarse[0])
        return (
            f"{n}: steps of {scale[n]:.6g}, where {bits} bits over the recorded range have "
            f"{step[n]:.6g}"
        )
    if isinstance(codes.owner, NodeSumOp):
        return None  # Sums that are results do not saturate.
    last = (1 << bits) - 1
    point = np.broadcast_to(element.zero_point_for(1), (count,))
    lost = _squared_errors(observed, scale[:, np.newaxis], point[:, np.newaxis], last)
    covering = np.exp2(np.ceil(np.log2(np.where(varies, step, 1.0))) + 1)
    least = _squared_errors(
        observed, covering[:, np.newaxis], np.rint(-low / covering)[:, np.newaxis], last
    )
    worse = np.flatnonzero(varies & (lost > least * 1.01))
    if worse.size:
        n = int(worse[0])
        return f"{n}: a mean squared error of {lost[n]:.6g}, a coarser scale has {least[n]:.6g}"
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
        ports = [each.codes if each.port is None else each.port for each in (mine, its)]
        if not mine.codes.equals(its.codes) or not ports[0].equals(ports[1]):
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
    sources, _ = code_values(after)
    old, new = _sums(before), _sums(after)
    if len(sources) != len(before.args) or len(old) != len(new):
        return f"{len(old)} layers became {len(new)}"
    for real, integer in _float_layers(before, after):
        problem = edges_problem(real, integer, values)
        if problem is not None:
            return f"{integer.given_name or 'a layer'}: {problem}"
    return None


def _float_layers(before: func.FuncOp, after: func.FuncOp) -> list[tuple[NodeSumOp, NodeSumOp]]:
    """The layers of floats, each with the layer of codes that it became."""
    pairs = zip(_sums(before), _sums(after), strict=True)
    return [(real, integer) for real, integer in pairs if is_float_tensor(real.result)]


def _sums(function: func.FuncOp) -> list[NodeSumOp]:
    return [op for op in function.body.block.ops if isinstance(op, NodeSumOp)]


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
