"""AMD 7-series: the logic cells of UltraScale+."""

from dataclasses import replace

from kan_dialect.devices.families.xcup import XCUP, XILINX_CELLS
from kan_dialect.devices.family import Timing
from kan_dialect.devices.parts import Part

XC7 = replace(
    XCUP,
    name="xc7",
    # An estimate: no nextpnr wheel times these devices.
    timing=Timing(register=0.6, lut=0.9, carry=1.1, carry_bit=0.03),
    highest_mhz=None,
    yosys=replace(
        XILINX_CELLS,
        command="synth_xilinx -family xc7 -flatten -noiopad -noclkbuf -abc9",
        multiplier=r"DSP48E1",
        block_rams={"RAMB18E1": 1, "RAMB36E1": 2},
    ),
    # AMD DS180; shapes of block RAMs are those of UltraScale+ (AMD UG473). XC7A35T is on the Arty
    # A7-35 board.
    parts=(
        Part("XC7A15T", 10_400, 20_800, 50, 45, "xc7a15tcpg236-1", 106, "artix7"),
        Part("XC7A35T", 20_800, 41_600, 100, 90, "xc7a35ticsg324-1L", 210, "artix7"),
        Part("XC7A50T", 32_600, 65_200, 150, 120, "xc7a50tcsg324-1", 210, "artix7"),
        Part("XC7A100T", 63_400, 126_800, 270, 240, "xc7a100tcsg324-1", 210, "artix7"),
        Part("XC7A200T", 134_600, 269_200, 730, 740, "xc7a200tsbg484-1", 285, "artix7"),
    ),
    project_part="XC7A35T",
)
