"""Conversion of real values to codes of ports, and back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kan_dialect.errors import KanError
from kan_dialect.ir.constants import FloatArray, IntArray
from kan_dialect.model.interface import Port
from kan_dialect.ops.table import dequantize, unsaturated_codes


def encode(ports: Sequence[Port], x: FloatArray) -> IntArray:
    """Codes, int64, of real values (samples, ports); they saturate at the range of their port.

    At a port that wraps, values are rounded down, and codes taken modulo their number.

    Raises
    ------
    KanError : the number of columns is not that of the ports; or a value is NaN, or infinite at a
        port that wraps.
    """
    low = np.array([port.low for port in ports])
    high = np.array([port.high for port in ports])
    codes = np.clip(encode_unsaturated(ports, x), low, high).astype(np.int64)
    for index in [index for index, port in enumerate(ports) if port.wraps]:
        codes[:, index] = _wrapped(ports[index], x[:, index])
    return codes


def _wrapped(port: Port, x: FloatArray) -> IntArray:
    """Codes of the values (samples) at a port that wraps."""
    real, codes = x * port.gain + port.offset, port.high - port.low + 1
    infinite = np.flatnonzero(np.isinf(real))
    if infinite.size:
        raise KanError(f"input {port.name} of sample {infinite[0]} is infinite, and its codes wrap")
    with np.errstate(over="ignore"):
        value = real / port.scale
    # The first remainder is exact. It is small enough for the zero point.
    rest = np.mod(np.floor(np.where(np.isfinite(value), value, 0.0)), codes)
    return port.low + np.mod(rest.astype(np.int64) + port.zero_point - port.low, codes)


def encode_unsaturated(ports: Sequence[Port], x: FloatArray) -> FloatArray:
    """As `encode`, float64, before the codes saturate."""
    if x.ndim != 2 or x.shape[1] != len(ports):
        raise KanError(
            f"expected samples of {len(ports)} features, got an array of shape {x.shape}"
        )
    with np.errstate(invalid="ignore"):
        gain = np.array([port.gain for port in ports])
        real = x * gain + np.array([port.offset for port in ports])
    try:
        return unsaturated_codes(
            real,
            np.array([port.scale for port in ports]),
            np.array([port.zero_point for port in ports]),
        )
    except ValueError:
        row, column = np.argwhere(np.isnan(real))[0].tolist()
        raise KanError(f"input {column} of sample {row} is not a number") from None


def decode(ports: Sequence[Port], codes: IntArray) -> FloatArray:
    """Real values, float64, of codes (samples, ports)."""
    return dequantize(
        codes,
        np.array([port.scale for port in ports]),
        np.array([port.zero_point for port in ports]),
    )
