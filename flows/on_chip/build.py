"""Builds verified RTL that trains itself from a network, for `kan-flow build --trainable`.

The RTL is simulated over a whole run of training and compared with the integer model: every output,
and every coefficient at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from rich.console import Console
from xdsl.context import Context
from xdsl.dialects import hw
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from kan_dialect.checking import Checker, verify_after
from kan_dialect.devices.device import XCUP
from kan_dialect.errors import KanError
from kan_dialect.evaluate.interpreter import find_function
from kan_dialect.files.data_sets import Dataset
from kan_dialect.files.output_folders import replacing_folder
from kan_dialect.flows import readme
from kan_dialect.flows.build import require_name, require_no_port
from kan_dialect.flows.build_origin import Origin, versions
from kan_dialect.flows.cocotb.bench import write_cocotb
from kan_dialect.flows.design import Design
from kan_dialect.flows.folder_owners import BUILD, spared_files
from kan_dialect.flows.host.drivers import write_drivers
from kan_dialect.flows.host.training_emulator import write_training_emulator
from kan_dialect.flows.interfaces.register_bench import write_register_bench
from kan_dialect.flows.interfaces.register_simulation import play_accesses
from kan_dialect.flows.interfaces.write import wrappers_in, write_registers, write_wrapper
from kan_dialect.flows.json_text import json_text
from kan_dialect.flows.on_chip.play_testbench import play_training_testbench
from kan_dialect.flows.on_chip.register_accesses import training_accesses
from kan_dialect.flows.on_chip.samples import Samples, random_samples, samples_of
from kan_dialect.flows.on_chip.simulation import TrainingVerdict, compare_training, open_circuit
from kan_dialect.flows.on_chip.vhdl import check_training_vhdl
from kan_dialect.flows.page.page import write_page
from kan_dialect.flows.projects.design import design_of, period_of
from kan_dialect.flows.projects.write import write_project
from kan_dialect.flows.report_ports import port_entries
from kan_dialect.flows.simulate.simulation import SimulatorName
from kan_dialect.flows.simulate.testbench import write_training_testbench
from kan_dialect.flows.terminal import figure_table
from kan_dialect.flows.tools.toolchain import find_simulator
from kan_dialect.flows.vhdl.checked import NO_GHDL
from kan_dialect.flows.vhdl.files import write_vhdl
from kan_dialect.ir.attributes.data_names import DataNames
from kan_dialect.ir.attributes.figures import recorded_figures
from kan_dialect.ir.attributes.module_attributes import training_cycles
from kan_dialect.ir.types import tensor_shape
from kan_dialect.limits import MAX_VECTORS
from kan_dialect.lowering.form_carry_chains import FormCarryChainsPass
from kan_dialect.lowering.on_chip.training_to_hw import LowerTrainingToHwPass
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.lowering.wrappers.register_map import register_map
from kan_dialect.lowering.wrappers.wrap_interface import WrapInterfacePass
from kan_dialect.model.data_columns import join_names
from kan_dialect.model.model import Model, levels_in
from kan_dialect.model.model_ports import port_names
from kan_dialect.model.on_chip.coefficient_memory import memory_map
from kan_dialect.model.on_chip.training_step import Run, Step, run_steps, step_of
from kan_dialect.passbase.option_bounds import SEED, Bounds, bounded, require_bounds
from kan_dialect.passes.calibrate import CalibratePass
from kan_dialect.passes.fit_splines import FITTED, FitSplinesPass
from kan_dialect.passes.fold_affine import FoldAffinePass
from kan_dialect.passes.make_trainable import MakeTrainablePass
from kan_dialect.quantity import quantity

TESTBENCH_SAMPLES = 10_000
"""Largest number of samples in the testbench; it gets the first ones of a longer run."""

REGISTER_SAMPLES = 100
"""Largest number of samples in the testbench of the registers."""

Progress = Callable[[str], None]


@dataclass
class TrainingOptions:
    """Options and data of a build."""

    make: MakeTrainablePass
    dataset: Dataset | None = None
    """Samples and targets, in the order of training."""
    fit: FitSplinesPass = field(default_factory=FitSplinesPass)
    """Fit of splines; it runs if an edge is not a B-spline alone."""
    calibration: Path | None = None
    """The file of the dataset; splines are fitted on the range of its samples."""
    simulator: SimulatorName | None = "verilator"
    samples: int = bounded(10_000, Bounds(1, MAX_VECTORS))
    """Number of random samples of a build without data."""
    seed: int = bounded(0, SEED)
    check_passes: bool = True
    check_dir: Path | None = None
    origin: Origin = field(default_factory=Origin)
    """The command and the files that it read, for the report."""
    force: bool = False
    """Whether files of other programs in the output folder are replaced."""
    vhdl: bool = False
    """Whether to write the network as VHDL too."""
    wrap: WrapInterfacePass = field(default_factory=WrapInterfacePass)
    """The interface: `valid`, with a plain memory port, or `axi-lite`."""

    def __post_init__(self) -> None:
        """Refuse numbers out of bounds, and interfaces without a way to the coefficients.

        Raises
        ------
        KanError : names the number, or the interface.
        """
        require_bounds(self)
        if self.wrap.interface in ("valid", "axi-lite") and not self.wrap.clock_enable:
            return
        what = "clock enable" if self.wrap.clock_enable else f"interface {self.wrap.interface}"
        raise KanError(
            f"hardware that trains itself has no {what}",
            remedy="choose axi-lite, with samples and coefficients in registers, or valid, with a "
            "memory port for coefficients",
        )


@dataclass
class TrainingReport:
    """Figures of a build. A stage that did not run has no key in the file."""

    step: Step
    latency: int
    interval: int
    fitted: list[dict[str, Any]] | None = None
    """Figures of `kan-fit-splines` for each layer that it fitted."""
    run: TrainingVerdict | None = None
    simulator: str | None = None
    vhdl: dict[str, Any] | None = None
    """Figures of the VHDL's simulation."""
    checks: list[dict[str, str | int | float | bool]] = field(
        default_factory=list[dict[str, str | int | float | bool]]
    )
    tools: dict[str, str] = field(default_factory=dict[str, str])
    ports: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    interface: dict[str, Any] | None = None
    """The wrapper with registers; None where there is none."""
    command: str | None = None
    sources: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    project: dict[str, Any] | None = None
    """Top module and clock period of the files in `project/`."""
    stages: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """File, pass and level of each stage of IR."""
    warnings: list[str] = field(default_factory=list[str])

    def as_dict(self) -> dict[str, Any]:
        """The content of `report.json`."""
        step, held = self.step, memory_map(self.step)
        number = step.number
        assert number is not None
        shapes = held.shapes[: step.layers]
        edges = sum(outputs * inputs for outputs, inputs, _ in shapes)
        whole: dict[str, Any] = {
            "name": step.name,
            "inputs": tensor_shape(step.input)[0],
            "outputs": tensor_shape(step.output)[0],
            "latency_cycles": self.latency,
            "classes": list(DataNames.of(step.function).classes) or None,
            "ports": self.ports or None,
            "edges": {"total": edges, "kept": edges},
            "training": {
                "interval_cycles": self.interval,
                "coefficients": sum(a * b * c for a, b, c in shapes),
                "memories": sum(1 for _ in held.all_banks()),
                "bits": number.bits,
                "fraction_bits": number.fraction,
            },
            "fitted": self.fitted,
            "stages": self.stages or None,
            "checks": self.checks or None,
            "interface": self.interface,
            "project": self.project,
        }
        if self.run is not None:
            whole["simulation"] = {
                "simulator": self.simulator,
                "vectors": self.run.samples,
                "mismatches": self.run.wrong_outputs,
                "trained": self.run.trained,
                "coefficients": self.run.coefficients,
                "coefficient_mismatches": self.run.wrong_coefficients,
            }
            if self.run.cycles:
                whole["simulation"]["cycles"] = self.run.cycles
        if self.vhdl is not None:
            whole["vhdl"] = self.vhdl
        whole["tools"] = self.tools
        whole |= {"command": self.command, "sources": self.sources}
        return {key: value for key, value in whole.items() if value is not None}


