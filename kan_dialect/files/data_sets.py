"""Data files: calibration samples, labels, and a test set that is only ever reported.

An `.npz` with `x` or `x_train` (samples, features), or images of more axes, and where given `y` or
`y_train`, `x_test` and `y_test`, and the texts `feature_names`, `label_names` and `class_names`. Or
a `.csv`, see `csv_data`. Whole numbers and text are classes, other numbers are targets, where
nothing else is known of the labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from kan_dialect.errors import KanError
from kan_dialect.files.csv_data import EVERY, Columns, read_csv
from kan_dialect.files.labels import Task, read_labels
from kan_dialect.ir.attributes.data_schema import NO_SCHEMA, DataSchema, input_ports
from kan_dialect.ir.constants import Array, FloatArray
from kan_dialect.limits import MAX_DATA_BYTES
from kan_dialect.quantity import quantity
from kan_dialect.shown import Shown

TEXTS = ("feature_names", "class_names", "label_names")
LABELS = ("y", "y_train", "y_test")
NAMES = ("x", "x_train", "x_test", *LABELS, *TEXTS)
"""Arrays of a data file."""
UNSAVED = "data"
"""Where samples come from that are not of a file, for messages."""
_SHOWN = 64
"""Largest number of names that a message shows."""
_COLUMNS = 6
"""Largest number of columns of missing values that a message shows."""


@dataclass(frozen=True, repr=False)
class Dataset(Shown):
    """Samples with what is known of them.

    `x` (samples, features) float64; `y` labels or targets, or None; likewise for the test set.
    `schema`: what its columns mean, as far as it is known; `where` they come from, for messages.
    """

    x: FloatArray
    y: Array | None = None
    x_test: FloatArray | None = None
    y_test: Array | None = None
    schema: DataSchema = NO_SCHEMA
    where: str = UNSAVED

    @property
    def arrays(self) -> dict[str, Array]:
        """The arrays of an `.npz` file with the same content."""
        found = {"x": self.x, "y": self.y, "x_test": self.x_test, "y_test": self.y_test}
        schema = self.schema
        texts = zip(TEXTS, (schema.features, schema.classes, schema.labels), strict=True)
        return {
            **{name: each for name, each in found.items() if each is not None},
            **{name: np.array(each) for name, each in texts if each},
        }

    @property
    def features(self) -> Sequence[str]:
        """Names of the columns; by default x0, x1, ..."""
        return self.schema.features or input_ports(self.x.shape[1])

    @property
    def every_x(self) -> FloatArray:
        """Calibration and test samples, (samples, features), float64."""
        return self.x if self.x_test is None else np.concatenate([self.x, self.x_test])

    def figures(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the arrays that are known."""
        return {name: array.shape for name, array in self.arrays.items()}


def load_dataset(path: str | Path, schema: DataSchema = NO_SCHEMA) -> Dataset:
    """Read a data file.

    Parameters
    ----------
    schema : of the network that reads it.

    Raises
    ------
    KanError : the file does not exist, or is not `.npz` or `.csv`; see also `dataset_of`.
    """
    path = Path(path)
    return dataset_of(load_arrays(path, Columns(schema.labels, schema.features)), str(path), schema)


RawData = str | Path | Dataset | Mapping[str, Array]
"""Samples: a file, arrays by name, or read before."""


def read_samples(data: RawData, schema: DataSchema = NO_SCHEMA) -> Dataset:
    """Samples as a network reads them, see `dataset_of`.

    Raises
    ------
    KanError : see `load_dataset`.
    """
    match data:
        case Dataset():
            found = dataset_of(data.arrays, data.where, schema)
            known = replace(found.schema, missing=schema.missing or data.schema.missing)
            return replace(found, schema=known)
        case Mapping():
            return dataset_of(data, UNSAVED, schema)
        case _:
            return load_dataset(data, schema)


def load_arrays(path: Path, columns: Columns = EVERY) -> dict[str, Array]:
    """The arrays of a data file by name, of any shape.

    Parameters
    ----------
    columns : of a table, that are read.

    Raises
    ------
    KanError : the file does not exist, or is not `.npz` or `.csv`.
    """
    if not path.exists():
        raise KanError(f"there is no data file {path}")
    if path.suffix.lower() == ".csv":
        return read_csv(path, columns)
    if path.suffix.lower() != ".npz":
        raise KanError(f"{path} is not `.csv` or `.npz`", remedy="save the samples as one of these")
    try:
        archive: Any = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise KanError(f"{path} holds a single array", remedy="save an .npz with an array `x`")
        with archive:
            _check_size(path, cast(Any, archive))
            members = {name: cast(object, archive[name]) for name in archive.files}
    except KanError:
        raise
    except Exception as error:  # Damaged headers make NumPy raise anything.
        raise KanError(f"cannot read {path} as .npz data: {_first_line(error)}") from None
    # A member without the extension .npy is read as bytes.
    arrays = {name: cast(Array, m) for name, m in members.items() if isinstance(m, np.ndarray)}
    for name in members:
        if name in NAMES and name not in arrays:
            raise KanError(f"{path}: `{name}` is no array", remedy="save it with numpy.savez")
    return arrays


