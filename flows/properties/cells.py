"""Values of a feature that two codecs tell apart: the codes that one value has in both."""

from __future__ import annotations

import numpy as np

from kan_dialect.ir.constants import FloatArray, IntArray
from kan_dialect.model.interface import Port
from kan_dialect.model.port_codes import encode


def common_cells(one: Port, other: Port) -> IntArray:
    """The pairs of codes that some float64 has, from the least value on: (pairs, 2).

    The values of a pair are an interval. Both ports must not wrap.
    """
    with np.errstate(over="ignore"):
        ends = np.unique(np.concatenate([_last_values(one), _last_values(other)]))
        pairs = np.concatenate(
            [encode([port], ends[:, np.newaxis]) for port in (one, other)], axis=1
        )
    return np.unique(pairs, axis=0)


def _last_values(port: Port) -> FloatArray:
    """The greatest float64 of each code, by bisection over the float64 in their order."""
    codes = np.arange(port.high - port.low + 1)
    low, high = (np.full(len(codes), _ordered(end)) for end in (-_MOST, _MOST))
    first = encode([port], np.array([[-_MOST]]))[0, 0]
    away = np.abs(encode([port], _floats(high)[:, np.newaxis])[:, 0] - first).max()
    codes = codes[codes <= away]
    low, high = low[: len(codes)], high[: len(codes)]
    while (low < high).any():
        middle = low // 2 + high // 2 + (low % 2 + high % 2 + 1) // 2
        distance = np.abs(encode([port], _floats(middle)[:, np.newaxis])[:, 0] - first)
        inside = distance <= codes
        low, high = np.where(inside, middle, low), np.where(inside, high, middle - 1)
    return _floats(low)


_MOST = float(np.finfo(np.float64).max)


def _ordered(value: float) -> int:
    """The place of a float64 among all of them."""
    bits = int(np.float64(value).view(np.int64))
    return bits if bits >= 0 else -(bits & ((1 << 63) - 1))


def _floats(places: IntArray) -> FloatArray:
    bits = np.where(places >= 0, places, -places | np.iinfo(np.int64).min)
    return bits.view(np.float64)
