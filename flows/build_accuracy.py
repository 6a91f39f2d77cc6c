"""Accuracy of a build on its samples: the float model, the integer model, and what bits cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from xdsl.dialects import func

from kan_dialect.files.data_sets import Dataset, Errors, accuracy
from kan_dialect.flows import report_cautions as cautions
from kan_dialect.flows.build_stages import Stages
from kan_dialect.flows.decisions import confusions, residual_figures
from kan_dialect.flows.report import Report
from kan_dialect.frontends.frontend import Original
from kan_dialect.ir.constants import Array, FloatArray
from kan_dialect.model.code_use import code_use
from kan_dialect.model.head import Head, declared_head
from kan_dialect.model.interface import Interface
from kan_dialect.model.model import Model
from kan_dialect.model.port_codes import encode
from kan_dialect.model.saturation import count_saturations
from kan_dialect.model.windows import as_coded
from kan_dialect.search.precision.score import score, targets_of


@dataclass(frozen=True)
class FloatModel:
    """The float model: as its own runtime computes it, or as it was imported."""

    imported: Model
    original: Original | None

    @property
    def is_known(self) -> bool:
        """Whether floats are computed anywhere: a file of codes may have its own runtime."""
        return self.original is not None or not self.imported.has_codes

    def run(self, x: FloatArray) -> FloatArray:
        """Outputs (samples, outputs) for inputs (samples, features)."""
        return self.imported.run(x) if self.original is None else self.original.run(x)


def add_accuracy(
    report: Report,
    stages: Stages,
    integer: Model,
    interface: Interface,
    real: FloatModel,
    dataset: Dataset,
) -> None:
    """Add accuracy, errors, saturation and their cautions to the report of a build."""
    # Accuracy and errors are those of the outputs, which a head decides on.
    before = stages.undecided or integer
    _score_trade(report, stages, before, real, dataset)
    _use_of_codes(report, before, interface, dataset)
    _count_saturations(report, stages.imported, before, interface, dataset)
    _score(report, stages, before, real, dataset)
    head = declared_head(integer.op)
    if head is not None:
        _score_head(report, head, stages, integer, real, dataset)


def _score_head(
    report: Report, head: Head, stages: Stages, integer: Model, real: FloatModel, dataset: Dataset
) -> None:
    """Add the share of decisions that are right, and that are those on the float outputs."""
    x, labels, _ = _scored(dataset)
    decided = integer.run(x).astype(np.int64)
    found: dict[str, float] = {}
    accuracy_of = None if labels is None else head.accuracy(decided, labels)
    if accuracy_of is not None:
        found["accuracy"] = accuracy_of
    if real.is_known:
        as_float = head.decide(real.run(_as_read(stages, x)))
        found["agreement"] = float((decided == as_float).all(axis=1).mean())
    report.head = {**(report.head or {}), **found}


def _scored(dataset: Dataset) -> tuple[FloatArray, Array | None, str]:
    """Samples and labels to report: of the test set where there is one."""
    if dataset.x_test is not None:
        return dataset.x_test, dataset.y_test, "test"
    return dataset.x, dataset.y, "calibration"


def _as_read(stages: Stages, x: FloatArray) -> FloatArray:
    """Samples behind the quantisers' gain and offset, which the float network does not have."""
    if stages.quantizers is None:
        return x
    arguments = stages.quantizers.arguments
    gain, offset = (
        np.concatenate([getattr(each, name) for each in arguments]) for name in ("gain", "offset")
    )
    return x * gain + offset


