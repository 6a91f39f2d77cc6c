"""The passes of a build: each is run, checked and written; figures of the stages are kept."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from kan_dialect.analysis.repeated_edges import repetitions
from kan_dialect.analysis.training_record import recorded_training
from kan_dialect.analysis.wires import wire_functions
from kan_dialect.devices.device import device
from kan_dialect.devices.estimate import Estimate, estimate
from kan_dialect.errors import KanError
from kan_dialect.evaluate.edge_tables import has_real_edges
from kan_dialect.flows.build_options import BuildOptions
from kan_dialect.flows.layer_costs import bits_of_tables, layer_costs, stage_entries
from kan_dialect.flows.pass_runs import PassRuns, Progress
from kan_dialect.ir.attributes.figures import recorded_figures
from kan_dialect.ir.operation import ops_of
from kan_dialect.lowering.kan_to_hw import LowerKanToHwPass
from kan_dialect.model.model import Model
from kan_dialect.model.quantizers import Quantizers
from kan_dialect.model.quantizers_in_ir import quantized_functions, quantizers_of
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.ops.wire import TableOp
from kan_dialect.passbase.kan_pass import (
    EXACT,
    appends_head,
    claim_of,
    require_possible,
    unwrapped,
)
from kan_dialect.passbase.record import recorded_pipeline
from kan_dialect.passes.quantize import BITS, QuantizePass
from kan_dialect.passes.refine_precision import RefinePrecisionPass
from kan_dialect.quantity import quantity
from kan_dialect.search.fits.shape_search import recorded_shape_search
from kan_dialect.search.precision.bits import bits_of, trade_of
from kan_dialect.search.precision.network import read_chain, table_functions

_LOG = logging.getLogger(__name__)


@dataclass
class Stages:
    """Models and figures of the stages of a build."""

    imported: Model
    runs: PassRuns
    """Files, levels and checks; entries of files at wire level have the estimate too."""
    real: Model | None = None
    """The network of floats that `kan-quantize` reads."""
    integer: Model | None = None
    """The model after the last pass that trades accuracy; the RTL is compared with it."""
    unrefined: Model | None = None
    """The integer model before `kan-refine-precision`; None without that pass."""
    undecided: Model | None = None
    """The integer model before `kan-add-head`, with the network's outputs; None without a head."""
    precision: dict[str, Any] | None = None
    """Figures of `kan-refine-precision`."""
    trained: dict[str, Any] | None = None
    """Figures of `kan-flow train`."""
    edges: tuple[int, int] | None = None
    """Edges of the imported network, and edges that are kept."""
    table_bits: int = 0
    estimate: Estimate | None = None
    quantizers: Quantizers | None = None
    record: list[str] | None = None
    """The passes in front of a pass that trades accuracy; None where the last pass is exact."""
    shapes: dict[str, object] | None = None
    chosen_bits: dict[str, object] | None = None
    layers: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """The entries `layers` of the report."""
    schedule: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """The entries `schedule` of the report."""


def warn_of_repetitions(module: ModuleOp, passes: Sequence[ModulePass]) -> None:
    """Warn of layers that repeat their functions: unrolled, they become large."""
    stages = [unwrapped(stage) for stage in passes]
    quantize = next((stage for stage in stages if isinstance(stage, QuantizePass)), None)
    for each in repetitions(module):
        tables = f"{each.edges} tables"
        if quantize is not None and quantize.quantizers is None:
            widths = quantize.widths
            read, given = (widths[min(each.layer + n, len(widths) - 1)] for n in (0, 1))
            tables += f" of {1 << read} entries, {each.edges * (given << read)} bits in all"
        _LOG.warning(
            "%s repeats %s like a convolution, but is unrolled: %s, %s; %s before passes make them "
            "smaller",
            each.name,
            quantity(each.functions, "function"),
            quantity(each.nodes, "node"),
            quantity(each.edges, "edge"),
            tables,
        )


def compile_stages(
    context: Context,
    module: ModuleOp,
    folder: Path,
    options: BuildOptions,
    progress: Progress,
) -> Stages:
    """Run the passes, check each, write the IR after it into `folder`, and keep the figures."""
    require_possible(options.passes, module)
    runs = PassRuns(folder, lambda module: Model.of(module).level)
    stages = Stages(Model.of(module.clone()), runs)
    watched = _watched(module, stages, options)
    for stage in runs.run(context, module, watched, options, progress):
        if stage is not None and stages.record not in (None, recorded_pipeline(module)):
            if stage.name == RefinePrecisionPass.name:
                stages.unrefined = stages.integer
            if appends_head(stage):
                stages.undecided = stages.integer
            stages.integer = None
        _look(module, stages, options.target)
        if stage is not None and stage.name == RefinePrecisionPass.name and not stages.precision:
            raise KanError(
                f"{stage.name} has nothing to refine at {Model.of(module).level} level",
                remedy="give the model, or IR of an earlier stage",
            )
    return stages


