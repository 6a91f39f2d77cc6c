"""`kan-run`: evaluates a model of any level on samples and prints accuracy or differences."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from kan_dialect import __version__
from kan_dialect.cli.error_messages import ArgumentParser, run_tool
from kan_dialect.cli.import_options import add_import_options, import_options
from kan_dialect.cli.standard_streams import read_standard_input
from kan_dialect.errors import KanError
from kan_dialect.files.atomic import check_writable, write_array
from kan_dialect.files.data_sets import (
    Errors,
    accuracy,
    flat_samples,
    load_array,
    mean_squared_error,
    require_numbers,
)
from kan_dialect.frontends.frontend import ImportOptions
from kan_dialect.frontends.loading import (
    IR_READER,
    load_model,
    load_original,
    load_text,
    make_context,
    options_for,
)
from kan_dialect.ir.constants import Array
from kan_dialect.model.data_columns import dataset_for
from kan_dialect.model.model import Model


def _parser() -> argparse.ArgumentParser:
    parser = ArgumentParser(
        prog="kan-run",
        description="Evaluate a model of any level: IR at spline, table, wire or hardware level, "
        "or a model file that a frontend reads.",
    )
    parser.add_argument("model", type=Path, help="IR (.mlir; - is standard input) or a model file")
    parser.add_argument(
        "--inputs",
        type=Path,
        metavar="X",
        help=".npy (samples, inputs), .npz or .csv",
    )
    parser.add_argument("--outputs", type=Path, metavar="Y", help="write the outputs here, .npy")
    parser.add_argument(
        "--labels", type=Path, metavar="L", help=".npy: classes (integers) or targets (floats)"
    )
    parser.add_argument(
        "--against",
        type=Path,
        metavar="OTHER",
        help="a second model to compare the outputs with; ONNX Runtime computes an ONNX file",
    )
    parser.add_argument(
        "--codes", action="store_true", help="inputs and outputs are integer codes, not numbers"
    )
    add_import_options(parser)
    parser.add_argument("--function", metavar="NAME", help="the function to evaluate, of several")
    parser.add_argument("--version", action="version", version=f"kan-run {__version__}")
    return parser


STANDARD_INPUT = Path("-")


def _load(context: Context, path: Path, reading: ImportOptions) -> ModuleOp:
    """A model from its file, or IR from standard input."""
    if path != STANDARD_INPUT:
        return load_model(context, path, reading)
    reading.require_none("standard input", IR_READER)
    return load_text(context, read_standard_input(), "<stdin>")


def _options_for(path: Path) -> frozenset[str]:
    """Names of the options that the import of a model takes."""
    return frozenset() if path == STANDARD_INPUT else options_for(path)


def _inputs(options: argparse.Namespace, model: Model) -> tuple[Array, Array | None]:
    """Samples (samples, inputs), and labels (samples, ...) or None."""
    path: Path | None = options.inputs
    labels: Array | None = None
    if path is None:
        raise KanError("no samples to evaluate", remedy="give --inputs X.npy")
    if path.suffix.lower() in (".npz", ".csv"):
        dataset = dataset_for(model.op, path)
        x, labels = dataset.x, dataset.y
        if dataset.x_test is not None:
            x, labels = dataset.x_test, dataset.y_test
        if options.codes:
            x = x.astype(np.int64)
    else:
        x = flat_samples(load_array(path, "input"))
    if options.labels is not None:
        labels = load_array(options.labels, "label")
        require_numbers(labels, str(options.labels))
    if labels is not None and len(labels) != len(x):
        raise KanError(f"{len(labels)} labels for {len(x)} samples")
    if x.ndim != 2 or x.dtype.kind not in "fiub":
        raise KanError(f"inputs must have shape (samples, features), got {x.dtype} {x.shape}")
    return x, labels


def _evaluate(model: Model, x: Array, *, codes: bool) -> Array:
    if not codes:
        return model.run(x.astype(np.float64))
    if x.dtype.kind == "f":
        raise KanError("--codes takes integers, the inputs are floats")
    return model.run_codes(x.astype(np.int64))


def _main(arguments: Sequence[str] | None) -> int:
    options = _parser().parse_args(arguments)
    if options.outputs is not None:
        read = (options.model, options.inputs, options.labels, options.against, options.samples)
        check_writable(options.outputs, read)
    if options.model == options.against == STANDARD_INPUT:
        raise KanError("both models are standard input", remedy="name a file for one of them")
    context = make_context()
    reading = import_options(options)
    against: Path | None = options.against
    # The two models may take different options, for example a model file and its IR. Each gets
    # the options that it takes. The first model refuses an option that neither takes.
    others = frozenset[str]() if against is None else _options_for(against)
    module = _load(context, options.model, reading.without(others - _options_for(options.model)))
    model = Model.of(module, options.function)
    if options.inputs is None and against is None:
        print(f"{model.name}: {model.level} level")
        return 0
    x, labels = _inputs(options, model)
    started = time.perf_counter()
    outputs = _evaluate(model, x, codes=options.codes)
    seconds = time.perf_counter() - started
    print(
        f"{model.name}: {model.level} level, {len(x)} samples, {x.shape[1]} inputs, "
        f"{outputs.shape[1]} outputs, {len(x) / max(seconds, 1e-9):.3g} samples/s"
    )
    if labels is not None:
        _print_score(outputs, labels)
    if options.outputs is not None:
        write_array(options.outputs, outputs)
    if against is not None:
        its = reading.without(reading.given - others)
        from_ir = options.codes or against == STANDARD_INPUT
        original = None if from_ir else load_original(against, its)
        if original is not None:
            found = original.run(x.astype(np.float64))
            return _print_differences(options, outputs, original.engine, found)
        other = Model.of(_load(context, against, its))
        found = _evaluate(other, x, codes=options.codes)
        return _print_differences(options, outputs, f"{other.level} level", found)
    return 0


def _print_score(outputs: Array, labels: Array) -> None:
    share, error = accuracy(outputs, labels), mean_squared_error(outputs, labels)
    if share is not None:
        print(f"accuracy: {share:.4f} ({round(share * len(labels))} of {len(labels)})")
    elif error is not None:
        print(f"mean squared error: {error:.6g}")
        found = Errors.of(outputs, labels.reshape(len(labels), -1))
        explained = "" if found.r2 is None else f"R²: {found.r2:.6g}, "
        print(f"RMSE: {found.rmse:.6g}, {explained}largest error: {found.max_error:.6g}")
    else:
        raise KanError(
            f"labels of shape {labels.shape} do not fit outputs of shape {outputs.shape}"
        )


def _print_differences(
    options: argparse.Namespace, outputs: Array, what: str, others: Array
) -> int:
    """Print differences; the exit code, 1 where codes differ. Floats may differ by quantisation."""
    if outputs.shape != others.shape:
        raise KanError(f"the models give {outputs.shape[1]} and {others.shape[1]} outputs")
    difference = np.abs(outputs - others)
    differing = np.flatnonzero((difference > 0).any(axis=1))
    print(
        f"against {options.against} ({what}): {len(differing)} of {len(outputs)} "
        f"samples differ, largest difference {difference.max(initial=0):.6g}, "
        f"mean {difference.mean() if difference.size else 0:.6g}"
    )
    if differing.size:
        first = int(differing[0])
        print(
            f"first at sample {first}: {outputs[first].tolist()} and {others[first].tolist()}",
        )
    return int(bool(differing.size) and options.codes)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Entry point of `kan-run`."""
    sys.exit(run_tool("kan-run", lambda: _main(arguments)))


if __name__ == "__main__":
    main()
