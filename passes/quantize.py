"""`kan-quantize`: chooses scales and bit widths from what calibration saw, inserts quantisers.

Afterwards every quantisation point (argument, node sum, result) has a tensor of codes. Between the
points the edge functions remain, fed with dequantised codes and rounded to the scale of their node:

    codes -> dequantize -> edge functions -> quantize -> integer node_sum -> requantize -> codes

`kan-fold-tables` then makes tables of what stands between codes and codes.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, Literal, NamedTuple

import numpy as np
from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.ir import BlockArgument, Operation, SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from kan_dialect.analysis.quantization_points import (
    observer,
    quantization_points,
    readers,
    spline_functions,
)
from kan_dialect.checking.quantized import codes_problem, given_problem, quantization_problem
from kan_dialect.errors import KanError
from kan_dialect.evaluate.edge_tables import evaluate_chain, find_chain, require_no_nan
from kan_dialect.evaluate.interpreter import evaluate_values
from kan_dialect.ir.constants import (
    BoolArray,
    DenseAttr,
    FloatArray,
    IntArray,
    to_floats,
    to_integers,
)
from kan_dialect.ir.figures import noted
from kan_dialect.ir.quant import MAX_STORAGE_BITS, UniformQuantizedType, storage_for
from kan_dialect.ir.types import (
    bounds_constant,
    float_type,
    is_float_tensor,
    quantized_type,
    tensor_shape,
)
from kan_dialect.model.quantizers import (
    Codes,
    Layer,
    Quantizers,
    quantized_functions,
    quantizers_of,
    read_quantizers,
)
from kan_dialect.model.windows import Standing, set_apart, windows_of
from kan_dialect.ops.layer import AffineOp, ConcatOp, NodeSumOp
from kan_dialect.ops.spline import BSplineOp
from kan_dialect.ops.table import DequantizeOp, QuantizeOp, RequantizeOp
from kan_dialect.passbase.kan_pass import KanPass
from kan_dialect.passbase.option_bounds import Bounds, bounded
from kan_dialect.quantity import counted
from kan_dialect.search.edge_rounding import SumRange, promise_problem, round_edges
from kan_dialect.search.scales import (
    SCALE_METHODS,
    Observed,
    choose_ranges,
    require_scalable,
    scales_and_zero_points,
)

BITS = "kan.bits"
"""Attribute of a function: what `kan-choose-bits` chose, and by which budget."""

_LOG = logging.getLogger(__name__)

MAX_BITS = 16
"""Widest codes of a quantisation point: a table has an entry for each."""


WIDTH = Bounds(1, MAX_BITS, remedy="a table has 2^bits entries")
"""Bits of a code."""

PERCENTILE = Bounds(50, 100, above=True)

GUARD_BITS = Bounds(0, 8)


@dataclass(frozen=True)
class QuantizePass(KanPass):
    """Chooses scales and inserts quantisers."""

    name = "kan-quantize"
    preserves: ClassVar[str] = "accuracy within the chosen bits"
    unrecorded: ClassVar[frozenset[str]] = frozenset({"quantizers"})

    bits: tuple[int, ...] | int | Literal["auto"] = bounded(8, WIDTH)
    """Bits of the codes: one number for all quantisation points, or one for the input and one
    for each layer in order; `auto`: what `kan-choose-bits` chose."""
    scale: str = "mse"
    """`minmax`, `percentile` or `mse` (least mean squared error over the histogram)."""
    percentile: float = bounded(99.9, PERCENTILE)
    """With scale `percentile`: the share of samples, in percent, that must not saturate."""
    per_tensor: bool = False
    """One scale for all inputs and one for all nodes of a layer, instead of one each."""
    per_layer: bool = False
    """One scale for all nodes of a layer, as after `kan-share-shapes{up-to=sign}`; inputs have one
    each."""
    guard_bits: int = bounded(0, GUARD_BITS)
    """Bits of an edge's value beyond those that its node keeps."""
    quantizers: str | None = None
    """A JSON file of scales and bits, as the target `quantizers` writes it; it takes the place of
    bits, scale, percentile, per-tensor, per-layer and guard-bits."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.quantizers is not None:
            for option in ("bits", "scale", "percentile", "per_tensor", "per_layer", "guard_bits"):
                if getattr(self, option) != getattr(QuantizePass, option):
                    raise KanError(
                        f"{option.replace('_', '-')} has no meaning beside quantizers",
                        remedy="leave one of them out: the file says it",
                    )
        if self.scale not in SCALE_METHODS:
            raise KanError(
                f"unknown scale method {self.scale!r}", remedy=f"use {', '.join(SCALE_METHODS)}"
            )

    @property
    def widths(self) -> tuple[int, ...]:
        """The numbers given; none where they are chosen."""
        if self.bits == "auto":
            return ()
        return self.bits if isinstance(self.bits, tuple) else (self.bits,)

    def broken_promise(self, before: func.FuncOp, after: func.FuncOp) -> str | None:
        given = self.given()
        if given is not None:
            return given_problem(before, after, given)
        widths = _Quantizer(self, before, None).widths()
        return quantization_problem(before, after, widths, self.scale)

    def given(self) -> Quantizers | None:
        """What the file says, if there is one."""
        return None if self.quantizers is None else read_quantizers(self.quantizers)

    def run(self, ctx: Context, module: ModuleOp) -> bool:
        functions = list(spline_functions(module))
        given = self.given()
        if given is not None and not functions:
            raise KanError(
                f"{self.quantizers} has no meaning for a model that is quantised already",
                remedy="leave quantizers out",
            )
        for function in functions:
            _Quantizer(self, function, given).run()
        return bool(functions)

    def skipped(self, module: ModuleOp) -> None:
        """Refuse a file that says something else than the module has, which is quantised already.

        Raises
        ------
        KanError : see above. A file that cannot be compared any more is noted.
        """
        given = self.given()
        if given is None:
            return
        functions = list(quantized_functions(module))
        for function in functions:
            problem = codes_problem(quantizers_of(function), given)
            if problem is not None:
                raise KanError(
                    f"@{function.sym_name.data} is quantised already, not as {self.quantizers} "
                    f"says: {problem}",
                    remedy="give the model as it was before kan-quantize",
                )
        if not functions:
            _LOG.warning("%s is not read: the model is quantised already", self.quantizers)


class _Steps(NamedTuple):
    """How a layer's edges are rounded, and what codes its nodes have."""

    nodes: UniformQuantizedType
    bounds: DenseAttr | None
    """Of the nodes, where they are narrower than the storage of some."""
    edges: FloatArray
    """The scale of each node's edges: (out), or (1) for all."""
    saturates: bool
    """Whether sums become codes of the nodes."""


