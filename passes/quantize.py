"""`kan-quantize`: chooses scales and zero points from calibration and inserts quantisers.

Afterwards every quantisation point (argument, node sum, result) has a tensor of codes. Between the
points the edge functions remain, fed with dequantised codes and rounded to the scale of their node:

    codes -> dequantize -> edge functions -> quantize -> integer node_sum -> requantize -> codes

`kan-fold-tables` then makes tables of the functions between codes and codes. The codes themselves
are chosen by a `CodeChoice`: from calibration, or from a file.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.ir import Block, BlockArgument, Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter

from kan_dialect.analysis.quantization_points import (
    has_codes_only,
    is_spline,
    leads_to_codes,
    observer,
    quantization_points,
    quantizers_inside,
    readers,
    spline_functions,
)
from kan_dialect.checking.coded_ports import coded_formats_problem
from kan_dialect.checking.quantized import codes_problem, given_problem, quantization_problem
from kan_dialect.errors import KanError
from kan_dialect.evaluate.edge_tables import evaluate_chain, find_chain, require_no_nan
from kan_dialect.ir.attributes.figures import recorded_figures
from kan_dialect.ir.attributes.module_attributes import fix_output_codes
from kan_dialect.ir.constants import BoolArray, FloatArray
from kan_dialect.ir.types import is_float_tensor, quantized_type, tensor_shape
from kan_dialect.model.code_choice import (
    CodeChoice,
    GivenCodes,
    LayerCodes,
    PointCodes,
    with_formats,
)
from kan_dialect.model.function_formats import FunctionFormats
from kan_dialect.model.model import levels_in
from kan_dialect.model.number_formats import PortFormats
from kan_dialect.model.partial_quantizers import completed, is_partial
from kan_dialect.model.quantizer_json import read_quantizers
from kan_dialect.model.quantizers import Quantizers
from kan_dialect.model.quantizers_in_ir import quantized_functions, quantizers_of
from kan_dialect.ops.layer import AffineOp, ConcatOp, NodeSumOp
from kan_dialect.ops.table import DequantizeOp, QuantizeOp, RequantizeOp
from kan_dialect.passbase.kan_pass import KanPass
from kan_dialect.passbase.option_bounds import Bounds, bounded
from kan_dialect.passbase.record import passes_in_force, recorded_names, recorded_pipeline
from kan_dialect.passes.calibrate import CalibratePass
from kan_dialect.passes.port_formats import CodedFormats, give_formats
from kan_dialect.search.calibrated_codes import CalibratedCodes, ScaleOptions, codes_of_windows
from kan_dialect.search.layer_rounding import RoundedLayer, round_layer
from kan_dialect.search.scales import SCALE_METHODS

BITS = "kan.bits"
"""Attribute of a function: the bits that `kan-choose-bits` chose, and the budget."""

_LOG = logging.getLogger(__name__)

MAX_BITS = 16
"""Widest codes of a quantisation point: a table has an entry for each."""

WIDTH = Bounds(1, MAX_BITS, remedy="a table has 2^bits entries")
"""Bits of a code."""

PERCENTILE = Bounds(50, 100, above=True)

GUARD_BITS = Bounds(0, 8)

_ROUNDED_RATIO = 1e-9
"""Rounding of a ratio of scales, in powers of two."""


def quantize_function(function: func.FuncOp, choice: CodeChoice) -> None:
    """Give every quantisation point codes.

    The points come in the order of computation, so the codes that a layer reads are known when the
    layer is quantised.
    """
    terminator = function.get_return_op()
    for point, value in enumerate(quantization_points(function)):
        owner = value.owner
        only_result = all(reader is terminator for reader in readers(value))
        if isinstance(value, BlockArgument):
            _quantize_argument(function, value, choice)
        elif isinstance(owner, NodeSumOp):
            _quantize_layer(owner, choice, point, only_result)
        elif isinstance(owner, Operation):
            _quantize_value(value, owner, choice, point, only_result)
        _concatenate_codes(function.body.block)


def _quantize_argument(function: func.FuncOp, value: BlockArgument, choice: CodeChoice) -> None:
    """x becomes dequantize(quantize(x)), or dequantize(quantize(affine(x))).

    Where the ports have a format, a requantisation rounds their codes to those of the argument.
    """
    if not readers(value):
        raise KanError(
            f"@{function.sym_name.data}: argument {value.index} is never read",
            remedy="remove it from the model",
        )
    element, bounds = choice.of_argument(value)
    overrides = codes_of_windows(value, element, "input")
    affine, port = choice.host_affine(value), choice.of_port(value)
    ops: list[Operation] = [] if affine is None else [AffineOp(value, *affine)]
    outer = PointCodes(element, bounds) if port is None else port
    ops.append(QuantizeOp(ops[-1].results[0] if ops else value, outer.element, bounds=outer.bounds))
    if port is not None:
        name, rescaled = f"input{value.index}", choice.hardware_affine(value)
        ops.append(RequantizeOp(ops[-1], element, bounds=bounds, name=name, affine=rescaled))
    ops.append(DequantizeOp(ops[-1], overrides))
    _replace(value, ops, InsertPoint.at_start(function.body.block))


def _quantize_layer(op: NodeSumOp, choice: CodeChoice, point: int, only_result: bool) -> None:
    """A sum of float edges becomes an exact sum of rounded edges, saturated if not a result."""
    layer = op.given_name or f"quantisation point {point}"
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
    mask = choice.kept(op, point)
    values[:, ~mask] = 0.0
    require_no_nan(values, chain, layer)
    codes = _beside_quantisers(
        op.result, choice.of_layer(op, values, point, only_result=only_result)
    )
    integers = round_layer(values, op.bias_array, codes, chain, layer)
    ops = _integer_sums(op, integers, mask)
    quantiser = _sole_quantiser(op.result)
    if quantiser is not None and codes.saturates:
        element, bounds = codes.nodes
        ops.append(RequantizeOp(ops[-1], element, bounds=bounds, name=op.given_name))
        _replace(op.result, ops, InsertPoint.before(op))
        Rewriter.replace_op(quantiser, (), ops[-1].results)
    else:
        exact = _add_values(op, ops, codes, layer)
        _replace(op.result, ops, InsertPoint.before(op), exact)
    Rewriter.erase_op(op)


def _integer_sums(op: NodeSumOp, integers: RoundedLayer, mask: BoolArray) -> list[Operation]:
    """The ops of an exact sum of rounded edges; the sum is the last."""
    rounded = integers.rounded
    ops: list[Operation] = []
    if rounded.constants.any():
        ops.append(AffineOp(op.edges, np.ones((1, 1)), -rounded.constants))
    edges = QuantizeOp(
        ops[0].results[0] if ops else op.edges,
        integers.edges.element,
        mask=mask,
        bounds=integers.edges.bounds,
    )
    sums = NodeSumOp(
        edges,
        mask=mask,
        bias=rounded.bias,
        bounds=integers.sums.bounds,
        result_type=TensorType(integers.sums.element, mask.shape[:1]),
        name=op.given_name,
    )
    return [*ops, edges, sums]


def _add_values(
    op: NodeSumOp, ops: list[Operation], codes: LayerCodes, layer: str
) -> Operation | None:
    """Add the real values of integer sums: of their codes, and of the sums for quantisers.

    Returns
    -------
    The value of the exact sums, if quantisers of the file read it.
    """
    sums, (element, bounds) = ops[-1], codes.nodes
    coded = any(map(leads_to_codes, readers(op.result)))
    exact: Operation | None = None
    if coded:
        _require_table(sums, layer)
        exact = DequantizeOp(sums)
        ops.append(exact)
    if coded and has_codes_only(op.result):
        return exact
    overrides: FloatArray | None = None
    if codes.saturates or coded:
        ops.append(RequantizeOp(sums, element, bounds=bounds, name=op.given_name))
        overrides = codes_of_windows(op.result, element, f"{layer}, node")
    ops.append(DequantizeOp(ops[-1], overrides))
    return exact


def _beside_quantisers(value: SSAValue, codes: LayerCodes) -> LayerCodes:
    """The codes of a layer, with sums that the quantisers of the file can read.

    A sole quantiser gives the codes, and steps of edges divide its scale by a power of two.
    Functions of quantisers read the exact sums.
    """
    quantiser = _sole_quantiser(value)
    if quantiser is None:
        coded = any(map(leads_to_codes, readers(value)))
        return codes._replace(saturates=False) if coded else codes
    element = quantized_type(quantiser.result)
    finest = codes.edges if element.axis is not None else codes.edges.min()
    shifts = np.ceil(np.log2(element.scales / finest) - _ROUNDED_RATIO).clip(0)
    steps = element.scales / np.exp2(shifts)
    saturates = quantiser.rounding is None  # as kan.requantize rounds
    return LayerCodes(PointCodes(element, quantiser.bounds), steps, saturates)


def _sole_quantiser(value: SSAValue) -> QuantizeOp | None:
    """The quantiser of the file that alone reads a value; None if anything else does."""
    found = readers(value)
    only = found[0] if len(found) == 1 else None
    return only if isinstance(only, QuantizeOp) else None


def _require_table(sums: Operation, layer: str) -> None:
    """Refuse sums that are too wide for the table of the quantiser that reads them."""
    bits = quantized_type(sums.results[0]).bits
    if bits > MAX_BITS:
        raise KanError(
            f"{layer}: its sums have {bits} bits, and the quantiser of the file that reads them is "
            f"a table of at most {MAX_BITS}",
            remedy="use fewer bits, or a quantiser that rounds half to even",
        )


def _quantize_value(
    value: SSAValue, owner: Operation, choice: CodeChoice, point: int, only_result: bool
) -> None:
    """A returned or concatenated function of nodes gets codes of its own."""
    what = f"the result of '{owner.name}'"
    chain = find_chain(value, what)
    if chain is None:
        raise KanError(f"{what} is not a function of one node each")
    values = evaluate_chain(chain)
    require_no_nan(values, chain, what)
    element, bounds = choice.of_value(value, values, point, only_result=only_result)
    quantize = QuantizeOp(value, element, bounds=bounds)
    _replace(value, [quantize, DequantizeOp(quantize)], InsertPoint.after(owner))


def _replace(
    value: SSAValue, ops: list[Operation], place: InsertPoint, exact: Operation | None = None
) -> None:
    """Insert `ops`; their last result replaces the value, whose observers are erased.

    Parameters
    ----------
    exact : the one of `ops` whose result replaces the value for quantisers.
    """
    Rewriter.insert_op(ops, place)
    while (op := observer(value)) is not None:
        Rewriter.replace_op(op, (), [value])
    others = [use for use in value.uses if use.operation not in ops]
    for use in others:
        chosen = exact if exact is not None and leads_to_codes(use.operation) else ops[-1]
        use.operation.operands[use.index] = chosen.results[0]


def _concatenate_codes(block: Block) -> None:
    """concat(dequantize(a), dequantize(b)) becomes dequantize(concat(a, b))."""
    for op in list(block.ops):
        if not isinstance(op, ConcatOp) or not is_float_tensor(op.result):
            continue
        codes = [v.owner.input for v in op.inputs if isinstance(v.owner, DequantizeOp)]
        if len(codes) == len(op.inputs):
            joined = ConcatOp(codes)
            Rewriter.replace_op(op, [joined, DequantizeOp(joined, _joined_overrides(op))])


def _joined_overrides(op: ConcatOp) -> FloatArray:
    """Codes of the concatenation that stand for another value: (codes, 3), see `DequantizeOp`."""
    found = [np.zeros((0, 3))]
    start = 0
    for value in op.inputs:
        assert isinstance(value.owner, DequantizeOp)
        found.append(value.owner.overrides_array + np.array([start, 0, 0]))
        start += tensor_shape(value)[0]
    return np.concatenate(found)


def _chosen_bits(function: func.FuncOp) -> int:
    """The bits that `kan-choose-bits` left with the function."""
    bits = (recorded_figures(function, BITS) or {}).get("bits")
    if not isinstance(bits, int) or not 1 <= bits <= MAX_BITS:
        raise KanError(
            f"kan-quantize: bits of @{function.sym_name.data} are to be chosen, and nothing was",
            remedy="run kan-choose-bits first, or say how many bits",
        )
    return bits


@dataclass(frozen=True)
class QuantizePass(KanPass):
    """Chooses scales and inserts quantisers."""

    name = "kan-quantize"
    works_at = ("spline",)
    option_levels: ClassVar[Mapping[str, str]] = {"input_format": "table", "output_format": "table"}
    preserves: ClassVar[str] = "accuracy within the chosen bits"
    unrecorded: ClassVar[frozenset[str]] = frozenset({"quantizers"})

    bits: tuple[int, ...] | int | Literal["auto"] = bounded(8, WIDTH)
    """Bits of the codes: one number for all quantisation points, or one for the input and one
    for each layer in order; `auto`: what `kan-choose-bits` chose."""
    scale: str = "mse"
    """`minmax`, `percentile`, `mse` (least mean squared error over the histogram) or `pow2` (as
    `mse`, with powers of two)."""
    percentile: float = bounded(99.9, PERCENTILE)
    """With scale `percentile`: the share of samples, in percent, that must not saturate."""
    per_tensor: bool = False
    """One scale for all inputs and one for all nodes of a layer, instead of one each."""
    per_layer: bool = False
    """One scale for all nodes of a layer, as after `kan-share-shapes{up-to=sign}`; inputs have one
    each."""
    guard_bits: int = bounded(0, GUARD_BITS)
    """Bits of an edge's value beyond those that its node keeps."""
    input_format: str | None = None
    """Number formats of input ports, as `x0=s12.8,x1=u10:0.25:512`, `*=s12.8` for all others, or
    a `.json` or `.toml` file of them; hardware rounds their codes to the bits of the network."""
    output_format: str | None = None
    """Number formats of output ports, as for input-format with `y0`, ...; hardware rounds results
    to them, half to even, and saturates."""
    quantizers: str | None = None
    """A JSON file of scales and bits, as the target `quantizers` writes it; it takes the place of
    bits, scale, percentile, per-tensor, per-layer and guard-bits, which choose what a partial file
    leaves out."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.quantizers is not None and not self._is_partial():
            for option in ("bits", "scale", "percentile", "per_tensor", "per_layer", "guard_bits"):
                if getattr(self, option) != getattr(QuantizePass, option):
                    raise KanError(
                        f"{option.replace('_', '-')} has no meaning beside quantizers",
                        remedy="leave one of them out: the file says it",
                    )
        self._read_formats()
        self._require_scale()

    def _require_scale(self) -> None:
        """Refuse options of scales that mean nothing beside each other.

        Raises
        ------
        KanError : names the options.
        """
        if self.scale not in SCALE_METHODS:
            raise KanError(
                f"unknown scale method {self.scale!r}", remedy=f"use {', '.join(SCALE_METHODS)}"
            )
        if self.scale != "percentile" and self.percentile != QuantizePass.percentile:
            raise KanError(
                f"percentile has no meaning for scale {self.scale}",
                remedy="leave it out, or take scale percentile",
            )
        if self.per_tensor and self.per_layer:
            raise KanError("per-tensor and per-layer exclude each other", remedy="keep one of them")

    def _read_formats(self) -> tuple[PortFormats | None, PortFormats | None]:
        """The formats of inputs and outputs that the options give.

        Raises
        ------
        KanError : one is no format, or its file cannot be read. The message names the option.
        """
        found: list[PortFormats | None] = []
        for option, letter in (("input_format", "x"), ("output_format", "y")):
            text: str | None = getattr(self, option)
            try:
                found.append(None if text is None else PortFormats.read(text, letter))
            except KanError as error:
                name = option.replace("_", "-")
                raise KanError(f"{name}: {error.message}", remedy=error.remedy) from None
        return found[0], found[1]

    def recorded(self) -> str:
        """As a pass's, with the formats themselves in place of a file's name."""
        texts = [None if each is None else str(each) for each in self._read_formats()]
        spelt = replace(self, input_format=texts[0], output_format=texts[1])
        return super(QuantizePass, spelt).recorded()

    @property
    def widths(self) -> tuple[int, ...]:
        """The numbers of bits; none with `auto`."""
        if self.bits == "auto":
            return ()
        return self.bits if isinstance(self.bits, tuple) else (self.bits,)

    def require_possible(self, module: ModuleOp, before: Sequence[ModulePass]) -> None:
        """Refuse formats of ports that the network does not have."""
        for function in spline_functions(module):
            FunctionFormats.of(function, *self._read_formats())

    def run(self, ctx: Context, module: ModuleOp) -> bool:
        functions = list(spline_functions(module))
        if self.quantizers is not None and not functions:
            raise KanError(
                f"{self.quantizers} has no meaning for a model that is quantised already",
                remedy="leave quantizers out",
            )
        if functions and (self.quantizers is None or self._is_partial()):
            _warn_of_old_ranges(module)
        coded = self._coded_functions(module)
        for function in coded:
            give_formats(function, CodedFormats.of(function, *self._read_formats()))
        for function in functions:
            formats = FunctionFormats.of(function, *self._read_formats())
            choice = self._choice(function, self._given(function), formats)
            fixed = choice.output_codes()
            quantize_function(function, choice)
            fix_output_codes(function, fixed)
            if isinstance(choice, GivenCodes):
                choice.require_unedited()
        return bool(functions) or bool(coded)

    def violation(self, before: func.FuncOp, after: func.FuncOp) -> str | None:
        if not is_spline(before):
            formats = CodedFormats.of(before, *self._read_formats())
            return coded_formats_problem(before, after, formats.inputs, formats.outputs)
        given = self._given(before)
        if given is not None:
            formats = FunctionFormats.of(before, *self._read_formats())
            points = quantization_points(before)
            return given_problem(
                before, after, with_formats(given, formats, points, str(self.quantizers))
            )
        formats = FunctionFormats.of(before, *self._read_formats())
        return quantization_problem(
            before,
            after,
            self._bits(before),
            self.scale,
            formats,
            per_tensor=self.per_tensor,
        )

    def skipped(self, module: ModuleOp) -> None:
        """Refuse a file that differs from a module that is quantised already.

        Raises
        ------
        KanError : a code, scale or edge differs. A file that cannot be compared is warned of.
        """
        self._refuse_other_formats(module)
        if self.quantizers is None:
            return
        functions = list(quantized_functions(module))
        for function in functions:
            found = quantizers_of(function)
            partial = self._is_partial()
            given = completed(self.quantizers, found) if partial else self._given(function)
            assert given is not None
            problem = codes_problem(found, given)
            if problem is not None:
                raise KanError(
                    f"@{function.sym_name.data} is quantised already, not as {self.quantizers} "
                    f"says: {problem}",
                    remedy="give the model as it was before kan-quantize",
                )
        if not functions:
            _LOG.warning("%s is not read: the model is quantised already", self.quantizers)

    def _is_partial(self) -> bool:
        """Whether the file leaves fields out; False of a file that cannot be read."""
        try:
            return self.quantizers is not None and is_partial(self.quantizers)
        except KanError:
            return False

    def _given(self, function: func.FuncOp) -> Quantizers | None:
        """The quantisers of the given file; those that the file lacks are chosen.

        Raises
        ------
        KanError : the file cannot be read, or the function has quantisers of its model's file.
        """
        if self.quantizers is None:
            return None
        if is_spline(function) and quantizers_inside(function):
            raise KanError(
                f"{self.quantizers} has no meaning for @{function.sym_name.data}, whose file has "
                "quantisers of its own",
                remedy="leave quantizers out",
            )
        if not self._is_partial():
            return read_quantizers(self.quantizers)
        chosen = function.clone()
        formats = FunctionFormats.of(chosen, *self._read_formats())
        quantize_function(chosen, self._choice(chosen, None, formats))
        return completed(self.quantizers, quantizers_of(chosen))

    def _coded_functions(self, module: ModuleOp) -> list[func.FuncOp]:
        """The functions that came with codes, and whose ports get formats.

        Raises
        ------
        KanError : formats are given, and the module is at a level below.
        """
        if self.input_format is None and self.output_format is None:
            return []
        below = sorted(levels_in(module) & {"wire", "hardware", "training"})
        if below:
            option = "output-format" if self.input_format is None else "input-format"
            raise KanError(
                f"{option} has no meaning at {below[0]} level: the ports have codes already",
                remedy="leave it out, or give the model at spline or table level",
            )
        return list(quantized_functions(module))

    def _refuse_other_formats(self, module: ModuleOp) -> None:
        """Refuse formats that differ from those with which a module was quantised."""
        passed = [each for each in recorded_pipeline(module) if each.startswith(self.name)]
        for option, formats in zip(
            ("input-format", "output-format"), self._read_formats(), strict=True
        ):
            if formats is not None and not any(f'{option}="{formats}"' in each for each in passed):
                raise KanError(
                    f"the model is quantised already, without {option}={formats}",
                    remedy=f"leave {option} out, or give the model as it was before {self.name}",
                )

    def _choice(
        self, function: func.FuncOp, given: Quantizers | None, formats: FunctionFormats
    ) -> CodeChoice:
        if given is not None:
            return GivenCodes(given, str(self.quantizers), function, formats)
        options = ScaleOptions(
            self.scale, self.percentile, self.per_tensor, self.per_layer, self.guard_bits
        )
        return CalibratedCodes(function, self._bits(function), options, formats)

    def _bits(self, function: func.FuncOp) -> tuple[int, ...]:
        """Bits of each quantisation point; arguments share the first number."""
        widths = self.widths or (_chosen_bits(function),)
        values = quantization_points(function)
        points = len(values)
        arguments = sum(isinstance(value, BlockArgument) for value in values)
        layers = points - arguments
        if len(widths) == 1:
            return widths * points
        if len(widths) != 1 + layers:
            raise KanError(
                f"kan-quantize: {len(widths)} numbers of bits for @{function.sym_name.data}",
                remedy=f"give one for all, or {1 + layers}: the input and each of {layers} layers",
            )
        return widths[:1] * arguments + widths[1:]


def _warn_of_old_ranges(module: ModuleOp) -> None:
    """Warn of ranges that were measured before the network was changed."""
    passed = recorded_pipeline(module)
    if CalibratePass.name in recorded_names(passed) - passes_in_force(passed):
        _LOG.warning(
            "the network was changed after %s measured the ranges of its nodes; calibrate again, "
            'with kan-calibrate{data="FILE.npz"}, --calibration FILE.npz of kan-flow, or data= in '
            "Python",
            CalibratePass.name,
        )
