"""The folder of a training: its checkpoint, and the networks of its front."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from kan_dialect import __version__
from kan_dialect.errors import KanError
from kan_dialect.files.data_sets import Dataset
from kan_dialect.files.folder_ownership import Owner
from kan_dialect.files.growing_folder import GrowingFolder
from kan_dialect.qat.front import Point
from kan_dialect.qat.training import Trained, Training, TrainingOptions

TRAIN = Owner("kan-flow train")
CHECKPOINT = "training.pt"
NETWORK = "network.mlir"
"""The chosen network."""
COLUMNS = ("price", "luts", "registers", "levels", "score", "error")
"""Columns of `front.csv`, fields of `Point`."""


def digest_of(dataset: Dataset, options: TrainingOptions) -> str:
    """A digest of all that a training's result depends on, but for the versions of libraries."""
    found = hashlib.sha256(repr((options, __version__)).encode())
    for array in (dataset.x, dataset.y):
        if array is not None:
            found.update(repr((array.shape, array.dtype.str)).encode())
            found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


class Checkpoint:
    """The state of a training in its folder."""

    def __init__(self, folder: GrowingFolder, digest: str, *, force: bool = False) -> None:
        self._folder, self._digest, self._force = folder, digest, force

    def restore(self, training: Training) -> bool:
        """Go on from the checkpoint; False if there is none.

        Raises
        ------
        KanError : it is of other data or options, and `force` is not set; or it is damaged.
        """
        path = self._folder.path / CHECKPOINT
        if not path.exists():
            return False
        try:
            found: dict[str, Any] = torch.load(path, weights_only=True)
            digest, state = found["digest"], found["state"]
        except Exception as error:  # PyTorch's reader raises anything for damaged files.
            if self._force:
                return False
            first = (str(error).splitlines() or [""])[0]
            raise KanError(
                f"cannot read the checkpoint {path}: {first}",
                remedy="--force begins anew",
            ) from None
        if digest != self._digest:
            if self._force:
                return False
            raise KanError(
                f"{self._folder.path} has a training of other data or with other options",
                remedy="give another folder, or --force to begin anew",
            )
        training.restore(state)
        return True

    def save(self, training: Training) -> None:
        """Write the checkpoint."""
        buffer = io.BytesIO()
        torch.save({"digest": self._digest, "state": training.state()}, buffer)
        self._folder.write(CHECKPOINT, buffer.getvalue())


def write_results(trained: Trained, options: TrainingOptions, folder: GrowingFolder) -> None:
    """Write the front's networks as IR, its figures, and the chosen network.

    Raises
    ------
    KanError : the folder cannot be written.
    """
    for index, point in enumerate(trained.front):
        folder.write(f"front/{index}.mlir", point.network.text())
    folder.write(NETWORK, trained.chosen.network.text())
    folder.write("front.csv", _table(trained.front))
    folder.write("training.json", json.dumps(_record(trained, options), indent=1) + "\n")


def _table(front: Sequence[Point]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("file", *COLUMNS))
    for index, point in enumerate(front):
        writer.writerow((f"front/{index}.mlir", *(getattr(point, name) for name in COLUMNS)))
    return text.getvalue()


def _record(trained: Trained, options: TrainingOptions) -> dict[str, Any]:
    return {
        "versions": {"kan-dialect": __version__, "torch": str(torch.__version__)},
        "options": dataclasses.asdict(options),
        "chosen": f"front/{trained.front.index(trained.chosen)}.mlir",
        "score": "accuracy" if trained.is_classes else "1 - mean squared error / variance",
        "test_score": trained.test_score,
        "seconds": round(trained.seconds, 1),
    }