def _score(
    report: Report, stages: Stages, integer: Model, real: FloatModel, dataset: Dataset
) -> None:
    x, labels, on = _scored(dataset)
    models = {"integer": integer.run(x)}
    if real.is_known:
        models = {"float": real.run(_as_read(stages, x)), **models}
        report.float_engine = None if real.original is None else real.original.engine
    targets = targets_of(labels, models["integer"].shape[1])
    samples = {"on": on, "samples": len(x)}
    shares: dict[str, float] = {}
    errors: dict[str, Errors] = {}
    if targets is not None:
        errors = {name: Errors.of(outputs, targets) for name, outputs in models.items()}
        known = {name: each.as_dict() for name, each in errors.items()}
        residuals = residual_figures(targets, models["integer"], models.get("float"))
        report.regression = {**samples, **known, "residuals": residuals}
    elif labels is not None:
        found = {name: accuracy(outputs, labels) for name, outputs in models.items()}
        shares = {name: share for name, share in found.items() if share is not None}
    if shares:
        matrices = confusions(labels, models)
        report.accuracy = {**samples, **shares}
        report.accuracy |= {} if matrices is None else {"confusion": matrices}
    warned = cautions.label_cautions(real.imported, next(iter(models.values())), labels, on)
    if "float" in models:
        difference = np.abs(models["float"] - models["integer"])
        report.max_abs_error = float(difference.max(initial=0.0))
        report.mean_abs_error = float(difference.mean())
        warned += _loss_cautions(report, models, shares, errors, on)
    report.warnings += warned or cautions.useless_cautions(
        shares.get("integer"), errors.get("integer"), labels, on
    )


def _loss_cautions(
    report: Report,
    models: Mapping[str, FloatArray],
    shares: Mapping[str, float],
    errors: Mapping[str, Errors],
    on: str,
) -> list[str]:
    """Cautions about integers that are worse than floats, by the best figure that is known."""
    allowed, saturates = _allowed_loss(report), bool(report.warnings)
    if errors:
        pair = errors["float"], errors["integer"]
        return cautions.error_caution(*pair, on, allowed=allowed, saturates=saturates)
    if shares:
        samples = len(models["integer"])
        return cautions.accuracy_caution(
            *(shares["float"], shares["integer"], samples, on),
            allowed=allowed,
            saturates=saturates,
        )
    difference = Errors.of(models["integer"], models["float"])
    return cautions.difference_caution(difference, on, saturates=saturates)


def _use_of_codes(report: Report, integer: Model, interface: Interface, dataset: Dataset) -> None:
    """Add which codes the samples reach that accuracy is measured on."""
    x, on = dataset.x, "calibration"
    if dataset.x_test is not None:
        x, on = dataset.x_test, "test"
    found = code_use(integer, encode(interface.inputs, x))
    report.codes = {
        "on": on,
        "samples": len(x),
        **{
            kind: {name: each.as_dict() for name, each in uses.items()}
            for kind, uses in found.items()
            if uses
        },
    }


def _allowed_loss(report: Report) -> float | None:
    """The loss that the budget allows; None where bits were not chosen by a budget."""
    budget = report.bits if report.precision is None else report.precision["budget"]
    found: object = (budget or {}).get("max_accuracy_loss")
    return found if isinstance(found, float) else None


def _count_saturations(
    report: Report, real: Model, integer: Model, interface: Interface, dataset: Dataset
) -> None:
    if isinstance(real.op, func.FuncOp) and not real.has_codes:
        ports, function = interface.inputs, real.op
        test = None if dataset.x_test is None else as_coded(function, ports, dataset.x_test)
        dataset = replace(dataset, x=as_coded(function, ports, dataset.x), x_test=test)
    samples = {"calibration": dataset.x, "test": dataset.x_test}
    found = {name: count_saturations(integer, x) for name, x in samples.items() if x is not None}
    report.saturation = found
    trained = real.has_codes
    report.warnings += cautions.input_cautions(interface, found, dataset, trained=trained)
    if not trained:
        report.warnings += cautions.node_cautions(found)


def _score_trade(
    report: Report, stages: Stages, integer: Model, real: FloatModel, dataset: Dataset
) -> None:
    """Add the score on the test samples, by which nothing was chosen, before and after the trade.

    Before it stands the float model, or the model as given if that has codes.
    """
    if stages.precision is None:
        return
    report.precision = stages.precision
    given = stages.unrefined if stages.imported.has_codes else stages.imported
    if given is None or dataset.x_test is None or dataset.y_test is None:
        return
    before = (given if stages.imported.has_codes else real).run(dataset.x_test)
    after = integer.run(dataset.x_test)
    report.precision["accuracy"]["test"] = {
        "before": score(before, dataset.y_test, before),
        "after": score(after, dataset.y_test, before),
        "samples": len(dataset.x_test),
    }
