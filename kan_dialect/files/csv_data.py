"""Samples from a CSV file: a row a sample, a column a feature, names of columns in the first row.

A column that is called `label`, `class`, `target` or `y` has the labels. A column that is called
`split` says `train` or `test`. Labels of text are classes, numbered in alphabetical order.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kan_dialect.errors import KanError
from kan_dialect.ir.constants import Array, FloatArray
from kan_dialect.limits import MAX_DATA_BYTES

LABELS = ("label", "class", "target", "y")
"""Names of the column of labels."""
SPLIT = "split"
PARTS = ("train", "test")
_DELIMITERS = ",;\t"


def read_csv(path: Path) -> dict[str, Array]:
    """The arrays of a CSV file: `x` and its `feature_names`; `y`, `x_test` and `y_test` where the
    file has them; and `class_names` of labels of text.

    Raises
    ------
    KanError : it cannot be read, has no header or no samples, a row has another number of cells, a
        cell of a feature is no number, or several columns have labels.
    """
    header, rows = _rows(path)
    columns = [[row[index].strip() for row in rows] for index in range(len(header))]
    names = [name.strip().lower() for name in header]
    labels = [index for index, name in enumerate(names) if name in LABELS]
    splits = [index for index, name in enumerate(names) if name == SPLIT]
    for found, what in ((labels, "labels"), (splits, "the split")):
        if len(found) > 1:
            both = ", ".join(f"`{header[index]}`" for index in found)
            raise KanError(f"{path}: several columns have {what}: {both}", remedy="rename others")
    features = [index for index in range(len(header)) if index not in (*labels, *splits)]
    if not features:
        raise KanError(f"{path} has no column of a feature")
    x = np.stack([_numbers(path, header[index], columns[index]) for index in features], axis=1)
    y, classes = None, None
    if labels:
        y, classes = _labels(path, header[labels[0]], columns[labels[0]])
    test = _is_test(path, columns[splits[0]]) if splits else np.zeros(len(x), dtype=np.bool_)
    arrays: dict[str, Array] = {"x": x[~test]}
    arrays["feature_names"] = np.array([header[index] for index in features])
    if classes is not None:
        arrays["class_names"] = classes
    if y is not None:
        arrays["y"] = y[~test]
    if test.any():
        arrays["x_test"] = x[test]
        if y is not None:
            arrays["y_test"] = y[test]
    return arrays


def _rows(path: Path) -> tuple[list[str], list[list[str]]]:
    try:
        size = path.stat().st_size
        if size > MAX_DATA_BYTES:
            raise KanError(f"{path} holds {size} bytes of data, more than {MAX_DATA_BYTES}")
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            file.seek(0)
            delimiter = max(_DELIMITERS, key=first.count)
            rows = [row for row in csv.reader(file, delimiter=delimiter) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise KanError(f"cannot read {path} as CSV: {error}") from None
    if len(rows) < 2:
        raise KanError(f"{path} has no samples", remedy="give names of columns, then a row each")
    header, *samples = rows
    if all(_number(cell) is not None for cell in header):
        raise KanError(
            f"{path} has no names of columns", remedy="name them in the first row, labels `label`"
        )
    for number, row in enumerate(samples, 2):
        if len(row) != len(header):
            raise KanError(f"{path}: row {number} has {len(row)} cells, not {len(header)}")
    return header, samples


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _numbers(path: Path, name: str, cells: Sequence[str]) -> FloatArray:
    found = [_number(cell) for cell in cells]
    for number, (value, cell) in enumerate(zip(found, cells, strict=True), 2):
        if value is None or not np.isfinite(value):
            raise KanError(
                f"{path}: row {number} of column `{name}` is {cell or 'empty'!r}",
                remedy=f"give a finite number in every cell, or leave the row out; labels are in "
                f"a column {', '.join(LABELS)}",
            )
    return np.array(found, dtype=np.float64)


def _labels(path: Path, name: str, cells: Sequence[str]) -> tuple[Array, Array | None]:
    """Labels, and names of classes of text: whole numbers and text are classes, other numbers are
    targets."""
    for number, cell in enumerate(cells, 2):
        if not cell:
            raise KanError(f"{path}: row {number} of column `{name}` is empty")
    if all(cell.lstrip("+-").isdecimal() for cell in cells):
        return np.array([int(cell) for cell in cells], dtype=np.int64), None
    if any(_number(cell) is None for cell in cells):
        classes, labels = np.unique(cells, return_inverse=True)
        return labels.astype(np.int64), classes
    return _numbers(path, name, cells), None


def _is_test(path: Path, cells: Sequence[str]) -> Array:
    for number, cell in enumerate(cells, 2):
        if cell.lower() not in PARTS:
            raise KanError(
                f"{path}: row {number} of column `{SPLIT}` is {cell!r}",
                remedy=f"take {' or '.join(PARTS)}",
            )
    return np.array([cell.lower() == "test" for cell in cells])
