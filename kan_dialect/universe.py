"""What `xdsl-opt` and `kan-opt` find of ours under the entry point group `xdsl.universe`.

Each entry imports its module only when asked for, so that listing passes stays fast.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from xdsl.ir import Dialect
from xdsl.passes import ModulePass
from xdsl.universe import Universe
from xdsl.utils.target import Target


def _dialect(module: str, name: str) -> Callable[[], Dialect]:
    return lambda: getattr(import_module(module), name)


def _pass(module: str, name: str) -> Callable[[], type[ModulePass]]:
    return lambda: getattr(import_module(module), name)


def _target(module: str, name: str) -> Callable[[], type[Target]]:
    return lambda: getattr(import_module(module), name)


_PASSES = {
    "kan-add-head": ("kan_dialect.passes.add_head", "AddHeadPass"),
    "kan-balance-sums": ("kan_dialect.passes.balance_sums", "BalanceSumsPass"),
    "kan-calibrate": ("kan_dialect.passes.calibrate", "CalibratePass"),
    "kan-choose-bits": ("kan_dialect.passes.choose_bits", "ChooseBitsPass"),
    "kan-compile": ("kan_dialect.lowering.compile", "CompilePass"),
    "kan-compress-codes": ("kan_dialect.passes.compress_codes", "CompressCodesPass"),
    "kan-expand-wires": ("kan_dialect.passes.expand_wires", "ExpandWiresPass"),
    "kan-fit-clock": ("kan_dialect.passes.fit_clock", "FitClockPass"),
    "kan-fit-splines": ("kan_dialect.passes.fit_splines", "FitSplinesPass"),
    "kan-fold-affine": ("kan_dialect.passes.fold_affine", "FoldAffinePass"),
    "kan-fold-clamps": ("kan_dialect.passes.fold_clamps", "FoldClampsPass"),
    "kan-fold-layers": ("kan_dialect.passes.fold_layers", "FoldLayersPass"),
    "kan-fold-tables": ("kan_dialect.passes.fold_tables", "FoldTablesPass"),
    "kan-form-carry-chains": (
        "kan_dialect.lowering.form_carry_chains",
        "FormCarryChainsPass",
    ),
    "kan-join-carry-chains": (
        "kan_dialect.lowering.join_carry_chains",
        "JoinCarryChainsPass",
    ),
    "kan-make-trainable": ("kan_dialect.passes.make_trainable", "MakeTrainablePass"),
    "kan-map-tables": ("kan_dialect.lowering.map_tables", "MapTablesPass"),
    "kan-mark-nodes": ("kan_dialect.passes.mark_nodes", "MarkNodesPass"),
    "kan-merge-tables": ("kan_dialect.passes.merge_tables", "MergeTablesPass"),
    "kan-narrow": ("kan_dialect.passes.narrow", "NarrowPass"),
    "kan-prune": ("kan_dialect.passes.prune", "PrunePass"),
    "kan-quantize": ("kan_dialect.passes.quantize", "QuantizePass"),
    "kan-refine-precision": ("kan_dialect.passes.refine_precision", "RefinePrecisionPass"),
    "kan-schedule": ("kan_dialect.passes.schedule", "SchedulePass"),
    "kan-share-shapes": ("kan_dialect.passes.share_shapes", "ShareShapesPass"),
    "kan-shape-tables": ("kan_dialect.passes.shape_tables", "ShapeTablesPass"),
    "kan-share-sums": ("kan_dialect.passes.share_sums", "ShareSumsPass"),
    "kan-share-tables": ("kan_dialect.passes.share_tables", "ShareTablesPass"),
    "kan-snap-symbolic": ("kan_dialect.passes.snap_symbolic", "SnapSymbolicPass"),
    "kan-split-adders": ("kan_dialect.passes.split_adders", "SplitAddersPass"),
    "kan-split-tables": ("kan_dialect.passes.split_tables", "SplitTablesPass"),
    "kan-window-tables": ("kan_dialect.passes.window_tables", "WindowTablesPass"),
    "kan-wrap-interface": (
        "kan_dialect.lowering.wrappers.wrap_interface",
        "WrapInterfacePass",
    ),
    "lower-kan-to-hw": ("kan_dialect.lowering.kan_to_hw", "LowerKanToHwPass"),
    "lower-training-to-hw": (
        "kan_dialect.lowering.on_chip.training_to_hw",
        "LowerTrainingToHwPass",
    ),
}

UNIVERSE = Universe(
    all_dialects={
        "kan": _dialect("kan_dialect.dialect", "Kan"),
        "quant": _dialect("kan_dialect.ir.quant", "Quant"),
    },
    all_passes={name: _pass(module, cls) for name, (module, cls) in _PASSES.items()},
    all_targets={
        "circt": _target("kan_dialect.lowering.targets.circt", "CirctTarget"),
        "formula": _target("kan_dialect.lowering.targets.formula", "FormulaTarget"),
        "picture": _target("kan_dialect.flows.pictures.target", "PictureTarget"),
        "quantizers": _target("kan_dialect.lowering.targets.quantizers", "QuantizersTarget"),
        "systemverilog": _target("kan_dialect.lowering.systemverilog", "SystemVerilogTarget"),
        "vhdl": _target("kan_dialect.lowering.vhdl", "VhdlTarget"),
    },
)
