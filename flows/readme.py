"""Writes README.md into the folder of a build: its files, ports and commands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from kan_dialect.files import manifest
from kan_dialect.files.templates import filled
from kan_dialect.flows.part_fit import part_text
from kan_dialect.flows.readme_ports import codes_text, plain, port_meaning
from kan_dialect.flows.report_certificate import certificate_text
from kan_dialect.flows.report_ports import bus_text
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
    (folder / NAME).write_text(readme_text(folder, report), encoding="utf-8")


def readme_text(folder: Path, report: Mapping[str, Any]) -> str:
    """The text of README.md, which lists the files in `folder`."""
    name: str = report["name"]
    wrapper: Mapping[str, Any] = report.get("interface") or {}
    sides = [wrapper[side] for side in ("input", "output") if side in wrapper]
    known: dict[str, Mapping[str, Any]] = {port["name"]: port for port in report["ports"]}
    files = [(file, what.format(name=name)) for file, what in _described(folder)]
    return filled(
        "flows/templates/README.md.j2",
        report=report,
        estimate=report.get("estimate"),
        wrapper=wrapper,
        wrapper_ports=[known.get(port["name"], port) for port in wrapper.get("ports", ())],
        known=known,
        cycles=(wrapper or report)["latency_cycles"],
        beats=max((side["beats"] for side in sides), default=1),
        files=[*files, (manifest.NAME, _LISTING)],
        pictures=[(file, what) for file, what in _PICTURES if (folder / file).exists()],
        quantity=quantity,
        part_text=part_text,
        certificate_text=certificate_text,
        bus_text=bus_text,
        codes=codes_text,
        meaning=partial(port_meaning, report=report),
        plain=plain,
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
