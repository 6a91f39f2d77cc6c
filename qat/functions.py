"""The functions and bits of a layer's edges: each edge has its own, or edges share few shapes."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from kan_dialect.qat.bases import Basis

FIRST_BITS = 5
"""Values of an untrained network with few inputs are multiples of 2^-5."""
FEW_INPUTS = 16
"""With more inputs, values begin smaller and with more bits, and move less in a step."""
LEAST_BITS, MOST_BITS = -2.0, 9.0
PRESENT, LARGEST = 0.5, 1.5
"""An edge is nothing where its weight is smaller than the first; weights stay below the second, so
that signs and shapes may change until the end."""


class OwnFunctions(nn.Module):
    """The functions of edges that share no shape."""

    def __init__(self, basis: Basis, nodes: int, inputs: int, random: torch.Generator) -> None:
        """
        Parameters
        ----------
        basis : functions at the codes of an input.
        """
        super().__init__()
        self.coefficients = nn.Parameter(_first(basis, (nodes, inputs), inputs, random))
        """(nodes, edges, functions)."""
        self.read = nn.Parameter(_full((nodes, inputs), float(basis.bits)))
        """(nodes, edges), bits of the input's code that an edge reads."""
        self.bits = nn.Parameter(_full((nodes, inputs), first_bits(inputs)))
        """(nodes, edges), values are multiples of 2^-bits."""

    @property
    def of_functions(self) -> list[nn.Parameter]:
        """The parameters that values are linear in."""
        return [self.coefficients]

    @property
    def of_bits(self) -> list[nn.Parameter]:
        """The parameters that are numbers of bits."""
        return [self.read, self.bits]

    @property
    def of_edges(self) -> list[nn.Parameter]:
        """The parameters that each edge has its own of: (nodes, edges, ...)."""
        return [self.coefficients, self.read, self.bits]

    def clamp(self, least_read: float, most_read: float) -> None:
        """Keep parameters where they have a meaning."""
        self.read.clamp_(least_read, most_read)
        self.bits.clamp_(LEAST_BITS, MOST_BITS)


class SharedShapes(nn.Module):
    """Few shapes of each input: an edge is one of them, the negative of one, or nothing.

    Rounding is the same for a number and its negative. So tables of edges with one shape are equal
    up to sign, and a bias takes in what they differ by.

    An edge has a weight for each shape. The largest one says which shape the edge has, and its sign
    says how; below `PRESENT` the edge is nothing (Li et al., Ternary Weight Networks, arXiv
    1605.04711). Gradients of weights are those of the sum of weights times shapes (straight
    through).
    """

    def __init__(
        self, basis: Basis, nodes: int, inputs: int, shapes: int, random: torch.Generator
    ) -> None:
        """
        Parameters
        ----------
        basis : functions at the codes of an input.
        shapes : number of each input.
        """
        super().__init__()
        self.shapes = nn.Parameter(_first(basis, (inputs, shapes), inputs, random))
        """(inputs, shapes, functions)."""
        self.shape_read = nn.Parameter(_full((inputs, shapes), float(basis.bits)))
        self.shape_bits = nn.Parameter(_full((inputs, shapes), first_bits(inputs)))
        size = (nodes, inputs, shapes)
        weights = 0.6 + 0.5 * torch.rand(size, generator=random, dtype=torch.float64)
        signs = 2 * torch.randint(0, 2, size, generator=random) - 1
        self.weights = nn.Parameter(weights * signs)
        """(nodes, inputs, shapes)."""

    @property
    def chosen(self) -> Tensor:
        """The shape of each edge, (nodes, inputs), int64."""
        return self.weights.detach().abs().argmax(-1)

    @property
    def coefficients(self) -> Tensor:
        """(nodes, inputs, functions)."""
        place = self.chosen[..., None]
        weight = self.weights.detach().gather(-1, place)
        sign = weight.sign() * (weight.abs() >= PRESENT)
        exact = torch.zeros_like(self.weights).scatter(-1, place, sign)
        taken = exact + (self.weights - self.weights.detach())
        return torch.einsum("oik,ikf->oif", taken, self.shapes)

    @property
    def read(self) -> Tensor:
        """(nodes, inputs), bits of the input's code that an edge reads: those of its shape."""
        return self._of_edges(self.shape_read)

    @property
    def bits(self) -> Tensor:
        """(nodes, inputs), values are multiples of 2^-bits: those of the edge's shape."""
        return self._of_edges(self.shape_bits)

    def _of_edges(self, of_shapes: Tensor) -> Tensor:
        return of_shapes[torch.arange(len(of_shapes)), self.chosen]

    @property
    def of_functions(self) -> list[nn.Parameter]:
        """The parameters that values are linear in."""
        return [self.shapes]

    @property
    def of_bits(self) -> list[nn.Parameter]:
        """The parameters that are numbers of bits."""
        return [self.shape_read, self.shape_bits]

    @property
    def of_edges(self) -> list[nn.Parameter]:
        """None: edges of nodes are not pruned one by one where they share shapes."""
        return []

    def clamp(self, least_read: float, most_read: float) -> None:
        """Keep parameters where they have a meaning."""
        self.shape_read.clamp_(least_read, most_read)
        self.shape_bits.clamp_(LEAST_BITS, MOST_BITS)
        self.weights.clamp_(-LARGEST, LARGEST)


def first_bits(inputs: int) -> float:
    """Values of an untrained layer are multiples of 2^-bits, so that none of them is rounded to 0.

    The more inputs a layer has, the smaller its values begin.
    """
    further = round(math.log2(max(inputs, FEW_INPUTS) / FEW_INPUTS) / 2.0)
    return min(float(FIRST_BITS + further), MOST_BITS)


def _first(basis: Basis, sizes: tuple[int, int], inputs: int, random: torch.Generator) -> Tensor:
    """Coefficients of lines with random slopes, with some noise: (*sizes, functions)."""
    functions = basis.values.shape[-1]
    slopes = torch.randn(*sizes, 1, generator=random, dtype=torch.float64)
    noise = torch.randn(*sizes, functions, generator=random, dtype=torch.float64)
    linear = torch.tensor(basis.linear.tolist(), dtype=torch.float64)
    return 0.6 / inputs**0.5 * slopes * linear + 0.02 * noise


def _full(sizes: tuple[int, int], value: float) -> Tensor:
    return torch.full(sizes, value, dtype=torch.float64)