class _Quantizer:
    """Quantises one function, point by point: a layer's codes are known before the next's."""

    def __init__(
        self, options: QuantizePass, function: func.FuncOp, given: Quantizers | None
    ) -> None:
        self.options = options
        self.function = function
        self.given = given
        self.block = function.body.block
        self.points = quantization_points(function)

    def run(self) -> None:
        widths = self.widths()
        if self.given is not None:
            self._require_alike(self.given)
            self._note_missing_edges(self.given)
        terminator = self.function.get_return_op()
        for index, (value, bits) in enumerate(zip(self.points, widths, strict=True)):
            owner = value.owner
            only_result = all(reader is terminator for reader in readers(value))
            if isinstance(value, BlockArgument):
                self._quantize_argument(value, bits)
            elif isinstance(owner, NodeSumOp):
                self._quantize_nodes(owner, bits, index, only_result)
            elif isinstance(owner, Operation):
                self._quantize_value(value, owner, bits, index, only_result)
            self._concatenate_codes()
        if self.given is not None:
            self._require_described(self.given)

    def _require_described(self, given: Quantizers) -> None:
        """Refuse a file whose description of the network was edited: nothing of it is taken."""
        if given.digest is None or given.digest == given.description_digest():
            return
        mine, its = quantizers_of(self.function).description(), given.description()
        edited = next((place for place in its if mine.get(place) != its[place]), "digest")
        raise KanError(
            f"{self.options.quantizers}: what describes the network was edited, such as {edited}",
            remedy="it follows from the network; kept, low, high, scale, zero_point, gain and "
            "offset can be edited",
        )

    def _note_missing_edges(self, given: Quantizers) -> None:
        """Say how many edges the file keeps that the network does not have: they stay out."""
        sums = [value.owner for value in self.points if isinstance(value.owner, NodeSumOp)]
        kept = [layer.edges.kept for layer in given.layers if layer.edges is not None]
        missing = sum(
            int((mask & ~op.mask_array).sum()) for mask, op in zip(kept, sums, strict=True)
        )
        if missing:
            _LOG.warning(
                "%s keeps %s that @%s does not have",
                self.options.quantizers,
                counted(missing, "edge"),
                self.function.sym_name.data,
            )

    def _require_alike(self, given: Quantizers) -> None:
        """Refuse the quantisers of another network."""
        arguments = len(self.function.args)
        theirs = [
            *(("input", len(argument.codes), None) for argument in given.arguments),
            *((layer.name, *_extents(layer)) for layer in given.layers),
        ]
        found = f"{self.options.quantizers} is of another network"
        if (len(given.arguments), len(theirs)) != (arguments, len(self.points)):
            raise KanError(
                f"{found}: {len(given.arguments)} inputs and {len(given.layers)} layers, "
                f"@{self.function.sym_name.data} has {arguments} and {len(self.points) - arguments}"
            )
        for (name, nodes, inputs), value in zip(theirs, self.points, strict=True):
            sums = value.owner if isinstance(value.owner, NodeSumOp) else None
            shape = tensor_shape(value if sums is None else sums.edges)
            expected = (nodes,) if inputs is None else (nodes, inputs)
            if shape != expected:
                raise KanError(
                    f"{found}: its {name} is {' x '.join(map(str, expected))}, that of "
                    f"@{self.function.sym_name.data} is {' x '.join(map(str, shape))}"
                )

    def _given_layer(self, index: int) -> Layer | None:
        """What the file says of a quantisation point that is no argument."""
        return None if self.given is None else self.given.layers[index - len(self.function.args)]

    def widths(self) -> list[int]:
        """Bits of each quantisation point: arguments share the first number."""
        widths = list(self.options.widths) or [self._chosen()]
        arguments = len(self.function.args)
        layers = len(self.points) - arguments
        if len(widths) == 1:
            return widths * len(self.points)
        if len(widths) != 1 + layers:
            raise KanError(
                f"kan-quantize: {len(widths)} numbers of bits for @{self.function.sym_name.data}",
                remedy=f"give one for all, or {1 + layers}: the input and each of {layers} layers",
            )
        return [widths[0]] * arguments + widths[1:]

    def _chosen(self) -> int:
        """What `kan-choose-bits` left with the function."""
        bits = (noted(self.function, BITS) or {}).get("bits")
        if not isinstance(bits, int) or not 1 <= bits <= MAX_BITS:
            raise KanError(
                f"kan-quantize: bits of @{self.function.sym_name.data} are to be chosen, and "
                "nothing was",
                remedy="run kan-choose-bits first, or say how many bits",
            )
        return bits

    def _quantize_argument(self, value: BlockArgument, bits: int) -> None:
        if not readers(value):
            raise KanError(
                f"@{self.function.sym_name.data}: argument {value.index} is never read",
                remedy="remove it from the model",
            )
        if self.given is not None:
            element, bounds = _given_codes(self.given.arguments[value.index].codes, value)
        else:
            seen = _observation(value) or self._range_of_grids(value)
            element = self._unsigned(value, seen, bits, per_tensor=self.options.per_tensor)
            bounds = None
        standing = self._standing(value, element, "input")
        ops: list[Operation] = self._host_affine(value)
        ops.append(QuantizeOp(ops[-1].results[0] if ops else value, element, bounds=bounds))
        ops.append(DequantizeOp(ops[-1], standing))
        _replace(value, ops, InsertPoint.at_start(self.block))

    def _host_affine(self, value: BlockArgument) -> list[Operation]:
        """What the host computes in front of an argument's quantiser, where that is given."""
        if self.given is None:
            return []
        argument = self.given.arguments[value.index]
        if (argument.gain == 1.0).all() and (argument.offset == 0.0).all():
            return []
        return [AffineOp(value, argument.gain, argument.offset)]

    def _range_of_grids(self, value: BlockArgument) -> Observed:
        """Without calibration: the domain of the B-splines that read the argument."""
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
                "or --calibration FILE.npz",
            )
        low = np.min([grid[:, 0] for grid in grids], axis=0)
        high = np.max([grid[:, 1] for grid in grids], axis=0)
        return _uniform(np.stack([low, high], axis=1))

    def _quantize_nodes(self, op: NodeSumOp, bits: int, index: int, only_result: bool) -> None:
        layer = op.given_name or f"quantisation point {index}"
        chain = find_chain(op.edges, layer)
        if chain is None:
            raise KanError(
                f"{layer}: the edges are not functions of one input each",
                remedy="an op between the layers mixes inputs, or one of another dialect does not "
                "implement Univariate",
            )
        values = evaluate_chain(chain)
        if values.ndim != 3:
            raise KanError(f"{layer}: edges must have shape out x in")
        mask = self._kept(op, index)
        values[:, ~mask] = 0.0
        require_no_nan(values, chain, layer)
        steps = self._steps(op, values, bits, index, only_result)
        element, fine = steps.nodes, steps.edges
        shape = tensor_shape(op.edges)
        scale, bias = np.broadcast_to(fine, shape[:1]), op.bias_array
        saturation = _saturation(steps, shape[0]) if steps.saturates else None
        rounded = round_edges(values, scale, bias, saturation, chain)
        lower, upper = rounded.tables.min(axis=-1), rounded.tables.max(axis=-1)
        edge_type = _signed(lower, upper, fine, element, layer)
        centred: list[Operation] = []
        if rounded.constants.any():
            centred.append(AffineOp(op.edges, np.ones((1, 1)), -rounded.constants))
        edges = QuantizeOp(
            centred[0].results[0] if centred else op.edges,
            edge_type,
            mask=mask,
            bounds=bounds_constant(TensorType(edge_type, shape), lower, upper),
        )
        total_low = lower.sum(axis=1) + rounded.bias
        total_high = upper.sum(axis=1) + rounded.bias
        sum_type = _signed(total_low, total_high, fine, element, layer)
        sums = NodeSumOp(
            edges,
            mask=mask,
            bias=rounded.bias,
            bounds=bounds_constant(TensorType(sum_type, shape[:1]), total_low, total_high),
            result_type=TensorType(sum_type, shape[:1]),
            name=op.given_name,
        )
        (codes,) = evaluate_values([edges.result], {op.edges: values}, ops=[*centred, edges])
        problem = promise_problem(values, codes, scale, bias, rounded, saturation)
        if problem is not None:
            raise KanError(f"{layer}: {problem}", remedy="this is a bug; please report it")
        ops: list[Operation] = [*centred, edges, sums]
        standing: FloatArray | None = None
        if steps.saturates:
            ops.append(RequantizeOp(sums, element, bounds=steps.bounds, name=op.given_name))
            standing = self._standing(op.result, element, f"{layer}, node")
        ops.append(DequantizeOp(ops[-1], standing))
        _replace(op.result, ops, InsertPoint.before(op))
        Rewriter.erase_op(op)

    def _kept(self, op: NodeSumOp, index: int) -> BoolArray:
        """Mask of the edges to quantise: the network's, less those that the file leaves out."""
        layer = self._given_layer(index)
        if layer is None or layer.edges is None:
            return op.mask_array
        return op.mask_array & layer.edges.kept

    def _steps(
        self, op: NodeSumOp, values: FloatArray, bits: int, index: int, only_result: bool
    ) -> _Steps:
        """Scales of a layer whose edges have these values (entries, out, in)."""
        layer = self._given_layer(index)
        if layer is not None:
            return self._given_steps(op, layer, only_result)
        observation = _observation(op.result) or _worst_case(values, op)
        # Results are compared with each other, so they share a scale.
        per_tensor = only_result or self.options.per_tensor or self.options.per_layer
        element = self._unsigned(op.result, observation, bits, per_tensor=per_tensor)
        guard = 0 if only_result else self.options.guard_bits
        return _Steps(element, None, element.scales / (1 << guard), not only_result)

    def _given_steps(self, op: NodeSumOp, layer: Layer, only_result: bool) -> _Steps:
        assert layer.edges is not None
        if not layer.saturates and not only_result:
            raise KanError(
                f"{self.options.quantizers}: sums of {layer.name} are results that do not "
                f"saturate, in @{self.function.sym_name.data} other layers read them",
                remedy="give the quantisers of the same network",
            )
        if not layer.saturates and (layer.nodes.zero_point.any() or layer.shift.any()):
            raise KanError(
                f"{self.options.quantizers}: {layer.name} has results that do not saturate, but "
                "another zero_point or shift than 0",
                remedy="make them 0: results are sums, in the scale of their edges",
            )
        element, bounds = _given_codes(layer.nodes, op.result)
        edges = np.broadcast_to(layer.edges.scale, element.scales.shape)
        return _Steps(element, bounds, edges, layer.saturates)

    def _quantize_value(
        self, value: SSAValue, owner: Operation, bits: int, index: int, only_result: bool
    ) -> None:
        """What is returned or concatenated and is no node sum."""
        what = f"the result of '{owner.name}'"
        chain = find_chain(value, what)
        if chain is None:
            raise KanError(f"{what} is not a function of one node each")
        values = evaluate_chain(chain)
        require_no_nan(values, chain, what)
        layer = self._given_layer(index)
        if layer is not None:
            element, bounds = _given_codes(layer.nodes, value)
        else:
            finite = np.where(np.isfinite(values), values, np.nan)
            seen = _observation(value) or _uniform(
                np.stack([np.nanmin(finite, axis=0), np.nanmax(finite, axis=0)], axis=-1)
            )
            per_tensor = only_result or self.options.per_tensor
            element = self._unsigned(value, seen, bits, per_tensor=per_tensor)
            bounds = None
        quantize = QuantizeOp(value, element, bounds=bounds)
        dequantize = DequantizeOp(quantize)
        _replace(value, [quantize, dequantize], InsertPoint.after(owner))

    def _concatenate_codes(self) -> None:
        """Codes are put side by side in place of the real values that they stand for."""
        for op in list(self.block.ops):
            if not isinstance(op, ConcatOp) or not is_float_tensor(op.result):
                continue
            codes = [v.owner.input for v in op.inputs if isinstance(v.owner, DequantizeOp)]
            if len(codes) == len(op.inputs):
                joined = ConcatOp(codes, _concatenated(codes))
                Rewriter.replace_op(op, [joined, DequantizeOp(joined, _joined_standing(op))])

    def _standing(
        self, value: SSAValue, element: UniformQuantizedType, where: str
    ) -> FloatArray | None:
        """Codes of a quantisation point that stand for a value that its readers set apart."""
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

    def _unsigned(
        self, value: SSAValue, seen: Observed, bits: int, *, per_tensor: bool
    ) -> UniformQuantizedType:
        """The type of `bits` unsigned bits that fits what was seen, per element or for all."""
        options = self.options
        owner = value.owner
        name = owner.given_name if isinstance(owner, NodeSumOp) else None
        require_scalable(seen.seen, float_type(value), name or f"@{self.function.sym_name.data}")
        if per_tensor:
            seen = seen.merged()
        ranges = choose_ranges(seen, bits, options.scale, options.percentile)
        scales, zero_points = scales_and_zero_points(ranges, bits)
        return UniformQuantizedType(
            bits,
            False,
            scales,
            zero_points,
            axis=None if per_tensor else 0,
            expressed=float_type(value),
        )


