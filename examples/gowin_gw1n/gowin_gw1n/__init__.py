"""Gowin GW1N (LittleBee): lookup tables of four inputs, and multiplexers that join them.

Source: `techlibs/gowin/cells_sim.v` of Yosys 0.70 (ISC licence), slowest corner and slowest input,
from the timing data of Project Apicula. The source has no delays of routing, so clocks by these
figures are upper bounds.
"""

from kan_dialect.devices.device import Adders, DeviceFamily, Timing

GW1N = DeviceFamily(
    "gw1n",
    lut_inputs=4,
    timing=Timing(
        register=0.660 + 0.576,  # DFF: clock to output, and setup
        lut=1.583,  # LUT4: I1 => F
        carry=1.505 + 0.811,  # ALU: I1 => COUT, and CIN => SUM
        carry_bit=0.082,  # ALU: CIN => COUT
    ),
    # An ALU takes the place of a LUT4 for each bit of a sum.
    adders=Adders(whole_bits=True, bit_luts=1.0),
    # MUX2_LUT5 to MUX2_LUT8.
    wide_inputs=8,
)
