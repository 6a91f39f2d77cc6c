"""Codes of the inputs: real features to unsigned integers, as the host computes them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kan_dialect.ir.constants import FloatArray, IntArray

TAIL = 0.5
"""Per cent of the samples at each end that may lie beyond the codes."""


@dataclass(frozen=True)
class InputCodes:
    """code = clamp(round_half_even(x · gain + offset), 0, 2^bits - 1)."""

    bits: int
    gain: FloatArray
    """(inputs), float64; 0 for a constant feature."""
    offset: FloatArray
    """(inputs), float64."""

    @property
    def ranges(self) -> FloatArray:
        """What all codes of a feature stand for together, (inputs): 0 of a constant feature."""
        varies = self.gain != 0.0
        return np.where(varies, 2.0**self.bits / np.where(varies, self.gain, 1.0), 0.0)

    def encode(self, x: FloatArray) -> IntArray:
        """Codes of features, (samples, inputs) each."""
        codes: FloatArray = x * self.gain
        codes += self.offset
        np.rint(codes, out=codes).clip(0, (1 << self.bits) - 1, out=codes)
        return codes.astype(np.int64)


def fit_codes(x: FloatArray, bits: int, tail: float = TAIL) -> InputCodes:
    """Codes whose range has all samples of each feature but `tail` per cent at either end.

    The threshold of a code of one bit is the mean of the samples in the range.

    Parameters
    ----------
    x : (samples, inputs), float64.
    """
    low: FloatArray = np.percentile(x, tail, axis=0)
    high: FloatArray = np.percentile(x, 100.0 - tail, axis=0)
    # Of features that are almost always the same, tails are all that they say.
    narrow = high == low
    low, high = np.where(narrow, x.min(axis=0), low), np.where(narrow, x.max(axis=0), high)
    varies = high > low
    gain: FloatArray = np.where(varies, float(1 << bits) / np.where(varies, high - low, 1.0), 0.0)
    offset = -low * gain - 0.5
    if bits == 1:
        offset = 0.5 - x.clip(low, high).mean(axis=0) * gain
    return InputCodes(bits, gain, np.where(varies, offset, 0.0))
