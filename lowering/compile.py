"""`kan-compile`: the default pipeline, from whatever level the module is at, to hardware.

Each pass leaves a module of another level alone, and passes that the module has been through are
not run again, so that any stage's IR may be fed back in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from kan_dialect.collection import collector_paused
from kan_dialect.fpga import XCUP
from kan_dialect.kan_pass import KanPass
from kan_dialect.lowering.kan_to_hw import LowerKanToHwPass
from kan_dialect.passes.balance_sums import BalanceSumsPass
from kan_dialect.passes.calibrate import CalibratePass
from kan_dialect.passes.expand_wires import ExpandWiresPass
from kan_dialect.passes.fold_affine import FoldAffinePass
from kan_dialect.passes.fold_tables import FoldTablesPass
from kan_dialect.passes.merge_tables import MergeTablesPass
from kan_dialect.passes.narrow import NarrowPass
from kan_dialect.passes.quantize import QuantizePass
from kan_dialect.passes.schedule import SchedulePass
from kan_dialect.passes.share_tables import ShareTablesPass
from kan_dialect.passes.split_tables import SplitTablesPass
from kan_dialect.pipeline import CompositePass


@dataclass(frozen=True)
class CompilePass(CompositePass):
    """The default pipeline; its options are those of its passes."""

    name = "kan-compile"
    preserves: ClassVar[str] = QuantizePass.preserves

    data: str | None = None
    """Calibration data, `.npz`; without it, ranges come from the grids."""
    bits: tuple[int, ...] | int = 8
    """See `kan-quantize`."""
    scale: str = "mse"
    """See `kan-quantize`."""
    percentile: float = 99.9
    """See `kan-quantize`."""
    per_tensor: bool = False
    """See `kan-quantize`."""
    per_layer: bool = False
    """See `kan-quantize`."""
    guard_bits: int = 0
    """See `kan-quantize`."""
    quantizers: str | None = None
    """See `kan-quantize`."""
    target: str = XCUP.name
    """The device whose costs decide, see `kan-merge-tables`, `kan-share-tables`,
    `kan-split-tables` and `kan-balance-sums`."""
    parts: int = 3
    """See `kan-split-tables`."""
    further_levels: int = 1
    """See `kan-balance-sums`."""
    levels: int = 4
    """See `kan-schedule`."""
    cycles: int | None = None
    """See `kan-schedule`."""
    combinational: bool = False
    """See `kan-schedule`."""

    fast: bool = False
    """Leaves out the searches that take long: `kan-split-tables`."""

    def passes(self) -> Sequence[KanPass]:
        """The pipeline, in order."""
        calibrate = [] if self.data is None else [CalibratePass(self.data)]
        split = [] if self.fast else [SplitTablesPass(target=self.target, parts=self.parts)]
        return [
            FoldAffinePass(),
            *calibrate,
            QuantizePass(
                bits=self.bits,
                scale=self.scale,
                percentile=self.percentile,
                per_tensor=self.per_tensor,
                per_layer=self.per_layer,
                guard_bits=self.guard_bits,
                quantizers=self.quantizers,
            ),
            FoldTablesPass(),
            ExpandWiresPass(),
            NarrowPass(),
            MergeTablesPass(target=self.target),
            ShareTablesPass(target=self.target),
            *split,
            BalanceSumsPass(target=self.target, further_levels=self.further_levels),
            SchedulePass(levels=self.levels, cycles=self.cycles, combinational=self.combinational),
            LowerKanToHwPass(),
        ]

    def expand(self) -> Sequence[ModulePass]:
        return [stage.resuming() for stage in self.passes()]

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        with collector_paused():
            for stage in self.expand():
                stage.apply(ctx, op)
