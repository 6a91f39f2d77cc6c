"""Writes the projects and packages of a build. Each file is a template of `templates/`.

Sources: FuseSoC User Guide, "CAPI2 core description file reference", and edalize, "Flow API". The
core file stands in the build's folder itself, since FuseSoC 2 deprecates files outside its folder.
IEEE Std 1685-2014 and 1685-2022 (IP-XACT). AMD UG835 (Tcl commands), UG903 (constraints), UG905
(out of context), UG1118 (packaging IP). Templates name the manuals of other vendors.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from kan_dialect.devices.device import ECP5, ICE40, XCUP, DeviceFamily
from kan_dialect.files.templates import filled
from kan_dialect.flows.projects.design import ProjectDesign, placeable
from kan_dialect.flows.projects.open_families import open_families
from kan_dialect.flows.projects.register_fields import register_access, register_fields
from kan_dialect.flows.tools.synthesis import yosys_of

_PACKAGE = {"vendor": "kan_dialect", "library": "networks", "version": "1.0.0"}
"""Vendor, library and version under which designs are packaged."""

_SYNTHESISED = (ECP5, ICE40, XCUP)
"""Device families that have a target of FuseSoC each, `synth_ecp5`, beside `synth`."""

_BUSES = (
    ("s_axis", "AXI4Stream", "r0p0_1", False),
    ("m_axis", "AXI4Stream", "r0p0_1", True),
    ("s_axi", "AXI4-Lite", "r0p0", False),
)
"""Prefix of the ports, name and version in ARM's library AMBA4, whether it is the initiator."""

_VIVADO_FAMILIES = (
    *("artix7", "kintex7", "spartan7", "virtex7", "zynq"),
    *("artixuplus", "kintexuplus", "virtexuplus", "zynquplus"),
)
"""Families of Vivado's catalog in which the packaged IP is offered: the RTL runs on all."""


def write_project(folder: Path, design: ProjectDesign) -> dict[str, Any]:
    """Write the FuseSoC core file and `project/` into the folder of a build.

    The files name others relative to themselves, and are the same for the same design.

    Returns
    -------
    What `report.json` holds under `project`: `top`, `period_ns`, `period_from`, its origin, and
    `asked_mhz`, the clock that the build was told, if it was.
    """
    texts = _texts(design)
    if any(design.few_pins in text for text in texts.values()):
        texts[design.few_pins_file] = _filled("few_pins.sv", design)
    for path, text in texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    entry: dict[str, Any] = {
        "top": design.top,
        "period_ns": round(design.period.ns, 3),
        "period_from": design.period.origin,
    }
    if design.period.asked_mhz is not None:
        entry["asked_mhz"] = design.period.asked_mhz
    return entry


def _filled(template: str, design: ProjectDesign, **values: object) -> str:
    path = f"flows/projects/templates/{template}.j2"
    return filled(path, design=design, name=design.name, **_PACKAGE, **values)


def _texts(design: ProjectDesign) -> dict[str, str]:
    """Text of each file, by its path in the build's folder."""
    return {
        **_descriptions(design),
        **_vendor_projects(design),
        **_open_flow(design),
    }


def _descriptions(design: ProjectDesign) -> dict[str, str]:
    """FuseSoC's core file, with Yosys's steps that it names, and IP-XACT."""
    own = design.device if design.device.yosys and design.device.parts else XCUP
    targets = {"synth": own, **{f"synth_{family.name}": family for family in _SYNTHESISED}}
    families = {family.family: family for family in targets.values()}.values()
    prepared = [family for family in families if yosys_of(family).prepare]
    synthesised = [_target(name, family) for name, family in targets.items()]
    part = design.part_for("vivado")
    core = _filled("core", design, prepared=prepared, synthesised=synthesised, part=part)
    values = {
        "buses": _BUSES,
        "register_fields": register_fields,
        "register_access": register_access,
        "escape": escape,
    }
    return {
        f"{design.name}.core": core,
        "project/component.xml": _filled("component.xml", design, edition=2014, **values),
        "project/component-2022.xml": _filled("component.xml", design, edition=2022, **values),
        **{
            f"project/open/{family.family}.tcl": _filled("prepare.tcl", design, family=family)
            for family in prepared
        },
    }


def _target(name: str, family: DeviceFamily) -> dict[str, object]:
    """A target of FuseSoC, with the words of Yosys's command."""
    command = yosys_of(family).command.removeprefix("synth_")
    architecture, *options = re.split(" (?=-)", command)
    quoted = ", ".join(f'"{option}"' for option in options)
    return {"name": name, "family": family, "arch": architecture, "options": quoted}


def _vendor_projects(design: ProjectDesign) -> dict[str, str]:
    """Scripts and constraints for the tools of vendors."""
    vivado, quartus, gowin, diamond, radiant = map(
        design.part_for, ("vivado", "quartus", "gowin", "diamond", "radiant")
    )
    on_gowin = placeable(design, gowin)
    on_lattice = placeable(design, min(diamond, radiant, key=lambda part: part.pins))
    files = {
        "vivado": (design, {".xdc": None, "_ooc.tcl": vivado, "_ip.tcl": vivado}),
        "quartus": (design, {".sdc": None, ".tcl": quartus}),
        "lattice": (
            on_lattice,
            {
                **dict.fromkeys((".ldc", ".lpf", ".pdc")),
                "_diamond.tcl": diamond,
                "_radiant.tcl": radiant,
            },
        ),
        "gowin": (on_gowin, {".sdc": None, ".cst": None, ".tcl": gowin}),
    }
    return {
        f"project/{tool}/{design.name}{ending}": _filled(
            f"{tool}{ending}", placed, part=part, supported_families=_VIVADO_FAMILIES
        )
        for tool, (placed, endings) in files.items()
        for ending, part in endings.items()
    }


def _open_flow(design: ProjectDesign) -> dict[str, str]:
    """The Makefile for Yosys and nextpnr, the module that it times, and pins for each family."""
    families = open_families(design)
    names = [family.name for family in families]
    chosen = design.device.family if design.device.family in names else names[0]
    return {
        "project/open/Makefile": _filled("Makefile", design, families=families, chosen=chosen),
        f"project/open/{design.timed}.sv": _filled("timed.sv", design),
        **{
            f"project/open/{design.name}.{ending}": _filled(f"open.{ending}", family.placed(design))
            for family in families
            for ending in (family.bitstream.constraints,)
        },
    }
