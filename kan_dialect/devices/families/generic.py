"""Devices of nothing but lookup tables."""

from kan_dialect.devices.family import Adders, DeviceFamily, Timing
from kan_dialect.devices.open_tools import Yosys


def generic(inputs: int) -> DeviceFamily:
    """A device of lookup tables with this number of inputs; delays count levels."""
    return DeviceFamily(
        f"lut{inputs}",
        inputs,
        Timing(register=0.0, lut=1.0, carry=0.0, carry_bit=0.0),
        Adders(carry_chains=False, bit_luts=1.5),
        yosys=Yosys(
            f"synth -flatten -lut {inputs}",
            lut=r"\$lut_?(\d*)",
            register=r"\$_\w*DFF\w*",
            statistics="stat -json -width",
        ),
    )
