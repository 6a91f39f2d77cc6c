"""Elementwise ONNX operators: which there are, and their values in the types of their operands."""

from __future__ import annotations

from collections.abc import Sequence

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
