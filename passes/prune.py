"""`kan-prune`: drops edges within a budget of accuracy and fits the remaining edges.

A dropped edge becomes part of its node's bias. Kept edges are multiplied by gains so that the sums
of each node stay nearest to the original sums; at table level the products are rounded. Which edges
go is the search of `kan_dialect.search.pruning`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.rewriter import InsertPoint, Rewriter

from kan_dialect.analysis.quantization_points import is_spline
from kan_dialect.errors import KanError
from kan_dialect.evaluate.interpreter import evaluate_inside
from kan_dialect.ir.constants import BoolArray, FloatArray, whole_numbers
from kan_dialect.model.data_columns import dataset_for
from kan_dialect.ops.layer import AffineOp, NodeSumOp
from kan_dialect.passbase.function_pass import FunctionPass
from kan_dialect.passbase.option_bounds import LOSS, SEED, SHARE, Bounds, bounded
from kan_dialect.passbase.progress import tell
from kan_dialect.passes.calibrate import split_features
from kan_dialect.search.function_judge import loss_problem_on
from kan_dialect.search.precision.network import read_chain, write_chain
from kan_dialect.search.pruning import Edge, EdgeSearch, node_sums

DEFAULT_LOSS = 0.005
"""Budget where neither a budget nor a threshold is given."""


def without_edges(search: EdgeSearch, edges: list[Edge], *, fine_tune: bool) -> func.FuncOp:
    """A copy of the searched function without some edges, with gains if `fine_tune`."""
    function = search.function.clone()
    for layer, mask in enumerate(search.masks_without(edges)):
        # Pruning earlier layers has changed the inputs of this one.
        op = node_sums(function)[layer]
        (values,) = evaluate_inside(function, search.inputs, [op.edges])
        gains, bias = search.gains(layer, values.astype(np.float64), mask, fine_tune=fine_tune)
        if is_spline(function):
            _rewrite_floats(op, mask, gains, bias)
        else:
            _rewrite_tables(function, layer, mask, gains, bias)
    return function


def _rewrite_floats(op: NodeSumOp, mask: BoolArray, gains: FloatArray, bias: FloatArray) -> None:
    """node_sum(e) becomes node_sum(gains * e) with another mask and bias."""
    edges = op.edges
    if bool((gains != 1.0).any()):
        scaled = AffineOp(edges, np.where(mask, gains, 1.0), np.zeros((1, 1)))
        Rewriter.insert_op(scaled, InsertPoint.before(op))
        edges = scaled.result
    pruned = NodeSumOp(edges, mask=mask, bias=bias, name=op.given_name)
    Rewriter.replace_op(op, pruned)


def _rewrite_tables(
    function: func.FuncOp, layer: int, mask: BoolArray, gains: FloatArray, bias: FloatArray
) -> None:
    """The tables of a layer become round(gains * tables), 0 where the mask is."""
    chain = read_chain(function)
    assert chain is not None
    this = chain.layers[layer]
    scaled = this.tables * (gains * mask)[..., np.newaxis]
    this.tables = whole_numbers(scaled, f"kan-prune: tables of layer {layer}")
    this.bias = whole_numbers(bias, f"kan-prune: biases of layer {layer}")
    write_chain(function, chain, saturate=True)


@dataclass(frozen=True)
class PrunePass(FunctionPass):
    """Drops edges within a budget."""

    name = "kan-prune"
    works_at = ("spline", "table")
    preserves: ClassVar[str] = (
        "accuracy within the budget, on calibration data; with a threshold, nothing is promised"
    )
    unrecorded: ClassVar[frozenset[str]] = frozenset({"data"})

    data: str = field()
    """`.npz` file with `x` or `x_train`, and `y` or `y_train`; a test set is not looked at."""
    max_accuracy_loss: float | None = bounded(None, LOSS)
    """Share of samples that may be lost, on those held out, on all, and on others; of targets that
    are numbers, of explained variance. 0.005 where no threshold is given."""
    threshold: float | None = bounded(None, Bounds(0, 1))
    """Drop the edges that vary by less than this share of the layer's most varying edge, in
    place of those that have the least effect."""
    fine_tune: bool = True
    """Let the other edges make up for those that go."""
    validation: float = bounded(0.25, SHARE)
    """Share of the samples by which edges are not ordered, and to which gains are not fitted."""
    seed: int = bounded(0, SEED)
    """Seed of the choice of these samples."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_accuracy_loss is not None and self.threshold is not None:
            raise KanError(
                "max-accuracy-loss has no meaning with threshold", remedy="give one of them"
            )

    @property
    def budget(self) -> float:
        """The largest loss of the score."""
        return DEFAULT_LOSS if self.max_accuracy_loss is None else self.max_accuracy_loss

    def violation(self, before: func.FuncOp, after: func.FuncOp) -> str | None:
        if self.threshold is not None:
            return None
        return loss_problem_on(self.data, before, after, self.budget)

    def rewrite(self, function: func.FuncOp) -> None:
        dataset = dataset_for(function, self.data)
        if not is_spline(function) and read_chain(function) is None:
            raise KanError(
                f"@{function.sym_name.data} is no chain of layers of tables",
                remedy="run kan-fold-tables first; skip connections are pruned at spline level",
            )
        inputs = split_features(function, dataset.x, self.data)
        search = EdgeSearch(function, inputs, dataset, self.data, self.validation, self.seed)

        def without(edges: list[Edge]) -> func.FuncOp:
            pruned = without_edges(search, edges, fine_tune=self.fine_tune)
            ModuleOp([pruned])
            return pruned

        if self.threshold is not None:
            edges = search.below(self.threshold)
        else:
            order = search.by_effect(lambda done, total: tell("effects of edges", done, total))
            edges = search.most_within(order, without, self.budget)
        if edges:
            Rewriter.replace_op(function, without_edges(search, edges, fine_tune=self.fine_tune))
