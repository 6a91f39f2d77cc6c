"""The parts of device families: what each holds, by its vendor's data sheet.

Numbers of lookup tables are in the units of the family's figures: halves of an ALM of Cyclone V and
of a CPE of GateMate. Families of one name have parts of several series: delays are those of the
series that `device.py` names.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """A part: its resources, and how vendors' tools are told of it."""

    name: str
    luts: int
    registers: int
    """Flip-flops of the logic; those of pads, memories and multipliers are not counted."""
    block_rams: int
    """Blocks of the size that the vendor counts them in."""
    multipliers: int
    """Multipliers of 18 by 18 bits, or DSP slices of AMD."""
    ordering_code: str
    """The part in a package and speed grade, as tools take it."""
    pins: int
    """Pins of that package for signals."""
    tool_name: str = ""
    """What the vendor's tool takes beside the ordering code: the family (Vivado, Quartus), the
    performance grade (Radiant), the device (Gowin)."""

    def holds(self, luts: int, registers: int) -> bool:
        """Whether a design of this size is within the part's resources."""
        return luts <= self.luts and registers <= self.registers


ULTRASCALE_PLUS = (
    Part("XCZU3EG", 70_560, 141_120, 216, 360, "xczu3eg-sbva484-1-e", 82, "zynquplus"),
    Part("XCKU5P", 216_960, 433_920, 480, 1_824, "xcku5p-ffvb676-2-e", 280, "kintexuplus"),
    Part("XCVU9P", 1_182_240, 2_364_480, 2_160, 6_840, "xcvu9p-flgb2104-2-i", 702, "virtexuplus"),
)
"""AMD DS890 and DS891. XCKU5P is on the KCU116 board."""

SERIES_7 = (
    Part("XC7A15T", 10_400, 20_800, 25, 45, "xc7a15tcpg236-1", 106, "artix7"),
    Part("XC7A35T", 20_800, 41_600, 50, 90, "xc7a35ticsg324-1L", 210, "artix7"),
    Part("XC7A50T", 32_600, 65_200, 75, 120, "xc7a50tcsg324-1", 210, "artix7"),
    Part("XC7A100T", 63_400, 126_800, 135, 240, "xc7a100tcsg324-1", 210, "artix7"),
    Part("XC7A200T", 134_600, 269_200, 365, 740, "xc7a200tsbg484-1", 285, "artix7"),
)
"""AMD DS180. XC7A35T is on the Arty A7-35 board."""

ECP5_PARTS = (
    # Lattice sells a part of 24,288 LUTs as this one. Open tools use all of them.
    Part("LFE5U-12F", 12_144, 12_144, 32, 28, "LFE5U-12F-6BG381C", 197),
    Part("LFE5U-25F", 24_288, 24_288, 56, 28, "LFE5U-25F-6BG381C", 197),
    Part("LFE5U-45F", 43_848, 43_848, 108, 72, "LFE5U-45F-6BG381C", 203),
    Part("LFE5U-85F", 83_640, 83_640, 208, 156, "LFE5U-85F-6BG381C", 205),
)
"""Lattice FPGA-DS-02012. All are on the ULX3S board."""

ICE40_PARTS = (
    Part("iCE40HX1K", 1_280, 1_280, 16, 0, "iCE40HX1K-TQ144", 95),
    Part("iCE40LP1K", 1_280, 1_280, 16, 0, "iCE40LP1K-CM121", 95),
    # HX4K and LP4K are parts of 7,680 LUTs, which open tools use.
    Part("iCE40HX4K", 3_520, 3_520, 20, 0, "iCE40HX4K-TQ144", 107),
    Part("iCE40UP5K", 5_280, 5_280, 30, 8, "iCE40UP5K-SG48", 39),
    Part("iCE40HX8K", 7_680, 7_680, 32, 0, "iCE40HX8K-CT256", 206),
    Part("iCE40LP8K", 7_680, 7_680, 32, 0, "iCE40LP8K-CM225", 178),
)
"""Lattice FPGA-DS-02029 (LP, HX) and FPGA-DS-02008 (UP)."""

CYCLONE_V_PARTS = (
    Part("5CEBA4", 36_960, 73_920, 308, 132, "5CEBA4F23C7", 224, "Cyclone V"),
    Part("5CSEBA6", 83_018, 166_036, 557, 224, "5CSEBA6U23I7", 145, "Cyclone V"),
    Part("5CEBA9", 227_120, 454_240, 1_220, 684, "5CEBA9F31C7", 480, "Cyclone V"),
)
"""Intel CV-51001, whose ALMs hold two lookup tables. 5CSEBA6 is on the DE10-Nano board."""

GOWIN_PARTS = (
    Part("GW1N-9", 8_640, 6_480, 26, 20, "GW1NR-LV9QN88PC6/I5", 71, "GW1NR-9C"),
    Part("GW2A-18", 20_736, 15_552, 46, 48, "GW2AR-LV18QN88C8/I7", 66, "GW2AR-18C"),
)
"""Gowin DS100 and DS102, and DS117 and DS226 of their packages. GW1NR-9 is on the Tang Nano 9K
board, GW2AR-18 on the Tang Nano 20K."""

NEXUS_PARTS = (
    Part("LIFCL-17", 13_824, 13_824, 24, 24, "LIFCL-17-9BG256C", 78, "9_High-Performance_1.0V"),
    Part("LIFCL-40", 32_256, 32_256, 84, 56, "LIFCL-40-9BG400C", 192, "9_High-Performance_1.0V"),
)
"""Lattice FPGA-DS-02049, and nextpnr's count of lookup tables: 17,000 and 39,000 are logic cells by
the vendor. LIFCL-40 is on its evaluation board. LFD2NX-17 and -40 have the same resources."""

GATEMATE_PARTS = (Part("CCGM1A1", 40_960, 40_960, 32, 0, "CCGM1A1", 162),)
"""Cologne Chip DS1001: 20,480 CPEs of two halves, as nextpnr counts them."""
