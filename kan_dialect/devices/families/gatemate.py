"""Cologne Chip GateMate. Lookup tables are halves of a CPE, which full adders take as well."""

from kan_dialect.devices.family import Adders, DeviceFamily, Timing
from kan_dialect.devices.open_tools import WITHOUT_LUT_MEMORY, Cell, Nextpnr, Yosys
from kan_dialect.devices.parts import Part

GATEMATE = DeviceFamily(
    "gatemate",
    # Half a CPE holds any function of two inputs, and of four inputs a tree of these only.
    3,
    # Of speed mode and the worst corner, by nextpnr.
    Timing(register=0.65, lut=2.2, carry=2.5, carry_bit=0.1),
    Adders(shortest_chain=3),
    yosys=Yosys(
        # nextpnr places the cells of `-luttree`, and no CC_MX8.
        "synth_gatemate -noiopad -noclkbuf -luttree -nomx8",
        # A multiplexer of two inputs is a lookup table of three.
        lut=r"CC_(?:LUT|L2T|MX(?=2))([1-5])",
        register=r"CC_DFF",
        carry=r"CC_ADDF",
        carry_luts=1,
        mux=r"CC_MX4",
        mux_luts=2,
        covers_choices=True,
        multiplier=r"CC_MULT",
        memory=r"CC_BRAM_[24]0K",
        block_rams={"CC_BRAM_20K": 1, "CC_BRAM_40K": 2},
        prepare=WITHOUT_LUT_MEMORY,
        keep_hierarchy="-noflatten",
    ),
    nextpnr=Nextpnr(
        "nextpnr-himbaechel-gatemate",
        part="CCGM1A1",
        # Adders of two bits and multiplexers of four inputs are whole CPEs.
        luts={"CPE_LT": 1, "CPE_ADDF": 2, "CPE_ADDF2": 2, "CPE_MX4": 2},
        registers="CPE_FF",
        register=Cell(
            "CC_DFF",
            ("CLK", "D"),
            "Q",
            {"CLK_INV": "0", "EN_INV": "0", "SR_INV": "0", "SR_VAL": "0", "INIT": "x"},
            {"EN": "1", "SR": "0"},
        ),
        luts_at_registers=True,
        harness_options=("--vopt", "allow-unconstrained"),
        input_pad=Cell("CC_IBUF", ("I",), "Y"),
        output_pad=Cell("CC_OBUF", ("A",), "O"),
        exclusive_or=Cell("CC_LUT2", ("I0", "I1"), "O", {"INIT": "0110"}),
    ),
    # Cologne Chip DS1001, "Block RAM": halves of 20 kbit.
    block_ram_shapes=((16_384, 1), (8_192, 2), (4_096, 5), (2_048, 10), (1_024, 20), (512, 40)),
    block_ram_reads=2,
    # Cologne Chip DS1001: 20,480 CPEs of two halves, as nextpnr counts them. CCGM1A2 has
    # two such dies. nextpnr counts 32 block RAMs a die.
    parts=(
        Part(
            *("CCGM1A1", 40_960, 40_960, 64, 0, "CCGM1A1", 162),
            nextpnr=("--device", "CCGM1A1"),
        ),
        Part(
            *("CCGM1A2", 81_920, 81_920, 128, 0, "CCGM1A2"),
            nextpnr=("--device", "CCGM1A2"),
        ),
    ),
    project_part="CCGM1A1",
)
