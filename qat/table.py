"""The table that a training learns from: its columns, its labels, and what is done where it lacks.

This file imports no PyTorch.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from kan_dialect.errors import KanError
from kan_dialect.files.csv_data import Columns
from kan_dialect.files.data_sets import (
    UNSAVED,
    Dataset,
    RawData,
    dataset_of,
    flat_samples,
    listed,
    load_arrays,
    missing_values,
)
from kan_dialect.files.labels import Task
from kan_dialect.ir.attributes.data_schema import NO_SCHEMA, DataSchema
from kan_dialect.ir.constants import Array, FloatArray
from kan_dialect.qat.goals import class_weights
from kan_dialect.quantity import quantity

BALANCED = "balanced"

_SHOWN = 12
"""Largest number of classes that a line shows."""


@dataclass(frozen=True)
class TableOptions:
    """How a table is read, and which samples stay together where a part is held out."""

    label: tuple[str, ...] = ()
    """Column of labels of a .csv file; several are targets of a regression. By default the column
    that is called label, class, target or y."""
    without: tuple[str, ...] = ()
    """Columns of a .csv file that are not read."""
    task: Task | None = None
    """What labels are; by default text and whole numbers are classes, other numbers a regression's
    targets."""
    missing: Literal["refuse", "drop", "median"] = "refuse"
    """What is done about missing values: samples that miss one are left out, or the median of the
    feature stands for them, in the host's codec too."""
    group: str | None = None
    """Column, or array of an .npz, of what samples have in common: those of one group are held out
    together."""
    time: str | None = None
    """Column, or array of an .npz, of when a sample was taken: samples are held out by time, the
    last ones where there is one fold."""
    class_weights: str | None = None
    """What a sample of a class counts in the loss: `balanced`, as much for each class together; or
    a .csv file with a row `class,weight` for each."""

    def __post_init__(self) -> None:
        """Refuse two ways to hold samples out.

        Raises
        ------
        KanError : names the options.
        """
        if self.group is not None and self.time is not None:
            raise KanError(
                "--group and --time both say which samples are held out together",
                remedy="give one of them",
            )


@dataclass(frozen=True)
class Table:
    """Samples to train with."""

    dataset: Dataset
    group: Array | None = None
    """(samples) of any type: equal ones are held out together."""
    time: Array | None = None
    """(samples), numbers or dates."""
    weights: FloatArray | None = None
    """(classes), float64: what a sample of each counts; their mean over samples is 1."""
    notes: tuple[str, ...] = ()
    """What a reader should know of the table, a line each."""

    def summary(self) -> str:
        """What is learned from, in a line."""
        data = self.dataset
        schema, y = data.schema, data.y
        about = f"{quantity(len(data.x), 'sample')} of {quantity(data.x.shape[1], 'feature')}"
        column = f" in `{schema.labels[0]}`" if len(schema.labels) == 1 else ""
        if y is None:
            return f"{about}, no labels"
        if y.dtype.kind != "f":
            counts = np.bincount(np.maximum(y.reshape(-1), 0))
            names = schema.classes or [str(number) for number in range(len(counts))]
            known = [f"{n} ({c})" for n, c in zip(names, counts.tolist(), strict=False)]
            more = ", ..." if len(known) > _SHOWN else ""
            listed = ", ".join(known[:_SHOWN]) + more
            return f"{about}; {len(counts)} classes{column}: {listed}"
        flat = y.reshape(len(y), -1)
        whole = bool((flat == np.rint(flat)).all())
        hint = "; --task classes takes whole numbers as classes" if whole else ""
        targets = quantity(flat.shape[1], "target")
        return f"{about}; regression of {targets}{column}{hint}"


def read_table(data: RawData, options: TableOptions) -> Table:
    """The samples of a training.

    Raises
    ------
    KanError : see `load_dataset`; a column is not there; values are missing, and the options do not
        say what is done; a feature has no value at all.
    """
    if isinstance(data, Dataset):
        arrays, where = dict(data.arrays), data.where
    elif isinstance(data, Mapping):
        arrays, where = dict(data), UNSAVED
    else:
        arrays, where = load_arrays(Path(data), columns_read(options)), str(data)
    if options.label and "label_names" not in arrays:
        raise KanError(
            f"--label names a column, and {where} has arrays",
            remedy="name the array of labels `y`, and leave out --label",
        )
    apart = {
        name: _array(where, arrays, name)
        for name in (options.group, options.time)
        if name is not None
    }
    arrays, notes, schema = _complete(where, arrays, apart, options)
    dataset = dataset_of(arrays, where, schema, options.task)
    names = dataset.features
    repeated = repeated_columns(dataset.x).items()
    constant: list[int] = np.flatnonzero(np.ptp(dataset.x, axis=0) == 0.0).tolist()
    for reason, columns in (
        ("repeat others", [f"`{names[index]}` (as `{names[of]}`)" for index, of in repeated]),
        ("are constant", [f"`{names[index]}`" for index in constant]),
    ):
        if columns:
            notes.append(f"columns that {reason} are not read: {listed(columns)}")
    group = None if options.group is None else arrays[options.group]
    time = None if options.time is None else _times(where, options.time, arrays[options.time])
    weights = _weights(dataset, options.class_weights)
    return Table(dataset, group, time, weights, tuple(notes))


