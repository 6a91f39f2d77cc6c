"""The picture of a network: every layer with its edge functions, pruned edges faint.

Layers of few edges are drawn as a graph, with each function on its edge. Larger ones are a matrix,
a row for each node and a column for each input; very large ones are colours alone. Each plot spans
its own range: the colour says how much an edge varies, how wide its table is, or what it costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.devices.device import device as device_of
from kan_dialect.errors import KanError
from kan_dialect.flows.pictures.canvas import GREY, INK, SOFT, Page, Shades
from kan_dialect.flows.pictures.costs import table_luts
from kan_dialect.flows.pictures.layers import LayerFunctions, layer_functions
from kan_dialect.flows.pictures.wire_layers import wire_layers
from kan_dialect.ir.constants import BoolArray, FloatArray, IntArray
from kan_dialect.model.model import Level, Model
from kan_dialect.quantity import quantity

Colour: TypeAlias = Literal["span", "bits", "luts"]
"""What colours say: largest less smallest value of an edge, width of its table, lookup tables."""

_DEFAULTS: dict[Level, Colour] = {
    "spline": "span",
    "table": "bits",
    "wire": "luts",
    "hardware": "luts",
}
_LABELS = {"span": "span", "bits": "bits", "luts": "LUTs"}
_MEANING = {
    "span": "largest less smallest value of the edge",
    "bits": "width of the edge's table",
    "luts": "lookup tables of the edge",
}

GRAPH_EDGES = 16
"""Most edges of a layer that is drawn as a graph."""
_WIDTH, _LEFT, _RIGHT, _TOP = 700.0, 84.0, 74.0, 40.0
_SMALLEST_CELL = 5.0
_MOST_CURVES = 6000


def network_picture(
    module: ModuleOp | Model, *, colour: Colour | None = None, device: str = "xcup"
) -> str:
    """Draw all layers of a network of spline, table or wire level, as SVG.

    Parameters
    ----------
    colour : what colours say; by default `span` at spline level, `bits` at table and `luts` at wire
        level.
    device : the FPGA family that lookup tables are counted for.

    Raises
    ------
    KanError : Matplotlib is not installed; the module is of hardware level, has no layers, or has
        no tables to colour by their bits or LUTs.
    """
    model = module if isinstance(module, Model) else Model.of(module)
    layers = layers_of(model, device)
    if colour is None:
        colour = _DEFAULTS[model.level]
    figures = figures_of(layers, colour, device)
    if all(layer.kept.size <= GRAPH_EDGES for layer in layers):
        return _graph(model.name, layers, colour, figures)
    return _matrices(model.name, layers, colour, figures)


def layers_of(model: Model, device: str = "xcup") -> list[LayerFunctions]:
    """The layers of a model that a picture shows.

    Raises
    ------
    KanError : the model is of hardware level, or has no layers.
    """
    if not isinstance(model.op, func.FuncOp):
        raise KanError(
            f"@{model.name} is of hardware level, which has no edges to draw",
            remedy="draw its schedule, or IR of an earlier level",
        )
    layers = (
        wire_layers(model.op, device_of(device))
        if model.level == "wire"
        else layer_functions(model.op)
    )
    if not layers:
        raise KanError(f"@{model.name} has no layers to draw")
    return layers


def figures_of(layers: Sequence[LayerFunctions], colour: Colour, device: str) -> list[FloatArray]:
    """The figures (out, in) that each layer's edges are coloured by; NaN for pruned edges.

    Raises
    ------
    KanError : edges of floats have neither bits nor LUTs; or there is no such device.
    """
    target = device_of(device)
    found: list[FloatArray] = []
    for layer in layers:
        values: FloatArray | IntArray | None
        match colour:
            case "span":
                values = layer.span()
            case "bits":
                values = layer.bits()
            case "luts":
                values = table_luts(layer, target) if layer.luts is None else layer.luts
        if values is None:
            raise KanError(
                f"edges of floats have no {_LABELS[colour]} to colour them by",
                remedy="run kan-quantize first, or colour them by their span",
            )
        found.append(np.where(layer.kept, values.astype(np.float64), np.nan))
    return found


def _scale(figures: Sequence[FloatArray], colour: Colour) -> Shades:
    every = np.concatenate([each.ravel() for each in figures])
    every = every[np.isfinite(every)]
    low, high = (float(every.min()), float(every.max())) if every.size else (0.0, 1.0)
    if colour == "bits":
        return Shades(low, high, steps=high - low < 24)
    return Shades(0.0, high)


def curves(
    layer: LayerFunctions, at: FloatArray, size: tuple[float, float], chosen: BoolArray
) -> list[FloatArray]:
    """The chosen edges as lines in boxes, each over its own range.

    Parameters
    ----------
    at : (out, in, 2), the upper left corners of the boxes.
    size : width and height of each.
    chosen : (out, in).
    """
    width, height = size
    found: list[FloatArray] = []
    for node, source in np.argwhere(chosen).tolist():
        x, y = layer.x[:, source], layer.y[:, node, source]
        good = np.isfinite(y)
        if layer.read is not None:
            good &= layer.read[:, source]
        x, y = x[good], y[good]
        if not len(x):
            continue
        if len(x) > 2 * width:
            # More points than a small plot shows.
            chosen_points = np.unique(np.linspace(0, len(x) - 1, max(int(2 * width), 8)).round())
            x, y = x[chosen_points.astype(np.int64)], y[chosen_points.astype(np.int64)]
        if layer.codes is not None:
            # A step of half the distance on both sides of each code.
            half = float(x[1] - x[0]) / 2 if len(x) > 1 else 0.5
            x = np.repeat(np.append(x - half, x[-1] + half), 2)[1:-1]
            y = np.repeat(y, 2)
            keep = np.ones(len(x), dtype=np.bool_)
            keep[1:-1] = (y[1:-1] != y[:-2]) | (y[1:-1] != y[2:])
            x, y = x[keep], y[keep]
        low, high = float(y.min()), float(y.max())
        across = (x - x[0]) / (float(x[-1] - x[0]) or 1.0)
        up = (y - low) / (high - low) if high > low else np.full(len(y), 0.5)
        corner = at[node, source]
        found.append(
            np.stack([corner[0] + across * width, corner[1] + (1.0 - up) * height], axis=1)
        )
    return found


@dataclass(frozen=True)
class _Panel:
    """Where a layer's matrix stands."""

    layer: LayerFunctions
    top: float
    cell: tuple[float, float]

    @property
    def height(self) -> float:
        return self.layer.shape[0] * self.cell[1]

    @property
    def corners(self) -> FloatArray:
        """(out, in, 2)"""
        nodes, inputs = self.layer.shape
        places: FloatArray = np.indices((nodes, inputs), dtype=np.float64)[::-1]
        return np.moveaxis(places, 0, -1) * self.cell + (_LEFT, self.top)


