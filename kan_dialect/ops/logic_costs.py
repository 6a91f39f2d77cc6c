"""Costs on a device of tests and comparisons, which several wire-level ops are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kan_dialect.devices.device import DeviceFamily

MUX_INPUTS = 3
"""Inputs of a choice between two bits."""


def luts_of_test(bits: int, device: DeviceFamily) -> int:
    """LUTs, one after the other, of a test of `bits` bits."""
    return -(-(bits - 1) // (device.lut_inputs - 1))


def comparison_delay(bits: int, device: DeviceFamily) -> float:
    """Delay in ns of an adder or a comparison of two numbers of `bits` bits, to its last bit."""
    timing = device.timing
    if not device.adders.carry_chains:
        return timing.lut * (1 + bits.bit_length())
    return timing.carry + bits * timing.carry_bit
