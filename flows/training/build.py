"""From a network to verified RTL that trains itself: what `kan-flow build --trainable` does.

The RTL is simulated over a whole run of training, against the integer model: every output, and at
the end every coefficient.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
from rich.console import Console
from rich.table import Table
from xdsl.context import Context
from xdsl.dialects import hw
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from kan_dialect.checking import Checker, verify_after
from kan_dialect.errors import KanError
from kan_dialect.evaluate.interpreter import find_function
from kan_dialect.files.data_sets import Dataset
from kan_dialect.files.output_folders import replacing_folder
from kan_dialect.flows import readme
from kan_dialect.flows.build import require_name
from kan_dialect.flows.build_origin import Origin, versions
from kan_dialect.flows.folder_owners import BUILD, spared_files
from kan_dialect.flows.report_ports import port_entries
from kan_dialect.flows.tools.toolchain import find_simulator
from kan_dialect.flows.training.simulation import TrainingVerdict, compare_training, open_circuit
from kan_dialect.flows.training.testbench import write_training_testbench
from kan_dialect.ir.attributes.figures import recorded_figures
from kan_dialect.ir.attributes.module_attributes import training_cycles
from kan_dialect.ir.constants import BoolArray, FloatArray, IntArray
from kan_dialect.ir.fixed_point import fixed_type
from kan_dialect.ir.types import tensor_shape
from kan_dialect.limits import MAX_VECTORS
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.lowering.training.training_to_hw import LowerTrainingToHwPass
from kan_dialect.model.interface import Port
from kan_dialect.model.model import Model
from kan_dialect.model.training.coefficient_memory import memory_map
from kan_dialect.model.training.training_step import Step, run_steps, step_of
from kan_dialect.ops.grid import LocateOp
from kan_dialect.passbase.option_bounds import SEED, Bounds, bounded, require_bounds
from kan_dialect.passes.calibrate import CalibratePass
from kan_dialect.passes.fit_splines import FITTED, FitSplinesPass
from kan_dialect.passes.fold_affine import FoldAffinePass
from kan_dialect.passes.make_trainable import MakeTrainablePass
from kan_dialect.quantity import quantity

TESTBENCH_SAMPLES = 10_000
"""Of longer runs, the testbench gets the beginning."""

Progress = Callable[[str], None]


@dataclass
class TrainingOptions:
    """What a build is made of."""

    make: MakeTrainablePass
    dataset: Dataset | None = None
    """Samples and targets, in the order in which to train."""
    fit: FitSplinesPass = field(default_factory=FitSplinesPass)
    """Runs where edges are not B-splines alone."""
    calibration: Path | None = None
    """The file of the dataset; splines are fitted where its samples lie."""
    simulate: bool = True
    samples: int = bounded(10_000, Bounds(1, MAX_VECTORS))
    """Random ones, where there is no data."""
    seed: int = bounded(0, SEED)
    check_passes: bool = True
    check_dir: Path | None = None
    origin: Origin = field(default_factory=Origin)
    """For the report: the command, and the files that were read."""
    force: bool = False
    """Replace files of others that are in the way."""

    def __post_init__(self) -> None:
        """Refuse numbers out of bounds.

        Raises
        ------
        KanError : names the number.
        """
        require_bounds(self)


@dataclass
class TrainingReport:
    """Figures of a build; what did not run is absent from the file."""

    step: Step
    latency: int
    interval: int
    fitted: list[dict[str, Any]] | None = None
    """What `kan-fit-splines` says of each layer that it fitted."""
    run: TrainingVerdict | None = None
    simulator: str | None = None
    checks: list[dict[str, str | int | float | bool]] = field(
        default_factory=list[dict[str, str | int | float | bool]]
    )
    tools: dict[str, str] = field(default_factory=dict[str, str])
    ports: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    origin: dict[str, Any] = field(default_factory=dict[str, Any])
    warnings: list[str] = field(default_factory=list[str])

    def as_dict(self) -> dict[str, Any]:
        """What `report.json` holds."""
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
            "checks": self.checks or None,
        }
        if self.run is not None:
            whole["simulation"] = {
                "simulator": self.simulator,
                "vectors": self.run.samples,
                "mismatches": self.run.wrong_outputs,
                "trained": self.run.trained,
                "coefficients": self.run.coefficients,
                "coefficient_mismatches": self.run.wrong_coefficients,
                "cycles": self.run.cycles,
            }
        whole["tools"] = self.tools
        whole |= self.origin
        return {key: value for key, value in whole.items() if value is not None}


def build_training(
    context: Context,
    module: ModuleOp,
    folder: Path,
    options: TrainingOptions,
    progress: Progress = lambda _: None,
) -> TrainingReport:
    """Compile `module` (in place), verify the RTL over a run of training, write all into `folder`.

    Raises
    ------
    KanError : the network cannot be trained, a pass does not keep what it claims, the data does not
        fit, the folder holds files of others, or the RTL differs from the integer model.
    """
    require_name(Model.of(module).name)
    spared = spared_files(folder)
    with replacing_folder(folder, BUILD, force=options.force, spared=spared) as target:
        step, fitted, checks = _compile(context, module, target / "ir", options, progress)
        circuit = next(op for op in module.ops if isinstance(op, hw.HWModuleOp))
        report = TrainingReport(step, *training_cycles(circuit))
        report.fitted, report.checks = fitted, checks
        report.tools = versions()
        report.ports = port_entries(circuit, _coded_ports(step, circuit))
        report.origin = options.origin.as_dict(target)
        rtl = target / "rtl" / f"{step.name}.sv"
        rtl.parent.mkdir()
        rtl.write_text(emit_systemverilog(module))
        inputs, targets, train = samples_for(step, options)
        progress("training the integer model")
        short = slice(0, TESTBENCH_SAMPLES)
        run = run_steps(step, inputs[short], targets[short], train[short])
        write_training_testbench(
            target / "sim", step, inputs[short], targets[short], train[short], run
        )
        _verify(report, rtl, (inputs, targets, train), options, progress)
        (target / "report.json").write_text(json.dumps(report.as_dict(), indent=2) + "\n")
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
) -> tuple[Step, list[dict[str, Any]] | None, list[dict[str, str | int | float | bool]]]:
    """Run the passes, check each, write the IR after it; the step, and what was fitted."""
    folder.mkdir()
    (folder / "00-import.mlir").write_text(str(module) + "\n")
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
        (folder / f"{index:02d}-{stage.name}.mlir").write_text(str(module) + "\n")
        if isinstance(stage, FitSplinesPass):
            fitted = _fitted(module)
        if isinstance(stage, MakeTrainablePass):
            step = step_of(module.clone())
    assert step is not None
    return step, fitted, checks


def _passes(module: ModuleOp, options: TrainingOptions) -> Iterator[ModulePass]:
    """The passes, each to be run before the next is asked for: some are only run where needed."""
    yield FoldAffinePass()
    if options.fit.needed(module):
        if options.calibration is not None:
            yield CalibratePass(str(options.calibration))
        yield options.fit
    yield options.make
    yield LowerTrainingToHwPass()


def _fitted(module: ModuleOp) -> list[dict[str, Any]] | None:
    figures = recorded_figures(find_function(module), FITTED)
    return None if figures is None else cast("list[dict[str, Any]]", figures["layers"])


def _coded_ports(step: Step, circuit: hw.HWModuleOp) -> Iterator[Port]:
    """The ports of hardware that trains itself whose codes are fixed-point numbers."""
    values = {"x": step.input, "e" if step.fed_error else "t": step.target, "y": step.output}
    kinds = {letter: fixed_type(value) for letter, value in values.items()}
    for name in (port.port_name.data for port in circuit.module_type.ports):
        kind = kinds.get(name[0]) if name[1:].isdecimal() else None
        if name in ("mem_data", "mem_read_data"):
            kind = step.number
        if kind is not None:
            yield Port(name, kind.bits, kind.low, kind.high, kind.step)


def samples_for(step: Step, options: TrainingOptions) -> tuple[IntArray, IntArray, BoolArray]:
    """Inputs, targets and which samples train: of the data, else random.

    Random ones go beyond the grid, and a tenth does not train.
    """
    if options.dataset is not None:
        inputs, targets = data_for(step, options.dataset)
        return inputs, targets, np.ones(len(inputs), dtype=np.bool_)
    rng = np.random.default_rng(options.seed)
    first = next(op for op in step.function.body.block.ops if isinstance(op, LocateOp))
    low, high = first.ends[:, 0], first.ends[:, 1]
    margin = (high - low) / 8
    x = rng.uniform(low - margin, high + margin, (options.samples, len(low)))
    y = rng.uniform(-1, 1, (options.samples, tensor_shape(step.target)[0]))
    train = rng.random(options.samples) < 0.9
    return step.encode(x), step.encode_targets(y), train


def data_for(step: Step, dataset: Dataset) -> tuple[IntArray, IntArray]:
    """A data file's samples and targets as codes, in their order.

    Raises
    ------
    KanError : there are no targets, or they do not fit the network.
    """
    inputs, targets = tensor_shape(step.input)[0], targets_of(step, dataset)
    if dataset.x.shape[1] != inputs:
        raise KanError(f"the data has {dataset.x.shape[1]} inputs a sample, @{step.name} {inputs}")
    return step.encode(dataset.x), step.encode_targets(targets)


def targets_of(step: Step, dataset: Dataset) -> FloatArray:
    """What the outputs should be, (samples, outputs).

    Integer labels are classes, where there are several outputs: 1 for the output of the class, 0
    for the others. Floats, and labels for one output, are the targets themselves.

    Raises
    ------
    KanError : there are no targets, or they do not fit the network.
    """
    outputs = tensor_shape(step.target)[0]
    if dataset.y is None:
        raise KanError("the data has no targets", remedy="give an array `y` beside `x`")
    y = dataset.y.reshape(len(dataset.x), -1)
    if has_classes(step, dataset):
        if step.fed_error:
            raise KanError(
                "the data has classes, where errors are fed in",
                remedy="build with the squared error, or give the errors as floats",
            )
        wrong = np.flatnonzero((y[:, 0] < 0) | (y[:, 0] >= outputs))
        if wrong.size:
            raise KanError(
                f"label {wrong[0]} of the data is {y[wrong[0], 0]}, @{step.name} has {outputs} "
                "outputs",
                remedy=f"classes are 0 to {outputs - 1}; targets that are numbers must be floats",
            )
        return np.eye(outputs)[y[:, 0].astype(np.int64)]
    if y.shape[1] != outputs:
        raise KanError(
            f"the data has {quantity(y.shape[1], 'target')} a sample, "
            f"@{step.name} {quantity(outputs, 'output')}"
        )
    return y.astype(np.float64)


def has_classes(step: Step, dataset: Dataset) -> bool:
    """Whether the data's labels are classes of a network of several outputs."""
    y, outputs = dataset.y, tensor_shape(step.target)[0]
    return y is not None and y.dtype.kind != "f" and outputs > 1 and y.size == len(dataset.x)


def _verify(
    report: TrainingReport,
    rtl: Path,
    samples: tuple[IntArray, IntArray, BoolArray],
    options: TrainingOptions,
    progress: Progress,
) -> None:
    if not options.simulate:
        report.warnings.append("the RTL was not simulated (--simulator none)")
        return
    tool = find_simulator("verilator")
    if tool is None:
        report.warnings.append("the RTL was not simulated: verilator is not installed")
        return
    progress(f"simulating {len(samples[0])} samples in {tool.name}")
    with open_circuit(rtl, report.step) as circuit:
        report.run = compare_training(circuit, report.step, *samples)
    report.simulator = f"{tool.name} {tool.version}"
    report.tools[tool.name] = tool.version
    if not report.run.passed:
        raise KanError(
            f"the RTL differs from the integer model: {report.run.describe()}",
            remedy="this is a bug in the lowering or the emitter; please report it",
        )


def print_training_report(report: TrainingReport, console: Console, folder: str) -> None:
    """The short report."""
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
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column()
    for row in rows:
        table.add_row(*row)
    console.print()
    console.print(table)
    for warning in report.warnings:
        console.print(f"warning: {warning}", style="yellow", markup=False)
    console.print(f"\nwritten to {folder}", markup=False, highlight=False)
