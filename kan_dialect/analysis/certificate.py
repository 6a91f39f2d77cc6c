"""Certifies a quantised network: the largest difference from its float functions, over a box.

For every input in the box, each output of the integer network differs from that of the float
network by at most the certificate. The float network is the input of `kan-quantize`: the imported
functions, in real numbers (docs/reference/numerics.md, section Certificate).

The analysis goes layer by layer. Three facts are known of each element with codes: bounds of the
difference between its real value and its code's value; bounds of the real value; and whether the
codes at both ends may stand for anything beyond. So the real values of each code form an interval.
An edge function has bounds there (`enclosures.py`), and its table one integer. The largest
differences over the codes of each edge add up to the difference of the node.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np
from xdsl.dialects import func
from xdsl.ir import Block, Operation, SSAValue

from kan_dialect.analysis.enclosures import NoEnclosureError, Rule, enclose, enclosure_of
from kan_dialect.analysis.quantization_points import (
    observer,
    point_behind,
    quantization_points,
    quantizers_inside,
    unobserved,
)
from kan_dialect.deferred import deferred
from kan_dialect.evaluate.code_ports import code_values, host_affine, rounded_codes
from kan_dialect.ir.code_bounds import bounds_of
from kan_dialect.ir.constants import BoolArray, FloatArray, IntArray, to_floats, to_integers
from kan_dialect.ir.types import quantized_type, tensor_shape
from kan_dialect.maths.interval_functions import Range
from kan_dialect.ops.layer import ConcatOp, NodeSumOp
from kan_dialect.ops.onnx import OnnxOp
from kan_dialect.ops.table import RequantizeOp, TablesOp

_SUBGRAPHS = "kan_dialect.analysis.onnx.subgraph_bounds"
enclosure_of(OnnxOp)(cast(Rule, deferred(_SUBGRAPHS, "subgraph_enclosure")))

_CHUNK_INTERVALS = 1 << 21
"""Intervals times edges that are bounded at once."""
_SATURATED_INTERVALS = 64
"""Intervals for the real values beyond the codes, at each end."""
_MAX_INTERVALS_PER_CODE = 8
"""Most intervals for the real values of one code."""
_ROUNDING_SLACK = 2.0**-40
"""Relative widening: rounding of float64 in sums of bounds, and of decimal scales of powers of two.
"""


MAX_ENTRIES = 1 << 22
"""Entries of all tables; more take longer than some seconds (`entries_of`)."""


@dataclass(frozen=True)
class Certificate:
    """Bounds of |float network - integer network|.

    Parameters
    ----------
    bounds : (outputs), float64, for all inputs in the box.
    unsaturated : (outputs), float64, for inputs in the box that saturate no input and no node.
    box : (inputs, 2), float64, from and to.
    """

    bounds: FloatArray
    unsaturated: FloatArray
    box: FloatArray


class _ElementBounds(NamedTuple):
    """Bounds of the elements (n) of a value with codes."""

    error: Range
    """Bounds of the real value less its code's value, for codes that do not saturate."""
    real: Range
    """Bounds of the real value."""
    open: BoolArray
    """Whether the least and the greatest code also stand for values beyond: (n), bool."""


def certify(real: func.FuncOp, integers: func.FuncOp) -> Certificate:
    """Bound the difference of two functions on the box that calibration saw.

    Parameters
    ----------
    real : the calibrated function, before `kan-quantize`.
    integers : the same network in tables.

    Raises
    ------
    NoEnclosureError : there is no bound; gives the reason and the layer.
    KanError : the functions belong to different networks.
    """
    bounds, box = _Certifier(real, integers, saturating=True).run()
    unsaturated, _ = _Certifier(real, integers, saturating=False).run()
    return Certificate(bounds, np.minimum(bounds, unsaturated), box)


def entries_of(integers: func.FuncOp) -> int:
    """Entries of all tables of a function; a certificate's time is proportional to them."""
    tables = (op.tables for op in integers.body.block.ops if isinstance(op, TablesOp))
    return sum(math.prod(each.get_shape()) for each in tables)


