"""Writes the projects and packages of a build."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kan_dialect.flows.projects import gowin, lattice, open_flow, quartus, vivado
from kan_dialect.flows.projects.constraints import lpf
from kan_dialect.flows.projects.design import ProjectDesign
from kan_dialect.flows.projects.few_pins import few_pins_file, few_pins_name, few_pins_top
from kan_dialect.flows.projects.fusesoc import core_file, prepared_families
from kan_dialect.flows.projects.ipxact import component
from kan_dialect.flows.projects.timed_top import timed_name, timed_top


def write_project(folder: Path, design: ProjectDesign) -> dict[str, Any]:
    """Write the FuseSoC core file and `project/` into the folder of a build.

    The files name others relative to themselves, and are the same for the same design.

    Returns
    -------
    What `report.json` holds under `project`: `top`, `period_ns`, `period_from`, its origin, and
    `asked_mhz`, the clock that the build was told, if it was.
    """
    (folder / f"{design.name}.core").write_text(core_file(design))
    project = folder / "project"
    project.mkdir()
    (project / "component.xml").write_text(component(design, 2014))
    (project / "component-2022.xml").write_text(component(design, 2022))
    texts = {path: "\n".join(lines) + "\n" for path, lines in _files(design).items()}
    if any(few_pins_name(design) in text for text in texts.values()):
        (folder / few_pins_file(design)).write_text("\n".join(few_pins_top(design)) + "\n")
    for path, text in texts.items():
        (project / path).parent.mkdir(exist_ok=True)
        (project / path).write_text(text)
    entry: dict[str, Any] = {
        "top": design.top,
        "period_ns": round(design.period.ns, 3),
        "period_from": design.period.origin,
    }
    if design.period.asked_mhz is not None:
        entry["asked_mhz"] = design.period.asked_mhz
    return entry


def _files(design: ProjectDesign) -> dict[str, Iterable[str]]:
    name = design.name
    prepared = prepared_families(design)
    return {
        f"vivado/{name}.xdc": vivado.xdc(design),
        f"vivado/{name}_ooc.tcl": vivado.out_of_context(design),
        f"vivado/{name}_ip.tcl": vivado.packaged_ip(design),
        f"quartus/{name}.sdc": quartus.quartus_sdc(design),
        f"quartus/{name}.tcl": quartus.quartus_project(design),
        f"lattice/{name}.ldc": lattice.ldc(design),
        f"lattice/{name}.lpf": lpf(lattice.lattice_design(design)),
        f"lattice/{name}.pdc": lattice.pdc(design),
        f"lattice/{name}_diamond.tcl": lattice.diamond_project(design),
        f"lattice/{name}_radiant.tcl": lattice.radiant_project(design),
        f"gowin/{name}.sdc": gowin.gowin_sdc(design),
        f"gowin/{name}.cst": gowin.cst(design),
        f"gowin/{name}.tcl": gowin.gowin_project(design),
        **{f"open/{each.family}.tcl": open_flow.prepare_script(each) for each in prepared},
        "open/Makefile": open_flow.makefile(design),
        f"open/{timed_name(design)}.sv": timed_top(design),
        **{
            f"open/{name}.{each.bitstream.constraints}": open_flow.pins(design, each)
            for each in open_flow.open_families(design)
        },
    }