def dataset_of(
    arrays: Mapping[str, Array],
    where: str,
    schema: DataSchema = NO_SCHEMA,
    task: Task | None = None,
) -> Dataset:
    """Samples and labels from arrays by name, as a data file has them.

    Parameters
    ----------
    where : the file or argument that has them, for messages.
    schema : of the network that reads them. It reads columns by their names, if they have any; its
        values stand for missing ones.
    task : whether labels are classes or numbers; by default the schema or their type decides.

    Raises
    ------
    KanError : samples are missing, infinite, or of an odd shape, or a column is not there; a value
        is missing, and the schema does not say what stands for it; labels do not fit; names are
        not printable or not unique.
    """
    x = _samples(where, arrays, ("x_train", "x"))
    if x is None:
        raise KanError(
            f"{where} has no array `x` or `x_train`, only {', '.join(arrays) or 'nothing'}"
        )
    x_test = _samples(where, arrays, ("x_test",))
    if x_test is not None and x_test.shape[1] != x.shape[1]:
        raise KanError(f"{where}: `x_test` has {x_test.shape[1]} features, `x` has {x.shape[1]}")
    names, classes, label = (_texts(where, arrays, name) for name in TEXTS)
    if names and len(names) != x.shape[1]:
        raise KanError(
            f"{where}: `feature_names` has {len(names)} names, the samples {x.shape[1]} features"
        )
    y = _labels(where, arrays, ("y_train", "y"), len(x))
    y_test = None if x_test is None else _labels(where, arrays, ("y_test",), len(x_test))
    y, y_test, classes = read_labels(where, y, y_test, classes, schema, task)
    if y is not None and y.dtype.kind == "f":
        own = DataSchema.read(where, names, classes, targets=label)
    else:
        own = DataSchema.read(where, names, classes, label="".join(label[:1]))
    order = _order(where, own.features, schema.features or input_ports(x.shape[1]))
    if order is not None:
        x, x_test = x[:, order], None if x_test is None else x_test[:, order]
    if order is not None or len(schema.features) == x.shape[1]:
        own = replace(own, features=schema.features)
    x, x_test = schema.filled(x), None if x_test is None else schema.filled(x_test)
    for name, samples in (("x", x), ("x_test", x_test)):
        if samples is not None:
            _require_known(samples, own.features, f"{where}: `{name}`")
    return Dataset(x, y, x_test, y_test, replace(own, missing=schema.missing), where)


def _order(where: str, names: Sequence[str], read: Sequence[str]) -> list[int] | None:
    """The column of each feature that is read; None of columns in their order."""
    places = {name: place for place, name in enumerate(names)}
    if not names or names == read:
        return None
    if read == input_ports(len(read)) and set(read) != set(names):
        return None  # A network without names reads any.
    absent = [name for name in read if name not in places]
    if absent:
        has = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
        raise KanError(
            f"{where} has no column {absent[0]!r}, which input x{read.index(absent[0])} of the "
            "network takes",
            remedy=f"its columns are {has}",
        )
    return [places[name] for name in read]


def missing_values(x: FloatArray, features: Sequence[str]) -> str:
    """The missing values of samples (samples, features), for messages; empty without any."""
    counts = np.isnan(x).sum(axis=0)
    rows = int(np.isnan(x).any(axis=1).sum())
    if not rows:
        return ""
    found = np.flatnonzero(counts)[np.argsort(-counts[np.flatnonzero(counts)], kind="stable")]
    columns = [
        f"{counts[index]} of `{features[index]}`" if features else f"{counts[index]} of x{index}"
        for index in found.tolist()
    ]
    samples = f"{rows} of {quantity(len(x), 'sample')}"
    return f"{samples} miss values: {listed(columns)}"


def listed(columns: Sequence[str]) -> str:
    """The first of some columns, and the number of the others."""
    more = len(columns) - _COLUMNS
    return ", ".join(columns[:_COLUMNS]) + (f" and {more} more columns" if more > 0 else "")


def _require_known(x: FloatArray, features: Sequence[str], what: str) -> None:
    missing = missing_values(x, features)
    if missing:
        raise KanError(
            f"{what}: {missing}",
            remedy="leave out these samples, or give a network that was trained with --missing "
            "median, which says what stands for them",
        )


def _texts(where: str, arrays: Mapping[str, Array], name: str) -> list[str]:
    if name not in arrays:
        return []
    array = arrays[name]
    if array.dtype.kind != "U" or array.ndim != 1:
        raise KanError(
            f"{where}: `{name}` must be a list of texts, got {array.dtype} of shape {array.shape}"
        )
    texts: list[str] = array.tolist()
    return texts


def _check_size(path: Path, archive: Any) -> None:
    """A few bytes may unpack to gigabytes, and say so."""
    size = sum(entry.file_size for entry in archive.zip.infolist())
    if size > MAX_DATA_BYTES:
        raise KanError(
            f"{path} holds {size} bytes of data, more than {MAX_DATA_BYTES}",
            remedy="give fewer samples: a few thousand are enough to calibrate with",
        )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def flat_samples(samples: Array) -> Array:
    """Samples of more axes, as images, as (samples, features): their values in C order."""
    return samples.reshape(len(samples), -1) if samples.ndim > 2 and samples.size else samples


