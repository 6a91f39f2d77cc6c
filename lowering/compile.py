"""`kan-compile`: the default pipeline, from whatever level the module is at, to hardware.

Each pass leaves a module of another level alone, and passes that the module has been through are
not run again, so that any stage's IR may be fed back in. An option of a pass that has run is
refused, unless the pass has run with the same one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import ClassVar, Literal

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from kan_dialect.devices.device import device
from kan_dialect.errors import KanError
from kan_dialect.lowering.form_carry_chains import FormCarryChainsPass
from kan_dialect.lowering.join_carry_chains import JoinCarryChainsPass
from kan_dialect.lowering.kan_to_hw import LowerKanToHwPass
from kan_dialect.lowering.map_tables import MapTablesPass
from kan_dialect.model.model import levels_in
from kan_dialect.passbase.garbage_collector import collector_paused
from kan_dialect.passbase.given_options import GivenOption
from kan_dialect.passbase.kan_pass import LEVELS, KanPass, require_possible
from kan_dialect.passbase.option_bounds import require_bounds
from kan_dialect.passbase.option_text import spell_value
from kan_dialect.passbase.options import option_name, options_of, sharing, taken_from
from kan_dialect.passbase.pipeline import CompositePass
from kan_dialect.passbase.record import open_record, recorded_pipeline
from kan_dialect.passbase.target_pass import TargetPass
from kan_dialect.passes.add_head import AddHeadPass, require_meaning
from kan_dialect.passes.balance_sums import BalanceSumsPass
from kan_dialect.passes.calibrate import CalibratePass
from kan_dialect.passes.choose_bits import ChooseBitsPass
from kan_dialect.passes.compress_codes import CompressCodesPass
from kan_dialect.passes.fold_affine import FoldAffinePass
from kan_dialect.passes.fold_layers import FoldLayersPass, require_interval, require_storage
from kan_dialect.passes.fold_tables import FoldTablesPass
from kan_dialect.passes.quantize import QuantizePass
from kan_dialect.passes.refine_precision import RefinePrecisionPass
from kan_dialect.passes.schedule import SchedulePass
from kan_dialect.passes.share_sums import ShareSumsPass
from kan_dialect.passes.split_tables import SplitTablesPass
from kan_dialect.passes.wire_level import wire_level_passes
from kan_dialect.search.precision.network import MAX_INPUT_BITS

BITS = {"given": 8, "auto": 6}
"""Bits of the codes by default; with `precision=auto`, the search for fewer starts from these."""
REFINED_SHARE = 0.5
"""Part of an allowed loss that quantisation may take where single edges lose bits after it."""

LEFT_OUT: dict[str, tuple[type[KanPass], ...]] = {
    "fast": (ShareSumsPass, CompressCodesPass, SplitTablesPass, MapTablesPass),
    "adders": (FormCarryChainsPass,),
    "tables": (MapTablesPass,),
}
"""Options that leave passes out, and these passes."""

SAMPLES = frozenset({"data", "seed"})
"""Options of samples, which serve other ends too: a build measures and simulates with them."""
RENAMED = {"kind": "head"}
"""Fields of passes that the options of the pipeline have other names for."""


@dataclass(frozen=True)
class CompilePass(CompositePass):
    """The default pipeline; it hands its options on to its passes, which declare them."""

    name = "kan-compile"
    preserves: ClassVar[str] = QuantizePass.preserves

    data: str | None = None
    """Calibration data, `.npz`; without it, ranges come from the grids."""
    bits: tuple[int, ...] | int | Literal["auto"] | None = taken_from(
        QuantizePass, "bits", default=None
    )
    """Bits of the codes: one number, or one for the input and one for each layer; `auto`: the
    fewest, the same for all codes, that keep the budget (`kan-choose-bits`), with `precision=auto`
    the fewest from 6 to 10 that lose no more than half of it. Default: 8, with `precision=auto` 6.
    """
    scale: str = taken_from(QuantizePass, "scale")
    percentile: float = taken_from(QuantizePass, "percentile")
    per_tensor: bool = taken_from(QuantizePass, "per_tensor")
    per_layer: bool = taken_from(QuantizePass, "per_layer")
    guard_bits: int = taken_from(QuantizePass, "guard_bits")
    input_format: str | None = taken_from(QuantizePass, "input_format")
    output_format: str | None = taken_from(QuantizePass, "output_format")
    quantizers: str | None = taken_from(QuantizePass, "quantizers")
    precision: Literal["given", "auto"] = "given"
    """`given`: bits as they are; `auto`: as few bits of every input, edge and node as the budget
    allows, chosen on the calibration data (`kan-refine-precision`)."""
    max_accuracy_loss: float | None = taken_from(RefinePrecisionPass, "max_accuracy_loss")
    max_rmse: float | str | None = taken_from(RefinePrecisionPass, "max_rmse")
    max_error: float | str | None = taken_from(RefinePrecisionPass, "max_error")
    max_luts: int | None = taken_from(RefinePrecisionPass, "max_luts")
    max_levels: int | None = taken_from(RefinePrecisionPass, "max_levels")
    seed: int = taken_from(RefinePrecisionPass, "seed")
    head: Literal["none", "argmax", "threshold", "top-k"] = "none"
    """The decision that the hardware makes of the outputs (`kan-add-head`): `argmax`: the index of
    the first largest; `threshold`: a bit for each, 1 above the threshold; `top-k`: the indices of
    the k largest in order; `none`: outputs as they are."""
    threshold: float | None = taken_from(AddHeadPass, "threshold")
    """With head `threshold`: the number that an output, on its real scale, must be greater than;
    default 0."""
    probability: float | None = taken_from(AddHeadPass, "probability")
    """With head `threshold`: the threshold as the probability of a sigmoid behind the output; 0.9
    stands for threshold 2.197."""
    k: int | None = taken_from(AddHeadPass, "k")
    """With head `top-k`: number of indices; default 2."""
    interval: int = taken_from(FoldLayersPass, "interval")
    loadable: bool = taken_from(FoldLayersPass, "loadable")
    logic_words: int = taken_from(FoldLayersPass, "logic_words")
    target: str = taken_from(TargetPass, "target")
    parts: int | None = taken_from(SplitTablesPass, "parts")
    extra_levels: tuple[int, ...] | int = taken_from(BalanceSumsPass, "extra_levels")
    levels: int | None = taken_from(SchedulePass, "levels")
    cycles: int | None = taken_from(SchedulePass, "cycles")
    mhz: float | None = taken_from(SchedulePass, "mhz")
    combinational: bool = taken_from(SchedulePass, "combinational")
    adders: Literal["chains", "plain"] = "chains"
    """How sums are written: `chains`: as adders that synthesis maps to one carry chain each
    (`kan-form-carry-chains`); `plain`: as sums, for tools that do so by themselves."""
    tables: Literal["luts", "plain"] = "luts"
    """How tables are written, on devices where that makes a difference: `luts`: as lookup tables of
    the device that synthesis keeps (`kan-map-tables`); `plain`: as constants, for synthesis to
    map."""
    fast: bool = False
    """Leave out the searches that take long: `kan-share-sums`, `kan-compress-codes`,
    `kan-split-tables` and `kan-map-tables`."""

    def __post_init__(self) -> None:
        require_bounds(self)
        require_meaning(self.head, self.threshold, self.probability, self.k)
        require_interval(self.loadable, self.interval)
        require_storage(self.loadable, self.logic_words)
        if self.head != "none" and self.output_format is not None:
            raise KanError(
                f"output-format has no meaning beside head {self.head}: it decides on whole sums, "
                "and decisions have no number format",
                remedy="leave output-format out, or the head",
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

    def _head(self) -> list[KanPass]:
        """The pass that makes the decision, with a head."""
        if self.head == "none":
            return []
        return [AddHeadPass(self.head, self.threshold, self.probability, self.k)]

    def _choose_bits(self) -> list[KanPass]:
        """The pass that chooses one number of bits for all codes, with `bits=auto`."""
        if self.bits != "auto":
            return []
        if self.precision == "given":
            return [sharing(self, ChooseBitsPass)]
        return [
            sharing(
                self,
                ChooseBitsPass,
                share=REFINED_SHARE,
                at_least=BITS["auto"],
                at_most=MAX_INPUT_BITS,
            )
        ]

    def _chains(self) -> list[KanPass]:
        """The passes that put adders on carry chains, on devices that have some."""
        if self.adders == "plain" or not device(self.target).adders.carry_chains:
            return []
        chains: list[KanPass] = [sharing(self, FormCarryChainsPass)]
        if device(self.target).adders.joined_bits:
            chains.append(sharing(self, JoinCarryChainsPass, keep_paths=self.mhz is not None))
        return chains

    def _luts(self) -> list[KanPass]:
        """The pass that maps tables to lookup tables."""
        if self.fast or self.tables == "plain" or not device(self.target).maps_tables:
            return []
        return [sharing(self, MapTablesPass)]

    def hardware_passes(self) -> Sequence[KanPass]:
        """The end of the pipeline: from the wire level to hardware, in order."""
        return [LowerKanToHwPass(), *self._chains(), *self._luts()]

    def passes(self) -> Sequence[KanPass]:
        """The pipeline, in order."""
        chooses = self.precision == "auto"
        expand, *wire_level = wire_level_passes(
            self.target,
            parts=self.parts,
            extra_levels=self.extra_levels,
            fast=self.fast,
            mhz=self.mhz,
        )
        return [
            FoldAffinePass(),
            *([] if self.data is None else [sharing(self, CalibratePass, results=chooses)]),
            *self._choose_bits(),
            sharing(self, QuantizePass, bits=self.given_bits),
            FoldTablesPass(),
            *([sharing(self, RefinePrecisionPass)] if chooses else []),
            *([] if self.interval == 1 else [sharing(self, FoldLayersPass)]),
            expand,
            *self._head(),
            *wire_level,
            sharing(self, SchedulePass),
            *self.hardware_passes(),
        ]

    def require_read(self, module: ModuleOp) -> None:
        """Refuse options that no pass reads, since the module is past all passes that take them.

        Options of a pass that the module has been through are compared when the pass would run.

        Raises
        ------
        KanError : names the option, the module's level and what to do.
        """
        levels = list(LEVELS)
        found = min(map(levels.index, levels_in(module)), default=0)
        passed = {entry.partition("{")[0] for entry in recorded_pipeline(module)}
        unread: dict[str, tuple[GivenOption, KanPass]] = {}
        read: set[str] = set()
        for stage in self.passes():
            for option in self._given(stage):
                unread.setdefault(option.name, (option, stage))
                lowest = stage.option_levels.get(option.field, stage.works_at[-1])
                if levels.index(lowest) >= found or stage.name in passed:
                    read.add(option.name)
        for name in unread.keys() - read:
            option, stage = unread[name]
            raise KanError(
                f"{option} has no meaning: {stage.name} works at {stage.works_at[-1]} level, and "
                f"the model is at {levels[found]} level",
                remedy=f"leave {name} out",
            )
        for name, left_out in LEFT_OUT.items():
            known = [each.name for each in left_out if each.name in passed]
            if known and getattr(self, name) != getattr(CompilePass, name):
                raise KanError(
                    f"{name}={spell_value(getattr(self, name), ',')} has no meaning: the IR has "
                    f"been through {known[0]} already",
                    remedy=f"leave {name} out, or give IR of a stage before {known[0]}",
                )

    def expand(self) -> Sequence[ModulePass]:
        return [stage.resuming(self._given(stage)) for stage in self.passes()]

    def _given(self, stage: KanPass) -> list[GivenOption]:
        """The options that a pass takes and that are not as by default."""
        defaults = {option.field: option.default for option in options_of(CompilePass)}
        names = {field.name: RENAMED.get(field.name, field.name) for field in fields(stage)}
        return [
            GivenOption(option_name(name), field, getattr(self, name))
            for field, name in names.items()
            if name in defaults.keys() - SAMPLES and getattr(self, name) != defaults[name]
        ]

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        stages = self.expand()
        require_possible(stages, op)
        with collector_paused(), open_record(op):
            for stage in stages:
                stage.apply(ctx, op)
