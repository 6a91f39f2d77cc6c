"""The picture of a sample on a bus: its fields by bit, in rows of the bus."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kan_dialect.flows.pictures.markup import Child, Markup, box, label, svg

_WIDTH, _ROW, _LEFT = 1060.0, 34.0, 66.0
_BITS = 128
"""Bits of a row of the picture."""


def bits_of(side: Mapping[str, Any]) -> Markup | None:
    """Fields over the bits of a sample, a beat or a part of one in a row."""
    width = min(side["beat_bits"], _BITS)
    total = side["bytes"] * 8
    count = -(-total // width)
    if count > 64:
        return None
    each = (_WIDTH - _LEFT - 10) / width
    parts: list[Child] = []
    for row in range(count):
        bits = min(width, total - row * width)
        parts.append(box(_LEFT, row * _ROW + 2, bits * each, 24, "track"))
        parts.append(label(_LEFT - 8, row * _ROW + 18, f"bit {row * width}", "soft", "end"))
    for field in side["fields"]:
        first, last = field["offset"], field["offset"] + field["bits"]
        title = f"{field['port']}: bits {first} to {last - 1}"
        for row in range(first // width, -(-last // width)):
            start, end = max(first, row * width), min(last, (row + 1) * width)
            x, span = _LEFT + (start - row * width) * each, (end - start) * each
            parts.append(box(x + 0.75, row * _ROW + 2, span - 1.5, 24, "field", title))
            if span > 7.5 * len(field["port"]) + 4:
                parts.append(label(x + span / 2, row * _ROW + 18, field["port"], "mono", "middle"))
    size = (_WIDTH, count * _ROW + 4)
    name = f"Fields of {total} bits"
    return svg(name, *size, parts, style="min-width:640px", class_="chart")
