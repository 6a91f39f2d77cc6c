"""A library of standard cells in a Liberty file: areas and typical delays.

Liberty is nested groups, `name (arguments) { ... }`, of attributes, `name : value;` and
`name (values);` (Liberty User Guide, Open Source Liberty Project). The reader knows no more of it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from kan_dialect.errors import KanError

_TOKEN = re.compile(
    r'/\*.*?\*/|//[^\n]*|\\\s*\n|"(?P<text>(?:\\.|[^"\\])*)"|(?P<mark>[{}();:,])|(?P<word>[^\s{}();:,"]+)',
    re.DOTALL,
)


@dataclass
class Group:
    """A group of a Liberty file."""

    kind: str
    arguments: list[str]
    attributes: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    groups: list[Group] = field(default_factory=list["Group"])

    def of(self, kind: str) -> list[Group]:
        """The groups of a kind in it."""
        return [group for group in self.groups if group.kind == kind]

    def text(self, name: str) -> str:
        """An attribute's value, or its first one; empty without the attribute."""
        return next(iter(self.attributes.get(name, ())), "")


@dataclass(frozen=True)
class Library:
    """A library of standard cells. Areas are in its own unit, which is µm² by convention."""

    path: Path
    name: str
    digest: str
    """SHA-256 of the file, in hexadecimal."""
    areas: Mapping[str, float]
    """Of cells by name."""
    flip_flops: frozenset[str]
    """Names of the cells that have a flip-flop."""
    unit_ns: float
    """The file's unit of time, in ns."""
    gate: float
    """Area of the smallest gate of two inputs, NAND or NOR: a gate equivalent."""
    flip_flop: float
    """Area of the smallest cell with one flip-flop."""
    gate_ns: float
    """Typical delay of that gate with four of its inputs as load, in ns; 0: the file has none."""
    register_ns: float
    """Clock to output of that flip-flop with the same load, in ns; 0: the file has none."""


@lru_cache(4)
def read_library(path: Path) -> Library:
    """A Liberty file.

    Raises
    ------
    KanError : the file does not exist, is not Liberty, ends too early, or a cell that synthesis
        needs is missing.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise KanError(f"cannot read the library {path}: {error.strerror}") from None
    root = _parsed(content.decode(errors="replace"), path)
    try:
        return _library(root, path, hashlib.sha256(content).hexdigest())
    except ValueError as error:
        raise KanError(f"{path}: an area, a capacitance or a delay is wrong: {error}") from None


def _library(root: Group, path: Path, digest: str) -> Library:
    """What is known of a library.

    Raises
    ------
    KanError : a cell that synthesis needs is missing.
    ValueError : a text is not a number.
    """
    cells = {cell.arguments[0]: cell for cell in root.of("cell") if cell.arguments}
    areas = {name: float(cell.text("area") or 0) for name, cell in cells.items()}
    flip_flops = frozenset(name for name, cell in cells.items() if cell.of("ff"))
    gates = [name for name, cell in cells.items() if _is_gate(cell) and areas[name] > 0]
    for missing, what in ((flip_flops, "flip-flop"), (gates, "gate of two inputs with an area")):
        if not missing:
            raise KanError(
                f"{path} has no {what} among its {len(cells)} cells",
                remedy="give a library of standard cells with gates and a flip-flop",
            )
    gate, register = (min(names, key=areas.__getitem__) for names in (gates, flip_flops))
    axes = {axis.arguments[0]: axis.text("index_2") for axis in root.of("lu_table_template")}
    load = 4 * max(float(pin.text("capacitance") or 0) for pin in cells[gate].of("pin"))
    unit = {"1ps": 1e-3, "10ps": 1e-2, "100ps": 0.1}.get(root.text("time_unit"), 1.0)
    return Library(
        path,
        root.arguments[0] if root.arguments else path.stem,
        digest,
        areas,
        flip_flops,
        unit,
        areas[gate],
        areas[register],
        unit * _delay(cells[gate], load, axes),
        unit * _delay(cells[register], load, axes),
    )


def _is_gate(cell: Group) -> bool:
    """Whether a cell is a gate of two inputs and one output."""
    directions = sorted(pin.text("direction") for pin in cell.of("pin"))
    has_state = any(cell.of(kind) for kind in ("ff", "latch", "statetable"))
    return directions == ["input", "input", "output"] and not has_state


def _delay(cell: Group, load: float, axes: Mapping[str, str]) -> float:
    """Mean delay of a cell's rising and falling outputs, with the second input slope of its tables.

    Parameters
    ----------
    load : capacitance at the output, in the units of the file.
    axes : the capacitances of tables, by the name of their template.
    """
    tables = [
        table
        for pin in cell.of("pin")
        for timing in pin.of("timing")
        for kind in ("cell_rise", "cell_fall")
        for table in timing.of(kind)
        if len(table.attributes.get("values", ())) > 1
    ]
    found = [
        np.interp(
            load,
            _numbers(table.text("index_2") or axes.get("".join(table.arguments), "")),
            _numbers(table.attributes["values"][1]),
        )
        for table in tables
    ]
    return float(np.mean(found)) if found else 0.0


def _numbers(text: str) -> list[float]:
    return [float(number) for number in re.split(r"[\s,]+", text.strip())]


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    """Kinds of tokens and their texts; comments are left out."""
    for match in _TOKEN.finditer(text):
        if match.lastgroup is not None:
            yield match.lastgroup, match[match.lastgroup]


def _parsed(text: str, path: Path) -> Group:
    """The library group of a file.

    Raises
    ------
    KanError : the file is no Liberty file, or ends too early.
    """
    stack = [Group("", [])]
    name, values, in_values = "", list[str](), False
    for kind, token in _tokens(text):
        if kind != "mark":
            if in_values or name:
                values.append(token)
            else:
                name = token
        elif token == "{":
            stack.append(Group(name, values))
            stack[-2].groups.append(stack[-1])
            name, values = "", []
        elif token == "}":
            if len(stack) == 1:
                break
            stack.pop()
            name, values = "", []
        elif token == ";":
            if name:
                stack[-1].attributes[name] = values
            name, values = "", []
        elif token in "()":
            in_values = token == "("
    libraries = stack[0].of("library")
    if not libraries:
        raise KanError(f"{path} is no Liberty file: it has no library (NAME) {{ ... }}")
    if len(stack) > 1:
        raise KanError(
            f"{path} is no whole Liberty file: {len(stack) - 1} groups do not end",
            remedy="get the file again",
        )
    return libraries[0]
