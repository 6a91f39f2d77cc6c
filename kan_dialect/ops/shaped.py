"""Edges that are copies of few shapes: scaled and shifted, at their input and at their output."""

from __future__ import annotations

import numpy as np
from xdsl.dialects.builtin import DenseIntOrFPElementsAttr
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
from kan_dialect.ir.verifier import require, require_shape
from kan_dialect.ops.spline import EdgeOp, edge_type


@irdl_op_definition
class ShapedOp(EdgeOp):
    """Edges phi[o, i](x) = c * S(a * x_i + b), S = shapes[choice[o, i]].

    `shapes` (shapes, points) holds values at the points of `grid` (points): lines between them,
    constant beyond. `affine` (out, in, 3) holds a, b and c of each edge.

    Example:

        %shaped = kan.shaped %x as "layer0" grid dense<[-1.0, 0.0, 1.0]> : tensor<3xf32>
          shapes dense<[[0.0, 1.0, 0.5]]> : tensor<1x3xf32> choice dense<0> : tensor<1x2xi8>
          affine dense<[[[1.0, 0.0, 2.0], [0.5, 1.0, -1.0]]]> : tensor<1x2x3xf32> :
          tensor<2xf64> -> tensor<1x2xf64>
    """

    name = "kan.shaped"

    grid = prop_def(DenseIntOrFPElementsAttr)
    shapes = prop_def(DenseIntOrFPElementsAttr)
    choice = prop_def(DenseIntOrFPElementsAttr)
    affine = prop_def(DenseIntOrFPElementsAttr)

    assembly_format = (
        "$input (`as` $name^)? `grid` custom<Constant>($grid) `shapes` custom<Constant>($shapes) "
        "`choice` custom<Constant>($choice) `affine` custom<Constant>($affine) "
        "attr-dict `:` type($input) `->` type($result)"
    )

    def __init__(
        self,
        input: SSAValue | Operation,
        grid: DenseAttr | FloatArray,
        shapes: DenseAttr | FloatArray,
        choice: DenseAttr | Array,
        affine: DenseAttr | FloatArray,
        *,
        name: str | None = None,
    ) -> None:
        """
        Parameters
        ----------
        grid : (points,), increasing.
        shapes : (shapes, points), float32 or float64.
        choice : (out, in), integers: which of the shapes an edge has.
        affine : (out, in, 3): a, b, c.
        """
        choice = as_dense(choice)
        self.set_up(
            [input],
            [edge_type(input, *choice.get_shape())],
            grid=grid,
            shapes=shapes,
            choice=choice,
            affine=affine,
            name=name,
        )

    def verify_edges(self, outputs: int, inputs: int) -> None:
        grid = verifier.constant(self.grid, "grid")
        require(grid.ndim == 1 and grid.size >= 2, "a grid needs at least 2 points")
        require(bool((np.diff(grid) > 0).all()), "the points of the grid must increase")
        shapes = verifier.constant(self.shapes, "shapes")
        require(shapes.ndim == 2 and len(shapes) >= 1, "at least one shape is needed")
        require_shape(shapes.shape[1:], grid.shape, "the second dimension of shapes")
        verifier.choice(self.choice, (outputs, inputs), len(shapes), "shape")
        verifier.constant(self.affine, "affine", shape=(outputs, inputs, 3))

    def edges(self, x: FloatArray) -> FloatArray:
        choice, grid = to_integers(self.choice), to_floats(self.grid)
        a, b, c = np.moveaxis(to_floats(self.affine), -1, 0)
        edges = np.zeros((x.shape[0], *choice.shape))
        for index, shape in enumerate(to_floats(self.shapes)):
            o, i = np.nonzero((choice == index) & (c != 0.0))
            edges[:, o, i] = c[o, i] * np.interp(x[:, i] * a[o, i] + b[o, i], grid, shape)
        return edges


SHAPE_OPS: list[type[Operation]] = [ShapedOp]
