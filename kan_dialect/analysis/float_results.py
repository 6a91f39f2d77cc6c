"""Results of the float model on the calibration samples, recorded in a function.

`kan-calibrate{results=true}` records them. `kan-refine-precision` counts losses from them and
removes them.
"""

from __future__ import annotations

import hashlib
from typing import cast

import numpy as np
from xdsl.dialects import func
from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, DictionaryAttr, StringAttr

from kan_dialect.errors import KanError
from kan_dialect.ir.constants import DenseAttr, FloatArray, dense, to_floats

REFERENCE = "kan.reference"
"""Attribute of a function: `results` (samples, out) float64, and `samples`, a digest of inputs."""


def note_reference(function: func.FuncOp, x: FloatArray, results: FloatArray) -> None:
    """Record results (samples, out) for inputs (samples, in) in an attribute of the function."""
    function.attributes[REFERENCE] = DictionaryAttr(
        {"results": dense(results.astype(np.float64)), "samples": StringAttr(_digest(x))}
    )


def reference_of(function: func.FuncOp, x: FloatArray, source: str) -> FloatArray | None:
    """The recorded results (samples, out) for inputs (samples, in); None without a record.

    Parameters
    ----------
    source : the data's path, for the message.

    Raises
    ------
    KanError : the record is of other inputs, or malformed.
    """
    found = function.attributes.get(REFERENCE)
    if not isinstance(found, DictionaryAttr):
        return None
    results, samples = found.data.get("results"), found.data.get("samples")
    if not isinstance(results, DenseIntOrFPElementsAttr) or not isinstance(samples, StringAttr):
        raise KanError(f"@{function.sym_name.data}: {REFERENCE} must have results and samples")
    values = to_floats(cast(DenseAttr, results))
    if values.ndim != 2 or len(values) != len(x) or samples.data != _digest(x):
        raise KanError(
            f"@{function.sym_name.data} was calibrated with other samples than those of {source}",
            remedy="give kan-calibrate and the passes that count losses the same data",
        )
    return values


def forget_reference(function: func.FuncOp) -> None:
    """Remove the record."""
    function.attributes.pop(REFERENCE, None)


def _digest(x: FloatArray) -> str:
    return hashlib.sha256(np.ascontiguousarray(x, dtype=np.float64).tobytes()).hexdigest()[:16]
