"""Gowin GW1N (LittleBee): lookup tables of four inputs, and multiplexers that join them.

Source of the delays: `techlibs/gowin/cells_sim.v` of Yosys 0.70 (ISC licence), slowest corner and
slowest input, from the timing data of Project Apicula. The source has no delays of routing, so
clocks by these figures are upper bounds.
"""

from kan_dialect.devices.device import Adders, Cell, DeviceFamily, Nextpnr, Part, Timing, Yosys

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
    # `help synth_gowin` and `techlibs/gowin/cells_sim.v` of Yosys: the command, and types of cells.
    yosys=Yosys(
        "synth_gowin -family gw1n -noiopads",
        lut=r"LUT(\d)",
        register=r"DFF\w*",
        carry=r"ALU",
        carry_luts=1,
        mux=r"MUX2_LUT[5-8]",
        memory=r"RAM16S\w*|S?[DS]PX?9?B?",
        block_rams={"SP": 1, "SPX9": 1, "SDPB": 1, "SDPX9B": 1, "DPB": 1, "DPX9B": 1},
        keep_hierarchy="-noflatten",
    ),
    # nextpnr chooses no pins: the design gets registers at its ports, and pins for clock and data.
    nextpnr=Nextpnr(
        "nextpnr-himbaechel-gowin",
        part="GW1N-9",
        luts={"LUT4": 1, "ALU": 1},
        registers="DFF",
        register=Cell("DFF", ("CLK", "D"), "Q"),
        pin_file="pins.cst",
        pin_line='IO_LOC "{port}" {pin};',
        harness_options=("--vopt", "cst=pins.cst"),
        input_pad=Cell("IBUF", ("I",), "O"),
    ),
    vendor_tool="gowin",
    # Gowin DS100, "Memory Size Configuration" of BSRAM.
    block_ram_shapes=((16_384, 1), (8_192, 2), (4_096, 4), (2_048, 9), (1_024, 18), (512, 36)),
    block_ram_reads=2,
    # nextpnr's count of both parts.
    parts=(
        Part(
            *("GW1N-4", 4_608, 3_456, 10, 16, "GW1N-LV4QN88C6/I5"),
            tool_name="GW1N-4",
            nextpnr=("--device", "GW1N-LV4QN88C6/I5", "--vopt", "family=GW1N-4"),
            harness_pins=("10", "25"),
        ),
        Part(
            *("GW1N-9", 8_640, 6_480, 26, 20, "GW1NR-LV9QN88PC6/I5", 71, "GW1NR-9C"),
            nextpnr=("--device", "GW1NR-LV9QN88PC6/I5", "--vopt", "family=GW1N-9C"),
            harness_pins=("52", "10"),
        ),
    ),
    project_part="GW1N-9",
)
