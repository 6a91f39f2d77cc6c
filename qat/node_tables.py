"""A network whose hidden nodes are tables of a few bits of the inputs; the bits are learned, too.

A bit of an input is whether its code has reached a threshold. A node looks its bits up, and what it
gives, 0 or 1, counts for one result (Bacellar et al., "Differentiable Weightless Neural Networks",
arXiv 2410.11112). In hardware it is a lookup table.

As a Kolmogorov-Arnold network, the edges to a node are steps of height 1, 2, 4 .., so that its sum
is the bits side by side, and one edge from it is the table.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kan_dialect.qat.cost import EdgeCost
from kan_dialect.qat.encoder import Encoder
from kan_dialect.qat.finite_difference import FiniteDifference
from kan_dialect.qat.network import Computed, IntegerLayer, QuantisedKan, decisions
from kan_dialect.qat.quantisers import straight_through

FLIPPED = 0.25
"""Slopes of a table are means over addresses whose bits are wrong this often."""


class _Pins(torch.autograd.Function):
    """The bits that nodes read: for each pin the one of largest weight. The slope of a weight is
    the pin's slope where its bit is 1, and the opposite where it is 0."""

    @staticmethod
    def forward(ctx: Any, bits: Tensor, pin_weights: Tensor) -> Tensor:
        ctx.save_for_backward(bits)
        return bits[:, pin_weights.argmax(0)]

    @staticmethod
    def backward(ctx: Any, slopes: Tensor) -> tuple[None, Tensor]:
        (bits,) = ctx.saved_tensors
        return None, (2.0 * bits - 1.0).T @ slopes


class NodeTables(QuantisedKan):
    """A hidden layer of tables, and sums of what they give."""

    def __init__(
        self,
        inputs: Sequence[int],
        width: int,
        input_bits: int,
        nodes: int,
        table_inputs: int,
        outputs: int,
        cost: EdgeCost,
        *,
        seed: int,
        decides: bool = False,
        encoder: Encoder | None = None,
    ) -> None:
        """
        Parameters
        ----------
        inputs : those that nodes may read, of `width` ones with codes of `input_bits` bits.
        nodes : number of tables; they count for each result in turn.
        table_inputs : bits that a table reads.
        decides, encoder : see `QuantisedKan`.
        """
        super().__init__([], cost, decides=decides, encoder=encoder)
        random = torch.Generator().manual_seed(seed)
        thresholds = range(1, 1 << input_bits)
        every = torch.cartesian_prod(torch.tensor(inputs), torch.tensor(thresholds))
        self._inputs, self._thresholds = every.reshape(-1, 2).T
        self._width, self._codes = width, 1 << input_bits
        pins = nodes * table_inputs
        self._mapping = torch.arange(pins).reshape(nodes, table_inputs)
        self._alpha = torch.tensor((1.0 - FLIPPED) ** (table_inputs - 1))
        self._beta = torch.tensor(FLIPPED / (1.0 - FLIPPED))
        self._result = torch.arange(nodes) % outputs
        self.pin_weights = nn.Parameter(torch.randn(len(self._inputs), pins, generator=random))
        """(bits, pins), float32: a pin reads the bit of the largest weight."""
        self.entries = nn.Parameter(
            2.0 * torch.rand(nodes, 1 << table_inputs, generator=random) - 1.0
        )
        """(nodes, 2^inputs), float32: a positive entry is a 1."""
        # One result is compared with 0.
        first = -nodes / 2.0 if outputs == 1 else 0.0
        self.bias = nn.Parameter(torch.full((outputs,), first))
        """(outputs), float32, in units of the sums, rounded."""
        # Sums of random bits have a deviation of half the root of their number.
        self._step_bits = round(math.log2(max(nodes / outputs, 1.0)) / 2.0)
        read, given = torch.tensor(float(table_inputs)), torch.tensor([0.0, 1.0])
        self._node_luts = nodes * cost.luts(read, given, torch.tensor(0.0))

    has_fixed_size = True

    @torch.no_grad()
    def clamp(self) -> None:
        """See `QuantisedKan`."""
        self.entries.clamp_(-1.0, 1.0)

    def forward(self, inputs: Tensor) -> Computed:
        """See `QuantisedKan`."""
        codes, _ = self.codes_of(inputs)
        bits = (codes[:, self._inputs] >= self._thresholds).float()
        pins = _Pins.apply(bits, self.pin_weights)
        entries = straight_through((self.entries > 0).float(), self.entries)
        given = FiniteDifference.apply(pins, self._mapping, entries, self._alpha, self._beta)
        sums = torch.zeros(len(codes), len(self.bias)).index_add(1, self._result, given)
        sums = sums + straight_through(self.bias.round(), self.bias)
        results = sums.double() * 2.0**-self._step_bits
        return Computed(results, self._node_luts, float(self._node_luts), (codes,), ())

    @torch.no_grad()
    def integers(self, threshold: float = 0.0) -> list[IntegerLayer]:
        """See `QuantisedKan`."""
        nodes, inputs = self._mapping.shape
        steps = np.zeros((nodes, self._width, self._codes), np.int64)
        pins = self.pin_weights.argmax(0).reshape(nodes, inputs)
        for pin in range(inputs):
            reached = np.arange(self._codes) >= self._thresholds[pins[:, pin], None].numpy()
            steps[np.arange(nodes), self._inputs[pins[:, pin]].numpy()] += reached << pin
        tables = np.zeros((len(self.bias), nodes, 1 << inputs), np.int64)
        tables[self._result.numpy(), np.arange(nodes)] = (self.entries > 0).numpy()
        bias = self.bias.round().long().numpy() - round(threshold * 2.0**self._step_bits)
        tables[np.arange(len(bias)), np.arange(len(bias))] += bias[:, np.newaxis]
        joined = IntegerLayer(steps, (0, (1 << inputs) - 1), 0)
        if self._decides:
            return [joined, *decisions(tables, self._step_bits)]
        return [joined, IntegerLayer(tables, None, self._step_bits)]
