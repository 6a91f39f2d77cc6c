"""What Yosys calls the family's cells."""

from kan_dialect.flows.tools.synthesis import Target

GW1N = Target(
    "gw1n",
    "synth_gowin -family gw1n -noiopads",
    lut=r"LUT(\d)",
    register=r"DFF\w*",
    carry=r"ALU",
    carry_luts=1,
    mux=r"MUX2_LUT[5-8]",
    memory=r"RAM16S\w*|S?[DS]PX?9?B?",
)