def _extents(layer: Layer) -> tuple[int, int | None]:
    """Nodes and inputs of a layer; None where it has no edges."""
    return len(layer.nodes), None if layer.edges is None else layer.edges.kept.shape[1]


def _given_codes(codes: Codes, value: SSAValue) -> tuple[UniformQuantizedType, DenseAttr | None]:
    """The type of the codes that a value gets, and bounds where some have fewer."""
    element = codes.element(float_type(value))
    return element, bounds_constant(TensorType(element, (len(codes),)), codes.low, codes.high)


def _replace(value: SSAValue, ops: list[Operation], place: InsertPoint) -> None:
    """Put `ops` in, and their last result in place of the value; its observers go."""
    Rewriter.insert_op(ops, place)
    while (op := observer(value)) is not None:
        Rewriter.replace_op(op, (), [value])
    value.replace_uses_with_if(ops[-1].results[0], lambda use: use.operation not in ops)


def _concatenated(parts: list[SSAValue]) -> TensorType[UniformQuantizedType]:
    """The type of tensors of codes side by side, each element with its scale and zero point."""
    elements = [quantized_type(part) for part in parts]
    sizes = [tensor_shape(part) for part in parts]
    scales = np.concatenate(
        [np.broadcast_to(e.scale_for(1), size) for e, size in zip(elements, sizes, strict=True)]
    )
    points = np.concatenate(
        [
            np.broadcast_to(e.zero_point_for(1), size)
            for e, size in zip(elements, sizes, strict=True)
        ]
    )
    bits, signed = storage_for(
        min(element.bounds[0] for element in elements),
        max(element.bounds[1] for element in elements),
    )
    joined = UniformQuantizedType(
        bits, signed, scales, points, axis=0, expressed=elements[0].expressed_type
    )
    return TensorType(joined, scales.shape)


