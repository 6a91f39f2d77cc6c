"""The drawing of a network: an edge a cell with its curve, for the page, notebooks and files.

Each curve spans its own range. The colour of a cell says how much the edge varies, how wide its
table is, what it costs, or how far its table is from its function.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.devices.device import device as device_of
from kan_dialect.errors import KanError
from kan_dialect.flows.pictures.layers import LayerEdges
from kan_dialect.flows.pictures.layout import Band, Layout, layout_of
from kan_dialect.flows.pictures.markup import Child, Markup, joined, label, path, tag
from kan_dialect.flows.pictures.network_layers import network_layers, with_table_luts
from kan_dialect.flows.pictures.standalone import (
    Picture,
    heading,
    picture_of,
    scale,
    shades_of,
)
from kan_dialect.ir.constants import FloatArray, IntArray
from kan_dialect.model.model import Level, Model
from kan_dialect.quantity import quantity

Colour: TypeAlias = Literal["span", "bits", "luts"]
"""What colours say: largest less smallest value of an edge, width of its table, lookup tables."""

_DEFAULTS: dict[Level, Colour] = {"spline": "span", "table": "bits", "wire": "luts"}
_LABELS: dict[str, str] = {
    "luts": "LUTs",
    "bits": "bits",
    "error": "largest error, in steps",
    "span": "span of values",
}
_MEANING = {
    "span": "largest less smallest value of the edge",
    "bits": "width of the edge's table",
    "luts": "lookup tables of the edge",
}
_LETTER = 6.5
"""Room for a letter of a name."""
_BESIDE = 50.0
"""Room for a name beside the last nodes."""
_PLAIN = 9.0
"""Width of a cell below which it has no curve."""
_HEAD, _FOOT = 56.0, 30.0
"""Room above and below the network of a picture."""


@dataclass(frozen=True)
class Colouring:
    """A figure that colours cells: `luts`, `bits`, `error` or `span`.

    Parameters
    ----------
    key : begins the classes of its colours.
    figures : (out, in) of each layer; NaN of pruned edges.
    """

    key: str
    label: str
    figures: tuple[FloatArray, ...]

    @property
    def ends(self) -> tuple[float, float]:
        """The least and the greatest figure."""
        every = np.concatenate([each[np.isfinite(each)] for each in self.figures])
        return (float(every.min()), float(every.max())) if every.size else (0.0, 0.0)

    def shades(self) -> list[IntArray]:
        """The step of each edge's colour; 0 where it has no figure."""
        return [shades_of(each, *self.ends) for each in self.figures]


def colouring_of(layers: Sequence[LayerEdges], what: str, key: str) -> Colouring | None:
    """The colours of a figure; None if a layer does not have it."""
    found: list[FloatArray] = []
    for layer in layers:
        known = {"luts": layer.luts, "bits": layer.bits, "error": layer.worst, "span": layer.span}
        figures = known[what]
        if figures is None:
            return None
        found.append(np.where(layer.kept, figures.astype(np.float64), np.nan))
    return Colouring(key, _LABELS[what], tuple(found))


def network_picture(
    module: ModuleOp | Model, *, colour: Colour | None = None, device: str = "xcup"
) -> Picture:
    """Draw all layers of a network of spline, table or wire level, as SVG.

    Parameters
    ----------
    colour : what colours say; by default `span` at spline level, `bits` at table and `luts` at wire
        level.
    device : the FPGA family that lookup tables are counted for.

    Raises
    ------
    KanError : the module is of hardware level, has no layers, or has no tables to colour by their
        bits or LUTs.
    """
    model = module if isinstance(module, Model) else Model.of(module)
    target = device_of(device)
    layers = network_layers(model, device=target)
    colour = colour or _DEFAULTS[model.level]
    if colour == "luts":
        layers = [with_table_luts(each, target) for each in layers]
    colours = colouring_of(layers, colour, "shade")
    if colours is None:
        raise KanError(
            f"edges of floats have no {_LABELS[colour]} to colour them by",
            remedy="run kan-quantize first, or colour them by their span",
        )
    layout = layout_of(layers, whole=True)
    width = max(layout.width, 720.0)
    height = _HEAD + layout.height + _FOOT
    edges = sum(int(layer.kept.sum()) for layer in layers)
    level = "tables" if layers[0].codes is not None else "functions"
    parts = [
        *heading(model.name, f"{quantity(edges, 'edge')}, drawn as {level}; {_MEANING[colour]}"),
        *scale(width - 14, _LABELS[colour], *colours.ends),
        tag(
            "g",
            network_parts(layers, layout, [colours], titles=True),
            transform=f"translate({(width - layout.width) / 2:.0f} {_HEAD:.0f})",
        ),
        label(14, height - 12, _note(layers), "soft"),
    ]
    sizes = "; ".join(map(_describe, layers))
    title = f"The network {model.name}: {sizes}. Colour: {_MEANING[colour]}."
    return picture_of(title, width, height, parts)


