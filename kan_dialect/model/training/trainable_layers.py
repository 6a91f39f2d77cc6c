"""The layers of a network that can be trained: B-splines on uniform grids, one after the other."""

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
    revive : take pruned edges as edges whose coefficients are 0, instead of refusing them.

    Raises
    ------
    KanError : the function holds something that cannot be trained; names it.
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
                remedy="fold affines into nodes (kan-fold-affine) and fit splines to edges "
                "(kan-fit-splines) first, and take out what is no function of one value",
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
    """The B-splines of a layer's edges; summands of base functions with weights 0 are ignored."""
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
    """The grid and coefficients of a layer, its bias added to the first input's coefficients."""
    given = spline.given_name or node_sum.given_name or ""
    where = f"@{name}: {given or 'a layer'}"
    degree = spline.degree.value.data
    if not 1 <= degree <= MAX_TRAINABLE_DEGREE:
        raise KanError(f"{where} has degree {degree}; trained are 1..{MAX_TRAINABLE_DEGREE}")
    kept = node_sum.mask_array
    if not revive and not kept.all():
        raise KanError(
            f"{where} has pruned edges",
            remedy="train before pruning, or let them exist again (revive)",
        )
    grid = uniform_grid(np.atleast_2d(spline.knot_vector), degree)
    if grid is None:
        raise KanError(
            f"{where} has knots that are not a uniform grid with {degree} more on each side",
            remedy="refit the splines on a uniform grid (kan-fit-splines)",
        )
    coefficients = np.where(kept[..., np.newaxis], to_floats(spline.coefficients), 0.0)
    # The basis of an input adds up to 1, so a bias is part of one input's coefficients.
    coefficients[:, 0, :] += node_sum.bias_array[:, np.newaxis]
    grid = np.broadcast_to(grid, (coefficients.shape[1], 2))
    return TrainableLayer(given, degree, grid, coefficients)
