"""The networks of a comparison: IR and data as text and arrays, which other machines can read."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from kan_dialect.errors import KanError
from kan_dialect.files.data_sets import Dataset, load_dataset
from kan_dialect.flows.benchmark_set.networks import SetNetwork
from kan_dialect.flows.samples import Samples
from kan_dialect.frontends.frontend import NO_OPTIONS, ImportOptions, find_frontends
from kan_dialect.frontends.loading import load_model, make_context, options_for
from kan_dialect.ir.constants import Array
from kan_dialect.model.data_columns import join_names
from kan_dialect.model.model import Model


@dataclass(frozen=True)
class Network:
    """A network to compile, with its data."""

    name: str
    ir: str
    has_floats: bool
    """The network is at spline level, so that a pipeline chooses its bits."""
    calibration: Samples | None
    """Samples that passes may use; None without data."""
    scored: Samples | None
    """Samples that accuracy is measured on: the test set, else those of the calibration."""

    @property
    def calibration_data(self) -> dict[str, Array]:
        """What a data file of the calibration samples holds."""
        if self.calibration is None:
            return {}
        found = {"x": self.calibration.x, "y": self.calibration.y}
        return {name: array for name, array in found.items() if array is not None}

    @cached_property
    def digest(self) -> str:
        """Another one for another network or other data."""
        whole = hashlib.sha256(self.ir.encode())
        for samples in (self.calibration, self.scored):
            for array in () if samples is None else (samples.x, samples.y):
                whole.update(b"-" if array is None else f"{array.dtype.str} {array.shape}".encode())
                whole.update(b"" if array is None else np.ascontiguousarray(array).tobytes())
        return whole.hexdigest()


def load_network(path: Path, data: Path | None = None, name: str | None = None) -> Network:
    """Read a network from a model's file.

    Parameters
    ----------
    data : its data file; by default the `.npz` of the same name beside the model, if there is one.

    Raises
    ------
    KanError : a file cannot be read, they do not fit, or the model is hardware already.
    """
    takes = options_for(path)
    beside = path.with_suffix(".npz")
    data = beside if data is None and beside.exists() else data
    dataset = None if data is None else load_dataset(data)
    options = NO_OPTIONS
    if dataset is not None and "samples" in takes:
        options = ImportOptions(samples=dataset.x, test_samples=dataset.x_test)
    module = load_model(make_context(), path, options)
    model = Model.of(module)
    if model.level == "hardware":
        raise KanError(
            f"{path}: @{model.name} is hardware already", remedy="give the model, or earlier IR"
        )
    if dataset is not None:
        join_names(model.op, dataset)
    return _network(name or model.name, str(module), model, dataset)


def _network(name: str, ir: str, model: Model, dataset: Dataset | None) -> Network:
    has_floats = model.level == "spline"
    calibration = scored = None
    if dataset is not None:
        calibration = Samples(dataset.x, dataset.y)
        scored = calibration
        if dataset.x_test is not None:
            scored = Samples(dataset.x_test, dataset.y_test)
        if has_floats:
            scored = Samples(scored.x, scored.y, model.run(scored.x))
    return Network(name, ir, has_floats, calibration, scored)


def load_set(networks: Sequence[SetNetwork]) -> list[Network]:
    """Networks of the benchmark set."""
    with tempfile.TemporaryDirectory(prefix="kan-set-") as folder:
        found: list[Network] = []
        for network in networks:
            files = network.make()
            for name, content in files.items():
                place = Path(folder) / name
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(content)
            data = Path(folder) / network.data if network.data in files else None
            found.append(load_network(Path(folder) / network.model, data, network.name))
    return found


def models_in(path: Path) -> list[Path]:
    """A model's file, or the models in a folder and one folder below, by name.

    Raises
    ------
    KanError : the folder has no model.
    """
    if not path.is_dir():
        return [path]
    kinds = {".mlir", *find_frontends()} - {".json"}
    found = [each for each in path.glob("*") if each.suffix in kinds]
    found += path.glob("*/truth_tables.json")
    if not found:
        raise KanError(f"there is no model in the folder {path}")
    return sorted(found)
