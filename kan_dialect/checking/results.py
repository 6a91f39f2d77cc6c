"""Results of the check of a pass, in words and figures, and the files that show a failure."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.utils.exceptions import DiagnosticException

from kan_dialect.errors import KanError
from kan_dialect.files.atomic import packed
from kan_dialect.files.folder_ownership import Owner
from kan_dialect.files.output_folders import replacing_folder
from kan_dialect.ir.constants import Array, FloatArray, IntArray
from kan_dialect.passbase.kan_pass import EXACT


@dataclass(frozen=True)
class Sample:
    """One sample on which a pass changed the function."""

    index: int
    reals: FloatArray | None
    """The inputs as numbers, (inputs)."""
    codes: IntArray | None
    """The inputs as codes, (inputs), where there are codes."""
    expected: Array
    """Outputs of the module before the pass, (outputs)."""
    got: Array
    """Outputs of the module after the pass, (outputs)."""

    def inputs(self) -> str:
        """`x0 = 3 (0.25), ...`: codes and numbers."""
        codes, reals = self.codes, self.reals
        count = len(codes if codes is not None else [] if reals is None else reals)
        shown: list[str] = []
        for i in range(min(count, SHOWN_INPUTS)):
            number = "" if reals is None else f"{reals[i]:.9g}"
            code = "" if codes is None else f"{codes[i]}"
            shown.append(f"x{i} = " + (f"{code} ({number})" if code and number else code or number))
        return ", ".join(shown) + (", ..." if count > SHOWN_INPUTS else "")


_OWNER = Owner("--check-passes", forced=None)

SHOWN_INPUTS = 16
"""Number of inputs that a message shows."""


def reason_of(error: Exception) -> str:
    """An exception that ended an evaluation, with its kind and with the op that raised it."""
    if isinstance(error, DiagnosticException):
        return str(error)
    notes: list[str] = getattr(error, "__notes__", [])
    return ", ".join([f"{type(error).__name__}: {error}", *(f"in {note}" for note in notes)])


@dataclass(frozen=True)
class Difference:
    """The first thing that a pass broke."""

    what: str
    """Place and values, in a sentence."""
    sample: Sample | None = None


@dataclass(frozen=True)
class Trade:
    """Accuracy that a pass traded, measured at the outputs as numbers."""

    largest: float
    """Largest absolute difference of an output."""
    mean: float
    classes_changed: float
    """Share of samples whose class changed."""
    on: str
    """Which samples: `calibration` or `random`."""


@dataclass(frozen=True)
class FunctionCheck:
    """Result of comparing one function."""

    function: str
    samples: int = 0
    nodes: int = 0
    """Number of marked nodes that were compared."""
    exhaustive: bool = False
    """The samples are all possible inputs."""
    rounding: float | None = None
    """Largest difference of floats, relative to their size."""
    trade: Trade | None = None
    difference: Difference | None = None
    failure: str | None = None
    """Why the function could not be evaluated before the pass, so that the check fails."""
    cause: Exception | None = None
    """The exception that ended an evaluation, before or after the pass."""
    note: str | None = None
    """Why there was nothing to compare."""

    @property
    def failed(self) -> bool:
        return self.difference is not None or self.failure is not None

    def summary(self) -> str:
        """The result in a few words."""
        if self.difference is not None:
            return self.difference.what
        if self.failure is not None:
            return self.failure
        if self.note is not None:
            return self.note
        samples = f"all {self.samples} inputs" if self.exhaustive else f"{self.samples} samples"
        if self.trade is not None:
            trade = self.trade
            return (
                f"outputs differ by {trade.largest:.4g} at most, {trade.mean:.4g} on average, "
                f"{trade.classes_changed:.2%} of classes, on {self.samples} {trade.on} samples"
            )
        if self.rounding:
            return f"exact but for rounding ({self.rounding:.1g} of the outputs) on {samples}"
        nodes = f", {self.nodes} nodes" if self.nodes else ""
        return f"exact on {samples}{nodes}"


@dataclass(frozen=True)
class PassCheck:
    """Result of checking one pass."""

    name: str
    claim: str
    """`exact`, or the trade that the pass declares."""
    functions: tuple[FunctionCheck, ...]
    before: ModuleOp = field(repr=False)
    after: ModuleOp = field(repr=False)
    """The module after the pass, until the next pass changes it."""

    @property
    def failed(self) -> FunctionCheck | None:
        """The first function that the pass broke, or that could not be evaluated."""
        return next((found for found in self.functions if found.failed), None)

    def summary(self) -> str:
        """One line: `kan-narrow: exact on 4321 samples, 17 nodes`."""
        if not self.functions:
            return f"{self.name}: not checked, no function of a KAN"
        several = len(self.functions) > 1
        parts = [
            f"@{found.function} {found.summary()}" if several else found.summary()
            for found in self.functions
        ]
        return f"{self.name}: {'; '.join(parts)}"

    def as_dict(self) -> dict[str, str | int | float | bool]:
        """The entry of `report.json`, for the first function that was compared."""
        entry: dict[str, str | int | float | bool] = {"pass": self.name, "claim": self.claim}
        found = next((one for one in self.functions if one.note is None), None)
        if found is None:
            entry["note"] = self.functions[0].note or "" if self.functions else "nothing to check"
            return entry
        entry |= {"samples": found.samples, "exhaustive": found.exhaustive, "nodes": found.nodes}
        if found.trade is not None:
            entry |= {
                "max_abs_difference": found.trade.largest,
                "mean_abs_difference": found.trade.mean,
                "classes_changed": found.trade.classes_changed,
            }
        return entry

    def require_passed(self, folder: Path | None = None) -> None:
        """Raise unless the pass kept its claim.

        Parameters
        ----------
        folder : where `before.mlir`, `after.mlir` and `sample.npz` of a failure are written.

        Raises
        ------
        KanError : the pass broke its claim. Names the first difference, its place and the sample.
            Or a function could not be evaluated before the pass. Gives the reason.
        """
        found = self.failed
        if found is None:
            return
        if found.difference is None:
            raise KanError(
                f"{self.name} cannot be checked: @{found.function}: {found.failure}",
                remedy="mend the input, or run without the check of passes",
            ) from found.cause
        remedy = "a pass that trades accuracy says so in `preserves`" if self._of_others() else None
        kept = ""
        if folder is not None:
            kept = f"; {self._write(folder, found.difference.sample)}"
        raise KanError(
            f"{self.name} does not keep the function @{found.function}: "
            f"{found.difference.what}{kept}",
            remedy=remedy,
        ) from found.cause

    def _of_others(self) -> bool:
        return self.claim == EXACT and not self.name.startswith(("kan-", "lower-kan-"))

    def _write(self, folder: Path, sample: Sample | None) -> str:
        names = "before.mlir and after.mlir"
        try:
            with replacing_folder(folder, _OWNER) as new:
                (new / "before.mlir").write_text(str(self.before) + "\n")
                (new / "after.mlir").write_text(str(self.after) + "\n")
                if sample is not None:
                    names = "before.mlir, after.mlir and sample.npz"
                    arrays: dict[str, Array] = {"expected": sample.expected, "got": sample.got}
                    if sample.reals is not None:
                        arrays["x"] = sample.reals[np.newaxis]
                    if sample.codes is not None:
                        arrays["codes"] = sample.codes[np.newaxis]
                    (new / "sample.npz").write_bytes(packed(arrays))
        except KanError as error:
            return f"{names} were not kept: {error}"
        return f"{names} are in {folder}"
