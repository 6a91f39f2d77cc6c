"""A layer of edges and their sums, whose functions and bits are trained together."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from kan_dialect.qat.bases import Basis
from kan_dialect.qat.cost import EdgeCost
from kan_dialect.qat.lookup import sum_of_entries
from kan_dialect.qat.quantisers import LN2, round_to_step, straight_through

FIRST_BITS = 5
"""Values of an untrained network with few inputs are multiples of 2^-5."""
FEW_INPUTS = 16
"""With more inputs, values begin smaller and with more bits, and move less in a step."""
LEAST_BITS, MOST_BITS = -2.0, 9.0


class EdgeLayer(nn.Module):
    """Edges (nodes, inputs) over the codes of the inputs, and their sums.

    An edge reads the upper bits of its input's code, a number of its own (`read`), and its values
    are multiples of 2^-bits, with `bits` of its own too. Both are real numbers that are rounded
    when the layer computes.
    """

    def __init__(
        self, basis: Basis, nodes: int, inputs: int, random: torch.Generator, kept: Tensor
    ) -> None:
        """
        Parameters
        ----------
        basis : functions at the codes of an input.
        kept : (nodes, inputs), float64: 0 for edges that do not exist, 1 for others.
        """
        super().__init__()
        self.nodes, self.inputs, self.most = nodes, inputs, basis.bits
        functions = basis.values.shape[-1]
        by_function = basis.values.reshape(-1, functions).T
        self._values_of_bits = _constant(self, "basis", by_function)
        by_function = basis.slopes.reshape(-1, functions).T
        self._slopes_of_bits = _constant(self, "basis_slopes", by_function)
        self._errors = _constant(self, "basis_errors", basis.errors)
        self._kept = _constant(self, "kept", kept)
        self._chosen = torch.ones(nodes, inputs, dtype=torch.float64)
        self.register_buffer("chosen", self._chosen)
        slopes = torch.randn(nodes, inputs, 1, generator=random, dtype=torch.float64)
        noise = torch.randn(nodes, inputs, functions, generator=random, dtype=torch.float64)
        linear = torch.tensor(basis.linear.tolist(), dtype=torch.float64)
        self.coefficients = nn.Parameter(0.6 / inputs**0.5 * slopes * linear + 0.02 * noise)
        self.read = nn.Parameter(
            torch.full((nodes, inputs), float(basis.bits), dtype=torch.float64)
        )
        self.bits = nn.Parameter(
            torch.full((nodes, inputs), first_bits(inputs), dtype=torch.float64)
        )
        self.bias = nn.Parameter(torch.zeros(nodes, dtype=torch.float64))

    @property
    def codes(self) -> int:
        """Number of codes of an input."""
        return 1 << self.most

    @property
    def step_bits(self) -> int:
        """Sums are multiples of 2^-step_bits: the finest of the edges'."""
        return int(self.bits.detach().round().max())

    def tables(self) -> tuple[Tensor, Tensor]:
        """Values and slopes of the edges at all codes, (nodes, inputs, codes) each."""
        coefficients = self.coefficients.reshape(-1, self.coefficients.shape[-1])
        read = self.read.detach().round().long().reshape(-1)
        edge = torch.arange(len(read))
        # At all numbers of bits at once: cheaper than to group edges by theirs.
        by_bits = (coefficients @ self._values_of_bits).reshape(len(read), -1, self.codes)
        values = by_bits[edge, read]
        by_bits = (coefficients.detach() @ self._slopes_of_bits).reshape(len(read), -1, self.codes)
        slopes = by_bits[edge, read]
        shape = (self.nodes, self.inputs, self.codes)
        # What an edge sees moves towards the code's own value as it reads more bits.
        unseen = LN2 * self._errors[read] * slopes
        more = (self.read - self.read.detach()).reshape(-1, 1)
        values = (values + unseen * more).reshape(shape)
        kept, slopes = self._kept[..., None], slopes.reshape(shape)
        rounded = round_to_step(values, self.bits[..., None].expand(shape))
        if not self._chosen.all():
            # Edges that are not chosen have gradients, and may be chosen again.
            chosen = self._chosen[..., None]
            rounded, slopes = straight_through(rounded * chosen, rounded), slopes * chosen
        return rounded * kept, slopes * kept

    @torch.no_grad()
    def choose_as(self, other: EdgeLayer) -> None:
        """Choose the edges that another layer of the same size has."""
        self._chosen.copy_(other._chosen)

    @torch.no_grad()
    def choose(self, edges: int, frequencies: Tensor | None) -> None:
        """Choose the edges of each node whose values vary the most.

        Parameters
        ----------
        edges : number for each node.
        frequencies : (inputs, codes), part of the samples that have a code; None: all are as
            frequent.
        """
        self._chosen.fill_(1.0)
        if edges >= self.inputs:
            return
        values, _ = self.tables()
        weights = (
            torch.full_like(values[0], 1.0 / self.codes) if frequencies is None else frequencies
        )
        mean = (values * weights).sum(-1, keepdim=True)
        variance = ((values - mean) ** 2 * weights).sum(-1)
        others = variance.topk(self.inputs - edges, dim=1, largest=False).indices
        self._chosen.scatter_(1, others, 0.0)

    def luts(self, values: Tensor, cost: EdgeCost) -> Tensor:
        """LUTs of each edge, (nodes, inputs). `values` are those of `tables`."""
        return cost.luts(self.read, values, self.bits)

    def bits_read(self, values: Tensor) -> Tensor:
        """Bits of its input that each edge reads, (nodes, inputs): 0 where it is a constant.

        Whole numbers, with the gradient of real ones. `values` are those of `tables`.
        """
        steps = (values.amax(-1) - values.amin(-1)) * torch.exp2(self.bits.detach().round())
        varies = straight_through((steps > 0.0).double(), 1.0 - (steps + 1.0) ** -2.0)
        return varies * straight_through(self.read.round(), self.read)

    def luts_of_nodes(self, values: Tensor, cost: EdgeCost, given: Tensor) -> Tensor:
        """LUTs of each node, (nodes): of its edges, or of one table from its inputs to its code.

        Parameters
        ----------
        values : those of `tables`.
        given : (nodes), bits of the code that the next layer reads.
        """
        edges = self.luts(values, cost).sum(1)
        return torch.minimum(edges, given * cost.of_table_bit(self.bits_read(values).sum(1)))

    def rounded_bias(self) -> Tensor:
        """The bias, (nodes), as a multiple of 2^-step_bits."""
        steps = 2.0**self.step_bits
        # A node without edges is the constant 0.
        bias = self.bias * self._kept.amax(1)
        return straight_through((bias * steps).round() / steps, bias)

    def forward(self, codes: Tensor, real: Tensor | None, values: Tensor, slopes: Tensor) -> Tensor:
        """The sums, (samples, nodes).

        Parameters
        ----------
        codes : (samples, inputs), int64.
        real : (samples, inputs): what has the codes, for gradients; None for the inputs of a
            network.
        values, slopes : as `tables` gives them.
        """
        if self.codes == 2 and real is None:
            # One bit adds one of two numbers: a matrix product.
            low, high = values.unbind(-1)
            moved = codes.double() @ (high - low).T
            return moved + (low.sum(1) + self.rounded_bias())
        rows = codes.long() + self.codes * torch.arange(self.inputs)
        by_row, slopes_by_row = (
            each.permute(1, 2, 0).reshape(-1, self.nodes) for each in (values, slopes)
        )
        moved = rows if real is None else real
        return sum_of_entries(by_row, slopes_by_row, rows, moved) + self.rounded_bias()

    def start_at(self, sums: Sequence[float]) -> None:
        """Begin with these sums, (nodes), on average."""
        with torch.no_grad():
            self.bias.copy_(torch.tensor(list(sums), dtype=torch.float64))

    def clamp_bits(self) -> None:
        """Keep numbers of bits where they have a meaning; call it after each step."""
        with torch.no_grad():
            self.read.clamp_(0.0, float(self.most))
            self.bits.clamp_(LEAST_BITS, MOST_BITS)


def first_bits(inputs: int) -> float:
    """Values of an untrained layer are multiples of 2^-bits, so that none of them is rounded to 0.

    The more inputs a layer has, the smaller its values begin.
    """
    further = round(math.log2(max(inputs, FEW_INPUTS) / FEW_INPUTS) / 2.0)
    return min(float(FIRST_BITS + further), MOST_BITS)


def _constant(module: nn.Module, name: str, array: object) -> Tensor:
    tensor = torch.as_tensor(array, dtype=torch.float64)
    module.register_buffer(name, tensor, persistent=False)
    return tensor
