"""What held-out samples say of a network, and how networks are compared by it.

This file imports no PyTorch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from kan_dialect.flows.decisions import residual_figures
from kan_dialect.ir.constants import Array, FloatArray, IntArray
from kan_dialect.qat.goals import Goals
from kan_dialect.qat.metrics import (
    METRICS,
    MetricName,
    confusion,
    decisions,
    mean_error,
    recalls,
)


@dataclass(frozen=True)
class HeldOut:
    """What held-out samples say of a network: means, and their standard errors."""

    score: float
    error: float
    loss: float
    loss_error: float
    risk: float
    """What networks are compared by: less is better."""
    risk_error: float
    threshold: float = 0.0
    """Of two classes, what a logit is above for class 1."""
    confusion: IntArray | None = field(default=None, repr=False)
    """(classes, classes), see `confusion`; None of numbers."""
    residuals: Mapping[str, Any] | None = field(default=None, repr=False)
    """See `residual_figures`; None of classes, and before `Judge.with_residuals`."""


@dataclass(frozen=True)
class Judge:
    """How networks are compared on held-out samples."""

    classes: int
    """0 of numbers."""
    metric: MetricName | None = None
    goals: Goals = field(default_factory=Goals)

    @property
    def shown(self) -> MetricName:
        """The metric that is shown."""
        return self.metric or ("accuracy" if self.classes else "rmse")

    @property
    def sign(self) -> int:
        """1 where a higher score is better, -1 where a lower one is."""
        return METRICS[self.shown].sign

    @property
    def is_threshold(self) -> bool:
        """Whether a threshold between two classes is chosen for the goals."""
        return self.classes == 2 and not self.goals.is_empty

    @property
    def free(self) -> int | None:
        """The class whose recall compares networks, since the threshold keeps the other's goal."""
        least = self.goals.least_recall() if self.is_threshold else np.ones(2)
        return None if least.all() else int(least.argmin())

    @property
    def needs_goals(self) -> bool:
        """Whether networks may miss the goals, so that the cheapest that keeps them is chosen."""
        return not self.goals.is_empty and self.free is None

    def measure(self, results: FloatArray, targets: Array, losses: FloatArray) -> HeldOut:
        """Figures of a network on samples.

        Parameters
        ----------
        results : (samples, outputs), see `Metric.of`.
        targets : see `Metric.of`.
        losses : (samples).
        """
        threshold = self.goals.threshold(results[:, 0], targets) if self.is_threshold else 0.0
        score, error = METRICS[self.shown].measured(results - threshold, targets)
        loss, loss_error = float(losses.mean()), mean_error(losses)
        risk, risk_error, matrix = loss, loss_error, None
        if self.classes:
            matrix = confusion(decisions(results - threshold), targets, self.classes)
        if self.metric is not None:
            risk, risk_error = -self.sign * score, error
        if matrix is not None and not self.goals.is_empty:
            found = recalls(matrix)
            if self.free is None:
                risk, risk_error = self.goals.missed(matrix), 0.0
            elif self.metric is None:
                share, samples = float(found[self.free]), int(matrix[self.free].sum())
                risk, risk_error = -share, float(np.sqrt(share * (1.0 - share) / samples))
        return HeldOut(score, error, loss, loss_error, risk, risk_error, threshold, matrix)

    def with_residuals(self, figures: HeldOut, results: FloatArray, targets: Array) -> HeldOut:
        """Figures of a network together with its residuals; those of classes have none.

        Parameters
        ----------
        results, targets : (samples, outputs), as `measure` took them.
        """
        if self.classes:
            return figures
        return replace(figures, residuals=residual_figures(targets, results, None))
