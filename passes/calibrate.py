"""`kan-calibrate`: runs data through the model and records ranges and histograms in the IR.

A `kan.observe` behind every quantisation point holds the range and histogram of its values, so that
`kan-quantize` chooses scales without the data. With `results`, the model's results on the samples
are recorded too; later passes count their losses from them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from xdsl.dialects import func
from xdsl.ir import BlockArgument, Operation, SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from kan_dialect.analysis.float_results import note_reference
from kan_dialect.analysis.quantization_points import quantization_points
from kan_dialect.errors import KanError
from kan_dialect.evaluate.interpreter import evaluate_function, evaluate_inside
from kan_dialect.ir.constants import FloatArray, IntArray
from kan_dialect.ir.operation import op_text
from kan_dialect.ir.types import float_type, tensor_shape
from kan_dialect.model.data_columns import dataset_for
from kan_dialect.model.windows import set_apart, windows_of
from kan_dialect.ops.layer import ObserveOp
from kan_dialect.passbase.function_pass import FunctionPass
from kan_dialect.passbase.option_bounds import Bounds, bounded
from kan_dialect.search.scales import require_scalable


def histograms(values: FloatArray, bins: int) -> tuple[FloatArray, IntArray]:
    """Ranges (n, 2), float64, and histograms (n, bins), int64, of values (samples, n)."""
    low, high = values.min(axis=0), values.max(axis=0)
    width = np.where(high > low, high - low, 1.0)
    cells = np.minimum(((values - low) / width * bins).astype(np.int64), bins - 1)
    columns = values.shape[1]
    flat: IntArray = (cells + np.arange(columns, dtype=np.int64) * bins).ravel()
    counts = np.bincount(flat, minlength=columns * bins).reshape(columns, bins)
    return np.stack([low, high], axis=1), counts


def split_features(function: func.FuncOp, x: FloatArray, source: str) -> list[FloatArray]:
    """Samples (samples, features) as one array for each argument, in order.

    Raises
    ------
    KanError : the data has another number of features than the function takes.
    """
    widths = [tensor_shape(argument)[0] for argument in function.args]
    if sum(widths) != x.shape[1]:
        raise KanError(
            f"{source} has {x.shape[1]} features a sample, @{function.sym_name.data} takes "
            f"{sum(widths)}"
        )
    return np.split(x, np.cumsum(widths)[:-1], axis=1)


@dataclass(frozen=True)
class CalibratePass(FunctionPass):
    """Records ranges and histograms of the data in an `.npz` file at every quantisation point."""

    name = "kan-calibrate"
    works_at = ("spline",)
    unrecorded: ClassVar[frozenset[str]] = frozenset({"data"})

    data: str = field()
    """`.npz` file with `x` or `x_train`; a test set in it is not looked at."""
    bins: int = bounded(1024, Bounds(2, 1 << 16))
    """Cells of the histograms."""
    results: bool = False
    """Leave the results of all samples in the attribute `kan.reference`, for
    `kan-refine-precision` to count losses from."""

    def rewrite(self, function: func.FuncOp) -> None:
        x = dataset_for(function, self.data).x
        inputs = split_features(function, x, self.data)
        observe(function, inputs, self.bins)
        if self.results:
            outputs = evaluate_function(function, inputs)
            note_reference(function, x, np.concatenate(outputs, axis=1))


def observe(function: func.FuncOp, inputs: list[FloatArray], bins: int) -> None:
    """Insert a `kan.observe` behind every quantisation point, in place of existing ones."""
    for op in list(function.body.block.ops):
        if isinstance(op, ObserveOp):
            Rewriter.replace_op(op, (), [op.input])
    values = quantization_points(function)
    for value, seen in zip(values, evaluate_inside(function, inputs, values), strict=True):
        finite = np.isfinite(seen).all(axis=1)
        if not finite.all():
            raise KanError(
                f"@{function.sym_name.data}: {_describe(value)} is not finite for "
                f"{np.count_nonzero(~finite)} of {len(seen)} calibration samples, the first is "
                f"sample {int(np.argmin(finite))}",
                remedy="leave such samples out, or correct the model where it is not defined",
            )
        windows = windows_of(value)
        if len(windows):
            seen, windows = set_apart(seen, windows)
        ends = np.stack([seen.min(axis=0), seen.max(axis=0)], axis=1)
        where = f"@{function.sym_name.data}, calibration data ({_describe(value)})"
        require_scalable(ends, float_type(value), where)
        _insert(function, value, ObserveOp(value, *histograms(seen, bins), windows))


def _describe(value: SSAValue) -> str:
    if isinstance(value, BlockArgument):
        return f"argument {value.index}"
    owner = value.owner
    assert isinstance(owner, Operation)
    return f"the result of {op_text(owner)}"


def _insert(function: func.FuncOp, value: SSAValue, op: ObserveOp) -> None:
    owner = value.owner
    place = (
        InsertPoint.after(owner)
        if isinstance(owner, Operation)
        else InsertPoint.at_start(function.body.block)
    )
    value.replace_uses_with_if(op.result, lambda use: use.operation is not op)
    Rewriter.insert_op(op, place)
