"""Pictures that stand alone, in a file or a notebook: the same bytes for the same IR.

Styles are in the elements, since a rule would hold for the whole page around the picture. The
ground is light, so that a picture reads the same in light and dark notebooks. Text stays text: it
can be searched, copied and read aloud.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files

import numpy as np

from kan_dialect.flows.pictures.markup import Child, box, label, svg
from kan_dialect.ir.constants import FloatArray, IntArray

SHADES = 8
"""Steps of the colours."""


class Picture(str):
    """SVG as text, which a notebook shows as a picture."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return f"<div>{self}</div>"


def picture_of(title: str, width: float, height: float, parts: Sequence[Child]) -> Picture:
    """A drawing with its styles in its elements.

    Parameters
    ----------
    title : what the picture shows, for readers who do not see it.
    """
    drawing = svg(
        title,
        *(width, height, parts),
        xmlns="http://www.w3.org/2000/svg",
        width=round(width),
        height=round(height),
        class_="picture",
    )
    styles = _styles()

    def inline(found: re.Match[str]) -> str:
        rules = [styles[each] for each in found[1].split() if each in styles]
        return f' style="{" ".join(rules)}"' if rules else ""

    # No text matches: quotes are escaped in it.
    return Picture(re.sub(r' class="([^"]*)"', inline, drawing) + "\n")


def drawing_css() -> str:
    """The styles of drawings, with the colours of a light ground."""
    return files("kan_dialect.flows.pictures").joinpath("drawing.css").read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def _styles() -> dict[str, str]:
    """Declarations by class."""
    css = drawing_css()
    colours = dict(re.findall(r"(--\w+): (#\w+);", css))
    plain = re.sub(r"var\((--\w+)\)", lambda found: colours[found[1]], css).replace('"', "'")
    return dict(re.findall(r"^\.(\w+) \{ (.*) \}$", plain, re.MULTILINE))


def shades_of(figures: FloatArray, low: float, high: float) -> IntArray:
    """The step of the colour of each figure; 0 where it has no figure."""
    share = np.nan_to_num((figures - low) / ((high - low) or 1.0))
    steps: IntArray = (share * (SHADES - 1)).round().clip(0, SHADES - 1).astype(np.int64)
    return steps


def heading(name: str, summary: str) -> list[Child]:
    """The name of what a picture shows, and a line about it."""
    return [label(14, 24, name, "heading"), label(14, 44, summary, "soft")]


def scale(right: float, words: str, low: float, high: float) -> list[Child]:
    """The colours of figures from `low` to `high`, ending at `right`."""
    if low == high:
        return [label(right, 24, f"{words}: {low:.4g} everywhere", "soft", "end")]
    left = right - 8 * len(f"{high:.4g}") - 6 - SHADES * 14.0
    return [
        label(left - 8, 24, f"{words}: {low:.4g}", "soft", "end"),
        [box(left + 14 * step, 14, 14, 11, f"shade{step}") for step in range(SHADES)],
        label(right, 24, f"{high:.4g}", "soft", "end"),
    ]
