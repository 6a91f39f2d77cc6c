"""`kan-compile`: the default pipeline, from whatever level the module is at, to hardware.

Each pass leaves a module of another level alone, and passes that the module has been through are
not run again, so that any stage's IR may be fed back in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from kan_dialect.devices.device import XCUP
from kan_dialect.errors import KanError
from kan_dialect.lowering.kan_to_hw import LowerKanToHwPass
from kan_dialect.passbase.garbage_collector import collector_paused
from kan_dialect.passbase.kan_pass import KanPass
from kan_dialect.passbase.option_bounds import LOSS, SEED, bounded, bounds_of, require_bounds
from kan_dialect.passbase.pipeline import CompositePass
from kan_dialect.passes.balance_sums import FURTHER_LEVELS
from kan_dialect.passes.calibrate import CalibratePass
from kan_dialect.passes.choose_bits import ChooseBitsPass
from kan_dialect.passes.fold_affine import FoldAffinePass
from kan_dialect.passes.fold_tables import FoldTablesPass
from kan_dialect.passes.quantize import GUARD_BITS, PERCENTILE, WIDTH, QuantizePass
from kan_dialect.passes.refine_precision import LEVELS, LUTS, RefinePrecisionPass
from kan_dialect.passes.schedule import SchedulePass
from kan_dialect.passes.split_tables import PARTS
from kan_dialect.passes.wire_level import wire_level_passes
from kan_dialect.search.precision.network import MAX_INPUT_BITS

PRECISIONS = ("given", "auto")
BITS = {"given": 8, "auto": 6}
"""Of the codes, where nothing else is said; `auto` starts from these."""
REFINED_SHARE = 0.5
"""Of a loss, what quantisation may take where bits of single edges are chosen after it."""


@dataclass(frozen=True)
class CompilePass(CompositePass):
    """The default pipeline; its options are those of its passes."""

    name = "kan-compile"
    preserves: ClassVar[str] = QuantizePass.preserves

    data: str | None = None
    """Calibration data, `.npz`; without it, ranges come from the grids."""
    bits: tuple[int, ...] | int | Literal["auto"] | None = bounded(None, WIDTH)
    """See `kan-quantize`; 8, and 6 to start from with `precision=auto`, where nothing is said.
    `auto`: the fewest, the same for all codes, that keep the budget (`kan-choose-bits`); with
    `precision=auto`, the fewest from 6 to 10 that lose no more than half of it."""
    scale: str = "mse"
    """See `kan-quantize`."""
    percentile: float = bounded(99.9, PERCENTILE)
    """See `kan-quantize`."""
    per_tensor: bool = False
    """See `kan-quantize`."""
    per_layer: bool = False
    """See `kan-quantize`."""
    guard_bits: int = bounded(0, GUARD_BITS)
    """See `kan-quantize`."""
    quantizers: str | None = None
    """See `kan-quantize`."""
    precision: str = "given"
    """`given`: bits as they are; `auto`: as few as a budget allows, see `kan-refine-precision`."""
    max_accuracy_loss: float | None = bounded(None, LOSS)
    """See `kan-refine-precision`."""
    max_rmse: float | str | None = None
    """See `kan-refine-precision`."""
    max_error: float | str | None = None
    """See `kan-refine-precision`."""
    max_luts: int | None = bounded(None, LUTS)
    """See `kan-refine-precision`."""
    max_levels: int | None = bounded(None, LEVELS)
    """See `kan-refine-precision`."""
    seed: int = bounded(0, SEED)
    """See `kan-refine-precision`."""
    target: str = XCUP.name
    """The device whose costs decide, see `kan-narrow`, `kan-merge-tables`, `kan-share-tables`,
    `kan-split-tables`, `kan-balance-sums` and `kan-schedule`."""
    parts: int = bounded(3, PARTS)
    """See `kan-split-tables`."""
    further_levels: tuple[int, ...] | int = bounded(0, FURTHER_LEVELS)
    """See `kan-balance-sums`."""
    levels: int | None = bounded(None, bounds_of(SchedulePass, "levels"))
    """See `kan-schedule`."""
    cycles: int | None = bounded(None, bounds_of(SchedulePass, "cycles"))
    """See `kan-schedule`."""
    mhz: float | None = bounded(None, bounds_of(SchedulePass, "mhz"))
    """See `kan-schedule`."""
    combinational: bool = False
    """See `kan-schedule`."""

    fast: bool = False
    """Leaves out the searches that take long: `kan-share-sums` and `kan-split-tables`."""

    def __post_init__(self) -> None:
        require_bounds(self)
        if self.precision not in PRECISIONS:
            raise KanError(
                f"precision cannot be {self.precision!r}", remedy=f"take {' or '.join(PRECISIONS)}"
            )
        budget: list[object] = [self.max_luts, self.max_levels]
        if self.bits != "auto":
            budget += [self.max_accuracy_loss, self.max_rmse, self.max_error]
        if self.precision == "given" and any(limit is not None for limit in budget):
            raise KanError(
                "there is a budget, but precision is as given", remedy="choose precision auto"
            )
        for name, choice in (("precision", self.precision), ("bits", self.bits)):
            if choice == "auto" and self.data is None:
                raise KanError(
                    f"{name} auto needs samples to choose by", remedy="give calibration data"
                )

    @property
    def given_bits(self) -> tuple[int, ...] | int | Literal["auto"]:
        """What `kan-quantize` is given."""
        if self.bits is None and self.quantizers is not None:
            return QuantizePass.bits
        return BITS[self.precision] if self.bits is None else self.bits

    def _choose(self) -> list[KanPass]:
        """The pass that chooses a number of bits for all codes, if one shall."""
        if self.bits != "auto" or self.data is None:
            return []
        refined = self.precision == "auto"
        return [
            ChooseBitsPass(
                self.data,
                max_accuracy_loss=self.max_accuracy_loss,
                max_rmse=self.max_rmse,
                max_error=self.max_error,
                share=REFINED_SHARE if refined else ChooseBitsPass.share,
                at_least=BITS["auto"] if refined else ChooseBitsPass.at_least,
                at_most=MAX_INPUT_BITS if refined else ChooseBitsPass.at_most,
                scale=self.scale,
                percentile=self.percentile,
                per_tensor=self.per_tensor,
                per_layer=self.per_layer,
                guard_bits=self.guard_bits,
            )
        ]

    def _refine(self) -> list[KanPass]:
        """The pass that chooses bits, if one shall."""
        if self.precision == "given" or self.data is None:
            return []
        return [
            RefinePrecisionPass(
                self.data,
                max_accuracy_loss=self.max_accuracy_loss,
                max_rmse=self.max_rmse,
                max_error=self.max_error,
                max_luts=self.max_luts,
                max_levels=self.max_levels,
                seed=self.seed,
                target=self.target,
                parts=self.parts,
                further_levels=self.further_levels,
                fast=self.fast,
            )
        ]

    def passes(self) -> Sequence[KanPass]:
        """The pipeline, in order."""
        calibrate = (
            []
            if self.data is None
            else [CalibratePass(self.data, results=self.precision == "auto")]
        )
        return [
            FoldAffinePass(),
            *calibrate,
            *self._choose(),
            QuantizePass(
                bits=self.given_bits,
                scale=self.scale,
                percentile=self.percentile,
                per_tensor=self.per_tensor,
                per_layer=self.per_layer,
                guard_bits=self.guard_bits,
                quantizers=self.quantizers,
            ),
            FoldTablesPass(),
            *self._refine(),
            *wire_level_passes(
                self.target,
                parts=self.parts,
                further_levels=self.further_levels,
                fast=self.fast,
            ),
            SchedulePass(
                levels=self.levels,
                cycles=self.cycles,
                mhz=self.mhz,
                combinational=self.combinational,
                target=self.target,
            ),
            LowerKanToHwPass(),
        ]

    def expand(self) -> Sequence[ModulePass]:
        return [stage.resuming() for stage in self.passes()]

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        with collector_paused():
            for stage in self.expand():
                stage.apply(ctx, op)
