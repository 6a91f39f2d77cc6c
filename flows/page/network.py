"""The section of the network, and the data behind its drawing."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kan_dialect.errors import KanError
from kan_dialect.flows.page.models import PageModels
from kan_dialect.flows.pictures.layers import LayerEdges
from kan_dialect.flows.pictures.layout import Layout, layout_of
from kan_dialect.flows.pictures.markup import Markup, svg
from kan_dialect.flows.pictures.network import Colouring, colouring_of, network_parts
from kan_dialect.flows.pictures.network_layers import network_layers
from kan_dialect.ir.constants import FloatArray, IntArray
from kan_dialect.quantity import quantity

DETAIL_BYTES = 1_500_000
"""Most bytes of tables and errors; the edges that cost most have theirs."""
TABLE_ROWS = 300
"""Most rows of the table behind the picture."""
_ENTRY = 24
"""Bytes of an entry of the data beside its parts: key and punctuation."""


def edge_layers(models: PageModels, report: Mapping[str, Any]) -> list[LayerEdges]:
    """The layers of a build; empty where its edges are no functions of one input each.

    Parameters
    ----------
    report : the content of `report.json`, or nothing of a model that is not built.
    """
    if models.shown is None:
        return []
    try:
        layers = network_layers(models.shown, models.real)
    except KanError:
        return []
    costs = {each["name"]: each.get("edge_luts") for each in report.get("layers", ())}
    return [_with_costs(each, costs.get(each.name)) for each in layers]


def _with_costs(layer: LayerEdges, costs: Sequence[Sequence[float]] | None) -> LayerEdges:
    """A layer with the LUTs of the built design; wires have their own."""
    if layer.luts is not None or costs is None:
        return layer
    luts = np.array(costs, dtype=np.float64)
    return replace(layer, luts=luts) if luts.shape == layer.shape else layer


def colourings(layers: Sequence[LayerEdges]) -> list[Colouring]:
    """The figures that all layers have; their keys are those of the page's styles."""
    keys = {"luts": "l", "bits": "b", "error": "e", "span": "s"}
    found = (colouring_of(layers, what, key) for what, key in keys.items())
    return [each for each in found if each is not None]


def drawn_network(layers: Sequence[LayerEdges]) -> dict[str, Any]:
    """Values of the page's template: the picture, its colourings, and its edges as rows."""
    layout, colours = layout_of(layers), colourings(layers)
    ranked = _ranked(layers, cost_of(layers))
    more = len(ranked) - TABLE_ROWS
    intro = "A cell is an edge with its function."
    if layers[0].codes is not None:
        intro = "A cell is an edge: its curve is the function that its lookup table holds."
    return {
        "intro": f"{intro} Inputs enter along lines, a node (Σ) adds up its cells.",
        "colours": colours,
        "picture": _svg(layers, layout, colours),
        "notes": _notes(layers, layout),
        "rows": [_row(layers[index], node, source) for index, node, source in ranked[:TABLE_ROWS]],
        "caption": "Edges, the most costly first"
        + (f"; {more} further ones not shown" if more > 0 else ""),
    }


def _row(layer: LayerEdges, node: int, source: int) -> tuple[str | int | float, ...]:
    """An edge: its name, input, bits, LUTs and largest error, empty where they are not known."""
    worst = layer.worst
    return (
        layer.edge(node, source),
        layer.input(source),
        "" if layer.bits is None else int(layer.bits[node, source]),
        "" if layer.luts is None else float(layer.luts[node, source]),
        "" if worst is None else f"{worst[node, source]:.2f}",
    )


def _notes(layers: Sequence[LayerEdges], layout: Layout) -> list[str]:
    notes: list[str] = []
    pruned = sum(int((~layer.kept).sum()) for layer in layers)
    if pruned:
        notes.append(f"{quantity(pruned, 'edge')} pruned: no colour, and no table.")
    if layout.hidden:
        notes.append(f"Not shown: {layout.hidden} edges, of each layer's last nodes.")
    return notes


def cost_of(layers: Sequence[LayerEdges]) -> list[FloatArray]:
    """What edges are ordered by: LUTs where they are known, else the span of values."""
    if all(layer.luts is not None for layer in layers):
        return [layer.luts for layer in layers if layer.luts is not None]
    return [np.nan_to_num(layer.span) for layer in layers]


def _svg(layers: Sequence[LayerEdges], layout: Layout, colours: Sequence[Colouring]) -> Markup:
    kept = sum(int(layer.kept.sum()) for layer in layers)
    return svg(
        f"The network: {quantity(len(layers), 'layer')}, {quantity(kept, 'edge')}",
        layout.width,
        layout.height,
        network_parts(layers, layout, colours),
        style=f"max-width:{layout.width * 1.1:.0f}px;min-width:{min(layout.width, 560):.0f}px",
    )


def _ranked(layers: Sequence[LayerEdges], cost: Sequence[FloatArray]) -> list[tuple[int, int, int]]:
    """Layer, node and input of all edges, the most costly first."""
    every = [
        (-float(figures[node, source]), index, node, source)
        for index, (layer, figures) in enumerate(zip(layers, cost, strict=True))
        for node, source in np.argwhere(layer.kept).tolist()
    ]
    return [(index, node, source) for _, index, node, source in sorted(every)]


def network_data(layers: Sequence[LayerEdges]) -> dict[str, Any]:
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


def _layer_data(layer: LayerEdges, nodes: int) -> dict[str, Any]:
    """Figures of the edges of a layer's first nodes."""
    inputs = layer.shape[1]
    spans = [layer.points(source) for source in range(inputs)]

    def rounded(figures: FloatArray | IntArray | None) -> list[list[float | None]] | None:
        if figures is None:
            return None
        return [[_rounded(each) for each in row] for row in figures[:nodes].tolist()]

    x = layer.x
    return {
        "name": layer.name,
        "one": layer.edge_name == "table",
        "inputs": [layer.input(source) for source in range(inputs)],
        "nodes": nodes,
        "kept": layer.kept[:nodes].astype(int).tolist(),
        "x": [
            [
                _rounded(float(x[span[0], source])),
                _rounded(float(x[span[-1], source])),
                len(span),
                None if layer.low is None else int(layer.low[source]) + int(span[0]),
            ]
            for source, span in enumerate(spans)
        ],
        "step": rounded(layer.steps),
        "bits": rounded(layer.bits),
        "luts": rounded(layer.luts),
        "worst": rounded(layer.worst),
        "seen": None if layer.seen is None else layer.seen.tolist(),
    }


def _detail(layer: LayerEdges, node: int, source: int) -> list[Any]:
    """[lowest, bytes of an entry, entries] and, where known, [largest error, errors] of an edge.

    Entries are less the lowest, little endian. Errors are in 127ths of the largest. At spline
    level, entries are values in 65535ths of their span, and the span is at the end.
    """
    chosen = layer.points(source)
    if layer.codes is None:
        y = layer.y[chosen, node, source]
        y = np.where(np.isfinite(y), y, 0.0)
        low, span = float(y.min()), float(np.ptp(y)) or 1.0
        values = ((y - low) / span * 65535).round().astype("<u2")
        return [_rounded(low), 2, _base64(values), _rounded(span)]
    codes = layer.codes[chosen, node, source]
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
