"""Elementwise ONNX operators: which there are, where they branch, and their values."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from onnx import helper

from kan_dialect.evaluate.onnx_node import NodeFunction, open_node
from kan_dialect.frontends.onnx.operators.dependence import Run
from kan_dialect.frontends.onnx.read.graph import Node
from kan_dialect.ir.constants import Array

COMPARISONS = frozenset({"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"})

ELEMENTWISE = frozenset(
    {"Abs", "Acos", "Acosh", "Add", "And", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Celu"}
    | {"Clip", "Cos", "Cosh", "Div", "Elu", "Erf", "Exp", "Floor", "Gelu", "HardSigmoid"}
    | {"HardSwish", "IsInf", "IsNaN", "LeakyRelu", "Log", "Max", "Mean", "Min", "Mish", "Mod"}
    | {"Mul", "Neg", "Not", "Or", "PRelu", "Pow", "Reciprocal", "Relu", "Round", "Selu"}
    | {"Sigmoid", "Sign", "Sin", "Sinh", "Softplus", "Softsign", "Sqrt", "Sub", "Sum", "Tan"}
    | {"Tanh", "ThresholdedRelu", "Where", "Xor", *COMPARISONS}
)
"""Operators whose operands broadcast against each other."""

_INTEGER_STEPS = np.arange(-3.0, 4.0).tolist()
_ROUNDING_STEPS = np.arange(-2.5, 3.0).tolist()
"""Values near 0 at which rounding operators jump; jumps farther away are not tried."""

_KINKS = ("Abs", "Celu", "Elu", "LeakyRelu", "PRelu", "Relu", "Selu", "Sign")


def _clipped_line(node: Node) -> list[float]:
    alpha, beta = node.number("alpha", 0.2), node.number("beta", 0.5)
    return [(end - beta) / alpha for end in (0.0, 1.0) if alpha]


_LIMITS: dict[str, Callable[[Node], list[float]]] = {
    **dict.fromkeys(_KINKS, lambda node: [0.0]),
    **dict.fromkeys(("Ceil", "Floor", "Cast", "CastLike"), lambda node: _INTEGER_STEPS),
    "HardSigmoid": _clipped_line,
    "HardSwish": lambda node: [-3.0, 3.0],
    "Round": lambda node: _ROUNDING_STEPS,
    "Shrink": lambda node: [-node.number("lambd", 0.5), node.number("lambd", 0.5)],
    "ThresholdedRelu": lambda node: [node.number("alpha", 1.0)],
}
"""Operator -> values of its first operand at which it branches, jumps or has a kink."""

DECISIONS = frozenset(
    {"Cast", "CastLike", "Ceil", "Floor", "Mod", "Round", "Shrink", "Sign", "ThresholdedRelu"}
    | {*COMPARISONS}
)
"""Operators with a discontinuous result."""

BRANCHES = frozenset({"Clip", "Max", "Min", *COMPARISONS, *_LIMITS})
"""Operators with branch values."""


def limits_of(
    node: Node, known: Sequence[Array | None], *, exact: bool
) -> list[tuple[int, Array | int]]:
    """Branch values of a node: pairs of an operand's index and what it is compared with.

    An operand is compared with a constant array, or with the operand of the second index.

    Parameters
    ----------
    known : constant operands; None for others.
    exact : whether the result is an integer or a truth value.
    """
    kind = node.op_type
    if kind in COMPARISONS or kind in ("Max", "Min"):
        pairs = [_pair(known, each) for each in range(1, len(known))]
        return [pair for pair in pairs if pair is not None]
    if kind == "Clip":
        return [(0, bound) for bound in known[1:3] if bound is not None]
    if kind in ("Cast", "CastLike") and not exact:
        return []
    return [(0, np.array(each)) for each in _LIMITS[kind](node)]


def _pair(known: Sequence[Array | None], second: int) -> tuple[int, Array | int] | None:
    first, other = known[0], known[second]
    if other is not None:
        return None if first is not None else (0, other)
    return (0, second) if first is None else (second, first)


def kernel(node: Node, opset: int) -> Run:
    """An elementwise operator as a function of its operands, of any types that it takes."""
    opened: dict[tuple[int, ...], NodeFunction] = {}

    def run(operands: Sequence[Array]) -> Array:
        kinds = tuple(helper.np_dtype_to_tensor_dtype(each.dtype) for each in operands)
        if kinds not in opened:
            opened[kinds] = open_node(node.proto, opset, kinds)
        (result,) = opened[kinds](operands)
        return result

    return run
