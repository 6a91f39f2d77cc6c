"""Writes README.md into the folder of a build: its files, ports and commands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from kan_dialect.files import manifest
from kan_dialect.flows.report_certificate import certificate_text
from kan_dialect.flows.report_ports import value_of
from kan_dialect.quantity import quantity

NAME = "README.md"
_SIGNATURE = "`kan-flow build` wrote this folder"
"""Beginning of the third line of each README that a build wrote."""

_FILES = (
    ("rtl/*_pkg.sv", "latency, widths, scales and types, for designs that instantiate it"),
    ("rtl/*_clock_enable.sv", "the design with a clock enable"),
    ("rtl/*_ready_valid.sv", "the design with ready-valid ports, around `{name}`"),
    ("rtl/*_axi_lite.sv", "the design with registers on AXI4-Lite, around `{name}`"),
    ("rtl/*_axi_stream.sv", "the design with AXI4-Stream ports, around `{name}`"),
    ("rtl/*.sv", "the design, SystemVerilog (IEEE 1800-2017), top module `{name}`"),
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

_PORTS = {
    "clk": "clock, rising edge",
    "rst": "synchronous reset, active high; clears the valid bits only",
    "in_valid": "a sample is on the data ports",
    "in_ready": "the design takes a sample where `in_valid` is 1 too",
    "out_valid": "the outputs belong to a sample",
    "train": "the sample trains",
    "mem_valid": "an access to the coefficients is asked for",
    "mem_ready": "the access takes place",
    "mem_write": "the access writes",
    "mem_address": "edge, bank and row of a coefficient",
    "mem_data": "the coefficient to write",
    "mem_read_valid": "`mem_read_data` holds a coefficient",
    "mem_read_data": "the coefficient that was read",
}


DECIDED = {
    "argmax": "index of the largest output of the network",
    "threshold": "1 if the network's output is above the threshold",
    "top-k": "index of an output of the network, the largest first",
}
"""Meaning of output ports, by kind of the head."""

FOREIGN = f"{NAME} was left as it is: its text is not the one that kan-flow build wrote"
"""Warning of a build that keeps a README of another author."""


def is_signed(path: Path) -> bool:
    """Whether a build wrote this README.md."""
    with suppress(OSError):
        lines = path.read_text(errors="replace").splitlines()
        return len(lines) > 2 and lines[2].startswith(_SIGNATURE)
    return False


def write_readme(folder: Path, report: Mapping[str, Any]) -> None:
    """Write README.md, which lists the files in `folder`. A build writes it last.

    Parameters
    ----------
    report : the content of `report.json`.
    """
    (folder / NAME).write_text("\n".join(_lines(folder, report)) + "\n")


def _lines(folder: Path, report: Mapping[str, Any]) -> Iterator[str]:
    name = report["name"]
    yield f"# {name}"
    yield ""
    yield f"{_SIGNATURE}. It holds hardware for a Kolmogorov-Arnold network:"
    yield f"{quantity(report['inputs'], 'input')}, {quantity(report['outputs'], 'output')}."
    yield ""
    yield _latency(report)
    yield ""
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
    yield "## Ports"
    yield ""
    yield "In the order of the module. Codes are two's complement where they go below 0."
    yield ""
    yield "| port | direction | bits | codes | meaning |"
    yield "| --- | --- | --- | --- | --- |"
    for port in report["ports"]:
        codes = f"{port['low']} .. {port['high']}" if "low" in port else ""
        meaning = _meaning(port)
        if "head" in report and port["direction"] == "output" and "low" in port:
            meaning = DECIDED[report["head"]["kind"]]
        row = (port["name"], port["direction"], port["bits"], codes, meaning)
        yield f"| {' | '.join(map(str, row))} |"
    yield ""
    yield from _pictures(folder)
    yield from _commands(report)


def _certificate(entry: dict[str, Any]) -> Iterator[str]:
    yield f"Certificate for |float network - integer network|: {certificate_text(entry)}."
    yield ""


def _latency(report: Mapping[str, Any]) -> str:
    cycles, estimate = report["latency_cycles"], report.get("estimate", {})
    text = f"Latency: {quantity(cycles, 'clock cycle')}." if cycles else "Latency: combinational."
    if "latency_ns" in estimate:
        text += f" About {estimate['latency_ns']} ns on {estimate['target']}, by estimate."
    training = report.get("training")
    if training is not None:
        text += f" A sample that trains takes {training['interval_cycles']} cycles."
    elif cycles:
        text += " It takes a sample every cycle."
    return text


def _described(folder: Path) -> Iterator[tuple[str, str]]:
    """File and description; several files of one kind are listed as their pattern."""
    listed: set[Path] = set()
    for pattern, what in _FILES:
        found = [path for path in sorted(folder.glob(pattern)) if path not in listed]
        listed.update(found)
        if found:
            several = len(found) > 1
            yield (pattern if several else found[0].relative_to(folder).as_posix()), what


def _meaning(port: Mapping[str, Any]) -> str:
    if port["name"] in _PORTS:
        return _PORTS[port["name"]]
    meaning = f"value = {value_of(port)}"
    if "gain" in port:
        gain, offset = port["gain"], port["offset"]
        sign = "-" if offset < 0 else "+"
        meaning += f" = {port['name']} * {gain} {sign} {abs(offset)}"
    return meaning


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
