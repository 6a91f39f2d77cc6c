"""`kan-refine-precision`: fewer bits of inputs, edges and nodes, as many as a budget allows.

Tables get fewer and coarser values, read fewer input bits, or become constants. Codes of hidden
nodes and results get coarser. The loss is measured on samples that the search does not see,
and is recorded in the function's attribute `kan.precision`. It counts from the float model where
`kan-calibrate{results=true}` left its results, else from the network as given.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.analysis.float_results import forget_reference, reference_of
from kan_dialect.analysis.wires import wire_functions
from kan_dialect.devices.estimate import Estimate, estimate
from kan_dialect.errors import KanError
from kan_dialect.files.data_sets import load_dataset
from kan_dialect.files.sample_parts import repeated_samples
from kan_dialect.ir.constants import Array, FloatArray, IntArray
from kan_dialect.model.data_columns import dataset_for
from kan_dialect.model.model import Model
from kan_dialect.model.port_codes import encode
from kan_dialect.passbase.function_pass import FunctionPass
from kan_dialect.passbase.option_bounds import LOSS, SEED, SHARE, Bounds, bounded
from kan_dialect.passbase.options import taken_from
from kan_dialect.passbase.progress import tell
from kan_dialect.passbase.target_pass import TargetPass
from kan_dialect.passes.balance_sums import BalanceSumsPass
from kan_dialect.passes.split_tables import SplitTablesPass
from kan_dialect.passes.wire_level import wire_level_passes
from kan_dialect.search.precision.bits import note_trade
from kan_dialect.search.precision.budgets import Allowed, allowed, parse_limits
from kan_dialect.search.precision.network import (
    MAX_INPUT_BITS,
    TableChain,
    input_patterns,
    read_chain,
    result_codes,
    widest_code,
    write_chain,
)
from kan_dialect.search.precision.problem import Budget, Problem, Refined
from kan_dialect.search.precision.score import check_labels, loss_problem, score
from kan_dialect.search.precision.search import refine

DEFAULT_LOSS = 0.005
"""Where no budget is given."""


LUTS = Bounds(0, 1 << 40)

LEVELS = Bounds(0, 1_000_000)
"""Of logic, from inputs to results."""


@dataclass(frozen=True)
class RefinePrecisionPass(FunctionPass, TargetPass):
    """Trades accuracy for LUTs, within a budget."""

    name = "kan-refine-precision"
    works_at = ("table",)
    preserves: ClassVar[str] = "accuracy within the budget, on calibration data"
    unrecorded: ClassVar[frozenset[str]] = frozenset({"data"})

    data: str = field()
    """`.npz` file with `x` or `x_train`, and `y` or `y_train`; a test set is not looked at."""
    max_accuracy_loss: float | None = bounded(None, LOSS)
    """The accuracy that may be lost, absolute: 0.005 is half a point; of targets that are numbers,
    the explained variance (R²) that may be lost. It counts from the float model where its results
    are known (`kan-calibrate{results=true}`), else from the network as given. 0.005 where no budget
    is given."""
    max_rmse: float | str | None = None
    """The largest root mean squared error against the targets, or against the float model where
    there are no targets: absolute in the outputs' unit, as 0.3, or relative to the float model's
    error, as 10%."""
    max_error: float | str | None = None
    """The largest absolute error of an output on any sample, given as for max-rmse."""
    max_luts: int | None = bounded(None, LUTS)
    """The most LUTs; of the networks that take no more, the one that loses least is taken."""
    max_levels: int | None = bounded(None, LEVELS)
    """The most levels of logic from inputs to results."""
    validation: float = bounded(0.25, SHARE)
    """Share of the samples that is only used to validate."""
    seed: int = bounded(0, SEED)
    """Seed of the split of the samples, and of the order in which edges are tried."""
    parts: int = taken_from(SplitTablesPass, "parts")
    extra_levels: tuple[int, ...] | int = taken_from(BalanceSumsPass, "extra_levels")
    fast: bool = False
    """`kan-share-sums` and `kan-split-tables` will not run: LUTs and levels count without them."""

    def __post_init__(self) -> None:
        super().__post_init__()
        parse_limits(self.max_rmse, self.max_error)

    @property
    def max_loss(self) -> float | None:
        """The loss of the score that may be; None where other limits decide."""
        limits = (self.max_rmse, self.max_error, self.max_luts)
        if self.max_accuracy_loss is None and all(limit is None for limit in limits):
            return DEFAULT_LOSS
        return self.max_accuracy_loss

    def allowed(self, reference: FloatArray, labels: Array | None) -> Allowed:
        """The budget as limits on samples, see `kan_dialect.search.precision.budgets`."""
        limits = parse_limits(self.max_rmse, self.max_error)
        return allowed(reference, labels, self.max_loss, *limits)

    def violation(self, before: func.FuncOp, after: func.FuncOp) -> str | None:
        dataset = load_dataset(self.data)
        given = reference_of(before, dataset.x, self.data)
        if given is None:
            given = Model(before, "table").run(dataset.x)
        limits = self.allowed(given, dataset.y)
        outputs = Model(after, "table").run(dataset.x)
        was, now = score(given, dataset.y, given), score(outputs, dataset.y, given)
        problem = limits.problem(outputs)
        if problem is None and limits.loss is not None:
            problem = loss_problem(was, now, limits.loss)
        if problem is not None:
            return problem
        if self.max_luts is None and self.max_levels is None:
            return None
        taken = self._estimate(after)
        for what, count, limit in (
            ("LUTs", taken.luts, self.max_luts),
            ("levels", taken.levels, self.max_levels),
        ):
            if limit is not None and count > limit:
                return f"it takes {count} {what}, at most {limit} were allowed"
        return None

    def rewrite(self, function: func.FuncOp) -> None:
        dataset = dataset_for(function, self.data)
        name = function.sym_name.data
        chain = read_chain(function)
        if chain is None:
            if (widest := widest_code(function)) is not None:
                raise KanError(
                    f"@{name} has tables over codes of {widest} bits, {1 << widest} entries each; "
                    f"the search looks at every entry, of codes of at most {MAX_INPUT_BITS} bits",
                    remedy=f"start from fewer bits: --bits {MAX_INPUT_BITS}",
                )
            raise KanError(
                f"@{name} is no chain of layers of tables",
                remedy="run kan-fold-tables first; skip connections are not refined",
            )
        model = Model(function, "table")
        ports, _ = model.ports()
        if dataset.x.shape[1] != len(ports):
            raise KanError(
                f"{self.data} has {dataset.x.shape[1]} features a sample, @{name} takes "
                f"{len(ports)}"
            )
        check_labels(dataset.y, len(chain.layers[-1].bias), self.data)

        def patterns(x: FloatArray) -> IntArray:
            return input_patterns(function, encode(ports, x))

        problem = Problem(
            chain,
            dataset.x,
            dataset.y,
            model.run(dataset.x),
            patterns,
            model.run,
            lambda found: self._estimate(function, found),
            self.device.summand_costs(MAX_INPUT_BITS, ideal=True),
            reference_of(function, dataset.x, self.data),
            result_codes(function),
        )
        limits = self.allowed(problem.origin, dataset.y)
        refined = refine(
            problem,
            Budget(limits, self.max_luts, self.max_levels),
            validation=self.validation,
            seed=self.seed,
            progress=lambda done, total: tell("refining precision", done, total),
        )
        edges = chain.edges
        if refined.chosen.chain is not chain:
            write_chain(function, refined.chosen.chain)
        forget_reference(function)
        note_trade(function, self._figures(refined, limits, edges, dataset.x))

    def _estimate(self, function: func.FuncOp, chain: TableChain | None = None) -> Estimate:
        """LUTs and levels of a combinational function, with the layers of `chain` if given."""
        clone = function.clone()
        module = ModuleOp([clone])
        if chain is not None:
            write_chain(clone, chain)
        for stage in wire_level_passes(
            self.target, parts=self.parts, extra_levels=self.extra_levels, fast=self.fast
        ):
            stage.run(Context(), module)
        return estimate(next(iter(wire_functions(module))), self.device)

    def _figures(
        self, refined: Refined, allowed: Allowed, edges: int, x: FloatArray
    ) -> dict[str, float]:
        chosen, repeated = refined.chosen, repeated_samples(x)
        resources = {"max_luts": self.max_luts, "max_levels": self.max_levels}
        return {
            **allowed.figures(self.max_loss),
            **{name: limit for name, limit in resources.items() if limit is not None},
            "seed": self.seed,
            "calibration_before": chosen.calibration.before,
            "calibration_after": chosen.calibration.after,
            "calibration_samples": len(x),
            **({"repeated_samples": repeated} if repeated else {}),
            "validation_before": chosen.validation.before,
            "validation_after": chosen.validation.after,
            "validation_samples": refined.validation_samples,
            "edges_before": edges,
            "edges_after": chosen.chain.edges,
            "networks": refined.networks,
        }
