"""Bounds of ONNX functions of one variable, such as activations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import erf, pi, sqrt

import numpy as np

from kan_dialect.analysis.onnx.arithmetic_rules import ordered, reciprocal, reciprocal_of
from kan_dialect.analysis.onnx.bounds import (
    EXACT,
    FINE,
    Bounds,
    Noise,
    applied,
    below,
    chosen,
    compared,
    larger,
    minus,
    negative,
    plus,
    smaller,
    times,
)
from kan_dialect.analysis.onnx.operator_rules import (
    Operator,
    Rule,
    registrar,
)
from kan_dialect.ir.constants import FloatArray
from kan_dialect.maths.functions import apply
from kan_dialect.maths.interval_functions import FUNCTIONS, Bounded, Range, turning
from kan_dialect.maths.interval_functions import widened as pushed_out

RULES: dict[str, Rule] = {}
"""Operator -> rule."""

_rule = registrar(RULES)


def _simple(
    function: Callable[[FloatArray], FloatArray],
    turns: Sequence[float],
    derivative: Callable[[FloatArray], FloatArray],
    bends: Sequence[float],
) -> Bounded:
    return lambda x: (turning(x, function, turns), turning(x, derivative, bends))


def _softplus(x: Range) -> tuple[Range, Range]:
    return (
        turning(x, lambda y: np.logaddexp(0.0, y), ()),
        turning(x, lambda y: apply("sigmoid", y), ()),
    )


def _erf(x: Range) -> tuple[Range, Range]:
    def slope(y: FloatArray) -> FloatArray:
        return 2.0 / sqrt(pi) * np.exp(-(y**2))

    return turning(x, _erf_values, ()), turning(x, slope, (0.0,))


def _erf_values(x: FloatArray) -> FloatArray:
    distinct, places = np.unique(x, return_inverse=True)
    found = np.array([erf(each) for each in distinct.tolist()], dtype=np.float64)
    return found[places].reshape(x.shape)


_INF = np.inf
_SOFTSIGN = _simple(
    lambda x: x / (1.0 + np.abs(x)), (), lambda x: 1.0 / (1.0 + np.abs(x)) ** 2, (0.0,)
)

_FUNCTIONS: dict[str, tuple[Bounded, float, float]] = {
    "Tanh": (FUNCTIONS["tanh"], -1.0, 1.0),
    "Sigmoid": (FUNCTIONS["sigmoid"], 0.0, 1.0),
    "Exp": (FUNCTIONS["exp"], 0.0, _INF),
    "Log": (FUNCTIONS["log"], -_INF, _INF),
    "Sqrt": (FUNCTIONS["sqrt"], 0.0, _INF),
    "Reciprocal": (reciprocal, -_INF, _INF),
    "Sin": (FUNCTIONS["sin"], -1.0, 1.0),
    "Cos": (FUNCTIONS["cos"], -1.0, 1.0),
    "Tan": (FUNCTIONS["tan"], -_INF, _INF),
    "Asin": (FUNCTIONS["arcsin"], -_INF, _INF),
    "Acos": (FUNCTIONS["arccos"], -_INF, _INF),
    "Atan": (FUNCTIONS["arctan"], -_INF, _INF),
    "Atanh": (FUNCTIONS["arctanh"], -_INF, _INF),
    "Sinh": (_simple(np.sinh, (), np.cosh, (0.0,)), -_INF, _INF),
    "Cosh": (_simple(np.cosh, (0.0,), np.sinh, ()), 1.0, _INF),
    "Asinh": (_simple(np.arcsinh, (), lambda x: 1.0 / np.sqrt(1.0 + x**2), (0.0,)), -_INF, _INF),
    "Acosh": (_simple(np.arccosh, (), lambda x: 1.0 / np.sqrt(x**2 - 1.0), ()), 0.0, _INF),
    "Softplus": (_softplus, 0.0, _INF),
    "Softsign": (_SOFTSIGN, -1.0, 1.0),
}
"""Operator -> (bounds of value and slope, least value, greatest value)."""


@_rule(*_FUNCTIONS)
def _function(op: Operator, operands: list[Bounds]) -> Bounds:
    function, least, most = _FUNCTIONS[op.node.op_type]
    return applied(function, operands[0], op.noise, least, most)


def _coarse(noise: Noise) -> Noise:
    """Noise of functions that runtimes compute in float32 even for float64 operands."""
    return noise if noise is not FINE else Noise(2.0**-22, 2.0**-22, 2.0**-22, np.inf)


@_rule("Erf")
def _error_function(op: Operator, operands: list[Bounds]) -> Bounds:
    return applied(_erf, operands[0], _coarse(op.noise), -1.0, 1.0)


@_rule("Abs", "Relu")
def _kinked(op: Operator, operands: list[Bounds]) -> Bounds:
    def bounded(x: Range) -> tuple[Range, Range]:
        slope = FUNCTIONS[op.node.op_type.lower()](x)[1]
        if op.node.op_type == "Relu":
            return Range(np.maximum(x.low, 0.0), np.maximum(x.high, 0.0)), slope
        inside = (x.low <= 0.0) & (x.high >= 0.0)
        ends = ordered(np.abs(x.low), np.abs(x.high))
        return Range(np.where(inside, 0.0, ends.low), ends.high), slope

    # Neither function rounds.
    return applied(bounded, operands[0], EXACT)


ZERO, ONE = Bounds.exact(np.array(0.0)), Bounds.exact(np.array(1.0))
_EXPM1: Bounded = _simple(np.expm1, (), np.exp, ())


@_rule("LeakyRelu", "PRelu")
def _leaky(op: Operator, operands: list[Bounds]) -> Bounds:
    x, *given = operands
    slope = given[0] if given else op.parameter("alpha", 0.01)
    fall = times(slope, smaller(x, ZERO), op.noise)
    return plus(larger(x, ZERO), fall, op.noise)


@_rule("Elu", "Selu", "Celu")
def _exponential_unit(op: Operator, operands: list[Bounds]) -> Bounds:
    (x,) = operands
    kind, noise = op.node.op_type, op.noise
    alpha = op.parameter("alpha", 1.67326319217681884765625 if kind == "Selu" else 1.0)
    negative_part = smaller(x, ZERO)
    if kind == "Celu":
        negative_part = times(negative_part, reciprocal_of(alpha, noise), noise)
    fall = times(alpha, applied(_EXPM1, negative_part, noise), noise)
    found = plus(larger(x, ZERO), fall, noise)
    if kind != "Selu":
        return found
    return times(op.parameter("gamma", 1.05070102214813232421875), found, noise)


@_rule("HardSigmoid")
def _hard_sigmoid(op: Operator, operands: list[Bounds]) -> Bounds:
    scaled = times(operands[0], op.parameter("alpha", 0.2), op.noise)
    moved = plus(scaled, op.parameter("beta", 0.5), op.noise)
    return smaller(larger(moved, ZERO), ONE)


@_rule("HardSwish")
def _hard_swish(op: Operator, operands: list[Bounds]) -> Bounds:
    def value(x: FloatArray) -> FloatArray:
        return x * np.clip(x / 6.0 + 0.5, 0.0, 1.0)

    def bounded(x: Range) -> tuple[Range, Range]:
        within = Range(np.clip(x.low, -3.0, 3.0), np.clip(x.high, -3.0, 3.0))
        low, high = (2.0 * end / 6.0 + 0.5 for end in within)
        touches = (x.low <= 3.0) & (x.high >= -3.0)
        low, high = np.where(touches, low, np.inf), np.where(touches, high, -np.inf)
        low, high = (
            np.where(x.low <= -3.0, function(end, 0.0), end)
            for function, end in ((np.minimum, low), (np.maximum, high))
        )
        low, high = (
            np.where(x.high >= 3.0, function(end, 1.0), end)
            for function, end in ((np.minimum, low), (np.maximum, high))
        )
        return turning(x, value, (-1.5,)), pushed_out(low, high)

    return applied(bounded, operands[0], _coarse(op.noise))


@_rule("Gelu")
def _gelu(op: Operator, operands: list[Bounds]) -> Bounds:
    way = op.attributes.get("approximate", b"none")
    name = "gelu_tanh" if way in (b"tanh", "tanh") else "gelu"
    return applied(FUNCTIONS[name], operands[0], _coarse(op.noise))


@_rule("Mish")
def _mish(op: Operator, operands: list[Bounds]) -> Bounds:
    (x,) = operands
    soft = applied(_softplus, x, op.noise, 0.0)
    return times(x, applied(FUNCTIONS["tanh"], soft, op.noise, -1.0, 1.0), op.noise)


@_rule("ThresholdedRelu")
def _thresholded(op: Operator, operands: list[Bounds]) -> Bounds:
    (x,) = operands
    return chosen(compared(op.parameter("alpha", 1.0), x, below), x, ZERO)


@_rule("Shrink")
def _shrink(op: Operator, operands: list[Bounds]) -> Bounds:
    (x,) = operands
    limit, bias, noise = op.parameter("lambd", 0.5), op.parameter("bias", 0.0), op.noise
    left, right = compared(x, negative(limit), below), compared(limit, x, below)
    inner = chosen(right, minus(x, bias, _coarse(noise)), ZERO)
    return chosen(left, plus(x, bias, _coarse(noise)), inner)
