"""Lattice ECP5."""

from kan_dialect.devices.family import Adders, DeviceFamily, LutMemory, Timing
from kan_dialect.devices.open_tools import Bitstream, Cell, Nextpnr, Yosys
from kan_dialect.devices.parts import Part

ECP5 = DeviceFamily(
    "ecp5",
    4,
    # By nextpnr, on networks of no benchmark.
    Timing(
        register=1.7,
        lut=1.4,
        carry=1.64,
        carry_bit=0.06,
        wide=0.2,
        clamp=0.92,
        spread=1.065,
        growth=0.065,
    ),
    # An adder takes a bit for the zero that stops its carry, and half a bit as a chain has an even
    # number. The carry cells at both ends, of two bits each, are those of a chain of many adders.
    # Yosys's `arith_map.v` tells which sums take a carry chain.
    Adders(
        carry_in_luts=1.0,
        further_luts=1.5,
        shortest_chain=5,
        cell_bits=2,
        chain_luts=4,
        joined_bits=48,
    ),
    wide_inputs=7,
    parts_factor=1.15,
    keeps_gates=False,
    lut_memory=LutMemory(16, 4, 4),
    yosys=Yosys(
        "synth_ecp5 -abc9",
        lut=r"LUT(4)",
        # Chosen by the benchmark set at 5 to 10 bits.
        restructured=0.07,
        register=r"TRELLIS_FF",
        # Adds two bits in the place of two lookup tables.
        carry=r"CCU2C",
        carry_luts=2,
        mux=r"PFUMX|L6MUX21",
        multiplier=r"MULT18X18D",
        memory=r"TRELLIS_DPR16X4|DP16KD|PDPW16KD",
        memory_luts={"TRELLIS_DPR16X4": 4},
        block_rams={"DP16KD": 1, "PDPW16KD": 1},
        keep_hierarchy="-noflatten",
    ),
    nextpnr=Nextpnr(
        "nextpnr-ecp5",
        part="LFE5U-85F",
        luts={"TRELLIS_COMB": 1},
        registers="TRELLIS_FF",
        register=Cell(
            "TRELLIS_FF",
            ("CLK", "DI"),
            "Q",
            # A blank behind text that would else be read as a number of bits.
            {"CEMUX": "1 ", "CLKMUX": "CLK", "GSR": "DISABLED", "LSRMUX": "LSR", "REGSET": "RESET"},
        ),
        out_of_context=True,
        bitstream=Bitstream("lpf", "--lpf-allow-unconstrained", "textcfg", "ecppack"),
    ),
    vendor_tool="diamond",
    # Lattice FPGA-DS-02012, "sysMEM Block Configurations". 512 words: PDPW16KD, of one read port.
    block_ram_shapes=((16_384, 1), (8_192, 2), (4_096, 4), (2_048, 9), (1_024, 18), (512, 36)),
    block_ram_reads=2,
    # Lattice FPGA-DS-02012. All are on the ULX3S board. Lattice sells a part of 24,288 LUTs as the
    # first one; open tools use all of them.
    parts=(
        Part(
            *("LFE5U-12F", 12_144, 12_144, 32, 28, "LFE5U-12F-6BG381C", 197),
            short="12",
            nextpnr=("--12k", "--package", "CABGA381"),
        ),
        Part(
            *("LFE5U-25F", 24_288, 24_288, 56, 28, "LFE5U-25F-6BG381C", 197),
            short="25",
            nextpnr=("--25k", "--package", "CABGA381"),
        ),
        Part(
            *("LFE5U-45F", 43_848, 43_848, 108, 72, "LFE5U-45F-6BG381C", 203),
            short="45",
            nextpnr=("--45k", "--package", "CABGA381"),
        ),
        Part(
            *("LFE5U-85F", 83_640, 83_640, 208, 156, "LFE5U-85F-6BG381C", 205),
            short="85",
            nextpnr=("--85k", "--package", "CABGA756"),
        ),
    ),
    project_part="LFE5U-85F",
)
