"""Samples from a CSV file: a row a sample, a column a feature, names of columns in the first row.

A column that is called `label`, `class`, `target` or `y` has the labels, where no other is asked
for. A column that is called `split` says `train` or `test`.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np

from kan_dialect.errors import KanError
from kan_dialect.files.table_cells import Cells, Column, decimal_mark, missing_in, numbers
from kan_dialect.ir.constants import Array
from kan_dialect.limits import MAX_DATA_BYTES

LABELS = ("label", "class", "target", "y")
"""Names of the column of labels."""
SPLIT = "split"
PARTS = ("train", "test")
_DELIMITERS = ",;\t"
_ROWS = 1 << 14
"""Rows that are text at once: a cell as text takes ten times the memory of its characters."""

T = TypeVar("T")


@dataclass(frozen=True)
class Columns:
    """The columns of a table that are read, by name. Arrays of an `.npz` are named likewise."""

    labels: tuple[str, ...] = ()
    """Columns of labels; by default the one that is called so."""
    features: tuple[str, ...] = ()
    """By default all other columns."""
    without: tuple[str, ...] = ()
    """Columns that are not read."""
    group: str | None = None
    """Samples with the same cell belong together."""
    time: str | None = None
    """When a sample was taken: a number, or a date and time of ISO 8601."""


EVERY = Columns()


def read_csv(path: Path, wanted: Columns = EVERY) -> dict[str, Array]:
    """The arrays of a CSV file, as an `.npz` would have them.

    `x` and its `feature_names`; NaN where a value is missing. Of labels `y` and `label_names`.
    `x_test` and `y_test` where the file has them. Columns of groups and time by their names.

    Raises
    ------
    KanError : it cannot be read, has no header or no samples, a row has another number of cells, a
        cell of a feature is no number, a column is not there, or several may have labels.
    """
    columns = _columns(path)
    by_name = {column.name: column for column in columns}
    split = _one_of(path, columns, (SPLIT,), "the split")
    labels = [_find(path, by_name, name) for name in wanted.labels]
    if not labels and (found := _one_of(path, columns, LABELS, "labels")) is not None:
        labels = [found]
    apart = {n: _find(path, by_name, n) for n in (wanted.group, wanted.time) if n is not None}
    left_out = [_find(path, by_name, name) for name in wanted.without]
    others = (split, *labels, *apart.values(), *left_out)
    features = [column for column in columns if all(column is not each for each in others)]
    if wanted.features and set(wanted.features) <= by_name.keys():
        features = [by_name[name] for name in wanted.features]
    if not features:
        raise KanError(f"{path} has no column of a feature")
    remedy = (
        "give a number in every cell, or leave the column out; labels are in a column "
        f"{', '.join(LABELS)}, or the one that --label names"
    )
    where, mark = str(path), decimal_mark(str(path), [*features, *labels])
    found = [numbers(where, column, mark, remedy) for column in features]
    arrays: dict[str, Array] = {"x": np.stack(found, axis=1)}
    if labels:
        arrays["y"] = _labels(where, labels, mark)
    test = np.zeros(len(arrays["x"]), dtype=np.bool_) if split is None else _is_test(path, split)
    arrays |= {name: column.texts for name, column in apart.items()}
    parts = {name: array[~test] for name, array in arrays.items()}
    if test.any():
        parts |= {f"{name}_test": arrays[name][test] for name in ("x", "y") if name in arrays}
    parts["feature_names"] = np.array([column.name for column in features])
    if labels:
        parts["label_names"] = np.array([column.name for column in labels])
    return parts


def _one_of(
    path: Path, columns: Sequence[Column], names: tuple[str, ...], what: str
) -> Column | None:
    found = [column for column in columns if column.name.lower() in names]
    if len(found) > 1:
        both = ", ".join(f"`{column.name}`" for column in found)
        raise KanError(f"{path}: several columns have {what}: {both}", remedy="rename others")
    return found[0] if found else None


def _find(path: Path, columns: dict[str, T], name: str) -> T:
    if name not in columns:
        known = ", ".join(f"`{each}`" for each in columns)
        raise KanError(f"{path} has no column `{name}`", remedy=f"it has {known}")
    return columns[name]


def _columns(path: Path) -> list[Column]:
    try:
        size = path.stat().st_size
        if size > MAX_DATA_BYTES:
            raise KanError(
                f"{path} holds {size} bytes of data, more than {MAX_DATA_BYTES}",
                remedy="give a part of the samples",
            )
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            file.seek(0)
            reader = csv.reader(file, delimiter=max(_DELIMITERS, key=first.count), strict=True)
            names = [name.strip() for name in next(reader, list[str]())]
            lines: list[int] = []
            parts: list[list[Cells]] = [[] for _ in names]
            numbered = ((reader.line_num, row) for row in reader if row)
            while rows := list(islice(numbered, _ROWS)):
                for line, row in rows:
                    if len(row) != len(names):
                        raise KanError(
                            f"{path}: line {line} has {len(row)} cells, the header {len(names)}",
                            remedy="put cells that have the delimiter in double quotes",
                        )
                lines += [line for line, _ in rows]
                cells_of = zip(*(row for _, row in rows), strict=True)
                for part, cells in zip(parts, cells_of, strict=True):
                    part.append(np.array([cell.strip().encode() for cell in cells]))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise KanError(f"cannot read {path} as CSV: {error}") from None
    if not lines:
        raise KanError(f"{path} has no samples", remedy="give names of columns, then a row each")
    columns = [Column(n, np.concatenate(each), lines) for n, each in zip(names, parts, strict=True)]
    _require_names(path, names)
    return columns


def _require_names(path: Path, names: Sequence[str]) -> None:
    try:
        [float(name) for name in names]
    except ValueError:
        twice = [name for index, name in enumerate(names) if name in names[:index]]
        if twice:
            raise KanError(
                f"{path}: two columns are called `{twice[0]}`", remedy="rename one of them"
            ) from None
        return
    raise KanError(
        f"{path} has no names of columns", remedy="name them in the first row, labels `label`"
    )


def _labels(where: str, columns: Sequence[Column], mark: str) -> Array:
    """Labels of several columns as numbers, (samples, columns); of one as numbers or as text."""
    if len(columns) > 1:
        remedy = "labels of several columns are numbers"
        return np.stack([numbers(where, each, mark, remedy) for each in columns], axis=1)
    texts = np.where(missing_in(columns[0].cells), "", columns[0].texts)
    if mark == ",":
        try:
            return numbers(where, columns[0], mark, "")
        except KanError:
            return texts
    return texts


def _is_test(path: Path, column: Column) -> Array:
    parts = np.char.lower(column.cells)
    wrong = np.flatnonzero(~np.isin(parts, [each.encode() for each in PARTS]))
    if len(wrong):
        row = int(wrong[0])
        raise KanError(
            f"{path}: {column.place(row)} is {column.at(row)!r}",
            remedy=f"take {' or '.join(PARTS)}",
        )
    return parts == b"test"
