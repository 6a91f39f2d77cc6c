"""The folder of a training: checkpoints of its runs, and the networks of its front."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from kan_dialect import __version__
from kan_dialect.errors import KanError
from kan_dialect.files.growing_folder import GrowingFolder
from kan_dialect.flows.json_text import json_text
from kan_dialect.qat.descent import Run
from kan_dialect.qat.judge import HeldOut
from kan_dialect.qat.metrics import precisions, recalls
from kan_dialect.qat.monotone import property_text
from kan_dialect.qat.options import MONOTONE, NETWORK, TrainingOptions
from kan_dialect.qat.page import PAGE, training_page
from kan_dialect.qat.results import Point, Trained
from kan_dialect.qat.start import Given
from kan_dialect.qat.table import Table

COLUMNS = ("seed", "price", "luts", "registers", "levels", "score", "error", "loss", "loss_error")
"""Columns of `front.csv`, attributes of `Point`."""


def digest_of(table: Table, options: TrainingOptions, given: Given) -> str:
    """A digest of all that a training's result depends on, but for the versions of libraries."""
    found = hashlib.sha256(repr((options, __version__, given.digest)).encode())
    for array in (table.dataset.x, table.dataset.y, table.group, table.time, table.weights):
        if array is not None:
            found.update(repr((array.shape, array.dtype.str)).encode())
            found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def packed_run(run: Run, digest: str) -> bytes:
    """The state of a run as a file."""
    buffer = io.BytesIO()
    torch.save({"digest": digest, "done": run.is_done, "state": run.state()}, buffer)
    return buffer.getvalue()


@dataclass(frozen=True)
class Checkpoints:
    """The states of runs in a folder."""

    folder: GrowingFolder
    force: bool = False
    """Whether states that are damaged, or of other data or options, are passed over."""

    def read(self, seed: int, index: int, digest: str) -> dict[str, Any] | None:
        """What is known of a run: `done`, and its `state`; None if nothing is.

        Raises
        ------
        KanError : it is of other data or options, or damaged, and `force` is not set.
        """
        path = self.folder.path / _file(seed, index)
        if not path.exists():
            return None
        try:
            found: dict[str, Any] = torch.load(path, weights_only=True)
            known, _ = found["digest"], found["state"]
        except Exception as error:  # PyTorch's reader raises anything for damaged files.
            if self.force:
                return None
            first = (str(error).splitlines() or [""])[0]
            raise KanError(
                f"cannot read the checkpoint {path}: {first}",
                remedy="--force begins anew",
            ) from None
        if known != digest:
            if self.force:
                return None
            raise KanError(
                f"{self.folder.path} has a training of other data or with other options",
                remedy="give another folder, or --force to begin anew",
            )
        return found

    def write(self, seed: int, index: int, content: bytes) -> None:
        """Write the file of a run, see `packed_run`."""
        self.folder.write(_file(seed, index), content)


def _file(seed: int, index: int) -> str:
    return f"runs/{seed}-{index}.pt"


def write_results(
    trained: Trained, options: TrainingOptions, table: Table, folder: GrowingFolder
) -> None:
    """Write the front's networks as IR, its figures, the chosen network, and the page.

    Raises
    ------
    KanError : the folder cannot be written.
    """
    for index, point in enumerate(trained.front):
        folder.write(f"front/{index}.mlir", point.network.text())
    folder.write(NETWORK, trained.network.text())
    if options.monotone:
        outputs = [port.name for port in trained.network.outputs]
        folder.write(MONOTONE, property_text(options.monotone, outputs))
    folder.write("front.csv", _table(trained.front))
    folder.write("training.json", json_text(_record(trained, options)))
    folder.write(PAGE, training_page(trained, options, table))


def _table(front: Sequence[Point]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("file", *COLUMNS))
    for index, point in enumerate(front):
        writer.writerow((f"front/{index}.mlir", *(getattr(point, name) for name in COLUMNS)))
    return text.getvalue()


def _quality(trained: Trained, figures: HeldOut) -> dict[str, Any]:
    """What samples say of the chosen network."""
    found: dict[str, Any] = {trained.score_name: figures.score, "standard_error": figures.error}
    if figures.confusion is not None:
        matrix = figures.confusion
        for name, shares in (("recall", recalls(matrix)), ("precision", precisions(matrix))):
            pairs = zip(trained.class_names, shares.tolist(), strict=True)
            found[name] = {each: share for each, share in pairs if share == share}
        found["confusion"] = matrix.tolist()
    r2 = trained.r2(figures)
    return found if r2 is None else {**found, "r2": r2}


def _record(trained: Trained, options: TrainingOptions) -> dict[str, Any]:
    return {
        "versions": {"kan-dialect": __version__, "torch": str(torch.__version__)},
        "options": dataclasses.asdict(options),
        "chosen": f"front/{trained.front.index(trained.chosen)}.mlir",
        "score": trained.score_name,
        "threshold": trained.chosen.held_out.threshold,
        "held_out": _quality(trained, trained.chosen.held_out),
        "test": None if trained.test is None else _quality(trained, trained.test),
        "repeated_samples": trained.repeated,
        "seeds": [{name: getattr(point, name) for name in COLUMNS} for point in trained.seeds],
        "seconds": round(trained.seconds, 1),
    }
