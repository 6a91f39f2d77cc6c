"""Samples that a caller gives: the path of a data file, or arrays."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.errors import KanError
from kan_dialect.files.data_sets import LABELS, TEXTS, Dataset, RawData, flat_samples, read_samples
from kan_dialect.ir.constants import Array
from kan_dialect.model.data_columns import dataset_for
from kan_dialect.model.model import Model

Data: TypeAlias = "str | Path | Dataset | Mapping[str, ArrayLike] | Array"
"""Samples, and labels where they are known.

The path of an `.npz` or `.csv` file; the arrays of an `.npz` by name (`x` or `x_train`, and `y` or
`y_train`, `x_test`, `y_test`, `feature_names`, `class_names`, `label_names`); an array `x`
(samples, inputs) alone; or a `Dataset`.
"""


def raw_data(data: Data) -> RawData:
    """Samples whose arrays are arrays of NumPy.

    Raises
    ------
    KanError : an array is no rectangle of numbers or texts.
    """
    match data:
        case Dataset() | str() | Path():
            return data
        case Mapping():
            return dict(_named_array(*item) for item in data.items())
        case _:
            return {"x": as_array(data, "data")}


def read_data(data: Data) -> Dataset:
    """The samples in memory.

    Raises
    ------
    KanError : the file cannot be read; samples are missing, not finite or of an odd shape; or
        labels do not fit them, or are not finite.
    """
    return data if isinstance(data, Dataset) else read_samples(raw_data(data))


def _named_array(name: object, values: ArrayLike) -> tuple[str, Array]:
    if not isinstance(name, str):
        raise KanError(f"data: names of arrays are texts, got {name!r}", remedy="name samples 'x'")
    what = f"data: `{name}`"
    found: Array = np.array(values) if name in (*TEXTS, *LABELS) else as_array(values, what)
    if found.dtype.kind == "O" and all(isinstance(each, str) for each in found.ravel()):
        return name, found.astype(np.str_)  # a column of pandas
    if name in TEXTS and found.dtype.kind != "U":
        raise KanError(f"{what} holds {found.dtype}, not texts")
    return name, found if found.dtype.kind == "U" else as_array(values, what)


def data_for(module: ModuleOp, data: Data | None) -> Dataset | None:
    """Samples as the network of a module reads them, which takes their names where it has none.

    Raises
    ------
    KanError : see `dataset_for`.
    """
    return dataset_for(Model.of(module).op, raw_data(data)) if data is not None else None


@contextmanager
def data_file(data: str | Path | Dataset | None) -> Generator[str | None]:
    """The path of a file with the samples, for passes that read one; temporary for arrays."""
    if not isinstance(data, Dataset):
        yield None if data is None else str(data)
        return
    arrays: dict[str, Any] = data.arrays
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
    """Samples as an array (samples, inputs); images become rows.

    Raises
    ------
    KanError : they are no numbers, or of another shape.
    """
    array = flat_samples(as_array(values, what))
    if array.ndim != 2 or array.shape[1] != inputs:
        raise KanError(
            f"{what} must have shape (samples, {inputs}), got {array.shape}",
            remedy="give a row for each sample; x[None] makes a row of a single sample",
        )
    return array
