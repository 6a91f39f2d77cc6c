"""FuseSoC core file (CAPI2) with targets for lint, simulation and synthesis by edalize.

Source: FuseSoC User Guide, "CAPI2 core description file reference"; edalize, "Flow API".

FuseSoC 2 deprecates files outside the folder of the core file, so the core file stands in the
build's folder itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kan_dialect.flows.projects.design import LIBRARY, VENDOR, VERSION, ProjectDesign
from kan_dialect.flows.projects.parts import XILINX_PART

_YOSYS = {
    "ecp5": ("ecp5", ("-abc9",)),
    "ice40": ("ice40", ("-abc9",)),
    "xcup": ("xilinx", ("-family xcup", "-flatten", "-noiopad", "-noclkbuf", "-abc9")),
}
"""edalize's `arch`, and options of Yosys's synthesis command, by device of the build."""

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
        yield "  testbench:"
        yield "    files:"
        for path in design.testbench:
            yield f"      - {path}: {_testbench_entry(path)}"
    yield "  vivado:"
    yield "    files:"
    yield f"      - project/vivado/{design.name}.xdc: {{file_type: xdc}}"
    yield "  ice40:"
    yield "    files:"
    yield "      - project/open/ice40.tcl: {file_type: tclSource}"
    yield ""
    yield "targets:"
    yield from _target("default", "The design alone, for other cores", ("rtl",), design.top)
    yield from _target("lint", "Verilator's warnings, all of them", ("rtl",), design.top)
    yield from _flow("lint", "tool: verilator", _listed("verilator_options", ("-Wall",)))
    if design.testbench:
        bench, files = f"{design.name}_tb", ("rtl", "testbench")
        yield from _target("sim", "Self-checking testbench in Verilator", files, bench)
        options = _listed("verilator_options", _VERILATOR_SIM)
        yield from _flow("sim", "tool: verilator", "mode: binary", options)
        yield from _target("sim_icarus", "Self-checking testbench in Icarus Verilog", files, bench)
        yield from _flow("sim", "tool: icarus", _listed("iverilog_options", ("-g2012",)))
    family = design.target if design.target in _YOSYS else "xcup"
    for name, (arch, synth_options) in {"synth": _YOSYS[family], **_synth_targets()}.items():
        filesets = ("rtl", "ice40") if arch == "ice40" else ("rtl",)
        yield from _target(name, f"Yosys's netlist, synth_{arch}", filesets, design.top)
        options = _listed("yosys_synth_options", synth_options)
        yield from _flow("generic", "tool: yosys", f"arch: {arch}", "output_format: json", options)
    yield from _target("vivado", "Vivado's synthesis", ("rtl", "vivado"), design.top)
    yield from _flow("vivado", f"part: {XILINX_PART}", "pnr: none")


def _synth_targets() -> dict[str, tuple[str, Sequence[str]]]:
    return {f"synth_{name}": found for name, found in sorted(_YOSYS.items())}


def _testbench_entry(path: str) -> str:
    if path.endswith(".sv"):
        return "{file_type: systemVerilogSource}"
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
