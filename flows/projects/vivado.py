"""Vivado: an out-of-context run, a packaged IP, and constraints.

Sources: AMD UG835 (Tcl commands), UG903 (constraints), UG905 (hierarchical design, out of context),
UG1118 (packaging IP; `help ipx::*` in Vivado's Tcl console describes each command).
"""

from __future__ import annotations

from collections.abc import Iterator

from kan_dialect.flows.projects.constraints import sdc
from kan_dialect.flows.projects.design import LIBRARY, VENDOR, VERSION, ProjectDesign
from kan_dialect.flows.projects.tcl import by_language, script_head, source_list

SUPPORTED_FAMILIES = (
    *("artix7", "kintex7", "spartan7", "virtex7", "zynq"),
    *("artixuplus", "kintexuplus", "virtexuplus", "zynquplus"),
)
"""Families of Vivado's catalog in which the packaged IP is offered: the RTL runs on all."""

_BUSES = {"s_axis": "axis", "m_axis": "axis", "s_axi": "aximm"}
"""AMD's bus definitions by the prefix of the ports' names."""


def xdc(design: ProjectDesign) -> Iterator[str]:
    """Lines of NAME.xdc."""
    yield from sdc(design, "AMD UG903, UG835.")


def out_of_context(design: ProjectDesign) -> Iterator[str]:
    """Lines of NAME_ooc.tcl: area and timing without pins."""
    name = design.name
    yield from script_head(
        f"Synthesis, placement and routing of {design.top} out of context, for area and timing.",
        f"vivado -mode batch -source {name}_ooc.tcl -tclargs [PART]",
        "AMD UG835 (Tcl commands), UG905 (out of context).",
    )
    yield f"set part {design.part_for('vivado').ordering_code}"
    yield "if {$argc > 0} { set part [lindex $argv 0] }"
    yield from source_list(design)
    yield "create_project -in_memory -part $part"
    yield from by_language(design, ["read_verilog -sv $sources"], ["read_vhdl -vhdl2008 $sources"])
    yield f"read_xdc -mode out_of_context [file join $here {name}.xdc]"
    yield f"synth_design -top {design.top} -part $part -mode out_of_context"
    yield "opt_design"
    yield "place_design"
    yield "phys_opt_design"
    yield "route_design"
    yield f"report_utilization -file {name}_utilization.rpt"
    yield f"report_timing_summary -file {name}_timing.rpt"
    yield f"write_checkpoint -force {name}_routed.dcp"


def packaged_ip(design: ProjectDesign) -> Iterator[str]:
    """Lines of NAME_ip.tcl: the design as an IP of Vivado's catalog."""
    name = design.name
    yield from script_head(
        f"Packages {design.top} as an IP, in {name}_ip/. Add that folder to ip_repo_paths.",
        f"vivado -mode batch -source {name}_ip.tcl -tclargs [PART]",
        "AMD UG835 (Tcl commands), UG1118 (ipx::*).",
    )
    yield f"set part {design.part_for('vivado').ordering_code}"
    yield "if {$argc > 0} { set part [lindex $argv 0] }"
    yield from source_list(design)
    yield f"create_project -force {name}_ip_project {name}_ip_project -part $part"
    yield "add_files -norecurse $sources"
    yield from by_language(
        design,
        ["set_property file_type SystemVerilog [get_files *.sv]"],
        ["set_property file_type {VHDL 2008} [get_files *.vhd]"],
    )
    yield f"add_files -fileset constrs_1 -norecurse [file join $here {name}.xdc]"
    yield f"set_property USED_IN {{out_of_context synthesis implementation}} [get_files {name}.xdc]"
    yield f"set_property top {design.top} [current_fileset]"
    yield "update_compile_order -fileset sources_1"
    yield (
        f"ipx::package_project -root_dir {name}_ip -vendor {VENDOR} -library {LIBRARY} "
        "-taxonomy /UserIP -import_files -set_current true -force"
    )
    yield "set core [ipx::current_core]"
    yield f"set_property name {design.top} $core"
    yield f"set_property version {VERSION.removesuffix('.0')} $core"
    yield f"set_property display_name {{Kolmogorov-Arnold network {name}}} $core"
    yield f"set_property description {{kan-dialect: network {name}}} $core"
    families = " ".join(f"{family} Production" for family in SUPPORTED_FAMILIES)
    yield f"set_property supported_families {{{families}}} $core"
    yield from _interfaces(design)
    yield "ipx::create_xgui_files $core"
    yield "ipx::update_checksums $core"
    yield "ipx::check_integrity $core"
    yield "ipx::save_core $core"
    yield "close_project"


def _interfaces(design: ProjectDesign) -> Iterator[str]:
    """Bus interfaces, and the clock of each. Vivado infers most of them when it packages."""
    clock, reset = design.clock, design.reset
    if clock is None:
        return
    yield from _INFER
    yield f"infer {clock.name} xilinx.com:signal:clock_rtl:1.0 {clock.name}"
    if reset is not None:
        yield f"infer {reset.name} xilinx.com:signal:reset_rtl:1.0 {reset.name}"
        yield f"set bus [ipx::get_bus_interfaces {reset.name} -of_objects $core]"
        yield 'if {[ipx::get_bus_parameters POLARITY -of_objects $bus] eq ""} {'
        yield "  ipx::add_bus_parameter POLARITY $bus"
        yield "}"
        polarity = "ACTIVE_LOW" if reset.name.endswith("n") else "ACTIVE_HIGH"
        yield (f"set_property value {polarity} [ipx::get_bus_parameters POLARITY -of_objects $bus]")
    for prefix, bus in _BUSES.items():
        members = [p.name for p in design.ports if p.name.startswith(f"{prefix}_")]
        if members:
            listed = " ".join(members)
            yield f"infer {prefix} xilinx.com:interface:{bus}_rtl:1.0 {{{listed}}}"
            yield f"ipx::associate_bus_interfaces -busif {prefix} -clock {clock.name} $core"


_INFER = (
    "proc infer {name definition ports} {",
    "  global core",
    '  if {[ipx::get_bus_interfaces $name -of_objects $core] eq ""} {',
    "    ipx::infer_bus_interface $ports $definition $core",
    "  }",
    "}",
)
"""A procedure that adds a bus interface where Vivado has not inferred it."""
