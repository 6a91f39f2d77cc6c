"""Codes of quantisation points, chosen from what calibration observed.

An argument, node or value gets unsigned codes of a given number of bits, over a range that
`kan_dialect.search.scales` chooses from its `kan.observe`. Without calibration the range follows
from the network: the grids of B-splines, or every value that a sum can have.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from xdsl.dialects import func
from xdsl.ir import BlockArgument, SSAValue

from kan_dialect.analysis.quantization_points import observer, readers
from kan_dialect.errors import KanError
from kan_dialect.ir.constants import FloatArray, to_floats, to_integers
from kan_dialect.ir.quant import UniformQuantizedType
from kan_dialect.ir.types import float_type, tensor_shape
from kan_dialect.model.code_choice import CodeChoice, LayerCodes, PointCodes
from kan_dialect.model.windows import Standing, set_apart, windows_of
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.ops.spline import BSplineOp
from kan_dialect.search.scales import (
    Observed,
    choose_ranges,
    require_scalable,
    scales_and_zero_points,
)

_CELLS = 256
"""Cells of the flat histogram that stands for a range without observations."""


@dataclass(frozen=True)
class ScaleOptions:
    """How scales are chosen: see the options of `kan-quantize` of these names."""

    scale: str
    percentile: float
    per_tensor: bool
    per_layer: bool
    guard_bits: int


@dataclass(frozen=True)
class CalibratedCodes(CodeChoice):
    """Chooses codes of `widths` bits, one number for each quantisation point."""

    function: func.FuncOp
    widths: tuple[int, ...]
    options: ScaleOptions

    def of_argument(self, value: BlockArgument) -> PointCodes:
        seen = observed(value) or self._range_of_grids(value)
        return self._unsigned(value, seen, value.index, per_tensor=self.options.per_tensor)

    def of_layer(
        self, op: NodeSumOp, values: FloatArray, point: int, *, only_result: bool
    ) -> LayerCodes:
        seen = observed(op.result) or _range_of_sums(op, values)
        # Results are compared with each other, so they share a scale.
        per_tensor = only_result or self.options.per_tensor or self.options.per_layer
        nodes = self._unsigned(op.result, seen, point, per_tensor=per_tensor)
        guard_bits = 0 if only_result else self.options.guard_bits
        return LayerCodes(nodes, nodes.element.scales / (1 << guard_bits), not only_result)

    def of_value(
        self, value: SSAValue, values: FloatArray, point: int, *, only_result: bool
    ) -> PointCodes:
        seen = observed(value)
        if seen is None:
            finite = np.where(np.isfinite(values), values, np.nan)
            ends = [np.nanmin(finite, axis=0), np.nanmax(finite, axis=0)]
            seen = _evenly(np.stack(ends, axis=-1))
        per_tensor = only_result or self.options.per_tensor
        return self._unsigned(value, seen, point, per_tensor=per_tensor)

    def _unsigned(
        self, value: SSAValue, seen: Observed, point: int, *, per_tensor: bool
    ) -> PointCodes:
        """Unsigned codes over the chosen range, of each element or of all together."""
        options, bits = self.options, self.widths[point]
        owner = value.owner
        name = owner.given_name if isinstance(owner, NodeSumOp) else None
        require_scalable(seen.seen, float_type(value), name or f"@{self.function.sym_name.data}")
        if per_tensor:
            seen = seen.merged()
        ranges = choose_ranges(seen, bits, options.scale, options.percentile)
        scales, zero_points = scales_and_zero_points(ranges, bits)
        axis = None if per_tensor else 0
        return PointCodes(
            UniformQuantizedType(
                bits, False, scales, zero_points, axis=axis, expressed=float_type(value)
            )
        )

    def _range_of_grids(self, value: BlockArgument) -> Observed:
        """The domain of the B-splines that read an argument.

        Raises
        ------
        KanError : no B-spline reads it.
        """
        grids: list[FloatArray] = []
        for op in readers(value):
            if isinstance(op, BSplineOp):
                knots = np.atleast_2d(op.knot_vector)
                degree = op.degree.value.data
                ends = knots[:, [degree, knots.shape[1] - 1 - degree]]
                grids.append(np.broadcast_to(ends, (op.inputs, 2)))
        if not grids:
            raise KanError(
                f"@{self.function.sym_name.data}: nothing is known of the range of argument "
                f"{value.index}",
                remedy='calibrate with data first: kan-calibrate{data="FILE.npz"}, '
                "--calibration FILE.npz of kan-flow, or data= in Python",
            )
        low = np.min([grid[:, 0] for grid in grids], axis=0)
        high = np.max([grid[:, 1] for grid in grids], axis=0)
        return _evenly(np.stack([low, high], axis=1))


def observed(value: SSAValue) -> Observed | None:
    """What calibration observed of a value; None without calibration."""
    op = observer(value)
    return None if op is None else Observed(to_floats(op.seen), to_integers(op.histogram))


def codes_of_windows(
    value: SSAValue, element: UniformQuantizedType, where: str
) -> FloatArray | None:
    """Codes of a point that stand for the windows of its readers; None if it has no windows.

    Parameters
    ----------
    element : type of the point's codes.
    where : input or layer, for messages.

    Returns
    -------
    (codes, 3): element, code, the value that it stands for.
    """
    op = observer(value)
    if op is not None and op.windows is not None:
        seen = Observed(to_floats(op.seen), to_integers(op.histogram))
        windows = to_floats(op.windows)
        return Standing.of(windows, element, seen.histogram, seen.centres(), where).table
    windows = windows_of(value)
    if not len(windows):
        return None
    _, windows = set_apart(np.zeros((0, tensor_shape(value)[0])), windows)
    return Standing.of(windows, element, None, None, where).table


def _range_of_sums(op: NodeSumOp, values: FloatArray) -> Observed:
    """Every value that node sums of these edges (entries, out, in) can have."""
    finite = np.nan_to_num(values, posinf=0.0, neginf=0.0)
    low = finite.min(axis=0).sum(axis=-1) + op.bias_array
    high = finite.max(axis=0).sum(axis=-1) + op.bias_array
    return _evenly(np.stack([low, high], axis=1))


def _evenly(ranges: FloatArray) -> Observed:
    """An observation of values that are spread evenly over ranges (n, 2)."""
    return Observed(ranges, np.ones((len(ranges), _CELLS), dtype=np.int64))
