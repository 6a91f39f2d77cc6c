"""Windows: values of an input or node that edges treat differently from values on both sides.

A mark for missing values, such as -999, is a window. If a window is narrower than a step of the
codes, no code lies in it, and the nearest code stands for it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from xdsl.dialects import func
from xdsl.ir import SSAValue

from kan_dialect.analysis.quantization_points import readers, unobserved
from kan_dialect.ir.constants import FloatArray, IntArray
from kan_dialect.ir.quant import UniformQuantizedType
from kan_dialect.ir.types import tensor_shape
from kan_dialect.model.interface import Port
from kan_dialect.model.port_codes import decode, encode
from kan_dialect.ops.layer import ConcatOp
from kan_dialect.ops.onnx import OnnxOp
from kan_dialect.quantity import quantity

_LOG = logging.getLogger(__name__)

APART = 1 / 8
"""Distance of a remote window from the other values, as a share of their range."""

_NARROW = 1 / 64
"""Widest window that is moved, as a share of the range of the other values."""


def windows_of(value: SSAValue) -> FloatArray:
    """The distinct windows of a vector, (windows, 3), float64: element, first and last value."""
    found = [np.zeros((0, 3))]
    for op in readers(value):
        if isinstance(op, OnnxOp):
            found.append(op.window_array)
        elif isinstance(op, ConcatOp):
            start = 0
            for part in op.inputs:
                (size,) = tensor_shape(part)
                if unobserved(part) is value:
                    windows = windows_of(op.result)
                    mine = (windows[:, 0] >= start) & (windows[:, 0] < start + size)
                    found.append(windows[mine] - [start, 0, 0])
                start += size
    return np.unique(np.concatenate(found), axis=0)


def set_apart(values: FloatArray, windows: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Values (samples, n) with remote narrow windows moved near the other values.

    A remote window would widen the range, which leaves fewer codes for all other values.

    Parameters
    ----------
    windows : (windows, 3): element, first and last value.

    Returns
    -------
    The values; and the windows, (windows, 5): element, first and last value, number of samples
    within, and the value that these are moved to.
    """
    values = values.copy()
    seen = np.column_stack([windows, np.zeros(len(windows)), windows[:, 1:].mean(axis=1)])
    for element in np.unique(windows[:, 0]).astype(np.int64).tolist():
        mine = np.flatnonzero(windows[:, 0] == element)
        column = values[:, element].copy()
        within = [(column >= windows[n, 1]) & (column <= windows[n, 2]) for n in mine]
        others = column[~np.any(within, axis=0)]
        for n, inside in zip(mine.tolist(), within, strict=True):
            seen[n, 3] = inside.sum()
            if not others.size:
                continue
            low, high = float(others.min()), float(others.max())
            width = (high - low) or max(abs(low), 1.0)
            first, last = float(windows[n, 1]), float(windows[n, 2])
            if last - first > _NARROW * width:
                continue
            seen[n, 4] = np.clip((first + last) / 2, low - APART * width, high + APART * width)
            values[inside, element] = seen[n, 4]
    return values, seen


def as_coded(function: func.FuncOp, ports: Sequence[Port], x: FloatArray) -> FloatArray:
    """Samples (samples, in) with values in windows replaced by the values of their codes.

    Windows then do not count as values outside the range.

    Parameters
    ----------
    function : at spline level.
    ports : input ports of its integer model.
    """
    start = 0
    coded: FloatArray | None = None
    for argument in function.args:
        (size,) = tensor_shape(argument)
        for which, first, last in windows_of(argument).tolist():
            column = start + int(which)
            if coded is None:
                x = x.copy()
                real = decode(ports, encode(ports, x)) - np.array([port.offset for port in ports])
                coded = real / np.array([port.gain for port in ports])
            within = (x[:, column] >= first) & (x[:, column] <= last)
            x[within, column] = coded[within, column]
        start += size
    return x


@dataclass(frozen=True, eq=False)
class Standing:
    """Codes that stand for windows.

    Attributes
    ----------
    table : (codes, 3), float64: element, code, and the value that the code stands for.
    """

    table: FloatArray

    @staticmethod
    def of(
        windows: FloatArray,
        element: UniformQuantizedType,
        histogram: IntArray | None,
        centres: FloatArray | None,
        where: str,
    ) -> Standing:
        """Codes for the windows (windows, 5) of `set_apart` that contain the value of no code.

        If other values have the same code, it stands for the more frequent ones, with a warning.

        Parameters
        ----------
        histogram, centres : counts and centres of the calibration's bins, (n, bins); None without
            calibration.
        where : name of the input or layer, for messages.
        """
        found: dict[tuple[int, int], tuple[float, float]] = {}
        low, high = element.bounds
        count = int(windows[:, 0].max(initial=-1)) + 1 if centres is None else len(centres)
        # Elements behind the last one with a window have scales too.
        count = max(count, 1, np.size(element.scale_for(1)))
        scales = np.broadcast_to(element.scale_for(1), count)
        points = np.broadcast_to(element.zero_point_for(1), count)
        for which, first, last, samples, _ in windows.tolist():
            index = int(which)
            scale, point = float(scales[index]), int(points[index])
            middle = (first + last) / 2
            code = int(np.clip(np.rint(middle / scale) + point, low, high))
            if first <= (code - point) * scale <= last:
                continue
            shown = f"{where} {index}: {_shown(first, last)}"
            others = 0
            if histogram is not None and centres is not None:
                codes = np.clip(np.rint(centres[index] / scale) + point, low, high)
                others = int(histogram[index][codes == code].sum())
                moved = np.clip(np.rint(windows[:, 4] / scale) + point, low, high) == code
                others -= int(windows[moved & (windows[:, 0] == which), 3].sum())
            before = found.get((index, code))
            if before is not None:
                _LOG.warning("%s shares code %d with another window", shown, code)
            if others > samples:
                _LOG.warning(
                    "%s is treated differently by the model, but it shares code %d with %s and is "
                    "read like them: give more bits, or move it away from them",
                    shown,
                    code,
                    quantity(others, "other sample"),
                )
            elif before is None or before[1] < samples:
                if others > 0:
                    _LOG.warning(
                        "%s has code %d, and so have %s, which are read like it: give more bits, "
                        "or move it away from them",
                        shown,
                        code,
                        quantity(others, "other sample"),
                    )
                found[index, code] = middle, samples
        rows = [(index, code, value) for (index, code), (value, _) in sorted(found.items())]
        return Standing(np.array(rows, dtype=np.float64).reshape(-1, 3))


def _shown(first: float, last: float) -> str:
    return f"the value {first:.9g}" if first == last else f"the range {first:.9g} .. {last:.9g}"
