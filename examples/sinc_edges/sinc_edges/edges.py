"""`sinc.edges`: edge functions phi[o, i](x) = w[o, i] * sinc(a[o, i] * x)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, StringAttr, TensorType, f32
from xdsl.ir import Operation, SSAValue
from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
    result_def,
)
from xdsl.utils.exceptions import VerifyException

from kan_dialect.ir.constants import Array, FloatArray, as_dense, to_floats
from kan_dialect.ir.semantics import Univariate
from kan_dialect.ir.types import tensor_shape


def sinc(x: FloatArray) -> FloatArray:
    """sin(x) / x, and 1 at 0; float64, of the shape of x."""
    return np.sinc(x / np.pi)


@irdl_op_definition
class SincEdgesOp(IRDLOperation, Univariate):
    """Edges phi[o, i](x) = w[o, i] * sinc(a[o, i] * x_i)."""

    name = "sinc.edges"

    input = operand_def(TensorType)
    weights = prop_def(DenseIntOrFPElementsAttr)
    rates = prop_def(DenseIntOrFPElementsAttr)
    value_name = opt_prop_def(StringAttr, prop_name="name")
    result = result_def(TensorType)

    assembly_format = (
        "$input (`as` $name^)? `weights` $weights `rates` $rates attr-dict "
        "`:` type($input) `->` type($result)"
    )

    def __init__(
        self,
        input: SSAValue | Operation,
        weights: FloatArray,
        rates: FloatArray,
        *,
        name: str | None = None,
    ) -> None:
        """
        Parameters
        ----------
        weights, rates : (out, in), float32 or float64: w and a of each edge.
        """
        super().__init__(
            operands=[input],
            result_types=[TensorType(f32, weights.shape)],
            properties={
                "weights": as_dense(weights),
                "rates": as_dense(rates),
                "name": None if name is None else StringAttr(name),
            },
        )

    def verify_(self) -> None:
        (inputs,), shape = tensor_shape(self.input), tensor_shape(self.result)
        if len(shape) != 2 or shape[1] != inputs:
            raise VerifyException(f"result must have shape out x {inputs}")
        for name, constant in (("weights", self.weights), ("rates", self.rates)):
            if to_floats(constant).shape != shape:
                raise VerifyException(f"{name} must have the shape of the result")

    def evaluate(self, operands: Sequence[Array]) -> Sequence[Array]:
        (x,) = operands  # (samples, in), float64
        rates, weights = to_floats(self.rates), to_floats(self.weights)
        return (weights * sinc(rates * x[:, np.newaxis, :]),)  # (samples, out, in)
