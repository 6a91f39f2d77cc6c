"""What is wrong with a record of a device, for packages that publish one."""

from __future__ import annotations

import math
import re
from typing import cast

from kan_dialect.devices.family import (
    MAX_LUT_INPUTS,
    MAX_WIDE_INPUTS,
    VENDOR_TOOLS,
    Adders,
    DeviceFamily,
    Timing,
)
from kan_dialect.devices.open_tools import Nextpnr, Yosys
from kan_dialect.devices.parts import Part


def problem_of(family: DeviceFamily) -> str | None:
    """What is wrong with the figures of a device, in words; None if nothing is."""
    timing, adders, inputs = family.timing, family.adders, family.lut_inputs
    if type(timing) is not Timing or type(adders) is not Adders:
        return "timing must be a Timing, and adders an Adders"
    if type(inputs) is not int or not 3 <= inputs <= MAX_LUT_INPUTS:
        return f"lut_inputs must be an integer in 3..{MAX_LUT_INPUTS}, got {inputs!r}"
    counts = {
        "shared_inputs": (family.shared_inputs, 0, family.lut_inputs),
        "wide_inputs": (family.wide_inputs, 0, MAX_WIDE_INPUTS),
        "adders.shortest_chain": (adders.shortest_chain, 0, 64),
        "adders.chain_luts": (adders.chain_luts, 0, 16),
        "adders.joined_bits": (adders.joined_bits, 0, 1 << 10),
        "shortest_shift": (family.shortest_shift, 0, 1 << 20),
        "block_ram_reads": (family.block_ram_reads, 1, 2),
        "adders.bit_inputs": (adders.bit_inputs, 2, family.lut_inputs),
        "the length of adders.absorbed_luts": (
            adders.absorbed_inputs + 1,
            0,
            family.lut_inputs + 1,
        ),
    }
    for name, (count, low, high) in counts.items():
        if type(count) is not int or not low <= count <= high:
            return f"{name} must be an integer in {low}..{high}, got {count!r}"
    figures = {
        **{f"timing.{name}": value for name, value in vars(timing).items()},
        "adders.carry_in_luts": adders.carry_in_luts,
        "adders.further_luts": adders.further_luts,
        **{f"adders.absorbed_luts[{i}]": luts for i, luts in enumerate(adders.absorbed_luts)},
    }
    for name, value in figures.items():
        if not _is_figure(value) or value < 0:
            return f"{name} must be a number, 0 or more, got {value!r}"
    positive = {
        "timing.lut": timing.lut,
        "timing.spread": timing.spread,
        "adders.bit_luts": adders.bit_luts,
        "wide_factor": family.wide_factor,
        "expected_wide_factor": family.expected_wide_factor,
        "parts_factor": family.parts_factor,
    }
    if family.highest_mhz is not None:
        positive["highest_mhz"] = family.highest_mhz
    for name, value in positive.items():
        if not _is_figure(value) or value <= 0:
            return f"{name} must be a positive number, got {value!r}"
    if 0 < family.wide_inputs <= family.lut_inputs:
        return f"wide_inputs must be 0 or more than lut_inputs, got {family.wide_inputs}"
    return _problem_of_block_rams(family) or _problem_of_parts(family) or _problem_of_tools(family)


def _problem_of_block_rams(family: DeviceFamily) -> str | None:
    shapes: object = family.block_ram_shapes
    if type(shapes) is not tuple or not all(map(_is_shape, cast("tuple[object, ...]", shapes))):
        return f"block_ram_shapes must be pairs of words and bits, got {shapes!r}"
    if len(family.block_ram_shapes) < 2 == family.block_ram_reads:
        return f"block_ram_reads of 2 needs two shapes or more, got {shapes!r}"
    return None


def _is_shape(shape: object) -> bool:
    pair = cast("tuple[object, ...]", shape) if isinstance(shape, tuple) else ()
    return len(pair) == 2 and all(isinstance(number, int) and number > 0 for number in pair)


def _problem_of_parts(family: DeviceFamily) -> str | None:
    parts: object = family.parts
    if type(parts) is not tuple or any(type(part) is not Part for part in family.parts):
        return "parts must be a tuple of Part"
    names = [part.name for part in family.parts]
    if family.project_part not in (names or [""]):
        return f"project_part must be one of the parts, got {family.project_part!r}"
    if family.vendor_tool not in ("", *VENDOR_TOOLS) or (family.vendor_tool and not names):
        return f"vendor_tool must be one of {', '.join(VENDOR_TOOLS)}, with parts, or empty"
    if [*family.parts] != sorted(family.parts, key=lambda part: part.luts):
        return "parts must begin with the one of the fewest LUTs"
    return None


def _problem_of_tools(family: DeviceFamily) -> str | None:
    yosys, nextpnr = family.yosys, family.nextpnr
    if yosys is not None and type(yosys) is not Yosys:
        return f"yosys must be a Yosys, got {yosys!r}"
    if nextpnr is not None and type(nextpnr) is not Nextpnr:
        return f"nextpnr must be a Nextpnr, got {nextpnr!r}"
    if yosys is None:
        return None if nextpnr is None else "nextpnr needs the netlists of yosys"
    for name in ("lut", "register", "carry", "mux", "multiplier", "memory", "shift_register"):
        pattern: object = getattr(yosys, name)
        try:
            groups = re.compile(cast("str", pattern)).groups
        except (re.error, TypeError):
            return f"yosys.{name} must be a regular expression, got {pattern!r}"
        if name == "lut" and groups != 1:
            return f"yosys.lut must have one group, the number of inputs, got {pattern!r}"
    if nextpnr is not None and family.routed_part is None:
        return "nextpnr needs a part with options for it"
    return None if yosys.command else "yosys has no command"


def _is_figure(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
