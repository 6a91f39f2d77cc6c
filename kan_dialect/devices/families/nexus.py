"""Lattice Nexus."""

from kan_dialect.devices.family import Adders, DeviceFamily, LutMemory, Timing
from kan_dialect.devices.open_tools import Bitstream, Cell, NetlistModule, Nextpnr, Yosys
from kan_dialect.devices.parts import Part


def _drop_constant_carries(module: NetlistModule) -> None:
    """Leave the carry into the first cell of a chain open, which that cell ignores.

    Yosys ties it to a constant, and nextpnr-nexus refuses a carry that no carry cell drives.
    """
    chains = [cell for cell in module["cells"].values() if cell["type"] == "CCU2"]
    driven = {cell["connections"]["COUT"][0] for cell in chains}
    for cell in chains:
        if cell["connections"].get("CIN", ["0"])[0] not in driven:
            cell["connections"].pop("CIN", None)
            cell["port_directions"].pop("CIN", None)


NEXUS = DeviceFamily(
    "nexus",
    4,
    # Of speed grade 9, by nextpnr.
    Timing(register=0.4, lut=0.45, carry=0.8, carry_bit=0.03),
    # A carry cell, of two lookup tables, feeds the carry in.
    Adders(shortest_chain=5, cell_bits=2, chain_luts=2),
    wide_inputs=5,
    lut_memory=LutMemory(16, 4, 4),
    yosys=Yosys(
        "synth_nexus -noiopad -abc9",
        lut=r"LUT(4)",
        register=r"FD1P3[BDIJ]X",
        carry=r"CCU2",
        carry_luts=2,
        mux=r"WIDEFN9",
        mux_luts=2,
        multiplier=r"MULT\w+",
        memory_luts={"DPR16X4": 4},
        block_rams={"DP16K": 1, "PDP16K": 1, "PDPSC16K": 1},
        memory=r"DPR16X4|PDP\w*16K\w*|DP16K\w*|SP16K\w*|PDPSC16K\w*",
        keep_hierarchy="-noflatten",
        pad_option="-noiopad",
    ),
    nextpnr=Nextpnr(
        "nextpnr-nexus",
        part="LIFCL-40",
        luts={"OXIDE_COMB": 1},
        registers="OXIDE_FF",
        register=Cell("FD1P3IX", ("CK", "D"), "Q", {"GSR": "DISABLED"}),
        # The default router finds no way from the pin of the clock to its buffer in most designs.
        options=("--router", "router1"),
        pin_file="pins.pdc",
        pin_line="ldc_set_location -site {{{pin}}} [get_ports {port}]",
        harness_options=("--pdc", "pins.pdc"),
        input_pad=Cell("IB", ("I",), "O"),
        prepare=_drop_constant_carries,
        bitstream=Bitstream("pdc", "", "fasm", "prjoxide pack"),
    ),
    vendor_tool="radiant",
    # Lattice FPGA-DS-02049, "sysMEM Memory Block Configurations". Large RAMs are left out.
    block_ram_shapes=((16_384, 1), (8_192, 2), (4_096, 4), (2_048, 9), (1_024, 18), (512, 36)),
    block_ram_reads=2,
    # Lattice FPGA-DS-02049, and nextpnr's count of lookup tables: 17,000 and 39,000 are logic cells
    # by the vendor. LIFCL-40 is on its evaluation board.
    parts=(
        Part(
            *("LIFCL-17", 13_824, 13_824, 24, 24, "LIFCL-17-9BG256C", 78),
            tool_name="9_High-Performance_1.0V",
            nextpnr=("--device", "LIFCL-17-9BG256C"),
            harness_pins=("F16", "E16"),
        ),
        Part(
            *("LIFCL-40", 32_256, 32_256, 84, 56, "LIFCL-40-9BG400C", 192),
            tool_name="9_High-Performance_1.0V",
            nextpnr=("--device", "LIFCL-40-9BG400C"),
            harness_pins=("L13", "E11"),
        ),
        Part(
            *("LFD2NX-40", 32_256, 32_256, 84, 56, "LFD2NX-40-9BG256C"),
            tool_name="9_High-Performance_1.0V",
            nextpnr=("--device", "LFD2NX-40-9BG256C"),
            harness_pins=("K12", "E11"),
        ),
    ),
    project_part="LIFCL-40",
)
