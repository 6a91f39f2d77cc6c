"""Frontend of HGQ2's models: Keras and HGQ2 read the file, and da4ml traces its program.

Keras reads the file in its safe mode. The samples set the integer bits of quantisers that wrap, as
HGQ2's `trace_minmax` does for its own compilers.
"""

from __future__ import annotations

import math
import os
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.errors import KanError
from kan_dialect.extras import require_extra
from kan_dialect.frontends.frontend import NO_OPTIONS, Frontend, ImportOptions, Original
from kan_dialect.frontends.programs.file import read_program
from kan_dialect.frontends.programs.frontend import function_name
from kan_dialect.frontends.programs.program import Program
from kan_dialect.frontends.programs.wires import build_module
from kan_dialect.ir.constants import FloatArray
from kan_dialect.quoting import reason


def load_hgq(path: Path, options: ImportOptions = NO_OPTIONS) -> ModuleOp:
    """Import a model at wire level: the integers of the program that da4ml traces.

    Raises
    ------
    KanError : HGQ2 or da4ml is not installed, or refuses the model; there are no samples, or they
        do not fit; or the program cannot be read.
    """
    model = _calibrated(path, options)
    return build_module(_traced(model, path), function_name(path))


def hgq_original(path: Path, options: ImportOptions) -> Original:
    """The model as Keras computes it. It is read when it is run.

    Raises
    ------
    KanError : HGQ2 is not installed.
    """
    _libraries()

    def run(x: FloatArray) -> FloatArray:
        model = _calibrated(path, options)
        outputs: Any = model.predict(_inputs(model, x), verbose=0)
        parts: Any = outputs if len(model.outputs) > 1 else [outputs]
        return np.concatenate([np.reshape(part, (len(x), -1)) for part in parts], axis=1)

    return Original(f"Keras {version('keras')}, HGQ2 {version('hgq2')}", run)


def _calibrated(path: Path, options: ImportOptions) -> Any:
    """The model, with the ranges of the samples."""
    keras, hgq = _libraries()
    if options.samples is None:
        raise KanError(
            f"{path.name}: the ranges of HGQ2's quantisers need samples",
            remedy="give training data, with --calibration or --samples (in Python data)",
        )
    try:
        model = keras.models.load_model(path, compile=False)
    except Exception as error:  # Keras raises what its layers raise.
        remedy = "install the versions of Keras and HGQ2 that wrote the file"
        raise _refused(path, "Keras", error, remedy) from None
    options.check_samples(path.name, sum(_sizes(model)))
    try:
        hgq.trace_minmax(model, _inputs(model, options.samples), verbose=0)
    except Exception as error:
        raise _refused(path, "HGQ2", error) from None
    return model


def _traced(model: Any, path: Path) -> Program:
    """The program of a model, from the file that da4ml writes."""
    converter = require_extra("da4ml.converter", "da4ml", "hgq", _TASK)
    trace = require_extra("da4ml.trace", "da4ml", "hgq", _TASK)
    with TemporaryDirectory() as folder:
        file = Path(folder) / path.name  # which messages name
        try:
            trace.comb_trace(*converter.trace_model(model)).save(file)
        except Exception as error:
            raise _refused(path, "da4ml", error) from None
        return read_program(file)


_TASK = "reading .keras files"

_TRACEABLE = "the model must have layers of HGQ2 that da4ml traces"


def _libraries() -> tuple[Any, Any]:
    """Keras, and HGQ2's utilities. Keras computes with JAX where the user says nothing else."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    keras = require_extra("keras", "Keras", "hgq", _TASK)
    require_extra("hgq.layers.table", "HGQ2", "hgq", _TASK)
    return keras, require_extra("hgq.utils", "HGQ2", "hgq", _TASK)


def _refused(path: Path, library: str, error: Exception, remedy: str = _TRACEABLE) -> KanError:
    return KanError(
        f"{path.name}: {library} refuses the model: {type(error).__name__}: {reason(error)}",
        remedy=remedy,
    )


def _sizes(model: Any) -> list[int]:
    """Numbers of features of each input."""
    return [math.prod(each.shape[1:]) for each in model.inputs]


def _inputs(model: Any, x: FloatArray) -> Any:
    """Samples (samples, features) in the shapes of the model's inputs, float32."""
    columns = np.split(x.astype(np.float32), np.cumsum(_sizes(model))[:-1], axis=1)
    parts = [
        part.reshape(-1, *each.shape[1:]) for part, each in zip(columns, model.inputs, strict=True)
    ]
    return parts if len(parts) > 1 else parts[0]


HGQ_FRONTEND = Frontend(
    name="hgq",
    extensions=(".keras",),
    description="models of HGQ2 (extra hgq), ranges by samples",
    load=load_hgq,
    load_with=load_hgq,
    takes=frozenset({"samples"}),
    original=hgq_original,
)
