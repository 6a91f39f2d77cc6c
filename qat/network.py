"""A network of such layers: what is trained, and the integers that it stands for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from kan_dialect.ir.constants import FloatArray, IntArray
from kan_dialect.qat.bases import Basis
from kan_dialect.qat.cost import XCUP_COST, EdgeCost
from kan_dialect.qat.edges import EdgeLayer
from kan_dialect.qat.encoder import Encoder
from kan_dialect.qat.node_tables import NodeTables

GROUP_DEVIATION = 1.5
"""Standard deviation of logits that are numbers of random bits. With more, sums of few bits are
trained to be sure of what they cannot tell."""


@dataclass(frozen=True)
class IntegerLayer:
    """A layer as hardware computes it."""

    tables: IntArray
    """(nodes, inputs, codes), int64; the first edge of a node has its bias."""
    saturate: tuple[int, int] | None
    """The smallest and the largest code of a hidden node; None: the results do not saturate."""
    step_bits: int
    """A unit of the sums is 2^-step_bits."""


@dataclass(frozen=True)
class Computed:
    """What a network gives."""

    results: Tensor
    """(samples, outputs), float64."""
    luts: Tensor
    """A number: LUTs of the target by the surrogate."""
    xcup_luts: float
    """Those of xcup."""
    codes: tuple[Tensor, ...]
    """Codes of the inputs of each layer, (samples, inputs), int64."""
    sums: tuple[Tensor, ...]
    """Sums of the nodes of each layer, (samples, nodes), float64."""


class QuantisedKan(nn.Module):
    """Layers of edges; between them sums saturate to [-1, 1), and the next layer reads their bits.

    A sum is a whole number of steps, and its code is that number. An edge of the next layer reads
    its upper bits. So nothing is rounded but the values of edges.
    """

    def __init__(
        self,
        layers: Sequence[EdgeLayer],
        cost: EdgeCost,
        *,
        decides: bool = False,
        encoder: Encoder | None = None,
        node_tables: NodeTables | None = None,
    ) -> None:
        """
        Parameters
        ----------
        decides : whether hardware gives a bit for each result: whether it is greater than 0.
        encoder : makes codes of features; None: the network reads codes.
        node_tables : nodes before the layers; None: the first layer reads the inputs.
        """
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.encoder = encoder
        self.node_tables = node_tables
        self.log_temperature = nn.Parameter(torch.tensor(1.0, dtype=torch.float64))
        self._cost = cost
        self._decides = decides

    def edge_layers(self) -> list[EdgeLayer]:
        """The layers, in order."""
        return [layer for layer in self.layers if isinstance(layer, EdgeLayer)]

    def forward(self, inputs: Tensor) -> Computed:
        """
        Parameters
        ----------
        inputs : (samples, inputs), codes from 0 on, integers; with an encoder features, float64.
        """
        layers = self.edge_layers()
        tables = [layer.tables() for layer in layers]
        codes, real = self.codes_of(inputs)
        read: list[Tensor] = []
        given: list[Tensor] = []
        for index, layer in enumerate(layers):
            values, slopes = tables[index]
            sums = layer(codes, real, values, slopes)
            read.append(codes)
            given.append(sums)
            if index + 1 < len(layers):
                clamped: Tensor = sums.clamp(-1.0, 1.0 - 2.0 ** -self._code_bits(index))
                half = layers[index + 1].codes / 2
                codes = ((clamped.detach() + 1.0) * half).floor().long()
                real = clamped
        luts, xcup_luts = self._luts([values for values, _ in tables])
        return Computed(given[-1], luts, xcup_luts, tuple(read), tuple(given))

    def codes_of(self, inputs: Tensor) -> tuple[Tensor, Tensor | None]:
        """Codes of what the layers read, and what has the codes; None where nothing trains it."""
        codes, real = (inputs.long(), None) if self.encoder is None else self.encoder(inputs)
        return (codes, real) if self.node_tables is None else self.node_tables(codes)

    def clamp(self) -> None:
        """Bring parameters back into their bounds, after a step."""
        if self.node_tables is not None:
            self.node_tables.clamp()
        for layer in self.edge_layers():
            layer.clamp()

    @torch.no_grad()
    def count_groups(self) -> None:
        """Let results be numbers of ones. Logits have `GROUP_DEVIATION`, which is not trained."""
        last = self.edge_layers()[-1]
        last.count()
        size = last.inputs / last.nodes
        if last.nodes == 1:
            last.start_at([-size / 2.0])
        # Bits that are 0 and 1 as often have a variance of 1/4.
        self.log_temperature.fill_(math.log(GROUP_DEVIATION / (size**0.5 / 2.0)))
        self.log_temperature.requires_grad_(False)

    def choose_edges(self, edges: Sequence[int], frequencies: Tensor) -> None:
        """Choose the edges of nodes: see `EdgeLayer.choose`.

        Parameters
        ----------
        edges : of a node of each layer.
        frequencies : (inputs, codes), of the network's inputs.
        """
        for index, (layer, count) in enumerate(zip(self.edge_layers(), edges, strict=True)):
            layer.choose(count, frequencies if index == 0 else None)

    def restore(self, parameters: Mapping[str, Tensor]) -> None:
        """Load parameters and buffers of this network at an earlier or later step.

        Parameters
        ----------
        parameters : as `state_dict` gives them; layers may have other numbers of edges.
        """
        for index, layer in enumerate(self.edge_layers()):
            layer.resize(parameters[f"layers.{index}.index"].shape[1])
        self.load_state_dict(dict(parameters))

    def _luts(self, values: Sequence[Tensor]) -> tuple[Tensor, float]:
        """LUTs of the target and of xcup. `values` are those of each layer's edges."""
        luts = self._luts_by(values, self._cost)
        if self._cost.is_xcup:
            return luts, float(luts.detach())
        with torch.no_grad():
            return luts, float(self._luts_by(values, XCUP_COST))

    def _luts_by(self, values: Sequence[Tensor], cost: EdgeCost) -> Tensor:
        """LUTs of all nodes."""
        layers = self.edge_layers()
        last = layers[-1]
        if self._decides:
            one = torch.ones(last.nodes, dtype=torch.float64)
            luts = last.luts_of_nodes(values[-1], cost, one).sum()
        else:
            luts = last.luts(values[-1], cost).sum()
        for index, layer in enumerate(layers[:-1]):
            given = layers[index + 1].bits_of_inputs(values[index + 1])
            luts = luts + layer.luts_of_nodes(values[index], cost, given).sum()
        if self.node_tables is not None:
            read = torch.tensor(float(self.node_tables.table_inputs))
            luts = luts + cost.of_table_bit(read) * layers[0].bits_of_inputs(values[0]).sum()
        return luts

    def _code_bits(self, index: int) -> int:
        """Fractional bits of the codes of a hidden layer's nodes, at least those that are read."""
        layers = self.edge_layers()
        return max(layers[index].step_bits, layers[index + 1].most - 1)

    @torch.no_grad()
    def integers(self, threshold: float = 0.0) -> list[IntegerLayer]:
        """The layers as hardware computes them. Their results are equal to those of `forward`, less
        a threshold.

        Of a network that decides, a further layer has an edge for each result, and gives its bit.
        """
        found: list[IntegerLayer] = []
        layers = self.edge_layers()
        repeated = 1
        for index, layer in enumerate(layers):
            is_last = index + 1 == len(layers)
            bits = layer.step_bits if is_last else self._code_bits(index)
            values, _ = layer.tables()
            tables = np.zeros((layer.nodes, layer.inputs, layer.codes), dtype=np.int64)
            steps = np.rint(values.numpy() * 2.0**bits).astype(np.int64)
            np.put_along_axis(tables, layer.index.numpy()[..., np.newaxis], steps, axis=1)
            bias = np.rint(layer.rounded_bias().numpy() * 2.0**bits).astype(np.int64)
            if is_last:
                bias -= round(threshold * 2.0**bits)
            tables[:, 0] += bias[:, np.newaxis]
            tables = tables.repeat(repeated, axis=2)
            if index == 0 and self.node_tables is not None:
                joined = self.node_tables.joined()
                addresses = 1 << self.node_tables.table_inputs
                found.append(IntegerLayer(joined, (0, addresses - 1), 0))
                tables = self.node_tables.of_addresses(tables)
            if is_last:
                exact = [IntegerLayer(tables, None, bits)]
                return found + (_decisions(tables, bits) if self._decides else exact)
            half = 1 << bits
            if layers[index + 1].codes == 2:
                # The highest bit of a sum, its sign, is all that is read.
                half = 1
            found.append(IntegerLayer(tables, (-half, half - 1), bits))
            repeated = (2 * half) // layers[index + 1].codes
        return found


