"""FuseSoC core file (CAPI2) with targets for lint, simulation and synthesis by edalize.

Source: FuseSoC User Guide, "CAPI2 core description file reference"; edalize, "Flow API".

FuseSoC 2 deprecates files outside the folder of the core file, so the core file stands in the
build's folder itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from kan_dialect.devices.device import ECP5, ICE40, XCUP, DeviceFamily
from kan_dialect.flows.projects.design import LIBRARY, VENDOR, VERSION, ProjectDesign
from kan_dialect.flows.tools.synthesis import yosys_of

_SYNTHESISED = (ECP5, ICE40, XCUP)
"""Device families that have a target each, `synth_ecp5`, beside `synth` for that of the build."""

_COCOTB = {
    "icarus": ("cocotb", "Icarus Verilog"),
    "verilator": ("cocotb_verilator", "Verilator; Icarus Verilog compiles the design first"),
}
"""Target and description, by simulator of `sim/Makefile`."""

_VERILATOR_SIM = ("--timing", "--output-split-cfuncs 500", "-CFLAGS -O0")
"""Options for quick compilation: simulation takes less time than the C++ compiler."""


def core_file(design: ProjectDesign) -> str:
    """Text of NAME.core."""
    return "\n".join(_lines(design)) + "\n"


def _lines(design: ProjectDesign) -> Iterator[str]:
    yield "CAPI=2:"
    yield "# kan-flow build wrote this file. In this folder:"
    yield f"#   fusesoc --cores-root . run --target lint {design.name}"
    yield ""
    yield f"name: {VENDOR}:{LIBRARY}:{design.name}:{VERSION}"
    yield f"description: Kolmogorov-Arnold network {design.name}, top module {design.top}"
    yield ""
    yield "filesets:"
    yield "  rtl:"
    yield "    files:"
    yield from (f"      - {source}" for source in design.sources)
    yield "    file_type: systemVerilogSource"
    if design.testbench:
        yield from _testbench_files("testbench", design.testbench)
    if design.vhdl:
        yield "  vhdl:"
        yield "    files:"
        yield from (f"      - {source}" for source in design.vhdl)
        yield "    file_type: vhdlSource-2008"
    if design.vhdl_testbench:
        yield from _testbench_files("testbench_vhdl", design.vhdl_testbench)
    if design.cocotb:
        yield "  cocotb:"
        yield "    files:"
        # In the folders that the testbench looks for them in.
        paths = (*design.sources, *design.cocotb)
        yield from (f"      - {path}: {{copyto: {path}}}" for path in paths)
        yield "    file_type: user"
    yield "  vivado:"
    yield "    files:"
    yield f"      - project/vivado/{design.name}.xdc: {{file_type: xdc}}"
    for family in prepared_families(design):
        yield f"  {family.family}:"
        yield "    files:"
        yield f"      - project/open/{family.family}.tcl: {{file_type: tclSource}}"
    yield ""
    if design.cocotb:
        # edalize's `cocotb_module` (0.6.8) does not tell cocotb 2.1 which library to load.
        yield "scripts:"
        for tool in _COCOTB:
            yield f"  cocotb_{tool}:"
            yield f"    cmd: [make, -C, sim, cocotb, SIM={tool}]"
        yield ""
    yield "targets:"
    yield from _target("default", "The design alone, for other cores", ("rtl",), design.top)
    yield from _target("lint", "Verilator's warnings, all of them", ("rtl",), design.top)
    # Modules of lookup tables are in the file of the network.
    several = ("-Wno-DECLFILENAME",) if design.device.maps_tables else ()
    yield from _flow("lint", "tool: verilator", _listed("verilator_options", ("-Wall", *several)))
    if design.testbench:
        bench, files = f"{design.name}_tb", ("rtl", "testbench")
        yield from _target("sim", "Self-checking testbench in Verilator", files, bench)
        options = _listed("verilator_options", _VERILATOR_SIM)
        yield from _flow("sim", "tool: verilator", "mode: binary", options)
        yield from _target("sim_icarus", "Self-checking testbench in Icarus Verilog", files, bench)
        yield from _flow("sim", "tool: icarus", _listed("iverilog_options", ("-g2012",)))
    if design.cocotb:
        for tool, (name, what) in _COCOTB.items():
            files = ("rtl", "cocotb")
            yield from _target(name, f"cocotb testbench in {what}", files, design.top)
            yield "    hooks:"
            yield f"      pre_run: [cocotb_{tool}]"
            yield from _flow("sim", "tool: icarus", _listed("iverilog_options", ("-g2012",)))
    if design.vhdl:
        yield from _target("vhdl", "The VHDL alone, for other cores", ("vhdl",), design.top)
    if design.vhdl_testbench:
        bench, files = f"{design.name}_tb", ("vhdl", "testbench_vhdl")
        yield from _target("sim_vhdl", "Self-checking testbench in GHDL", files, bench)
        yield from _flow("sim", "tool: ghdl")
    for name, family in _synthesised(design).items():
        # The command is `synth_xilinx -family xcup -flatten`: edalize's `arch`, and options.
        yosys = yosys_of(family)
        arch, *synth_options = re.split(" (?=-)", yosys.command.removeprefix("synth_"))
        filesets = ("rtl", family.family) if yosys.prepare else ("rtl",)
        yield from _target(name, f"Yosys's netlist, synth_{arch}", filesets, design.top)
        options = _listed("yosys_synth_options", synth_options)
        yield from _flow("generic", "tool: yosys", f"arch: {arch}", "output_format: json", options)
    yield from _target("vivado", "Vivado's synthesis", ("rtl", "vivado"), design.top)
    yield from _flow("vivado", f"part: {design.part_for('vivado').ordering_code}", "pnr: none")
    if design.vhdl:
        files = ("vhdl", "vivado")
        yield from _target("vivado_vhdl", "The same of the VHDL", files, design.top)
        yield from _flow("vivado", f"part: {design.part_for('vivado').ordering_code}", "pnr: none")


def _synthesised(design: ProjectDesign) -> dict[str, DeviceFamily]:
    """The device of each target for synthesis. `synth` has that of the build, if it has parts."""
    own = design.device if design.device.yosys and design.device.parts else XCUP
    return {"synth": own, **{f"synth_{family.name}": family for family in _SYNTHESISED}}


def prepared_families(design: ProjectDesign) -> list[DeviceFamily]:
    """Families of these targets for which Yosys runs a script before synthesis."""
    families = {family.family: family for family in _synthesised(design).values()}
    return [family for family in families.values() if yosys_of(family).prepare]


def _testbench_files(fileset: str, paths: Sequence[str]) -> Iterator[str]:
    yield f"  {fileset}:"
    yield "    files:"
    yield from (f"      - {path}: {_testbench_entry(path)}" for path in paths)


def _testbench_entry(path: str) -> str:
    language = {".sv": "systemVerilogSource", ".vhd": "vhdlSource-2008"}.get(Path(path).suffix)
    if language is not None:
        return f"{{file_type: {language}}}"
    # The testbench reads its vectors in the folder that it runs in.
    return f"{{file_type: user, copyto: {path.rpartition('/')[2]}}}"


def _target(name: str, what: str, filesets: Sequence[str], top: str) -> Iterator[str]:
    yield f"  {name}:"
    yield f"    description: {what}"
    yield f"    filesets: [{', '.join(filesets)}]"
    yield f"    toplevel: {top}"


def _flow(flow: str, *options: str) -> Iterator[str]:
    yield f"    flow: {flow}"
    yield "    flow_options:"
    yield from (f"      {option}" for option in options)


def _listed(name: str, options: Sequence[str]) -> str:
    return f"{name}: [{', '.join(_quoted(option) for option in options)}]"


def _quoted(option: str) -> str:
    return f'"{option}"'
