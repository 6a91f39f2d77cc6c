"""Lookup tables (LUTs) that cover a graph of gates, as few as synthesis finds.

Each gate keeps the cuts of at most as many inputs as a LUT has that take the least area by area
flow: the area of a cut, and that of its inputs shared among their readers. Further rounds choose by
the area that a cut adds to the LUTs that are there. Inputs that a cut's function does not depend on
are left out. (A. Mishchenko, S. Cho, S. Chatterjee and R. Brayton, "Combinational and sequential
mapping with priority cuts", ICCAD 2007.) `c/cover.c` does it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from kan_dialect.search.library import search_library
from kan_dialect.search.logic_mapping.gates import Gate

MOST_INPUTS = 8
"""Inputs of a LUT that the C text has room for."""

_INPUT_AREA = 0.01
"""Area of an input: of covers of the same area, the one with fewer wires is taken."""


def lut_sizes(gates: Sequence[Gate], roots: Collection[int], areas: Sequence[float]) -> list[int]:
    """Inputs of the LUT of each gate, two or more; 0 of gates without one, as inverters.

    Parameters
    ----------
    gates : operands first; gate 0 is the constant.
    roots : the gates that are read.
    areas : of LUTs of 1, 2, ... inputs, by which covers are compared; at most `MOST_INPUTS`.
    """
    kinds = np.array([gate.kind for gate in gates], dtype=np.int8)
    starts = np.cumsum([0, *(len(gate.inputs) for gate in gates)], dtype=np.int64)
    inputs = np.array([bit for gate in gates for bit in gate.inputs], dtype=np.int32)
    read = np.array(sorted(roots), dtype=np.int32)
    weights = np.zeros(MOST_INPUTS + 1, dtype=np.float32)
    weights[1 : len(areas) + 1] = np.array(areas) + _INPUT_AREA * np.arange(1, len(areas) + 1)
    numbers = np.array([len(gates), len(read), len(areas)], dtype=np.int64)
    sizes = np.zeros(len(gates), dtype=np.int8)
    arrays = (numbers, kinds, starts, inputs, read, weights, sizes)
    if search_library().kan_cover(*[each.ctypes.data for each in arrays]):
        raise MemoryError
    return [int(size) for size in sizes]