def _matrices(
    name: str, layers: Sequence[LayerFunctions], colour: Colour, figures: Sequence[FloatArray]
) -> str:
    panels: list[_Panel] = []
    top = _TOP
    for layer in layers:
        nodes, inputs = layer.shape
        width = min(56.0, (_WIDTH - _LEFT - _RIGHT) / inputs)
        height = float(np.clip(width * 0.75, min(15.0, max(3.0, 480.0 / nodes)), 34.0))
        panels.append(_Panel(layer, top + 44.0, (width, height)))
        top += 44.0 + panels[-1].height + 14.0
    page = Page(_WIDTH, max(top + 20.0, 190.0), _title(name, layers, colour))
    _heading(page, name, layers, colour)
    scale = _scale(figures, colour)
    scale.draw_bar(page, _WIDTH - 52.0, _TOP + 44.0, 110.0, _LABELS[colour])
    for panel, values in zip(panels, figures, strict=True):
        _matrix(page, panel, values, scale, colour)
    _legend(page, layers)
    return page.svg()


def _matrix(page: Page, panel: _Panel, figures: FloatArray, scale: Shades, colour: Colour) -> None:
    layer, (width, height), corners = panel.layer, panel.cell, panel.corners
    nodes, inputs = layer.shape
    page.text(_LEFT, panel.top - 32, _describe(layer), size=8.5, weight="bold")
    every = max(1, int(np.ceil(9.0 / height)))
    for node in range(0, nodes, every):
        name = f"{layer.name}_node{node}" if layer.edge_name == "edge" else layer.name
        page.text(_LEFT - 6, panel.top + (node + 0.5) * height, name, size=7, ha="right")
    tags = [tag.rpartition("_")[2] for tag in layer.inputs]
    every = max(1, int(np.ceil((4.4 * max(map(len, tags)) + 3) / width)))
    for source in range(0, inputs, every):
        x = _LEFT + (source + 0.5) * width
        page.text(x, panel.top - 7, tags[source], size=7, ha="center")
    kept = layer.kept
    small = width < _SMALLEST_CELL or kept.size > _MOST_CURVES
    fills = np.ones((*kept.shape, 4))
    fills[kept] = scale(figures[kept])
    if small:
        page.axes.imshow(
            fills,
            extent=(_LEFT, _LEFT + inputs * width, panel.top + nodes * height, panel.top),
            interpolation="nearest",
            aspect="auto",
        )
        page.boxes(
            np.array([_LEFT]), np.array([panel.top]), inputs * width, nodes * height, fill="none"
        )
        return
    x, y = corners[..., 0].ravel(), corners[..., 1].ravel()
    page.boxes(x, y, width, height, fill=fills.reshape(-1, 4), edge="#e6eaee")
    pad = (min(2.5, width / 8), min(3.0, height / 6))
    inner = (width - 2 * pad[0], height - 2 * pad[1])
    page.lines(curves(layer, corners + pad, inner, ~kept), colour=GREY, width=0.5, alpha=0.55)
    page.lines(curves(layer, corners + pad, inner, kept), colour=INK, width=0.9)
    for node, source in np.ndindex(kept.shape):
        text = _hover(layer, figures, node, source, colour)
        page.hover(corners[node, source], width, height, text)


