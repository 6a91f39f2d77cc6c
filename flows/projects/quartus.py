"""Quartus Prime: a project whose pins are virtual, compiled for area and timing.

Sources: Intel Quartus Prime Standard Edition User Guide: Scripting (UG-20144: packages project and
flow); Quartus Prime Settings File Reference Manual (assignments); Timing Analyzer (UG-20147, SDC).
"""

from __future__ import annotations

from collections.abc import Iterator

from kan_dialect.flows.projects.constraints import sdc
from kan_dialect.flows.projects.design import ProjectDesign
from kan_dialect.flows.projects.tcl import by_language, script_head, source_list


def quartus_sdc(design: ProjectDesign) -> Iterator[str]:
    """Lines of NAME.sdc."""
    yield from sdc(design, "Intel Quartus Prime User Guide: Timing Analyzer.")
    if design.clock is not None:
        yield "derive_clock_uncertainty"


def quartus_project(design: ProjectDesign) -> Iterator[str]:
    """Lines of NAME.tcl."""
    name, part = design.name, design.part_for("quartus")
    yield from script_head(
        f"Project of {design.top}, compiled with virtual pins, for area and timing.",
        f"quartus_sh -t {name}.tcl [FAMILY PART]",
        "Intel Quartus Prime User Guide: Scripting; Settings File Reference Manual.",
    )
    yield f"set family {{{part.tool_name}}}"
    yield f"set part {part.ordering_code}"
    yield "if {[llength $quartus(args)] == 2} { lassign $quartus(args) family part }"
    yield from source_list(design)
    yield "load_package flow"
    yield f"project_new {name} -overwrite"
    yield "set_global_assignment -name FAMILY $family"
    yield "set_global_assignment -name DEVICE $part"
    yield f"set_global_assignment -name TOP_LEVEL_ENTITY {design.top}"
    yield from by_language(
        design,
        [
            "foreach source $sources {",
            "  set_global_assignment -name SYSTEMVERILOG_FILE $source",
            "}",
        ],
        [
            "set_global_assignment -name VHDL_INPUT_VERSION VHDL_2008",
            "foreach source $sources {",
            "  set_global_assignment -name VHDL_FILE $source",
            "}",
        ],
    )
    yield f"set_global_assignment -name SDC_FILE [file join $here {name}.sdc]"
    yield "# More ports than a part has pins: virtual pins are registers' neighbours, not pads."
    for port in (*design.inputs, *design.outputs):
        yield f"set_instance_assignment -name VIRTUAL_PIN ON -to {{{port.pattern}}}"
    yield "export_assignments"
    yield "execute_flow -compile"
    yield "project_close"
