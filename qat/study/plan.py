"""What a study asks for: STUDY.toml, or the same as a mapping.

This file imports no PyTorch.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from kan_dialect.errors import KanError
from kan_dialect.files.data_sets import load_arrays
from kan_dialect.flows.study.data import sklearn_set
from kan_dialect.flows.trials.points import Axis, Point, grid
from kan_dialect.ir.constants import Array
from kan_dialect.passbase.option_bounds import SHARE, Bounds, bounded, require_bounds
from kan_dialect.passbase.pipeline import suggestion
from kan_dialect.qat.api import options_of
from kan_dialect.qat.options import TrainingOptions
from kan_dialect.qat.table import TableOptions, columns_read

_FILE = "file"
"""Key of a data set that is no option of training."""


@dataclass(frozen=True)
class Task:
    """One training."""

    data: str
    point: Point
    """Options of the axes."""
    tuned: Point
    """Options that held-out samples choose."""
    options: TrainingOptions
    """All options, the seed among them."""
    given: Mapping[str, Any]
    """The options that differ from the defaults, as `kan_dialect.train` takes them."""


@dataclass(frozen=True)
class Plan:
    """The content of STUDY.toml. Options have the names of `kan-flow train`."""

    data: Mapping[str, Mapping[str, Any]]
    """Options of each data set by its name; `file` is the path of its samples, which without it
    are those of scikit-learn."""
    axes: tuple[Axis, ...]
    """The options that vary, with their values; False leaves an option out, and the last value is
    the reference."""
    title: str = "Study"
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Options of all trainings."""
    tuned: tuple[Axis, ...] = ()
    """Options with values to try at each point; held-out samples choose one for all seeds."""
    seeds: int = bounded(5, Bounds(1, 1000))
    """Number of trainings at each point, with the seeds 0, 1, ..."""
    loss: float = bounded(0.01, SHARE)
    """Held-out accuracy, or R², that the choice of a data set may lose against its best point."""
    seconds: float | None = bounded(None, Bounds(0, above=True))
    """Processor time of the steps of a training, in s: their number is what fits; by default it is
    the option `steps`."""
    folder: Path = Path()
    """Folder that files are relative to."""

    def __post_init__(self) -> None:
        require_bounds(self)

    def tasks(self) -> list[Task]:
        """All trainings: data sets, points, tuned options, seeds.

        Raises
        ------
        KanError : an option or its value is unknown; the message names the data set and the point.
        """
        points, tries = grid(self.axes), grid(self.tuned)
        return [
            self._task(name, point, tuned, seed)
            for name in self.data
            for point in points
            for tuned in tries
            for seed in range(self.seeds)
        ]

    def _task(self, name: str, point: Point, tuned: Point, seed: int) -> Task:
        own = {key: value for key, value in self.data[name].items() if key != _FILE}
        given: dict[str, Any] = {}
        # The narrower one wins.
        for part in (self.options, own, dict(point.options), dict(tuned.options), {"seed": seed}):
            given |= {key.replace("-", "_"): value for key, value in part.items()}
        given = {key: value for key, value in given.items() if value is not False}
        try:
            options = options_of(None, {"name": "network", **given})
        except KanError as error:
            raise KanError(f"{name}, {point}: {error.message}", remedy=error.remedy) from None
        return Task(name, point, tuned, options, given)

    def read(self) -> dict[str, dict[str, Array]]:
        """The arrays of each data set, as a data file has them, with a test set.

        Raises
        ------
        KanError : a file cannot be read, or has no test set; a data set is unknown.
        """
        first = {task.data: task.options for task in reversed(self.tasks())}
        return {name: self._read(name, options.table) for name, options in first.items()}

    def _read(self, name: str, options: TableOptions) -> dict[str, Array]:
        file = self.data[name].get(_FILE)
        if file is None:
            return sklearn_set(name)
        found = load_arrays(self.folder / file, columns_read(options))
        if not {"x_test", "y_test"} <= found.keys():
            raise KanError(
                f"{file} has no test set",
                remedy="give arrays x_test and y_test, or a column split (train, test)",
            )
        return found


def read_plan(given: str | Path | Mapping[str, Any]) -> Plan:
    """The plan of a study.

    Parameters
    ----------
    given : path of STUDY.toml, or its content.

    Raises
    ------
    KanError : the file cannot be read; a table or a key is unknown or missing; a value is of
        another type.
    """
    if isinstance(given, Mapping):
        return _plan(given, Path())
    path = Path(given)
    try:
        content = tomllib.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise KanError(f"cannot read {path}: {error}") from None
    try:
        return _plan(content, path.parent)
    except KanError as error:
        raise KanError(f"{path}: {error.message}", remedy=error.remedy) from None


_TYPES: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("data", "axes", "options", "tuned"), (dict,)),
    "title": (str,),
    "seeds": (int,),
    **dict.fromkeys(("loss", "seconds"), (int, float)),
}


def _plan(content: Mapping[str, Any], folder: Path) -> Plan:
    for key, value in content.items():
        if key not in _TYPES:
            names = sorted(_TYPES)
            raise KanError(f"there is no key {key}", remedy=suggestion(key, names, "keys", names))
        if not isinstance(value, _TYPES[key]) or isinstance(value, bool):
            raise KanError(f"{key} cannot be {value!r}")
    data = cast("dict[str, Any]", content.get("data", {}))
    if not data or not all(isinstance(each, dict) for each in data.values()):
        raise KanError("there is no data set", remedy="give a table for each, as [data.wine]")
    found = {key: content[key] for key in ("title", "seeds", "loss", "seconds") if key in content}
    return Plan(
        data=data,
        axes=_axes(content.get("axes", {})),
        tuned=_axes(content.get("tuned", {})),
        options=content.get("options", {}),
        folder=folder,
        **found,
    )


def _axes(table: Mapping[str, Any]) -> tuple[Axis, ...]:
    for name, values in table.items():
        if not isinstance(values, list) or not values:
            raise KanError(
                f"{name} has no list of values", remedy=f"give a list, as {name} = [1, 2, 4]"
            )
    return tuple(Axis(name, tuple(values)) for name, values in _plain(table).items())


def _plain(value: Any) -> Any:
    """The value with tuples as inner lists, which can be compared and hashed."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return tuple(_plain(each) for each in cast("list[Any]", value))
    return value
