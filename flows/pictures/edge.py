"""The picture of one edge: its function of floats against its table, and the error below."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.flows.pictures.layers import LayerEdges, float_edges
from kan_dialect.flows.pictures.markup import Child, box, label, line, path, tag
from kan_dialect.flows.pictures.network_layers import (
    find_edge,
    functions_of_floats,
    network_layers,
)
from kan_dialect.flows.pictures.standalone import Picture, picture_of
from kan_dialect.ir.constants import FloatArray, IntArray
from kan_dialect.model.model import Model

_POINTS = 400
"""Points of the function of floats."""
_SHOWN_CODES = 128
"""Most entries that are drawn with a dot each."""
_LEFT, _TOP, _WIDTH, _HEIGHT = 74.0, 78.0, 560.0, 230.0
_GAP, _ERROR_HEIGHT = 34.0, 84.0


def edge_picture(
    module: ModuleOp | Model, edge: str, *, original: ModuleOp | Model | None = None
) -> Picture:
    """Draw one edge as SVG.

    Parameters
    ----------
    edge : its name, `layer0_edge3_5` for node 3 and input 5.
    original : the network of floats that the table was made from, of spline level; without it the
        function is drawn where `module` still has it.

    Raises
    ------
    KanError : the edge does not exist.
    """
    model = module if isinstance(module, Model) else Model.of(module)
    if original is not None and not isinstance(original, Model):
        original = Model.of(original)
    found = find_edge(network_layers(model, original), edge)
    layer, node, source = found
    points = layer.points(source)
    x, y = layer.x[points, source], layer.y[points, node, source]
    fine = _function(model, original, found, x)
    values = np.concatenate([y] if fine is None else [y, fine[:, 1]])
    plot = _Plot.over(_TOP, _HEIGHT, x, values[np.isfinite(values)])
    parts: list[Child] = [label(14, 24, _title(layer, node, source, points), "strong")]
    parts += [plot.grid(), _seen(plot, layer, source)]
    bottom = _TOP + _HEIGHT
    if fine is not None:
        parts.append(tag("path", d=path(plot.at(fine[:, 0], fine[:, 1])), class_="function"))
    if layer.codes is not None:
        parts += [_table(plot, x, y), _codes(plot, found, points)]
        if layer.error is not None and layer.steps is not None:
            step = float(layer.steps[node, source])
            parts.append(_error(x, layer.error[points, node, source], step))
            bottom += _GAP + _ERROR_HEIGHT
    parts.append(plot.below(bottom))
    name = layer.input(source)
    name += "" if layer.seen is None else " (grey: values seen in calibration)"
    parts.append(label(_LEFT + _WIDTH / 2, bottom + 36, name, "soft", "middle"))
    parts.append(label(14, bottom + 58, _key(layer, fine is not None, len(points)), "soft"))
    title = f"The edge {_title(layer, node, source, points)}"
    return picture_of(title, _LEFT + _WIDTH + 70, bottom + 70, parts)


def _function(
    model: Model, original: Model | None, edge: tuple[LayerEdges, int, int], x: FloatArray
) -> FloatArray | None:
    """The function of floats of an edge as a line (points, 2); None if it is not known."""
    layer, node, source = edge
    if model.level == "wire" or not len(x):
        return None
    fine: FloatArray = np.linspace(float(x[0]), float(x[-1]), _POINTS)
    points: FloatArray = np.broadcast_to(fine[:, np.newaxis], (_POINTS, layer.shape[1]))
    for function in functions_of_floats(model, original):
        y = float_edges(function, layer.name, points)
        if y is not None and y.shape[1:] == layer.shape:
            line = np.stack([fine, y[:, node, source]], axis=1)
            return line[np.isfinite(line[:, 1])]
    return None


@dataclass(frozen=True)
class _Plot:
    """A rectangle of the picture, and the ranges that it shows."""

    top: float
    height: float
    x: tuple[float, float]
    y: tuple[float, float]

    @classmethod
    def over(cls, top: float, height: float, x: FloatArray, y: FloatArray) -> _Plot:
        """The plot of points, with some room above and below."""
        low, high = (float(y.min()), float(y.max())) if y.size else (0.0, 0.0)
        margin = 0.05 * (high - low) or 0.5
        first, last = (float(x[0]), float(x[-1])) if len(x) else (0.0, 0.0)
        ends = (first, last) if last > first else (first - 0.5, last + 0.5)
        return cls(top, height, ends, (low - margin, high + margin))

    def at(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Points (n, 2) of the picture."""
        across = (x - self.x[0]) / (self.x[1] - self.x[0])
        up = (y - self.y[0]) / (self.y[1] - self.y[0])
        return np.stack([_LEFT + across * _WIDTH, self.top + (1 - up) * self.height], axis=1)

    def grid(self) -> list[Child]:
        """Rules at round values, with these at the left."""
        parts: list[Child] = []
        for value in ticks(*self.y):
            ((_, y),) = self.at(np.array(self.x[:1]), np.array([value])).tolist()
            parts += [
                line(_LEFT, y, _LEFT + _WIDTH, y, "grid"),
                label(_LEFT - 8, y + 4, f"{value:.4g}", "soft", "end"),
            ]
        return parts

    def below(self, bottom: float) -> list[Child]:
        """Values of the input."""
        return [
            label(float(self.at(np.array([value]), np.zeros(1))[0, 0]), bottom + 18,
                  f"{value:.4g}", "soft", "middle")
            for value in ticks(*self.x, most=8)
        ]  # fmt: skip


