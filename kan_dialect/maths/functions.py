"""Named functions of one variable that edges and nodes apply, in float64.

`kan.base` and `kan.map` name one of these. Frontends recognise them in a model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import erf as scalar_erf
from math import pi, sqrt
from types import MappingProxyType
from typing import TypeAlias

import numpy as np

from kan_dialect.ir.constants import FloatArray

Function: TypeAlias = Callable[[FloatArray], FloatArray]


def _sigmoid(x: FloatArray) -> FloatArray:
    # The exponential of -|x| does not overflow, and keeps the digits of the tail.
    decay = np.exp(-np.abs(x))
    return np.where(x < 0.0, decay, 1.0) / (1.0 + decay)


def _erf(x: FloatArray) -> FloatArray:
    flat = np.array([scalar_erf(value) for value in x.ravel().tolist()], dtype=np.float64)
    return flat.reshape(x.shape)


def _gelu(x: FloatArray) -> FloatArray:
    """GELU: x times the standard normal distribution function (Hendrycks, Gimpel, arXiv
    1606.08415).
    """
    return 0.5 * x * (1.0 + _erf(x / sqrt(2.0)))


def _gelu_tanh(x: FloatArray) -> FloatArray:
    """GELU in the tanh approximation of the same paper."""
    return 0.5 * x * (1.0 + np.tanh(sqrt(2.0 / pi) * (x + 0.044715 * x**3)))


FUNCTIONS: Mapping[str, Function] = MappingProxyType(
    {
        "silu": lambda x: x * _sigmoid(x),
        "gelu": _gelu,
        "gelu_tanh": _gelu_tanh,
        "relu": lambda x: np.maximum(x, 0.0),
        "tanh": np.tanh,
        "sigmoid": _sigmoid,
        "identity": lambda x: x,
        "sin": np.sin,
        "cos": np.cos,
        "exp": np.exp,
        "sqrt": np.sqrt,
        "abs": np.abs,
        "square": np.square,
        "cube": lambda x: x**3,
        "reciprocal": lambda x: 1.0 / x,
        "log": np.log,
    }
)
"""Name -> elementwise function of float64 arrays of any shape."""


def apply(name: str, x: FloatArray) -> FloatArray:
    """`FUNCTIONS[name]` on `x`; outside a function's domain the result is NaN or infinite."""
    with np.errstate(all="ignore"):
        return FUNCTIONS[name](x)
