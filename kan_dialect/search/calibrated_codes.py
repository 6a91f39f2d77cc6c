"""Codes of quantisation points, chosen from what calibration observed.

An argument, node or value gets unsigned codes of a given number of bits, over a range that
`kan_dialect.search.scales` chooses from its `kan.observe`. Without calibration the range follows
from the network: the grids of B-splines, or every value that a sum can have. A port with a number
format bounds the range of its input, and has that format's scale times a power of two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from xdsl.dialects import func
from xdsl.dialects.builtin import TensorType
from xdsl.ir import BlockArgument, SSAValue

from kan_dialect.analysis.quantization_points import observer, readers
from kan_dialect.errors import KanError
from kan_dialect.ir.constants import FloatArray, IntArray, to_floats, to_integers
from kan_dialect.ir.quant import UniformQuantizedType
from kan_dialect.ir.rounding import round_shift
from kan_dialect.ir.types import IntType, bounds_constant, float_type, tensor_shape
from kan_dialect.model.code_choice import CodeChoice, LayerCodes, PointCodes
from kan_dialect.model.function_formats import FunctionFormats, format_codes
from kan_dialect.model.number_formats import NumberFormat
from kan_dialect.model.quantizers import are_powers_of_two
from kan_dialect.model.windows import Standing, set_apart, windows_of
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.ops.spline import BSplineOp
from kan_dialect.search.scales import (
    Observed,
    choose_ranges,
    require_scalable,
    scales_and_zero_points,
)
from kan_dialect.search.stepped_scales import stepped_scales

_CELLS = 256
"""Cells of the flat histogram that stands for a range without observations."""

MAX_INPUT_SHIFT = 31
"""Largest exponent between the scales of an input's format and of the network's codes."""
MAX_RESULT_SHIFT = 24
"""Largest exponent between the step of sums and the step of a result's format."""


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
    formats: FunctionFormats

    def of_argument(self, value: BlockArgument) -> PointCodes:
        formats = self.formats.of_argument(value)
        if formats is not None:
            return self._rounded(value, formats)[0]
        seen = observed(value) or self._range_of_grids(value)
        return self._unsigned(value, seen, value.index, per_tensor=self.options.per_tensor)

    def of_port(self, value: BlockArgument) -> PointCodes | None:
        formats = self.formats.of_argument(value)
        return None if formats is None else self._rounded(value, formats)[1]

    def output_codes(self) -> list[IntType | None]:
        return [each and IntType(*each.codes) for each in self.formats.outputs]

    def of_layer(
        self, op: NodeSumOp, values: FloatArray, point: int, *, only_result: bool
    ) -> LayerCodes:
        seen = observed(op.result) or _range_of_sums(op, values)
        formats = self.formats.of_result(op.result)
        if formats is not None:
            return self._formatted_results(op, formats, seen, point)
        # Results are compared with each other, so they share a scale.
        per_tensor = only_result or self.options.per_tensor or self.options.per_layer
        nodes = self._unsigned(op.result, seen, point, per_tensor=per_tensor)
        guard_bits = 0 if only_result else self.options.guard_bits
        return LayerCodes(nodes, nodes.element.scales / (1 << guard_bits), not only_result)

    def of_value(
        self, value: SSAValue, values: FloatArray, point: int, *, only_result: bool
    ) -> PointCodes:
        seen = observed(value)
        formats = self.formats.of_result(value)
        if formats is not None:
            self._require_results_held(value, formats, seen)
            return _format_codes(value, formats)
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
        bits = self.widths[point]
        owner = value.owner
        name = owner.given_name if isinstance(owner, NodeSumOp) else None
        require_scalable(seen.seen, float_type(value), name or f"@{self.function.sym_name.data}")
        if per_tensor:
            seen = seen.merged()
        scales, zero_points = self._scales(seen, bits)
        axis = None if per_tensor else 0
        return PointCodes(
            UniformQuantizedType(
                bits, False, scales, zero_points, axis=axis, expressed=float_type(value)
            )
        )

    def _scales(self, seen: Observed, bits: int) -> tuple[FloatArray, IntArray]:
        """Scales and zero points (n) for unsigned codes of what was seen of n elements."""
        method, percentile = self.options.scale, self.options.percentile
        if method == "pow2":
            units = np.ones(len(seen.seen))
            exponents, points = stepped_scales(seen, bits, units, method, percentile)
            return np.exp2(exponents), points
        return scales_and_zero_points(choose_ranges(seen, bits, method, percentile), bits)

    # Ports with formats

    def _rounded(
        self, value: BlockArgument, formats: Sequence[NumberFormat | None]
    ) -> tuple[PointCodes, PointCodes | None]:
        """Codes of an argument with formats, and of its ports if hardware rounds them.

        Raises
        ------
        KanError : a format does not hold the values that calibration saw, or nothing is known of
            the range of an element without a format.
        """
        bits = self.widths[value.index]
        given = [each for each in formats if each is not None]
        if len(given) == len(formats) and all(each.bits <= bits for each in given):
            self._ranges_of_ports(value, formats)
            return _format_codes(value, given), None
        seen = self._ranges_of_ports(value, formats)
        require_scalable(seen.seen, float_type(value), f"@{self.function.sym_name.data}")
        exponents, zero_points = self._exponents(value, formats, seen)
        scales, plain_points = self._scales(seen, bits)
        last = (1 << bits) - 1
        ports: list[NumberFormat] = []
        ends: list[tuple[int, int]] = []
        for index, each in enumerate(formats):
            if each is None:
                zero_points[index] = plain_points[index]
                ports.append(
                    NumberFormat(bits, False, float(scales[index]), int(plain_points[index]))
                )
                ends.append((0, last))
                continue
            scales[index] = each.scale * 2.0 ** exponents[index]
            centred = np.array(each.codes) - each.zero_point
            reached = round_shift(centred, int(exponents[index])) + zero_points[index]
            low, high = reached.clip(0, last).tolist()
            ports.append(each)
            ends.append((low, high))
        element = UniformQuantizedType(
            bits, False, scales, zero_points, axis=0, expressed=float_type(value)
        )
        return _point_codes(element, ends), _format_codes(value, ports)

    def _exponents(
        self, value: BlockArgument, formats: Sequence[NumberFormat | None], seen: Observed
    ) -> tuple[IntArray, IntArray]:
        """Exponents of the codes of an argument over its formats, and zero points: (n) each."""
        options, bits = self.options, self.widths[value.index]
        first = formats[0]
        if options.per_tensor and first is not None:
            if any(each != first for each in formats):
                raise KanError(
                    "per-tensor needs one scale for all inputs, and their formats differ",
                    remedy="give all inputs the same format, or leave per-tensor out",
                )
            seen = seen.merged()
            formats = [first]
        units = np.array([1.0 if each is None else each.scale for each in formats])
        exponents, points = stepped_scales(
            seen, bits, units, options.scale, options.percentile, least=0
        )
        for index, each in enumerate(formats):
            if each is not None and each.bits <= bits:
                exponents[index], points[index] = 0, each.zero_point - each.codes[0]
            elif each is not None and exponents[index] > MAX_INPUT_SHIFT:
                low, high = seen.seen[index].tolist()
                raise KanError(
                    f"the format {each} of inputs is 2^{int(exponents[index])} times as fine as "
                    f"{bits}-bit codes for values from {low:g} to {high:g}",
                    remedy="give a format for numbers of this size, or leave out far samples",
                )
        count = tensor_shape(value)[0]
        return (
            np.broadcast_to(exponents, count).copy(),
            np.broadcast_to(points, count).copy(),
        )

    def _ranges_of_ports(
        self, value: BlockArgument, formats: Sequence[NumberFormat | None]
    ) -> Observed:
        """What is known of the values at an argument's ports.

        Raises
        ------
        KanError : a format does not hold them.
        """
        seen, name = observed(value), self.function.sym_name.data
        start = sum(tensor_shape(each)[0] for each in self.function.args[: value.index])
        if seen is not None:
            for index, each in enumerate(formats):
                if each is not None:
                    where = f"input x{start + index} of @{name}"
                    _require_held(each, self._kept_range(seen, index), self._step(value), where)
            return seen
        grids = self._grids(value)
        ranges: list[tuple[float, float]] = []
        for index, each in enumerate(formats):
            if each is None:
                low, high = (self._range_of_grids(value) if grids is None else grids).seen[index]
                ranges.append((float(low), float(high)))
                continue
            low, high = each.values
            if grids is not None:
                first, last = grids.seen[index].tolist()
                if last < low or high < first:
                    raise KanError(
                        f"input x{start + index} of @{name} takes values from {first:g} to "
                        f"{last:g}, and its format {each} holds {low:g} to {high:g}",
                        remedy="give a format that holds some of these values",
                    )
                low, high = max(low, first), min(high, last)
            ranges.append((low, high))
        return _evenly(np.array(ranges))

    def _kept_range(self, seen: Observed, index: int) -> tuple[float, float]:
        """The range of an element that is not to saturate at its port."""
        method = self.options.scale if self.options.scale == "percentile" else "minmax"
        low, high = choose_ranges(seen, 1, method, self.options.percentile)[index].tolist()
        return low, high

    def _step(self, value: BlockArgument) -> int:
        """Number of steps of the codes of an argument."""
        return (1 << self.widths[value.index]) - 1

    def _formatted_results(
        self, op: NodeSumOp, formats: Sequence[NumberFormat], seen: Observed, point: int
    ) -> LayerCodes:
        """Codes of results with formats: sums as fine as `bits` says, rounded to the formats."""
        self._require_results_held(op.result, formats, observed(op.result))
        where = op.given_name or f"@{self.function.sym_name.data}"
        require_scalable(seen.seen, float_type(op.result), where)
        finest = float(self._scales(seen.merged(), self.widths[point])[0][0])
        nodes = _format_codes(op.result, formats)
        units = nodes.element.scales
        shifts = np.ceil(np.log2(units / finest) - 1e-9)
        if are_powers_of_two(units / units[0]):
            # Sums share a scale, as results without formats do.
            common = (units * np.exp2(-shifts)).min()
            shifts = np.rint(np.log2(units / common))
        if (np.abs(shifts) > MAX_RESULT_SHIFT).any():
            raise KanError(
                f"the format {formats[0]} of results is 2^{-int(shifts[0])} times as fine as their "
                f"values, which reach from {seen.seen.min():g} to {seen.seen.max():g}",
                remedy="give a format for numbers of this size",
            )
        return LayerCodes(nodes, units * np.exp2(-shifts), saturates=True)

    def _require_results_held(
        self, value: SSAValue, formats: Sequence[NumberFormat], seen: Observed | None
    ) -> None:
        """Require formats that hold the results that calibration saw.

        Raises
        ------
        KanError : one does not.
        """
        if seen is None:
            return
        outputs = self.formats.names_of_result(value)
        for index, (each, name) in enumerate(zip(formats, outputs, strict=True)):
            where = f"output {name} of @{self.function.sym_name.data}"
            _require_held(each, self._kept_range(seen, index), 255, where)

    def _grids(self, value: BlockArgument) -> Observed | None:
        """The domain of the B-splines that read an argument; None if none does."""
        try:
            return self._range_of_grids(value)
        except KanError:
            return None

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
                "--calibration FILE.npz of kan-flow, or data= in Python; or give it a format, "
                "input-format=s12.8",
            )
        low = np.min([grid[:, 0] for grid in grids], axis=0)
        high = np.max([grid[:, 1] for grid in grids], axis=0)
        return _evenly(np.stack([low, high], axis=1))


def _point_codes(element: UniformQuantizedType, ends: Sequence[tuple[int, int]]) -> PointCodes:
    """Codes of a type, from the least to the greatest of each element."""
    lower, upper = np.array(ends, dtype=np.int64).T
    return PointCodes(element, bounds_constant(TensorType(element, (len(ends),)), lower, upper))


def _format_codes(value: SSAValue, formats: Sequence[NumberFormat]) -> PointCodes:
    """Codes of formats, of each element of a value."""
    return _point_codes(*format_codes(formats, float_type(value)))


def _require_held(each: NumberFormat, seen: tuple[float, float], steps: int, where: str) -> None:
    """Refuse a format that lacks more than one of `steps` steps at an end of what was seen.

    Raises
    ------
    KanError : shows both ranges.
    """
    low, high = each.values
    margin = max((seen[1] - seen[0]) / steps, each.scale)
    if seen[0] < low - margin or seen[1] > high + margin:
        raise KanError(
            f"{where} has values from {seen[0]:g} to {seen[1]:g} in the calibration data, and its "
            f"format {each} holds {low:g} to {high:g}",
            remedy="give a format with more bits or a larger scale, or scale=percentile if few "
            "samples are that far out",
        )


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
