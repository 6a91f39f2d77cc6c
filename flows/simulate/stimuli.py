"""Makes the input vectors of a simulation: data, corners of the ranges and random vectors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kan_dialect.ir.constants import IntArray
from kan_dialect.model.interface import Interface, Port, check_codes, highs, lows


def stimuli(
    interface: Interface,
    samples: IntArray | None = None,
    *,
    random: int = 10_000,
    seed: int = 0,
) -> IntArray:
    """Input vectors: codes of real data, then corners, then random vectors.

    The corners are: every input at the same boundary code of its range; each input alone at its
    lowest and highest code with the others in mid-range, and with the others at the code of 0;
    vectors of boundary codes drawn at random.

    Parameters
    ----------
    samples : codes of calibration or test data, (samples, inputs), or None.
    random : number of vectors drawn uniformly from the ports' ranges.
    seed : of the random vectors.

    Returns
    -------
    Vectors, (vectors, inputs), int64.

    Raises
    ------
    KanError : a sample's code is outside its port's range.
    """
    low, high = lows(interface.inputs), highs(interface.inputs)
    rng = np.random.default_rng(seed)
    boundaries = _boundary_codes(interface.inputs)
    parts = [
        boundaries,
        *(
            _one_at_a_time(others, extreme)
            for others in ((low + high) // 2, _zero_codes(interface.inputs))
            for extreme in (low, high)
        ),
        rng.permuted(np.repeat(boundaries, _SHUFFLED, axis=0), axis=0),
        rng.integers(low, high, (random, len(low)), endpoint=True),
    ]
    if samples is not None:
        check_codes(samples, interface.inputs)
        parts.insert(0, samples)
    return np.concatenate(parts)


_SHUFFLED = 32
"""Number of times each boundary code occurs in the random vectors of boundary codes."""


def _boundary_codes(ports: Sequence[Port]) -> IntArray:
    """Codes of every port at which many address bits or the sign change: (codes, ports), int64."""
    low, high = lows(ports), highs(ports)
    zero = _zero_codes(ports)
    middle = (low + high) // 2
    candidates = [low, low + 1, middle, middle + 1, high - 1, high, zero - 1, zero, zero + 1]
    candidates += [np.full_like(low, code) for code in (-1, 0, 1)]
    return np.clip(candidates, low, high)


def _zero_codes(ports: Sequence[Port]) -> IntArray:
    """The code nearest to the number 0, of every port: (ports), int64."""
    points = np.array([port.zero_point for port in ports], dtype=np.int64)
    return np.clip(points, lows(ports), highs(ports))


def _one_at_a_time(others: IntArray, extreme: IntArray) -> IntArray:
    """Vectors with one input at `extreme` and the rest at `others`: (ports, ports), int64."""
    vectors = np.tile(others, (len(others), 1))
    np.fill_diagonal(vectors, extreme)
    return vectors
