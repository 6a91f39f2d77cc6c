"""`kan-share-shapes`: edge functions become copies of few shapes.

`up-to` says how a copy differs from its shape S:

- `scale`: c * S(a * x + b) + d, with a few shapes for all edges of a layer.
- `gain`: the same with a = 1 or -1 and b = 0, once each input's range is mapped to -1 .. 1.
- `sign`: S(x) + d or -S(x) + d, with a few shapes for each input. If all nodes of a layer have one
  scale (`kan-quantize{per-layer=true}`), the tables are equal, and `kan-share-tables` merges them.

Offsets d become biases of nodes. Fits weigh observed values most and the whole range a little, and
each edge by its share of its node's variance. The number of shapes is given, or the fewest that
keep a budget.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import numpy as np
from xdsl.dialects import arith, func
from xdsl.ir import Operation
from xdsl.rewriter import InsertPoint, Rewriter

from kan_dialect.errors import KanError
from kan_dialect.ir.constants import BoolArray, to_floats
from kan_dialect.limits import MAX_LAYER_EDGES
from kan_dialect.model.data_columns import dataset_for
from kan_dialect.ops.layer import AffineOp, NodeSumOp
from kan_dialect.ops.shaped import ShapedOp
from kan_dialect.passbase.dead_ops import remove_dead
from kan_dialect.passbase.function_pass import FunctionPass
from kan_dialect.passbase.option_bounds import LOSS, SEED, SHARE, Bounds, bounded
from kan_dialect.search.fits.shape_copies import (
    ShapedLayer,
    UpTo,
    copies_of,
    shaped_layers,
)
from kan_dialect.search.fits.shape_fit import Copies
from kan_dialect.search.fits.shape_search import Scores, record_shape_search
from kan_dialect.search.function_judge import FunctionJudge, loss_problem_on

UP_TO: tuple[UpTo, ...] = get_args(UpTo)
DEFAULT_LOSS = 0.005
"""Where neither a number of shapes nor a budget is given."""
COUNTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
"""Numbers of shapes that are tried for a budget."""


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
class ShareShapesPass(FunctionPass):
    """Replaces edge functions by copies of few shapes."""

    name = "kan-share-shapes"
    works_at = ("spline",)
    preserves: ClassVar[str] = "accuracy within the budget, or as far as so many shapes go"
    unrecorded: ClassVar[frozenset[str]] = frozenset({"data"})

    shapes: int | None = bounded(None, Bounds(1, MAX_LAYER_EDGES))
    """How many shapes; of each layer, or up to sign of each input."""
    up_to: Literal["scale", "gain", "sign"] = "scale"
    """`scale`: copies of a layer's shapes are scaled and shifted at input and output. `gain`: at
    the output only. `sign`: copies of an input's shapes have another sign and offset at most."""
    data: str | None = None
    """`.npz` file with `x` or `x_train`, and `y` or `y_train`, to choose the number of shapes by;
    a test set is not looked at."""
    max_accuracy_loss: float | None = bounded(None, LOSS)
    """Share of samples that may be lost, on all samples, on those held out and on others; of
    targets that are numbers, of explained variance. 0.005 where no number of shapes is given."""
    validation: float = bounded(0.25, SHARE)
    """Share of the samples that are held out."""
    seed: int = bounded(0, SEED)
    """Of which samples these are."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.up_to not in UP_TO:
            raise KanError(f"up-to cannot be {self.up_to!r}", remedy=f"use {', '.join(UP_TO)}")
        if self.shapes is not None:
            if self.max_accuracy_loss is not None:
                raise KanError(
                    "max-accuracy-loss has no meaning beside shapes", remedy="leave out one"
                )
        elif self.data is None:
            raise KanError(
                "the number of shapes is not known",
                remedy="say it (shapes=8), or give data to choose it by",
            )

    @property
    def loss(self) -> float | None:
        """The budget; None where the number of shapes is given."""
        if self.shapes is not None:
            return None
        return DEFAULT_LOSS if self.max_accuracy_loss is None else self.max_accuracy_loss

    def violation(self, before: func.FuncOp, after: func.FuncOp) -> str | None:
        if self.shapes is not None:
            for op in after.body.block.ops:
                if isinstance(op, ShapedOp):
                    limit = self.shapes * (op.inputs if self.up_to == "sign" else 1)
                    count = len(to_floats(op.shapes))
                    if count > limit:
                        return f"{op.given_name or 'a layer'} has {count} shapes, not {limit}"
        if self.loss is None or self.data is None:
            return None
        return loss_problem_on(self.data, before, after, self.loss)

    def rewrite(self, function: func.FuncOp) -> None:
        judge = None
        if self.data is not None:
            dataset = dataset_for(function, self.data)
            judge = FunctionJudge(function, dataset, self.data, self.validation, self.seed)
        layers = shaped_layers(function)
        counts = COUNTS if self.shapes is None else (self.shapes,)
        tried: dict[int, Scores | None] = {}
        chosen: func.FuncOp | None = None
        columns = [copies_of(layer, np.array(counts), self.up_to) for layer in layers]
        for count, *copies in zip(counts, *columns, strict=True):
            candidate = function.clone()
            for index, (layer, each) in enumerate(zip(layers, copies, strict=True)):
                _rewrite(shaped_layers(candidate)[index], layer, each)
            tried[count] = None if judge is None else judge.scores(candidate)
            if judge is None or self.loss is None or judge.keeps(candidate, self.loss):
                chosen = candidate
                break
        record_shape_search(
            function if chosen is None else chosen,
            self.up_to,
            None if chosen is None else [*tried][-1],
            sum(int(layer.samples.kept.sum()) for layer in layers),
            None if judge is None else judge.scores(function),
            tried,
        )
        if chosen is not None:
            Rewriter.replace_op(function, chosen)
            remove_dead(chosen)