def _joined_standing(op: ConcatOp) -> FloatArray:
    """What codes stand for that are put side by side."""
    found = [np.zeros((0, 3))]
    start = 0
    for value in op.inputs:
        assert isinstance(value.owner, DequantizeOp)
        found.append(value.owner.standing_array + np.array([start, 0, 0]))
        start += tensor_shape(value)[0]
    return np.concatenate(found)


def _observation(value: SSAValue) -> Observed | None:
    op = observer(value)
    return None if op is None else Observed(to_floats(op.seen), to_integers(op.histogram))


def _uniform(ranges: FloatArray) -> Observed:
    """As if values had been seen evenly all over the ranges."""
    return Observed(ranges, np.ones((len(ranges), 256), dtype=np.int64))


def _saturation(steps: _Steps, count: int) -> SumRange:
    """Sums of the nodes (count) from which on their codes stay at either end."""
    element = steps.nodes
    low, high = element.bounds
    ends = np.broadcast_to([low, high], (count, 2))
    if steps.bounds is not None:
        ends = to_integers(steps.bounds)
    points = np.broadcast_to(element.zero_points, (count,)).tolist()
    ratios = np.broadcast_to(element.scales / steps.edges, (count,))
    shifts = np.rint(np.log2(ratios)).astype(np.int64).tolist()
    least, greatest = (
        tuple(
            rounded((end - point) * Fraction(2) ** shift)
            for end, point, shift in zip(ends[:, side].tolist(), points, shifts, strict=True)
        )
        for side, rounded in enumerate((math.floor, math.ceil))
    )
    return SumRange(least, greatest)


def _worst_case(values: FloatArray, op: NodeSumOp) -> Observed:
    """Without calibration: everything that the node sums could be."""
    finite = np.nan_to_num(values, posinf=0.0, neginf=0.0)
    low = finite.min(axis=0).sum(axis=-1) + op.bias_array
    high = finite.max(axis=0).sum(axis=-1) + op.bias_array
    return _uniform(np.stack([low, high], axis=1))


def _signed(
    lower: IntArray,
    upper: IntArray,
    scales: FloatArray,
    nodes: UniformQuantizedType,
    layer: str,
) -> UniformQuantizedType:
    """A type for edges or sums: zero point 0, and storage for all of lower..upper."""
    low, high = int(lower.min()), int(upper.max())
    bits, signed = storage_for(min(low, 0), max(high, 0))
    if bits > MAX_STORAGE_BITS:
        raise KanError(
            f"{layer}: its sums need {bits} bits, more than {MAX_STORAGE_BITS}",
            remedy="use fewer bits, or calibrate: the edges exceed what their node can hold by far",
        )
    return UniformQuantizedType(
        bits, signed, scales, 0, axis=nodes.axis, expressed=nodes.expressed_type
    )