def build_training(
    context: Context,
    module: ModuleOp,
    folder: Path,
    options: TrainingOptions,
    progress: Progress = lambda _: None,
) -> TrainingReport:
    """Compile `module` in place, verify the RTL over a run of training, write all to `folder`.

    Raises
    ------
    KanError : the network cannot be trained, a pass breaks its claim, the data does not fit the
        network, the folder holds files of others, or the RTL differs from the integer model.
    """
    model = Model.of(module)
    require_name(model.name)
    if options.dataset is not None:
        join_names(model.op, options.dataset)
    spared = spared_files(folder)
    with replacing_folder(folder, BUILD, force=options.force, spared=spared) as target:
        step, fitted, checks, files = _compile(context, module, target / "ir", options, progress)
        circuit = next(op for op in module.ops if isinstance(op, hw.HWModuleOp))
        require_no_port(module)
        report = TrainingReport(step, *training_cycles(circuit))
        wrapped = options.wrap.interface == "axi-lite"
        registers = register_map(circuit, report.latency) if wrapped else None
        names = port_names(circuit)
        design = Design.of_step(step, report.latency, report.interval, registers, names)
        report.fitted, report.checks, report.stages = fitted, checks, files
        report.tools = versions()
        report.ports = port_entries(circuit, design.coded_ports)
        report.command, report.sources = options.origin.command_and_sources(target)
        rtl = target / "rtl" / f"{step.name}.sv"
        rtl.parent.mkdir()
        rtl.write_text(emit_systemverilog(module, {step.name}))
        vhdl = write_vhdl(
            target / "vhdl",
            step.name,
            report.latency,
            report.ports,
            module if options.vhdl else None,
        )
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
        top = circuit
        for top in wrappers_in(module):
            assert registers is not None
            report.interface = write_wrapper(target, module, top)
            report.interface["registers"] = write_registers(host, circuit, report.latency)
            shown = samples.first(REGISTER_SAMPLES)
            accesses = training_accesses(step, registers, *shown, seed=options.seed)
            write_register_bench(sim, top.sym_name.data, registers, accesses)
        project = design_of(target, step.name, top, period_of((), None), XCUP.name, registers)
        report.project = write_project(target, project)
        _verify(report, rtl, samples, run, options, progress)
        if options.vhdl and options.simulator is not None:
            _verify_vhdl(report, vhdl, design, samples, progress)
        (target / "report.json").write_text(json_text(report.as_dict()), encoding="utf-8")
        write_page(target, report.as_dict())
        if readme.NAME in spared:
            report.warnings.append(readme.FOREIGN)
        else:
            readme.write_readme(target, report.as_dict())
    return report


