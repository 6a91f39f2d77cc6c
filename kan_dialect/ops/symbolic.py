"""Edges that are formulas: one named function per edge, between two affines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from xdsl.dialects.builtin import ArrayAttr, DenseIntOrFPElementsAttr, StringAttr
from xdsl.ir import Operation, SSAValue
from xdsl.irdl import irdl_op_definition, prop_def

from kan_dialect.ir import verifier
from kan_dialect.ir.constants import (
    Array,
    DenseAttr,
    FloatArray,
    as_dense,
    to_floats,
    to_integers,
)
from kan_dialect.ir.verifier import require
from kan_dialect.maths import functions
from kan_dialect.maths.functions import Function
from kan_dialect.ops.spline import EdgeOp, edge_type

SYMBOLIC_FUNCTIONS: Mapping[str, Function] = MappingProxyType(
    {
        **functions.FUNCTIONS,
        "zero": np.zeros_like,
        "power4": lambda x: x**4,
        "power5": lambda x: x**5,
        "power3_2": lambda x: np.sqrt(x) ** 3,
        "reciprocal_square": lambda x: 1.0 / x**2,
        "reciprocal_cube": lambda x: 1.0 / x**3,
        "reciprocal_power4": lambda x: 1.0 / x**4,
        "reciprocal_power5": lambda x: 1.0 / x**5,
        "reciprocal_sqrt": lambda x: 1.0 / np.sqrt(x),
        "tan": np.tan,
        "sign": np.sign,
        "arcsin": np.arcsin,
        "arccos": np.arccos,
        "arctan": np.arctan,
        "arctanh": np.arctanh,
        "gaussian": lambda x: np.exp(-(x**2)),
    }
)
"""Name -> function: `functions.FUNCTIONS` and further ones."""


@irdl_op_definition
class SymbolicOp(EdgeOp):
    """Edges that are formulas: phi[o, i](x) = c * f(a * x_i + b) + d, f = functions[choice[o, i]].

    `affine` (out, in, 4) holds a, b, c and d of each edge, as pykan does. Where c is 0 the edge is
    the constant d, also outside the domain of f.

    Example:

        %symbolic = kan.symbolic ["sin", "exp"] %x as "layer0" choice dense<[[0, 1]]> :
          tensor<1x2xi8> affine dense<[[[1.0, 0.0, 2.0, 0.5], [0.5, 1.0, 1.0, 0.0]]]> :
          tensor<1x2x4xf32> : tensor<2xf64> -> tensor<1x2xf64>
    """

    name = "kan.symbolic"

    functions = prop_def(ArrayAttr[StringAttr])
    choice = prop_def(DenseIntOrFPElementsAttr)
    affine = prop_def(DenseIntOrFPElementsAttr)

    assembly_format = (
        "$functions $input (`as` $name^)? `choice` custom<Constant>($choice) "
        "`affine` custom<Constant>($affine) attr-dict `:` type($input) `->` type($result)"
    )

    def __init__(
        self,
        functions: Sequence[str],
        input: SSAValue | Operation,
        choice: DenseAttr | Array,
        affine: DenseAttr | FloatArray,
        *,
        name: str | None = None,
    ) -> None:
        """
        Parameters
        ----------
        functions : keys of `SYMBOLIC_FUNCTIONS`, each once.
        choice : (out, in), integers: which of `functions` an edge has.
        affine : (out, in, 4), float32 or float64: a, b, c, d.
        """
        choice = as_dense(choice)
        self.set_up(
            [input],
            [edge_type(input, *choice.get_shape())],
            functions=ArrayAttr(StringAttr(function) for function in functions),
            choice=choice,
            affine=affine,
            name=name,
        )

    @property
    def function_names(self) -> list[str]:
        """The functions that `choice` chooses from."""
        return [function.data for function in self.functions.data]

    def verify_edges(self, outputs: int, inputs: int) -> None:
        names = self.function_names
        require(len(names) >= 1, "at least one function is needed")
        require(len(set(names)) == len(names), "a function is listed twice")
        for name in names:
            require(
                name in SYMBOLIC_FUNCTIONS,
                f"unknown function {name!r}: known are {', '.join(SYMBOLIC_FUNCTIONS)}",
            )
        verifier.choice(self.choice, (outputs, inputs), len(names), "function")
        verifier.constant(self.affine, "affine", shape=(outputs, inputs, 4))

    def edges(self, x: FloatArray) -> FloatArray:
        choice = to_integers(self.choice)
        a, b, c, d = np.moveaxis(to_floats(self.affine), -1, 0)
        edges = np.broadcast_to(d, (x.shape[0], *d.shape)).copy()
        with np.errstate(all="ignore"):
            for index, name in enumerate(self.function_names):
                o, i = np.nonzero((choice == index) & (c != 0.0))
                values = SYMBOLIC_FUNCTIONS[name](x[:, i] * a[o, i] + b[o, i])
                edges[:, o, i] += c[o, i] * values
        return edges


SYMBOLIC_OPS: list[type[Operation]] = [SymbolicOp]
