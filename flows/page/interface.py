"""The section of a build's interface: the wrapper's ports, the bytes of a sample, the registers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kan_dialect.flows.page.sections import ROWS, rest, section
from kan_dialect.flows.page.tables import behind, table
from kan_dialect.flows.pictures.markup import Child, Markup, box, label, svg, tag
from kan_dialect.flows.report_ports import bus_text

_WIDTH, _ROW, _LEFT = 1060.0, 34.0, 66.0
_BITS = 128
"""Bits of a row of the picture."""


def interface(report: Mapping[str, Any]) -> Markup | None:
    """The wrapper around the network's module; None of a build without one."""
    found: Mapping[str, Any] | None = report.get("interface")
    if found is None:
        return None
    parts: list[Child] = []
    for key, title in (("input", "A sample on the way in"), ("output", "Its outputs")):
        side: Mapping[str, Any] | None = found.get(key)
        if side is not None:
            parts += [tag("h3", title), *_side(side)]
    if "registers" in found:
        parts.append(_registers(found["registers"]))
    rows = [(port["name"], port["direction"], port["bits"]) for port in found["ports"][:ROWS]]
    parts.append(
        table(
            ("port", "direction", "bits"),
            rows,
            f"Ports of {found['top']}, in its order" + rest(len(found["ports"])),
            numbers=(2,),
            codes=(0,),
        )
    )
    intro = (
        f"{found['name']}: module {found['top']} in {found['file']}, "
        f"{found['latency_cycles']} cycles from a sample to its outputs"
    )
    if "buffer_words" in found:
        intro += f", {found['buffer_words']} words of buffer"
    if "simulation" in found:
        played = found["simulation"]
        intro += f"; {played['accesses']} accesses to registers without a mismatch"
        intro += f" ({played['simulator']})"
    return section("interface", "Interface", *parts, intro=intro + ".")


def _registers(registers: Sequence[Mapping[str, Any]]) -> Markup:
    rows = [
        (f"0x{each['offset']:02X}", each["name"], each["access"], each["meaning"].replace("`", ""))
        for each in registers[:ROWS]
    ]
    return table(
        ("address", "register", "access", "meaning"),
        rows,
        "Registers of 32 bits" + rest(len(registers)),
        codes=(0, 1),
    )


def _side(side: Mapping[str, Any]) -> list[Child]:
    fields: Sequence[Mapping[str, Any]] = side["fields"]
    rows = [(each["port"], each["offset"], each["bits"]) for each in fields[:ROWS]]
    return [
        tag("p", bus_text(side) + ".", class_="intro"),
        tag("div", _bits(side), class_="wide"),
        behind(
            "The fields as a table",
            table(
                ("field", "lowest bit", "bits"),
                rows,
                "Fields of a sample" + rest(len(fields)),
                numbers=(1, 2),
                codes=(0,),
            ),
        ),
    ]


def _bits(side: Mapping[str, Any]) -> Markup | None:
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