def _compile(
    context: Context,
    module: ModuleOp,
    folder: Path,
    options: TrainingOptions,
    progress: Progress,
) -> tuple[
    Step,
    list[dict[str, Any]] | None,
    list[dict[str, str | int | float | bool]],
    list[dict[str, Any]],
]:
    """Run and check the passes, and write the IR after each.

    Returns
    -------
    The training step, the figures of fitted layers or None, the results of the checks, and file,
    pass and level of each stage.
    """
    folder.mkdir()
    (folder / "00-import.mlir").write_text(f"{module!s}\n")
    files: list[dict[str, Any]] = [
        {"file": f"{folder.name}/00-import.mlir", "level": _level(module)}
    ]
    samples = None if options.dataset is None else options.dataset.x
    checker = Checker(samples, seed=options.seed) if options.check_passes else None
    step: Step | None = None
    fitted: list[dict[str, Any]] | None = None
    checks: list[dict[str, str | int | float | bool]] = []
    for index, stage in enumerate(_passes(module, options), start=1):
        progress(f"running {stage.name}")
        if checker is None:
            stage.apply(context, module)
            verify_after(stage, module)
        else:
            check = checker.apply(context, stage, module)
            check.require_passed(options.check_dir)
            checks.append(check.as_dict())
        file = f"{index:02d}-{stage.name}.mlir"
        (folder / file).write_text(f"{module!s}\n")
        files.append({"file": f"{folder.name}/{file}", "pass": stage.name, "level": _level(module)})
        if isinstance(stage, FitSplinesPass):
            fitted = _fitted(module)
        if isinstance(stage, MakeTrainablePass):
            step = step_of(module.clone())
    assert step is not None
    return step, fitted, checks, files


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
    report: TrainingReport,
    rtl: Path,
    samples: Samples,
    run: Run,
    options: TrainingOptions,
    progress: Progress,
) -> None:
    """Simulate the RTL: all samples in Verilator, or those of the testbench, `run`, in Icarus."""
    if options.simulator is None:
        report.warnings.append("the RTL was not simulated (--simulator none)")
        return
    tool = find_simulator(options.simulator)
    if tool is None:
        report.warnings.append(f"the RTL was not simulated: {options.simulator} is not installed")
        return
    sim = rtl.parent.parent / "sim"
    if options.simulator == "icarus":
        progress(f"playing the testbench in {tool.name}")
        play_training_testbench(sim, rtl, report.step.name)
        held = sum(state.size for state in run.states)
        trained = int(samples.first(len(run.outputs)).train.sum())
        report.run = TrainingVerdict(len(run.outputs), trained, 0, held, 0, 0, None, run)
    else:
        progress(f"simulating {len(samples.inputs)} samples in {tool.name}")
        with open_circuit(rtl, report.step) as circuit:
            report.run = compare_training(circuit, report.step, *samples)
    report.simulator = f"{tool.name} {tool.version}"
    report.tools[tool.name] = tool.version
    if not report.run.passed:
        raise KanError(
            f"the RTL differs from the integer model: {report.run.describe()}",
            remedy="this is a bug in the lowering or the emitter; please report it",
        )
    if report.interface is not None:
        progress(f"playing accesses to registers in {tool.name}")
        wrapper = report.interface["top"]
        files = (rtl, rtl.with_name(f"{wrapper}.sv"))
        played = play_accesses(sim, files, wrapper, options.simulator)
        report.interface["simulation"] = {
            "simulator": report.simulator,
            "accesses": played.accesses,
            "cycles": played.cycles,
        }


