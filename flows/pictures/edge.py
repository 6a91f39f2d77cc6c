"""The picture of one edge: its function of floats against its table, and the error below."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.analysis.nodes import layer_names
from kan_dialect.errors import KanError
from kan_dialect.flows.pictures.canvas import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    SOFT,
    figure,
    load,
    plain,
    svg_text,
)
from kan_dialect.flows.pictures.layers import LayerFunctions, float_edges
from kan_dialect.flows.pictures.network import layers_of
from kan_dialect.ir.constants import FloatArray, IntArray, to_floats, to_integers
from kan_dialect.model.model import Model
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.search.edge_samples import edge_source, seen_of

_NAME = re.compile(r"(?P<layer>layer\d+)_(?:edge(?P<node>\d+)_|table)(?P<input>\d+)")
_Scale: TypeAlias = Callable[[FloatArray], FloatArray]
_POINTS = 600
_SHOWN_CODES = 128
"""Most entries that are drawn with a dot each."""


class EdgeCurves(NamedTuple):
    """What the picture of an edge draws; all arrays are of one dimension."""

    name: str
    source: str
    """The input: `x5`, `layer0_node3`."""
    x: FloatArray
    """Values of the input: at each of its codes, or at evenly spaced points at spline level."""
    function_x: FloatArray
    function: FloatArray | None
    """The function of floats at `function_x`; None where only the table is known."""
    codes: IntArray | None
    """Codes of the input; None at spline level."""
    entries: IntArray | None
    table: FloatArray | None
    """Values that the entries stand for."""
    error: FloatArray | None
    """Table less function at each code."""
    step: float | None
    """Value of one step of the entries."""
    kept: bool


def edge_picture(
    module: ModuleOp | Model, edge: str, *, original: ModuleOp | Model | None = None
) -> str:
    """Draw one edge as SVG.

    Parameters
    ----------
    edge : its name, `layer0_edge3_5` for node 3 and input 5.
    original : the network of floats that the table was made from, of spline level; without it the
        function is drawn where `module` still has it.

    Raises
    ------
    KanError : Matplotlib is not installed, or there is no such edge.
    """
    model = module if isinstance(module, Model) else Model.of(module)
    if original is not None and not isinstance(original, Model):
        original = Model.of(original)
    curves = edge_curves(model, edge, original)
    two = curves.error is not None
    picture = figure(6.8, 4.6 if two else 3.4, layout="constrained")
    if two:
        above, below = picture.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    else:
        above, below = picture.subplots(), None
    _draw_curves(above, curves)
    if below is not None:
        _draw_error(below, curves)
    (below or above).set_xlabel(curves.source, fontsize=8.5)
    if curves.table is None:
        _draw_seen(above, model, curves)
    text = _title(curves)
    picture.suptitle(text, x=0.01, ha="left", fontsize=9.5, fontweight="bold", color=INK)
    return svg_text(picture, f"The edge {text}")


def edge_curves(model: Model, edge: str, original: Model | None = None) -> EdgeCurves:
    """The arrays that the picture of an edge draws.

    Raises
    ------
    KanError : there is no such edge.
    """
    layer, node, source = find_edge(layers_of(model), edge)
    x, y = layer.x[:, source], layer.y[:, node, source]
    codes = entries = table = error = None
    read = np.ones(len(x), dtype=np.bool_)
    if layer.read is not None:
        read = layer.read[:, source]
    x = x[read]
    if layer.codes is not None and layer.low is not None:
        codes = np.flatnonzero(read) + int(layer.low[source])
        entries, table = layer.codes[read, node, source], y[read]
    fine: FloatArray = np.linspace(float(x[0]), float(x[-1]), _POINTS) if len(x) > 1 else x
    function = _function(model, original, layer, node, source, fine)
    if function is not None and table is not None:
        exact = _function(model, original, layer, node, source, x)
        assert exact is not None
        error = table - exact
    return EdgeCurves(
        layer.edge(node, source),
        layer.inputs[source],
        x,
        fine,
        function,
        codes,
        entries,
        table,
        error,
        None if layer.steps is None else float(layer.steps[node, source]),
        bool(layer.kept[node, source]),
    )


def find_edge(layers: list[LayerFunctions], edge: str) -> tuple[LayerFunctions, int, int]:
    """The layer, the node and the input of an edge's name.

    Raises
    ------
    KanError : there is no such edge.
    """
    found = _NAME.fullmatch(edge)
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


def _function(
    model: Model,
    original: Model | None,
    layer: LayerFunctions,
    node: int,
    source: int,
    x: FloatArray,
) -> FloatArray | None:
    """The function of floats of an edge at values of its input; None if it is not known."""
    for each in (model, original):
        if each is None or not isinstance(each.op, func.FuncOp) or each.level == "wire":
            continue
        points = np.broadcast_to(x[:, np.newaxis], (len(x), layer.shape[1]))
        y = float_edges(each.op, layer.name, points)
        if y is not None and y.shape[1:] == layer.shape:
            return y[:, node, source]
    return None


def _draw_curves(axes: Any, curves: EdgeCurves) -> None:
    if curves.function is not None:
        axes.plot(curves.function_x, curves.function, color=BLUE, linewidth=1.6, label="function")
    if curves.table is not None and curves.codes is not None:
        axes.step(
            *(curves.x, curves.table),
            where="mid",
            color=INK,
            linewidth=1.0,
            label=f"table of {len(curves.codes)} entries",
        )
        if len(curves.codes) <= _SHOWN_CODES:
            axes.plot(curves.x, curves.table, ".", color=INK, markersize=3.5)
        _code_axes(axes, curves)
    plain(axes)
    axes.tick_params(labelsize=8)
    axes.set_ylabel("value of the edge", fontsize=8.5)
    if curves.function is not None and curves.table is not None:
        axes.legend(frameon=False, fontsize=8)


def _code_axes(axes: Any, curves: EdgeCurves) -> None:
    """The codes of the input above, and the table's entries at the right."""
    assert curves.codes is not None and curves.table is not None and curves.entries is not None
    if len(curves.codes) > 1 and curves.x[-1] != curves.x[0]:
        pitch = float(curves.x[1] - curves.x[0])
        start = float(curves.x[0]) - int(curves.codes[0]) * pitch
        top = axes.secondary_xaxis("top", functions=_codes_of(start, pitch))
        top.tick_params(labelsize=7.5, colors=SOFT)
        top.set_xlabel(f"code of {curves.source}", fontsize=8, color=SOFT)
        top.xaxis.set_major_locator(load("ticker").MaxNLocator("auto", integer=True))
    if curves.step:
        right = axes.secondary_yaxis("right", functions=_codes_of(0.0, curves.step))
        right.tick_params(labelsize=7.5, colors=SOFT)
        right.set_ylabel("entry", fontsize=8, color=SOFT)
        right.yaxis.set_major_locator(load("ticker").MaxNLocator("auto", integer=True))


