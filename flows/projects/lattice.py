"""Lattice Diamond and Radiant: projects and constraints.

Sources: Lattice Diamond Help, "Tcl Scripting Reference" (prj_project, prj_src, prj_impl, prj_run);
Lattice Radiant Help, "Tcl Scripting" (prj_create, prj_add_source, prj_run); Lattice Synthesis
Engine User Guide (.ldc).
"""

from __future__ import annotations

from collections.abc import Iterator

from kan_dialect.flows.projects.constraints import PDC_PIN, pin_notes, sdc, sdc_commands
from kan_dialect.flows.projects.design import ProjectDesign
from kan_dialect.flows.projects.few_pins import placeable
from kan_dialect.flows.projects.tcl import add_by_language, in_vhdl, script_head, source_list


def lattice_design(design: ProjectDesign) -> ProjectDesign:
    """The design as both tools place it, since they share NAME.ldc."""
    parts = (design.part_for("diamond"), design.part_for("radiant"))
    return placeable(design, min(parts, key=lambda part: part.pins))


def ldc(design: ProjectDesign) -> Iterator[str]:
    """Lines of NAME.ldc, which the Lattice Synthesis Engine reads."""
    yield from sdc(
        lattice_design(design), "Lattice Synthesis Engine User Guide, Synopsys design constraints."
    )


def pdc(design: ProjectDesign) -> Iterator[str]:
    """Lines of NAME.pdc, which Radiant reads after synthesis; NAME.ldc has the ports' delays."""
    design = lattice_design(design)
    yield f"# Clock and pins of {design.top}."
    yield "# Commands: Lattice Radiant Help, Post-Synthesis Constraints."
    if design.clock is not None:
        yield next(sdc_commands(design))
    yield from pin_notes(design, PDC_PIN)


def diamond_project(design: ProjectDesign) -> Iterator[str]:
    """Lines of NAME_diamond.tcl."""
    name, part = design.name, design.part_for("diamond")
    design = lattice_design(design)
    yield from script_head(
        f"Diamond project of {design.top}, synthesised, mapped and routed.",
        f"diamondc {name}_diamond.tcl [PART] (pnmainc on Windows)",
        "Lattice Diamond Help, Tcl Scripting Reference.",
    )
    yield f"set part {part.ordering_code}"
    yield "if {[info exists argv] && [llength $argv] > 0} { set part [lindex $argv 0] }"
    yield from source_list(design)
    yield (
        f"prj_project new -name {name} -impl impl1 -dev $part -synthesis lse "
        f"-lpf [file join $here {name}.lpf]"
    )
    yield from in_vhdl(design, "prj_strgy set_value -strategy Strategy1 lse_vhdl2008=True")
    yield add_by_language("prj_src add -format", "Verilog", "VHDL")
    yield f"prj_src add -format LDC [file join $here {name}.ldc]"
    yield f"prj_impl option top {design.top}"
    yield "prj_run Synthesis -impl impl1"
    yield "prj_run Map -impl impl1"
    yield "prj_run PAR -impl impl1"
    yield "prj_run PAR -impl impl1 -task PARTrace"
    yield "prj_project save"
    yield "prj_project close"


def radiant_project(design: ProjectDesign) -> Iterator[str]:
    """Lines of NAME_radiant.tcl."""
    name, part = design.name, design.part_for("radiant")
    design = lattice_design(design)
    yield from script_head(
        f"Radiant project of {design.top}, synthesised, mapped and routed.",
        f"radiantc {name}_radiant.tcl [PART PERFORMANCE]",
        "Lattice Radiant Help, Tcl Scripting: Radiant Tcl Project Commands.",
    )
    yield f"set part {part.ordering_code}"
    yield f"set performance {{{part.tool_name}}}"
    yield "if {[info exists argv] && [llength $argv] == 2} { lassign $argv part performance }"
    yield from source_list(design)
    yield (
        f"prj_create -name {name} -impl impl_1 -dev $part -performance $performance -synthesis lse"
    )
    yield "foreach source $sources {"
    yield "  prj_add_source $source"
    yield "}"
    command = "prj_set_strategy_value -strategy Strategy1 lse_vhdl2008=True"
    yield from in_vhdl(design, command)
    yield f"prj_add_source [file join $here {name}.ldc]"
    yield f"prj_add_source [file join $here {name}.pdc]"
    yield f"prj_set_impl_opt -impl impl_1 top {design.top}"
    yield "prj_save"
    yield "prj_run Synthesis -impl impl_1 -forceOne"
    yield "prj_run Map -impl impl_1"
    yield "prj_run PAR -impl impl_1"
    yield "prj_save"
    yield "prj_close"
