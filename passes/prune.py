"""`kan-prune`: edges that hardly matter go; what is left makes up for them.

How much an edge matters is what happens to the results on data if it only gives its mean (or, with
`threshold`, how much it varies). As many edges as the budget allows become part of the node's bias;
those that stay are scaled so that the sums of each node stay nearest to what they were (least
squares, a gain for each edge; tables are rounded then). Nodes that nobody reads any more lose their
own edges, backwards; nodes without edges are constant, and lose what reads them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import BlockArgument, Operation, SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from kan_dialect.analysis.quantization_points import is_spline, spline_functions
from kan_dialect.errors import KanError
from kan_dialect.evaluate.interpreter import evaluate_inside
from kan_dialect.files.data_sets import Dataset, load_dataset
from kan_dialect.ir.constants import BoolArray, FloatArray, whole_numbers
from kan_dialect.model.model import Model
from kan_dialect.ops.layer import AffineOp, ConcatOp, NodeSumOp
from kan_dialect.passbase.kan_pass import KanPass
from kan_dialect.passbase.option_bounds import LOSS, SEED, SHARE, Bounds, bounded
from kan_dialect.passbase.progress import tell
from kan_dialect.passes.calibrate import split_features
from kan_dialect.search.precision.judge import Judge, others_for
from kan_dialect.search.precision.network import read_chain, table_functions, write_chain
from kan_dialect.search.precision.score import check_labels, loss_problem, score

DEFAULT_LOSS = 0.005
"""Where neither a budget nor a threshold is given."""
RIDGE = 0.01
"""Of the least squares: what keeps gains near 1, as a share of the samples."""


@dataclass(frozen=True)
class PrunePass(KanPass):
    """Drops edges within a budget."""

    name = "kan-prune"
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
    """Of which samples these are."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_accuracy_loss is not None and self.threshold is not None:
            raise KanError(
                "max-accuracy-loss has no meaning with threshold", remedy="give one of them"
            )

    @property
    def budget(self) -> float:
        """What may be lost."""
        return DEFAULT_LOSS if self.max_accuracy_loss is None else self.max_accuracy_loss

    def run(self, ctx: Context, module: ModuleOp) -> bool:
        functions = [*spline_functions(module), *table_functions(module)]
        if functions:
            dataset = load_dataset(self.data)
            for function in functions:
                _Pruning(self, function, dataset).run()
        return bool(functions)

    def broken_promise(self, before: func.FuncOp, after: func.FuncOp) -> str | None:
        if self.threshold is not None:
            return None
        dataset = load_dataset(self.data)
        given, now = _run(before, dataset.x), _run(after, dataset.x)
        was, became = score(given, dataset.y, given), score(now, dataset.y, given)
        return loss_problem(was, became, self.budget)


def _run(function: func.FuncOp, x: FloatArray) -> FloatArray:
    return Model(function, "spline" if is_spline(function) else "table").run(x)


def _sums(function: func.FuncOp) -> list[NodeSumOp]:
    return [op for op in function.body.block.ops if isinstance(op, NodeSumOp)]


