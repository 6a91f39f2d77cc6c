"""Writes the quantisers of a file as standard operators, and records what their codes mean.

These are QONNX's `Quant`, `IntQuant`, `BipolarQuant`, `Trunc` and `MultiThreshold`, and ONNX's
`QuantizeLinear` and `DequantizeLinear`, also with a `Clip` between them. The operators that take
their place compute the same real values in floats, so runtimes without QONNX run the model.
Source: QONNX 1.0, `qonnx/custom_op/general`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
from onnx import helper

from kan_dialect.evaluate.onnx_subgraph import STANDARD_DOMAINS
from kan_dialect.frontends.onnx.read.file import dtype_of
from kan_dialect.frontends.onnx.read.standard_steps import EXPORT_AGAIN, Rewriting, Steps
from kan_dialect.ir.constants import Array
from kan_dialect.ir.quant import MAX_STORAGE_BITS, default_bounds
from kan_dialect.limits import MAX_AXES
from kan_dialect.ops.table import HALF_EVEN

_ROUNDINGS = {
    "ROUND": HALF_EVEN,
    "HALF_EVEN": HALF_EVEN,
    "CEIL": "ceil",
    "FLOOR": "floor",
    "UP": "up",
    "DOWN": "down",
    "ROUND_TO_ZERO": "down",
    "HALF_UP": "half_up",
    "HALF_DOWN": "half_down",
}
"""Rounding modes of QONNX -> those of `kan.quantize`."""

_MAGNITUDE_ROUNDING = {
    "UP": ("Ceil", 0.0),
    "DOWN": ("Floor", 0.0),
    "ROUND_TO_ZERO": ("Floor", 0.0),
    "HALF_UP": ("Floor", 0.5),
    "HALF_DOWN": ("Ceil", -0.5),
}
"""Rounding mode -> operator on |x| + offset, and the offset; the sign stays."""

_MOVEMENTS = frozenset({"Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"})
"""Operators that may stand between `QuantizeLinear` and `DequantizeLinear`."""


@dataclass(frozen=True)
class Quantizer:
    """A quantiser of a file: code q stands for (q - zero point) * scale.

    Attributes
    ----------
    scale, zero_point : constants that broadcast against the values, or their names; "" is 0.
    scaled : name of the value x / scale whose rounding is the code; "" if codes are not rounded.
    is_shifted : whether `scaled` contains the zero point.
    bounds : least and greatest code; None if the operator does not saturate.
    rounding : key of `kan_dialect.ops.table.ROUNDINGS` of the code; "" if codes are not rounded.
    operand : name of the value x; "" if the code is not a rounding of it.
    """

    scale: str | Array
    zero_point: str | Array = ""
    scaled: str = ""
    is_shifted: bool = False
    bounds: tuple[int, int] | None = None
    rounding: str = ""
    operand: str = ""


def expand_quantizers(path: Path, graph: onnx.GraphProto) -> dict[str, Quantizer]:
    """Replace the quantisers of a graph by standard operators.

    Returns
    -------
    The quantisers by the names of their results.

    Raises
    ------
    KanError : a quantiser cannot be expressed; names the node.
    """
    expansion = _Expansion(Rewriting.of(path, graph))
    for node in graph.node:
        expansion.add(node)
    expansion.rewriting.finish(graph)
    return expansion.quantizers


class _Expansion:
    """Writes quantisers.

    Attributes
    ----------
    quantizers : by the name of the result.
    """

    def __init__(self, rewriting: Rewriting) -> None:
        self.rewriting = rewriting
        self._codes: dict[str, _LinearCodes] = {}
        self.quantizers: dict[str, Quantizer] = {}

    def add(self, node: onnx.NodeProto) -> None:
        """Add a node of the file, or the operators that take its place."""
        to = _Steps(self.rewriting, node, expansion=self)
        first = node.input[0] if node.input else ""
        if node.domain not in STANDARD_DOMAINS and node.op_type in _QONNX:
            write, operands = _QONNX[node.op_type]
            to.require_operands(operands)
            to.kind = self._kind(node)
            write(to)
        elif node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            to.require_operands(2)
            to.kind = self._kind(node)
            if node.op_type == "QuantizeLinear":
                self._quantize_linear(to)
            else:
                self._dequantize_linear(to)
        elif node.op_type == "Clip" and first in self._codes:
            to.require_operands(1)
            to.kind = self._codes[first].kind
            self._clip_codes(to)
        else:
            if node.op_type in _MOVEMENTS and first in self._codes:
                self._codes.update((name, self._codes[first]) for name in node.output)
            self.rewriting.nodes.append(node)

    def _kind(self, node: onnx.NodeProto) -> int:
        """Element type of the floats that a quantiser computes with: that of its scale."""
        if node.input[0] in self._codes:
            return self._codes[node.input[0]].kind
        known = self.rewriting.tensors.get(node.input[1])
        dtype = None if known is None else dtype_of(known.data_type)
        if known is None or dtype is None or dtype.kind != "f":
            return onnx.TensorProto.FLOAT
        return known.data_type

    # ONNX's own quantisers

    def _quantize_linear(self, to: _Steps) -> None:
        node = to.node
        bounds = self._storage(to)
        scale, zero_point = self._linear_parameters(to)
        scaled = to.step("Div", [node.input[0], scale], "scaled")
        codes = to.step("Round", [scaled], "rounded")
        if zero_point:
            codes = to.step("Add", [codes, zero_point], "shifted")
        to.clip(codes, *bounds, result=node.output[0])
        self._codes[node.output[0]] = _LinearCodes(node.input[0], scaled, to.kind, bounds)

    def _storage(self, to: _Steps) -> tuple[int, int]:
        """Least and greatest code of a `QuantizeLinear`."""
        node = to.node
        kind = to.attribute("output_dtype", 0) or onnx.TensorProto.UINT8
        if len(node.input) > 2 and node.input[2] in self.rewriting.tensors:
            kind = self.rewriting.tensors[node.input[2]].data_type
        dtype = dtype_of(kind)
        if dtype is None or dtype.kind not in "iu" or dtype.itemsize > 4:
            raise to.refuse("its codes are not integers of 8, 16 or 32 bits", _INTEGERS)
        return default_bounds(8 * dtype.itemsize, dtype.kind == "i")

    def _clip_codes(self, to: _Steps) -> None:
        codes = self._codes[to.node.input[0]]
        ends = list(codes.bounds)
        for side, name in enumerate(to.node.input[1:3]):
            bound = self.rewriting.constant(name) if name else None
            if name and (bound is None or bound.size != 1):
                raise to.refuse("it clips codes at values that it computes", _CONSTANTS)
            if bound is not None:
                end = int(bound.reshape(-1)[0])
                ends[side] = max(ends[0], end) if side == 0 else min(ends[1], end)
        if ends[0] >= ends[1]:
            raise to.refuse("it leaves a single code, or none", "clip codes to a range")
        to.clip(to.node.input[0], *ends, result=to.node.output[0])
        self._codes[to.node.output[0]] = replace(codes, bounds=(ends[0], ends[1]))

    def _dequantize_linear(self, to: _Steps) -> None:
        node = to.node
        codes = self._codes.get(node.input[0])
        scale, zero_point = self._linear_parameters(to)
        value = node.input[0]
        if codes is None:
            value = to.step("Cast", [value], "codes", to=to.kind)
        if zero_point:
            value = to.step("Sub", [value, zero_point], "centred")
        to.step("Mul", [value, scale])
        if codes is not None:
            self.quantizers[node.output[0]] = Quantizer(
                scale,
                zero_point,
                codes.scaled,
                bounds=codes.bounds,
                rounding=HALF_EVEN,
                operand=codes.operand,
            )

    def _linear_parameters(self, to: _Steps) -> tuple[str, str]:
        """Names of scale and zero point as floats that broadcast against the values; "" for 0."""
        node = to.node
        if to.attribute("block_size", 0):
            raise to.refuse("its scales hold for blocks", "use a scale for each channel")
        axis = to.attribute("axis", 1)
        behind = (-axis if axis < 0 else self.rewriting.rank(node.input[0]) - axis) - 1
        if behind >= MAX_AXES:
            raise to.refuse(f"its axis {axis} does not exist", EXPORT_AGAIN)
        zero_point = node.input[2] if len(node.input) > 2 else ""
        if zero_point:
            known = self.rewriting.constant(zero_point)
            is_zero = known is not None and not known.any()
            zero_point = "" if is_zero else to.step("Cast", [zero_point], "zero point", to=to.kind)
        if behind < 1 or self.rewriting.rank(node.input[1]) != 1:
            return node.input[1], zero_point
        shape = to.tensor(np.array([-1] + [1] * behind), "parameter shape")
        names = [(node.input[1], "scales"), (zero_point, "zero points")]
        scale, zero_point = (
            name and to.step("Reshape", [name, shape], role) for name, role in names
        )
        return scale, zero_point


@dataclass(frozen=True)
class _LinearCodes:
    """Codes of a `QuantizeLinear` as floats: its operand, the value that was rounded, its type,
    their ends.
    """

    operand: str
    scaled: str
    kind: int
    bounds: tuple[int, int]


@dataclass(kw_only=True)
class _Steps(Steps):
    """Steps of quantisers."""

    expansion: _Expansion

    def clip(self, value: str, low: int, high: int, result: str | None = None) -> str:
        """Saturate codes; `result` is the node's own, or a further one."""
        ends = [self.number(low, "least"), self.number(high, "greatest")]
        name = None if result == self.node.output[0] else result
        return self.step("Clip", [value, *ends], name)

    def width(self, index: int, what: str) -> int:
        """An operand that is a number of bits.

        Raises
        ------
        KanError : it is not a whole number of 1 to `MAX_STORAGE_BITS`.
        """
        found = np.unique(self.constant(index, what))
        if found.size > 1 or found[0] not in range(1, MAX_STORAGE_BITS + 1):
            raise self.refuse(
                f"its {what} is {', '.join(f'{each:g}' for each in found[:3])}",
                f"give one whole number from 1 to {MAX_STORAGE_BITS} for all channels",
            )
        return int(found[0])

    def scale(self, index: int, what: str) -> Array:
        """An operand that is a scale.

        Raises
        ------
        KanError : it is not positive and finite.
        """
        found = self.constant(index, what)
        if not bool(((found > 0) & (found < np.inf)).all()):
            raise self.refuse(f"its {what} is not positive and finite", "train the model again")
        return found

    def shifted(self, value: str, zero_point: str) -> str:
        """x / scale + zero point; `zero_point` may be ""."""
        scaled = self.step("Div", [value, self.node.input[1]], "scaled")
        return self.step("Add", [scaled, zero_point], "shifted") if zero_point else scaled

    def zero_point(self, index: int) -> str:
        """Name of a zero point; "" if it is 0."""
        found = self.constant(index, "zero point")
        if (found != np.rint(found)).any():
            raise self.refuse("its zero point is not an integer", "train with whole zero points")
        return self.node.input[index] if found.any() else ""

    def rounded(self, value: str, default: str) -> tuple[str, str]:
        """Round a value as the attribute `rounding_mode` says.

        Returns
        -------
        Name of the result, and of the rounding of `kan.quantize`.
        """
        mode = str(self.attribute("rounding_mode", default)).upper()
        if _ROUNDINGS.get(mode) == HALF_EVEN:
            return self.step("Round", [value], "rounded"), HALF_EVEN
        if mode in ("CEIL", "FLOOR"):
            return self.step(mode.capitalize(), [value], "rounded"), _ROUNDINGS[mode]
        if mode not in _MAGNITUDE_ROUNDING:
            known = ["ROUND", "CEIL", "FLOOR", *_MAGNITUDE_ROUNDING]
            raise self.refuse(f"rounding mode '{mode}' is not known", f"use {', '.join(known)}")
        op_type, offset = _MAGNITUDE_ROUNDING[mode]
        magnitude = self.step("Abs", [value], "magnitude")
        if offset:
            addend = self.number(offset, "offset")
            magnitude = self.step("Add", [magnitude, addend], "offset magnitude")
        whole = self.step(op_type, [magnitude], "whole magnitude")
        sign = self.step("Sign", [value], "sign")
        return self.step("Mul", [sign, whole], "rounded"), _ROUNDINGS[mode]

    def value_of(self, codes: str, zero_point: str) -> None:
        """(codes - zero point) * scale, the node's result."""
        centred = self.step("Sub", [codes, zero_point], "centred") if zero_point else codes
        self.step("Mul", [centred, self.node.input[1]])

    def record(self, quantizer: Quantizer) -> None:
        self.expansion.quantizers[self.node.output[0]] = quantizer

    def bounds(self, bits: int) -> tuple[int, int]:
        """Codes of a width; `narrow` leaves out the least signed or the greatest unsigned one."""
        signed, narrow = bool(self.attribute("signed", 1)), bool(self.attribute("narrow", 0))
        low, high = default_bounds(bits, signed)
        found = (low + (narrow and signed), high - (narrow and not signed))
        if found[0] >= found[1]:
            raise self.refuse("it has a single code", "use more bits, or leave narrow out")
        return found


