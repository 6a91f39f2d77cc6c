"""`kan-choose-bits`: the fewest bits, the same for all codes, that keep a budget of accuracy.

Widths are tried from the least on: the function is quantised with each, as `kan-quantize` will
quantise it, and evaluated on the calibration samples. The first that keeps the budget stands in the
function's attribute `kan.bits`, where `kan-quantize{bits=auto}` finds it. Losses count from the
function as it is here: the float model.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.errors import KanError
from kan_dialect.ir.attributes.figures import record_figures
from kan_dialect.ir.constants import FloatArray
from kan_dialect.model.data_columns import dataset_for
from kan_dialect.model.model import Model
from kan_dialect.passbase.function_pass import FunctionPass
from kan_dialect.passbase.option_bounds import Bounds, bounded
from kan_dialect.passbase.options import sharing, taken_from
from kan_dialect.passbase.progress import tell
from kan_dialect.passes.calibrate import split_features
from kan_dialect.passes.quantize import BITS, WIDTH, QuantizePass
from kan_dialect.passes.refine_precision import RefinePrecisionPass
from kan_dialect.search.precision.budgets import Allowed, allowed, parse_limits
from kan_dialect.search.precision.score import check_labels, loss_problem, score

DEFAULT_LOSS = 0.005
"""Where no budget is given."""


@dataclass(frozen=True)
class ChooseBitsPass(FunctionPass):
    """Chooses one number of bits for all codes."""

    name = "kan-choose-bits"
    works_at = ("spline",)
    unrecorded: ClassVar[frozenset[str]] = frozenset({"data"})

    data: str = field()
    """`.npz` file with `x` or `x_train`, and `y` or `y_train`; a test set is not looked at."""
    max_accuracy_loss: float | None = taken_from(RefinePrecisionPass, "max_accuracy_loss")
    max_rmse: float | str | None = taken_from(RefinePrecisionPass, "max_rmse")
    max_error: float | str | None = taken_from(RefinePrecisionPass, "max_error")
    share: float = bounded(1.0, Bounds(0, 1, above=True))
    """Part of the allowed loss that quantisation may take; the rest is for passes that follow."""
    at_least: int = bounded(2, WIDTH)
    """The fewest bits that are tried."""
    at_most: int = bounded(12, WIDTH)
    """The most bits that are tried."""
    scale: str = taken_from(QuantizePass, "scale")
    percentile: float = taken_from(QuantizePass, "percentile")
    per_tensor: bool = taken_from(QuantizePass, "per_tensor")
    per_layer: bool = taken_from(QuantizePass, "per_layer")
    guard_bits: int = taken_from(QuantizePass, "guard_bits")
    input_format: str | None = taken_from(QuantizePass, "input_format")
    output_format: str | None = taken_from(QuantizePass, "output_format")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.at_least > self.at_most:
            raise KanError(
                f"at-least must be at most at-most, got {self.at_least} and {self.at_most}"
            )
        parse_limits(self.max_rmse, self.max_error)
        self._quantize(self.at_least)

    def _quantize(self, bits: int) -> QuantizePass:
        return sharing(self, QuantizePass, bits=bits)

    def rewrite(self, function: func.FuncOp) -> None:
        dataset = dataset_for(function, self.data)
        split_features(function, dataset.x, self.data)
        reference = Model(function, "spline").run(dataset.x)
        check_labels(dataset.y, reference.shape[1], self.data)
        rmse, error = parse_limits(self.max_rmse, self.max_error)
        loss = self.max_accuracy_loss
        if loss is None and rmse is None and error is None:
            loss = DEFAULT_LOSS
        budget = allowed(reference, dataset.y, loss, rmse, error)
        before = score(reference, dataset.y, reference)
        problem = ""
        for bits in range(self.at_least, self.at_most + 1):
            tell("choosing bits", bits - self.at_least, self.at_most + 1 - self.at_least)
            try:
                outputs = self._outputs(function, bits, dataset.x)
            except KanError as error:
                problem = error.message
                continue
            after = score(outputs, dataset.y, reference)
            found = self._problem(budget, outputs, before, after)
            if found is None:
                scores = {"before": before, "after": after, "samples": len(dataset.x)}
                record_figures(function, BITS, {"bits": bits, **budget.figures(loss), **scores})
                return
            problem = found
        raise KanError(
            f"@{function.sym_name.data}: no number of bits from {self.at_least} to {self.at_most} "
            f"keeps the budget; with {self.at_most}, {problem}",
            remedy="allow more, or scale=minmax if many samples saturate",
        )

    def _problem(
        self, budget: Allowed, outputs: FloatArray, before: float, after: float
    ) -> str | None:
        problem = budget.problem(outputs)
        if problem is not None:
            return f"there is {problem}"
        if budget.loss is None:
            return None
        return loss_problem(before, after, budget.loss * self.share)

    def _outputs(self, function: func.FuncOp, bits: int, x: FloatArray) -> FloatArray:
        """Results (samples, out) of the function, quantised."""
        holder = ModuleOp([function.clone()])
        self._quantize(bits).run(Context(), holder)
        return Model.of(holder).run(x)
