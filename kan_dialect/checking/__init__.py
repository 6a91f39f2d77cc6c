"""The check of every pass: what `kan-opt --check-passes`, `kan-flow build` and the tests use."""

from kan_dialect.checking.checker import (
    TOLERANCE,
    Checker,
    data_of,
    run_passes,
)
from kan_dialect.checking.results import Difference, FunctionCheck, PassCheck, Sample, Trade
from kan_dialect.passbase.verification import verify_after

__all__ = [
    "TOLERANCE",
    "Checker",
    "Difference",
    "FunctionCheck",
    "PassCheck",
    "Sample",
    "Trade",
    "data_of",
    "run_passes",
    "verify_after",
]
