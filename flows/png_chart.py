"""Charts of sweeps, comparisons and trainings as PNG: what they share."""

from __future__ import annotations

import io
from typing import Any

from kan_dialect.extras import require_extra

BLUE, ORANGE, GREY, INK = "#1f6feb", "#d9480f", "#b6bcc4", "#24292f"
"""Colours that are apart for all kinds of colour vision, and that of text."""


def figure(width: float, height: float) -> Any:
    """A figure of a width and height in inches.

    Raises
    ------
    KanError : Matplotlib is not installed.
    """
    module = require_extra("matplotlib.figure", "Matplotlib", "pictures", "drawing charts")
    return module.Figure(figsize=(width, height), layout="constrained")


def plain(axes: Any) -> None:
    """Leave the left and lower edge of an axes, and a faint grid behind its lines."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.grid(True, color="#eaeef2", linewidth=0.8)
    axes.set_axisbelow(True)


def as_png(chart: Any) -> bytes:
    """A figure as a file."""
    stream = io.BytesIO()
    chart.savefig(stream, format="png", dpi=110, pil_kwargs={"optimize": True})
    return stream.getvalue()
