"""A network of few LUTs for several functions of the same bits."""

from __future__ import annotations

from collections.abc import Sequence

from kan_dialect.maths.truth_tables import all_codes, low_half
from kan_dialect.search.lut_mapping.network import LutNetwork
from kan_dialect.search.lut_mapping.resubstitution import resubstituted
from kan_dialect.search.lut_mapping.start import start_network

LUT_INPUTS = range(3, 7)
"""Inputs of the LUTs that can be mapped to."""

MOST_INPUTS = 10
"""Bits that functions may depend on: 1024 patterns."""

ROUNDS = 150
"""The search takes some 20 µs a LUT and round."""


def map_functions(
    functions: Sequence[int],
    inputs: int,
    lut_inputs: int,
    most_levels: int | None = None,
    rounds: int = ROUNDS,
) -> LutNetwork:
    """A network of few LUTs that computes functions of the same bits.

    The time grows with the number of LUTs and of rounds.

    Parameters
    ----------
    functions : truth tables; bit k is the value at input pattern k. None of them is constant.
    inputs : number of input bits, 10 at most.
    lut_inputs : most inputs of a LUT, 3 to 6.
    most_levels : most LUTs on a path, if a network of choices between cofactors has no more;
        otherwise as many as that has. None: any number.
    rounds : of the search; each visits all LUTs.

    Raises
    ------
    ValueError : a function is constant, or sizes are out of range.
    """
    if not 1 <= inputs <= MOST_INPUTS or lut_inputs not in LUT_INPUTS:
        raise ValueError(f"expected 1 to {MOST_INPUTS} bits and LUTs of 3 to 6 inputs")
    every = all_codes(inputs)
    if any(not 0 <= each <= every for each in functions):
        raise ValueError(f"expected truth tables of {1 << inputs} bits")
    if any(each in (0, every) for each in functions):
        raise ValueError("expected functions that are not constant")
    start = start_network(functions, inputs, lut_inputs, wide=False)
    if most_levels is not None and start.levels > most_levels:
        start = start_network(functions, inputs, lut_inputs, wide=True)
    deepest = len(start.luts) if most_levels is None else max(most_levels, start.levels)
    known = start.functions([every ^ low_half(inputs, each) for each in range(inputs)], every)
    return resubstituted(start, known, 1 << inputs, lut_inputs, deepest, rounds)
