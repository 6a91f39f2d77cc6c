"""Ports with number formats for a network that came with codes.

Codes of the ports are rounded to those of the network by `kan.requantize`, with the gain and offset
that the host would compute otherwise. Codes of results are rounded to those of the ports by
`kan.requantize` where scales have a ratio of a power of two, and by a table of each code otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from xdsl.dialects import func
from xdsl.dialects.builtin import TensorType
from xdsl.ir import BlockArgument, Operation, SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from kan_dialect.analysis.quantization_points import readers
from kan_dialect.errors import KanError
from kan_dialect.evaluate.code_ports import code_values, rounded_codes
from kan_dialect.ir.attributes.module_attributes import fix_output_codes, fixed_output_codes
from kan_dialect.ir.code_bounds import bounds_of
from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.types import IntType, bounds_constant, quantized_type, tensor_shape
from kan_dialect.model.code_choice import ports_with_formats
from kan_dialect.model.function_formats import format_codes, whole_formats
from kan_dialect.model.number_formats import NumberFormat, PortFormats
from kan_dialect.model.quantizers import Codes, are_powers_of_two
from kan_dialect.model.quantizers_in_ir import quantizers_of
from kan_dialect.ops.layer import AffineOp, NodeSumOp
from kan_dialect.ops.table import (
    DequantizeOp,
    QuantizeOp,
    RequantizeOp,
    TablesOp,
    dequantize,
    quantize,
)

MAX_LISTED_BITS = 12
"""Widest codes of results that a table rounds to a format."""
MAX_EXPONENT = 31
"""Largest exponent between the scales of results and of their format."""


@dataclass(frozen=True)
class CodedFormats:
    """The formats of the ports of a network with codes, by argument and by result.

    Parameters
    ----------
    inputs, outputs : for each argument and result, a format for each port; None of ports without.
    """

    inputs: Sequence[Sequence[NumberFormat | None]]
    outputs: Sequence[Sequence[NumberFormat | None]]

    @classmethod
    def of(
        cls, function: func.FuncOp, inputs: PortFormats | None, outputs: PortFormats | None
    ) -> CodedFormats:
        """The formats for the ports of a function at table level.

        Raises
        ------
        KanError : a format is given for a port that the function does not have.
        """
        name = function.sym_name.data
        sides: list[list[Sequence[NumberFormat | None]]] = []
        for letter, given, values in zip(
            "xy", (inputs, outputs), code_values(function), strict=True
        ):
            sizes = [tensor_shape(value)[0] for value in values]
            flat: list[NumberFormat | None] = [None] * sum(sizes)
            if given is not None:
                flat = given.of_ports(letter, sum(sizes), name)
            ends = np.cumsum(sizes).tolist()
            sides.append([flat[end - size : end] for size, end in zip(sizes, ends, strict=True)])
        return cls(*sides)


def give_formats(function: func.FuncOp, formats: CodedFormats) -> None:
    """Give the ports of a function at table level formats.

    Raises
    ------
    KanError : a port cannot have its format. The message names it.
    """
    starts = np.cumsum([0, *map(len, formats.inputs)]).tolist()
    for index, each in enumerate(formats.inputs):
        if any(one is not None for one in each):
            _format_argument(function, index, each, starts[index])
    _format_results(function, formats.outputs)


def _format_argument(
    function: func.FuncOp, index: int, formats: Sequence[NumberFormat | None], start: int
) -> None:
    """The ports of an argument get formats, and hardware rounds their codes."""
    name = function.sym_name.data
    codes = code_values(function)[0][index]
    quantizer = codes.owner
    if not isinstance(quantizer, QuantizeOp):
        raise KanError(
            f"argument {index} of @{name} has codes of its own type, {codes.type}, and no format",
            remedy="leave input-format out, or give the model with real arguments",
        )
    if rounded_codes(codes) is not codes:
        raise KanError(
            f"the inputs of @{name} have formats already",
            remedy="leave input-format out, or give the model as it was before kan-quantize",
        )
    where = f"@{name}: inputs[{index}]"
    given = quantizers_of(function).arguments[index]
    argument = ports_with_formats(given, formats, where, start)
    if argument.port is None:
        return
    scales, points = (
        np.broadcast_to(each, len(given.codes))
        for each in (given.codes.scale, given.codes.zero_point)
    )
    for n, each in enumerate(formats):
        if each is not None:
            ends = [
                (int(code[n]) - int(points[n])) * float(scales[n])
                for code in (given.codes.low, given.codes.high)
            ]
            reached = [value * given.gain[n] + given.offset[n] for value in each.values]
            _require_met(each, reached, ends, f"x{start + n} of @{name}")
    value: SSAValue = quantizer.input
    affines: list[Operation] = []
    while isinstance(value.owner, AffineOp):
        affines.append(value.owner)
        value = value.owner.input
    assert isinstance(value, BlockArgument)
    element = argument.port.element(quantized_type(codes).expressed_type)
    bounds = bounds_constant(
        TensorType(element, (len(formats),)), argument.port.low, argument.port.high
    )
    port = QuantizeOp(value, element, bounds=bounds)
    rounded = RequantizeOp(
        port,
        quantized_type(codes),
        bounds=quantizer.bounds,
        name=f"input{index}",
        affine=(argument.gain, argument.offset) if argument.rescales else None,
    )
    Rewriter.insert_op([port, rounded], InsertPoint.before(quantizer))
    codes.replace_all_uses_with(rounded.result)
    for op in (quantizer, *affines):
        Rewriter.erase_op(op)


def _require_met(
    each: NumberFormat, reached: Sequence[float], ends: Sequence[float], where: str
) -> None:
    """Require a format with some values within the codes of the network."""
    if max(reached) < min(ends) or min(reached) > max(ends):
        raise KanError(
            f"input {where} has codes for {min(ends):g} to {max(ends):g}, and its format {each} "
            f"gives {min(reached):g} to {max(reached):g} there",
            remedy="give a format that holds some of these values",
        )


def _format_results(
    function: func.FuncOp, outputs: Sequence[Sequence[NumberFormat | None]]
) -> None:
    """The ports of results get formats, and hardware rounds the network's codes to them."""
    terminator = function.get_return_op()
    assert terminator is not None
    _, results = code_values(function)
    known = fixed_output_codes(function)
    fixed: list[IntType | None] = []
    name = function.sym_name.data
    for index, (codes, formats) in enumerate(zip(results, outputs, strict=True)):
        start = len(fixed)
        given = whole_formats(formats, start, name)
        if not given:
            fixed += [None] * len(formats) if known is None else known[start : start + len(formats)]
            continue
        if known is not None and any(known[start : start + len(formats)]):
            raise KanError(
                f"the outputs of @{name} have formats already",
                remedy="leave output-format out, or give the model as it was before kan-quantize",
            )
        if isinstance(codes.owner, NodeSumOp) and len(readers(codes)) > 1:
            raise KanError(
                f"y{start} of @{name} cannot have a format: other layers read it too",
                remedy="leave its format out",
            )
        fixed += [IntType(*each.codes) for each in given]
        added = _rounded_results(codes, given, start, name)
        if added is None:
            continue
        result = terminator.operands[index]
        ops: list[Operation] = [added]
        if isinstance(result.owner, DequantizeOp):
            ops.append(DequantizeOp(added))
        Rewriter.insert_op(ops, InsertPoint.before(terminator))
        terminator.operands[index] = ops[-1].results[0]
        if isinstance(result.owner, DequantizeOp) and result.first_use is None:
            Rewriter.erase_op(result.owner)
    if any(each is not None for each in fixed):
        fix_output_codes(function, fixed)
    function.update_function_type()


