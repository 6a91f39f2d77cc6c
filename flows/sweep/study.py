"""The study of a sweep: the imported model, its data and the score of the float model.

All points share it. The data is split into calibration samples and validation samples; points are
compared on the validation samples. Figures of the test set are reported in columns of their own.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.analysis.quantization_points import quantization_points, spline_functions
from kan_dialect.errors import KanError
from kan_dialect.files.data_sets import Dataset
from kan_dialect.files.sample_parts import held_parts, repeated_samples
from kan_dialect.flows.pipelines.varied import DEFAULT, Pipeline, Resolved
from kan_dialect.flows.samples import Samples
from kan_dialect.flows.sweep.grid import Point
from kan_dialect.flows.workers.compiler_digest import compiler_digest
from kan_dialect.ir.constants import Array, FloatArray, IntArray
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.model.data_columns import join_names
from kan_dialect.model.model import Model
from kan_dialect.passes.quantize import QuantizePass

CALIBRATION = "calibration.npz"
"""Name of the file of calibration samples in the folder of a sweep."""


@dataclass(frozen=True)
class Study:
    """A model with its data, as text and arrays that other processes and machines can read."""

    name: str
    """Name of the model."""
    ir: str
    """The imported model in textual form."""
    layers: int
    """Number of widths that `kan-quantize` takes beside the width of the inputs."""
    has_codes: bool
    """Whether inputs and outputs of the model are codes: it is quantised already."""
    calibration: FloatArray | None
    """Calibration samples, (samples, inputs), or None without data."""
    calibration_labels: Array | None
    """Labels of these samples, or None; passes that trade accuracy use them."""
    validation: Samples | None
    """Samples held out of the calibration data, or None without data."""
    test: Samples | None
    compiler: str
    """Digest of the source of the compiler and of the packages of passes: `compiler_digest`."""
    pipeline: Pipeline = DEFAULT
    device: str | None = None
    """The device of estimates and synthesis; None: the one that the passes optimise for."""
    codes: IntArray | None = None
    """Input codes, (samples, inputs), whose output codes tell whether points compute the same."""
    repeated: int = 0
    """Number of samples whose inputs are those of others, which are on one side of the split."""

    @property
    def calibration_data(self) -> dict[str, Array]:
        """The arrays of a data file with the calibration samples, by name."""
        found = {"x": self.calibration, "y": self.calibration_labels}
        return {name: array for name, array in found.items() if array is not None}

    def resolved(self, point: Point, data: str = CALIBRATION) -> Resolved:
        """The pipeline of a point; it calibrates with the file `data` if the study has data.

        Raises
        ------
        KanError : an option does not take its value. The message names the point.
        """
        given = None if self.calibration is None else data
        try:
            found = self.pipeline.resolved(point.options, self.layers, given)
        except KanError as error:
            raise KanError(f"{point}: {error.message}", remedy=error.remedy) from None
        return found if self.device is None else replace(found, target=self.device)

    @property
    def split_ratio(self) -> float:
        """Number of validation samples over number of calibration samples.

        Raises
        ------
        ValueError : the study has no data.
        """
        if self.calibration is None or self.validation is None:
            raise ValueError("a study without data has no split")
        return len(self.validation.x) / len(self.calibration)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of model, data and compiler."""
        whole = hashlib.sha256()
        whole.update(f"{self.compiler}\n{self.ir}\n".encode())
        arrays: list[Array | None] = [self.calibration, self.calibration_labels]
        for samples in (self.validation, self.test):
            arrays += [None, None] if samples is None else [samples.x, samples.y]
        arrays += [] if self.codes is None else [self.codes]
        for array in arrays:
            whole.update(b"-" if array is None else f"{array.dtype.str} {array.shape}".encode())
            whole.update(b"" if array is None else np.ascontiguousarray(array).tobytes())
        return whole.hexdigest()


def make_study(
    module: ModuleOp,
    dataset: Dataset | None,
    *,
    pipeline: Pipeline = DEFAULT,
    share: float = 0.25,
    seed: int = 0,
) -> Study:
    """Make the study of a sweep over `module`.

    Parameters
    ----------
    pipeline : the passes of all points, and their options that do not vary.
    share : share of the calibration samples that become validation samples.
    seed : of the random choice of validation samples.

    Raises
    ------
    KanError : the module holds no model, or a model at hardware level; the data does not fit the
        model, or has too few samples to split.
    """
    model = Model.of(module)
    if model.level == "hardware":
        raise KanError(
            f"@{model.name} is hardware already: no option is left to vary",
            remedy="give the model, or IR of an earlier stage",
        )
    calibration = labels = validation = test = None
    if dataset is not None:
        join_names(model.op, dataset)
        calibration, labels, held_out = _split(dataset, share, seed)
        validation = _with_outputs(model, held_out)
        if dataset.x_test is not None:
            test = _with_outputs(model, Samples(dataset.x_test, dataset.y_test))
    return Study(
        model.name,
        str(module),
        _layers(module) if pipeline.compiles else 0,
        model.has_codes,
        calibration,
        labels,
        validation,
        test,
        compiler_digest(pipeline.packages),
        pipeline,
        repeated=0 if dataset is None else repeated_samples(dataset.x),
    )


def _split(dataset: Dataset, share: float, seed: int) -> tuple[FloatArray, Array | None, Samples]:
    """Calibration samples, their labels, and validation samples, each in the order of the data."""
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
    if dataset.y is None:
        return dataset.x[~chosen], None, Samples(dataset.x[chosen], None)
    return dataset.x[~chosen], dataset.y[~chosen], Samples(dataset.x[chosen], dataset.y[chosen])


def _with_outputs(model: Model, samples: Samples) -> Samples:
    outputs = model.run(samples.x)
    return samples if model.has_codes else Samples(samples.x, samples.y, outputs)


def _layers(module: ModuleOp) -> int:
    """Number of quantisation points beside the arguments, at the input of `kan-quantize`."""
    module = module.clone()
    for stage in CompilePass().passes():
        if isinstance(stage, QuantizePass):
            break
        stage.resuming().apply(Context(), module)
    functions = list(spline_functions(module))
    return sum(len(quantization_points(function)) - len(function.args) for function in functions)
