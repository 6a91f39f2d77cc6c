"""Where the edges of a network stand in its picture: a crossbar of inputs and nodes for each layer.

Signals enter a layer along its columns, its nodes add up the cells of a row. The next layer's rows
are these nodes, and its nodes are columns; so layers alternate, and nodes stand between two of them
only once. Networks that are no chain, or too wide, have a crossbar a layer, below each other, whose
columns are broken into bands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from kan_dialect.flows.pictures.layers import LayerEdges

WIDTH = 1120.0
_LARGEST, _SMALLEST = 64.0, 9.0
_BAND_CELL, _LARGEST_BAND = 13.0, 26.0
_TOP, _NODES, _BELOW, _SIDE = 34.0, 78.0, 56.0, 14.0
MAX_CELLS = 8_000
"""Most edges that have a cell of their own: with figures and, where there is room, a curve."""


@dataclass(frozen=True)
class Band:
    """Some columns of a layer's crossbar.

    Parameters
    ----------
    layer : index of the layer.
    x, y : the upper left corner.
    turned : whether nodes are columns and inputs rows.
    first, inputs : the inputs of the band.
    nodes : number of nodes.
    """

    layer: int
    x: float
    y: float
    cell: tuple[float, float]
    turned: bool
    first: int
    inputs: int
    nodes: int

    def corner(self, node: int, source: int) -> tuple[float, float]:
        """The upper left corner of an edge's cell."""
        place = source - self.first
        column, row = (node, place) if self.turned else (place, node)
        return self.x + column * self.cell[0], self.y + row * self.cell[1]

    @property
    def size(self) -> tuple[float, float]:
        """Width and height."""
        columns, rows = (self.nodes, self.inputs) if self.turned else (self.inputs, self.nodes)
        return columns * self.cell[0], rows * self.cell[1]


@dataclass(frozen=True)
class Layout:
    """A picture's size and bands; whether its layers share their nodes."""

    width: float
    height: float
    bands: tuple[Band, ...]
    chain: bool
    hidden: int = 0
    """Number of edges that are not shown."""


def layout_of(layers: Sequence[LayerEdges], *, whole: bool = False) -> Layout:
    """The layout of layers.

    Parameters
    ----------
    whole : whether all edges are drawn, in cells as small as that takes; else those beyond
        `MAX_CELLS` are hidden.
    """
    if whole and sum(layer.kept.size for layer in layers) > MAX_CELLS:
        return _bands(layers, smallest=0.0, most=None)
    return _chain(layers) or _bands(layers, smallest=_BAND_CELL, most=MAX_CELLS)


def is_chain(layers: Sequence[LayerEdges]) -> bool:
    """Whether each layer reads exactly the nodes of the one before it."""
    return all(
        after.inputs == tuple(f"{before.name}_node{i}" for i in range(before.shape[0]))
        for before, after in pairwise(layers)
    )


def _chain(layers: Sequence[LayerEdges]) -> Layout | None:
    if not is_chain(layers) or sum(layer.kept.size for layer in layers) > MAX_CELLS:
        return None
    columns = [layers[0].shape[1], *(layer.shape[0] for layer in layers[1::2])]
    gaps = (len(columns) - 1) * _NODES + 2 * _SIDE + _NODES * (len(layers) % 2)
    width = min((WIDTH - gaps) / sum(columns), _LARGEST)
    if width < _SMALLEST:
        return None
    height = width if width < 24 else max(24.0, 0.78 * width)
    bands: list[Band] = []
    x, y = _SIDE, _TOP
    bottom = y
    for index, layer in enumerate(layers):
        nodes, inputs = layer.shape
        turned = bool(index % 2)
        band = Band(index, x, y, (width, height), turned, 0, inputs, nodes)
        bands.append(band)
        bottom = y + band.size[1]
        if turned:
            y = bottom + _BELOW
        else:
            x += band.size[0] + _NODES
    right = max(band.x + band.size[0] for band in bands)
    last = bands[-1]
    right += _SIDE if last.turned else max(0.0, last.x + last.size[0] + _NODES - right) + _SIDE
    return Layout(
        max(right, 300.0), bottom + (_BELOW if last.turned else _SIDE), tuple(bands), True
    )


def _bands(layers: Sequence[LayerEdges], smallest: float, most: int | None) -> Layout:
    """A crossbar a layer, with cells of at least a size, and at most a number of them."""
    bands: list[Band] = []
    y, drawn, hidden = _TOP, 0, 0
    room = WIDTH - 2 * _SIDE - _NODES
    for index, layer in enumerate(layers):
        nodes, inputs = layer.shape
        cell = max(min(room / inputs, _LARGEST_BAND), smallest)
        each = max(1, int(room / cell + 1e-6))
        shown = nodes if most is None else min(nodes, _nodes_within(most, drawn, inputs))
        hidden += (nodes - shown) * inputs
        drawn += shown * inputs
        if not shown:
            continue
        for first in range(0, inputs, each):
            count = min(each, inputs - first)
            bands.append(Band(index, _SIDE, y, (cell, cell), False, first, count, shown))
            y += shown * cell + _TOP - 8
        y += 14
    return Layout(WIDTH, y, tuple(bands), False, hidden)


def _nodes_within(most: int, drawn: int, inputs: int) -> int:
    """Number of nodes of a layer that are drawn after `drawn` edges of others."""
    return max(1, (most - drawn) // inputs) if drawn < most else 0
