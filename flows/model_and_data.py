"""A model with the data that it is compiled and checked with."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.files.data_sets import Dataset, RawData, read_samples
from kan_dialect.frontends.frontend import KEEP, ImportOptions
from kan_dialect.frontends.loading import load_model, options_for, rename
from kan_dialect.model.data_columns import dataset_for
from kan_dialect.model.model import Model


class Loaded(NamedTuple):
    """A model, and its data if there is any."""

    module: ModuleOp
    dataset: Dataset | None
    reading: ImportOptions
    """How the model was read."""


def load_with_data(
    context: Context,
    path: Path,
    data: RawData | None,
    *,
    name: str | None = None,
    strip_head: bool = False,
    table_overflow: str = KEEP,
) -> Loaded:
    """Load a model, with the samples where its frontend takes them, and the data as it reads it.

    Raises
    ------
    KanError : a file cannot be read, the frontend does not take an option, or the data does not fit
        the model.
    """
    samples = None
    if data is not None and "samples" in options_for(path):
        data = samples = read_samples(data)
    reading = ImportOptions(
        strip_head,
        None if samples is None else samples.x,
        table_overflow,
        None if samples is None else samples.x_test,
    )
    module = load_model(context, path, reading)
    rename(module, name)
    dataset = None if data is None else dataset_for(Model.of(module).op, data)
    return Loaded(module, dataset, reading)
