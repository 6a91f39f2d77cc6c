"""The model and the data that a command compiles."""

from __future__ import annotations

import argparse

from xdsl.dialects.builtin import ModuleOp

from kan_dialect.cli.import_options import build_import_options
from kan_dialect.files.data_sets import Dataset, load_dataset
from kan_dialect.flows.build import require_name
from kan_dialect.frontends.loading import load_model, make_context, rename
from kan_dialect.model.model import Model


def read_model(options: argparse.Namespace) -> tuple[ModuleOp, Dataset | None]:
    """The model and the calibration data on the command line, see `add_compiled_model`.

    Raises
    ------
    KanError : a file cannot be read, or the name cannot be that of a module.
    """
    dataset = None if options.calibration is None else load_dataset(options.calibration)
    reading = build_import_options(options, options.model, dataset)
    module = load_model(make_context(), options.model, reading)
    rename(module, options.name)
    require_name(Model.of(module).name)
    return module, dataset
