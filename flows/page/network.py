"""The picture of the network, and the data behind it: an edge a cell, with its curve."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kan_dialect.flows.page.edges import EdgeLayer
from kan_dialect.flows.page.markup import Markup, behind, joined, table, tag
from kan_dialect.flows.page.network_layout import Band, Layout, layout_of
from kan_dialect.ir.constants import FloatArray, IntArray
from kan_dialect.quantity import quantity

SHADES = 8
"""Steps of the colours."""
DETAIL_BYTES = 1_500_000
"""Most bytes of tables and errors; the edges that cost most have theirs."""
TABLE_ROWS = 300
"""Most rows of the table behind the picture."""
_ENTRY = 24
"""Bytes of an entry of the data beside its parts: key and punctuation."""
_LETTER = 6.5
"""Room for a letter of a name."""
_BESIDE = 50.0
"""Room for a name beside the last nodes."""
_PLAIN = 9.0
"""Width of a cell below which it has no curve."""


@dataclass(frozen=True)
class Colouring:
    """A figure that colours cells: its class, its label, and figures (out, in) of each layer."""

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
        low, high = self.ends
        span = (high - low) or 1.0
        found: list[IntArray] = []
        for each in self.figures:
            place = np.nan_to_num((each - low) / span) * (SHADES - 1)
            found.append(place.round().clip(0, SHADES - 1).astype(np.int64))
        return found


def colourings(layers: Sequence[EdgeLayer]) -> list[Colouring]:
    """The figures that all layers have."""
    found: list[Colouring] = []

    def add(key: str, label: str, figures: Sequence[FloatArray | None]) -> None:
        known = [each for each in figures if each is not None]
        if len(known) == len(layers):
            found.append(Colouring(key, label, tuple(known)))

    def of_kept(figures: FloatArray | IntArray | None, layer: EdgeLayer) -> FloatArray | None:
        return None if figures is None else np.where(layer.kept, figures, np.nan)

    add("l", "LUTs", [of_kept(layer.luts, layer) for layer in layers])
    add("b", "bits", [of_kept(layer.bits, layer) for layer in layers])
    add("e", "largest error, in steps", [layer.worst for layer in layers])
    add("s", "span of values", [of_kept(layer.functions.span(), layer) for layer in layers])
    return found


def network_section(layers: Sequence[EdgeLayer]) -> Markup:
    """The picture with its legend, the panel of an edge, and the table behind."""
    layout, colours = layout_of(layers), colourings(layers)
    cost = cost_of(layers)
    return joined(
        [
            tag(
                "div",
                _chooser(colours),
                tag("div", class_="legend", id="legend", aria_live="polite"),
                class_="controls",
            ),
            tag(
                "div",
                _svg(layers, layout, colours),
                class_="network",
                id="network",
                data_colour=colours[0].key if colours else "s",
                tabindex="0",
                role="group",
                aria_label="Edges of the network. Arrow keys move between edges, Enter shows one.",
                aria_describedby="edge-now",
            ),
            tag("p", class_="hint", id="edge-now", aria_live="polite"),
            _notes(layers, layout),
            tag(
                "div",
                class_="panel",
                id="panel",
                hidden=True,
                tabindex="-1",
                role="region",
                aria_label="The chosen edge",
            ),
            _table(layers, cost),
        ]
    )


def _chooser(colours: Sequence[Colouring]) -> Markup | None:
    if len(colours) < 2:
        return None
    return tag(
        "fieldset",
        tag("legend", "Colour"),
        [
            tag(
                "label",
                tag("input", type="radio", name="colour", value=each.key, checked=not index),
                f" {each.label}",
            )
            for index, each in enumerate(colours)
        ],
    )


def _notes(layers: Sequence[EdgeLayer], layout: Layout) -> Markup | None:
    notes: list[str] = []
    pruned = sum(int((~layer.kept).sum()) for layer in layers)
    if pruned:
        notes.append(f"{quantity(pruned, 'edge')} pruned: no colour, and no table.")
    if layout.hidden:
        notes.append(f"Not shown: {layout.hidden} edges, of each layer's last nodes.")
    return tag("p", " ".join(notes), class_="hint") if notes else None


def cost_of(layers: Sequence[EdgeLayer]) -> list[FloatArray]:
    """What edges are ordered by: LUTs where they are known, else the span of values."""
    if all(layer.luts is not None for layer in layers):
        return [layer.luts for layer in layers if layer.luts is not None]
    return [np.nan_to_num(layer.functions.span()) for layer in layers]


def _svg(layers: Sequence[EdgeLayer], layout: Layout, colours: Sequence[Colouring]) -> Markup:
    shades = {each.key: each.shades() for each in colours}
    parts: list[Markup | None] = []
    for band in layout.bands:
        layer = layers[band.layer]
        parts += [_frame(layers, layout, band), _cells(layer, band, shades), _curves(layer, band)]
    kept = sum(int(layer.kept.sum()) for layer in layers)
    name = f"The network: {quantity(len(layers), 'layer')}, {quantity(kept, 'edge')}"
    return tag(
        "svg",
        tag("title", name),
        parts,
        viewBox=f"0 0 {layout.width:.0f} {layout.height:.0f}",
        style=f"max-width:{layout.width * 1.1:.0f}px;min-width:{min(layout.width, 560):.0f}px",
        role="img",
        aria_label=name,
    )


def _cells(layer: EdgeLayer, band: Band, shades: dict[str, list[IntArray]]) -> Markup:
    gap = 1.5 if band.cell[0] > 16 else 0.5
    width, height = band.cell[0] - gap, band.cell[1] - gap
    radius = 3 if band.cell[0] > 24 else 0
    found: list[str] = []
    for node in range(band.nodes):
        for source in range(band.first, band.first + band.inputs):
            x, y = band.corner(node, source)
            if layer.kept[node, source]:
                kind = " ".join(
                    f"{key}{each[band.layer][node, source]}" for key, each in shades.items()
                )
            else:
                kind = "p"
            found.append(
                f'<rect class="{kind}" x="{x:.5g}" y="{y:.5g}" width="{width:.4g}" '
                f'height="{height:.4g}" rx="{radius}"/>'
            )
    return Markup(f'<g class="cells" data-layer="{band.layer}">{"".join(found)}</g>')


def _curves(layer: EdgeLayer, band: Band) -> Markup | None:
    if band.cell[0] < _PLAIN:
        return None
    functions = layer.functions
    width, height = band.cell
    pad = 0.14 * width
    points = int(np.clip(width / 1.6, 8, 40))
    kept: list[str] = []
    pruned: list[str] = []
    for source in range(band.first, band.first + band.inputs):
        read = np.arange(len(functions.x))
        if functions.read is not None:
            read = np.flatnonzero(functions.read[:, source])
        chosen = read[np.unique(np.linspace(0, len(read) - 1, points).round().astype(np.int64))]
        across = np.linspace(pad, width - pad - 1.5, len(chosen))
        for node in range(band.nodes):
            is_kept = bool(layer.kept[node, source])
            y = functions.y[chosen, node, source]
            if not is_kept and layer.real is not None:
                y = layer.real[chosen, node, source]
            good = np.isfinite(y)
            if not good.any():
                continue
            low, high = float(y[good].min()), float(y[good].max())
            if high <= low and not is_kept:
                continue
            up = (y - low) / (high - low) if high > low else np.full(len(y), 0.5)
            left, top = band.corner(node, source)
            xs, ys = left + across, top + pad + (1 - up) * (height - 2 * pad - 1.5)
            line = " ".join(
                f"{a:.5g} {b:.5g}"
                for a, b in zip(xs[good].tolist(), ys[good].tolist(), strict=True)
            )
            (kept if is_kept else pruned).append(f"M{line}")
    thin = " thin" if width < 20 else ""
    return joined(
        [
            tag("path", d="".join(pruned), class_=f"curve faint{thin}") if pruned else None,
            tag("path", d="".join(kept), class_=f"curve{thin}") if kept else None,
        ]
    )


def _frame(layers: Sequence[EdgeLayer], layout: Layout, band: Band) -> Markup:
    """Wires, and names of inputs and nodes."""
    layer = layers[band.layer]
    width, height = band.size
    cell_x, cell_y = band.cell
    parts: list[Markup] = []
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
    if cell_x > 12:
        parts.append(tag("path", d="".join(wires), class_="wire"))
    if not band.turned and (band.layer == 0 or not layout.chain):
        every = max(1, int(np.ceil(24 / cell_x)))
        for place in range(0, band.inputs, every):
            source = band.first + place
            port = layer.functions.inputs[source]
            name = _fitting(layer.names.get(port, ""), _short(port), every * cell_x)
            x = band.x + (place + 0.5) * cell_x
            parts.append(tag("text", name, x=x, y=band.y - 13, class_="name", text_anchor="middle"))
    last = band.layer == len(layers) - 1
    every = 1 if band.turned else max(1, int(np.ceil(11 / cell_y)))
    if band.turned:
        every = max(1, int(np.ceil(24 / cell_x)))
    for node in range(band.nodes):
        x, y = band.corner(node, band.first)
        if band.turned:
            x, y = x + cell_x / 2 - 0.75, band.y + height + 22
        else:
            x, y = band.x + width + 24, y + cell_y / 2 - 0.75
        radius = min(9.0, 0.42 * (cell_x if band.turned else cell_y))
        name = f"y{node}" if last else f"n{node}"
        known = layer.names.get(name, "")
        name = _fitting(known, name, every * cell_x if band.turned else _BESIDE)
        bits = "" if layer.functions.node_bits is None else f"{layer.functions.node_bits[node]} bit"
        parts.append(
            tag(
                "g",
                tag("title", ", ".join(filter(None, (f"{layer.name}_node{node}", known, bits)))),
                tag("circle", cx=x, cy=y, r=radius, class_="node"),
                tag("text", "Σ", x=x, y=y + 4, class_="sigma", text_anchor="middle")
                if radius > 7
                else None,
            )
        )
        if node % every:
            continue
        if band.turned:
            parts.append(tag("text", name, x=x, y=y + 23, class_="name", text_anchor="middle"))
        else:
            parts.append(tag("text", name, x=x + radius + 5, y=y + 4, class_="name"))
    return tag("g", parts, aria_hidden="true")


def _fitting(name: str, port: str, room: float) -> str:
    """The name of a feature or class, or that of its port where there is no room for it."""
    return name if name and len(name) * _LETTER <= room else port


def _short(name: str) -> str:
    """`n3` of `layer0_node3`: the picture says the layer."""
    return f"n{name.rpartition('_node')[2]}" if "_node" in name else name


def _table(layers: Sequence[EdgeLayer], cost: Sequence[FloatArray]) -> Markup:
    ranked = _ranked(layers, cost)
    rows: list[list[str | int | float]] = []
    for index, node, source in ranked[:TABLE_ROWS]:
        layer = layers[index]
        row: list[str | int | float] = [
            layer.functions.edge(node, source),
            layer.input(source),
        ]
        row.append("" if layer.bits is None else int(layer.bits[node, source]))
        row.append("" if layer.luts is None else float(layer.luts[node, source]))
        worst = layer.worst
        row.append("" if worst is None else f"{worst[node, source]:.2f}")
        rows.append(row)
    more = len(ranked) - len(rows)
    caption = "Edges, the most costly first" + (f"; {more} further ones not shown" * bool(more))
    return behind(
        "The edges as a table",
        table(
            ("edge", "input", "bits", "LUTs", "largest error, in steps"),
            rows,
            caption,
            numbers=(2, 3, 4),
            codes=(0, 1),
        ),
    )


def _ranked(layers: Sequence[EdgeLayer], cost: Sequence[FloatArray]) -> list[tuple[int, int, int]]:
    """Layer, node and input of all edges, the most costly first."""
    every = [
        (-float(figures[node, source]), index, node, source)
        for index, (layer, figures) in enumerate(zip(layers, cost, strict=True))
        for node, source in np.argwhere(layer.kept).tolist()
    ]
    return [(index, node, source) for _, index, node, source in sorted(every)]


def network_data(layers: Sequence[EdgeLayer]) -> dict[str, Any]:
    """What the page's program knows: figures of all edges, and tables of the most costly ones."""
    layout, colours = layout_of(layers), colourings(layers)
    nodes = {band.layer: band.nodes for band in layout.bands}
    ranked = [
        (index, node, source)
        for index, node, source in _ranked(layers, cost_of(layers))
        if node < nodes.get(index, 0)
    ]
    details: dict[str, Any] = {}
    taken = 0
    for index, node, source in ranked:
        found = _detail(layers[index], node, source)
        taken += sum(len(str(part)) for part in found) + _ENTRY
        if taken > DETAIL_BYTES:
            break
        details[f"{index},{node},{source}"] = found
    cells = [[band.layer, band.nodes, band.first, band.inputs] for band in layout.bands]
    first = ranked[0] if ranked else None
    return {
        "layers": [_layer_data(layer, nodes.get(index, 0)) for index, layer in enumerate(layers)],
        "bands": cells,
        "details": details,
        "undetailed": len(ranked) - len(details),
        "first": None if first is None else list(first),
        "colours": {
            each.key: {
                "label": each.label,
                "low": _rounded(each.ends[0]),
                "high": _rounded(each.ends[1]),
            }
            for each in colours
        },
    }


