"""What a network is trained for: classes or numbers, as a loss and a score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from kan_dialect.errors import KanError
from kan_dialect.ir.constants import Array, FloatArray, IntArray


@dataclass(frozen=True)
class Objective:
    """How results are compared with labels."""

    outputs: int
    """Number of results."""
    is_classes: bool
    """Whether labels are classes; otherwise they are numbers."""
    scale: float = 1.0
    """A result stands for the number result · scale."""
    start: tuple[float, ...] = ()
    """Mean of each target, in units of `scale`; none of classes."""
    weights: tuple[float, ...] = ()
    """What a sample of each class counts in the loss; empty: 1."""

    @property
    def has_reference(self) -> bool:
        """Whether one result can be the constant that the others are compared with."""
        return self.is_classes and self.outputs > 1

    def targets(self, labels: Array) -> Tensor:
        """Labels as results are compared with them.

        Returns
        -------
        (samples) int64 classes, or (samples, outputs) float64 numbers, in units of `scale`.
        """
        if self.is_classes:
            return torch.from_numpy(labels.reshape(-1).astype(np.int64))
        numbers = labels.reshape(len(labels), -1).astype(np.float64)
        return torch.from_numpy(numbers / self.scale)

    def loss(self, results: Tensor, targets: Tensor, log_temperature: Tensor) -> Tensor:
        """The mean of `losses`."""
        return self.losses(results, targets, log_temperature).mean()

    def losses(self, results: Tensor, targets: Tensor, log_temperature: Tensor) -> Tensor:
        """Cross entropy of classes, squared error of numbers, of each sample: (samples), float64.

        Parameters
        ----------
        results : (samples, outputs), float64.
        targets : as `targets` gives them.
        log_temperature : results of classes are multiplied by its exponential.
        """
        if not self.is_classes:
            return ((results - targets) ** 2).mean(1)
        logits = results * log_temperature.exp()
        if self.outputs == 1:
            losses = functional.binary_cross_entropy_with_logits(
                logits[:, 0], targets.double(), reduction="none"
            )
        else:
            losses = functional.cross_entropy(logits, targets, reduction="none")
        return losses * torch.tensor(self.weights)[targets] if self.weights else losses

    def distilled_loss(
        self, results: Tensor, teacher: Tensor, log_temperature: Tensor, temperature: float
    ) -> Tensor:
        """Cross entropy with a teacher's softened classes (Hinton et al., arXiv 1503.02531, section
        2), mean squared error of numbers.

        Parameters
        ----------
        results, teacher : (samples, outputs), float64; of classes, the teacher's are logits.
        temperature : logits of both are divided by it; the loss is multiplied by its square, so
            that gradients keep their size.
        """
        if not self.is_classes:
            return functional.mse_loss(results, teacher)
        logits = results * log_temperature.exp() / temperature
        soft = teacher / temperature
        square = temperature**2
        if self.outputs == 1:
            return square * functional.binary_cross_entropy_with_logits(logits, soft.sigmoid())
        return square * functional.cross_entropy(logits, soft.softmax(1))

    def constant_loss(self, targets: Tensor) -> float:
        """The least loss of a network whose results are the same for all samples.

        Parameters
        ----------
        targets : as `targets` gives them.
        """
        if not self.is_classes:
            return float(((targets - targets.mean(0)) ** 2).mean())
        counts = torch.bincount(targets).double()
        counts *= torch.tensor(self.weights) if self.weights else 1.0
        shares = counts / counts.sum()
        return float(-(shares * shares.clamp(min=1e-300).log()).sum() * counts.sum() / len(targets))

    def measured(self, results: Tensor, log_temperature: Tensor) -> FloatArray:
        """Results as figures of merit take them, (samples, outputs): logits of classes, or numbers
        in the targets' unit."""
        factor = log_temperature.exp() if self.is_classes else self.scale
        return (results * factor).numpy()

    @property
    def classes(self) -> int:
        """Number of classes; 0 of numbers."""
        return max(2, self.outputs) if self.is_classes else 0


def objective_of(labels: Array, where: str, weights: FloatArray | None = None) -> Objective:
    """The objective that labels ask for: integers are classes, floats are numbers.

    Parameters
    ----------
    where : the data's path, for messages.
    weights : (classes), what a sample of each counts.

    Raises
    ------
    KanError : all labels are the same, a class between the others has no sample, or a target is
        not finite.
    """
    if labels.dtype.kind in "iu" and labels.size == len(labels):
        outputs = _outputs_of(labels.reshape(-1).astype(np.int64), where)
        return Objective(outputs, True, weights=() if weights is None else tuple(weights.tolist()))
    numbers = labels.reshape(len(labels), -1).astype(np.float64)
    wrong = np.argwhere(~np.isfinite(numbers))
    if len(wrong):
        sample, target = wrong[0].tolist()
        raise KanError(
            f"{where}: target {target} of sample {sample} is {numbers[sample, target]}",
            remedy="leave out samples whose targets are not finite",
        )
    spread = float(numbers.std(axis=0).max())
    if spread == 0.0:
        raise KanError(f"{where}: all targets are the same", remedy="there is nothing to train")
    start = (numbers.mean(axis=0) / spread).tolist()
    return Objective(numbers.shape[1], False, spread, tuple(start))


def _outputs_of(labels: IntArray, where: str) -> int:
    """Number of results that tell the classes apart; two classes need one."""
    counts = np.bincount(labels[labels >= 0])
    classes = len(counts)
    if (labels == labels[0]).all():
        raise KanError(
            f"{where}: all {len(labels)} samples are of class {labels[0]}",
            remedy="give samples of two classes or more",
        )
    if labels.min() < 0 or not counts.all():
        problem = f"a class is {labels.min()}"
        if labels.min() >= 0:
            problem = f"no sample is of class {int(counts.argmin())}, and some are of {classes - 1}"
        raise KanError(f"{where}: {problem}", remedy="number the classes 0, 1, 2, ...")
    return 1 if classes == 2 else classes