class _Certifier:
    def __init__(self, real: func.FuncOp, integers: func.FuncOp, *, saturating: bool) -> None:
        self.real = real
        self.saturating = saturating
        self.ops = list(real.body.block.ops)
        self.points = quantization_points(real)
        self.known: dict[SSAValue, _ElementBounds] = {}
        self.arguments, self.results = code_values(integers)
        inner = list(integers.body.block.ops)
        self.layers = [op for op in inner if isinstance(op, NodeSumOp)]
        self.tables = [
            op for op in inner if isinstance(op, TablesOp) and len(tensor_shape(op.result)) == 1
        ]

    def run(self) -> tuple[FloatArray, FloatArray]:
        """Bounds (outputs), and the box (inputs, 2)."""
        if quantizers_inside(self.real):
            raise NoEnclosureError("the model's file has quantisers of its own")
        sums = [value for value in self.points if isinstance(value.owner, NodeSumOp)]
        others = len(self.points) - len(sums) - len(self.real.args)
        if (len(sums), others) != (len(self.layers), len(self.tables)):
            raise NoEnclosureError("the integer network has other layers")
        layers, tables = iter(self.layers), iter(self.tables)
        boxes: list[FloatArray] = []
        for value in self.points:
            owner = value.owner
            if isinstance(owner, Block):
                boxes.append(self._argument(value, self.arguments[len(boxes)]))
            elif isinstance(owner, NodeSumOp):
                self.known[value] = self._layer(owner, next(layers))
            else:
                self.known[value] = self._table(value, next(tables))
        terminator = self.real.get_return_op()
        assert terminator is not None
        bounds = [
            _largest(self._of(value), codes)
            for value, codes in zip(terminator.operands, self.results, strict=True)
        ]
        return np.concatenate(bounds), np.concatenate(boxes)

    def _argument(self, value: SSAValue, codes: SSAValue) -> FloatArray:
        """Record the bounds of an argument, and return its box (n, 2)."""
        if host_affine(codes) is not None:
            raise NoEnclosureError("the host computes a gain and an offset in front of the codes")
        rounded = rounded_codes(codes)
        requantize = rounded.owner if isinstance(rounded.owner, RequantizeOp) else None
        gain, offset = (None if requantize is None else requantize.affine) or (
            np.ones(1),
            np.zeros(1),
        )
        if (gain != 1.0).any() or offset.any():
            raise NoEnclosureError("hardware computes a gain and an offset in front of the codes")
        ends = _ends(codes)
        half = np.broadcast_to(quantized_type(codes).scale_for(1), ends.shape[1:]) / 2
        seen = observer(value)
        if seen is None:
            box = np.stack([ends[0] - half, ends[1] + half], axis=1)
        else:
            box = to_floats(seen.seen)
        if requantize is not None:
            coarse = np.broadcast_to(quantized_type(rounded).scale_for(1), half.shape)
            exact = requantize.affine is None and requantize.shifts <= 0
            half = half + np.where(exact, 0.0, coarse / 2)
        size = np.maximum(_largest_magnitude(rounded), np.abs(ends).max(axis=0))
        self.known[value] = _ElementBounds(
            _slackened(Range(-half, half), size),
            Range(*box.T),
            self._open(len(box)),
        )
        return box

    def _open(self, count: int) -> BoolArray:
        return np.full(count, self.saturating)

    def _of(self, value: SSAValue) -> _ElementBounds:
        """Bounds of a quantisation point, or of a concatenation of points."""
        value = unobserved(value)
        if not isinstance(value.owner, ConcatOp):
            return self.known[value]
        parts = [self._of(operand) for operand in value.owner.inputs]
        error, real = (
            Range(
                np.concatenate([getattr(part, which).low for part in parts]),
                np.concatenate([getattr(part, which).high for part in parts]),
            )
            for which in ("error", "real")
        )
        # Values that are not open end at their own real bounds.
        return _ElementBounds(error, real, np.concatenate([part.open for part in parts]))

    def _differences(
        self, value: SSAValue, lookup: TablesOp, steps: FloatArray, kept: BoolArray, where: str
    ) -> tuple[Range, Range]:
        """Bounds of value - table over all codes, and of the value: (..., in) each.

        Parameters
        ----------
        steps : value of each table entry: (..., in, entries), or broadcastable.
        kept : (..., in), bool, the functions that exist in the float network.

        Raises
        ------
        NoEnclosureError : an edge has no finite bounds.
        """
        leaf = point_behind(value, self.points)
        if leaf is None:
            raise NoEnclosureError(f"{where}: the edges are not functions of one value each")
        low, high, entries, valid = _intervals(self._of(leaf), lookup.input)
        shape = tensor_shape(value)
        least, most = np.full(shape, np.inf), np.full(shape, -np.inf)
        bottom, top = least.copy(), most.copy()
        chunk = max(1, _CHUNK_INTERVALS // max(1, int(np.prod(shape))))
        columns = np.arange(shape[-1])
        for start in range(0, len(low), chunk):
            part = slice(start, start + chunk)
            try:
                bounds = enclose(value, leaf, low[part], high[part], self.ops)
            except NoEnclosureError as error:
                raise NoEnclosureError(f"{where}: {error.message}") from None
            found = [np.broadcast_to(each, (len(low[part]), *shape)) for each in bounds]
            below, above = (np.where(kept, each, 0.0) for each in found)
            # (in, intervals, ...) with several tables for each input.
            given = steps[..., columns, entries[part]]
            given = np.moveaxis(given, -2, 0) if given.ndim == 3 else given
            one = valid[part] if len(shape) == 1 else valid[part][:, np.newaxis]
            least = np.minimum(least, np.where(one, below - given, np.inf).min(axis=0))
            most = np.maximum(most, np.where(one, above - given, -np.inf).max(axis=0))
            bottom = np.minimum(bottom, np.where(one, below, np.inf).min(axis=0))
            top = np.maximum(top, np.where(one, above, -np.inf).max(axis=0))
        if not all(np.isfinite(each).all() for each in (least, most, bottom, top)):
            raise NoEnclosureError(f"{where}: an edge has no finite bounds")
        return Range(least, most), Range(bottom, top)

    def _layer(self, before: NodeSumOp, after: NodeSumOp) -> _ElementBounds:
        where = before.given_name or "a layer"
        lookup = after.edges.owner
        if tensor_shape(before.edges) != tensor_shape(after.edges) or not isinstance(
            lookup, TablesOp
        ):
            raise NoEnclosureError(f"{where}: the integer network has other edges")
        scale = np.broadcast_to(
            quantized_type(after.result).scale_for(1), after.mask_array.shape[:1]
        )
        tables = to_integers(lookup.tables) * after.mask_array[..., np.newaxis]
        steps: FloatArray = tables * scale[:, np.newaxis, np.newaxis]
        error, real = self._differences(before.edges, lookup, steps, before.mask_array, where)
        size = np.abs(real.low) + np.abs(real.high) + np.abs(steps).max(axis=-1)
        bias, added = before.bias_array, after.bias_array * scale
        size = size.sum(axis=1) + np.abs(bias) + np.abs(added)
        error = Range(*(each.sum(axis=1) + (bias - added) for each in error))
        real = Range(*(each.sum(axis=1) + bias for each in real))
        error, real = _slackened(error, size), _slackened(real, size)
        readers = [use.operation for use in after.result.uses]
        requantize = next((op for op in readers if isinstance(op, RequantizeOp)), None)
        if requantize is None:
            return _ElementBounds(error, real, np.zeros(len(scale), dtype=np.bool_))
        coarse = np.broadcast_to(quantized_type(requantize.result).scale_for(1), scale.shape)
        half = np.where(requantize.shifts > 0, coarse / 2 * (1 + _ROUNDING_SLACK), 0.0)
        opened = Range(error.low - half, error.high + half)
        return _ElementBounds(_slackened(opened, size), real, self._open(len(scale)))

    def _table(self, value: SSAValue, lookup: TablesOp) -> _ElementBounds:
        """Bounds of a function of each element, whose table gives codes directly."""
        element = quantized_type(lookup.result)
        shape = tensor_shape(value)
        scale = np.broadcast_to(element.scale_for(1), shape)[:, np.newaxis]
        point = np.broadcast_to(element.zero_point_for(1), shape)[:, np.newaxis]
        steps = (to_integers(lookup.tables) - point) * scale
        kept = np.ones(shape, dtype=np.bool_)
        what = f"the result of '{value.owner.name}'" if isinstance(value.owner, Operation) else ""
        error, real = self._differences(value, lookup, steps, kept, what)
        size = np.abs(real.low) + np.abs(real.high) + np.abs(steps).max(axis=-1)
        return _ElementBounds(_slackened(error, size), _slackened(real, size), ~kept)


def _values(codes: SSAValue) -> tuple[FloatArray, BoolArray]:
    """Values of the codes that a table reads (entries, n), and whether each code occurs."""
    element = quantized_type(codes)
    low, high = element.bounds
    lower, upper = bounds_of(codes)
    numbers = np.arange(low, high + 1, dtype=np.int64)[:, np.newaxis]
    real = (numbers - element.zero_point_for(1)) * element.scale_for(1)
    return (
        np.broadcast_to(real, (len(numbers), len(lower))),
        (numbers >= lower) & (numbers <= upper),
    )


def _ends(codes: SSAValue) -> FloatArray:
    """Values (2, n) of the least and the greatest code."""
    element = quantized_type(codes)
    return (np.stack(bounds_of(codes)) - element.zero_point_for(1)) * element.scale_for(1)


def _largest_magnitude(codes: SSAValue) -> FloatArray:
    """Largest |value| of the codes that the storage holds: (n) or (1)."""
    element = quantized_type(codes)
    numbers = np.array(element.bounds, dtype=np.int64)[:, np.newaxis]
    return np.abs((numbers - element.zero_point_for(1)) * element.scale_for(1)).max(axis=0)


def _slackened(x: Range, size: FloatArray) -> Range:
    return Range(x.low - size * _ROUNDING_SLACK, x.high + size * _ROUNDING_SLACK)


def _largest(known: _ElementBounds, codes: SSAValue) -> FloatArray:
    """Largest difference of the elements (n) of a result."""
    ends = _ends(codes)
    low = np.where(
        known.open, np.minimum(known.error.low, known.real.low - ends[0]), known.error.low
    )
    high = np.where(
        known.open, np.maximum(known.error.high, known.real.high - ends[1]), known.error.high
    )
    return np.maximum(-low, high)


def _intervals(
    known: _ElementBounds, codes: SSAValue
) -> tuple[FloatArray, FloatArray, IntArray, BoolArray]:
    """Real values that each code may stand for, in intervals.

    Returns
    -------
    low, high : (intervals, n), float64.
    entries : (intervals, n), int64, index of the code, from the lowest storage code on.
    valid : (intervals, n), bool, whether real values can lie there.
    """
    real, occurs = _values(codes)
    ends = _ends(codes)
    count = real.shape[1]
    (below, above), (least, most) = known.error, known.real
    step = np.broadcast_to(quantized_type(codes).scale_for(1), (count,))
    pieces = int(np.clip(np.ceil((above - below) / step * 0.999).max(), 1, _MAX_INTERVALS_PER_CODE))
    lows: list[FloatArray] = []
    highs: list[FloatArray] = []
    entries: list[IntArray] = []
    index = np.broadcast_to(np.arange(len(real))[:, np.newaxis], real.shape)
    for piece in range(pieces):
        lows.append(real + (below + (above - below) * (piece / pieces)))
        highs.append(real + (below + (above - below) * ((piece + 1) / pieces)))
        entries.append(index)
    valid = [occurs] * pieces
    first, last = bounds_of(codes)
    base = quantized_type(codes).bounds[0]
    for code, start, end in (
        (first, np.minimum(least, ends[0] + below), ends[0] + below),
        (last, ends[1] + above, np.maximum(most, ends[1] + above)),
    ):
        share = np.arange(_SATURATED_INTERVALS + 1)[:, np.newaxis] / _SATURATED_INTERVALS
        edges = start + (end - start) * share
        edges[-1] = end
        lows.append(edges[:-1])
        highs.append(edges[1:])
        entries.append(np.broadcast_to(code - base, (_SATURATED_INTERVALS, count)))
        valid.append(np.broadcast_to(known.open & (end > start), (_SATURATED_INTERVALS, count)))
    low, high = np.concatenate(lows), np.concatenate(highs)
    low, high = np.maximum(low, least), np.minimum(high, most)
    possible = np.concatenate(valid) & (low <= high)
    # Any point serves for an interval without values.
    somewhere = np.clip(np.minimum(low, high), least, most)
    return (
        np.where(possible, low, somewhere),
        np.where(possible, high, somewhere),
        np.concatenate(entries),
        possible,
    )
