"""Lattice iCE40."""

from kan_dialect.devices.family import Adders, DeviceFamily, Timing
from kan_dialect.devices.open_tools import WITHOUT_LUT_MEMORY, Bitstream, Cell, Nextpnr, Yosys
from kan_dialect.devices.parts import Part

ICE40 = DeviceFamily(
    "ice40",
    4,
    # Of HX parts by nextpnr, on networks of no benchmark.
    Timing(
        register=0.89,
        lut=1.19,
        carry=1.39,
        carry_bit=0.27,
        clamp=2.49,
        spread=1.08,
        growth=0.12,
    ),
    # A bit at a carry input takes a carry cell and no lookup table. A further adder takes lookup
    # tables for its last carry and where only one of its numbers has bits.
    Adders(
        constant_luts=0, carry_in_luts=1.0, further_luts=1.5, shortest_chain=3, beside_luts=True
    ),
    expected_wide_factor=1.125,
    chooses_by_luts=True,
    mapped_factor=0.55,
    # By nextpnr: 1350 cells for 861 lookup tables and 1069 registers.
    register_luts=0.5,
    # Lattice FPGA-DS-02029, "External Switching Characteristics, HX Devices": f_MAX_GBUF.
    highest_mhz=275.0,
    yosys=Yosys(
        "synth_ice40 -abc9",
        lut=r"SB_LUT(4)",
        register=r"SB_DFF\w*",
        carry=r"SB_CARRY",  # It sits beside a lookup table.
        multiplier=r"SB_MAC16",
        memory=r"SB_RAM40_4K\w*",
        block_rams={f"SB_RAM40_4K{edges}": 1 for edges in ("", "NR", "NW", "NRNW")},
        prepare=WITHOUT_LUT_MEMORY,
        keep_hierarchy="-noflatten",
    ),
    nextpnr=Nextpnr(
        "nextpnr-ice40",
        part="iCE40HX8K",
        luts={"ICESTORM_LC": 1},
        registers=None,
        register=Cell("SB_DFF", ("C", "D"), "Q"),
        # The default router may swap two arcs for ever here.
        options=("--router", "router2"),
        luts_at_registers=True,
        places_ports=True,
        bitstream=Bitstream("pcf", "--pcf-allow-unconstrained", "asc", "icepack"),
    ),
    # Lattice FPGA-DS-02029, "sysMEM Block Configurations": one read port.
    block_ram_shapes=((2_048, 2), (1_024, 4), (512, 8), (256, 16)),
    # Lattice FPGA-DS-02029 (LP, HX) and FPGA-DS-02008 (UP). HX4K and LP4K are parts of 7,680 LUTs,
    # which open tools use.
    parts=(
        Part(
            *("iCE40HX1K", 1_280, 1_280, 16, 0, "iCE40HX1K-TQ144", 95),
            short="hx1k",
            nextpnr=("--hx1k", "--package", "tq144"),
        ),
        Part(
            *("iCE40LP1K", 1_280, 1_280, 16, 0, "iCE40LP1K-CM121", 95),
            short="lp1k",
            nextpnr=("--lp1k", "--package", "cm121"),
        ),
        Part(
            *("iCE40HX4K", 3_520, 3_520, 20, 0, "iCE40HX4K-TQ144", 107),
            short="hx4k",
            nextpnr=("--hx4k", "--package", "tq144"),
        ),
        Part(
            *("iCE40LP4K", 3_520, 3_520, 20, 0, "iCE40LP4K-CM225", 167),
            short="lp4k",
            nextpnr=("--lp4k", "--package", "cm225"),
        ),
        Part(
            *("iCE40UP5K", 5_280, 5_280, 30, 8, "iCE40UP5K-SG48", 39),
            short="up5k",
            nextpnr=("--up5k", "--package", "sg48"),
        ),
        Part(
            *("iCE40HX8K", 7_680, 7_680, 32, 0, "iCE40HX8K-CT256", 206),
            short="hx8k",
            nextpnr=("--hx8k", "--package", "ct256"),
        ),
        Part(
            *("iCE40LP8K", 7_680, 7_680, 32, 0, "iCE40LP8K-CM225", 178),
            short="lp8k",
            nextpnr=("--lp8k", "--package", "cm225"),
        ),
    ),
    project_part="iCE40HX8K",
)