def _layer_data(layer: EdgeLayer, nodes: int) -> dict[str, Any]:
    """Figures of the edges of a layer's first nodes."""
    functions = layer.functions
    inputs = functions.shape[1]
    spans = [_read(layer, source) for source in range(inputs)]
    steps = functions.steps

    def rounded(figures: FloatArray | IntArray | None) -> list[list[float | None]] | None:
        if figures is None:
            return None
        return [[_rounded(each) for each in row] for row in figures[:nodes].tolist()]

    x = functions.x
    return {
        "name": layer.name,
        "one": functions.edge_name == "table",
        "inputs": [layer.input(source) for source in range(inputs)],
        "nodes": nodes,
        "kept": layer.kept[:nodes].astype(int).tolist(),
        "x": [
            [
                _rounded(float(x[span[0], source])),
                _rounded(float(x[span[-1], source])),
                len(span),
                None if functions.low is None else int(functions.low[source]) + int(span[0]),
            ]
            for source, span in enumerate(spans)
        ],
        "step": None if steps is None else rounded(steps),
        "bits": rounded(layer.bits),
        "luts": rounded(layer.luts),
        "worst": rounded(layer.worst),
        "seen": None if layer.seen is None else layer.seen.tolist(),
    }


def _read(layer: EdgeLayer, source: int) -> IntArray:
    """Indices of the points that are codes of an input."""
    if layer.functions.read is None:
        return np.arange(len(layer.functions.x))
    return np.flatnonzero(layer.functions.read[:, source])


