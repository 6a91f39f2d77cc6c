"""The base class of passes that make edges copies of few shapes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from xdsl.dialects import func
from xdsl.rewriter import Rewriter

from kan_dialect.errors import KanError
from kan_dialect.files.data_sets import Dataset
from kan_dialect.limits import MAX_LAYER_EDGES
from kan_dialect.model.data_columns import dataset_for
from kan_dialect.passbase.dead_ops import remove_dead
from kan_dialect.passbase.function_pass import FunctionPass
from kan_dialect.passbase.option_bounds import LOSS, SEED, SHARE, Bounds, bounded
from kan_dialect.search.fits.shape_search import Scores, record_shape_search
from kan_dialect.search.function_judge import FunctionJudge, loss_problem_on

DEFAULT_LOSS = 0.005
"""Where neither a number of shapes nor a budget is given."""
COUNTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
"""Numbers of shapes that are tried for a budget."""


@dataclass(frozen=True)
class ShapePass(FunctionPass):
    """Makes edges copies of a number of shapes, or of the fewest that keep a budget."""

    preserves: ClassVar[str] = "accuracy within the budget, if no number of shapes is given"
    unrecorded: ClassVar[frozenset[str]] = frozenset({"data"})

    shapes: int | None = bounded(None, Bounds(1, MAX_LAYER_EDGES))
    """Number of shapes of each layer."""
    data: str | None = None
    """`.npz` file with `x` or `x_train`, and `y` or `y_train`, to choose the number of shapes by;
    a test set is not looked at."""
    max_accuracy_loss: float | None = bounded(None, LOSS)
    """Share of samples that may be lost, on all samples, on those held out and on others; of
    targets that are numbers, of explained variance. 0.005 where no number of shapes is given."""
    validation: float = bounded(0.25, SHARE)
    """Share of the samples that are held out."""
    seed: int = bounded(0, SEED)
    """Seed of the choice of these samples."""

    def __post_init__(self) -> None:
        super().__post_init__()
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

    @abstractmethod
    def candidates(
        self, function: func.FuncOp, dataset: Dataset | None, counts: tuple[int, ...]
    ) -> Iterator[func.FuncOp]:
        """Changed clones of a function, with each number of shapes.

        Parameters
        ----------
        dataset : samples, where there are any.
        """

    @abstractmethod
    def edges(self, function: func.FuncOp) -> int:
        """Number of edges that become copies."""

    @property
    @abstractmethod
    def differences(self) -> str:
        """What copies may differ by, for the record."""

    @abstractmethod
    def excess(self, after: func.FuncOp, shapes: int) -> str | None:
        """A message if a layer has more than a number of shapes."""

    @property
    def loss(self) -> float | None:
        """The budget; None where the number of shapes is given."""
        if self.shapes is not None:
            return None
        return DEFAULT_LOSS if self.max_accuracy_loss is None else self.max_accuracy_loss

    def violation(self, before: func.FuncOp, after: func.FuncOp) -> str | None:
        if self.shapes is not None:
            return self.excess(after, self.shapes)
        if self.loss is None or self.data is None:
            return None
        return loss_problem_on(self.data, before, after, self.loss)

    def rewrite(self, function: func.FuncOp) -> None:
        judge = dataset = None
        if self.data is not None:
            dataset = dataset_for(function, self.data)
            judge = FunctionJudge(function, dataset, self.data, self.validation, self.seed)
        counts = COUNTS if self.shapes is None else (self.shapes,)
        tried: dict[int, Scores | None] = {}
        chosen: func.FuncOp | None = None
        candidates = self.candidates(function, dataset, counts)
        for count, candidate in zip(counts, candidates, strict=True):
            tried[count] = None if judge is None else judge.scores(candidate)
            if judge is None or self.loss is None or judge.keeps(candidate, self.loss):
                chosen = candidate
                break
        record_shape_search(
            function if chosen is None else chosen,
            self.differences,
            None if chosen is None else [*tried][-1],
            self.edges(function),
            None if judge is None else judge.scores(function),
            tried,
        )
        if chosen is not None:
            Rewriter.replace_op(function, chosen)
            remove_dead(chosen)
