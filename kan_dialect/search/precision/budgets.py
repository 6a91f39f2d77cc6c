"""Budgets of accuracy: losses and limits as options spell them, and their meaning on samples.

A *loss* counts from the float model and is absolute: `1%` and `0.01` both mean one point of
accuracy, or of explained variance (R²) where labels are targets. A *limit* bounds an error of the
integer model against the targets: absolute as `0.3`, in the outputs' unit, or relative as `10%`,
which means 10 % more than the float model's error. Without targets, the float model's outputs stand
for them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from kan_dialect.errors import KanError
from kan_dialect.files.data_sets import Errors
from kan_dialect.ir.constants import Array, FloatArray
from kan_dialect.search.precision.score import is_classification, targets_of


def parse_loss(text: str, option: str) -> float:
    """A loss, `0.5%` or `0.005`, as a share of 1.

    Raises
    ------
    KanError : it is no number.
    """
    try:
        return _number(text[:-1]) / 100 if text.endswith("%") else _number(text)
    except ValueError:
        raise KanError(f"{option} takes a share, as 0.5% or 0.005, got {text!r}") from None


@dataclass(frozen=True)
class Limit:
    """Largest error allowed: `value`, or the share `value` more than the float model's error."""

    value: float
    relative: bool = False

    @staticmethod
    def parse(given: float | str, option: str) -> Limit:
        """A limit as options spell it, `0.3` or `10%`.

        Raises
        ------
        KanError : it is no number, or a negative one.
        """
        text = str(given)
        relative = text.endswith("%")
        try:
            value = _number(text[:-1]) / 100 if relative else _number(text)
        except ValueError:
            value = -1.0
        if value < 0.0:
            raise KanError(
                f"{option} takes an error in the outputs' unit, as 0.3, or relative to the float "
                f"model's, as 10%, got {text!r}"
            )
        return Limit(value, relative)

    def absolute(self, real: float, option: str) -> float:
        """The limit in the outputs' unit, where the float model has the error `real`.

        Raises
        ------
        KanError : the float model exceeds it, or it is relative to 0.
        """
        if self.relative and real == 0.0:
            raise KanError(
                f"{option}={self.value:.4g} is relative to the float model's error, which is 0: "
                "there are no targets, or it meets them all",
                remedy="give it in the outputs' unit, as 0.1",
            )
        limit = real * (1.0 + self.value) if self.relative else self.value
        if real > limit:
            raise KanError(
                f"{option}={self.value:g} is below the error of the float model itself, "
                f"{real:.4g} on the calibration samples",
                remedy="allow more, or a relative limit as 10%; without y in the data, errors are "
                "the differences from the float model",
            )
        return limit


def parse_limits(
    rmse: float | str | None, error: float | str | None
) -> tuple[Limit | None, Limit | None]:
    """The limits of options `max-rmse` and `max-error`; None of an option that is not given.

    Raises
    ------
    KanError : see `Limit.parse`.
    """
    return (
        None if rmse is None else Limit.parse(rmse, "max-rmse"),
        None if error is None else Limit.parse(error, "max-error"),
    )


def _number(text: str) -> float:
    """A finite number.

    Raises
    ------
    ValueError : the text is not a finite number.
    """
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


@dataclass(frozen=True)
class Allowed:
    """A budget in terms of some samples.

    Parameters
    ----------
    loss : largest loss of score from the float model; None: any.
    rmse, error : limits of the root mean squared and the largest absolute error, in the outputs'
        unit; None: any.
    targets : (samples, out), from which errors count.
    """

    loss: float | None
    rmse: float | None
    error: float | None
    targets: FloatArray

    def figures(self, loss: float | None) -> dict[str, float]:
        """The budget as reports have it, with the loss of score that options allow."""
        limits = {"max_accuracy_loss": loss, "max_rmse": self.rmse, "max_error": self.error}
        return {name: limit for name, limit in limits.items() if limit is not None}

    def problem(self, outputs: FloatArray) -> str | None:
        """The limit of errors that outputs (samples, out) exceed, in words; None if none."""
        if self.rmse is None and self.error is None:
            return None
        found = Errors.of(outputs, self.targets)
        for what, figure, limit in (
            ("a root mean squared error", found.rmse, self.rmse),
            ("a largest error", found.max_error, self.error),
        ):
            if limit is not None and figure > limit * (1 + 1e-9):
                return f"{what} of {figure:.4g}, at most {limit:.4g} was allowed"
        return None


def allowed(
    reference: FloatArray,
    labels: Array | None,
    loss: float | None,
    rmse: Limit | None,
    error: Limit | None,
) -> Allowed:
    """A budget in terms of samples.

    A limit of the root mean squared error against targets is a loss of explained variance too, so
    that bounds of losses on other samples hold for it.

    Parameters
    ----------
    reference : outputs (samples, out) of the float model.
    labels : (samples, ...), or None.

    Raises
    ------
    KanError : the float model itself exceeds a limit.
    """
    outputs = reference.shape[1]
    targets = targets_of(labels, outputs)
    if targets is None:
        targets = reference
    real = Errors.of(reference, targets)
    most = None if rmse is None else rmse.absolute(real.rmse, "max-rmse")
    largest = None if error is None else error.absolute(real.max_error, "max-error")
    if most is not None and not is_classification(labels, outputs):
        variance = float(((targets - targets.mean(axis=0)) ** 2).mean()) or 1.0
        more = (most**2 - real.rmse**2) / variance
        loss = more if loss is None else min(loss, more)
    return Allowed(loss, most, largest, np.asarray(targets))
