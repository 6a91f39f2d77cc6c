"""Writes README.md into the folder of a build: its files, ports and commands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kan_dialect.files import manifest
from kan_dialect.flows.part_fit import part_text
from kan_dialect.flows.readme_ports import port_lines
from kan_dialect.flows.report_certificate import certificate_text
from kan_dialect.quantity import quantity

NAME = "README.md"
_FILES = (
    ("rtl/*_pkg.sv", "latency, widths, scales and types, for designs that instantiate it"),
    ("rtl/*_clock_enable.sv", "the design with a clock enable"),
    ("rtl/*_ready_valid.sv", "the design with ready-valid ports, around `{name}`"),
    ("rtl/*_axi_lite.sv", "the design with registers on AXI4-Lite, around `{name}`"),
    ("rtl/*_axi_stream.sv", "the design with AXI4-Stream ports, around `{name}`"),
    ("rtl/*.sv", "the network, SystemVerilog (IEEE 1800-2017), module `{name}`"),
    ("vhdl/*_pkg.vhd", "constants and types for VHDL, and the design as a component"),
    ("vhdl/*_wrapper.vhd", "an entity with signed and unsigned ports around the component"),
    ("vhdl/*.vhd", "the design as VHDL-2008, with the same ports and latency"),
    ("ir/00-import.mlir", "the model as it was read"),
    ("ir/*.mlir", "the IR after each pass, in order"),
    ("sim/*_axi_lite_tb.sv", "self-checking testbench of the registers: accesses with pauses"),
    ("sim/*_accesses.hex", "its accesses, with the answers that the model computes"),
    ("sim/*_tb.sv", "self-checking testbench; its header has the commands that run it"),
    ("sim/*_tb.vhd", "the same in VHDL-2008"),
    ("sim/test_*.py", "testbench for cocotb: `make -C sim cocotb`"),
    ("sim/Makefile", "runs it, with Verilator or Icarus"),
    ("sim/*_inputs.hex", "the testbench's input codes, a vector a line"),
    ("sim/*_samples.hex", "the testbench's samples: train, inputs and targets a line"),
    ("sim/*_outputs.hex", "the output codes that the model computes for them"),
    ("sim/*_coefficients.hex", "address and final value of each coefficient"),
    ("pictures/*.svg", "the pictures below"),
    ("host/*_emulator.py", "compiles and loads the emulator: `predict`, for NumPy"),
    ("host/*_emulator.c", "bit-true emulator: the integer network in C99, as tables and additions"),
    ("host/*_emulator.h", "its header"),
    ("host/*.hpp", "codes and the emulator as a class of C++17"),
    ("host/*_pynq.py", "driver for PYNQ boards: samples through a DMA, or through registers"),
    ("host/*_uio.c", "example for Linux: samples through registers, by `/dev/uio`"),
    ("host/*.py", "floats to input codes, output codes to floats, for NumPy"),
    ("host/*_registers.h", "the registers of AXI4-Lite, for C"),
    ("host/*.h", "the same in C99"),
    ("report.html", "the page of this build, to look at: network, cost, accuracy, ports"),
    ("quantizers.json", "scales, zero points, bits and grids, to train with"),
    ("*.core", "FuseSoC core file: `fusesoc --cores-root . run --target lint {name}`, `sim`, ..."),
    ("project/component.xml", "IP-XACT description, IEEE 1685-2014"),
    ("project/component-2022.xml", "the same, IEEE 1685-2022"),
    ("project/vivado/*", "Vivado: out-of-context run, packaged IP, constraints"),
    ("project/quartus/*", "Quartus Prime: project with virtual pins, constraints"),
    ("project/lattice/*", "Lattice Diamond and Radiant: projects, constraints"),
    ("project/gowin/*", "Gowin EDA: script, constraints"),
    ("project/*_few_pins.sv", "the top module with three pins, for parts with fewer pins than it"),
    ("project/open/*", "Yosys and nextpnr: `make -C project/open`, with constraints"),
    (
        "report.json",
        "figures, ports, versions of the tools, the command and hashes of the files it read",
    ),
)
"""Pattern and description of the files of a build; a file takes the first pattern it matches."""

_PICTURES = (
    ("pictures/network.svg", "The network as it was read"),
    ("pictures/tables.svg", "The network as tables, with their widths"),
    ("pictures/wires.svg", "The network as wires, with the cost of each edge"),
    ("pictures/schedule.svg", "The schedule"),
)

_LISTING = "these files with their SHA-256: another build replaces them and leaves others alone"

FOREIGN = f"{NAME} was left as it is: its text is not the one that kan-flow build wrote"
"""Warning of a build that keeps a README of another author."""


def write_readme(folder: Path, report: Mapping[str, Any]) -> None:
    """Write README.md, which lists the files in `folder`. A build writes it last.

    Parameters
    ----------
    report : the content of `report.json`.
    """
    (folder / NAME).write_text("\n".join(_lines(folder, report)) + "\n", encoding="utf-8")


def _lines(folder: Path, report: Mapping[str, Any]) -> Iterator[str]:
    name = report["name"]
    yield f"# {name}"
    yield ""
    yield "`kan-flow build` wrote this folder. It holds hardware for a Kolmogorov-Arnold network:"
    yield f"{quantity(report['inputs'], 'input')}, {quantity(report['outputs'], 'output')}."
    yield ""
    yield _modules(report)
    yield ""
    yield from _latency(report)
    yield ""
    yield from _size(report)
    if "head" in report:
        yield f"Head: {report['head']['decision']}."
        yield ""
    if "certificate" in report:
        yield from _certificate(report["certificate"])
    yield "## Files"
    yield ""
    yield "| file | what it is |"
    yield "| --- | --- |"
    for file, what in (*_described(folder), (manifest.NAME, _LISTING)):
        yield f"| `{file}` | {what.format(name=name)} |"
    yield ""
    yield from port_lines(report)
    yield from _pictures(folder)
    yield from _commands(report)


def _certificate(entry: dict[str, Any]) -> Iterator[str]:
    yield f"Certificate for |float network - integer network|: {certificate_text(entry)}."
    yield ""


def _modules(report: Mapping[str, Any]) -> str:
    """The top module, which is that of the projects, and the network's."""
    name: str = report["name"]
    wrapper: Mapping[str, Any] | None = report.get("interface")
    if wrapper is None:
        return f"Top module: `{name}`."
    return f"Top module: `{wrapper['top']}` ({wrapper['name']}), around the network `{name}`."


