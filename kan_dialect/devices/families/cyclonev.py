"""Intel Cyclone V. An ALM counts as two lookup tables."""

from kan_dialect.devices.family import DeviceFamily, LutMemory, Timing
from kan_dialect.devices.open_tools import Yosys
from kan_dialect.devices.parts import Part

CYCLONEV = DeviceFamily(
    "cyclonev",
    6,
    # MISTRAL_FF, MISTRAL_ALUT6, MISTRAL_ALUT_ARITH of Yosys's library, as much again for routing:
    # an estimate, as no wheel of nextpnr times it.
    Timing(register=0.9, lut=1.2, carry=2.4, carry_bit=0.036),
    # An MLAB, whose ALMs Yosys does not count.
    lut_memory=LutMemory(32, 20, 0),
    yosys=Yosys(
        "synth_intel_alm -family cyclonev -noiopad -noclkbuf",
        lut=r"MISTRAL_(?:ALUT|NOT)([2-6]?)",
        # `abc9_lut` of `intel_alm/common/alm_sim.v`.
        lut_areas=(1, 1, 1, 1, 1, 2),
        register=r"MISTRAL_FF",
        carry=r"MISTRAL_ALUT_ARITH",
        carry_luts=1,
        multiplier=r"MISTRAL_MUL\w+",
        memory=r"MISTRAL_M(LAB|10K)",
        block_rams={"MISTRAL_M10K": 1},
        keep_hierarchy="-noflatten",
    ),
    vendor_tool="quartus",
    # Intel CV-52002, "Memory Features": M10K. Yosys takes a block for each read port.
    block_ram_shapes=((8_192, 1), (4_096, 2), (2_048, 5), (1_024, 10), (512, 20), (256, 40)),
    # Intel CV-51001. 5CSEBA6 is on the DE10-Nano board.
    parts=(
        Part("5CEBA4", 36_960, 73_920, 308, 132, "5CEBA4F23C7", 224, "Cyclone V"),
        Part("5CSEBA6", 83_018, 166_036, 557, 224, "5CSEBA6U23I7", 145, "Cyclone V"),
        Part("5CEBA9", 227_120, 454_240, 1_220, 684, "5CEBA9F31C7", 480, "Cyclone V"),
    ),
    project_part="5CSEBA6",
)
