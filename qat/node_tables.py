"""Hidden nodes that are tables of a few bits of the inputs; the bits are learned, too.

A bit of an input is whether its code has reached a threshold. A node looks its bits up and gives 0
or 1 (Bacellar et al., "Differentiable Weightless Neural Networks", arXiv 2410.11112). In hardware
it is a lookup table.

In a Kolmogorov-Arnold network, edges to a node are steps of height 1, 2, 4 .., so that its sum is
the bits side by side, and edges from it are functions of its table.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kan_dialect.ir.constants import IntArray
from kan_dialect.qat.finite_difference import FiniteDifference
from kan_dialect.qat.quantisers import straight_through

FLIPPED = 0.25
"""Slopes of a table are means over addresses whose bits are wrong this often."""


class _Pins(torch.autograd.Function):
    """The bits that nodes read: for each pin the one of largest weight. The slope of a weight is
    the pin's slope where its bit is 1, and the opposite where it is 0."""

    @staticmethod
    def forward(ctx: Any, bits: Tensor, pin_weights: Tensor) -> Tensor:
        ctx.save_for_backward(bits)
        return bits[:, largest(pin_weights)]

    @staticmethod
    def backward(ctx: Any, slopes: Tensor) -> tuple[None, Tensor]:
        (bits,) = ctx.saved_tensors
        return None, slopes.T @ (2.0 * bits - 1.0)


def largest(pin_weights: Tensor) -> Tensor:
    """The bit of the largest weight of each pin, (pins), int64."""
    # A tenth of the time of PyTorch's argmax, which is a third of a step.
    return torch.from_numpy(pin_weights.detach().numpy().argmax(axis=1))


class NodeTables(nn.Module):
    """A layer of such nodes."""

    def __init__(
        self,
        inputs: Sequence[int],
        width: int,
        input_bits: int,
        nodes: int,
        table_inputs: int,
        *,
        seed: int,
    ) -> None:
        """
        Parameters
        ----------
        inputs : those that nodes may read, of `width` ones with codes of `input_bits` bits.
        table_inputs : bits that a node reads.
        """
        super().__init__()
        random = torch.Generator().manual_seed(seed)
        thresholds = range(1, 1 << input_bits)
        every = torch.cartesian_prod(torch.tensor(inputs), torch.tensor(thresholds))
        self._inputs, self._thresholds = every.reshape(-1, 2).T
        self._width, self._codes = width, 1 << input_bits
        self.table_inputs, pins = table_inputs, nodes * table_inputs
        self._mapping = torch.arange(pins).reshape(nodes, table_inputs)
        self._alpha = torch.tensor((1.0 - FLIPPED) ** (table_inputs - 1))
        self._beta = torch.tensor(FLIPPED / (1.0 - FLIPPED))
        self.pin_weights = nn.Parameter(torch.rand(pins, len(self._inputs), generator=random))
        """(pins, bits), float32: a pin reads the bit of the largest weight."""
        self.entries = nn.Parameter(
            2.0 * torch.rand(nodes, 1 << table_inputs, generator=random) - 1.0
        )
        """(nodes, 2^inputs), float32: a positive entry is a 1."""

    @torch.no_grad()
    def clamp(self) -> None:
        """Keep entries where they may still change; call it after each step."""
        self.entries.clamp_(-1.0, 1.0)

    def forward(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """
        Parameters
        ----------
        codes : (samples, inputs), int64.

        Returns
        -------
        What the nodes give, (samples, nodes): int64, and for gradients float64, in the middles of
        [-1, 0] and [0, 1].
        """
        bits = (codes[:, self._inputs] >= self._thresholds).float()
        pins = _Pins.apply(bits, self.pin_weights)
        entries = straight_through((self.entries > 0).float(), self.entries)
        given = FiniteDifference.apply(pins, self._mapping, entries, self._alpha, self._beta)
        return given.detach().long(), given.double() - 0.5

    @torch.no_grad()
    def joined(self) -> IntArray:
        """Edges to the nodes, (nodes, inputs, codes), int64, whose sums are the bits that a node
        reads, the first one as the lowest."""
        nodes, pins = self._mapping.shape
        tables = np.zeros((nodes, self._width, self._codes), np.int64)
        read = largest(self.pin_weights).reshape(nodes, pins)
        for pin in range(pins):
            reached = np.arange(self._codes) >= self._thresholds[read[:, pin], None].numpy()
            tables[np.arange(nodes), self._inputs[read[:, pin]].numpy()] += reached << pin
        return tables

    @torch.no_grad()
    def of_addresses(self, edges: IntArray) -> IntArray:
        """Edges that read what the nodes give as edges that read what the nodes read.

        Parameters
        ----------
        edges : (results, nodes, 2), int64.

        Returns
        -------
        (results, nodes, 2^inputs), int64.
        """
        given = (self.entries > 0).long().numpy()
        return np.take_along_axis(edges, given[np.newaxis], axis=2)
