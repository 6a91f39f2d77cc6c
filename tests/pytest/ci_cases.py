"""Cases of slow tests: a few run with every change, all run in CI."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from _pytest.mark.structures import ParameterSet


def others_in_ci(cases: Iterable[object], *, first: int = 1) -> list[ParameterSet]:
    """Parameters of a test: the first ones always run, the others in CI.

    Parameters
    ----------
    cases : a value each, or a tuple of the values of several parameters.
    """
    return [
        pytest.param(
            *(case if isinstance(case, tuple) else (case,)),
            marks=[pytest.mark.ci] * (index >= first),
        )
        for index, case in enumerate(cases)
    ]