def _hover(
    layer: LayerFunctions, figures: FloatArray, node: int, source: int, colour: Colour
) -> str:
    name = layer.edge(node, source)
    if not layer.kept[node, source]:
        return f"{name}: pruned"
    figure = f"{figures[node, source]:.4g}"
    if layer.joint is not None and layer.joint[node, source]:
        name += ", in a table of several inputs"
    return f"{name}: " + (f"span {figure}" if colour == "span" else f"{figure} {_LABELS[colour]}")


def _graph(
    name: str, layers: Sequence[LayerFunctions], colour: Colour, figures: Sequence[FloatArray]
) -> str:
    """Inputs at the left, nodes to the right of each layer, and functions between them."""
    box, gap, between = (48.0, 30.0), 7.0, 66.0
    rows = max(layer.kept.size for layer in layers)
    height = _TOP + 26.0 + rows * (box[1] + gap) + 30.0
    pitch = 2 * between + box[0] + 70.0
    width = max(70.0 + len(layers) * pitch + _RIGHT, 420.0)
    page = Page(width, max(height, 230.0), _title(name, layers, colour))
    _heading(page, name, layers, colour)
    middle = _TOP + 22.0 + rows * (box[1] + gap) / 2
    scale = _scale(figures, colour)
    scale.draw_bar(page, width - 52.0, _TOP + 44.0, 110.0, _LABELS[colour])
    left = 66.0
    sources = _column(len(layers[0].inputs), rows * (box[1] + gap), middle)
    for tag, y in zip(layers[0].inputs, sources.tolist(), strict=True):
        page.text(left - 8, y, tag, size=8, ha="right")
    for layer, values in zip(layers, figures, strict=True):
        nodes, inputs = layer.shape
        total = nodes * inputs
        places = middle + (np.arange(total) - (total - 1) / 2) * (box[1] + gap)
        at = np.empty((nodes, inputs, 2))
        at[..., 0] = left + between
        at[..., 1] = places.reshape(nodes, inputs) - box[1] / 2
        targets = at[..., 1].mean(axis=1) + box[1] / 2
        for kept, ink, line, alpha in ((False, GREY, 0.6, 0.6), (True, SOFT, 0.9, 1.0)):
            chosen = layer.kept == kept
            page.lines(
                [
                    wire
                    for node, source in np.argwhere(chosen).tolist()
                    for wire in _wires(
                        (left, float(sources[source])),
                        (left + between, float(at[node, source, 1]) + box[1] / 2),
                        (left + between + box[0], float(targets[node])),
                        between,
                    )
                ],
                colour=ink,
                width=line,
                alpha=alpha,
            )
        fills = np.ones((nodes, inputs, 4))
        fills[layer.kept] = scale(values[layer.kept])
        edges = np.where(layer.kept.ravel(), SOFT, GREY).tolist()
        x, y = at[..., 0].ravel(), at[..., 1].ravel()
        page.boxes(x, y, *box, fill=fills.reshape(-1, 4), edge=edges, line=0.7)
        inner = (box[0] - 8, box[1] - 8)
        page.lines(curves(layer, at + 4, inner, ~layer.kept), colour=GREY, width=0.6, alpha=0.55)
        page.lines(curves(layer, at + 4, inner, layer.kept), colour=INK, width=1.1)
        for node, source in np.ndindex(nodes, inputs):
            text = _hover(layer, values, node, source, colour)
            page.hover(at[node, source], *box, text)
        _dots(page, np.full(inputs, left), sources)
        left += 2 * between + box[0]
        for node, y in enumerate(targets.tolist()):
            tag = f"{layer.name}_node{node}" if layer.edge_name == "edge" else layer.name
            bits = "" if layer.node_bits is None else quantity(int(layer.node_bits[node]), "bit")
            page.text(left, y - 9, tag, size=7, ha="center")
            page.text(left, y + 10, bits, size=7, ha="center", colour=SOFT)
        sources = targets
        _dots(page, np.full(nodes, left), targets)
    _legend(page, layers)
    return page.svg()


