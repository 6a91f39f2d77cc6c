"""The score of outputs: accuracy or explained variance, at most 1."""

from __future__ import annotations

import numpy as np

from kan_dialect.errors import KanError
from kan_dialect.files.data_sets import accuracy, classes
from kan_dialect.ir.constants import Array, FloatArray
from kan_dialect.quantity import quantity


def is_classification(labels: Array | None, outputs: int) -> bool:
    """Whether labels are classes that this number of outputs can tell apart."""
    return (
        labels is not None
        and labels.dtype.kind in "iu"
        and labels.size == len(labels)
        and int(labels.min()) >= 0
        and int(labels.max()) < max(outputs, 2)
    )


def targets_of(labels: Array | None, outputs: int) -> FloatArray | None:
    """Labels as numbers (samples, out); None if they are classes or too few.

    Parameters
    ----------
    labels : (samples, ...), or None.
    outputs : number of outputs of the network.
    """
    if labels is None or is_classification(labels, outputs):
        return None
    flat = labels.reshape(len(labels), -1).astype(np.float64)
    return flat if flat.shape[1] == outputs else None


def check_labels(labels: Array | None, outputs: int, where: str) -> None:
    """Refuse labels that do not fit this number of outputs.

    Parameters
    ----------
    labels : (samples, ...), or None.
    where : the data's path.

    Raises
    ------
    KanError : they are neither classes that the outputs tell apart nor a number for each output.
    """
    problem = labels_problem(labels, outputs)
    if problem is not None:
        raise KanError(f"{where} has {problem}", remedy=LABELS_REMEDY)


LABELS_REMEDY = "give classes from 0 on as integers, or a target for each output"


def labels_problem(labels: Array | None, outputs: int) -> str | None:
    """Reason why labels do not fit a network with this number of outputs; None where they fit."""
    if labels is None or is_classification(labels, outputs) or labels.size == len(labels) * outputs:
        return None
    each = labels.size // len(labels)
    what = f"{quantity(each, 'target')} a sample"
    if each == 1 and labels.dtype.kind in "iu":
        what = f"labels from {int(labels.min())} to {int(labels.max())}"
    return f"{what}, the network has {quantity(outputs, 'output')}"


def score(outputs: FloatArray, labels: Array | None, given: FloatArray) -> float:
    """Accuracy for classes; for targets, the explained share of their variance.

    Parameters
    ----------
    outputs : (samples, out)
    labels : classes or targets (samples, ...); without them, `given` are the targets.
    given : (samples, out), outputs to compare with.
    """
    if labels is not None and is_classification(labels, outputs.shape[1]):
        share = accuracy(outputs, labels)
        assert share is not None
        return share
    targets = given if labels is None else labels.reshape(len(labels), -1).astype(np.float64)
    spread = float(((targets - targets.mean(axis=0)) ** 2).mean())
    error = float(((outputs - targets) ** 2).mean())
    return 1.0 - error / spread if spread else 1.0 - error


def loss_problem(was: float, became: float, allowed: float) -> str | None:
    """A message if a score fell by more than was allowed; otherwise None."""
    if was - became <= allowed + 1e-9:
        return None
    return f"a score of {was:.4f} became {became:.4f}, a loss of at most {allowed:g} was allowed"


def squared_changes(outputs: FloatArray, labels: Array | None, given: FloatArray) -> float:
    """Sum over samples of the squared change of each one's part in the score.

    For classes, the number of samples that only one of the two gets right. Parameters are those of
    `score`.
    """
    if labels is not None and is_classification(labels, outputs.shape[1]):
        flat = labels.reshape(-1)
        return float(((classes(outputs) == flat) != (classes(given) == flat)).sum())
    targets = given if labels is None else labels.reshape(len(labels), -1).astype(np.float64)
    spread = float(((targets - targets.mean(axis=0)) ** 2).mean()) or 1.0
    change = ((outputs - targets) ** 2 - (given - targets) ** 2).mean(axis=1) / spread
    return float((change**2).sum())
