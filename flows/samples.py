"""Samples with labels, and the scores of outputs on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kan_dialect.files.data_sets import accuracy, mean_squared_error
from kan_dialect.ir.constants import Array, FloatArray


@dataclass(frozen=True)
class Samples:
    """Real inputs, their labels or targets, and the outputs of the float model.

    x : (samples, inputs), float64.
    y : (samples, ...), or None without labels.
    outputs : (samples, outputs), float64, or None for a model of codes.
    classes : names of the classes that labels number; empty where they are not known.
    """

    x: FloatArray
    y: Array | None
    outputs: FloatArray | None = None
    classes: tuple[str, ...] = ()

    def score(self, outputs: Array) -> dict[str, float]:
        """Quality of outputs, (samples, outputs): `accuracy` or `mse`, and `error`.

        `error` is the mean absolute difference from the outputs of the float model.
        """
        figures = {
            "accuracy": None if self.y is None else accuracy(outputs, self.y),
            "mse": None if self.y is None else mean_squared_error(outputs, self.y),
            "error": None if self.outputs is None else float(np.abs(outputs - self.outputs).mean()),
        }
        return {
            name: figure
            for name, figure in figures.items()
            if figure is not None and np.isfinite(figure)
        }

    @property
    def reference(self) -> dict[str, float]:
        """The score of the float model; empty for a model of codes."""
        return {} if self.outputs is None else self.score(self.outputs)
