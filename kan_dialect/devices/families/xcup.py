"""AMD UltraScale+."""

from kan_dialect.devices.family import Adders, DeviceFamily, LutMemory, Timing
from kan_dialect.devices.open_tools import Yosys
from kan_dialect.devices.parts import Part

XILINX_CELLS = Yosys(
    "synth_xilinx -family xcup -flatten -noiopad -noclkbuf -abc9",
    lut=r"LUT(\d)",
    # `abc9_lut` of `xilinx/cells_sim.v`.
    lut_areas=(1, 2, 3, 3, 3, 5, 10, 20),
    # Chosen by the benchmark set at 5 to 10 bits.
    restructured=0.15,
    register=r"FD[RSCP]E(_1)?",
    carry=r"CARRY[48]",
    mux=r"MUXF[789]",
    multiplier=r"DSP48E2",
    memory=r"RAM[B\d]\w*|URAM\w*",
    memory_luts={"RAM32M": 4, "RAM64M": 4, "RAM32M16": 8, "RAM64M8": 8},
    block_rams={"RAMB18E2": 1, "RAMB36E2": 2},
    shift_register=r"SRL\w+",
    statistics="stat -json -tech xilinx",
)
"""`luts` is Yosys's estimate of logic cells, in which two small tables share one."""

XCUP = DeviceFamily(
    "xcup",
    6,
    # No open tool times these devices: delays are rough, from the published periods of ten designs
    # (`benchmarks/calibrate_clock.py --vendor`).
    Timing(
        register=0.12, lut=0.25, carry=0.31, carry_bit=0.008, clamp=0.26, spread=1.1, growth=0.12
    ),
    # Five inputs: synthesis does not always find the one LUT, as its mapper counts a LUT6 as much
    # as a LUT5 and a LUT2 (docs/rationale/hardware.md).
    Adders(
        whole_bits=False,
        bit_luts=0.5,
        constant_luts=0,
        shortest_chain=3,
        absorbed_luts=(0.5, 0.5, 0.5, 0.5, 1.0, 1.25),
    ),
    shared_inputs=4,
    wide_inputs=8,
    wide_factor=1.75,
    expected_wide_factor=1.5,
    clamps_by_reset=True,
    shortest_shift=3,
    lut_memory=LutMemory(32, 14, 8),
    # AMD DS922, "Clock Buffers and Networks": F_MAX of BUFG at speed grade -2 and 0.85 V, as of
    # `project_part`. It is 891 MHz at -3, and 667 MHz at -1.
    highest_mhz=775.0,
    yosys=XILINX_CELLS,
    vendor_tool="vivado",
    # AMD UG573, "Block RAM": RAMB18; RAMB36 is two of them.
    block_ram_shapes=((16_384, 1), (8_192, 2), (4_096, 4), (2_048, 9), (1_024, 18), (512, 36)),
    block_ram_reads=2,
    # AMD DS890 and DS891. XCKU5P is on the KCU116 board; the models of KANELÉ are on XCVU9P.
    parts=(
        Part("XCZU3EG", 70_560, 141_120, 432, 360, "xczu3eg-sbva484-1-e", 82, "zynquplus"),
        Part("XCKU5P", 216_960, 433_920, 960, 1_824, "xcku5p-ffvb676-2-e", 280, "kintexuplus"),
        Part(
            *("XCVU9P", 1_182_240, 2_364_480, 4_320, 6_840),
            *("xcvu9p-flgb2104-2-i", 702, "virtexuplus"),
        ),
    ),
    project_part="XCKU5P",
)
