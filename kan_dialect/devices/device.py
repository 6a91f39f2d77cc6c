"""Devices by name: families, their parts, Liberty files, and devices of other packages.

A family is a file in `families/` and an entry in `FAMILIES`. Other packages publish theirs under
the entry point group `kan_dialect.devices`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from kan_dialect.devices.families.cyclonev import CYCLONEV
from kan_dialect.devices.families.ecp5 import ECP5
from kan_dialect.devices.families.gatemate import GATEMATE
from kan_dialect.devices.families.generic import generic
from kan_dialect.devices.families.gowin import GOWIN
from kan_dialect.devices.families.ice40 import ICE40
from kan_dialect.devices.families.nexus import NEXUS
from kan_dialect.devices.families.xc7 import XC7
from kan_dialect.devices.families.xcup import XCUP
from kan_dialect.devices.family import MAX_LUT_INPUTS, Adders, DeviceFamily, LutMemory, Timing
from kan_dialect.devices.family_check import problem_of
from kan_dialect.devices.open_tools import Bitstream, Cell, Nextpnr, Yosys
from kan_dialect.devices.parts import Part
from kan_dialect.devices.standard_cells import is_library, standard_cells
from kan_dialect.errors import KanError
from kan_dialect.extensions import Registry

__all__ = [
    "DEVICES",
    "ECP5",
    "FAMILIES",
    "ICE40",
    "REGISTRY",
    "XCUP",
    "Adders",
    "Bitstream",
    "Cell",
    "DeviceFamily",
    "LutMemory",
    "Nextpnr",
    "Part",
    "Timing",
    "Yosys",
    "described_devices",
    "device",
    "device_names",
    "generic",
]

FAMILIES = (XCUP, ECP5, ICE40, XC7, CYCLONEV, GOWIN, NEXUS, GATEMATE)
"""Families of vendors."""

_GENERIC = map(generic, range(3, MAX_LUT_INPUTS + 1))

DEVICES = {family.name: family for family in (*FAMILIES, *_GENERIC)}
"""Devices by name: xcup, ecp5, ice40, xc7, cyclonev, gowin, nexus, gatemate, lut3 .. lut8."""

REGISTRY = Registry("kan_dialect.devices", DeviceFamily, "device", problem_of, DEVICES)
"""All devices: those of other packages go by the names of their entry points."""


@lru_cache(1 << 6)
def device(name: str) -> DeviceFamily:
    """The device of a name: `ecp5`, a part of a family, `ecp5-25`, or a Liberty file, `cells.lib`.

    Costs of a part are those of its family. The result has this part only.

    Raises
    ------
    KanError : the name is unknown; lists near names. Or its package publishes no valid record, or
        two packages have it; or as of `read_library`.
    """
    if is_library(name):
        return standard_cells(Path(name))
    found = REGISTRY.find(name)
    if found is not None:
        return found
    names = device_names()
    family_name = max((each for each in names if name.startswith(f"{each}-")), key=len, default="")
    family = REGISTRY.find(family_name) if family_name else None
    if family is not None and family.parts:
        return _part(family, name)
    raise KanError(f"there is no target {name!r}", remedy=f"take one of {', '.join(names)}")


def _part(family: DeviceFamily, name: str) -> DeviceFamily:
    parts = {part.target_of(family.name): part for part in family.parts}
    if name in parts:
        return family.on(parts[name])
    near = difflib.get_close_matches(name, parts, n=3) or parts
    raise KanError(f"{family.name} has no part {name!r}", remedy=f"take one of {', '.join(near)}")


def device_names() -> list[str]:
    """Names of all families, those of other packages last."""
    return REGISTRY.names()


def described_devices() -> Iterator[str]:
    """A line for each family, and one for each of its parts."""
    for name in device_names():
        try:
            family = device(name)
        except KanError as error:
            yield f"{name}  {error.message}"
            continue
        origin = "" if name in DEVICES else ", of an installed package"
        yield f"{name}  lookup tables of {family.lut_inputs} inputs{origin}"
        yield from (f"  {_described(part, family)}" for part in family.parts)


def _described(part: Part, family: DeviceFamily) -> str:
    """The part's name as a target, its own, and its size, in columns."""
    rams = _count(part.block_rams, "block RAMs")
    if part.block_rams and family.block_ram_kilobits:
        rams += f" of {family.block_ram_kilobits} kbit"
    columns = (
        f"{part.target_of(family.name):<18}{part.name:<11}",
        f"{_count(part.luts, 'LUTs'):>14}",
        f"{_count(part.registers, 'registers'):>19}",
        f"{rams:>27}",
        f"{_count(part.multipliers, 'multipliers'):>17}",
    )
    return "  ".join(columns) + ("  nextpnr" if part.nextpnr and family.nextpnr else "")


def _count(count: int | None, what: str) -> str:
    return f"{what} not known" if count is None else f"{count:,} {what}"
