"""Recognises the layers of a graph as it stands, or as it is once read for a batch that fits.

An exporter that traced one sample leaves its batch in the file: as the number to which a reshape
goes although the input's batch is open, or as no dimension at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from kan_dialect.frontends.onnx.operators.folding import constant_value
from kan_dialect.frontends.onnx.read.graph import Graph, Unrecognised
from kan_dialect.frontends.onnx.recognise.batching import with_batch
from kan_dialect.frontends.onnx.recognise.layers import Raised, raise_layers

MAX_BATCHES = 4
"""How many batches are tried that a file may have been traced with."""

_SHAPED = ("Expand", "Reshape", "Tile")
"""Operators that take the batch's extent as a number."""


def recognise(graph: Graph) -> tuple[Graph, Raised]:
    """The graph at the spline level, and the same graph for the batch with which it runs.

    Raises
    ------
    Unrecognised : at the op where the reading stopped that went farthest.
    """
    if graph.vector is not None:
        return graph, raise_layers(with_batch(graph))
    try:
        return graph, raise_layers(graph)
    except Unrecognised as error:
        farthest = error
    if farthest.node.op_type not in _SHAPED or None not in graph.input_shape:
        raise farthest
    place = {node.outputs[0]: index for index, node in enumerate(graph.nodes)}
    for reading in fixed_batches(graph):
        try:
            return reading, raise_layers(reading)
        except Unrecognised as error:
            farthest = max(farthest, error, key=lambda each: place.get(each.node.outputs[0], -1))
    raise farthest


def fixed_batches(graph: Graph) -> Iterator[Graph]:
    """A graph of an open batch, for each batch that its reshapes may have been traced with."""
    constants = dict(graph.constants)
    for node in graph.nodes:
        if node.op_type == "Constant" and not node.attributes.keys() & {
            "value_string",
            "value_strings",
        }:
            constants[node.outputs[0]] = constant_value(node)
    found = {1: None}  # In order, each once: most are traced with one sample.
    for node in graph.nodes:
        shape = constants.get(node.inputs[1]) if node.op_type in _SHAPED else None
        if shape is not None and shape.dtype.kind == "i" and shape.size:
            found[int(shape.reshape(-1)[0])] = None
    for batch in [each for each in found if each > 0][:MAX_BATCHES]:
        shape = tuple(batch if extent is None else extent for extent in graph.input_shape)
        yield replace(graph, input_shape=shape)
