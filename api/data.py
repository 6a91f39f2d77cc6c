"""Samples that a caller gives: the path of a data file, or arrays."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from kan_dialect.errors import KanError
from kan_dialect.files.data_sets import TEXTS, Dataset, dataset_of, load_dataset
from kan_dialect.ir.constants import Array

Data: TypeAlias = "str | Path | Dataset | Mapping[str, ArrayLike] | Array"
"""Samples, and labels where they are known.

The path of an `.npz` or `.csv` file; the arrays of an `.npz` by name (`x` or `x_train`, and `y` or
`y_train`, `x_test`, `y_test`, `feature_names`, `class_names`); an array `x` (samples, inputs)
alone; or a `Dataset`.
"""


def read_data(data: Data) -> Dataset:
    """The samples in memory.

    Raises
    ------
    KanError : the file cannot be read; samples are missing, not finite or of an odd shape; or
        labels do not fit them, or are not finite.
    """
    match data:
        case Dataset():
            return data
        case str() | Path():
            return load_dataset(data)
        case Mapping():
            return dataset_of(dict(_named_array(*item) for item in data.items()), "data")
        case _:
            return dataset_of({"x": as_array(data, "data")}, "data")


def _named_array(name: object, values: ArrayLike) -> tuple[str, Array]:
    if not isinstance(name, str):
        raise KanError(f"data: names of arrays are texts, got {name!r}", remedy="name samples 'x'")
    what = f"data: `{name}`"
    return name, _as_texts(values, what) if name in TEXTS else as_array(values, what)


def _as_texts(values: ArrayLike, what: str) -> Array:
    found: Array = np.array(values)
    if found.dtype.kind == "O" and all(isinstance(each, str) for each in found.ravel()):
        return found.astype(np.str_)  # a column of pandas
    if found.dtype.kind != "U":
        raise KanError(f"{what} holds {found.dtype}, not texts")
    return found


@contextmanager
def data_file(data: Data | None) -> Generator[str | None]:
    """The path of a file with the samples, for passes that read one; a temporary file for arrays.

    Raises
    ------
    KanError : see `read_data`.
    """
    if data is None or isinstance(data, str | Path):
        yield None if data is None else str(data)
        return
    arrays: dict[str, Any] = read_data(data).arrays
    with tempfile.TemporaryDirectory(prefix="kan-data-") as folder:
        path = Path(folder) / "data.npz"
        np.savez(path, **arrays)
        yield str(path)


def as_array(values: ArrayLike, what: str) -> Array:
    """Numbers as an array.

    Raises
    ------
    KanError : they are no rectangle of numbers.
    """
    try:
        array: Array = np.asarray(values)
    except ValueError:
        raise KanError(f"{what} is no array: its rows differ in length") from None
    except Exception as error:  # an object's __array__ may raise anything
        raise KanError(f"{what} cannot become a NumPy array: {error}") from None
    if array.dtype.kind not in "fiub":
        raise KanError(f"{what} holds {array.dtype}, not numbers", remedy="give a NumPy array")
    return array


def as_samples(values: ArrayLike, what: str, inputs: int) -> Array:
    """Samples as an array (samples, inputs).

    Raises
    ------
    KanError : they are no numbers, or of another shape.
    """
    array = as_array(values, what)
    if array.ndim != 2 or array.shape[1] != inputs:
        raise KanError(
            f"{what} must have shape (samples, {inputs}), got {array.shape}",
            remedy="give a row for each sample; x[None] makes a row of a single sample",
        )
    return array
