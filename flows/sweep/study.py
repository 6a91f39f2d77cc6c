"""The study of a sweep: one network, whose data is split into calibration and validation samples.

Points are compared on the validation samples. Figures of the test set are reported in columns of
their own. Each further split of the data is a further network of the study.
"""

from __future__ import annotations

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.analysis.quantization_points import quantization_points, spline_functions
from kan_dialect.errors import KanError
from kan_dialect.files.data_sets import Dataset
from kan_dialect.files.sample_parts import held_parts
from kan_dialect.flows.samples import Samples
from kan_dialect.flows.trials.networks import Network, model_of, with_reference
from kan_dialect.flows.trials.pipeline import DEFAULT, Pipeline
from kan_dialect.flows.trials.study import Study
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.passes.quantize import QuantizePass


def make_study(
    module: ModuleOp,
    dataset: Dataset | None,
    *,
    pipeline: Pipeline = DEFAULT,
    share: float = 0.25,
    splits: int = 1,
) -> Study:
    """Make the study of a sweep over `module`.

    Parameters
    ----------
    pipeline : the passes of all points, and their options that do not vary.
    share : share of the calibration samples that become validation samples.
    splits : number of random splits, by the seeds 0, 1, ...

    Raises
    ------
    KanError : the module holds no model, or a model at hardware level; the data has too few
        samples to split.
    """
    model = model_of(module)
    layers = _layers(module) if pipeline.compiles else 0
    networks: list[Network] = []
    for seed in range(splits):
        calibration: Samples | None = None
        scored: dict[str, Samples] = {}
        if dataset is not None:
            calibration, held_out = split(dataset, share, seed)
            scored["validation"] = with_reference(model, held_out)
            if dataset.x_test is not None:
                scored["test"] = with_reference(model, Samples(dataset.x_test, dataset.y_test))
        about = (model.name, str(module), model.has_codes)
        networks.append(Network(*about, calibration, scored, layers=layers))
    return Study(tuple(networks), (pipeline.without_data(),))


def split(dataset: Dataset, share: float, seed: int) -> tuple[Samples, Samples]:
    """Calibration and validation samples, each in the order of the data.

    Raises
    ------
    KanError : the samples are too few, or all the same.
    """
    count = len(dataset.x)
    held = max(1, round(share * count))
    if not 0 < share < 1 or held >= count:
        raise KanError(
            f"cannot hold {share:g} of {count} samples out for validation",
            remedy="give more samples, or another --validation between 0 and 1",
        )
    chosen = np.zeros(count, dtype=bool)
    chosen[held_parts(dataset.x, held, seed)[0]] = True
    if chosen.all():
        raise KanError(
            f"cannot hold a part of {count} samples out for validation: their inputs are the same",
            remedy="give samples that differ",
        )
    parts = [
        Samples(
            dataset.x[mask],
            None if dataset.y is None else dataset.y[mask],
            classes=dataset.schema.classes,
        )
        for mask in (~chosen, chosen)
    ]
    return parts[0], parts[1]


def _layers(module: ModuleOp) -> int:
    """Number of quantisation points beside the arguments, at the input of `kan-quantize`."""
    module = module.clone()
    for stage in CompilePass().passes():
        if isinstance(stage, QuantizePass):
            break
        stage.resuming().apply(Context(), module)
    functions = list(spline_functions(module))
    return sum(len(quantization_points(function)) - len(function.args) for function in functions)
