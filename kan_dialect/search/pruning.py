"""Which edges of a network a budget of accuracy lets go, for `kan-prune`.

How much an edge matters is measured on samples: the mean squared change of the results if the edge
gives its mean only, or how much it varies. Kept edges are scaled so that each node's sum stays
nearest to the original, by ridge regression.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from xdsl.dialects import func
from xdsl.ir import BlockArgument, Operation, SSAValue

from kan_dialect.analysis.quantization_points import is_spline
from kan_dialect.evaluate.interpreter import evaluate_inside
from kan_dialect.files.data_sets import Dataset
from kan_dialect.ir.constants import BoolArray, FloatArray, whole_numbers
from kan_dialect.ops.layer import ConcatOp, NodeSumOp
from kan_dialect.search.function_judge import FunctionJudge

RIDGE = 0.01
"""Weight of the ridge term, which keeps gains near 1, as a share of each edge's own products."""


class Edge(NamedTuple):
    """Place of an edge."""

    layer: int
    node: int
    input: int


def node_sums(function: func.FuncOp) -> list[NodeSumOp]:
    """The layers of a function, in order."""
    return [op for op in function.body.block.ops if isinstance(op, NodeSumOp)]


class EdgeSearch:
    """Measures the edges of one function on samples, and searches for those to drop."""

    def __init__(
        self,
        function: func.FuncOp,
        inputs: Sequence[FloatArray],
        dataset: Dataset,
        source: str,
        validation: float,
        seed: int,
    ) -> None:
        """
        Parameters
        ----------
        inputs : samples of each argument, (samples, n).
        dataset : the same samples in one array, and labels.
        source : path of the data, for messages.
        validation : share of the samples that only validate.
        seed : of the split.

        Raises
        ------
        KanError : there are too few samples, or labels that do not fit the results.
        """
        self.function = function
        self.inputs = inputs
        self.judge = FunctionJudge(function, dataset, source, validation, seed)
        self.given, self.seen = self.judge.given, self.judge.seen
        ops = node_sums(function)
        values = evaluate_inside(
            function, inputs, [*(op.edges for op in ops), *(op.result for op in ops)]
        )
        self.edges: list[FloatArray] = [v.astype(np.float64) for v in values[: len(ops)]]
        """Of each layer, (samples, out, in)."""
        self.sums: list[FloatArray] = [v.astype(np.float64) for v in values[len(ops) :]]
        """Of each layer, (samples, out)."""
        self.masks: list[BoolArray] = [op.mask_array for op in ops]

    def by_effect(self, progress: Callable[[int, int], None]) -> list[Edge]:
        """All edges, those with the least effect on the results first.

        Parameters
        ----------
        progress : called with the number of edges measured, and of all edges.
        """
        return [edge for _, edge in self._ranked(self._effects(progress))]

    def below(self, threshold: float) -> list[Edge]:
        """Edges that vary by less than `threshold` times the most varying edge of their layer."""
        return [edge for value, edge in self._ranked(self._variations()) if value < threshold]

    def most_within(
        self, order: list[Edge], without: Callable[[list[Edge]], func.FuncOp], budget: float
    ) -> list[Edge]:
        """The longest beginning of `order`, found by bisection, whose loss is within the budget.

        Parameters
        ----------
        without : a copy of the function without some edges.
        budget : of the score, see `Judge`.
        """
        count, above = 0, len(order) + 1
        while above - count > 1:
            middle = (count + above) // 2
            if self.judge.keeps(without(order[:middle]), budget):
                count = middle
            else:
                above = middle
        return order[:count]

    def masks_without(self, edges: list[Edge]) -> list[BoolArray]:
        """Masks of the layers without some edges, and without edges that become useless.

        Edges that read a node without edges, which is constant, go first, then edges of nodes that
        nothing reads.
        """
        masks = [mask.copy() for mask in self.masks]
        for layer, node, edge in edges:
            masks[layer][node, edge] = False
        _drop_useless(self.function, masks)
        return masks

    def gains(
        self, layer: int, edges: FloatArray, mask: BoolArray, *, fine_tune: bool
    ) -> tuple[FloatArray, FloatArray]:
        """Gains (out, in) and biases (out) with which sums stay nearest to the original ones.

        Parameters
        ----------
        edges : (samples, out, in), of the pruned function.
        mask : (out, in), edges that stay.
        fine_tune : without it, gains are 1.
        """
        gains = np.ones(mask.shape)
        bias = np.zeros(len(mask))
        wanted = self.sums[layer][self.seen]
        for node, row in enumerate(mask):
            values = edges[self.seen, node][:, row]
            middle = values.mean(axis=0)
            centred = values - middle
            if fine_tune and row.any():
                target = wanted[:, node] - wanted[:, node].mean() - centred.sum(axis=1)
                products = centred.T @ centred
                own = np.diag(products)
                # The gain of an edge that does not vary stays 1.
                ridge = np.diag(RIDGE * own + np.where(own > 0, 0.0, 1.0))
                gains[node, row] += np.linalg.solve(products + ridge, centred.T @ target)
            bias[node] = wanted[:, node].mean() - gains[node, row] @ middle
        return gains, bias

    def _ranked(self, matters: list[FloatArray]) -> list[tuple[float, Edge]]:
        """Kept edges with their figure of each layer's (out, in), ascending."""
        return sorted(
            (float(values[node, edge]), Edge(layer, node, edge))
            for layer, (values, mask) in enumerate(zip(matters, self.masks, strict=True))
            for node, edge in np.argwhere(mask).tolist()
        )

    def _variations(self) -> list[FloatArray]:
        """Standard deviation of each edge, relative to the largest of its layer, (out, in)."""
        found: list[FloatArray] = []
        for values, mask in zip(self.edges, self.masks, strict=True):
            spread = np.where(mask, values[self.seen], 0.0).std(axis=0)
            found.append(spread / max(float(spread.max()), np.finfo(np.float64).tiny))
        return found

    def _effects(self, progress: Callable[[int, int], None]) -> list[FloatArray]:
        """Mean squared change of the results if an edge gives its mean only, (out, in)."""
        total = sum(int(mask.sum()) for mask in self.masks)
        done = 0
        found: list[FloatArray] = []
        inputs = [values[self.seen] for values in self.inputs]
        for op, edges, sums, mask in zip(
            node_sums(self.function), self.edges, self.sums, self.masks, strict=True
        ):
            effects = np.zeros(mask.shape)
            for node, edge in np.argwhere(mask).tolist():
                values = edges[self.seen, node, edge]
                moved = sums[self.seen]
                moved[:, node] -= values - values.mean()
                effects[node, edge] = self._change(op, inputs, moved)
                done += 1
                progress(done, total)
            found.append(effects)
        return found

    def _change(self, op: NodeSumOp, inputs: list[FloatArray], sums: FloatArray) -> float:
        """Mean squared change of the results with other sums (samples, out) of a layer."""
        terminator = self.function.get_return_op()
        assert terminator is not None
        moved = sums
        if not is_spline(self.function):
            moved = whole_numbers(sums, "kan-prune: sums without an edge")
        outputs = evaluate_inside(
            self.function,
            [*inputs, moved],
            terminator.operands,
            sources=[*self.function.args, op.result],
        )
        change = np.concatenate(outputs, axis=1) - self.given[self.seen]
        return float((change**2).mean())