def _quant(to: _Steps) -> None:
    """(round(clip(x / scale + zero point)) - zero point) * scale"""
    bits, zero_point = to.width(3, "bit width"), to.zero_point(2)
    if bits == 1 and to.attribute("signed", 1):
        if zero_point:
            raise to.refuse("it is bipolar, with a zero point", "use zero point 0")
        _bipolar(to)
        return
    low, high = to.bounds(bits)
    scaled = to.shifted(to.node.input[0], zero_point)
    codes, rounding = to.rounded(to.clip(scaled, low, high, "clipped"), "ROUND")
    to.value_of(codes, zero_point)
    x, scale = to.node.input[:2]
    is_shifted, bounds = bool(zero_point), (low, high)
    to.record(Quantizer(scale, zero_point, scaled, is_shifted, bounds, rounding, x))


def _bipolar(to: _Steps) -> None:
    """scale if x >= 0, else -scale; codes 1 and 0 of twice the scale."""
    positive = to.step("GreaterOrEqual", [to.node.input[0], to.number(0.0, "zero")], "positive")
    ones = [to.number(1.0, "one"), to.number(-1.0, "minus one")]
    sign = to.step("Where", [positive, *ones], "sign")
    to.step("Mul", [sign, to.node.input[1]])
    scale, zero_point = np.asarray(2 * to.constant(1, "scale")), np.array(0.5)
    # Code 1 + floor(x / scale).
    quantizer = Quantizer(
        scale, zero_point, bounds=(0, 1), rounding="floor", operand=to.node.input[0]
    )
    to.record(quantizer)


