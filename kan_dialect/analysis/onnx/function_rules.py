"""Bounds of ONNX functions of one variable, such as activations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import erf, inf, pi, sqrt

import numpy as np

from kan_dialect.analysis.onnx.arithmetic_rules import reciprocal, reciprocal_of
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
    plus,
    smaller,
    times,
)
from kan_dialect.analysis.onnx.operator_rules import Operator, Rule
from kan_dialect.ir.constants import FloatArray
from kan_dialect.maths.functions import apply
from kan_dialect.maths.interval_functions import FUNCTIONS, Bounded, turning


def _simple(
    function: Callable[[FloatArray], FloatArray],
    turns: Sequence[float],
    derivative: Callable[[FloatArray], FloatArray],
    bends: Sequence[float],
) -> Bounded:
    """A function with turning points `turns`, whose derivative has turning points `bends`."""
    return lambda x: (turning(x, function, turns), turning(x, derivative, bends))


_ERF = _simple(
    np.vectorize(erf, otypes=[np.float64]),
    (),
    lambda x: 2.0 / sqrt(pi) * np.exp(-(x**2)),
    (0.0,),
)
_EXPM1 = _simple(np.expm1, (), np.exp, ())
_SOFTPLUS = _simple(lambda x: np.logaddexp(0.0, x), (), lambda x: apply("sigmoid", x), ())
_SOFTSIGN = _simple(
    lambda x: x / (1.0 + np.abs(x)), (), lambda x: 1.0 / (1.0 + np.abs(x)) ** 2, (0.0,)
)

_FUNCTIONS: dict[str, tuple[Bounded, float, float]] = {
    "Tanh": (FUNCTIONS["tanh"], -1.0, 1.0),
    "Sigmoid": (FUNCTIONS["sigmoid"], 0.0, 1.0),
    "Exp": (FUNCTIONS["exp"], 0.0, inf),
    "Log": (FUNCTIONS["log"], -inf, inf),
    "Sqrt": (FUNCTIONS["sqrt"], 0.0, inf),
    "Reciprocal": (reciprocal, -inf, inf),
    "Sin": (FUNCTIONS["sin"], -1.0, 1.0),
    "Cos": (FUNCTIONS["cos"], -1.0, 1.0),
    "Tan": (FUNCTIONS["tan"], -inf, inf),
    "Asin": (FUNCTIONS["arcsin"], -inf, inf),
    "Acos": (FUNCTIONS["arccos"], -inf, inf),
    "Atan": (FUNCTIONS["arctan"], -inf, inf),
    "Atanh": (FUNCTIONS["arctanh"], -inf, inf),
    "Sinh": (_simple(np.sinh, (), np.cosh, (0.0,)), -inf, inf),
    "Cosh": (_simple(np.cosh, (0.0,), np.sinh, ()), 1.0, inf),
    "Softplus": (_SOFTPLUS, 0.0, inf),
    "Softsign": (_SOFTSIGN, -1.0, 1.0),
}
"""Operator -> (bounds of value and slope, least value, greatest value)."""


def _function(op: Operator, operands: list[Bounds]) -> Bounds:
    function, least, most = _FUNCTIONS[op.node.op_type]
    return applied(function, operands[0], op.noise, least, most)


def _coarse(noise: Noise) -> Noise:
    """Noise of functions that runtimes compute in float32 even for float64 operands."""
    return noise if noise is not FINE else Noise(2.0**-22, 2.0**-22, 2.0**-22, inf)


ZERO, ONE = Bounds.exact(np.array(0.0)), Bounds.exact(np.array(1.0))


def _leaky(op: Operator, operands: list[Bounds]) -> Bounds:
    x, *given = operands
    slope = given[0] if given else op.parameter("alpha", 0.01)
    fall = times(slope, smaller(x, ZERO), op.noise)
    return plus(larger(x, ZERO), fall, op.noise)


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


def _hard_sigmoid(op: Operator, operands: list[Bounds]) -> Bounds:
    swish = op.node.op_type == "HardSwish"
    noise = _coarse(op.noise) if swish else op.noise
    scaled = times(operands[0], op.parameter("alpha", 1.0 / 6.0 if swish else 0.2), noise)
    rising = smaller(larger(plus(scaled, op.parameter("beta", 0.5), noise), ZERO), ONE)
    return times(operands[0], rising, noise) if swish else rising


def _gelu(op: Operator, operands: list[Bounds]) -> Bounds:
    way = op.attributes.get("approximate", b"none")
    name = "gelu_tanh" if way in (b"tanh", "tanh") else "gelu"
    return applied(FUNCTIONS[name], operands[0], _coarse(op.noise))


def _mish(op: Operator, operands: list[Bounds]) -> Bounds:
    (x,) = operands
    soft = applied(_SOFTPLUS, x, op.noise, 0.0)
    return times(x, applied(FUNCTIONS["tanh"], soft, op.noise, -1.0, 1.0), op.noise)


def _thresholded(op: Operator, operands: list[Bounds]) -> Bounds:
    (x,) = operands
    return chosen(compared(op.parameter("alpha", 1.0), x, below), x, ZERO)


RULES: dict[str, Rule] = {
    **dict.fromkeys(_FUNCTIONS, _function),
    **dict.fromkeys(("LeakyRelu", "PRelu"), _leaky),
    **dict.fromkeys(("Elu", "Selu", "Celu"), _exponential_unit),
    **dict.fromkeys(("HardSigmoid", "HardSwish"), _hard_sigmoid),
    "Abs": lambda op, x: applied(FUNCTIONS["abs"], x[0], EXACT, 0.0),
    "Erf": lambda op, x: applied(_ERF, x[0], _coarse(op.noise), -1.0, 1.0),
    "Gelu": _gelu,
    "Mish": _mish,
    "Relu": lambda op, x: applied(FUNCTIONS["relu"], x[0], EXACT),
    "ThresholdedRelu": _thresholded,
}
"""Operator -> rule."""
