"""A part of a device family: what it holds, and how tools are told of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """A part, in one of its packages.

    Lookup tables are in the units of the family's figures: halves of an ALM of Cyclone V and of a
    CPE of GateMate.
    """

    name: str
    luts: int
    registers: int
    """Flip-flops of the logic; those of pads, memories and multipliers are not counted."""
    block_rams: int | None
    """Blocks of the size that the vendor counts them in; None where no source is known."""
    multipliers: int | None
    """Multipliers of 18 by 18 bits, or DSP slices of AMD; None where no source is known."""
    ordering_code: str = ""
    """The part in a package and speed grade, as vendors' tools take it."""
    pins: int = 0
    """Pins of that package for signals; 0 where no source is known: projects then need a module of
    few pins."""
    tool_name: str = ""
    """What the vendor's tool takes beside the ordering code: the family (Vivado, Quartus), the
    performance grade (Radiant), the device (Gowin)."""
    short: str = ""
    """The name behind that of the family, `25` of `ecp5-25`; empty: `name` in lower case."""
    nextpnr: tuple[str, ...] = ()
    """Options of nextpnr that name part and package; empty: nextpnr does not place it."""
    harness_pins: tuple[str, str] = ("", "")
    """Pins for clock and data, where nextpnr needs a design with pins (`Nextpnr.pin_file`)."""

    def holds(self, luts: int, registers: int, block_rams: int = 0) -> bool:
        """Whether a design of this size is within the resources that are known of the part."""
        has_blocks = self.block_rams is None or block_rams <= self.block_rams
        return luts <= self.luts and registers <= self.registers and has_blocks

    def target_of(self, family: str) -> str:
        """The name that options take for the part: `ecp5-25`."""
        return f"{family}-{self.short or self.name.lower()}"
