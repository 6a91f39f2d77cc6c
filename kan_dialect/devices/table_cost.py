"""Lookup tables of a device that the bits of a `kan.table` take, from its entries.

The bits of a table's entries are planes (`kan_dialect.maths.truth_tables`). A plane that is
constant, an input bit, or equal to another plane (or to its complement) takes nothing. A plane that
depends on no more inputs than a lookup table has takes one, of that size. A few more inputs take
wide multiplexers, where the device has them. Other planes are decomposed like a multiplexer tree in
synthesis: into cofactors by the upper input bits, equal ones once, and the choice among them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from kan_dialect.maths.truth_tables import all_codes, support

MUX_INPUTS = 3
"""Inputs of a choice between two bits."""

MAPPED_INPUTS = 8
"""Most bits of tables that are mapped together: `kan-map-tables` knows 2^8 values of a signal."""


@dataclass
class Mapper:
    """Counts lookup tables of the planes of tables that read the same inputs."""

    lut_inputs: int
    wide_inputs: int
    """Inputs of the largest function that lookup tables and the multiplexers beside them make."""

    wide_factor: float = 1.0
    """LUTs of a wide function, as a multiple of the lookup tables that its multiplexers join, if
    these all differ."""

    luts: Counter[int] = field(default_factory=Counter[int])
    """Number of lookup tables so far, by number of inputs."""

    is_wide: bool = False
    """A function has more inputs than a lookup table."""

    most_inputs: int = 0
    """Of a table."""

    made: set[tuple[int, int]] = field(default_factory=set[tuple[int, int]])
    """Functions counted so far, each with its number of inputs."""

    def add(self, plane: int, inputs: int) -> int:
        """Count the lookup tables that a plane still needs; its levels of lookup tables."""
        self.most_inputs = max(self.most_inputs, inputs)
        plane, inputs = _reduced(plane, inputs)
        used = support(plane, inputs)
        if used <= 1:
            return 0
        known = (plane, inputs) in self.made
        self.made.add((plane, inputs))
        if used <= self.lut_inputs:
            self.luts[used] += not known
            return 1
        if known:
            return 1 + (used - self.lut_inputs + 1) // 2
        return self._decompose(plane, inputs, used)

    def _decompose(self, plane: int, inputs: int, used: int) -> int:
        self.is_wide = True
        if used <= self.wide_inputs:
            # Synthesis prefers the fast multiplexers even where shared parts would be smaller.
            joined = 1 << (used - self.lut_inputs)
            parts, _ = self._split(plane, inputs, self.lut_inputs)
            if len(parts) == 1 << (inputs - self.lut_inputs):
                joined = round(self.wide_factor * joined)
            self.luts[self.lut_inputs] += joined
            return 1
        best: tuple[int, int, list[int], int] | None = None
        for low in range(min(self.lut_inputs, inputs - 1), 1, -1):
            if inputs - low >= self.lut_inputs:
                # The choice alone would have too many inputs.
                break
            parts, top = self._split(plane, inputs, low)
            if top <= self.lut_inputs:
                missing = sum((part, low) not in self.made for part in parts)
                if best is None or missing < best[0]:
                    best = missing, low, parts, top
        if best is not None:
            _, low, parts, top = best
            self.luts[top] += 1
            return 1 + max((self.add(part, low) for part in parts), default=0)
        half = 1 << (inputs - 1)
        below, above = plane & ((1 << half) - 1), plane >> half
        levels = max(self.add(below, inputs - 1), self.add(above, inputs - 1))
        self.luts[MUX_INPUTS] += 1
        return levels + 1

    def _split(self, plane: int, inputs: int, low: int) -> tuple[list[int], int]:
        """The different functions of the lower bits, and the inputs of the choice among them."""
        mask, rest = all_codes(low), plane
        parts: set[int] = set()
        wires: set[int] = set()
        for _ in range(1 << (inputs - low)):
            part = rest & mask
            rest >>= 1 << low
            part ^= mask if part & 1 else 0
            if part:
                (wires if support(part, low) == 1 else parts).add(part)
        return sorted(parts), len(parts) + len(wires) + inputs - low


def _reduced(plane: int, inputs: int) -> tuple[int, int]:
    """The plane or its complement, without upper inputs that it does not depend on."""
    plane ^= all_codes(inputs) if plane & 1 else 0
    while inputs and plane >> (1 << (inputs - 1)) == plane & all_codes(inputs - 1):
        inputs -= 1
        plane &= all_codes(inputs)
    return plane, inputs
