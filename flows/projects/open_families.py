"""Device families of the Makefile for Yosys and nextpnr.

Sources: Yosys command reference (synth_*); nextpnr README and `--help` of each architecture.
"""

from __future__ import annotations

from dataclasses import dataclass

from kan_dialect.devices.device import FAMILIES, Bitstream, Nextpnr, Part, Yosys
from kan_dialect.flows.projects.design import ProjectDesign, placeable


@dataclass(frozen=True)
class OpenFamily:
    """A family of devices, as the Makefile has it: on one part, which may be the user's."""

    name: str
    yosys: Yosys
    nextpnr: Nextpnr
    bitstream: Bitstream
    part: Part
    has_pins: bool
    """Whether the part has a pin for each port of the design, or needs none for nextpnr."""

    @property
    def synthesis(self) -> str:
        """Yosys's commands, up to `-top`."""
        commands = [self.yosys.prepare, self.yosys.command_with_pads]
        return "; ".join(filter(None, commands))

    @property
    def device(self) -> str:
        """Options of nextpnr for the part; the user's choice with `make DEVICE=...`."""
        outside = ["--out-of-context"] if self.nextpnr.out_of_context else []
        return " ".join([*self.part.nextpnr, *self.nextpnr.options, *outside])

    @property
    def tool(self) -> str:
        """The tool's command in the Makefile."""
        return f"$(NEXTPNR){self.nextpnr.tool.removeprefix('nextpnr')}"

    def placed(self, design: ProjectDesign) -> ProjectDesign:
        """The design as the Makefile places it."""
        return design if self.has_pins else placeable(design, self.part)


def open_families(design: ProjectDesign) -> list[OpenFamily]:
    """The families of the Makefile, that of the design on the part of the design."""
    families = {family.family: family for family in (*FAMILIES, design.device)}
    return [
        OpenFamily(
            *(name, family.yosys, family.nextpnr, family.nextpnr.bitstream, part),
            has_pins=family.nextpnr.out_of_context or design.bits <= part.pins,
        )
        for name, family in families.items()
        if family.yosys and family.nextpnr and family.nextpnr.bitstream
        if (part := family.routed_part)
    ]