def _drop_useless(function: func.FuncOp, masks: list[BoolArray]) -> None:
    """Clear edges that read constant nodes, forwards; then edges of unread nodes, backwards."""
    sums = node_sums(function)
    found = {
        index: sums.index(reader)
        for index, reader in enumerate(_only_source(op.edges) for op in sums)
        if reader is not None
    }
    for index, source in found.items():
        masks[index][:, ~masks[source].any(axis=1)] = False
    for index, source in reversed(found.items()):
        masks[source][~masks[index].any(axis=0)] = False


def _only_source(value: SSAValue) -> NodeSumOp | None:
    """The layer whose nodes, in order, are the only values that edges read; None otherwise.

    The edges must be the only readers of these nodes.
    """
    owner = value.owner
    if isinstance(value, BlockArgument) or isinstance(owner, ConcatOp):
        return None
    assert isinstance(owner, Operation)
    if isinstance(owner, NodeSumOp):
        return owner if _count_readers(owner.result) == 1 else None
    found = {_only_source(operand) for operand in owner.operands}
    return found.pop() if len(found) == 1 else None


def _count_readers(value: SSAValue) -> int:
    """Number of node sums and returns that read a value, directly or through other ops."""
    seen: set[Operation] = set()
    waiting = [use.operation for use in value.uses]
    while waiting:
        op = waiting.pop()
        if op not in seen:
            seen.add(op)
            if not isinstance(op, NodeSumOp):
                waiting += [use.operation for result in op.results for use in result.uses]
    return sum(isinstance(op, NodeSumOp | func.ReturnOp) for op in seen)
