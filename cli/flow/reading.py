"""The model and the data that a command compiles."""

from __future__ import annotations

import argparse

from xdsl.dialects.builtin import ModuleOp

from kan_dialect.files.data_sets import Dataset
from kan_dialect.flows.build import require_name
from kan_dialect.flows.model_and_data import load_with_data
from kan_dialect.frontends.loading import make_context
from kan_dialect.model.model import Model


def read_model(options: argparse.Namespace) -> tuple[ModuleOp, Dataset | None]:
    """The model and the calibration data on the command line, see `add_compiled_model`.

    Raises
    ------
    KanError : a file cannot be read, or the name cannot be that of a module.
    """
    loaded = load_with_data(
        make_context(),
        options.model,
        options.calibration,
        name=options.name,
        strip_head=options.strip_head,
        table_overflow=options.table_overflow,
    )
    require_name(Model.of(loaded.module).name)
    return loaded.module, loaded.dataset