def _describe(layer: LayerEdges) -> str:
    nodes, inputs = layer.shape
    if layer.edge_name == "table":
        return f"{layer.name}: {quantity(inputs, 'table')}, one for each input"
    pruned = int(np.count_nonzero(~layer.kept))
    text = f"{layer.name}: {quantity(inputs, 'input')}, {quantity(nodes, 'node')}, "
    return text + quantity(layer.kept.size - pruned, "edge") + f" + {pruned} pruned" * (pruned > 0)


def _note(layers: Sequence[LayerEdges]) -> str:
    first = layers[0]
    node = min(1, first.shape[0] - 1)
    text = f"{first.edge(node, 0)} is the edge from {first.inputs[0]}"
    if first.edge_name == "edge":
        text += f" to {first.name}_node{node}"
    text += ". Each curve spans its own range."
    if any(not layer.kept.all() for layer in layers):
        text += " White: pruned edges."
    if any(layer.joint is not None and layer.joint.any() for layer in layers):
        text += " No curve: in a table of several inputs."
    return text


def network_parts(
    layers: Sequence[LayerEdges],
    layout: Layout,
    colours: Sequence[Colouring],
    *,
    titles: bool = False,
) -> list[Child]:
    """Frame, cells and curves of all layers.

    Parameters
    ----------
    colours : a cell has a class for each, such as `shade3`.
    titles : whether a viewer shows the first figure of an edge where the pointer rests on it.
    """
    shades = {each.key: each.shades() for each in colours}
    parts: list[Child] = []
    for band in layout.bands:
        layer = layers[band.layer]
        kinds = _kinds(layer, {key: each[band.layer] for key, each in shades.items()})
        parts.append(_frame(layers, layout, band))
        if titles and band.cell[0] < _PLAIN:
            parts.append(_mosaic(band, kinds))
            continue
        figures = (colours[0].label, colours[0].figures[band.layer]) if titles else None
        parts += [_cells(layer, band, kinds, figures), _curves(layer, band)]
    return parts


def _kinds(layer: LayerEdges, shades: dict[str, IntArray]) -> list[list[str]]:
    """Classes of the cells, by node and input."""
    return [
        [
            " ".join(f"{key}{each[node, source]}" for key, each in shades.items())
            if layer.kept[node, source]
            else "pruned"
            for source in range(layer.shape[1])
        ]
        for node in range(layer.shape[0])
    ]


def _mosaic(band: Band, kinds: Sequence[Sequence[str]]) -> Markup:
    """Cells that are too small for curves and names, as one path for each colour."""
    width, height = band.cell
    cells: dict[str, list[str]] = {}
    for node in range(band.nodes):
        for source in range(band.first, band.first + band.inputs):
            x, y = band.corner(node, source)
            cells.setdefault(kinds[node][source], []).append(
                f"M{x:.5g} {y:.5g}h{width:.3g}v{height:.3g}h-{width:.3g}z"
            )
    return joined(tag("path", d="".join(cells[kind]), class_=kind) for kind in sorted(cells))


def _cells(
    layer: LayerEdges,
    band: Band,
    kinds: Sequence[Sequence[str]],
    figures: tuple[str, FloatArray] | None,
) -> Markup:
    gap = 1.5 if band.cell[0] > 16 else 0.5
    width, height = band.cell[0] - gap, band.cell[1] - gap
    radius = 3 if band.cell[0] > 24 else 0
    found: list[str] = []
    for node in range(band.nodes):
        for source in range(band.first, band.first + band.inputs):
            x, y = band.corner(node, source)
            title = "" if figures is None else tag("title", _told(layer, node, source, *figures))
            found.append(
                f'<rect class="{kinds[node][source]}" x="{x:.5g}" y="{y:.5g}" width="{width:.4g}" '
                f'height="{height:.4g}" rx="{radius}">{title}</rect>'
            )
    return Markup(f'<g class="cells" data-layer="{band.layer}">{"".join(found)}</g>')


def _told(layer: LayerEdges, node: int, source: int, what: str, figures: FloatArray) -> str:
    name = f"{layer.edge(node, source)}, from {layer.input(source)}"
    if not layer.kept[node, source]:
        return f"{name}: pruned"
    if layer.joint is not None and layer.joint[node, source]:
        name += ", in a table of several inputs"
    return f"{name}: {what} {figures[node, source]:.4g}"