def _rounded_results(
    codes: SSAValue, formats: Sequence[NumberFormat], start: int, name: str
) -> Operation | None:
    """The op that rounds codes of a result to formats; None if they are these codes."""
    element, (lower, upper) = quantized_type(codes), bounds_of(codes)
    count = len(formats)
    scale = np.broadcast_to(element.scale_for(1), count)
    point = np.broadcast_to(element.zero_point_for(1), count)
    ends: list[IntArray] = [lower, upper]
    values = np.stack([dequantize(each, scale, point) for each in ends])
    for n, each in enumerate(formats):
        low, high = each.values
        least, most = values[:, n].tolist()
        if least < low - each.scale or most > high + each.scale:
            raise KanError(
                f"output y{start + n} of @{name} has codes for {least:g} to {most:g}, and its "
                f"format {each} holds {low:g} to {high:g}",
                remedy="give a format with more bits or a larger scale",
            )
    target, limits = format_codes(formats, element.expressed_type)
    first, last = (np.array(each) for each in zip(*limits, strict=True))
    bounds = bounds_constant(TensorType(target, (count,)), first, last)
    mine = Codes(lower, upper, scale, point)
    its = Codes(
        first,
        last,
        np.array([each.scale for each in formats]),
        np.array([each.zero_point for each in formats]),
    )
    if mine.equals(its):
        return None
    ratios = its.scale / mine.scale
    if are_powers_of_two(ratios) and bool((np.abs(np.log2(ratios)) <= MAX_EXPONENT).all()):
        return RequantizeOp(codes, target, bounds=bounds)
    low, high = element.bounds
    if high - low >= 1 << MAX_LISTED_BITS:
        odd = next(n for n, each in enumerate(ratios) if not are_powers_of_two(np.array(each)))
        raise KanError(
            f"the scale of output y{start + odd} of @{name} is {scale[odd]:g}, that of its format "
            f"{formats[odd]} is no power of two times it, and its codes have more than "
            f"{MAX_LISTED_BITS} bits",
            remedy=f"give a scale of {scale[odd]:g} times a power of two",
        )
    every = np.arange(low, high + 1)[:, np.newaxis]
    tables = quantize(dequantize(every, scale, point), its.scale, its.zero_point, first, last)
    return TablesOp(codes, tables.T.copy(), target, bounds=bounds)
