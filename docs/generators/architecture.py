"""The picture of stages and rooms, drawn from the imports of the package."""

from __future__ import annotations

import ast
import functools
import html
import math
import tomllib
from collections import Counter
from dataclasses import dataclass

import grimp

from generators.links import ROOT
from kan_dialect.cli.reference.markdown import table

PACKAGE = "kan_dialect"
STAGES = ("frontends", PACKAGE, "passes", "lowering", "flows", "api", "qat", "cli")
"""In the order in which a model goes through them."""
_STAGE_FOLDERS = frozenset(STAGES) - {PACKAGE}
BASE = "base"
"""The room of the files that stand in the package itself, such as its errors."""

LEAST_SHOWN = 8
"""Imports between rooms from which on the picture says their number."""

_INK = "var(--md-default-fg-color, #222)"
_FAINT = "var(--md-default-fg-color--lighter, #999)"
_PAGE = "var(--md-default-bg-color, #fff)"
_FILL = "var(--md-code-bg-color, #f4f4f4)"
_ARROW = "var(--md-primary-fg-color, #3f51b5)"
_FONT = "font-family='sans-serif'"


@dataclass(frozen=True)
class Imports:
    """Imports between parts of the package."""

    files: Counter[str]
    """Number of files of each part."""
    counts: Counter[tuple[str, str]]
    """Number of imports of a file of the second part by a file of the first."""


@functools.cache
def modules() -> dict[str, frozenset[str]]:
    """Every module of the package, and what it imports of the package."""
    graph = grimp.build_graph(PACKAGE, exclude_type_checking_imports=True)
    return {
        module: frozenset(graph.find_modules_directly_imported_by(module))
        for module in sorted(graph.modules)
    }


def room_of(module: str) -> str:
    """The folder of the package that a module is in, or `BASE`."""
    parts = module.split(".")
    name = parts[1] if len(parts) > 1 else ""
    return name if name in {*layers(), *_STAGE_FOLDERS} else BASE


def stage_of(module: str) -> str:
    """The stage of a module."""
    room = room_of(module)
    return room if room in _STAGE_FOLDERS else PACKAGE


