"""The network that is drawn: the layers of a model, of any level that has edges."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from xdsl.dialects import func
from xdsl.ir import Block

from kan_dialect.analysis.nodes import layer_names
from kan_dialect.devices.device import XCUP, DeviceFamily
from kan_dialect.devices.lut_count import luts_of
from kan_dialect.errors import KanError
from kan_dialect.flows.pictures.layers import LayerEdges, float_edges, layer_functions
from kan_dialect.flows.pictures.wire_layers import wire_layers
from kan_dialect.ir.constants import FloatArray, IntArray, to_floats, to_integers
from kan_dialect.ir.types import int_type
from kan_dialect.model.model import Model
from kan_dialect.model.model_ports import port_names
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.ops.wire import TableOp
from kan_dialect.search.edge_samples import edge_source, seen_of

SEEN_BINS = 32
"""Intervals of the histogram of an input's values in calibration."""
_EDGE = re.compile(r"(?P<layer>layer\d+)_(?:edge(?P<node>\d+)_|table)(?P<input>\d+)")


def network_layers(
    model: Model, original: Model | None = None, device: DeviceFamily = XCUP
) -> list[LayerEdges]:
    """The layers of a model.

    Parameters
    ----------
    original : the network of floats that tables were made from; without it, functions of floats
        are known where `model` still has them.
    device : the FPGA family that the tables of wires are counted for.

    Raises
    ------
    KanError : the model is of hardware level, has no layers, or its edges are not functions of one
        input each.
    """
    if not isinstance(model.op, func.FuncOp):
        raise KanError(
            f"@{model.name} is of hardware level, which has no edges to draw",
            remedy="draw its schedule, or IR of an earlier level",
        )
    if model.level == "wire":
        layers = wire_layers(model.op, device)
    else:
        floats = functions_of_floats(model, original)
        layers = [_with_floats(each, floats) for each in layer_functions(model.op)]
    if not layers:
        raise KanError(f"@{model.name} has no layers to draw")
    names = port_names(model.op)
    return [replace(each, data_names=names) for each in layers]


def functions_of_floats(*models: Model | None) -> list[func.FuncOp]:
    """Functions of models that may have edges of floats."""
    return [
        each.op
        for each in models
        if each is not None and isinstance(each.op, func.FuncOp) and each.level != "wire"
    ]


def _with_floats(layer: LayerEdges, floats: Sequence[func.FuncOp]) -> LayerEdges:
    real = seen = None
    for function in floats:
        if real is None and layer.codes is not None:
            real = float_edges(function, layer.name, layer.x)
            real = real if real is not None and real.shape == layer.y.shape else None
        if seen is None:
            seen = _seen(function, layer)
    return replace(layer, real=real, seen=seen)


def _seen(function: func.FuncOp, layer: LayerEdges) -> IntArray | None:
    """Histograms (in, SEEN_BINS) of a layer's inputs in calibration, over its points' range."""
    names = layer_names(function)
    for op in function.body.block.ops:
        if not isinstance(op, NodeSumOp) or names[op.result] != layer.name:
            continue
        source = edge_source(op.edges)
        found = None if source is None else seen_of(source)
        if found is None:
            return None
        counts = to_integers(found.histogram)
        ranges: FloatArray = to_floats(found.seen)
        if len(counts) != layer.shape[1]:
            return None
        result = np.zeros((len(counts), SEEN_BINS), dtype=np.int64)
        middles: FloatArray = np.arange(counts.shape[1], dtype=np.float64) + 0.5
        for index, (low, high) in enumerate(ranges.tolist()):
            centres = low + (high - low) * middles / counts.shape[1]
            x = layer.x[:, index]
            span = (float(x.min()), float(x.max()))
            if span[1] > span[0]:
                result[index] = np.histogram(centres, SEEN_BINS, span, weights=counts[index])[0]
        return result
    return None


def with_table_luts(layer: LayerEdges, device: DeviceFamily) -> LayerEdges:
    """A layer of tables with the LUTs of each by itself; pruned edges have 0."""
    if layer.codes is None or layer.low is None or layer.luts is not None:
        return layer
    luts = np.zeros(layer.shape)
    for node, source in np.argwhere(layer.kept).tolist():
        points = layer.points(source)
        entries = layer.codes[points, node, source]
        low = int(layer.low[source]) + int(points[0])
        block = Block(arg_types=[int_type(low, low + len(entries) - 1)])
        luts[node, source] = luts_of(TableOp([block.args[0]], entries), device)
    return replace(layer, luts=luts)


def find_edge(layers: Sequence[LayerEdges], edge: str) -> tuple[LayerEdges, int, int]:
    """The layer, the node and the input of an edge's name.

    Raises
    ------
    KanError : the edge does not exist.
    """
    found = _EDGE.fullmatch(edge)
    names = {layer.name: layer for layer in layers}
    if found is not None and found["layer"] in names:
        layer = names[found["layer"]]
        node, source = int(found["node"] or 0), int(found["input"])
        if node < layer.shape[0] and source < layer.shape[1]:
            return layer, node, source
    some = "; ".join(
        f"{each.edge(0, 0)} to {each.edge(each.shape[0] - 1, each.shape[1] - 1)}" for each in layers
    )
    raise KanError(f"there is no edge {edge!r}", remedy=f"edges are {some}")
