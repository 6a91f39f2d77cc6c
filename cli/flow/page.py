"""`kan-flow report` and `kan-flow view`: pages to look at, of a build and of a model."""

from __future__ import annotations

import argparse
from pathlib import Path

from kan_dialect.cli.import_options import (
    add_import_options,
    add_name,
    import_options,
)
from kan_dialect.errors import KanError
from kan_dialect.files.atomic import write_atomically
from kan_dialect.flows.page.page import model_page, render_again
from kan_dialect.frontends.loading import load_model, make_context, rename


def add_report(parser: argparse.ArgumentParser) -> None:
    """Options of `kan-flow report`."""
    parser.description = (
        "Write report.html of a build again, from its report.json and ir/. Commands that add "
        "figures to report.json do it by themselves."
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="what kan-flow build wrote")


def run_report(options: argparse.Namespace) -> int:
    """Run `kan-flow report`."""
    print(f"written to {render_again(options.folder)}")
    return 0


def add_view(parser: argparse.ArgumentParser) -> None:
    """Options of `kan-flow view`."""
    parser.description = (
        "Write a page that shows a model's network, without building it: its layers, and each edge "
        "with its function or table."
    )
    parser.add_argument("model", type=Path, help="a model file (.onnx, ...) or IR (.mlir)")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE", help="the page (.html)"
    )
    add_name(parser)
    add_import_options(parser)


def run_view(options: argparse.Namespace) -> int:
    """Run `kan-flow view`."""
    if options.output.suffix not in (".html", ".htm"):
        raise KanError(
            f"{options.output} is no name of a page", remedy="give one that ends with .html"
        )
    module = load_model(make_context(), options.model, import_options(options))
    rename(module, options.name)
    write_atomically(options.output, model_page(module))
    print(f"written to {options.output}")
    return 0
