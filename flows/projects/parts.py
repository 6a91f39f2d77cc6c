"""The parts that projects name where the user names none. Scripts take another one."""

from __future__ import annotations

from kan_dialect.devices.device import device
from kan_dialect.devices.parts import Part
from kan_dialect.flows.projects.design import ProjectDesign


def vivado_part(design: ProjectDesign) -> Part:
    """The part of Vivado's projects: of the design's family, if that is one of AMD."""
    return _part(design, "xcup", "xc7")


def quartus_part(design: ProjectDesign) -> Part:
    return _part(design, "cyclonev")


def diamond_part(design: ProjectDesign) -> Part:
    return _part(design, "ecp5")


def radiant_part(design: ProjectDesign) -> Part:
    return _part(design, "nexus")


def gowin_part(design: ProjectDesign) -> Part:
    return _part(design, "gowin")


def _part(design: ProjectDesign, *families: str) -> Part:
    """The part of a tool that knows these families, of the first one where it knows no other."""
    family = device(design.target if design.target in families else families[0])
    return family.part(family.project_part)
