"""Accuracy of a build on its samples: the float model, the integer model, and what bits cost."""

from __future__ import annotations

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
    if not real.imported.has_codes:
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
    codes_out = integer.run(x)
    report.accuracy_on, report.accuracy_samples = on, len(x)
    outputs = None if real.imported.has_codes else real.run(_as_read(stages, x))
    if outputs is not None and real.original is not None:
        report.float_engine = real.original.engine
    targets = targets_of(labels, codes_out.shape[1])
    report.confusion = confusions(labels, {"float": outputs, "integer": codes_out})
    if targets is not None:
        report.residuals = residual_figures(targets, codes_out, outputs)
    found = cautions.label_cautions(
        real.imported, codes_out if outputs is None else outputs, labels, on
    )
    if targets is None:
        report.accuracy_integer = _accuracy(codes_out, labels)
    else:
        report.errors_integer = Errors.of(codes_out, targets)
    if outputs is not None:
        found += _compare(report, outputs, codes_out, labels, on, saturates=bool(report.warnings))
    report.warnings += found or cautions.useless_cautions(
        report.accuracy_integer, report.errors_integer, labels, on
    )


def _compare(
    report: Report,
    outputs: FloatArray,
    codes_out: FloatArray,
    labels: Array | None,
    on: str,
    *,
    saturates: bool,
) -> list[str]:
    """Add the figures of the float model to the report. Returns cautions about the integers'."""
    targets, allowed = targets_of(labels, codes_out.shape[1]), _allowed_loss(report)
    difference = np.abs(outputs - codes_out)
    report.max_abs_error = float(difference.max(initial=0.0))
    report.mean_abs_error = float(difference.mean())
    if targets is not None and report.errors_integer is not None:
        report.errors_float = Errors.of(outputs, targets)
        return cautions.error_caution(
            report.errors_float,
            report.errors_integer,
            on,
            allowed=allowed,
            saturates=saturates,
        )
    report.accuracy_float = _accuracy(outputs, labels)
    if report.accuracy_float is not None and report.accuracy_integer is not None:
        return cautions.accuracy_caution(
            report.accuracy_float,
            report.accuracy_integer,
            len(outputs),
            on,
            allowed=allowed,
            saturates=saturates,
        )
    return cautions.difference_caution(Errors.of(codes_out, outputs), on, saturates=saturates)


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
    budget = report.chosen_bits if report.precision is None else report.precision["budget"]
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


def _accuracy(outputs: Array, labels: Array | None) -> float | None:
    return None if labels is None else accuracy(outputs, labels)