@functools.cache
def layers() -> tuple[str, ...]:
    """The rooms in the order that import-linter checks, highest first."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = settings["tool"]["importlinter"]["contracts"]
    (contract,) = (each for each in contracts if each["type"] == "layers")
    names = [name for line in contract["layers"] for name in line.split("|")]
    return tuple(name.strip().removeprefix(f"{PACKAGE}.") for name in names)


def stage_imports() -> Imports:
    """Imports between stages."""
    files = Counter(stage_of(module) for module in modules())
    return Imports(
        files,
        Counter(
            (stage_of(module), stage_of(other))
            for module, others in modules().items()
            for other in others
            if stage_of(module) != stage_of(other)
        ),
    )


def room_imports() -> Imports:
    """Imports between the rooms of `kan_dialect`."""
    inside = {module: each for module, each in modules().items() if stage_of(module) == PACKAGE}
    return Imports(
        Counter(room_of(module) for module in inside),
        Counter(
            (room_of(module), room_of(other))
            for module, others in inside.items()
            for other in others
            if room_of(module) != room_of(other)
        ),
    )


def _text(x: float, y: float, text: str, *, size: int = 13, more: str = "") -> str:
    return (
        f"<text x='{x:g}' y='{y:g}' font-size='{size}' fill='{_INK}' {_FONT} {more}>"
        f"{html.escape(text)}</text>"
    )


def _width(count: int) -> float:
    return round(0.7 + math.sqrt(count) * 0.75, 2)


def _svg(width: float, height: float, title: str, parts: list[str]) -> str:
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width:g} {height:g}' "
        f"role='img' style='max-width:{width:g}px;width:100%'>"
        f"<title>{html.escape(title)}</title>{''.join(parts)}</svg>"
    )


def _arrow(path: str, end: tuple[float, float], way: tuple[int, int], what: str, count: int) -> str:
    """A line with its head at `end`, which it reaches in the direction `way`."""
    (x, y), (dx, dy) = end, way
    half = 3 + _width(count) / 2
    corners = [
        (x, y),
        (x - 9 * dx - half * dy, y - 9 * dy - half * dx),
        (x - 9 * dx + half * dy, y - 9 * dy + half * dx),
    ]
    points = " ".join(f"{px:g},{py:g}" for px, py in corners)
    return (
        f"<g><title>{what}: {count}</title>"
        f"<path d='{path}' fill='none' stroke='{_ARROW}' stroke-opacity='0.6' "
        f"stroke-width='{_width(count)}'/><polygon points='{points}' fill='{_ARROW}'/></g>"
    )


def _label(x: float, y: float, count: int) -> str:
    """A number on a line."""
    wide = 5 + 7 * len(str(count))
    return (
        f"<rect x='{x - wide / 2:g}' y='{y - 8:g}' width='{wide}' height='15' rx='3' "
        f"fill='{_PAGE}'/>"
    ) + _text(x, y + 4, str(count), size=11, more="text-anchor='middle'")


def stages_picture() -> str:
    """Stages from left to right as a model goes, with an arrow to each one that a stage imports."""
    imports = stage_imports()
    box, gap, high = 118.0, 34.0, 58.0
    left = {name: 4 + place * (box + gap) for place, name in enumerate(STAGES)}
    apex = {distance: 16 + 26 * distance for distance in range(1, len(STAGES))}
    top = max(apex.values()) * 0.75 + 16
    parts: list[str] = []
    labels: list[str] = []
    for (one, other), count in sorted(imports.counts.items()):
        here, there = STAGES.index(one), STAGES.index(other)
        # Imports of a stage on the left leave on top; of one on the right, below.
        up = -1 if there < here else 1
        edge = top if up < 0 else top + high
        start = left[one] + box / 2 + (-1 if there < here else 1) * (8 + 6 * abs(here - there))
        end = left[other] + box / 2 + (1 if there < here else -1) * (8 + 6 * abs(here - there))
        peak = edge + up * apex[abs(here - there)]
        tip = edge + up * 8
        path = f"M{start:g},{edge:g} C{start:g},{peak:g} {end:g},{peak:g} {end:g},{tip:g}"
        what = f"{one} imports {other}"
        parts.append(_arrow(path, (end, edge), (0, -up), what, count))
        labels.append(_label((start + end) / 2, edge + (peak - edge) * 0.75, count))
    parts += labels
    for name in STAGES:
        parts.append(
            f"<rect x='{left[name]:g}' y='{top:g}' width='{box:g}' height='{high:g}' rx='6' "
            f"fill='{_FILL}' stroke='{_FAINT}'/>"
        )
        middle = left[name] + box / 2
        parts.append(
            _text(middle, top + 26, name, size=15, more="text-anchor='middle' font-weight='bold'")
        )
        files = f"{imports.files[name]} files"
        parts.append(_text(middle, top + 45, files, size=12, more="text-anchor='middle'"))
    width = 8 + len(STAGES) * box + (len(STAGES) - 1) * gap
    return _svg(width, top + high + apex[1] + 8, "Stages and their imports", parts)


def rooms() -> list[str]:
    """The rooms of `kan_dialect`, highest first."""
    return [name for name in layers() if name not in _STAGE_FOLDERS] + [BASE]


def rooms_picture() -> str:
    """Rooms from top to bottom, with an arrow to each one that a room imports."""
    imports = room_imports()
    names = [name for name in rooms() if name != BASE]
    box, high, step = 190.0, 34.0, 52.0
    x, top = 310.0, 8.0
    middle = {name: top + place * step + high / 2 for place, name in enumerate(names)}
    parts: list[str] = []
    labels: list[str] = []
    outgoing: Counter[str] = Counter()
    incoming: Counter[str] = Counter()
    pairs = [pair for pair in imports.counts if BASE not in pair]
    number = Counter(one for one, _ in pairs)
    reading = Counter(other for _, other in pairs)
    for one, other in sorted(pairs, key=lambda pair: (names.index(pair[0]), names.index(pair[1]))):
        count = imports.counts[one, other]
        distance = names.index(other) - names.index(one)
        start = middle[one] + _spread(outgoing[one], number[one], high)
        end = middle[other] + _spread(incoming[other], reading[other], high)
        outgoing[one] += 1
        incoming[other] += 1
        # Even distances bow to the right, odd ones to the left: half as many lines on each side.
        right = distance % 2 == 0
        edge = x + box if right else x
        reach = edge + (1 if right else -1) * (24 + 30 * abs(distance))
        side = 1 if right else -1
        tip = edge + side * 8
        path = f"M{edge:g},{start:g} C{reach:g},{start:g} {reach:g},{end:g} {tip:g},{end:g}"
        what = f"{one} imports {other}"
        parts.append(_arrow(path, (edge, end), (-side, 0), what, count))
        if count >= LEAST_SHOWN:
            labels.append(_label(edge + (reach - edge) * 0.75, (start + end) / 2, count))
    parts += labels
    for name in names:
        y = middle[name] - high / 2
        parts.append(
            f"<rect x='{x:g}' y='{y:g}' width='{box:g}' height='{high:g}' rx='6' "
            f"fill='{_FILL}' stroke='{_FAINT}'/>"
        )
        parts.append(_text(x + 12, y + 22, name, size=15, more="font-weight='bold'"))
        files = f"{imports.files[name]} file{'s' if imports.files[name] > 1 else ''}"
        parts.append(_text(x + box - 10, y + 22, files, size=12, more="text-anchor='end'"))
    height = top + len(names) * step
    return _svg(810, height, "Rooms of kan_dialect and their imports", parts)


def _spread(place: int, number: int, high: float) -> float:
    """Where a line meets its box: lines spread over the height."""
    return 0.0 if number < 2 else (place / (number - 1) - 0.5) * (high - 10)


def pictures() -> str:
    """Both pictures, with what they show in words."""
    return "\n\n".join(
        [
            "<figure markdown='0'>" + stages_picture() + "</figure>",
            "Arrows go from a stage to what it imports; a number is the number of imports.",
            "<figure markdown='0'>" + rooms_picture() + "</figure>",
            "Rooms of `kan_dialect`, highest first. Numbers below "
            f"{LEAST_SHOWN} are left out, and so are the files beside the rooms "
            "(`errors.py`, `limits.py` and the like), which every room imports.",
        ]
    )


def code_map() -> str:
    """Every file with the first sentence of its docstring, by stage and room."""
    parts: list[str] = []
    stage_rooms = [("kan_dialect", name) for name in rooms()]
    folders = [
        (stage, stage)
        for stage in ("frontends", "passes", "lowering", "flows", "api", "qat", "cli")
    ]
    for stage, room in [*stage_rooms, *folders]:
        rows: list[tuple[str, str]] = []
        for module in modules():
            if stage_of(module) == stage and room_of(module) == room:
                path, first = _first_sentence(module)
                if first:
                    rows.append((f"`{path}`", first))
        where = f"{stage}/" if stage == room or room == BASE else f"{stage}/{room}/"
        parts.append(f"## {where}\n\n{table(('file', 'holds'), rows)}")
    return "\n\n".join(parts)


def _first_sentence(module: str) -> tuple[str, str]:
    """A module's path in the repository, and the first paragraph of its docstring."""
    parts = module.split(".")
    base = ROOT.joinpath(*(parts[1:] if stage_of(module) != PACKAGE else parts))
    path = base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
    if base.is_dir() and room_of(module) in _STAGE_FOLDERS and len(parts) == 2:
        return "", ""
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    return str(path.relative_to(ROOT)), " ".join(text.split("\n\n")[0].split())
