"""Whether a design fits the parts of its device family, for the report, its page and README."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from kan_dialect.devices.device import DeviceFamily, Part, device
from kan_dialect.errors import KanError


def part_entry(target: str, luts: int, registers: int) -> dict[str, Any] | None:
    """The entry `part` of the figures of a design.

    Parameters
    ----------
    target : device of the figures: a family or a part.

    Returns
    -------
    The part, or the smallest of the family that holds the design, or its largest: `name`, its
    `luts` and `registers`, the shares of these that the design takes, and whether it `fits`. None
    of a family without a list of parts.
    """
    family = _family(target)
    if family is None:
        return None
    found = family.smallest_part(luts, registers)
    part = found or family.parts[-1]
    return {
        "name": part.name,
        "luts": part.luts,
        "registers": part.registers,
        "luts_share": round(luts / part.luts, 4),
        "registers_share": round(registers / part.registers, 4),
        "fits": found is not None,
    }


def part_text(entry: Mapping[str, Any]) -> str:
    """An entry of `part_entry` in words."""
    luts, registers = (f"{entry[key]:.1%}" for key in ("luts_share", "registers_share"))
    what = "holds it" if entry["fits"] else "is too small"
    return f"{entry['name']} {what}: {luts} of its LUTs, {registers} of its registers"


def part_caution(target: str, luts: int, registers: int) -> list[str]:
    """Caution about a design that is larger than all parts, or than the part of its projects."""
    family = _family(target)
    if family is None:
        return []
    chosen, best = family.part(family.project_part), family.smallest_part(luts, registers)
    if best is None and family.part_of:
        return [
            f"the design is larger than {chosen.name}: {_compared(chosen, luts, registers)}; give "
            "fewer bits (--bits), or take a larger part"
        ]
    if best is None:
        return [
            f"the design is larger than every part of {target}: "
            f"{_compared(family.parts[-1], luts, registers)}; give fewer bits (--bits)"
        ]
    if chosen.holds(luts, registers):
        return []
    return [
        "the design is larger than the part of its projects: "
        f"{_compared(chosen, luts, registers)}; take {best.name} there"
    ]


def _compared(part: Part, luts: int, registers: int) -> str:
    """The size of a design beside that of a part."""
    return (
        f"{luts} LUTs and {registers} registers, where {part.name} has {part.luts} and "
        f"{part.registers}"
    )


def _family(target: str) -> DeviceFamily | None:
    """The device of a name, if it is known and has a list of parts."""
    with suppress(KanError):
        found = device(target)
        return found if found.parts else None
    return None