def _verify_vhdl(
    report: TrainingReport,
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
    report.vhdl = check_training_vhdl(tool, vhdl, design, samples)
    report.tools[tool.name] = tool.version


def print_training_report(report: TrainingReport, console: Console, folder: str) -> None:
    """Print the short report."""
    whole = report.as_dict()
    training = whole["training"]
    rows = [
        (
            "network",
            f"{whole['name']}: {quantity(whole['inputs'], 'input')}, "
            f"{quantity(whole['outputs'], 'output')}",
        ),
        (
            "coefficients",
            f"{training['coefficients']} of {training['bits']} bits, "
            f"{training['fraction_bits']} behind the point, in {training['memories']} memories",
        ),
        ("latency", f"{quantity(report.latency, 'cycle')}, a sample every cycle"),
        ("training", f"a sample every {report.interval} cycles"),
    ]
    if report.fitted:
        largest = max(layer["largest_error"] for layer in report.fitted)
        rows.insert(
            1, ("fitted", f"edges off by at most {largest:.2g} of what their node varies by")
        )
    if report.run is None:
        rows.append(("simulation", "[yellow]not run[/yellow]"))
    else:
        rows.append(("simulation", f"[green]{report.run.describe()}[/green] ({report.simulator})"))
    if report.interface is not None and "simulation" in report.interface:
        played = report.interface["simulation"]
        text = f"{played['accesses']} accesses on AXI4-Lite, no mismatch"
        rows.append(("registers", f"[green]{text}[/green] ({report.simulator})"))
    if report.vhdl is not None:
        what = f"{report.vhdl['vectors']} samples and all coefficients, no mismatch"
        rows.append(("VHDL simulation", f"[green]{what}[/green] ({report.vhdl['simulator']})"))
    console.print()
    console.print(figure_table(rows))
    for warning in report.warnings:
        console.print(f"warning: {warning}", style="yellow", markup=False)
    console.print(f"\nwritten to {folder}", markup=False, highlight=False)