def _samples(where: str, arrays: Mapping[str, Array], names: tuple[str, ...]) -> FloatArray | None:
    for name in names:
        if name not in arrays:
            continue
        array = arrays[name]
        if array.dtype.kind not in "fiub":
            raise KanError(f"{where}: `{name}` holds {array.dtype}, not numbers")
        array = flat_samples(array)
        if array.ndim != 2 or 0 in array.shape:
            raise KanError(
                f"{where}: `{name}` must have shape (samples, features), got {array.shape}"
            )
        values = array.astype(np.float64, copy=False)
        _require_finite(np.where(np.isnan(values), 0.0, values), f"{where}: `{name}`")
        return values
    return None


def _require_finite(values: Array, what: str) -> None:
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        place = tuple(bad[0].tolist())
        raise KanError(
            f"{what}[{', '.join(map(str, place))}] is {values[place]}",
            remedy="leave out samples that are not finite",
        )


def _labels(
    where: str, arrays: Mapping[str, Array], names: tuple[str, ...], samples: int
) -> Array | None:
    for name in names:
        if name not in arrays:
            continue
        labels = arrays[name]
        if labels.dtype.kind == "b":
            labels = labels.astype(np.int64)
        if labels.dtype.kind != "U":
            require_numbers(labels, f"{where}: `{name}`")
        if labels.ndim == 0 or labels.shape[0] != samples:
            raise KanError(
                f"{where}: `{name}` must hold {samples} labels, got {labels.dtype} of shape "
                f"{labels.shape}"
            )
        if labels.dtype.kind != "U":
            _require_finite(labels, f"{where}: `{name}`")
        return labels
    return None


def require_numbers(labels: Array, what: str) -> None:
    """Refuse labels that are no numbers: which output a word means is not known here.

    Raises
    ------
    KanError : they are text, dates or objects.
    """
    if labels.dtype.kind in "fiub":
        return
    text = labels.dtype.kind in "USO"
    raise KanError(
        f"{what} holds {'text' if text else labels.dtype}, not numbers",
        remedy="number the classes as the network's outputs are: 0, 1, ..., as by "
        "np.unique(labels, return_inverse=True)[1]",
    )


def classes(outputs: Array) -> Array:
    """Predicted classes (samples): the first largest output; of one output, 1 where it is > 0."""
    if outputs.shape[1] == 1:
        return (outputs[:, 0] > 0).astype(np.int64)
    return outputs.argmax(axis=1)


def accuracy(outputs: Array, labels: Array) -> float | None:
    """Share of samples whose class is right; None where the labels are targets, not classes."""
    if labels.dtype.kind == "f":
        return None
    flat = labels.reshape(len(labels), -1)
    if flat.shape[1] != 1:
        return None
    return float((classes(outputs) == flat[:, 0]).mean())


def mean_squared_error(outputs: Array, targets: Array) -> float | None:
    """Of float targets; None where they are classes or of another shape."""
    flat = targets.reshape(len(targets), -1)
    if targets.dtype.kind != "f" or flat.shape != outputs.shape:
        return None
    return float(np.mean((outputs - flat) ** 2))


@dataclass(frozen=True)
class Errors:
    """Errors of outputs against targets, over all samples and outputs, in the outputs' unit.

    Parameters
    ----------
    rmse : root of the mean squared error.
    r2 : share of the targets' variance that is explained, 1 - rmse² / variance, where the variance
        is about each output's mean; None of targets that do not vary.
    max_error : largest absolute error.
    """

    rmse: float
    r2: float | None
    max_error: float

    @staticmethod
    def of(outputs: Array, targets: Array) -> Errors:
        """Errors of outputs (samples, out) against targets (samples, out)."""
        apart = outputs - targets
        squared = float((apart**2).mean())
        variance = float(((targets - targets.mean(axis=0)) ** 2).mean())
        return Errors(
            squared**0.5,
            1.0 - squared / variance if variance else None,
            float(np.abs(apart).max(initial=0.0)),
        )

    def as_dict(self) -> dict[str, float]:
        """Figures by name, as `report.json` has them; what is not known is absent."""
        figures = {"rmse": self.rmse, "r2": self.r2, "max_error": self.max_error}
        return {name: figure for name, figure in figures.items() if figure is not None}


def load_array(path: Path, what: str) -> Array:
    """A single array from an `.npy` file.

    Raises
    ------
    KanError : the file does not exist, or is not an array of numbers.
    """
    if not path.exists():
        raise KanError(f"there is no {what} file {path}")
    try:
        loaded: Any = np.load(path, allow_pickle=False)
    except Exception as error:  # Damaged headers make NumPy raise anything.
        raise KanError(f"cannot read {path} as .npy: {_first_line(error)}") from None
    if not isinstance(loaded, np.ndarray):
        raise KanError(f"{path} is an archive", remedy=f"give the {what} as a single .npy array")
    return cast(Array, loaded)
