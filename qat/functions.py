"""The functions and bits of a layer's edges: each edge has its own, or edges share few shapes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from kan_dialect.qat.bases import Basis
from kan_dialect.search.fits.shape_fit import Functions, copies_up_to_factors
from kan_dialect.search.fits.shape_tables import FACTORS, SHIFTS

Rounded: TypeAlias = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
"""Values and slopes, (..., codes), of functions with coefficients (..., functions), which read
some bits (...) of a code, and whose values have some bits (...)."""

FIRST_BITS = 5
"""Values of an untrained network with few inputs are multiples of 2^-5."""
FEW_INPUTS = 16
"""With more inputs, values begin smaller and with more bits, and move less in a step."""
LEAST_BITS, MOST_BITS = -2.0, 9.0
TINY = 1e-30
"""The least number that is divided by."""


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

    def tables(self, rounded: Rounded) -> tuple[Tensor, Tensor]:
        """Values and slopes of the edges at all codes: see `EdgeLayer.tables`."""
        return rounded(self.coefficients, self.read, self.bits)

    def clamp(self, least_read: float, most_read: float) -> None:
        """Keep parameters where they have a meaning."""
        self.read.clamp_(least_read, most_read)
        self.bits.clamp_(LEAST_BITS, MOST_BITS)


class SharedShapes(nn.Module):
    """Few shapes of a layer: an edge is one of them times ±2^-s, s = 0 .. `SHIFTS`, or nothing.

    The shape is rounded, and its multiple is exact. So tables of edges with one shape are equal up
    to sign and shift, and a bias takes in what their own functions differ by.

    At first edges are functions of their own. `share` finds shapes for them. From then on an edge
    still has a function of its own, and takes the nearest multiple of a shape: it is quantised as a
    vector (van den Oord et al., arXiv 1711.00937, section 3.2). The factor of least squares is
    rounded to the nearest of 0 and the powers of two (INQ, Zhou et al., arXiv 1702.03044, section
    2.1). The gradient of an edge's values reaches its own function straight through, and that of a
    shape is the sum over its edges (Han et al., arXiv 1510.00149, section 3).
    """

    def __init__(
        self, basis: Basis, nodes: int, inputs: int, shapes: int, random: torch.Generator
    ) -> None:
        """
        Parameters
        ----------
        basis : functions at the codes of an input.
        shapes : number of shapes of the layer.
        """
        super().__init__()
        self.coefficients = nn.Parameter(_first(basis, (nodes, inputs), inputs, random))
        """(nodes, inputs, functions): what an edge would be without shapes."""
        self.shapes = nn.Parameter(torch.zeros(shapes, basis.values.shape[-1], dtype=torch.float64))
        """(shapes, functions): the largest multiples; 0 until `share`."""
        self.is_shared: Tensor
        """Whether edges are multiples of shapes, (), bool."""
        self.register_buffer("is_shared", torch.tensor(False))
        self.shape_read = nn.Parameter(_full((shapes,), float(basis.bits)))
        self.shape_bits = nn.Parameter(_full((shapes,), first_bits(inputs)))
        values = torch.from_numpy(basis.values[-1].copy())
        self._values: Tensor
        """(functions, codes)."""
        self.register_buffer("_values", values.T.contiguous(), persistent=False)
        varied = values - values.mean(0)
        self._products: Tensor
        """(functions, functions): inner products over all codes, means left out."""
        self.register_buffer("_products", varied.T @ varied, persistent=False)
        self.choice: Tensor
        """The shape of each edge, (nodes, inputs), int64."""
        self.register_buffer("choice", torch.zeros(nodes, inputs, dtype=torch.int64))
        self.factor: Tensor
        """What it is multiplied by, (nodes, inputs), float64: 0 or a power of two with a sign."""
        self.register_buffer("factor", torch.zeros(nodes, inputs, dtype=torch.float64))

    @torch.no_grad()
    def share(self) -> None:
        """Find shapes for the functions of the edges: see `copies_up_to_factors`."""
        own = (self.coefficients @ self._values).numpy().reshape(-1, self._values.shape[1])
        alike = np.full(own.shape, 1.0 / own.shape[1])
        functions = Functions(np.arange(own.shape[1], dtype=np.float64), own, alike, alike[:, 0])
        copies = copies_up_to_factors(functions, len(self.shapes), FACTORS)
        # Fewer shapes than were asked for are found of few edges; others stay 0.
        inverse = torch.linalg.pinv(self._values.T)
        found = (inverse @ torch.from_numpy(copies.shapes).T).T
        self.shapes[: len(found)] = found
        self.is_shared.fill_(True)
        self.assign()

    @torch.no_grad()
    def assign(self) -> None:
        """Give each edge the nearest multiple of a shape; call it when parameters have changed."""
        shared = self._products @ self.shapes.T
        squares = (self.shapes.T * shared).sum(0).clamp(min=TINY)
        fitted = self.coefficients @ shared / squares
        size = fitted.abs()
        power = torch.exp2(torch.log2(size.clamp(min=TINY) / 1.5).ceil().clamp(-SHIFTS, 0.0))
        factor = power * (2.0 * size >= power)
        gain = squares * factor * (2.0 * size - factor)
        self.choice = gain.argmax(-1)
        factor = (factor * fitted.sign()).gather(-1, self.choice[..., None])
        self.factor = factor[..., 0]

    def tables(self, rounded: Rounded) -> tuple[Tensor, Tensor]:
        """Values and slopes of the edges at all codes: see `EdgeLayer.tables`."""
        if not self.is_shared:
            return rounded(self.coefficients, self.read, self.bits)
        values, slopes = (
            self.factor[..., None] * functional.embedding(self.choice, each)
            for each in rounded(self.shapes, self.shape_read, self.shape_bits)
        )
        own = self.coefficients @ self._values
        return values + (own - own.detach()), slopes

    @property
    def read(self) -> Tensor:
        """(nodes, inputs), bits of the input's code that an edge reads: those of its shape."""
        return self.shape_read[self.choice]

    @property
    def bits(self) -> Tensor:
        """(nodes, inputs), values are multiples of 2^-bits: half a shape has one bit more."""
        shift = torch.log2(self.factor.abs().masked_fill(self.factor.eq(0.0), 1.0))
        return self.shape_bits[self.choice] - shift

    @property
    def of_functions(self) -> list[nn.Parameter]:
        """The parameters that values are linear in."""
        return [self.coefficients, self.shapes]

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
        if self.is_shared:
            self.assign()


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


def _full(sizes: tuple[int, ...], value: float) -> Tensor:
    return torch.full(sizes, value, dtype=torch.float64)