def _curves(layer: LayerEdges, band: Band) -> Markup | None:
    if band.cell[0] < _PLAIN:
        return None
    width, height = band.cell
    pad = 0.14 * width
    size = np.array([width - 2 * pad - 1.5, height - 2 * pad - 1.5])
    points = int(np.clip(width / 1.6, 8, 40))
    kept: list[str] = []
    pruned: list[str] = []
    for node in range(band.nodes):
        for source in range(band.first, band.first + band.inputs):
            line = curve(layer, node, source, points)
            if line is not None:
                drawn = path(np.array(band.corner(node, source)) + pad + line * size)
                (kept if layer.kept[node, source] else pruned).append(drawn)
    thin = " thin" if width < 20 else ""
    return joined(
        [
            tag("path", d="".join(pruned), class_=f"curve faint{thin}") if pruned else None,
            tag("path", d="".join(kept), class_=f"curve{thin}") if kept else None,
        ]
    )


def curve(layer: LayerEdges, node: int, source: int, most: int) -> FloatArray | None:
    """An edge as a line (points, 2) in the unit square, over its own range; y grows downwards.

    None where nothing is known, and for pruned edges that are constant.

    Parameters
    ----------
    most : most points of the line.
    """
    known = layer.points(source)
    places = np.linspace(0, len(known) - 1, min(most, len(known))).round().astype(np.int64)
    is_kept = bool(layer.kept[node, source])
    values = layer.y if is_kept or layer.real is None else layer.real
    y = values[known[places], node, source]
    good = np.isfinite(y)
    if not good.any():
        return None
    y = y[good]
    low, high = float(y.min()), float(y.max())
    if high <= low and not is_kept:
        return None
    up = (y - low) / (high - low) if high > low else np.full(len(y), 0.5)
    return np.stack([places[good] / max(len(known) - 1, 1), 1 - up], axis=1)


def _frame(layers: Sequence[LayerEdges], layout: Layout, band: Band) -> Markup:
    """Wires, and names of inputs and nodes."""
    parts: list[Child] = [_wires(band)]
    if not band.turned and (band.layer == 0 or not layout.chain):
        parts += _input_names(layers[band.layer], band)
    last = band.layer == len(layers) - 1
    parts += [_node(layers[band.layer], band, node, last) for node in range(band.nodes)]
    return tag("g", parts, aria_hidden="true")


def _wires(band: Band) -> Markup | None:
    width, height = band.size
    cell_x, cell_y = band.cell
    if cell_x <= 12:
        return None
    wires: list[str] = []
    for column in range(round(width / cell_x)):
        x = band.x + (column + 0.5) * cell_x - 0.75
        wires.append(
            f"M{x:.5g} {band.y - 8:.5g}V{band.y + height + (14 if band.turned else 0):.5g}"
        )
    for row in range(round(height / cell_y)):
        y = band.y + (row + 0.5) * cell_y - 0.75
        start = band.x - (20 if band.turned else 0)
        end = band.x + width + (0 if band.turned else 16)
        wires.append(f"M{start:.5g} {y:.5g}H{end:.5g}")
    return tag("path", d="".join(wires), class_="wire")


def _input_names(layer: LayerEdges, band: Band) -> list[Markup]:
    cell = band.cell[0]
    every = max(1, int(np.ceil(24 / cell)))
    found: list[Markup] = []
    for place in range(0, band.inputs, every):
        port = layer.inputs[band.first + place]
        name = _fitting(layer.data_names.get(port, ""), _short(port), every * cell)
        found.append(label(band.x + (place + 0.5) * cell, band.y - 13, name, "name", "middle"))
    return found


def _node(layer: LayerEdges, band: Band, node: int, last: bool) -> Markup:
    """The adder of a node, with its name where there is room."""
    cell_x, cell_y = band.cell
    x, y = band.corner(node, band.first)
    if band.turned:
        x, y = x + cell_x / 2 - 0.75, band.y + band.size[1] + 22
    else:
        x, y = band.x + band.size[0] + 24, y + cell_y / 2 - 0.75
    pitch, wanted = (cell_x, 24) if band.turned else (cell_y, 11)
    every = max(1, int(np.ceil(wanted / pitch)))
    radius = min(9.0, 0.42 * pitch)
    port = f"y{node}" if last else f"n{node}"
    known = layer.data_names.get(port, "")
    name = _fitting(known, port, every * cell_x if band.turned else _BESIDE)
    bits = "" if layer.node_bits is None else f"{layer.node_bits[node]} bit"
    adder = tag(
        "g",
        tag("title", ", ".join(filter(None, (f"{layer.name}_node{node}", known, bits)))),
        tag("circle", cx=x, cy=y, r=radius, class_="node"),
        label(x, y + 4, "Σ", "sigma", "middle") if radius > 7 else None,
    )
    if node % every:
        return adder
    at = (x, y + 23) if band.turned else (x + radius + 5, y + 4)
    return joined([adder, label(*at, name, "name", "middle" if band.turned else "")])


def _fitting(name: str, port: str, room: float) -> str:
    """The name of a feature or class, or that of its port where there is no room for it."""
    return name if name and len(name) * _LETTER <= room else port


def _short(name: str) -> str:
    """`n3` of `layer0_node3`: the picture says the layer."""
    return f"n{name.rpartition('_node')[2]}" if "_node" in name else name
