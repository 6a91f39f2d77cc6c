"""Judges changed copies of a function by their scores on all samples and on held-out ones."""

from __future__ import annotations

from functools import partial

import numpy as np
from xdsl.dialects import func

from kan_dialect.analysis.quantization_points import is_spline
from kan_dialect.errors import KanError
from kan_dialect.files.data_sets import Dataset, load_dataset
from kan_dialect.files.sample_parts import held_parts
from kan_dialect.ir.constants import FloatArray
from kan_dialect.model.model import Model
from kan_dialect.search.precision.judge import Judge, others_for
from kan_dialect.search.precision.score import check_labels, loss_problem, score


def run_function(function: func.FuncOp, x: FloatArray) -> FloatArray:
    """Results (samples, out) for inputs (samples, in), of a function at spline or table level."""
    return Model(function, "spline" if is_spline(function) else "table").run(x)


def loss_problem_on(
    data: str, before: func.FuncOp, after: func.FuncOp, allowed: float
) -> str | None:
    """A message if the score on the samples of a file fell by more than was allowed."""
    dataset = load_dataset(data)
    given, now = run_function(before, dataset.x), run_function(after, dataset.x)
    was, became = score(given, dataset.y, given), score(now, dataset.y, given)
    return loss_problem(was, became, allowed)


class FunctionJudge:
    """Scores changed copies of a function on all samples, and on held-out ones.

    Attributes
    ----------
    given : results (samples, out) of the function.
    held, seen : indices of the samples that are held out, and of the others.
    """

    def __init__(
        self, function: func.FuncOp, dataset: Dataset, source: str, validation: float, seed: int
    ) -> None:
        """
        Parameters
        ----------
        source : path of the data, for messages.
        validation : share of the samples that are held out.
        seed : of the split.

        Raises
        ------
        KanError : there are too few samples, or labels that do not fit the results.
        """
        self._dataset = dataset
        run = partial(run_function, function)
        self.given = run(dataset.x)
        check_labels(dataset.y, self.given.shape[1], source)
        count = len(dataset.x)
        self.held, *rest = held_parts(dataset.x, max(round(count * validation), 1), seed)
        self.seen = np.concatenate([self.held[:0], *rest])
        if min(len(self.held), len(self.seen)) < 2:
            raise KanError(
                f"{count} samples are too few to choose by and to validate with",
                remedy="give more calibration samples, with labels",
            )
        self._judge = Judge(dataset.x, dataset.y, self.given, run, self.held, [seed, 1])

    def keeps(self, function: func.FuncOp, budget: float) -> bool:
        """Whether a changed function loses no more than the budget of the score, see `Judge`."""
        run, others = partial(run_function, function), others_for(len(self.held), budget)
        return self._judge.loss(run(self._dataset.x), run, others) <= budget + 1e-12

    def scores(self, function: func.FuncOp) -> tuple[float, float]:
        """Scores of a changed function on all samples, and on the held-out ones."""
        outputs, labels, held = run_function(function, self._dataset.x), self._dataset.y, self.held
        return (
            score(outputs, labels, self.given),
            score(outputs[held], None if labels is None else labels[held], self.given[held]),
        )
