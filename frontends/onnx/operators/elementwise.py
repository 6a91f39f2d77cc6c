"""NumPy kernels of elementwise ONNX operators, in the type of their operands.

The same kernels fold constants in the types of the file, as a runtime would, and evaluate functions
of the inputs in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import erf
from typing import TypeAlias, cast

import numpy as np

from kan_dialect.frontends.onnx.read.graph import Node
from kan_dialect.ir.constants import Array
from kan_dialect.maths import functions

Kernel: TypeAlias = Callable[[Node, Sequence[Array]], Array]


def _unary(function: Callable[[Array], Array]) -> Kernel:
    return lambda node, operands: function(operands[0])


def _binary(function: Callable[[Array, Array], Array]) -> Kernel:
    return lambda node, operands: function(operands[0], operands[1])


def _variadic(function: Callable[[Array, Array], Array]) -> Kernel:
    def kernel(node: Node, operands: Sequence[Array]) -> Array:
        result = operands[0]
        for operand in operands[1:]:
            result = function(result, operand)
        return result

    return kernel


def _named(name: str) -> Kernel:
    """A function of the dialect, rounded to the operand's type."""
    return lambda node, operands: functions.apply(name, operands[0].astype(np.float64)).astype(
        operands[0].dtype
    )


def _divide(a: Array, b: Array) -> Array:
    if a.dtype.kind in "iu":  # Integer division rounds towards zero.
        safe = np.where(b == 0, 1, b)
        return (np.sign(a) * np.sign(safe) * (np.abs(a) // np.abs(safe))).astype(a.dtype)
    return cast(Array, a / b)


def _modulo(node: Node, operands: Sequence[Array]) -> Array:
    a, b = operands
    if node.integer("fmod", 0):
        return np.fmod(a, b)
    return np.mod(a, np.where(b == 0, 1, b).astype(b.dtype) if b.dtype.kind in "iu" else b)


def _power(a: Array, b: Array) -> Array:
    if a.dtype.kind in "iu":
        return np.power(a.astype(np.float64), b).astype(a.dtype)
    return np.power(a, b.astype(a.dtype))


def _error_function(x: Array) -> Array:
    flat = np.array([erf(value) for value in x.ravel().tolist()], dtype=x.dtype)
    return flat.reshape(x.shape)


def _is_infinite(node: Node, operands: Sequence[Array]) -> Array:
    x = operands[0]
    positive, negative = node.integer("detect_positive", 1), node.integer("detect_negative", 1)
    return np.isinf(x) & (((x > 0) & bool(positive)) | ((x < 0) & bool(negative)))


def _clip(node: Node, operands: Sequence[Array]) -> Array:
    x, lower, upper = operands
    return np.minimum(np.maximum(x, lower), upper)


def _softplus(x: Array) -> Array:
    return np.logaddexp(x, np.zeros((), x.dtype))


def _exponential_unit(x: Array, alpha: float) -> Array:
    return np.where(x > 0, x, x.dtype.type(alpha) * np.expm1(np.minimum(x, 0)))


def _elu(node: Node, operands: Sequence[Array]) -> Array:
    return _exponential_unit(operands[0], node.number("alpha", 1.0))


def _celu(node: Node, operands: Sequence[Array]) -> Array:
    alpha = node.number("alpha", 1.0)
    return _exponential_unit(operands[0] / operands[0].dtype.type(alpha), 1.0) * alpha


def _selu(node: Node, operands: Sequence[Array]) -> Array:
    alpha = node.number("alpha", 1.67326319217681884765625)
    gamma = node.number("gamma", 1.05070102214813232421875)
    return _exponential_unit(operands[0], alpha) * operands[0].dtype.type(gamma)


def _leaky_relu(node: Node, operands: Sequence[Array]) -> Array:
    x = operands[0]
    return np.where(x >= 0, x, x.dtype.type(node.number("alpha", 0.01)) * x)


def _thresholded_relu(node: Node, operands: Sequence[Array]) -> Array:
    x = operands[0]
    return np.where(x > node.number("alpha", 1.0), x, x.dtype.type(0))


def _hard_sigmoid(node: Node, operands: Sequence[Array]) -> Array:
    x = operands[0]
    alpha, beta = node.number("alpha", 0.2), node.number("beta", 0.5)
    return np.clip(x * x.dtype.type(alpha) + x.dtype.type(beta), 0, 1)


def _gelu(node: Node, operands: Sequence[Array]) -> Array:
    kind = "gelu_tanh" if node.text("approximate", "none") == "tanh" else "gelu"
    return _named(kind)(node, operands)


def _where(condition: Array, a: Array, b: Array) -> Array:
    return np.where(condition.astype(np.bool_), a, b)


UNARY: dict[str, Kernel] = {
    "Abs": _unary(np.abs),
    "Acos": _unary(np.arccos),
    "Acosh": _unary(np.arccosh),
    "Asin": _unary(np.arcsin),
    "Asinh": _unary(np.arcsinh),
    "Atan": _unary(np.arctan),
    "Atanh": _unary(np.arctanh),
    "Ceil": _unary(np.ceil),
    "Celu": _celu,
    "Cos": _unary(np.cos),
    "Cosh": _unary(np.cosh),
    "Elu": _elu,
    "Erf": _unary(_error_function),
    "Exp": _unary(np.exp),
    "Floor": _unary(np.floor),
    "Gelu": _gelu,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _unary(lambda x: x * np.clip(x / 6 + x.dtype.type(0.5), 0, 1)),
    "IsInf": _is_infinite,
    "IsNaN": _unary(np.isnan),
    "LeakyRelu": _leaky_relu,
    "Log": _unary(np.log),
    "Mish": _unary(lambda x: x * np.tanh(_softplus(x))),
    "Not": _unary(np.logical_not),
    "Reciprocal": _unary(lambda x: cast(Array, x.dtype.type(1) / x)),
    "Relu": _unary(lambda x: np.maximum(x, x.dtype.type(0))),
    "Round": _unary(np.round),
    "Selu": _selu,
    "Sigmoid": _named("sigmoid"),
    "Sign": _unary(np.sign),
    "Sin": _unary(np.sin),
    "Sinh": _unary(np.sinh),
    "Softplus": _unary(_softplus),
    "Softsign": _unary(lambda x: cast(Array, x / (1 + np.abs(x)))),
    "Sqrt": _unary(np.sqrt),
    "Tan": _unary(np.tan),
    "Tanh": _unary(np.tanh),
    "ThresholdedRelu": _thresholded_relu,
}
"""Operators of one operand."""

COMPARISONS: dict[str, Kernel] = {
    "Equal": _binary(np.equal),
    "Greater": _binary(np.greater),
    "GreaterOrEqual": _binary(np.greater_equal),
    "Less": _binary(np.less),
    "LessOrEqual": _binary(np.less_equal),
}

ELEMENTWISE: dict[str, Kernel] = {
    **UNARY,
    **COMPARISONS,
    "Add": _binary(np.add),
    "And": _binary(np.logical_and),
    "Clip": _clip,
    "Div": _binary(_divide),
    "Max": _variadic(np.maximum),
    "Mean": lambda node, operands: cast(
        Array, _variadic(np.add)(node, operands) / operands[0].dtype.type(len(operands))
    ),
    "Min": _variadic(np.minimum),
    "Mod": _modulo,
    "Mul": _binary(np.multiply),
    "Neg": _unary(np.negative),
    "Or": _binary(np.logical_or),
    "PRelu": _binary(lambda x, slope: np.where(x < 0, slope * x, x)),
    "Pow": _binary(_power),
    "Sub": _binary(np.subtract),
    "Sum": _variadic(np.add),
    "Where": lambda node, operands: _where(*operands),
    "Xor": _binary(np.logical_xor),
}
"""Operators whose operands broadcast against each other."""


def apply_kernel(node: Node, operands: Sequence[Array]) -> Array:
    """Result of an elementwise operator; outside a function's domain it is NaN or infinite."""
    with np.errstate(all="ignore"):
        return np.asarray(ELEMENTWISE[node.op_type](node, operands))
