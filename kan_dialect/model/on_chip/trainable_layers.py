"""Layers of a trainable network: a chain of B-spline layers on uniform grids."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from xdsl.dialects import arith, func
from xdsl.ir import Operation, SSAValue

from kan_dialect.analysis.quantization_points import unobserved
from kan_dialect.errors import KanError
from kan_dialect.ir.constants import FloatArray, to_floats
from kan_dialect.maths.bsplines import uniform_grid
from kan_dialect.ops.grid import MAX_TRAINABLE_DEGREE
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.ops.spline import BaseOp, BSplineOp


@dataclass(frozen=True)
class TrainableLayer:
    """Grid and coefficients of a layer of B-splines."""

    name: str
    degree: int
    grid: FloatArray
    """(in, 2), float64: the first and the last grid point."""
    coefficients: FloatArray
    """(out, in, cells + degree), float64."""

    @property
    def cells(self) -> int:
        """Number of cells of the grid."""
        return self.coefficients.shape[2] - self.degree


def trainable_layers(function: func.FuncOp, *, revive: bool = False) -> list[TrainableLayer]:
    """The layers of a function that is a chain of B-spline layers, in order.

    Parameters
    ----------
    revive : read pruned edges as edges with coefficients 0, instead of refusing them.

    Raises
    ------
    KanError : a part of the function cannot be trained. The message names it.
    """
    name = function.sym_name.data
    terminator = function.get_return_op()
    if len(function.args) != 1 or terminator is None or len(terminator.operands) != 1:
        raise KanError(f"@{name}: a trainable network has one tensor of inputs and one of outputs")
    layers: list[TrainableLayer] = []
    value = unobserved(terminator.operands[0])
    while isinstance(value.owner, Operation):
        node_sum = value.owner
        if not isinstance(node_sum, NodeSumOp):
            raise KanError(
                f"@{name}: '{node_sum.name}' cannot be trained: only layers of B-splines can",
                remedy="fold affines into nodes (kan-fold-affine), fit splines to edges "
                "(kan-fit-splines), and remove ops that combine several values",
            )
        spline = _spline(name, unobserved(node_sum.edges))
        layers.append(_layer(name, node_sum, spline, revive))
        value = unobserved(spline.input)
    if not layers:
        raise KanError(f"@{name}: there is no layer to train")
    return [
        layer if layer.name else replace(layer, name=f"layer{index}")
        for index, layer in enumerate(reversed(layers))
    ]


def _spline(name: str, edges: SSAValue) -> BSplineOp:
    """The B-splines of a layer's edges. Base functions with weights of 0 are ignored."""
    op = edges.owner
    if isinstance(op, arith.AddfOp):
        parts = [unobserved(part).owner for part in op.operands]
        kept = [
            part
            for part in parts
            if not isinstance(part, BaseOp) or bool(to_floats(part.weights).any())
        ]
        if len(kept) == 1 and isinstance(kept[0], BSplineOp):
            return kept[0]
        op = next((part for part in kept if not isinstance(part, BSplineOp)), op)
    if isinstance(op, BSplineOp):
        return op
    what = f"'{op.name}'" if isinstance(op, Operation) else "an argument"
    if isinstance(op, BaseOp):
        what = f"the base function {op.function.data}"
    raise KanError(
        f"@{name}: {what} cannot be trained: edges must be B-splines alone",
        remedy="fit splines to them first (kan-fit-splines)",
    )


def _layer(name: str, node_sum: NodeSumOp, spline: BSplineOp, revive: bool) -> TrainableLayer:
    """Grid and coefficients of a layer. Its bias is added to the first input's coefficients."""
    given = spline.given_name or node_sum.given_name or ""
    where = f"@{name}: {given or 'a layer'}"
    degree = spline.degree.value.data
    if not 1 <= degree <= MAX_TRAINABLE_DEGREE:
        raise KanError(
            f"{where} has degree {degree}; degrees 1..{MAX_TRAINABLE_DEGREE} can be trained"
        )
    kept = node_sum.mask_array
    if not revive and not kept.all():
        raise KanError(
            f"{where} has pruned edges",
            remedy="train before pruning, or restore them with the option revive",
        )
    grid = uniform_grid(np.atleast_2d(spline.knot_vector), degree)
    if grid is None:
        raise KanError(
            f"{where} has knots that are not a uniform grid with {degree} more on each side",
            remedy="refit the splines on a uniform grid (kan-fit-splines)",
        )
    coefficients = np.where(kept[..., np.newaxis], to_floats(spline.coefficients), 0.0)
    # The B-splines of an input add up to 1, so a bias is the same as equal coefficients.
    coefficients[:, 0, :] += node_sum.bias_array[:, np.newaxis]
    grid = np.broadcast_to(grid, (coefficients.shape[1], 2))
    return TrainableLayer(given, degree, grid, coefficients)
