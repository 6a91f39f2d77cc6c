"""`train`: networks trained for hardware, from Python."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from kan_dialect.api.data import Data, read_data
from kan_dialect.api.messages import as_kan_errors
from kan_dialect.errors import KanError
from kan_dialect.files.data_sets import Dataset
from kan_dialect.files.growing_folder import GrowingFolder
from kan_dialect.qat.folder import TRAIN, Checkpoint, digest_of, write_results
from kan_dialect.qat.front import choose
from kan_dialect.qat.training import State, Trained, Training, TrainingOptions

SAVE_SECONDS = 20.0
"""Time from one checkpoint to the next."""


def train(
    data: Data,
    options: TrainingOptions | None = None,
    *,
    folder: str | Path | None = None,
    force: bool = False,
    progress: Callable[[State], None] = lambda _: None,
) -> Trained:
    """Train networks whose bits are learned together with their functions.

    The price of a LUT rises while they train, so one training gives a front of networks, from
    accurate to small.

    Parameters
    ----------
    data : samples and labels. Integer labels are classes, others are numbers. A test set is only
        evaluated for the chosen network.
    folder : where results go; a training that was stopped goes on from its checkpoint there.
    force : begin anew where the folder has a training of other data or options.
    progress : is told after each step.

    Raises
    ------
    KanError : the data has no labels or too few samples; no network is as small as
        `options.max_luts`; the folder is not that of a training, or of another one.
    """
    options = options or TrainingOptions()
    with as_kan_errors():
        dataset = read_data(data)
        where = str(data) if isinstance(data, str | Path) else "data"
        training = Training(dataset, options, where)
        if folder is None:
            return run_training(training, dataset, options, None, progress)
        written = GrowingFolder(Path(folder), TRAIN, force=force)
        written.create()
        checkpoint = Checkpoint(written, digest_of(dataset, options), force=force)
        trained = run_training(training, dataset, options, checkpoint, progress)
        write_results(trained, options, written)
        return trained


def run_training(
    training: Training,
    dataset: Dataset,
    options: TrainingOptions,
    checkpoint: Checkpoint | None,
    progress: Callable[[State], None],
    compiled: Callable[[int, int], None] = lambda _done, _of: None,
) -> Trained:
    """Train, compile the front and choose; goes on from the checkpoint where there is one.

    Parameters
    ----------
    compiled : is told how many networks of the front are compiled.

    Raises
    ------
    KanError : see `train`.
    """
    start = saved = time.monotonic()
    if checkpoint is not None:
        checkpoint.restore(training)
    for state in training.run():
        progress(state)
        if checkpoint is not None and time.monotonic() - saved > SAVE_SECONDS:
            checkpoint.save(training)
            saved = time.monotonic()
    if checkpoint is not None:
        checkpoint.save(training)
    front = training.front(compiled)
    chosen = choose(front, options.max_luts)
    if chosen is None:
        least = min(point.luts for point in front)
        raise KanError(
            f"no network has at most {options.max_luts} LUTs; the smallest has {least}",
            remedy="allow more LUTs, or raise the last price",
        )
    test = None
    if dataset.x_test is not None and dataset.y_test is not None:
        test = training.score(chosen.network, dataset.x_test, dataset.y_test)
    seconds = time.monotonic() - start
    return Trained(tuple(front), chosen, test, training.objective.is_classes, seconds)
