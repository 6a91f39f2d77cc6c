"""A page in points on which pictures are drawn, and its SVG: the same bytes for the same IR.

Pictures draw with Matplotlib into one axes that covers the page. Its units are points, y grows
downwards, as in SVG. Pages have a light ground of their own, so that they read the same in light
and dark notebooks. Text stays text: it can be searched, copied and read aloud.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from html import escape
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from kan_dialect.extras import require_extra
from kan_dialect.ir.constants import FloatArray

BLUE, ORANGE, GREY, INK = "#1f6feb", "#d9480f", "#b6bcc4", "#24292f"
"""Colours of lines, apart for all kinds of colour vision, and of text."""
SOFT, LINE, GROUND = "#57606a", "#d0d7de", "#ffffff"
"""Colours of secondary text, of rules and frames, and of the page."""

_SALT = "kan-dialect"
_NUMBER = re.compile(r"-?\d+\.\d{3,}")


def has_matplotlib() -> bool:
    """Whether pictures can be drawn here."""
    return find_spec("matplotlib") is not None


def load(module: str) -> Any:
    """A module of Matplotlib.

    Raises
    ------
    KanError : Matplotlib is not installed.
    """
    return require_extra(f"matplotlib.{module}", "Matplotlib", "pictures", "drawing pictures")


def figure(width: float, height: float, **options: object) -> Any:
    """A figure of a width and height in inches."""
    return load("figure").Figure(figsize=(width, height), **options)


def plain(axes: Any) -> None:
    """Leave the left and lower edge of an axes, and a faint grid behind its lines."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.grid(True, color="#eaeef2", linewidth=0.8)
    axes.set_axisbelow(True)


class Shades:
    """A scale of light colours for figures; ink reads well on all of them.

    Parameters
    ----------
    low, high : the figures of the lightest and the darkest colour.
    steps : one colour for each whole number.
    """

    def __init__(self, low: float, high: float, *, steps: bool = False) -> None:
        self.low, self.high, self.steps = low, high, steps
        self._map: Any = load("colors").LinearSegmentedColormap.from_list(
            "kan", ["#fffde3", "#d7efc2", "#8fd3bd", "#4fb0c6"]
        )

    def __call__(self, figures: FloatArray) -> FloatArray:
        """Colours (..., 4) of figures (...)."""
        return self._map(np.clip((figures - self.low) / ((self.high - self.low) or 1.0), 0.0, 1.0))

    def draw_bar(self, page: Page, x: float, y: float, height: float, label: str) -> None:
        """A colour bar with its ends and steps written beside it."""
        if self.steps:
            values = np.arange(self.low, self.high + 1)
            marks = values[:: max(1, -(-len(values) // 10))].tolist()
            count = len(values)
        else:
            count = 32
            values = np.linspace(self.low, self.high, count)
            marks = np.linspace(self.low, self.high, 3 if self.high > self.low else 1).tolist()
        page.text(x, y - 8, label, size=7, colour=SOFT)
        each = height / count
        top: FloatArray = y + height - each * np.arange(1, count + 1, dtype=np.float64)
        page.boxes(np.full(count, x), top, 10.0, each + 0.3, fill=self(values), edge="none")
        for mark in marks:
            share = (mark - self.low) / ((self.high - self.low) or 1.0)
            at = y + height - each / 2 - share * (height - each)
            page.text(x + 14, at, short(mark), size=7)


def short(value: float) -> str:
    """A number in few characters."""
    return f"{value:.0f}" if value == round(value) and abs(value) < 1e5 else f"{value:.3g}"


class Page:
    """A page of a width and height in points."""

    def __init__(self, width: float, height: float, title: str) -> None:
        self.width, self.height, self.title = width, height, title
        self._hovers: list[str] = []
        self.figure = figure(width / 72, height / 72)
        self.axes: Any = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set_xlim(0, width)
        self.axes.set_ylim(height, 0)
        self.axes.axis("off")

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = 8,
        colour: str = INK,
        ha: str = "left",
        va: str = "center",
        weight: str = "normal",
        rotation: float = 0,
    ) -> None:
        """Text at a place."""
        self.axes.text(
            *(x, y, text.replace("$", r"\$")),
            **{"fontsize": size, "color": colour, "ha": ha, "va": va},
            **{"fontweight": weight, "rotation": rotation, "rotation_mode": "anchor"},
        )

    def lines(
        self,
        paths: Sequence[FloatArray],
        *,
        colour: Any = INK,
        width: Any = 1.0,
        alpha: float = 1.0,
        style: Any = "solid",
    ) -> None:
        """Many lines at once, each (points, 2)."""
        if len(paths):
            self.axes.add_collection(
                load("collections").LineCollection(
                    list(paths), colors=colour, linewidths=width, alpha=alpha, linestyles=style
                ),
                autolim=False,
            ).set_clip_on(False)

    def boxes(
        self,
        x: FloatArray,
        y: FloatArray,
        width: Any,
        height: Any,
        *,
        fill: Any,
        edge: Any = LINE,
        line: float = 0.5,
    ) -> None:
        """Many rectangles at once, by their upper left corners (n)."""
        corners = np.stack(
            [
                np.stack([x, y], -1),
                np.stack([x + width, y], -1),
                np.stack([x + width, y + height], -1),
                np.stack([x, y + height], -1),
            ],
            axis=1,
        )
        self.axes.add_collection(
            load("collections").PolyCollection(
                list(corners), facecolors=fill, edgecolors=edge, linewidths=line
            ),
            autolim=False,
        ).set_clip_on(False)

    def hover(self, corner: FloatArray, width: float, height: float, text: str) -> None:
        """Text that a viewer shows while the pointer is over a rectangle.

        Parameters
        ----------
        corner : (2), the upper left one.
        """
        x, y = corner.tolist()
        self._hovers.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}">'
            f"<title>{escape(text)}</title></rect>"
        )

    def svg(self) -> Picture:
        """The page as an SVG element, to stand in HTML or in a file."""
        hovers = "".join(self._hovers)
        if hovers:
            hovers = f'<g fill="none" pointer-events="all">\n{hovers}\n</g>\n'
        return svg_text(self.figure, self.title, hovers)


