"""Charts of the page as SVG: bars, a waterfall, stages, a confusion matrix, residuals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kan_dialect.flows.page.markup import Child, Markup, tag

WIDTH = 720.0
KINDS = ("tables", "adders", "clamps", "other")
"""Kinds of logic, in the order of their colours."""


def _svg(
    name: str, width: float, height: float, parts: Sequence[Child], least: float = 0.0
) -> Markup:
    """A picture; in narrow windows it is as wide as they are, but at least `least`."""
    return tag(
        "svg",
        tag("title", name),
        parts,
        viewBox=f"0 0 {width:.0f} {height:.0f}",
        style=f"max-width:{width:.0f}px;min-width:{min(width, least):.0f}px",
        class_="chart",
        role="img",
        aria_label=name,
    )


def _label(x: float, y: float, words: Child, class_: str = "", end: bool = False) -> Markup:
    return tag("text", words, x=x, y=y, class_=class_ or None, text_anchor="end" if end else None)


def _bar(x: float, y: float, width: float, height: float, class_: str, title: str) -> Markup:
    return tag(
        "rect",
        tag("title", title),
        x=x,
        y=y,
        width=max(width, 0.0),
        height=height,
        class_=class_,
        rx=2,
    )


def waterfall(steps: Sequence[tuple[str, int]], unit: str) -> Markup:
    """A figure after each pass: its change as a bar from the figure before.

    Parameters
    ----------
    steps : pass and figure; the first one is where the figure begins.
    """
    left, right, row = 178.0, 84.0, 22.0
    top = max(figure for _, figure in steps) or 1
    scale = (WIDTH - left - right) / top
    parts: list[Child] = []
    before = 0
    for index, (name, figure) in enumerate(steps):
        y = index * row + 4
        low, high = min(before, figure), max(before, figure)
        whole = index in (0, len(steps) - 1)
        kind = "whole" if whole else "less" if figure < before else "more"
        start = 0 if whole else low
        change = figure - before
        told = f"{name}: {figure} {unit}" + ("" if whole else f" ({change:+d})")
        parts.append(_label(left - 10, y + 13, name, "mono", end=True))
        if start == high and not whole:
            parts.append(
                tag(
                    "line",
                    x1=left + high * scale,
                    x2=left + high * scale,
                    y1=y,
                    y2=y + 17,
                    class_="same",
                )
            )
        else:
            parts.append(_bar(left + start * scale, y + 1, (high - start) * scale, 15, kind, told))
        if index:
            parts.append(
                tag(
                    "line",
                    x1=left + before * scale,
                    x2=left + before * scale,
                    y1=y - 5,
                    y2=y + 1,
                    class_="link",
                )
            )
        text = f"{figure:,}" if whole else "" if not change else f"{change:+,}".replace("-", "−")
        parts.append(_label(left + high * scale + 7, y + 13, text, "figure"))
        before = figure
    first, last = steps[0][1], steps[-1][1]
    name = f"{unit} after each pass: from {first} to {last}"
    return _svg(name, WIDTH, len(steps) * row + 8, parts)


def layer_bars(layers: Sequence[Mapping[str, Any]]) -> Markup:
    """LUTs of each layer by kind, as stacked bars, with registers beside."""
    left, right, row = 80.0, 210.0, 30.0
    totals = [sum(layer["luts"].values()) for layer in layers]
    scale = (WIDTH - left - right) / (max(totals, default=1) or 1)
    parts: list[Child] = []
    for index, (layer, total) in enumerate(zip(layers, totals, strict=True)):
        y, x = index * row + 4, left
        parts.append(_label(left - 10, y + 16, layer["name"], "mono", end=True))
        for kind in KINDS:
            luts = layer["luts"][kind]
            if luts:
                told = f"{layer['name']}: {luts} LUTs of {kind}"
                parts.append(_bar(x, y + 2, luts * scale, 20, f"k-{kind}", told))
                x += luts * scale
        told = f"{total:,} LUTs, {layer['registers']:,} registers"
        parts.append(_label(x + 8, y + 16, told, "figure"))
    return _svg("LUTs by layer and kind", WIDTH, len(layers) * row + 8, parts)


def stages(entries: Sequence[Mapping[str, Any]], limit: float) -> Markup:
    """Layers over the stages between two rows of registers.

    Parameters
    ----------
    limit : the longest delay of a stage, ns.
    """
    names = sorted({work["layer"] for each in entries for work in each["work"]}, key=_order)
    left, row, head = 80.0, 26.0, 46.0
    width = max(64.0, min(180.0, (1060.0 - left) / len(entries)))
    bottom = head + len(names) * row + 6
    parts: list[Child] = []
    for index, each in enumerate(entries):
        x = left + index * width
        parts.append(
            tag(
                "rect",
                x=x,
                y=head - 6,
                width=width,
                height=bottom - head + 6,
                class_="stage odd" if index % 2 else "stage",
            )
        )
        parts.append(_label(x + 8, 14, f"stage {index + 1}", "strong"))
        told = f"{each['delay_ns']:.2f} ns"
        if width > 110:
            told += f", {each['levels']} levels"
        parts.append(_label(x + 8, 30, told, "soft"))
        inner = width - 16
        for work in each["work"]:
            y = head + names.index(work["layer"]) * row
            start, end = work["start_ns"] / limit * inner, work["end_ns"] / limit * inner
            title = (
                f"{work['layer']}, stage {index + 1}: {work['ops']} ops, "
                f"{work['start_ns']} to {work['end_ns']} ns"
            )
            parts.append(_bar(x + 6 + start, y + 3, max(end - start, 2.0), 16, "work", title))
        if each["register_bits"]:
            told = f"{each['register_bits']} register bits behind stage {index + 1}"
            parts.append(_bar(x + width - 4, head - 6, 4, bottom - head + 6, "registers", told))
            parts.append(_label(x + width - 2, bottom + 15, each["register_bits"], "figure", True))
    for index, name in enumerate(names):
        parts.append(_label(left - 10, head + index * row + 16, name, "mono", end=True))
    if any(each["register_bits"] for each in entries):
        parts.append(_label(left - 10, bottom + 15, "registers", "soft", end=True))
    total = left + len(entries) * width + 8
    return _svg(f"The schedule: {len(entries)} stages", total, bottom + 22, parts, 640)


def _order(name: str) -> tuple[int, str]:
    """layer2 before layer10."""
    return len(name), name


def confusion(matrix: Sequence[Sequence[int]], title: str, names: Sequence[str]) -> Markup:
    """Samples of each class by decision; colour is the share of the class.

    Parameters
    ----------
    names : of the classes.
    """
    count = len(matrix)
    cell = max(11.0, min(44.0, 300.0 / count))
    left, top = 34.0, 34.0
    parts: list[Child] = [
        _label(left + count * cell / 2 - 26, 11, "decided", "soft"),
        tag(
            "text",
            "class",
            x=10,
            y=top + count * cell / 2 + 14,
            class_="soft",
            transform=f"rotate(-90 10 {top + count * cell / 2 + 14:.1f})",
        ),
    ]
    every = max(1, round(14 / cell + 0.49))
    for label, row in enumerate(matrix):
        whole = sum(row)
        if label % every == 0:
            parts.append(_label(left - 5, top + (label + 0.5) * cell + 4, label, "soft", end=True))
            parts.append(
                tag(
                    "text",
                    label,
                    x=left + (label + 0.5) * cell,
                    y=top - 5,
                    class_="soft",
                    text_anchor="middle",
                )
            )
        for decided, samples in enumerate(row):
            share = samples / whole if whole else 0.0
            shade = 0 if not samples else 1 + round(share * 6)
            kind = ("right" if decided == label else "wrong") + f" g{shade}"
            x, y = left + decided * cell, top + label * cell
            told = f"class {names[label]} decided {names[decided]}: {samples} of {whole}"
            parts.append(
                tag(
                    "rect",
                    tag("title", told),
                    x=x,
                    y=y,
                    width=cell - 1.5,
                    height=cell - 1.5,
                    rx=2,
                    class_=f"conf {kind}",
                )
            )
            if samples and cell > 17:
                parts.append(
                    tag(
                        "text",
                        samples,
                        x=x + cell / 2 - 0.75,
                        y=y + cell / 2 + 3.5,
                        class_="count full" if share > 0.5 else "count",
                        text_anchor="middle",
                    )
                )
    return _svg(title, left + count * cell + 6, top + count * cell + 6, parts)


def class_bars(figures: Sequence[tuple[float | None, float]], names: Sequence[str]) -> Markup:
    """Accuracy of each class, float (thin, above) and integer.

    Parameters
    ----------
    figures : float and integer accuracy of each class; float may be unknown.
    names : of the classes.
    """
    left, width, row = 34.0, 240.0, max(16.0, min(30.0, 300.0 / len(figures)))
    parts: list[Child] = []
    for index, (real, integer) in enumerate(figures):
        y = index * row + 6
        parts.append(_label(left - 6, y + row / 2 + 3, index, "soft", end=True))
        parts.append(tag("rect", x=left, y=y, width=width, height=row - 4, class_="track", rx=2))
        half = (row - 4) * (0.4 if real is not None else 0.0)
        if real is not None:
            told = f"class {names[index]}: float {real:.4f}"
            parts.append(_bar(left, y, width * real, half, "float", told))
        told = f"class {names[index]}: integer {integer:.4f}"
        parts.append(_bar(left, y + half, width * integer, row - 4 - half, "integer", told))
        parts.append(_label(left + width + 8, y + row / 2 + 3, f"{integer:.1%}", "figure"))
    return _svg(
        "Accuracy by class, float and integer", left + width + 62, len(figures) * row + 8, parts
    )


def histogram(figures: Mapping[str, Any], unit: str) -> Markup:
    """Residuals of the integer model as bars, of the float model as a line."""
    width, height, left, top = 340.0, 200.0, 8.0, 10.0
    counts = figures["integer"]
    real = figures.get("float")
    most = max(max(counts), max(real or [0])) or 1
    each = width / len(counts)
    parts: list[Child] = []
    for index, count in enumerate(counts):
        bar = count / most * height
        low = -figures["limit"] + 2 * figures["limit"] * index / len(counts)
        told = f"{low:.3g} to {low + 2 * figures['limit'] / len(counts):.3g}: {count}"
        parts.append(
            _bar(left + index * each, top + height - bar, each - 1.5, bar, "integer", told)
        )
    if real is not None:
        path = f"M{left:.1f} {top + height:.1f}"
        for index, count in enumerate(real):
            y = top + height - count / most * height
            path += f"L{left + index * each:.1f} {y:.1f}H{left + (index + 1) * each - 1.5:.1f}"
        parts.append(tag("path", d=path + f"V{top + height:.1f}", class_="outline"))
    y = top + height
    parts.append(tag("line", x1=left, x2=left + width, y1=y, y2=y, class_="axis"))
    for share, value in ((0.0, -figures["limit"]), (0.5, 0.0), (1.0, figures["limit"])):
        anchor = {0.0: "start", 0.5: "middle", 1.0: "end"}[share]
        parts.append(
            tag(
                "text",
                f"{value:.3g}",
                x=left + share * width,
                y=y + 16,
                class_="soft",
                text_anchor=anchor,
            )
        )
    return _svg(f"Residuals, {unit}", width + 16, height + 34, parts)


def scatter(points: Sequence[Sequence[float]]) -> Markup:
    """Outputs over targets; the line is where both are equal."""
    size, left, top = 220.0, 52.0, 8.0
    values = [value for _, *row in points for value in row]
    low, high = min(values), max(values)
    span = (high - low) or 1.0

    def place(target: float, output: float) -> tuple[float, float]:
        return left + (target - low) / span * size, top + size - (output - low) / span * size

    parts: list[Child] = [
        tag("rect", x=left, y=top, width=size, height=size, class_="track", rx=2),
        tag("line", x1=left, y1=top + size, x2=left + size, y2=top, class_="axis"),
    ]
    for which, target, integer, *real in points:
        if real:
            x, y = place(target, real[0])
            parts.append(tag("circle", cx=x, cy=y, r=2.6, class_="dot float"))
        x, y = place(target, integer)
        told = f"y{which:.0f}: target {target:g}, integer {integer:g}"
        parts.append(tag("circle", tag("title", told), cx=x, cy=y, r=2.2, class_="dot integer"))
    parts += [
        _label(left - 6, top + 10, f"{high:.3g}", "soft", end=True),
        _label(left - 6, top + size, f"{low:.3g}", "soft", end=True),
        tag("text", f"{low:.3g}", x=left, y=top + size + 16, class_="soft"),
        _label(left + size, top + size + 16, f"{high:.3g}", "soft", end=True),
        tag(
            "text",
            "target",
            x=left + size / 2,
            y=top + size + 16,
            class_="soft",
            text_anchor="middle",
        ),
        tag(
            "text",
            "output",
            x=14,
            y=top + size / 2 + 16,
            class_="soft",
            transform=f"rotate(-90 14 {top + size / 2 + 16:.0f})",
        ),
    ]
    return _svg("Outputs over targets", left + size + 8, size + 32, parts)


def strip(use: Mapping[str, Any]) -> Markup:
    """Which codes of a range samples reach, darker where more do."""
    width, height = 150.0, 14.0
    counts: Sequence[int] = use["histogram"]
    most = max(counts) or 1
    each = width / len(counts)
    parts = [
        tag(
            "rect",
            x=index * each,
            y=height * (1 - count / most),
            width=max(each - 0.75, 0.5),
            height=height * count / most,
            class_="integer",
        )
        for index, count in enumerate(counts)
        if count
    ]
    return tag(
        "svg",
        tag("rect", x=0, y=0, width=width, height=height, class_="track"),
        parts,
        viewBox=f"0 0 {width:.0f} {height:.0f}",
        width=width,
        height=height,
        class_="strip",
        aria_hidden="true",
    )