def _trunc(to: _Steps) -> None:
    """Codes of a quantised value without their lowest bits.

    Version 1 has 5 operands, and keeps scale and zero point; version 2 has 6, names the scale of
    the result, and saturates.
    """
    zero_point = to.zero_point(2)
    inner = to.step("Round", [to.shifted(to.node.input[0], zero_point)], "codes")
    second = len(to.node.input) == 6
    before, after = to.width(3, "input bit width"), to.width(4 + second, "output bit width")
    scale, bounds = to.node.input[1], None
    if second:
        scale, bounds = to.node.input[4], to.bounds(after)
        ratio = to.scale(4, "output scale") / to.scale(1, "scale")
        divisor = np.exp2(np.rint(np.log2(ratio)))
        zero = divisor if zero_point else None
    else:
        divisor, zero = np.exp2(np.array(float(before - after))), None
    dtype = helper.tensor_dtype_to_np_dtype(to.kind)
    shifts = to.tensor(divisor.astype(dtype), "divisor")
    codes = to.step("Div", [inner, shifts], "shortened")
    if bounds is not None:
        codes = to.clip(codes, *bounds, "clipped")
    codes, _ = to.rounded(codes, "FLOOR")
    if zero is not None:
        zero_point = to.step("Div", [zero_point, shifts], "output zero point")
    centred = to.step("Sub", [codes, zero_point], "centred") if zero_point else codes
    to.step("Mul", [centred, scale])
    to.record(Quantizer(scale, zero_point, bounds=bounds))


