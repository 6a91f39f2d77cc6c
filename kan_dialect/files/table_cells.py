"""Cells of a table as numbers: the file's way to write them, and what is no number."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kan_dialect.errors import KanError
from kan_dialect.ir.constants import FloatArray

Cells = NDArray[np.bytes_]
"""The cells of a column, in UTF-8, without white space around them."""

MISSING = ("", "?", "na", "n/a", "#n/a", "nan", "null", "none", "<na>")
"""What stands for a missing value, in upper or lower case."""

_GROUPED = r"[+-]?\d{1,3}(?:%s\d{3})+"
_COMMA_GROUPS = re.compile(rf"{_GROUPED % ','}(?:\.\d*)?")
_POINT_GROUPS = re.compile(rf"{_GROUPED % '[.]'}(?:,\d*)?")
_COMMA_NUMBER = re.compile(r"[+-]?\d*,\d*(?:[eE][+-]?\d+)?")
_SPACES = re.compile(r"(?<=\d)[ '\u00a0\u2009\u202f](?=\d{3}(?!\d))")
_DATE = re.compile(r"\d{4}-\d\d?-\d\d?\b|\d\d?[./-]\d\d?[./-]\d{2,4}\b|\d\d?:\d\d\b")


@dataclass(frozen=True)
class Column:
    """A column of a file."""

    name: str
    cells: Cells
    lines: Sequence[int]
    """The line of the file that each cell is in."""

    def at(self, row: int) -> str:
        """A cell's text."""
        return self.cells[row].decode()

    @property
    def texts(self) -> NDArray[np.str_]:
        """The cells as text."""
        return np.char.decode(self.cells, "utf-8")

    def place(self, row: int) -> str:
        """A cell's place, for messages."""
        return f"line {self.lines[row]}, column `{self.name}`"


def missing_in(cells: Cells) -> NDArray[np.bool_]:
    """Which cells say that their value is missing, (cells)."""
    return np.isin(np.char.lower(cells), [each.encode() for each in MISSING])


def numbers(path: str, column: Column, mark: str, remedy: str) -> FloatArray:
    """The numbers of a column, (cells), float64; NaN where a value is missing.

    Parameters
    ----------
    path : the file, for messages.
    mark : see `decimal_mark`. Spaces and apostrophes separate thousands, too.
    remedy : for a cell that is no number.

    Raises
    ------
    KanError : a cell is no finite number; the message has line and column.
    """
    missing = missing_in(column.cells)
    cells = np.where(missing, b"nan", column.cells)
    try:
        if mark == "," or np.char.find(cells, b",").max(initial=-1) >= 0:
            raise ValueError
        found = cells.astype(np.float64)
    except ValueError:
        found = np.array([_number(each.decode(), mark) for each in cells.tolist()])
    wrong = np.flatnonzero(~np.isfinite(found) & ~missing)
    if len(wrong):
        row, text = int(wrong[0]), column.at(int(wrong[0]))
        if _DATE.match(text):
            remedy = (
                "leave the column out, give numbers such as days since a first day, or hold out "
                "samples by it (kan-flow train --time)"
            )
        raise KanError(f"{path}: {column.place(row)} is {text!r}, no finite number", remedy=remedy)
    return found


def _number(cell: str, mark: str) -> float:
    """The number that a cell writes; NaN where it writes none."""
    text = _SPACES.sub("", cell)
    if "," in text:
        text = text.replace(".", "").replace(",", ".") if mark == "," else text.replace(",", "")
    elif mark == "," and _POINT_GROUPS.fullmatch(text):
        text = text.replace(".", "")
    try:
        return float(text)
    except ValueError:
        return float("nan")


def decimal_mark(path: str, columns: Sequence[Column]) -> str:
    """`.` or `,`: the decimal mark of a file.

    A comma is the decimal mark where some cell can mean nothing else, and separates thousands where
    some cell can mean nothing else.

    Raises
    ------
    KanError : the file does not tell what its commas mean, or they mean both.
    """
    commas = points = unclear = None
    for column in columns:
        for row in np.flatnonzero(np.char.find(column.cells, b",") >= 0).tolist():
            text = _SPACES.sub("", column.at(row))
            place = f"{column.place(row)} is {text!r}"
            is_grouped = _COMMA_GROUPS.fullmatch(text) is not None
            if is_grouped and not text.lstrip("+-").startswith("0") and len(text.split(",")) == 2:
                points, unclear = (points or place, unclear) if "." in text else (points, place)
            elif is_grouped and not text.lstrip("+-").startswith("0"):
                points = points or place
            elif _COMMA_NUMBER.fullmatch(text) or _POINT_GROUPS.fullmatch(text):
                commas = commas or place
    if commas and points:
        raise KanError(
            f"{path}: {commas}, with a decimal comma, and {points}, with a comma of thousands",
            remedy="write all numbers in one way",
        )
    if unclear and not commas and not points:
        raise KanError(
            f"{path}: {unclear}, whose comma may be a decimal one or separate thousands, and no "
            "other number of the file tells",
            remedy="write decimal points, and thousands without a mark",
        )
    return "," if commas else "."
