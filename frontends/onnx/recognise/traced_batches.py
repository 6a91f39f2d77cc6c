"""Recognises the layers of a graph, for a batch of its own or one that it was traced with.

An exporter that traces one sample leaves the batch in the file: as a number in a reshape although
the input's batch is open, or as a missing dimension.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from kan_dialect.frontends.onnx.operators.folding import known_constants
from kan_dialect.frontends.onnx.read.graph import Graph, Unrecognised
from kan_dialect.frontends.onnx.recognise.layers import ImportedNetwork, recognise_layers

MAX_BATCHES = 4
"""Most batch sizes that are tried."""

_SHAPED = ("Expand", "Reshape", "Tile")
"""Operators that take the batch's extent as a number."""


def recognise(
    graph: Graph, layers_of: Callable[[Graph], ImportedNetwork] = recognise_layers
) -> tuple[Graph, ImportedNetwork]:
    """Recognise the layers of a graph; returns the graph for a batch with which it runs, and the
    network.

    Parameters
    ----------
    layers_of : recognises them, for a batch as it is.

    Raises
    ------
    Unrecognised : the farthest op that recognition reached.
    """
    try:
        return graph, layers_of(graph)
    except Unrecognised as error:
        farthest = error
    if farthest.node.op_type not in _SHAPED or None not in graph.input_shape:
        raise farthest
    place = {node.outputs[0]: index for index, node in enumerate(graph.nodes)}
    for candidate in fixed_batches(graph):
        try:
            return candidate, layers_of(candidate)
        except Unrecognised as error:
            farthest = max(farthest, error, key=lambda each: place.get(each.node.outputs[0], -1))
    raise farthest


def fixed_batches(graph: Graph) -> Iterator[Graph]:
    """The graph for each batch size that its reshapes may have been traced with."""
    constants = known_constants(graph)
    found = {1: None}  # An ordered set; most graphs are traced with one sample.
    for node in graph.nodes:
        shape = constants.get(node.inputs[1]) if node.op_type in _SHAPED else None
        if shape is not None and shape.dtype.kind == "i" and shape.size:
            found[int(shape.reshape(-1)[0])] = None
    for batch in [each for each in found if each > 0][:MAX_BATCHES]:
        shape = tuple(batch if extent is None else extent for extent in graph.input_shape)
        yield replace(graph, input_shape=shape)
