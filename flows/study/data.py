"""Data sets of scikit-learn, each with a fixed test set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from kan_dialect.errors import KanError
from kan_dialect.extras import require_extra
from kan_dialect.ir.constants import Array

TEST_SHARE = 0.3
_DRAWN: dict[str, Any] = {"n_samples": 1500, "random_state": 0}

SETS: Mapping[str, Callable[[Any], Any]] = {
    "wine": lambda sets: sets.load_wine(return_X_y=True),
    "breast-cancer": lambda sets: sets.load_breast_cancer(return_X_y=True),
    "digits": lambda sets: sets.load_digits(return_X_y=True),
    "moons": lambda sets: sets.make_moons(noise=0.2, **_DRAWN),
    "diabetes": lambda sets: sets.load_diabetes(return_X_y=True),
    "friedman1": lambda sets: sets.make_friedman1(noise=1.0, **_DRAWN),
    "friedman2": lambda sets: sets.make_friedman2(noise=125.0, **_DRAWN),
}
"""What each name reads of `sklearn.datasets`."""


def sklearn_set(name: str) -> dict[str, Array]:
    """A data set of scikit-learn; a share of `TEST_SHARE`, of each class alike, is its test set.

    Returns
    -------
    `x`, `x_test` (samples, features), `y`, `y_test` (samples): float64, or int64 classes.

    Raises
    ------
    KanError : the name is unknown, or scikit-learn is not installed.
    """
    if name not in SETS:
        raise KanError(
            f"there is no data set {name!r}",
            remedy=f'data sets are {", ".join(SETS)}; others need `file`, as file = "{name}.npz"',
        )
    about = ("scikit-learn", "study", f"the data set {name}")
    samples, labels = SETS[name](require_extra("sklearn.datasets", *about))
    split: Any = require_extra("sklearn.model_selection", *about).train_test_split
    classes = labels if labels.dtype.kind == "i" else None
    parts = split(samples, labels, test_size=TEST_SHARE, random_state=0, stratify=classes)
    return dict(zip(("x", "x_test", "y", "y_test"), map(np.asarray, parts), strict=True))