def ticks(low: float, high: float, most: int = 6, *, whole: bool = False) -> list[float]:
    """Round numbers of a range: multiples of 1, 2 or 5 times a power of ten.

    Parameters
    ----------
    most : about how many.
    whole : integers only.
    """
    wanted = max((high - low) / most, 1.0 if whole else 0.0)
    power = 10.0 ** np.floor(np.log10(wanted))
    step = power * next(each for each in (1, 2, 5, 10) if each * power >= wanted * (1 - 1e-9))
    first, last = np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9)
    marks: FloatArray = step * np.arange(first, last + 1, dtype=np.float64)
    return (marks + 0.0).tolist()  # never -0


def _table(plot: _Plot, x: FloatArray, y: FloatArray) -> list[Child]:
    """The table as steps around its codes, and a dot for each."""
    if not np.isfinite(y).all():  # in a table of several inputs, or a pruned edge
        return []
    half = (x[1] - x[0]) / 2 if len(x) > 1 else 0.0
    sides = np.clip(np.stack([x - half, x + half], axis=1), *plot.x).ravel()
    dots: list[list[float]] = plot.at(x, y).tolist() if len(x) <= _SHOWN_CODES else []
    return [
        tag("path", d=path(plot.at(sides, np.repeat(y, 2))), class_="entries"),
        [tag("circle", cx=a, cy=b, r=1.8) for a, b in dots],
    ]


def _codes(plot: _Plot, edge: tuple[LayerEdges, int, int], points: IntArray) -> list[Child]:
    """The codes of the input above, and the table's entries at the right."""
    layer, node, source = edge
    parts: list[Child] = []
    if layer.low is not None and len(points) > 1:
        codes = int(layer.low[source]) + points
        x = layer.x[points, source]
        for code in ticks(float(codes[0]), float(codes[-1]), 8, whole=True):
            at = int(code) - int(codes[0])
            across = float(plot.at(x[at : at + 1], np.zeros(1))[0, 0])
            parts.append(label(across, plot.top - 8, f"{code:g}", "soft small", "middle"))
        words = f"code of {layer.inputs[source]}"
        parts.append(label(_LEFT + _WIDTH / 2, plot.top - 24, words, "soft small", "middle"))
    if layer.steps is not None:
        step = float(layer.steps[node, source])
        for entry in ticks(plot.y[0] / step, plot.y[1] / step, whole=True):
            ((x, y),) = plot.at(np.array(plot.x[1:]), np.array([entry * step])).tolist()
            parts.append(label(x + 8, y + 4, f"{entry:g}", "soft small"))
        parts.append(label(_LEFT + _WIDTH + 8, plot.top - 8, "entry", "soft small"))
    return parts


def _seen(plot: _Plot, layer: LayerEdges, source: int) -> list[Child]:
    """The values of the input that calibration saw, as a histogram along the bottom."""
    if layer.seen is None:
        return []
    counts = layer.seen[source].tolist()
    each, most = _WIDTH / len(counts), max(*counts, 1)
    bottom = plot.top + plot.height
    return [
        box(_LEFT + i * each, bottom - n / most * 50, each - 1, n / most * 50, "seen")
        for i, n in enumerate(counts)
        if n
    ]


def _error(x: FloatArray, error: FloatArray, step: float) -> list[Child]:
    good = np.isfinite(error)
    worst = float(np.abs(error[good]).max(initial=0.0))
    limit = max(worst, step / 2) * 1.05
    top = _TOP + _HEIGHT + _GAP
    plot = _Plot.over(top, _ERROR_HEIGHT, x, np.array([-limit, limit]))
    ends = np.array(plot.x)
    (left, upper), (right, lower) = plot.at(ends, np.array([step, -step]) / 2).tolist()
    tops = plot.at(x[good], error[good]).tolist()
    zero = plot.at(ends, np.zeros(2))[0, 1]
    return [
        box(left, upper, right - left, lower - upper, "half"),
        plot.grid(),
        line(left, zero, right, zero, "axis"),
        tag("path", d="".join(f"M{a:.5g} {zero:.5g}V{b:.5g}" for a, b in tops), class_="errors"),
        label(
            _LEFT,
            top - 6,
            f"table less function: at most {worst:.3g}, {worst / step:.2f} steps (grey: half)",
            "soft",
        ),
    ]


def _key(layer: LayerEdges, has_function: bool, points: int) -> str:
    table = f"Black: table of {points} entries." if layer.codes is not None else ""
    return " ".join(filter(None, ("Blue: function of floats." * has_function, table)))


def _title(layer: LayerEdges, node: int, source: int, points: IntArray) -> str:
    name = layer.edge(node, source)
    text = f"{name}: function of {layer.inputs[source]}"
    if layer.codes is not None:
        entries = layer.codes[points, node, source]
        text = f"{name}: table of {layer.inputs[source]}, "
        text += f"entries {int(entries.min())} .. {int(entries.max())}"
    return text + ", pruned" * (not layer.kept[node, source])