def _detail(layer: EdgeLayer, node: int, source: int) -> list[Any]:
    """[lowest, bytes of an entry, entries] and, where known, [largest error, errors] of an edge.

    Entries are less the lowest, little endian. Errors are in 127ths of the largest. At spline
    level, entries are values in 65535ths of their span, and the span is at the end.
    """
    chosen = _read(layer, source)
    functions = layer.functions
    if functions.codes is None:
        y = functions.y[chosen, node, source]
        y = np.where(np.isfinite(y), y, 0.0)
        low, span = float(y.min()), float(np.ptp(y)) or 1.0
        values = ((y - low) / span * 65535).round().astype("<u2")
        return [_rounded(low), 2, _base64(values), _rounded(span)]
    codes = functions.codes[chosen, node, source]
    lowest = int(codes.min())
    size = next(size for size in (1, 2, 4) if int(codes.max()) - lowest < 1 << (8 * size))
    found: list[Any] = [lowest, size, _base64((codes - lowest).astype(f"<u{size}"))]
    if layer.error is not None:
        error = layer.error[chosen, node, source]
        error = np.where(np.isfinite(error), error, 0.0)
        largest = float(np.abs(error).max(initial=0.0))
        scaled = (error / (largest or 1.0) * 127).round().astype("<i1")
        found += [_rounded(largest), _base64(scaled)]
    return found


def _base64(values: np.ndarray[Any, Any]) -> str:
    return base64.b64encode(values.tobytes()).decode()


def _rounded(value: float | int) -> float | int | None:
    """A figure in six digits; None of one that is not finite."""
    if isinstance(value, int):
        return value
    return float(f"{value:.6g}") if np.isfinite(value) else None