def repeated_columns(x: FloatArray) -> dict[int, int]:
    """Each feature that an earlier one equals, and that one; constant ones are left out."""
    seen: dict[bytes, int] = {}
    found: dict[int, int] = {}
    for index, column in enumerate(np.ascontiguousarray(x.T + 0.0)):
        first = seen.setdefault(column.tobytes(), index)
        if first != index and np.ptp(column) > 0.0:
            found[index] = first
    return found


def _weights(dataset: Dataset, given: str | None) -> FloatArray | None:
    y = dataset.y
    if given is None or y is None:
        return None
    if y.dtype.kind == "f":
        raise KanError(
            f"--class-weights {given} is given, and labels are numbers",
            remedy="leave it out, or give --task classes",
        )
    rows = None if given == BALANCED else _weight_rows(Path(given))
    return class_weights(given, rows, np.bincount(np.maximum(y, 0)), dataset.schema.classes)


def _weight_rows(path: Path) -> list[tuple[str, float]]:
    if not path.exists():
        raise KanError(
            f"there is no file {path} of class weights", remedy=f"give one, or {BALANCED}"
        )
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(path.open()) if row]
        found = [(name, float(weight)) for name, weight in rows]
    except (OSError, ValueError, csv.Error) as error:
        raise KanError(
            f"cannot read {path} as class weights: {error}",
            remedy="give a line `class,weight` for each class, and no header",
        ) from None
    if not all(0.0 < weight < float("inf") for _, weight in found):
        raise KanError(f"{path}: weights must be above 0 and finite")
    return found


def columns_read(options: TableOptions) -> Columns:
    """The columns of a .csv file that a training reads."""
    return Columns(options.label, (), options.without, options.group, options.time)


def _array(where: str, arrays: Mapping[str, Array], name: str) -> Array:
    samples = len(arrays.get("x_train", arrays.get("x", np.zeros(0))))
    if name not in arrays or arrays[name].shape != (samples,):
        raise KanError(
            f"{where} has no array `{name}` of shape ({samples},)", remedy="save one, a value a row"
        )
    return arrays[name]


def _complete(
    where: str, arrays: dict[str, Array], apart: Mapping[str, Array], options: TableOptions
) -> tuple[dict[str, Array], list[str], DataSchema]:
    """Arrays as the option `missing` has them, what it did, and what stands for missing values."""
    x_name = "x_train" if "x_train" in arrays else "x"
    for name in arrays.keys() & {x_name, "x_test"}:
        arrays[name] = flat_samples(arrays[name])
    y_name = "y_train" if "y_train" in arrays else "y"
    x = arrays.get(x_name)
    if x is None or x.ndim != 2 or x.dtype.kind not in "fiub":
        return arrays, [], NO_SCHEMA  # It is refused later.
    arrays[x_name] = x = x.astype(np.float64)
    names = [str(each) for each in arrays.get("feature_names", ())]
    if options.missing == "median":
        return _with_medians(where, arrays, x, names)
    parts = {x_name: (y_name, *apart), "x_test": ("y_test",)}
    told: list[str] = []
    for name, others in parts.items():
        if name not in arrays:
            continue
        lost = np.asarray(np.isnan(arrays[name]).any(axis=1))
        labels = arrays.get(others[0])
        unlabelled = np.zeros(len(lost), dtype=np.bool_) if labels is None else _absent(labels)
        problems = [missing_values(arrays[name], names)] * bool(lost.any())
        if unlabelled.any():
            problems.append(f"{int(unlabelled.sum())} of {len(lost)} samples have no label")
        if not problems:
            continue
        if options.missing == "refuse":
            raise KanError(
                f"{where}: `{name}`: {'; '.join(problems)}",
                remedy="--missing median fills values in, here and in the host's codec; --missing "
                "drop leaves these samples out",
            )
        kept = ~(lost | unlabelled)
        for each in (name, *others):
            if each in arrays:
                arrays[each] = arrays[each][kept]
        told.append(f"{'; '.join(problems)}: left out, {int(kept.sum())} are kept")
    return arrays, told, NO_SCHEMA


def _with_medians(
    where: str, arrays: dict[str, Array], x: Array, names: list[str]
) -> tuple[dict[str, Array], list[str], DataSchema]:
    empty = np.flatnonzero(np.isnan(x).all(axis=0))
    if len(empty):
        first = int(empty[0])
        name = names[first] if names else f"x{first}"
        raise KanError(f"{where}: `{name}` has no value at all", remedy="leave the column out")
    medians: list[float] = np.nanmedian(x, axis=0).tolist()
    missing = missing_values(x, names)
    told = [f"{missing}: medians stand for them"] if missing else []
    return arrays, told, DataSchema(missing=tuple(medians))


def _absent(labels: Array) -> Array:
    """Which samples have no label, (samples)."""
    if labels.dtype.kind == "U":
        return np.asarray(labels == "")
    flat = labels.reshape(len(labels), -1)
    if flat.dtype.kind != "f":
        return np.zeros(len(flat), np.bool_)
    return np.asarray(np.isnan(flat).any(axis=1))


def _times(where: str, name: str, times: Array) -> Array:
    for kind in (np.float64, np.dtype("datetime64[us]")):
        try:
            found = times.astype(kind)
        except (ValueError, TypeError):
            continue
        if not (np.isnan(found) if found.dtype.kind == "f" else np.isnat(found)).any():
            return found
    raise KanError(
        f"{where}: `{name}` holds {str(times[0])!r}, no time",
        remedy="give numbers, or dates and times of ISO 8601: 2026-01-31T12:00",
    )
