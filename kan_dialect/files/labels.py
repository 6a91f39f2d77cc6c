"""Labels of samples: classes or numbers, and the names of classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from kan_dialect.errors import KanError
from kan_dialect.ir.attributes.data_schema import DataSchema
from kan_dialect.ir.constants import Array, IntArray

Task = Literal["classes", "regression"]


def read_labels(
    where: str,
    y: Array | None,
    y_test: Array | None,
    classes: Sequence[str],
    schema: DataSchema,
    task: Task | None,
) -> tuple[Array | None, Array | None, Sequence[str]]:
    """Labels as a network or a training reads them, and the names of classes where there are any.

    Classes are whole numbers from 0 on, int64. Those of a network are found by their names. Without
    one, classes are numbered by value, or in alphabetical order.

    Parameters
    ----------
    y, y_test : (samples, ...) numbers or text.
    classes : names of classes that are numbered already; empty without names.
    task : what labels are; by default the schema says it, or else their type: text and whole
        numbers are classes.

    Raises
    ------
    KanError : a label is text, and numbers are asked for; is missing; or is of no class of the
        network.
    """
    known = [_typed(where, each) for each in (y, y_test) if each is not None]
    read: list[Array]
    if not known:
        return None, None, classes
    if known[0].dtype.kind != known[-1].dtype.kind:
        known = [each.astype(np.str_) for each in known]
    if task == "regression" or (task is None and schema.targets):
        read = [_numbers(where, each) for each in known]
        classes = ()
    elif classes and schema.classes:
        number = _numbered(where, classes, schema.classes)
        read = [_renumbered(each, number) for each in known]
        classes = schema.classes
    elif schema.classes:
        read = [_found(where, each, schema.classes) for each in known]
        classes = schema.classes
    elif not classes and (task == "classes" or known[0].dtype.kind == "U"):
        values = np.unique(np.concatenate(known))
        read = [np.searchsorted(values, each).astype(np.int64) for each in known]
        if values.dtype.kind == "U" or values.tolist() != list(range(len(values))):
            classes = _names(values)
    else:
        read = known
    return read[0] if y is not None else None, read[-1] if y_test is not None else None, classes


def _typed(where: str, labels: Array) -> Array:
    """Labels as numbers where all of them are."""
    if labels.dtype.kind != "U":
        return labels
    missing = np.flatnonzero(labels == "")
    if len(missing):
        raise KanError(
            f"{where}: the label of sample {missing[0]} is missing",
            remedy="leave out samples without a label; --missing drop does",
        )
    for kind in (np.int64, np.float64):
        try:
            found = labels.astype(kind)
        except (ValueError, OverflowError):
            continue
        if np.isfinite(found).all():
            return found
    return labels


def _numbers(where: str, labels: Array) -> Array:
    if labels.dtype.kind == "U":
        raise KanError(
            f"{where}: labels are text such as {str(labels[0])!r}, and a regression is asked for",
            remedy="give numbers, or --task classes",
        )
    return labels.astype(np.float64)


def _names(values: Array) -> list[str]:
    """Names of classes of text or numbers; whole numbers have no point."""
    return [
        str(int(each)) if isinstance(each, float) and each.is_integer() else str(each)
        for each in values.tolist()
    ]


def _numbered(where: str, classes: Sequence[str], known: Sequence[str]) -> IntArray:
    """The network's number of each class of the data."""
    other = [name for name in classes if name not in known]
    if other:
        raise KanError(
            f"{where}: the network has no class {other[0]!r}",
            remedy=f"its classes are {', '.join(known)}",
        )
    return np.array([known.index(name) for name in classes], dtype=np.int64)


def _renumbered(labels: Array, number: IntArray) -> Array:
    """Labels by the network's numbers; those out of range, or no classes, stay as they are."""
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= len(number):
        return labels
    return number[labels]


def _found(where: str, labels: Array, known: Sequence[str]) -> Array:
    """The number of the class of each label, (samples), int64."""
    if labels.dtype.kind == "U":
        values, places = np.unique(labels, return_inverse=True)
        return _numbered(where, values.tolist(), known)[places]
    try:
        by_value = np.array([float(name) for name in known])
    except ValueError:
        return labels  # The classes have names, and labels are their numbers.
    order = np.argsort(by_value)
    places = np.searchsorted(by_value[order], labels).clip(0, len(known) - 1)
    found = order[places]
    wrong = np.flatnonzero(by_value[found] != labels)
    if len(wrong):
        raise KanError(
            f"{where}: the network has no class {labels.flat[wrong[0]]}",
            remedy=f"its classes are {', '.join(known)}",
        )
    return found.astype(np.int64)
