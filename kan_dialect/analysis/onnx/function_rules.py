"""Bounds of ONNX functions of one variable, such as activations."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

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
from kan_dialect.maths.interval_functions import FUNCTIONS, Range, turning


def _dialect(name: str) -> Function:
    return lambda x: FUNCTIONS[name](x)[0]


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
}
"""Operator -> (bounds of the value, least value, greatest value)."""


def _function(op: Operator, operands: Sequence[Range]) -> Range:
    function, least, most = _FUNCTIONS[op.node.op_type]
    return applied(function, operands[0], op.noise, least, most)


_TURNS: dict[str, Sequence[float]] = {
    **dict.fromkeys(("Celu", "Cosh", "Elu", "LeakyRelu", "Selu"), (0.0,)),
    **dict.fromkeys(("Erf", "HardSigmoid", "Sinh", "Softplus", "Softsign"), ()),
    "HardSwish": (-1.5,),
    "Mish": (-1.19243121451,),
}
"""Operator that is monotone between its turning points, and evaluated itself -> these points."""

_ROUNDED = Noise(2.0**-46, 2.0**-46, 2.0**-46, inf)
_COARSE = Noise(2.0**-22, 2.0**-22, 2.0**-22, inf)
"""Noise of functions that runtimes compute in float32 even for float64 operands."""


def _turning(op: Operator, operands: Sequence[Range]) -> Range:
    kind, noise = op.node.op_type, op.noise
    if noise is FINE:
        noise = _COARSE if kind in ("Erf", "HardSwish") else _ROUNDED
    return applied(lambda x: turning(x, op.evaluate, _TURNS[kind]), operands[0], noise)


ZERO, ONE = constant(np.array(0.0)), constant(np.array(1.0))


def _parametric_relu(op: Operator, operands: list[Range]) -> Range:
    x, slope = operands
    return plus(larger(x, ZERO), times(slope, smaller(x, ZERO), op.noise), op.noise)


def _gelu(op: Operator, operands: list[Range]) -> Range:
    way = op.attributes.get("approximate", b"none")
    name = "gelu_tanh" if way in (b"tanh", "tanh") else "gelu"
    return named(name, operands[0], _COARSE if op.noise is FINE else op.noise)


RULES: dict[str, Rule] = {
    **dict.fromkeys(_FUNCTIONS, _function),
    **dict.fromkeys(_TURNS, _turning),
    "PRelu": _parametric_relu,
    "Abs": lambda op, x: named("abs", x[0], EXACT, 0.0),
    "Gelu": _gelu,
    "Reciprocal": lambda op, x: reciprocal(x[0], op.noise),
    "Relu": lambda op, x: larger(x[0], ZERO),
    "ThresholdedRelu": lambda op, x: chosen(below(op.parameter("alpha", 1.0), x[0]), x[0], ZERO),
}
"""Operator -> rule."""
