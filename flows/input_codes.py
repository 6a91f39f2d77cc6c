"""Input codes on which designs are compared: all of them, or the ends, samples and random ones."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from math import prod

import numpy as np

from kan_dialect.ir.constants import FloatArray, IntArray
from kan_dialect.model.interface import Port, highs, lows
from kan_dialect.model.model import Model
from kan_dialect.model.port_codes import encode

RANDOM_CODES = 2048
"""Number of random input codes; all codes are used where there are no more."""


def comparison_codes(inputs: Sequence[Port], samples: FloatArray | None) -> IntArray:
    """Input codes, (codes, inputs), the same ones each time.

    Parameters
    ----------
    samples : real inputs, (samples, inputs), whose codes are among them; None without any.
    """
    if prod(port.high - port.low + 1 for port in inputs) <= RANDOM_CODES:
        grids = np.meshgrid(*[np.arange(p.low, p.high + 1) for p in inputs], indexing="ij")
        return np.stack(grids, axis=-1).reshape(-1, len(inputs))
    low, high = lows(inputs), highs(inputs)
    parts = [low[np.newaxis], high[np.newaxis]]
    if samples is not None:
        parts.append(encode(inputs, samples))
    rng = np.random.default_rng(0)
    parts.append(rng.integers(low, high, (RANDOM_CODES, len(inputs)), endpoint=True))
    return np.concatenate(parts)


def outputs_digest(model: Model, samples: FloatArray | None) -> str:
    """A digest of the output codes on `comparison_codes`, and of what all codes mean.

    Parameters
    ----------
    samples : real inputs, (samples, inputs), whose codes are among those compared; None without.
    """
    ports = model.ports()
    meaning = [[(p.scale, p.zero_point, p.gain, p.offset) for p in side] for side in ports]
    codes = model.run_codes(comparison_codes(ports[0], samples))
    whole = hashlib.sha256(repr(meaning).encode())
    whole.update(np.ascontiguousarray(codes, dtype=np.int64).tobytes())
    return whole.hexdigest()[:20]
