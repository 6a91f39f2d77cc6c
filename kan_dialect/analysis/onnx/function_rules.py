"""Bounds of ONNX functions of one variable, such as activations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import erf, inf

import numpy as np

from kan_dialect.analysis.onnx.arithmetic_rules import named, reciprocal
from kan_dialect.analysis.onnx.bounds import (
    EXACT,
    FINE,
    Function,
    Noise,
    applied,
    below,
    chosen,
    constant,
    larger,
    plus,
    smaller,
    times,
)
from kan_dialect.analysis.onnx.operator_rules import Operator, Rule
from kan_dialect.ir.constants import FloatArray
from kan_dialect.maths.interval_functions import FUNCTIONS, Range, turning


def _turning(function: Callable[[FloatArray], FloatArray], *turns: float) -> Function:
    """A function with these turning points."""
    return lambda x: turning(x, function, turns)


def _dialect(name: str) -> Function:
    return lambda x: FUNCTIONS[name](x)[0]


_SOFTPLUS = _turning(lambda x: np.logaddexp(0.0, x))

_FUNCTIONS: dict[str, tuple[Function, float, float]] = {
    "Tanh": (_dialect("tanh"), -1.0, 1.0),
    "Sigmoid": (_dialect("sigmoid"), 0.0, 1.0),
    "Exp": (_dialect("exp"), 0.0, inf),
    "Log": (_dialect("log"), -inf, inf),
    "Sqrt": (_dialect("sqrt"), 0.0, inf),
    "Sin": (_dialect("sin"), -1.0, 1.0),
    "Cos": (_dialect("cos"), -1.0, 1.0),
    "Tan": (_dialect("tan"), -inf, inf),
    "Asin": (_dialect("arcsin"), -inf, inf),
    "Acos": (_dialect("arccos"), -inf, inf),
    "Atan": (_dialect("arctan"), -inf, inf),
    "Atanh": (_dialect("arctanh"), -inf, inf),
    "Sinh": (_turning(np.sinh), -inf, inf),
    "Cosh": (_turning(np.cosh, 0.0), 1.0, inf),
    "Softplus": (_SOFTPLUS, 0.0, inf),
    "Softsign": (_turning(lambda x: x / (1.0 + np.abs(x))), -1.0, 1.0),
}
"""Operator -> (bounds of the value, least value, greatest value)."""


def _function(op: Operator, operands: Sequence[Range]) -> Range:
    function, least, most = _FUNCTIONS[op.node.op_type]
    return applied(function, operands[0], op.noise, least, most)


def _coarse(noise: Noise) -> Noise:
    """Noise of functions that runtimes compute in float32 even for float64 operands."""
    return noise if noise is not FINE else Noise(2.0**-22, 2.0**-22, 2.0**-22, inf)


_ERF = _turning(np.vectorize(erf, otypes=[np.float64]))
ZERO, ONE = constant(np.array(0.0)), constant(np.array(1.0))


def _leaky(op: Operator, operands: list[Range]) -> Range:
    x, *given = operands
    slope = given[0] if given else op.parameter("alpha", 0.01)
    return plus(larger(x, ZERO), times(slope, smaller(x, ZERO), op.noise), op.noise)


def _exponential_unit(op: Operator, operands: list[Range]) -> Range:
    (x,) = operands
    kind, noise = op.node.op_type, op.noise
    alpha = op.parameter("alpha", 1.67326319217681884765625 if kind == "Selu" else 1.0)
    negative_part = smaller(x, ZERO)
    if kind == "Celu":
        negative_part = times(negative_part, reciprocal(alpha, noise), noise)
    fall = times(alpha, applied(_turning(np.expm1), negative_part, noise), noise)
    found = plus(larger(x, ZERO), fall, noise)
    if kind != "Selu":
        return found
    return times(op.parameter("gamma", 1.05070102214813232421875), found, noise)


def _hard_sigmoid(op: Operator, operands: list[Range]) -> Range:
    swish = op.node.op_type == "HardSwish"
    noise = _coarse(op.noise) if swish else op.noise
    scaled = times(operands[0], op.parameter("alpha", 1.0 / 6.0 if swish else 0.2), noise)
    rising = smaller(larger(plus(scaled, op.parameter("beta", 0.5), noise), ZERO), ONE)
    return times(operands[0], rising, noise) if swish else rising


def _gelu(op: Operator, operands: list[Range]) -> Range:
    way = op.attributes.get("approximate", b"none")
    name = "gelu_tanh" if way in (b"tanh", "tanh") else "gelu"
    return named(name, operands[0], _coarse(op.noise))


def _mish(op: Operator, operands: list[Range]) -> Range:
    (x,) = operands
    soft = applied(_SOFTPLUS, x, op.noise, 0.0)
    return times(x, applied(_dialect("tanh"), soft, op.noise, -1.0, 1.0), op.noise)


RULES: dict[str, Rule] = {
    **dict.fromkeys(_FUNCTIONS, _function),
    **dict.fromkeys(("LeakyRelu", "PRelu"), _leaky),
    **dict.fromkeys(("Elu", "Selu", "Celu"), _exponential_unit),
    **dict.fromkeys(("HardSigmoid", "HardSwish"), _hard_sigmoid),
    "Abs": lambda op, x: named("abs", x[0], EXACT, 0.0),
    "Erf": lambda op, x: applied(_ERF, x[0], _coarse(op.noise), -1.0, 1.0),
    "Gelu": _gelu,
    "Mish": _mish,
    "Reciprocal": lambda op, x: reciprocal(x[0], op.noise),
    "Relu": lambda op, x: larger(x[0], ZERO),
    "ThresholdedRelu": lambda op, x: chosen(below(op.parameter("alpha", 1.0), x[0]), x[0], ZERO),
}
"""Operator -> rule."""
