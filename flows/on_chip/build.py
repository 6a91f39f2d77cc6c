"""Builds verified RTL that trains itself from a network, for `kan-flow build --trainable`.

The RTL is simulated over a whole run of training and compared with the integer model: every output,
and every coefficient at the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from xdsl.context import Context
from xdsl.dialects import hw
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from kan_dialect.devices.device import XCUP
from kan_dialect.errors import KanError
from kan_dialect.evaluate.interpreter import find_function
from kan_dialect.files.output_folders import replacing_folder
from kan_dialect.flows.build import (
    add_project,
    chosen_simulator,
    play_registers,
    require_name,
    require_no_port,
    write_core,
    write_report,
)
from kan_dialect.flows.build_options import CommonOptions
from kan_dialect.flows.build_origin import versions
from kan_dialect.flows.cocotb.bench import write_cocotb
from kan_dialect.flows.design import Design
from kan_dialect.flows.folder_owners import BUILD, spared_files
from kan_dialect.flows.host.drivers import write_drivers
from kan_dialect.flows.host.training_emulator import write_training_emulator
from kan_dialect.flows.interfaces.register_bench import write_register_bench
from kan_dialect.flows.interfaces.write import wrappers_in, write_registers, write_wrapper
from kan_dialect.flows.on_chip.play_testbench import play_training_testbench
from kan_dialect.flows.on_chip.register_accesses import training_accesses
from kan_dialect.flows.on_chip.samples import Samples, random_samples, samples_of
from kan_dialect.flows.on_chip.simulation import TrainingVerdict, compare_training, open_circuit
from kan_dialect.flows.on_chip.vhdl import check_training_vhdl
from kan_dialect.flows.pass_runs import PassRuns, Progress
from kan_dialect.flows.projects.design import period_of
from kan_dialect.flows.report import Report
from kan_dialect.flows.report_ports import port_entries
from kan_dialect.flows.simulate.testbench import write_training_testbench
from kan_dialect.flows.tools.toolchain import find_simulator
from kan_dialect.flows.vhdl.checked import NO_GHDL
from kan_dialect.ir.attributes.data_schema import DataSchema
from kan_dialect.ir.attributes.figures import recorded_figures
from kan_dialect.ir.attributes.module_attributes import training_cycles
from kan_dialect.limits import MAX_VECTORS
from kan_dialect.lowering.form_carry_chains import FormCarryChainsPass
from kan_dialect.lowering.on_chip.training_to_hw import LowerTrainingToHwPass
from kan_dialect.lowering.wrappers.register_map import register_map
from kan_dialect.lowering.wrappers.wrap_interface import WrapInterfacePass
from kan_dialect.model.model import Model, levels_in
from kan_dialect.model.model_ports import port_names
from kan_dialect.model.on_chip.training_step import Run, Step, run_steps, step_of
from kan_dialect.passbase.option_bounds import Bounds, bounded
from kan_dialect.passes.calibrate import CalibratePass
from kan_dialect.passes.fit_splines import FITTED, FitSplinesPass
from kan_dialect.passes.fold_affine import FoldAffinePass
from kan_dialect.passes.make_trainable import MakeTrainablePass

TESTBENCH_SAMPLES = 10_000
"""Largest number of samples in the testbench; it gets the first ones of a longer run."""

REGISTER_SAMPLES = 100
"""Largest number of samples in the testbench of the registers."""


@dataclass
class TrainingOptions(CommonOptions):
    """Options and data of a build."""

    make: MakeTrainablePass
    fit: FitSplinesPass = field(default_factory=FitSplinesPass)
    """Fit of splines; it runs if an edge is not a B-spline alone."""
    calibration: Path | None = None
    """The file of the dataset; splines are fitted on the range of its samples."""
    samples: int = bounded(10_000, Bounds(1, MAX_VECTORS))
    """Number of random samples of a build without data."""
    wrap: WrapInterfacePass = field(default_factory=WrapInterfacePass)
    """The interface: `valid`, with a plain memory port, or `axi-lite`."""

    def __post_init__(self) -> None:
        """Refuse numbers out of bounds, and interfaces without a way to the coefficients.

        Raises
        ------
        KanError : names the number, or the interface.
        """
        super().__post_init__()
        if self.wrap.interface in ("valid", "axi-lite") and not self.wrap.clock_enable:
            return
        what = "clock enable" if self.wrap.clock_enable else f"interface {self.wrap.interface}"
        raise KanError(
            f"hardware that trains itself has no {what}",
            remedy="choose axi-lite, with samples and coefficients in registers, or valid, with a "
            "memory port for coefficients",
        )


def build_training(
    context: Context,
    module: ModuleOp,
    folder: Path,
    options: TrainingOptions,
    progress: Progress = lambda _: None,
) -> Report:
    """Compile `module` in place, verify the RTL over a run of training, write all to `folder`.

    Raises
    ------
    KanError : the network cannot be trained, a pass breaks its claim, the data does not fit the
        network, the folder holds files of others, or the RTL differs from the integer model.
    """
    model = Model.of(module)
    require_name(model.name)
    spared = spared_files(folder)
    with replacing_folder(folder, BUILD, force=options.force, spared=spared) as target:
        step, fitted, runs = _compile(context, module, target / "ir", options, progress)
        circuit = next(op for op in module.ops if isinstance(op, hw.HWModuleOp))
        require_no_port(module)
        latency, interval = training_cycles(circuit)
        wrapped = options.wrap.interface == "axi-lite"
        registers = register_map(circuit, latency) if wrapped else None
        names = port_names(circuit)
        design = Design.of_step(step, latency, interval, registers, names)
        report = _report(design, step)
        report.fitted, report.stages = fitted, runs.files
        report.checks = [check.as_dict() for check in runs.checks]
        report.ports = port_entries(circuit, design.coded_ports)
        report.command, report.sources = options.origin.command_and_sources(target)
        rtl, vhdl = write_core(target, module, report, vhdl=options.vhdl)
        if options.dataset is None:
            samples = random_samples(step, options.samples, options.seed)
        else:
            samples = samples_of(step, options.dataset)
        progress("training the integer model")
        short = samples.first(TESTBENCH_SAMPLES)
        run = run_steps(step, *short)
        sim, host = target / "sim", target / "host"
        write_training_testbench(sim, design, *short, run, vhdl=options.vhdl)
        write_cocotb(sim, design)
        write_training_emulator(host, design)
        write_drivers(host, design)
        for top in wrappers_in(module):
            assert registers is not None
            report.interface = write_wrapper(target, module, top)
            report.interface["registers"] = write_registers(host, circuit, latency)
            shown = samples.first(REGISTER_SAMPLES)
            accesses = training_accesses(step, registers, *shown, seed=options.seed)
            write_register_bench(sim, top.sym_name.data, registers, accesses)
        add_project(target, module, report, period_of((), None), XCUP.name, registers)
        _verify(report, rtl, step, samples, run, options, progress)
        if options.vhdl and options.simulator is not None:
            _verify_vhdl(report, vhdl, design, samples, progress)
        write_report(target, report, spared)
    return report


def _report(design: Design, step: Step) -> Report:
    """Figures of the design itself."""
    training = design.training
    assert training is not None
    shapes = training.memory.shapes[: step.layers]
    edges = sum(outputs * inputs for outputs, inputs, _ in shapes)
    return Report(
        design.name,
        len(design.core.inputs),
        len(design.core.outputs),
        design.core.latency,
        classes=list(DataSchema.of(step.function).classes),
        edges={"total": edges, "kept": edges},
        training={
            "interval_cycles": training.interval,
            "coefficients": sum(a * b * c for a, b, c in shapes),
            "memories": sum(1 for _ in training.memory.all_banks()),
            "bits": training.number.bits,
            "fraction_bits": training.number.fraction,
        },
        table_bits=None,
        tools=versions(),
    )


def _compile(
    context: Context,
    module: ModuleOp,
    folder: Path,
    options: TrainingOptions,
    progress: Progress,
) -> tuple[Step, list[dict[str, Any]] | None, PassRuns]:
    """Run the passes.

    Returns
    -------
    The training step, the figures of fitted layers or None, and the runs of the passes.
    """
    runs = PassRuns(folder, _level)
    step: Step | None = None
    fitted: list[dict[str, Any]] | None = None
    for stage in runs.run(context, module, _passes(module, options), options, progress):
        if isinstance(stage, FitSplinesPass):
            fitted = _fitted(module)
        if isinstance(stage, MakeTrainablePass):
            step = step_of(module.clone())
    assert step is not None
    return step, fitted, runs


def _level(module: ModuleOp) -> str:
    """The level of a module; of several, the last of spline, training, hardware."""
    found = levels_in(module)
    return next((name for name in ("hardware", "training") if name in found), "spline")


def _passes(module: ModuleOp, options: TrainingOptions) -> Iterator[ModulePass]:
    """The passes. Each must run before the next is requested: the module decides about some."""
    yield FoldAffinePass()
    if options.fit.needed(module):
        if options.calibration is not None:
            yield CalibratePass(str(options.calibration))
        yield options.fit
    yield options.make
    yield LowerTrainingToHwPass()
    yield FormCarryChainsPass()
    if options.wrap.interface != "valid":
        yield options.wrap


def _fitted(module: ModuleOp) -> list[dict[str, Any]] | None:
    figures = recorded_figures(find_function(module), FITTED)
    return None if figures is None else cast("list[dict[str, Any]]", figures["layers"])


def _verify(
    report: Report,
    rtl: Path,
    step: Step,
    samples: Samples,
    run: Run,
    options: TrainingOptions,
    progress: Progress,
) -> None:
    """Simulate the RTL: all samples in Verilator, or those of the testbench, `run`, in Icarus."""
    tool = chosen_simulator(report, options)
    if tool is None or options.simulator is None:
        return
    sim = rtl.parent.parent / "sim"
    if options.simulator == "icarus":
        progress(f"playing the testbench in {tool.name}")
        play_training_testbench(sim, rtl, step.name)
        held = sum(state.size for state in run.states)
        trained = int(samples.first(len(run.outputs)).train.sum())
        verdict = TrainingVerdict(len(run.outputs), trained, 0, held, 0, 0, None, run)
    else:
        progress(f"simulating {len(samples.inputs)} samples in {tool.name}")
        with open_circuit(rtl, step) as circuit:
            verdict = compare_training(circuit, step, *samples)
    if not verdict.passed:
        raise KanError(
            f"the RTL differs from the integer model: {verdict.describe()}",
            remedy="this is a bug in the lowering or the emitter; please report it",
        )
    report.simulation = report.by_tool(tool, verdict.as_dict())
    if report.interface is not None:
        play_registers(report, rtl, sim, tool, options, progress)


def _verify_vhdl(
    report: Report,
    vhdl: Path,
    design: Design,
    samples: Samples,
    progress: Progress,
) -> None:
    tool = find_simulator("ghdl")
    if tool is None:
        report.warnings.append(NO_GHDL)
        return
    progress("simulating the VHDL")
    report.vhdl = report.by_tool(tool, check_training_vhdl(tool, vhdl, design, samples))
