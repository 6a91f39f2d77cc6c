"""Gowin GW1N (LittleBee) and GW2A (Arora)."""

from kan_dialect.devices.family import Adders, DeviceFamily, LutMemory, Timing
from kan_dialect.devices.open_tools import Cell, NetlistModule, Nextpnr, Yosys
from kan_dialect.devices.parts import Part


def _widen_tables(module: NetlistModule) -> None:
    """Make LUT1, LUT2 and LUT3 a LUT4 with open inputs.

    The device has no others, but nextpnr for Gowin has delays of LUT4 only and leaves out all paths
    through smaller ones (0.11).
    """
    for cell in module["cells"].values():
        if cell["type"] in ("LUT1", "LUT2", "LUT3"):
            entries = 1 << int(cell["type"][3])
            table: str = cell["parameters"]["INIT"]
            cell["parameters"]["INIT"] = table[-entries:] * (16 // entries)
            cell["type"] = "LUT4"


GOWIN = DeviceFamily(
    "gowin",
    4,
    # Of GW1N at speed grade C6/I5, by nextpnr.
    Timing(register=0.8, lut=1.45, carry=2.3, carry_bit=0.057),
    Adders(shortest_chain=3),
    wide_inputs=8,
    lut_memory=LutMemory(16, 4, 4),
    yosys=Yosys(
        "synth_gowin -family gw1n -noiopads",
        lut=r"LUT(\d)",
        # Fitted to the benchmark set at 4 to 8 bits. Yosys's library (`abc9_lut`) has twice as much
        # for each further input, but ABC makes more wide functions than that: each is one level.
        lut_areas=(1, 1, 1, 1, *(1.55**further for further in range(1, 5))),
        register=r"DFF\w*",
        carry=r"ALU",
        carry_luts=1,
        mux=r"MUX2_LUT[5-8]",
        memory_luts={"RAM16SDP4": 4, "RAM16SDP2": 2, "RAM16SDP1": 1},
        block_rams={"SP": 1, "SPX9": 1, "SDPB": 1, "SDPX9B": 1, "DPB": 1, "DPX9B": 1},
        memory=r"RAM16S\w*|S?[DS]PX?9?B?",
        keep_hierarchy="-noflatten",
    ),
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
        prepare=_widen_tables,
    ),
    vendor_tool="gowin",
    # Gowin DS100, "Memory Size Configuration" of BSRAM.
    block_ram_shapes=((16_384, 1), (8_192, 2), (4_096, 4), (2_048, 9), (1_024, 18), (512, 36)),
    block_ram_reads=2,
    # Gowin DS100 and DS102, and DS117 and DS226 of their packages; nextpnr's count of GW1N-1, -4
    # and GW1NZ-1. GW1NR-9 is on the Tang Nano 9K board, GW2AR-18 on the Tang Nano 20K.
    parts=(
        Part(
            *("GW1N-1", 1_152, 864, 4, 0, "GW1N-LV1QN48C6/I5"),
            tool_name="GW1N-1",
            nextpnr=("--device", "GW1N-LV1QN48C6/I5", "--vopt", "family=GW1N-1"),
            harness_pins=("35", "10"),
        ),
        Part(
            *("GW1NZ-1", 1_152, 864, 4, 0, "GW1NZ-LV1QN48C6/I5"),
            tool_name="GW1NZ-1",
            nextpnr=("--device", "GW1NZ-LV1QN48C6/I5", "--vopt", "family=GW1NZ-1"),
            harness_pins=("47", "18"),
        ),
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
        Part(
            *("GW2A-18", 20_736, 15_552, 46, 48, "GW2AR-LV18QN88C8/I7", 66, "GW2AR-18C"),
            nextpnr=("--device", "GW2AR-LV18QN88C8/I7", "--vopt", "family=GW2A-18C"),
            harness_pins=("4", "25"),
        ),
    ),
    project_part="GW2A-18",
)
