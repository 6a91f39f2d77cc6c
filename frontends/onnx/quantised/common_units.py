"""Finds the unit of a node: the values of its edges are integer multiples of it."""

from __future__ import annotations

import numpy as np

from kan_dialect.ir.constants import BoolArray, FloatArray

_MAX_RATIO = 1 << 20
"""Largest multiple of a unit that is exact in float64."""

_MAX_FRACTION = 1 << 10
"""Smallest share of the least step that is tried, of steps that are rounded to float32."""

_EXACT, _FLOAT32 = 2.0**-50, 2.0**-22
"""Relative errors of steps."""


def common_unit(steps: FloatArray) -> float | None:
    """The largest number of which all steps are integer multiples, but for rounding to float32.

    Parameters
    ----------
    steps : (n), float64, positive.

    Returns
    -------
    None without such a number.
    """
    steps = np.unique(steps)
    exact = _divisor(steps)
    return _fraction(steps) if exact is None else exact


def _divisor(steps: FloatArray) -> float | None:
    """The greatest common divisor of exact steps, by Euclid's algorithm on all of them."""
    unit = float(steps[0])
    while steps[-1] <= unit * _MAX_RATIO:
        rest = np.abs(steps - np.rint(steps / unit) * unit)
        inexact = rest > _EXACT * steps
        if not bool(inexact.any()):
            return unit
        unit = float(rest[inexact].min())
    return None


def _fraction(steps: FloatArray) -> float | None:
    """The largest fraction of the least step of which all steps are multiples."""
    fractions = np.arange(1, _MAX_FRACTION + 1)
    for step in steps:
        fractions = fractions[_are_near_integers(fractions * (step / steps[0]))]
        if not fractions.size:
            return None
    multiples = np.rint(steps * (fractions[0] / steps[0]))
    # A multiple by a power of two is not rounded, so it gives the unit.
    exact = np.flatnonzero(np.frexp(multiples)[0] == 0.5)
    if exact.size:
        return float(steps[exact[0]] / multiples[exact[0]])
    return float((steps * multiples).sum() / (multiples**2).sum())


def _are_near_integers(multiples: FloatArray) -> BoolArray:
    return np.abs(multiples - np.rint(multiples)) <= np.minimum(_FLOAT32 * multiples, 0.1)
