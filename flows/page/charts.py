"""Charts of the page as SVG: bars, a waterfall, stages, a confusion matrix, residuals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kan_dialect.flows.part_fit import RESOURCES
from kan_dialect.flows.pictures.markup import Child, Markup, box, label, line, svg, tag
from kan_dialect.flows.pictures.schedule import Schedule, Work, schedule_parts

WIDTH = 720.0
KINDS = ("tables", "adders", "clamps", "other")
"""Kinds of logic, in the order of their colours."""


def chart(
    name: str, width: float, height: float, parts: Sequence[Child], least: float = 0.0
) -> Markup:
    """A chart; in narrow windows it is as wide as they are, but at least `least`."""
    limits = f"max-width:{width:.0f}px;min-width:{min(width, least):.0f}px"
    return svg(name, width, height, parts, style=limits, class_="chart")


def _turned(x: float, y: float, words: str) -> Markup:
    """The name of an axis that points upwards."""
    return tag("text", words, x=x, y=y, class_="soft", transform=f"rotate(-90 {x:g} {y:.1f})")


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
        parts.append(label(left - 10, y + 13, name, "mono", "end"))
        if start == high and not whole:
            x = left + high * scale
            parts.append(line(x, y, x, y + 17, "same"))
        else:
            parts.append(box(left + start * scale, y + 1, (high - start) * scale, 15, kind, told))
        if index:
            x = left + before * scale
            parts.append(line(x, y - 5, x, y + 1, "link"))
        text = f"{figure:,}" if whole else "" if not change else f"{change:+,}".replace("-", "−")
        parts.append(label(left + high * scale + 7, y + 13, text, "figure"))
        before = figure
    first, last = steps[0][1], steps[-1][1]
    name = f"{unit} after each pass: from {first} to {last}"
    return chart(name, WIDTH, len(steps) * row + 8, parts)


def layer_bars(layers: Sequence[Mapping[str, Any]], unit: str) -> Markup:
    """LUTs of each layer by kind, as stacked bars, with registers beside; `unit` names them."""
    left, right, row = 80.0, 210.0, 30.0
    totals = [sum(layer["luts"].values()) for layer in layers]
    scale = (WIDTH - left - right) / (max(totals, default=1) or 1)
    parts: list[Child] = []
    for index, (layer, total) in enumerate(zip(layers, totals, strict=True)):
        y, x = index * row + 4, left
        parts.append(label(left - 10, y + 16, layer["name"], "mono", "end"))
        for kind in KINDS:
            luts = layer["luts"][kind]
            if luts:
                told = f"{layer['name']}: {luts} {unit} of {kind}"
                parts.append(box(x, y + 2, luts * scale, 20, f"k-{kind}", told))
                x += luts * scale
        told = f"{total:,} {unit}, {layer['registers']:,} registers"
        parts.append(label(x + 8, y + 16, told, "figure"))
    return chart(f"{unit} by layer and kind", WIDTH, len(layers) * row + 8, parts)


def part_shares(trials: Sequence[Mapping[str, Any]], part: Mapping[str, Any]) -> Markup:
    """Shares of a part that designs take at each interval, and a line where the part ends.

    Parameters
    ----------
    trials : entries of `fit`.
    part : its `name`, and numbers of its resources.
    """
    left, right, row, widest = 104.0, 60.0, 44.0, 1.5
    scale = (WIDTH - left - right) / widest
    end, height = left + scale, len(trials) * row
    parts: list[Child] = [
        line(end, 14, end, height + 18, "same"),
        label(end, 10, f"all of {part['name']}", "soft", "middle"),
    ]
    resources = [(key, noun) for key, noun in RESOURCES.items() if key in part]
    for index, trial in enumerate(trials):
        y = 20 + index * row
        parts.append(label(left - 10, y + 23, f"interval {trial['interval']}", "mono", "end"))
        if trial.get("logic_words") != trials[0].get("logic_words"):
            parts.append(label(left - 10, y + 36, f"{trial['logic_words']} words", "soft", "end"))
        for bar, (key, noun) in enumerate(resources):
            if key not in trial:
                continue  # It takes none, or was not compiled.
            used = trial[key]
            share = used / max(part[key], 1)
            told = f"interval {trial['interval']}: {used:,} {noun}s, {share:.0%}"
            size, top = min(share, widest) * scale, y + 12.0 * bar
            parts.append(box(left, top, size, 10, f"k-{KINDS[bar]}", told))
            parts.append(label(left + size + 6, top + 9, f"{share:.0%} {noun}s", "figure small"))
    return chart(f"Share of {part['name']} at each interval", WIDTH, height + 22, parts)


def stages(entries: Sequence[Mapping[str, Any]], limit: float) -> Markup:
    """Layers over the stages between two rows of registers.

    Parameters
    ----------
    limit : the longest delay of a stage, ns.
    """
    names = sorted({work["layer"] for each in entries for work in each["work"]}, key=_order)
    bits = tuple(each["register_bits"] for each in entries)
    schedule = Schedule(
        "",
        len(entries) if any(bits) else 0,
        tuple(names),
        tuple(
            Work(names.index(work["layer"]), stage, work["start_ns"], work["end_ns"], work["ops"])
            for stage, each in enumerate(entries)
            for work in each["work"]
        ),
        tuple(each["levels"] for each in entries),
        tuple(each["delay_ns"] for each in entries),
        bits,
        frozenset((row, stage) for stage in range(len(bits)) if bits[stage]
                  for row in range(len(names))),
    )  # fmt: skip
    width, height, parts = schedule_parts(schedule, "stage", 1, limit)
    return chart(f"The schedule: {len(entries)} stages", width, height, parts, 640)


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
        label(left + count * cell / 2 - 26, 11, "decided", "soft"),
        _turned(10, top + count * cell / 2 + 14, "class"),
    ]
    every = max(1, round(14 / cell + 0.49))
    for row, samples_of in enumerate(matrix):
        whole = sum(samples_of)
        if row % every == 0:
            parts.append(label(left - 5, top + (row + 0.5) * cell + 4, row, "soft", "end"))
            parts.append(label(left + (row + 0.5) * cell, top - 5, row, "soft", "middle"))
        for decided, samples in enumerate(samples_of):
            share = samples / whole if whole else 0.0
            shade = 0 if not samples else 1 + round(share * 6)
            kind = f"conf {'right' if decided == row else 'wrong'} g{shade}"
            x, y = left + decided * cell, top + row * cell
            told = f"class {names[row]} decided {names[decided]}: {samples} of {whole}"
            parts.append(box(x, y, cell - 1.5, cell - 1.5, kind, told))
            if samples and cell > 17:
                kind = "count full" if share > 0.5 else "count"
                middle = cell / 2 - 0.75
                parts.append(label(x + middle, y + cell / 2 + 3.5, samples, kind, "middle"))
    return chart(title, left + count * cell + 6, top + count * cell + 6, parts)


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
        parts.append(label(left - 6, y + row / 2 + 3, index, "soft", "end"))
        parts.append(box(left, y, width, row - 4, "track"))
        half = (row - 4) * (0.4 if real is not None else 0.0)
        if real is not None:
            told = f"class {names[index]}: float {real:.4f}"
            parts.append(box(left, y, width * real, half, "float", told))
        told = f"class {names[index]}: integer {integer:.4f}"
        parts.append(box(left, y + half, width * integer, row - 4 - half, "integer", told))
        parts.append(label(left + width + 8, y + row / 2 + 3, f"{integer:.1%}", "figure"))
    return chart(
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
        parts.append(box(left + index * each, top + height - bar, each - 1.5, bar, "integer", told))
    if real is not None:
        path = f"M{left:.1f} {top + height:.1f}"
        for index, count in enumerate(real):
            y = top + height - count / most * height
            path += f"L{left + index * each:.1f} {y:.1f}H{left + (index + 1) * each - 1.5:.1f}"
        parts.append(tag("path", d=path + f"V{top + height:.1f}", class_="outline"))
    y = top + height
    parts.append(line(left, y, left + width, y, "axis"))
    for share, value in ((0.0, -figures["limit"]), (0.5, 0.0), (1.0, figures["limit"])):
        at = {0.0: "start", 0.5: "middle", 1.0: "end"}[share]
        parts.append(label(left + share * width, y + 16, f"{value:.3g}", "soft", at))
    return chart(f"Residuals, {unit}", width + 16, height + 34, parts)


def scatter(points: Sequence[Sequence[float]]) -> Markup:
    """Outputs over targets; the line is where both are equal."""
    size, left, top = 220.0, 52.0, 8.0
    values = [value for _, *row in points for value in row]
    low, high = min(values), max(values)
    span = (high - low) or 1.0

    def place(target: float, output: float) -> tuple[float, float]:
        return left + (target - low) / span * size, top + size - (output - low) / span * size

    parts: list[Child] = [
        box(left, top, size, size, "track"),
        line(left, top + size, left + size, top, "axis"),
    ]
    for which, target, integer, *real in points:
        if real:
            x, y = place(target, real[0])
            parts.append(tag("circle", cx=x, cy=y, r=2.6, class_="dot float"))
        x, y = place(target, integer)
        told = f"y{which:.0f}: target {target:g}, integer {integer:g}"
        parts.append(tag("circle", tag("title", told), cx=x, cy=y, r=2.2, class_="dot integer"))
    parts += [
        label(left - 6, top + 10, f"{high:.3g}", "soft", "end"),
        label(left - 6, top + size, f"{low:.3g}", "soft", "end"),
        label(left, top + size + 16, f"{low:.3g}", "soft"),
        label(left + size, top + size + 16, f"{high:.3g}", "soft", "end"),
        label(left + size / 2, top + size + 16, "target", "soft", "middle"),
        _turned(14, top + size / 2 + 16, "output"),
    ]
    return chart("Outputs over targets", left + size + 8, size + 32, parts)


def strip(use: Mapping[str, Any]) -> Markup:
    """Which codes of a range samples reach, darker where more do."""
    width, height = 150.0, 14.0
    counts: Sequence[int] = use["histogram"]
    most = max(counts) or 1
    each = width / len(counts)
    parts = [
        box(
            index * each,
            height * (1 - count / most),
            max(each - 0.75, 0.5),
            height * count / most,
            "integer",
        )
        for index, count in enumerate(counts)
        if count
    ]
    return tag(
        "svg",
        box(0, 0, width, height, "track"),
        parts,
        viewBox=f"0 0 {width:.0f} {height:.0f}",
        width=width,
        height=height,
        class_="strip",
        aria_hidden="true",
    )