def _multi_threshold(to: _Steps) -> None:
    """out_bias + out_scale * number of thresholds (channels, steps) that x reaches."""
    thresholds = to.constant(1, "thresholds")
    if thresholds.ndim != 2:
        raise to.refuse("its thresholds are not (channels, steps)", _CONSTANTS)
    scale, bias = to.attribute("out_scale", 1.0), to.attribute("out_bias", 0.0)
    if not scale:
        raise to.refuse("its out_scale is 0", "export the model again")
    last = to.tensor(np.array([-1]), "last axis")
    spread = to.step("Unsqueeze", [to.node.input[0], last], "spread")
    reached = to.step("GreaterOrEqual", [spread, to.node.input[1]], "reached")
    ones = to.step("Cast", [reached], "ones", to=to.kind)
    count = to.step("ReduceSum", [ones, last], "count", keepdims=0)
    scaled = to.step("Mul", [count, to.number(scale, "code scale")], "scaled count")
    to.step("Add", [scaled, to.number(bias, "bias")])
    parameters = np.array(scale), np.array(-bias / scale)
    to.record(Quantizer(*parameters, bounds=(0, thresholds.shape[1])))


def _float_quant(to: _Steps) -> None:
    raise to.refuse(
        "its codes are floating-point numbers",
        "quantise to integers: IntQuant, or Brevitas's integer quantisers",
    )


_CONSTANTS = "export the model with constant parameters of its quantisers"
_INTEGERS = "quantise to integers of 8 bits, with a Clip behind QuantizeLinear for fewer bits"

_QONNX = {
    "BipolarQuant": (_bipolar, 2),
    "FloatQuant": (_float_quant, 0),
    "IntQuant": (_quant, 4),
    "MultiThreshold": (_multi_threshold, 2),
    "Quant": (_quant, 4),
    "Trunc": (_trunc, 5),
}
"""Operators of QONNX: how they are written, and their least number of operands."""