def _column(count: int, height: float, middle: float) -> FloatArray:
    places: FloatArray = np.arange(count, dtype=np.float64) - (count - 1) / 2
    return middle + places * min(height / max(count, 1), 90.0)


def _wires(
    start: tuple[float, float], box: tuple[float, float], end: tuple[float, float], between: float
) -> list[FloatArray]:
    """The two curves of an edge: from its input to its box, and from the box to its node."""
    t = np.linspace(0.0, 1.0, 17)
    ease = 3 * t**2 - 2 * t**3
    return [
        np.stack([x0 + t * between, y0 + ease * (y1 - y0)], axis=1)
        for x0, y0, y1 in ((start[0], start[1], box[1]), (end[0], box[1], end[1]))
    ]


def _dots(page: Page, x: FloatArray, y: FloatArray) -> None:
    page.axes.scatter(x, y, s=22, color=INK, zorder=4, linewidths=0)


def _title(name: str, layers: Sequence[LayerFunctions], colour: Colour) -> str:
    return f"The network {name}: {'; '.join(map(_describe, layers))}. Colour: {_MEANING[colour]}."


def _describe(layer: LayerFunctions) -> str:
    nodes, inputs = layer.shape
    if layer.edge_name == "table":
        return f"{layer.name}: {quantity(inputs, 'table')}, one for each input"
    pruned = int(np.count_nonzero(~layer.kept))
    text = f"{layer.name}: {quantity(inputs, 'input')}, {quantity(nodes, 'node')}, "
    return text + quantity(layer.kept.size - pruned, "edge") + f" + {pruned} pruned" * (pruned > 0)


def _heading(page: Page, name: str, layers: Sequence[LayerFunctions], colour: Colour) -> None:
    page.text(14, 18, name, size=12, weight="bold")
    edges = sum(int(layer.kept.sum()) for layer in layers)
    level = "tables" if layers[0].codes is not None else "functions"
    text = f"{quantity(edges, 'edge')}, drawn as {level}; colour: {_MEANING[colour]}"
    page.text(14, 34, text, size=8, colour=SOFT)


def _legend(page: Page, layers: Sequence[LayerFunctions]) -> None:
    edge = layers[0].edge(1, 0) if layers[0].shape[0] > 1 else layers[0].edge(0, 0)
    text = f"{edge} is the edge from {layers[0].inputs[0]}"
    if layers[0].edge_name == "edge":
        text += f" to {layers[0].name}_node{min(1, layers[0].shape[0] - 1)}"
    text += ". Each plot spans its own range."
    if any(not layer.kept.all() for layer in layers):
        text += " Grey: pruned edges."
    if any(layer.joint is not None and layer.joint.any() for layer in layers):
        text += " No curve: in a table of several inputs."
    page.text(14, page.height - 12, text, size=7, colour=SOFT)
