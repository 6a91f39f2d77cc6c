"""A layer of edges and their sums, whose functions and bits are trained together."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from kan_dialect.qat.bases import Basis
from kan_dialect.qat.cost import EdgeCost
from kan_dialect.qat.functions import OwnFunctions, SharedShapes, first_bits
from kan_dialect.qat.lookup import sum_of_edges, sum_of_entries, sum_of_few_codes
from kan_dialect.qat.monotone import directed
from kan_dialect.qat.quantisers import LN2, round_to_step, straight_through

FEW_CODES = 4
"""With at most this number of codes, sums are matrix products."""


class EdgeLayer(nn.Module):
    """Edges (nodes, edges) over the codes of the inputs, and their sums.

    All nodes have the same number of edges, at first one from each input. `index` says which
    input an edge reads. Work grows with the number of edges.

    An edge reads the upper bits of its input's code, a number of its own (`read`), and its values
    are multiples of 2^-bits, with `bits` of its own too. Both are real numbers that are rounded
    when the layer computes.
    """

    def __init__(
        self,
        basis: Basis,
        nodes: int,
        inputs: int,
        random: torch.Generator,
        kept: Tensor,
        shapes: int | None = None,
        directions: Tensor | None = None,
    ) -> None:
        """
        Parameters
        ----------
        basis : functions at the codes of an input.
        kept : (nodes, inputs), float64: 0 for edges that do not exist, 1 for others.
        shapes : number of shapes that edges share; None: each has its own function.
        directions : (nodes, inputs), float64: 1 for edges whose values rise with the code, -1 for
            those that fall, 0 for others; None: all are others.
        """
        super().__init__()
        self.nodes, self.inputs, self.most = nodes, inputs, basis.bits
        functions = basis.values.shape[-1]
        by_function = basis.values.reshape(-1, functions).T
        self._values_of_bits = _constant(self, "basis", by_function)
        by_function = basis.slopes.reshape(-1, functions).T
        self._slopes_of_bits = _constant(self, "basis_slopes", by_function)
        self._errors = _constant(self, "basis_errors", basis.errors)
        self._exists = _constant(self, "exists", kept)
        self._directions = directions
        self.index: Tensor
        """(nodes, edges), int64; 0, 1, .. where there is an edge from each input."""
        self.register_buffer("index", torch.arange(inputs).repeat(nodes, 1))
        self.chosen: Tensor
        """(nodes, edges), float64: 1 for edges that count, 0 for others."""
        self.register_buffer("chosen", torch.ones(nodes, inputs, dtype=torch.float64))
        self.functions: OwnFunctions | SharedShapes
        if shapes is None:
            self.functions = OwnFunctions(basis, nodes, inputs, random)
        else:
            self.functions = SharedShapes(basis, nodes, inputs, shapes, random)
        self.bias = nn.Parameter(torch.zeros(nodes, dtype=torch.float64))

    @property
    def coefficients(self) -> Tensor:
        """(nodes, edges, functions)."""
        return self.functions.coefficients

    @property
    def read(self) -> Tensor:
        """(nodes, edges), float64, bits of the input's code that an edge reads."""
        return self.functions.read

    @property
    def bits(self) -> Tensor:
        """(nodes, edges), float64: values are multiples of 2^-bits."""
        return self.functions.bits

    @property
    def codes(self) -> int:
        """Number of codes of an input."""
        return 1 << self.most

    @property
    def step_bits(self) -> int:
        """Sums are multiples of 2^-step_bits: the finest of the edges'."""
        return int(self.bits.detach().round().max())

    @property
    def edges(self) -> int:
        """Number of edges of a node."""
        return self.index.shape[1]

    @property
    def _kept(self) -> Tensor:
        """(nodes, edges): 0 for edges that do not exist, 1 for others."""
        return self._exists.gather(1, self.index)

    def tables(self) -> tuple[Tensor, Tensor]:
        """Values and slopes of the edges at all codes, (nodes, edges, codes) each."""
        values, slopes = self.functions.tables(self._rounded)
        kept = self._kept[..., None]
        if not self.chosen.all():
            # Edges that are not chosen have gradients, and may be chosen again.
            chosen = self.chosen[..., None]
            values, slopes = straight_through(values * chosen, values), slopes * chosen
        return values * kept, slopes * kept

    def _rounded(self, coefficients: Tensor, read: Tensor, bits: Tensor) -> tuple[Tensor, Tensor]:
        """Values and slopes of functions at all codes, (..., codes) each.

        Parameters
        ----------
        coefficients : (..., functions).
        read, bits : (...), of the input's code that a function reads, and of its values.
        """
        flat = coefficients.reshape(-1, coefficients.shape[-1])
        seen = read.detach().round().long().reshape(-1)
        row = torch.arange(len(seen))
        # At all numbers of bits at once: cheaper than to group functions by theirs.
        by_bits = (flat @ self._values_of_bits).reshape(len(seen), -1, self.codes)
        values = by_bits[row, seen]
        by_bits = (flat.detach() @ self._slopes_of_bits).reshape(len(seen), -1, self.codes)
        slopes = by_bits[row, seen]
        shape = (*read.shape, self.codes)
        # What an edge sees moves towards the code's own value as it reads more bits.
        unseen = LN2 * self._errors[seen] * slopes
        more = (read - read.detach()).reshape(-1, 1)
        values = (values + unseen * more).reshape(shape)
        if self._directions is not None:
            # Sums of functions are in order up to their rounding.
            ordered = directed(values, self._directions.gather(1, self.index))
            values = straight_through(ordered, values)
        return round_to_step(values, bits[..., None].expand(shape)), slopes.reshape(shape)

    @torch.no_grad()
    def take(self, places: Tensor) -> None:
        """Go on with these edges only. Results of before have no gradients any more.

        Parameters
        ----------
        places : (nodes, edges that stay), int64, of edges that each node has now.
        """
        for parameter in self.functions.of_edges:
            parameter.data = taken(parameter.data, places)
            parameter.grad = None
        self.index = taken(self.index, places)
        self.chosen = taken(self.chosen, places)

    @torch.no_grad()
    def renew(self, places: Tensor, inputs: Tensor) -> None:
        """Put new edges, which are 0, in place of others.

        Parameters
        ----------
        places : (nodes, new edges), int64, of edges that go.
        inputs : (nodes, new edges), int64, inputs of the new ones, which the node does not read.
        """
        node = torch.arange(self.nodes)[:, None]
        self.coefficients[node, places] = 0.0
        self.read[node, places] = float(self.most)
        self.bits[node, places] = first_bits(self.inputs)
        self.index[node, places] = inputs

    def inputs_by_gradient(self, edges: int, codes: Tensor, gradient: Tensor) -> Tensor:
        """Inputs that a node does not read and whose edges would change the loss the most.

        The gradient of a linear edge's slope tells, as in RigL (Evci et al., arXiv 1911.11134,
        section 3).

        Parameters
        ----------
        edges : number of inputs for each node.
        codes : (samples, inputs), int64.
        gradient : (samples, nodes), of the loss by the sums.

        Returns
        -------
        (nodes, edges), int64.
        """
        real = codes.double() / self.codes
        scores = (gradient.T @ (real - real.mean(0))).abs() * self._exists
        scores.scatter_(1, self.index, -1.0)
        return scores.topk(edges, dim=1).indices

    def resize(self, edges: int) -> None:
        """Give each node this number of edges, whose parameters and inputs are then loaded."""
        self.take(torch.zeros(self.nodes, edges, dtype=torch.int64))

    @torch.no_grad()
    def choose_as(self, other: EdgeLayer) -> None:
        """Choose the edges that another layer of the same edges has."""
        self.chosen.copy_(other.chosen)

    @torch.no_grad()
    def choose(self, edges: int, frequencies: Tensor | None) -> None:
        """Choose the edges of each node whose values vary the most.

        Parameters
        ----------
        edges : number for each node.
        frequencies : (inputs, codes), part of the samples that have a code; None: all are as
            frequent.
        """
        self.chosen.fill_(1.0)
        if edges >= self.edges:
            return
        others = self._variances(frequencies).topk(self.edges - edges, dim=1, largest=False)
        self.chosen.scatter_(1, others.indices, 0.0)

    def ranked(self, frequencies: Tensor | None) -> Tensor:
        """Places of a node's edges, (nodes, edges), int64: chosen ones first, then varied ones.

        Parameters
        ----------
        frequencies : see `choose`.
        """
        variances = self._variances(frequencies)
        first = variances + self.chosen * (variances.max() + 1.0)
        return first.argsort(dim=1, descending=True)

    @torch.no_grad()
    def _variances(self, frequencies: Tensor | None) -> Tensor:
        """Variance of each edge's values, (nodes, edges), those not chosen as if they were."""
        chosen = self.chosen
        self.chosen = torch.ones_like(chosen)
        values, _ = self.tables()
        self.chosen = chosen
        if frequencies is None:
            weights = torch.full_like(values, 1.0 / self.codes)
        else:
            weights = frequencies[self.index]
        mean = (values * weights).sum(-1, keepdim=True)
        return ((values - mean) ** 2 * weights).sum(-1)

    def luts(self, values: Tensor, cost: EdgeCost) -> Tensor:
        """LUTs of each edge, (nodes, edges). `values` are those of `tables`."""
        return cost.luts(self.read, values, self.bits)

    def bits_read(self, values: Tensor) -> Tensor:
        """Bits of its input that each edge reads, (nodes, edges): 0 where it is a constant.

        Whole numbers, with the gradient of real ones. `values` are those of `tables`.
        """
        steps = (values.amax(-1) - values.amin(-1)) * torch.exp2(self.bits.detach().round())
        varies = straight_through((steps > 0.0).double(), 1.0 - (steps + 1.0) ** -2.0)
        return varies * straight_through(self.read.round(), self.read)

    def bits_of_inputs(self, values: Tensor) -> Tensor:
        """Bits of each input that are read, (inputs): the most that an edge reads."""
        bits = self.bits_read(values)
        if self.edges == self.inputs:
            return bits.amax(0)
        none = bits.new_zeros(self.inputs)
        return none.scatter_reduce(0, self.index.reshape(-1), bits.reshape(-1), "amax")

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
        bias = self.bias * self._exists.amax(1)
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
        if self.codes <= FEW_CODES:
            sums = sum_of_few_codes(values, slopes, self.index, codes, real)
            return sums + self.rounded_bias()
        if self.edges < self.inputs:
            return sum_of_edges(values, slopes, self.index, codes, real) + self.rounded_bias()
        rows = codes.long() + self.codes * torch.arange(self.inputs)
        by_row, slopes_by_row = (
            each.permute(1, 2, 0).reshape(-1, self.nodes) for each in (values, slopes)
        )
        moved = rows if real is None else real
        return sum_of_entries(by_row, slopes_by_row, rows, moved) + self.rounded_bias()

    def share(self) -> None:
        """From now on edges are multiples of shapes, if they share any."""
        if isinstance(self.functions, SharedShapes):
            self.functions.share()

    @torch.no_grad()
    def count(self) -> None:
        """Make each edge its input's code, of one bit, and train no function of an edge."""
        self.coefficients.copy_(torch.tensor([0.0, 1.0]))
        self.bits.fill_(0.0)
        for parameter in self.functions.of_edges:
            parameter.requires_grad_(False)

    def start_at(self, sums: Sequence[float]) -> None:
        """Begin with these sums, (nodes), on average."""
        with torch.no_grad():
            self.bias.copy_(torch.tensor(list(sums), dtype=torch.float64))

    def clamp(self) -> None:
        """Keep bits where they have a meaning, and functions in order; call it after each step.

        An edge always reads a code of one bit. No gradient tells what the last bit of a code is
        worth, so any price would take all such edges away at once. Those that are worth nothing
        are rounded to a constant.
        """
        with torch.no_grad():
            self.functions.clamp(1.0 if self.most == 1 else 0.0, float(self.most))
            if self._directions is not None:
                directions = self._directions.gather(1, self.index)
                self.coefficients.copy_(directed(self.coefficients, directions))


def taken(values: Tensor, places: Tensor) -> Tensor:
    """The entries of `values`, (nodes, edges, ...), at `places`, (nodes, places), of each node."""
    return values[torch.arange(len(places))[:, None], places]


def _constant(module: nn.Module, name: str, array: object) -> Tensor:
    tensor = torch.as_tensor(array, dtype=torch.float64)
    module.register_buffer(name, tensor, persistent=False)
    return tensor