class Picture(str):
    """SVG as text, which a notebook shows as a picture."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return f"<div>{self}</div>"


def svg_text(figure: Any, title: str, above: str = "") -> Picture:
    """A figure as an SVG element.

    The same figure gives the same text: without date, with fixed identifiers and settings, and
    numbers to a hundredth of a point. Nothing in it reaches beyond the element.

    Parameters
    ----------
    title : what the picture shows, for readers who do not see it.
    above : further elements of SVG, drawn last.
    """
    matplotlib: Any = import_module("matplotlib")
    stream = io.StringIO()
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({"svg.hashsalt": _SALT, "svg.fonttype": "none"})
        figure.savefig(stream, format="svg", facecolor=GROUND, metadata={"Date": None})
    text = stream.getvalue()
    start = text.index("<svg")
    head, body = text[start : text.index(">", start)], text[text.index(">", start) + 1 :]
    body = re.sub(r"\s*<metadata>.*?</metadata>", "", body, count=1, flags=re.DOTALL)
    # A rule for all elements would hold for the whole page around the picture.
    body = re.sub(r"\s*<style[^>]*>\*\{[^}]*\}</style>", "", body, count=1)
    body = _NUMBER.sub(lambda found: f"{float(found[0]):.2f}".rstrip("0").rstrip("."), body)
    style = (
        "max-width: 100%; height: auto; stroke-linejoin: round; stroke-linecap: butt; "
        f"background: {GROUND}"
    )
    name = escape(title, quote=True)
    return Picture(
        f'{head} role="img" aria-label="{name}" style="{style}">\n <title>{name}</title>'
        f"{body.removesuffix('</svg>').rstrip().removesuffix('</svg>')}{above}</svg>\n"
    )