def make_network(
    bases: Sequence[Basis],
    widths: Sequence[int],
    cost: EdgeCost,
    *,
    seed: int,
    reference: bool,
    decides: bool = False,
    encoder: Encoder | None = None,
    constant: Sequence[int] = (),
    masks: Sequence[FloatArray] | None = None,
    shapes: int | None = None,
    node_tables: NodeTables | None = None,
    directions: FloatArray | None = None,
    group_sum: bool = False,
) -> QuantisedKan:
    """A network before training.

    Parameters
    ----------
    bases : of each layer.
    widths : number of inputs, of the nodes of each hidden layer, and of results.
    constant : inputs that have no edges.
    masks : (nodes, inputs) of each layer: 0 for edges that do not exist; by default all do.
    shapes : see `EdgeLayer`.
    reference : whether the last result is the constant 0 that the others are compared with.
    decides, encoder, node_tables : see `QuantisedKan`.
    directions : (inputs): 1 where results rise with an input, -1 where they fall, 0 for others;
        None: all are others.
    group_sum : each node of the last hidden layer counts once, for one result.
    """
    random = torch.Generator().manual_seed(seed)
    layers: list[EdgeLayer] = []
    for index, (basis, inputs, nodes) in enumerate(
        zip(bases, widths[:-1], widths[1:], strict=True)
    ):
        kept = torch.ones(nodes, inputs, dtype=torch.float64)
        if masks is not None:
            kept = torch.from_numpy(masks[index].copy())
        if index == 0:
            kept[:, list(constant)] = 0.0
        is_last = index + 2 == len(widths)
        if is_last and group_sum:
            counts_for = np.arange(inputs) * nodes // inputs == np.arange(nodes)[:, np.newaxis]
            kept = torch.from_numpy(counts_for.astype(np.float64))
        elif is_last and reference:
            kept[-1] = 0.0
        of_edges = None
        if directions is not None:
            of_edges = torch.from_numpy(directions).expand(nodes, -1) if index == 0 else kept
        layers.append(EdgeLayer(basis, nodes, inputs, random, kept, shapes, of_edges))
    network = QuantisedKan(layers, cost, decides=decides, encoder=encoder, node_tables=node_tables)
    if group_sum:
        network.count_groups()
    return network


def _decisions(tables: IntArray, step_bits: int) -> list[IntegerLayer]:
    """Nodes that saturate to -1 and 0, and an edge of each, which gives 1 for sums above 0."""
    tables = tables.copy()
    tables[:, 0] -= 1
    bits = np.eye(len(tables), dtype=np.int64)[..., np.newaxis] * np.arange(2)
    return [IntegerLayer(tables, (-1, 0), step_bits), IntegerLayer(bits, None, 0)]
