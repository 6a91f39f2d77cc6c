"""Gowin EDA: a script of `gw_sh`, and constraints.

Sources: Gowin SUG100 (Gowin Software User Guide, Tcl commands), SUG940 (timing constraints, .sdc),
SUG935 (physical constraints, .cst).
"""

from __future__ import annotations

from collections.abc import Iterator

from kan_dialect.flows.projects.constraints import sdc
from kan_dialect.flows.projects.design import ProjectDesign
from kan_dialect.flows.projects.few_pins import placeable
from kan_dialect.flows.projects.tcl import add_by_language, in_vhdl, script_head, source_list


def gowin_sdc(design: ProjectDesign) -> Iterator[str]:
    """Lines of NAME.sdc."""
    yield from sdc(placeable(design, design.part_for("gowin")), "Gowin SUG940.")


def cst(design: ProjectDesign) -> Iterator[str]:
    """Lines of NAME.cst, whose comments begin with two slashes."""
    design = placeable(design, design.part_for("gowin"))
    yield f"// Pins of {design.top} on a board, to be filled in. Commands: Gowin SUG935."
    for port in design.ports:
        yield from (f'// IO_LOC "{bit}" PIN;' for bit in port.bit_names)


def gowin_project(design: ProjectDesign) -> Iterator[str]:
    """Lines of NAME.tcl."""
    name, part = design.name, design.part_for("gowin")
    design = placeable(design, part)
    yield from script_head(
        f"Synthesis, placement and routing of {design.top}.",
        f"gw_sh {name}.tcl",
        "Gowin SUG100, Tcl commands.",
    )
    yield from source_list(design)
    yield f"set_device -name {part.tool_name} {part.ordering_code}"
    yield add_by_language("add_file -type", "verilog", "vhdl")
    yield from in_vhdl(design, "set_option -vhdl_std vhd2008")
    yield f"add_file -type sdc [file join $here {name}.sdc]"
    yield f"add_file -type cst [file join $here {name}.cst]"
    yield f"set_option -top_module {design.top}"
    yield "set_option -verilog_std sysv2017"
    yield f"set_option -output_base_name {name}"
    yield "run all"
