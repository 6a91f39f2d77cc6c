"""Limits of the search for cheaper sums: they trade its time for the cost of its results."""

from __future__ import annotations

from typing import NamedTuple

from kan_dialect.devices.device import DeviceFamily

MAX_INPUT_BITS = 14
"""Input bits of the widest table that is split."""

MAX_RESULT_BITS = 48
"""Result bits of the widest table that is split: sums of wider parts could leave the widest range
of an integer type."""

NO_GATES = -1
"""`gate_bits` of a search without gates."""


class SearchLimits(NamedTuple):
    """Limits of the search for the parts of one table: `Limits` of `c/state.h`, in its order."""

    offsets: int = 64
    """Offsets tried for a part; evenly spaced if more leave its width as it is."""
    high_offsets: int = 3
    """Offsets tried for the high part, for each number of input bits that it leaves out."""
    offset_bits: int = 6
    """Resolution of these offsets: bits below the power of two that the high part is a multiple of.
    At most 6, as the offsets that are possible are bits of a 64-bit word."""
    decompositions: int = 8
    """Decompositions of a table, cheapest first, whose parts get their best offsets."""
    refined: int = 4
    """Decompositions of a table, cheapest first, whose parts are split again."""
    refined_once: int = 1 << 8
    """Entries from which on only the cheapest decomposition of a table is refined."""
    gate_variants: int = 1 << 7
    """Entries from which on a table's neighbours are told apart by gates of every kind."""
    shape_bits: int = 3
    """Lowest input bits, at most, whose entries a gate tells apart by their shape: 1, 2 or 3."""
    shape_inputs: int = 6
    """Bits of the gate and of the class, together, of such a gate at most."""
    gate_bits: int = 10
    """Bits of the largest difference of neighbours that a gate adds; at most 14."""


def limits_on(device: DeviceFamily) -> SearchLimits:
    """Limits for a device, where all gates are tried for tables that take several lookup tables."""
    gate_bits = SearchLimits().gate_bits if device.keeps_gates else NO_GATES
    return SearchLimits(gate_variants=2 << device.lut_inputs, gate_bits=gate_bits)
