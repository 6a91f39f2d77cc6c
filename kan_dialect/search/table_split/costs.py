"""LUTs of sums of parts.

The cost of a bit depends on the number of input bits that it depends on (its support), and on
whether it is added to a sum (`DeviceFamily.bit_costs`, `DeviceFamily.summand_costs`).
"""

from __future__ import annotations

import numpy as np

from kan_dialect.devices.device import Adders, DeviceFamily
from kan_dialect.ir.constants import FloatArray, IntArray
from kan_dialect.maths.truth_tables import supports
from kan_dialect.search.table_split.limits import MAX_INPUT_BITS, SearchLimits, limits_on
from kan_dialect.search.table_split.parts import Part, Split


class PartCosts:
    """LUTs of parts on a device."""

    def __init__(
        self,
        bit_costs: FloatArray,
        summand_costs: FloatArray,
        adders: Adders,
        limits: SearchLimits | None = None,
    ) -> None:
        """
        Parameters
        ----------
        bit_costs : LUTs of a bit that depends on 0, 1, ... inputs; the first is 0.
        summand_costs : the same, and of adding it to a sum.
        adders : of the device.
        """
        self.limits = limits or SearchLimits()
        self.bit_costs = bit_costs
        self.summand_costs = summand_costs
        self.adders = adders
        self._may_carry = summand_costs > bit_costs
        """Whether a bit of 0, 1, ... inputs costs less at an adder's carry input."""

    @staticmethod
    def on(device: DeviceFamily, inputs: int = MAX_INPUT_BITS) -> PartCosts:
        """Costs on a device, for tables of at most `inputs` input bits."""
        costs = device.bit_costs(inputs), device.summand_costs(inputs)
        return PartCosts(*costs, device.adders, limits_on(device))

    def of(self, split: Split) -> float:
        """LUTs of a sum of parts that is added to another sum.

        Every adder but one is a further one. Bits at carry inputs cost less.
        """
        bits = len(split.parts) - split.adders
        adders = split.adders + max(0, bits - split.adders)
        saved = self.adders.carry_in_luts * min(adders, split.carries)
        return split.bit_luts - saved + self.adders.further_luts * max(0, adders - 1)

    def without_adding(self, split: Split) -> float:
        """LUTs of a split of at most one part if something else is added to it."""
        tables = [part.entries for part in split.parts if isinstance(part, Part)]
        assert len(tables) == len(split.parts)
        used = [supports(each[np.newaxis], int(each.max()).bit_length()) for each in tables]
        return float(sum(self.bit_costs[bits].sum() for bits in used))

    def lowest_bit_may_carry(self, entries: IntArray, mask: int) -> bool:
        """Whether the lowest bit of a table costs less at an adder's carry input.

        Parameters
        ----------
        mask : bits that any entry has.
        """
        used = supports(entries[np.newaxis], mask.bit_length())[0]
        return bool(self._may_carry[used[(mask & -mask).bit_length() - 1]])
