"""`train`: networks trained for hardware, from Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from kan_dialect.api.data import Data, raw_data
from kan_dialect.api.loading import from_ir, load
from kan_dialect.api.messages import as_kan_errors
from kan_dialect.api.network import Network
from kan_dialect.api.options import split_options, with_options
from kan_dialect.deferred import DeferredModule
from kan_dialect.errors import KanError
from kan_dialect.extras import require_torch
from kan_dialect.files.data_sets import UNSAVED, Dataset
from kan_dialect.files.folder_ownership import Owner
from kan_dialect.files.growing_folder import GrowingFolder
from kan_dialect.flows.trials.processes import local_runner
from kan_dialect.frontends.frontend import NO_OPTIONS
from kan_dialect.frontends.loading import load_original
from kan_dialect.frontends.naming import identifier
from kan_dialect.frontends.torch_module import module_original
from kan_dialect.ir.constants import FloatArray
from kan_dialect.lowering.systemverilog.names import module_name
from kan_dialect.passbase.option_bounds import Bounds
from kan_dialect.qat.option_types import TrainOptionTypes
from kan_dialect.qat.options import Schedule, TrainingOptions
from kan_dialect.qat.results import State, Trained
from kan_dialect.qat.sizes import widths_of
from kan_dialect.qat.table import Table, TableOptions, read_table
from kan_dialect.qat.workers import Workers

if TYPE_CHECKING:
    from kan_dialect.qat import running
else:
    # It imports PyTorch, which takes seconds and may be missing.
    running = DeferredModule("kan_dialect.qat.running")

TRAIN = Owner("kan-flow train")
JOBS = Bounds(1, 1024)


TRAINED: Mapping[str, type[Any]] = {
    "table": TableOptions,
    "training": TrainingOptions,
    "schedule": Schedule,
}
"""What declares the options of `train`."""
NOT_TRAINED = ("schedule", "table")
"""Fields of these that are no options."""


@with_options(TRAINED, NOT_TRAINED)
def train(
    data: Data,
    options: TrainingOptions | None = None,
    *,
    folder: str | Path | None = None,
    force: bool = False,
    start: object = None,
    teacher: object = None,
    jobs: int = 1,
    progress: Callable[[State], None] = lambda _: None,
    **given: Unpack[TrainOptionTypes],
) -> Trained:
    """Train networks whose bits are learned together with their functions.

    The price of a LUT rises while they train, so one training gives a front of networks, from
    accurate to small. Needs PyTorch.

    Parameters
    ----------
    data : samples and labels. Integer labels and text are classes, others are numbers, if `task`
        does not say otherwise. NaN is a missing value. A test set is only evaluated for the chosen
        network.
    options : all options as an object, in place of `given`.
    folder : where results go; a training that was stopped goes on from its checkpoint there.
    force : begin anew where the folder has a training of other data or options.
    start : a trained Kolmogorov-Arnold network to start from: a `Network`, or what
        `kan_dialect.load` takes. Sizes of hidden layers are its own.
    teacher : a model whose results on the samples are learned beside the labels: a `Network`, a
        `torch.nn.Module`, or the path of a model file. An ONNX model may be of any kind.
    jobs : number of processes. With more than one, a script needs `if __name__ == "__main__"`.
    progress : is told how far the training is.
    **given : options by name, as `kan-flow train` has them: `hidden=(3,)`, `max_luts=200`,
        `steps=4000`.

    Raises
    ------
    KanError : PyTorch is not installed; an option or its value is unknown; the data has
        no labels or too few samples; options of hidden layers are given without hidden layers; no
        network is as small as `max_luts`; the folder is not that of a training, or of another one.
    """
    JOBS.require("jobs", jobs)
    chosen = options_of(options, given)
    return train_by(
        Workers(local_runner(jobs), is_here=jobs == 1),
        read_samples(data, chosen),
        chosen,
        start=start,
        teacher=teacher,
        folder=folder,
        force=force,
        progress=progress,
    )


def read_samples(data: Data, options: TrainingOptions) -> Table:
    """The table that a training learns from.

    Raises
    ------
    KanError : PyTorch is not installed; or see `read_table`.
    """
    require_torch("training")
    with as_kan_errors():
        return read_table(raw_data(data), options.table)


def train_by(
    workers: Workers,
    table: Table,
    options: TrainingOptions,
    *,
    start: object,
    teacher: object,
    folder: str | Path | None,
    force: bool,
    progress: Callable[[State], None],
) -> Trained:
    """Train by given workers; see `train`."""
    with as_kan_errors():
        dataset, where = table.dataset, table.dataset.where
        if options.name is None and where != UNSAVED:
            options = replace(options, name=module_name(identifier(Path(where).stem)))
        written = None if folder is None else GrowingFolder(Path(folder), TRAIN, force=force)
        origin = None if start is None else _network(start, dataset)
        if origin is not None:
            for name, given in {
                "shapes": options.shapes,
                "table-inputs": options.table_inputs,
                "group-sum": options.group_sum or None,
            }.items():
                if given is not None:
                    raise KanError(
                        f"--{name} {given} is given with a model to start from, whose edges "
                        "have functions of their own",
                        remedy=f"leave out --{name}, or give the model as the teacher (--teacher)",
                    )
            options = _sizes_of(origin, options)
            assert origin.data is not None
            # Columns in the order of the network, with its names.
            table, dataset = replace(table, dataset=origin.data), origin.data
        _require_hidden(options)
        results = None if teacher is None else _teacher_results(teacher, dataset)
        return running.train_networks(
            table,
            options,
            where,
            written,
            progress,
            workers,
            None if origin is None else origin.text(),
            results,
            force=force,
        )


def _network(model: object, dataset: Dataset) -> Network:
    if isinstance(model, Network):
        return from_ir(model.text(), data=dataset)
    return load(model, data=dataset)


def _sizes_of(origin: Network, options: TrainingOptions) -> TrainingOptions:
    """The options with the hidden layers of the model to start from.

    Raises
    ------
    KanError : others are asked for, or the model has no chain of layers.
    """
    widths = widths_of(origin)
    if options.hidden not in ((), widths):
        raise KanError(
            f"hidden layers of {options.hidden} nodes are asked for, and the model to start from "
            f"has {widths}",
            remedy="leave out the sizes, or the model",
        )
    return replace(options, hidden=widths)


def _require_hidden(options: TrainingOptions) -> None:
    """Refuse limits of the edges of hidden nodes without hidden layers."""
    limit = options.schedule.fan_in
    if limit is not None and not options.hidden:
        raise KanError(
            f"--fan-in {limit} limits the edges of hidden nodes, and the network has none",
            remedy="give sizes of hidden layers (--hidden), or leave out --fan-in",
        )


def _teacher_results(model: object, dataset: Dataset) -> FloatArray:
    """(samples, results), float64."""
    if isinstance(model, str | Path):
        path = Path(model)
        original = load_original(path, NO_OPTIONS)
        if original is not None:
            return original.run(dataset.x)
    elif not isinstance(model, Network):
        return module_original(model).run(dataset.x)
    network = _network(model, dataset)
    assert network.data is not None
    return network.run(network.data.x)


def options_of(options: TrainingOptions | None, given: Mapping[str, object]) -> TrainingOptions:
    """The options of a training, as an object or by name.

    Raises
    ------
    KanError : they are given both ways; an option or its value is unknown.
    """
    if options is None:
        found = split_options(given, TRAINED, without=NOT_TRAINED)
        schedule, table = Schedule(**found["schedule"]), TableOptions(**found["table"])
        return TrainingOptions(**found["training"], schedule=schedule, table=table)
    if given:
        raise KanError(
            f"options are given as an object and by name: {', '.join(given)}",
            remedy="give them in one way",
        )
    return options
