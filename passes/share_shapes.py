"""`kan-share-shapes`: edge functions become copies of few shapes.

`up-to` says how a copy differs from its shape S:

- `scale`: c * S(a * x + b) + d, with a few shapes for all edges of a layer.
- `gain`: the same with a = 1 or -1 and b = 0, once each input's range is mapped to -1 .. 1.
- `sign`: S(x) + d or -S(x) + d, with a few shapes for each input. If all nodes of a layer have one
  scale (`kan-quantize{per-layer=true}`), the tables are equal, and `kan-share-tables` merges them.

`kan-shape-tables` is the like for tables.

Offsets d become biases of nodes. Fits weigh observed values most and the whole range a little, and
each edge by its share of its node's variance. The number of shapes is given, or the fewest that
keep a budget.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from xdsl.dialects import arith, func
from xdsl.ir import Operation
from xdsl.rewriter import InsertPoint, Rewriter

from kan_dialect.errors import KanError
from kan_dialect.files.data_sets import Dataset
from kan_dialect.ir.constants import BoolArray, to_floats
from kan_dialect.ops.layer import AffineOp, NodeSumOp
from kan_dialect.ops.shaped import ShapedOp
from kan_dialect.passbase.options import taken_from
from kan_dialect.passbase.shape_pass import ShapePass
from kan_dialect.search.fits.shape_copies import (
    ShapedLayer,
    UpTo,
    copies_of,
    shaped_layers,
)
from kan_dialect.search.fits.shape_fit import Copies

UP_TO: tuple[UpTo, ...] = get_args(UpTo)


def _rewrite(target: ShapedLayer, layer: ShapedLayer, copies: Copies) -> None:
    """Give `target`, the clone of `layer`, copies as edges."""
    nodes, samples, kept = target.nodes, target.samples, layer.samples.kept
    o, i = layer.o, layer.i
    half, centre = samples.half[i], samples.centre[i]
    a, b, c = copies.affine.T
    # From -1 .. 1 to the range that was seen.
    slope = a / half
    choices, affines = np.zeros(kept.shape, dtype=np.int64), np.zeros((*kept.shape, 3))
    choices[o, i] = copies.choice
    affines[o, i] = np.stack([slope, b - slope * centre, c], axis=1)
    bias = nodes.bias_array + np.bincount(o, copies.constant, minlength=len(kept))
    edges: Operation = ShapedOp(
        samples.source,
        copies.grid,
        copies.shapes,
        choices,
        affines,
        name=nodes.given_name,
    )
    added = [edges]
    left: BoolArray = nodes.mask_array & ~kept
    if left.any():
        # Edges that are not finite on the whole range stay.
        rest = AffineOp(nodes.edges, left.astype(np.float64), np.zeros_like(affines[..., 0]))
        edges = arith.AddfOp(rest, edges)
        added += [rest, edges]
    Rewriter.insert_op(added, InsertPoint.before(nodes))
    shared = NodeSumOp(edges, mask=nodes.mask, bias=bias, name=nodes.given_name)
    Rewriter.replace_op(nodes, shared)


@dataclass(frozen=True)
class ShareShapesPass(ShapePass):
    """Replaces edge functions by copies of few shapes."""

    name = "kan-share-shapes"
    works_at = ("spline",)

    shapes: int | None = taken_from(ShapePass, "shapes")
    """How many shapes; of each layer, or up to sign of each input."""
    up_to: Literal["scale", "gain", "sign"] = "scale"
    """`scale`: copies of a layer's shapes are scaled and shifted at input and output. `gain`: at
    the output only. `sign`: copies of an input's shapes have another sign and offset at most."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.up_to not in UP_TO:
            raise KanError(f"up-to cannot be {self.up_to!r}", remedy=f"use {', '.join(UP_TO)}")

    @property
    def differences(self) -> str:
        return self.up_to

    def excess(self, after: func.FuncOp, shapes: int) -> str | None:
        for op in after.body.block.ops:
            if isinstance(op, ShapedOp):
                limit = shapes * (op.inputs if self.up_to == "sign" else 1)
                count = len(to_floats(op.shapes))
                if count > limit:
                    return f"{op.given_name or 'a layer'} has {count} shapes, not {limit}"
        return None

    def edges(self, function: func.FuncOp) -> int:
        return sum(int(layer.samples.kept.sum()) for layer in shaped_layers(function))

    def candidates(
        self, function: func.FuncOp, dataset: Dataset | None, counts: tuple[int, ...]
    ) -> Iterator[func.FuncOp]:
        layers = shaped_layers(function)
        columns = [copies_of(layer, np.array(counts), self.up_to) for layer in layers]
        for _, *copies in zip(counts, *columns, strict=True):
            candidate = function.clone()
            for index, (layer, each) in enumerate(zip(layers, copies, strict=True)):
                _rewrite(shaped_layers(candidate)[index], layer, each)
            yield candidate