class _Pruning:
    """Chooses the edges of one function, and drops them."""

    def __init__(self, options: PrunePass, function: func.FuncOp, dataset: Dataset) -> None:
        self.options = options
        self.function = function
        self.real = is_spline(function)
        self.dataset = dataset
        name = function.sym_name.data
        if not self.real and read_chain(function) is None:
            raise KanError(
                f"@{name} is no chain of layers of tables",
                remedy="run kan-fold-tables first; skip connections are pruned at spline level",
            )
        self.inputs = split_features(function, dataset.x, options.data)
        count = len(dataset.x)
        held = round(count * options.validation)
        if min(held, count - held) < 2:
            raise KanError(
                f"{count} samples are too few to choose by and to validate with",
                remedy="give more calibration samples, with labels",
            )
        order = np.random.default_rng(options.seed).permutation(count)
        self.held, self.seen = order[:held], order[held:]
        sums = _sums(function)
        values = evaluate_inside(
            function, self.inputs, [*(op.edges for op in sums), *(op.result for op in sums)]
        )
        self.edges: list[FloatArray] = [v.astype(np.float64) for v in values[: len(sums)]]
        """Of each layer, (samples, out, in)."""
        self.sums: list[FloatArray] = [v.astype(np.float64) for v in values[len(sums) :]]
        """Of each layer, (samples, out)."""
        self.masks: list[BoolArray] = [op.mask_array for op in sums]
        self.given = _run(function, dataset.x)
        check_labels(dataset.y, self.given.shape[1], options.data)
        self.judge = Judge(
            dataset.x,
            dataset.y,
            self.given,
            lambda x: _run(function, x),
            self.held,
            [options.seed, 1],
        )

    def run(self) -> None:
        order = self._order()
        if self.options.threshold is not None:
            count = len(order)
        else:
            # The most edges, of those tried, that keep the budget.
            count, above = 0, len(order) + 1
            while above - count > 1:
                middle = (count + above) // 2
                if self._keeps_budget(order[:middle]):
                    count = middle
                else:
                    above = middle
        if count:
            pruned = self._without(order[:count])
            Rewriter.replace_op(self.function, pruned)

    def _order(self) -> list[tuple[int, int, int]]:
        """(layer, node, input) of the edges that may go, those that matter least first."""
        matters = self._norms() if self.options.threshold is not None else self._effects()
        found: list[tuple[float, int, int, int]] = []
        for layer, (values, mask) in enumerate(zip(matters, self.masks, strict=True)):
            found += [
                (float(values[node, edge]), layer, node, edge)
                for node, edge in np.argwhere(mask).tolist()
            ]
        limit = np.inf if self.options.threshold is None else self.options.threshold
        return [(layer, node, edge) for value, layer, node, edge in sorted(found) if value < limit]

    def _norms(self) -> list[FloatArray]:
        """How much each edge varies, as a share of the most in its layer, (out, in)."""
        found: list[FloatArray] = []
        for values, mask in zip(self.edges, self.masks, strict=True):
            spread = np.where(mask, values[self.seen], 0.0).std(axis=0)
            found.append(spread / max(float(spread.max()), np.finfo(np.float64).tiny))
        return found

    def _effects(self) -> list[FloatArray]:
        """Mean squared change of the results if an edge only gives its mean, (out, in)."""
        total = sum(int(mask.sum()) for mask in self.masks)
        done = 0
        terminator = self.function.get_return_op()
        assert terminator is not None
        results = terminator.operands
        found: list[FloatArray] = []
        inputs = [values[self.seen] for values in self.inputs]
        given = self.given[self.seen]
        for op, edges, sums, mask in zip(
            _sums(self.function), self.edges, self.sums, self.masks, strict=True
        ):
            effects = np.zeros(mask.shape)
            for node, edge in np.argwhere(mask).tolist():
                values = edges[self.seen, node, edge]
                moved = sums[self.seen]
                moved[:, node] -= values - values.mean()
                if not self.real:
                    moved = whole_numbers(moved, "kan-prune: sums without an edge")
                outputs = evaluate_inside(
                    self.function,
                    [*inputs, moved],
                    results,
                    sources=[*self.function.args, op.result],
                )
                change = np.concatenate(outputs, axis=1) - given
                effects[node, edge] = float((change**2).mean())
                done += 1
                tell("effects of edges", done, total)
            found.append(effects)
        return found

    def _keeps_budget(self, edges: list[tuple[int, int, int]]) -> bool:
        holder = ModuleOp([self._without(edges)])
        (function,) = holder.ops
        assert isinstance(function, func.FuncOp)
        others = others_for(len(self.held), self.options.budget)
        outputs = _run(function, self.dataset.x)
        loss = self.judge.loss(outputs, lambda x: _run(function, x), others)
        return loss <= self.options.budget + 1e-12

    def _without(self, edges: list[tuple[int, int, int]]) -> func.FuncOp:
        """A copy of the function without some edges, fine-tuned."""
        masks = [mask.copy() for mask in self.masks]
        for layer, node, edge in edges:
            masks[layer][node, edge] = False
        _drop_dead(self.function, masks)
        function = self.function.clone()
        for layer, mask in enumerate(masks):
            # Layers before have changed what this one reads.
            (values,) = evaluate_inside(function, self.inputs, [_sums(function)[layer].edges])
            gains, bias = self._gains(layer, values.astype(np.float64), mask)
            if self.real:
                _rewrite_real(_sums(function)[layer], mask, gains, bias)
            else:
                _rewrite_tables(function, layer, mask, gains, bias)
        return function

    def _gains(
        self, layer: int, edges: FloatArray, mask: BoolArray
    ) -> tuple[FloatArray, FloatArray]:
        """Gains (out, in) and biases (out) by which sums stay nearest to what they were."""
        gains = np.ones(mask.shape)
        bias = np.zeros(len(mask))
        wanted = self.sums[layer][self.seen]
        for node, row in enumerate(mask):
            values = edges[self.seen, node][:, row]
            middle = values.mean(axis=0)
            centred = values - middle
            if self.options.fine_tune and row.any():
                target = wanted[:, node] - wanted[:, node].mean() - centred.sum(axis=1)
                products = centred.T @ centred
                own = np.diag(products)
                # Of an edge that does not vary, the gain stays.
                ridge = np.diag(RIDGE * own + np.where(own > 0, 0.0, 1.0))
                gains[node, row] += np.linalg.solve(products + ridge, centred.T @ target)
            bias[node] = wanted[:, node].mean() - gains[node, row] @ middle
        return gains, bias


def _drop_dead(function: func.FuncOp, masks: list[BoolArray]) -> None:
    """Drop what reads nodes without edges, which are constant; then edges of nodes without readers.

    The former forwards, the latter backwards.
    """
    sums = _sums(function)
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
    """The one layer whose nodes, in order, some edges read; None if there is more, or none."""
    owner = value.owner
    if isinstance(value, BlockArgument) or isinstance(owner, ConcatOp):
        return None
    assert isinstance(owner, Operation)
    if isinstance(owner, NodeSumOp):
        return owner if _readers(owner.result) == 1 else None
    found = {_only_source(operand) for operand in owner.operands}
    return found.pop() if len(found) == 1 else None


def _readers(value: SSAValue) -> int:
    """How many node sums and results read a value, directly or not."""
    seen: set[Operation] = set()
    waiting = [use.operation for use in value.uses]
    while waiting:
        op = waiting.pop()
        if op not in seen:
            seen.add(op)
            if not isinstance(op, NodeSumOp):
                waiting += [use.operation for result in op.results for use in result.uses]
    return sum(isinstance(op, NodeSumOp | func.ReturnOp) for op in seen)


def _rewrite_real(op: NodeSumOp, mask: BoolArray, gains: FloatArray, bias: FloatArray) -> None:
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
    chain = read_chain(function)
    assert chain is not None
    this = chain.layers[layer]
    scaled = this.tables * (gains * mask)[..., np.newaxis]
    this.tables = whole_numbers(scaled, f"kan-prune: tables of layer {layer}")
    this.bias = whole_numbers(bias, f"kan-prune: biases of layer {layer}")
    write_chain(function, chain, saturate=True)
