"""LUTs of the tables that read a value, and of the increments that they share."""

from __future__ import annotations

import numpy as np

from kan_dialect.devices.device import DeviceFamily
from kan_dialect.ir.constants import FloatArray, IntArray
from kan_dialect.maths.truth_tables import supports
from kan_dialect.search.table_split.splitter import splitter_for
from kan_dialect.search.table_windows.windows import Ring

WIDTH = 0.25
"""LUTs that a bit of a window stands for beside those of the table: of two tables that take the
same, the later passes do more with the narrower one."""
CHAIN_BIT = 0.03
"""LUTs of a bit of an increment where the device counts none for its carry chain."""
PARTS = 3
"""The most parts of a table, where adders absorb tables."""


class TableCosts:
    """Costs of tables on a device; each table is examined once."""

    def __init__(self, device: DeviceFamily) -> None:
        self._device = device
        absorbs = device.adders.absorbed_inputs >= 0
        self._splitter = splitter_for(device, PARTS) if absorbs else None
        self._known: dict[tuple[bytes, bool], float] = {}

    @property
    def counts_parts(self) -> bool:
        """Whether a table that a sum reads costs as much as in parts."""
        return self._splitter is not None

    def of(self, ring: Ring, is_added: bool) -> float:
        """LUTs of a table, and of adding it to a sum if that is all that reads it."""
        entries = ring.filled - int(ring.filled.min()) if is_added else ring.filled
        key = entries.tobytes(), is_added
        if key not in self._known:
            self._known[key] = self._added(entries) if is_added else self._read(entries)
        return self._known[key]

    def least(self, ring: Ring) -> float:
        """LUTs of adding a table to a sum, however few inputs its bits have."""
        entries = ring.entries[ring.care]
        bits = int(entries.max() - entries.min()).bit_length()
        return bits * float(self._device.summand_costs(1, ideal=True)[1])

    def bits_read(self, bits: int, inputs: int) -> float:
        """LUTs of some bits that something other than sums reads, each of as many inputs."""
        return bits * float(self._bit_costs(inputs)[inputs])

    def increment(self, amount: int, bits: int) -> float:
        """LUTs of adding a constant to a code of some bits: a chain from its lowest 1 on."""
        if not amount:
            return 0.0
        places = bits - (amount & -amount).bit_length() + 1
        return max(CHAIN_BIT, self._device.adders.constant_luts) * places

    def _added(self, entries: IntArray) -> float:
        costs = self._device.summand_costs(_inputs(entries), ideal=True)
        whole = _sum_over_planes(costs, entries)
        if self._splitter is None:
            return whole
        return min(whole, self._splitter.cost(self._splitter.split_all([entries])[0]))

    def _read(self, entries: IntArray) -> float:
        return _sum_over_planes(self._bit_costs(_inputs(entries)), entries)

    def _bit_costs(self, inputs: int) -> FloatArray:
        """LUTs of a bit of 0 .. `inputs` inputs; small ones share a LUT."""
        costs = self._device.bit_costs(inputs).copy()
        costs[2 : self._device.shared_inputs] /= 2
        return costs


def _inputs(entries: IntArray) -> int:
    return len(entries).bit_length() - 1


def _sum_over_planes(costs: FloatArray, entries: IntArray) -> float:
    """The costs of a table's bits, by the number of inputs that each depends on."""
    bits = max(int(entries.max()).bit_length(), (~int(entries.min())).bit_length() + 1)
    return float(costs[supports(entries[np.newaxis], bits)].sum())