def _watched(module: ModuleOp, stages: Stages, options: BuildOptions) -> Iterator[ModulePass]:
    """The passes of a build; keeps what a pass is about to replace."""
    for stage in options.passes:
        stages.record = None if claim_of(stage) == EXACT else recorded_pipeline(module)
        if stage.name == QuantizePass.name and options.certificate != "never":
            stages.real = _real(module)
        if stage.name == LowerKanToHwPass.name:
            _look_at_costs(module, stages, options.target)
        yield stage


def _real(module: ModuleOp) -> Model | None:
    """The network of floats that is quantised next; None of a module that has codes already."""
    model = Model.of(module)
    return Model.of(module.clone()) if model.level == "spline" else None


def _look_at_costs(module: ModuleOp, stages: Stages, target: str) -> None:
    """Keep the costs by layer, and the schedule, of the network that is lowered next."""
    for function in wire_functions(module):
        with suppress(KanError):  # ops of another package that do not say their costs
            stages.layers = layer_costs(function, device(target))
            stages.schedule = stage_entries(function, device(target))


def _look(module: ModuleOp, stages: Stages, target: str) -> None:
    """Keep the figures of this stage that no other stage has, or that a later one replaces."""
    model = Model.of(module)
    for op in module.ops:
        if isinstance(op, func.FuncOp):
            stages.shapes = recorded_shape_search(op) or stages.shapes
            stages.chosen_bits = stages.chosen_bits or recorded_figures(op, BITS)
    edges = _count_edges(module)
    if edges is not None:
        total = edges[0] if stages.edges is None else stages.edges[0]
        stages.edges = total, edges[1]
    stages.precision = stages.precision or _precision(module)
    stages.trained = stages.trained or _trained(module)
    has_integers = model.level in ("table", "wire") and model.has_codes
    if stages.integer is None and has_integers and not has_real_edges(module):
        stages.integer = Model.of(module.clone())
    for function in quantized_functions(module):
        stages.quantizers = quantizers_of(function).with_splines_of(stages.quantizers)
    for function in wire_functions(module):
        ops = ops_of(function.body.block)
        tables = [op for op in ops if isinstance(op, TableOp)]
        stages.edges = stages.edges or (len(tables), len(tables))
        stages.table_bits = bits_of_tables(ops)
        found = _estimate(function, target)
        stages.estimate = found or stages.estimate
        entry = stages.runs.files[-1]
        entry |= {"tables": len(tables), "table_bits": stages.table_bits}
        if found is not None:
            entry |= {
                "luts": found.luts,
                "registers": found.registers,
                "levels": found.levels,
                "delay_ns": round(found.period_ns, 3),
            }


def _precision(module: ModuleOp) -> dict[str, Any] | None:
    """The figures that `kan-refine-precision` left with a function of tables, for the report."""
    for function in table_functions(module):
        figures, chain = trade_of(function), read_chain(function)
        if figures is None or chain is None:
            continue
        scores = {
            name: {
                "before": figures[f"{name}_before"],
                "after": figures[f"{name}_after"],
                "samples": figures[f"{name}_samples"],
            }
            for name in ("calibration", "validation")
        }
        return {
            "budget": {key: value for key, value in figures.items() if key.startswith("max_")},
            "seed": figures["seed"],
            "networks": figures["networks"],
            "accuracy": scores,
            **{name: figures[name] for name in ("repeated_samples",) if name in figures},
            "edges": {"before": figures["edges_before"], "after": figures["edges_after"]},
            "bits": bits_of(chain).as_dict(),
        }
    return None


def _trained(module: ModuleOp) -> dict[str, Any] | None:
    """The figures that `kan-flow train` left with a network of tables, for the report."""
    figures = recorded_training(module)
    if figures is None:
        return None
    chains = [read_chain(function) for function in table_functions(module)]
    known = [bits_of(chain).as_dict() for chain in chains if chain is not None]
    return figures | ({"bits": known[0]} if known else {})


def _estimate(function: func.FuncOp, target: str) -> Estimate | None:
    try:
        return estimate(function, device(target))
    except KanError:
        # Paths may differ in cycles before the module is scheduled.
        return None


def _count_edges(module: ModuleOp) -> tuple[int, int] | None:
    """(total, kept) edges at spline or table level."""
    masks = [op.mask_array for op in module.walk() if isinstance(op, NodeSumOp)]
    if not masks:
        return None
    return sum(mask.size for mask in masks), sum(int(mask.sum()) for mask in masks)
