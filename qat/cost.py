"""The cost of edges and nodes as a function of their bits that has gradients.

An edge that reads n bits and gives m takes about m · c(n) LUTs, adding included, where c is the
target's cost of a bit (`DeviceFamily.summand_costs`). Between whole numbers of bits c is linear. m
follows from the range of the edge's values in steps: log2(range / step + 1).

The sum that the values are added to is wider than they are, and an edge that gives 0 bits needs no
adder. So an edge takes `WIDER` bits of an adder more, times 1 - 4^-m. An edge that reads one bit
takes none of these where adders take LUTs only for bits that both operands have
(`Adders.whole_bits`): its bits stand side by side with others, or enter at carry inputs
(`kan-balance-sums`).

Where adders absorb no table, edges that read few bits share the LUTs of tables: two of 2 bits take
one of four inputs.

A node whose edges read few bits together is one table from these bits to its code
(`kan-fold-clamps`), and takes no more than that table.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from kan_dialect.devices.device import XCUP, DeviceFamily

MOST_BITS = 12
"""Largest number of bits that an edge reads."""
WIDER = 1.5
"""Bits by which an adder is wider than an edge's values: about the mean over trained networks
(`benchmarks/results/training.md`)."""


class EdgeCost:
    """LUTs of edges on a device."""

    def __init__(self, device: DeviceFamily) -> None:
        self.is_xcup = device is XCUP
        tables, costs = device.bit_costs(MOST_BITS), device.summand_costs(MOST_BITS, ideal=True)
        if not device.adders.absorbed_luts:
            read = np.arange(MOST_BITS + 1).clip(1, device.lut_inputs)
            costs = costs - tables * (1.0 - 1.0 / (device.lut_inputs // read))
        self._wider = WIDER * device.adders.bit_luts
        # Edges that read no more bits take no wider adder.
        self._narrow = 0.0 if device.adders.whole_bits else 1.0
        self._costs = torch.tensor(costs.tolist(), dtype=torch.float64)
        self._table_costs = torch.tensor(tables.tolist(), dtype=torch.float64)

    def luts(self, read: Tensor, values: Tensor, bits: Tensor) -> Tensor:
        """LUTs of each edge.

        Parameters
        ----------
        read : (...), number of input bits that an edge reads, float64.
        values : (..., codes), its values.
        bits : (...), its values are multiples of 2^-bits.
        """
        span = values.amax(-1) - values.amin(-1)
        given = torch.log2(span * torch.exp2(bits) + 1.0)
        wider = self._wider * (read - self._narrow).clamp(0.0, 1.0)
        return self.of_bit(read) * given + wider * (1.0 - torch.exp2(-2.0 * given))

    def of_bit(self, read: Tensor) -> Tensor:
        """LUTs of a bit, adding included, by the number of its input bits."""
        return _between(self._costs, read)

    def of_table_bit(self, read: Tensor) -> Tensor:
        """LUTs of a bit of a table that nothing is added to, by the number of its input bits."""
        return _between(self._table_costs, read)


XCUP_COST = EdgeCost(XCUP)
"""Prices are those of its LUTs."""


def _between(costs: Tensor, bits: Tensor) -> Tensor:
    """The costs of 0, 1, .. bits, linear between whole numbers and beyond the last two."""
    below = bits.detach().floor().clamp(0, len(costs) - 2).long()
    low, high = costs[below], costs[below + 1]
    return low + (bits - below) * (high - low)
