"""The edges of a network for its page: curve, table, error, bits and LUTs of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from xdsl.dialects import func

from kan_dialect.analysis.nodes import layer_names
from kan_dialect.devices.device import XCUP
from kan_dialect.errors import KanError
from kan_dialect.flows.page.models import PageModels
from kan_dialect.flows.pictures.layers import LayerFunctions, float_edges, layer_functions
from kan_dialect.flows.pictures.wire_layers import wire_layers
from kan_dialect.ir.attributes.data_names import named_port
from kan_dialect.ir.constants import BoolArray, FloatArray, IntArray, to_floats, to_integers
from kan_dialect.model.model import Model
from kan_dialect.model.model_ports import port_names
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.search.edge_samples import edge_source, seen_of

SEEN_BINS = 32
"""Intervals of the histogram of an input's values in calibration."""


@dataclass(frozen=True)
class EdgeLayer:
    """A layer with what the page says of its edges."""

    functions: LayerFunctions
    real: FloatArray | None
    """(points, out, in): the functions of floats at the points of the tables; None if unknown."""
    bits: IntArray | None
    """(out, in): widths of the tables; 0 of pruned edges."""
    luts: FloatArray | None
    """(out, in), of the built design; None where it is not built."""
    seen: IntArray | None
    """(in, bins): values of each input in calibration, over the range of its codes."""
    names: Mapping[str, str]
    """Names of features and classes by port, as far as they are known."""

    def input(self, source: int) -> str:
        """An input, with the name of its feature if it has one: `x0 (alcohol)`."""
        port = self.functions.inputs[source]
        return named_port(port, self.names.get(port, ""))

    @property
    def name(self) -> str:
        """`layer0`"""
        return self.functions.name

    @property
    def kept(self) -> BoolArray:
        """(out, in): which edges exist."""
        return self.functions.kept

    @cached_property
    def error(self) -> FloatArray | None:
        """(points, out, in): table less function; NaN where nothing is known."""
        if self.real is None or self.functions.codes is None:
            return None
        error = self.functions.y - self.real
        if self.functions.read is not None:
            error = np.where(self.functions.read[:, np.newaxis], error, np.nan)
        return error

    @cached_property
    def worst(self) -> FloatArray | None:
        """(out, in): the largest absolute error of each edge in steps of its table."""
        error, steps = self.error, self.functions.steps
        if error is None or steps is None or not error.size:
            return None
        found: FloatArray = np.fmax.reduce(np.abs(error), axis=0) / steps
        return np.where(self.kept, found, np.nan)


def edge_layers(models: PageModels, report: Mapping[str, Any]) -> list[EdgeLayer]:
    """The layers of a build; empty where its edges are no functions of one input each.

    Parameters
    ----------
    report : the content of `report.json`, or nothing of a model that is not built.
    """
    shown = models.shown
    if shown is None or not isinstance(shown.op, func.FuncOp):
        return []
    try:
        layers = wire_layers(shown.op, XCUP) if shown.level == "wire" else layer_functions(shown.op)
    except KanError:
        return []
    costs = {each["name"]: each.get("edge_luts") for each in report.get("layers", ())}
    names = port_names(shown.op)
    return [_layer(each, shown, models.real, costs.get(each.name), names) for each in layers]


def _layer(
    functions: LayerFunctions,
    shown: Model,
    real: Model | None,
    costs: Sequence[Sequence[float]] | None,
    names: Mapping[str, str],
) -> EdgeLayer:
    exact = None
    if functions.codes is not None and real is not None and isinstance(real.op, func.FuncOp):
        exact = float_edges(real.op, functions.name, functions.x)
        if exact is not None and exact.shape != functions.y.shape:
            exact = None
    luts: FloatArray | None = None if costs is None else np.array(costs, dtype=np.float64)
    if luts is not None and luts.shape != functions.shape:
        luts = None
    if shown.level == "wire":
        # Edges add up codes: a step is 1.
        luts = functions.luts
        functions = replace(functions, steps=np.ones(functions.shape))
    seen = None if real is None else _seen(real, functions)
    return EdgeLayer(functions, exact, functions.bits(), luts, seen, names)


def _seen(real: Model, functions: LayerFunctions) -> IntArray | None:
    """Histograms (in, SEEN_BINS) of a layer's inputs in calibration, over its points' range."""
    if not isinstance(real.op, func.FuncOp):
        return None
    names = layer_names(real.op)
    for op in real.op.body.block.ops:
        if not isinstance(op, NodeSumOp) or names[op.result] != functions.name:
            continue
        source = edge_source(op.edges)
        found = None if source is None else seen_of(source)
        if found is None:
            return None
        counts = to_integers(found.histogram)
        ranges: FloatArray = to_floats(found.seen)
        if len(counts) != functions.shape[1]:
            return None
        result = np.zeros((len(counts), SEEN_BINS), dtype=np.int64)
        middles: FloatArray = np.arange(counts.shape[1], dtype=np.float64) + 0.5
        for index, (low, high) in enumerate(ranges.tolist()):
            centres = low + (high - low) * middles / counts.shape[1]
            x = functions.x[:, index]
            span = (float(x.min()), float(x.max()))
            if span[1] > span[0]:
                result[index] = np.histogram(centres, SEEN_BINS, span, weights=counts[index])[0]
        return result
    return None