def _size(report: Mapping[str, Any]) -> Iterator[str]:
    """The estimate of the top module, and the part that it fits."""
    estimate: Mapping[str, Any] | None = report.get("estimate")
    if estimate is None:
        return
    luts, registers = quantity(estimate["luts"], "LUT"), quantity(estimate["registers"], "register")
    core: Mapping[str, Any] | None = estimate.get("core")
    alone = (
        ""
        if core is None
        else f", of which the network takes {core['luts']} and {core['registers']}"
    )
    yield f"Size by estimate for {estimate['target']}: {luts}, {registers}{alone}."
    if "part" in estimate:
        yield f"{part_text(estimate['part'])}."
    yield ""


def _latency(report: Mapping[str, Any]) -> Iterator[str]:
    """Latency of the top module in cycles, and in ns at the clock of the constraints."""
    core: int = report["latency_cycles"]
    cycles: int = (report.get("interface") or report)["latency_cycles"]
    text = f"Latency: {quantity(cycles, 'clock cycle')}" if cycles else "Latency: combinational"
    yield f"{text}, of which the network takes {core}." if cycles != core else f"{text}."
    project = report.get("project")
    if project is not None:
        period: float = project["period_ns"]
        rate = f" at {period:g} ns a cycle" if cycles else ""
        yield f"That is {period * max(cycles, 1):.4g} ns{rate} ({project['period_from']})."
    yield from _rate(report)


def _rate(report: Mapping[str, Any]) -> Iterator[str]:
    """How often the top module takes a sample; nothing of a combinational one."""
    training: Mapping[str, Any] | None = report.get("training")
    wrapper: Mapping[str, Any] = report.get("interface") or {}
    if training is not None:
        yield f"A sample that trains takes {training['interval_cycles']} cycles."
    if "registers" in wrapper:
        yield "It takes one sample at a time."
    elif training is None and report["latency_cycles"]:
        sides = [wrapper[side] for side in ("input", "output") if side in wrapper]
        beats = max((side["beats"] for side in sides), default=1)
        yield (
            "It takes a sample every cycle."
            if beats == 1
            else (f"It takes a sample every {beats} cycles.")
        )


def _described(folder: Path) -> Iterator[tuple[str, str]]:
    """File and description; several files of one kind are listed as their pattern."""
    listed: set[Path] = set()
    for pattern, what in _FILES:
        found = [path for path in sorted(folder.glob(pattern)) if path not in listed]
        listed.update(found)
        if found:
            several = len(found) > 1
            yield (pattern if several else found[0].relative_to(folder).as_posix()), what


def _pictures(folder: Path) -> Iterator[str]:
    shown = [(file, what) for file, what in _PICTURES if (folder / file).exists()]
    if shown:
        yield "## Pictures"
        yield ""
    for file, what in shown:
        yield f"![{what}]({file})"
        yield ""


def _commands(report: Mapping[str, Any]) -> Iterator[str]:
    yield "## Run again"
    yield ""
    command: str | None = report.get("command")
    if command is not None:
        yield "This command made the folder. Its paths are relative to the folder that it ran in."
        yield ""
        yield from (f"    {line}" for line in command.splitlines())
        yield ""
    yield "In this folder:"
    yield ""
    commands: Sequence[tuple[str, str]] = (
        ("kan-flow simulate .", "simulate the design on other vectors (--inputs D.npz)"),
        ("kan-flow prove .", "prove it equal to the integer model, for all codes"),
    )
    if "training" in report:
        commands = (("kan-flow train-sim . --data D.npz", "train it on samples, in simulation"),)
    for line, what in (
        *commands,
        ("kan-flow synth .", "area, by Yosys"),
        ("kan-flow pnr .", "clock frequency, by nextpnr"),
    ):
        yield f"    {line:<33} # {what}"