def _codes_of(start: float, step: float) -> tuple[_Scale, _Scale]:
    """Values to codes and back, where code 0 is at `start`."""

    def to_codes(values: FloatArray) -> FloatArray:
        return (values - start) / step

    def to_values(codes: FloatArray) -> FloatArray:
        return codes * step + start

    return to_codes, to_values


def _draw_error(axes: Any, curves: EdgeCurves) -> None:
    assert curves.error is not None
    if curves.step:
        axes.axhspan(-curves.step / 2, curves.step / 2, color=GREY, alpha=0.3, linewidth=0)
    axes.axhline(0.0, color=SOFT, linewidth=0.7)
    axes.vlines(curves.x, 0.0, curves.error, color=ORANGE, linewidth=1.1)
    plain(axes)
    axes.tick_params(labelsize=8)
    axes.set_ylabel("table - function", fontsize=8.5)
    worst = float(np.nanmax(np.abs(curves.error), initial=0.0))
    text = f"largest error {worst:.3g}"
    if curves.step:
        text += f" = {worst / curves.step:.2f} steps; grey: half a step"
    axes.text(
        *(0.0, 1.02, text),
        transform=axes.transAxes,
        fontsize=7.5,
        color=SOFT,
        va="bottom",
    )


def _draw_seen(axes: Any, model: Model, curves: EdgeCurves) -> None:
    """The values of the input that calibration saw, as a histogram along the bottom."""
    if not isinstance(model.op, func.FuncOp):
        return
    layer, source = curves.name.partition("_")[0], int(curves.name.rpartition("_")[2])
    names = layer_names(model.op)
    for op in model.op.body.block.ops:
        if not isinstance(op, NodeSumOp) or names[op.result] != layer:
            continue
        value = edge_source(op.edges)
        seen = None if value is None else seen_of(value)
        if seen is None:
            return
        low, high = to_floats(seen.seen)[source].tolist()
        counts = to_integers(seen.histogram)[source]
        bars = counts[: len(counts) // 32 * 32].reshape(32, -1).sum(axis=1)
        edges: FloatArray = np.linspace(float(low), float(high), 33)
        below = axes.twinx()
        below.bar(edges[:-1], bars, edges[1:] - edges[:-1], align="edge", color=GREY, alpha=0.5)
        below.set_ylim(0, 4 * max(int(bars.max()), 1))
        below.axis("off")
        axes.set_xlabel(f"{curves.source} (grey: values seen in calibration)", fontsize=8.5)


def _title(curves: EdgeCurves) -> str:
    text = f"{curves.name}: function of {curves.source}"
    if curves.entries is not None and curves.codes is not None:
        low, high = int(curves.entries.min()), int(curves.entries.max())
        text = f"{curves.name}: table of {curves.source}, entries {low} .. {high}"
    return text + ", pruned" * (not curves.kept)
