"""The networks of a comparison: model files with their data, and the benchmark set."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from kan_dialect.errors import KanError
from kan_dialect.flows.benchmark_set.networks import SetNetwork
from kan_dialect.flows.model_and_data import load_with_data
from kan_dialect.flows.samples import Samples
from kan_dialect.flows.trials.networks import Network, model_of, with_reference
from kan_dialect.frontends.frontend import find_frontends
from kan_dialect.frontends.loading import make_context

SCORED = "scored"
"""The samples that accuracy is measured on: the test set, else those of the calibration."""


def load_network(path: Path, data: Path | None = None, name: str | None = None) -> Network:
    """Read a network from a model's file.

    Parameters
    ----------
    data : its data file; by default the `.npz` of the same name beside the model, if there is one.

    Raises
    ------
    KanError : a file cannot be read, they do not fit, or the model is hardware already.
    """
    beside = path.with_suffix(".npz")
    data = beside if data is None and beside.exists() else data
    module, dataset, _ = load_with_data(make_context(), path, data)
    model = model_of(module)
    about = (name or model.name, str(module), model.has_codes)
    if dataset is None:
        return Network(*about)
    calibration = scored = Samples(dataset.x, dataset.y, classes=dataset.schema.classes)
    if dataset.x_test is not None:
        scored = Samples(dataset.x_test, dataset.y_test)
    return Network(*about, calibration, {SCORED: with_reference(model, scored)}, scored.x)


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
