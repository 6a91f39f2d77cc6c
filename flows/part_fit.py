"""Whether a design fits the parts of its device family, for the report, its page and README."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from kan_dialect.devices.device import DeviceFamily, Part, device
from kan_dialect.errors import KanError
from kan_dialect.quantity import quantity

RESOURCES = {"luts": "LUT", "registers": "register", "block_rams": "block RAM"}
"""Nouns of the figures of a design."""


def part_entry(
    target: str, luts: int, registers: int, block_rams: int = 0
) -> dict[str, Any] | None:
    """The entry `part` of the figures of a design.

    Parameters
    ----------
    target : device of the figures: a family or a part.

    Returns
    -------
    The part, or the smallest of the family that holds the design, or its largest: `name`, its
    `luts` and `registers`, the shares of these that the design takes, and whether it `fits`. Its
    `block_rams` and their share where the design takes some and their number is known. None of a
    family without a list of parts.
    """
    family = _family(target)
    if family is None:
        return None
    found = family.smallest_part(luts, registers, block_rams)
    part = found or family.parts[-1]
    return {
        "name": part.name,
        "luts": part.luts,
        "registers": part.registers,
        "luts_share": round(luts / part.luts, 4),
        "registers_share": round(registers / part.registers, 4),
        "fits": found is not None,
        **(_block_ram_entry(part.block_rams, block_rams) if block_rams else {}),
    }


def _block_ram_entry(count: int | None, used: int) -> dict[str, Any]:
    if count is None:
        return {}
    return {"block_rams": count, "block_rams_share": round(used / max(count, 1), 4)}


def part_text(entry: Mapping[str, Any]) -> str:
    """An entry of `part_entry` in words."""
    shares = (
        f"{entry[f'{key}_share']:.1%} of its {noun}s"
        for key, noun in RESOURCES.items()
        if key in entry
    )
    what = "holds it" if entry["fits"] else "is too small"
    return f"{entry['name']} {what}: {', '.join(shares)}"


def logic_unit(estimate: Mapping[str, Any]) -> str:
    """What `luts` of an estimate counts: LUTs, or gate equivalents on standard cells."""
    return "gate equivalents" if "area" in estimate else "LUTs"


def size_text(figures: Mapping[str, Any]) -> str:
    """LUTs or area of a design, and its registers and block RAMs where they are known, in words."""
    known = (quantity(figures[key], noun) for key, noun in RESOURCES.items() if key in figures)
    if "area" not in figures:
        return ", ".join(known)
    logic, *others = known
    area = f"area {figures['area']:.0f}: {logic.split()[0]} {logic_unit(figures)} of logic"
    return ", ".join([area, *others])


def part_caution(target: str, *size: int) -> list[str]:
    """Caution about a design that is larger than all parts, or than the part of its projects.

    Parameters
    ----------
    size : LUTs, registers and block RAMs of the design.
    """
    family = _family(target)
    if family is None:
        return []
    chosen, best = family.part(family.project_part), family.smallest_part(*size)
    if best is None and family.part_of:
        return [
            f"the design is larger than {chosen.name}: {_compared(chosen, *size)}; give "
            f"fewer bits (--bits), more cycles (--fit {target}), or take a larger part"
        ]
    if best is None:
        return [
            f"the design is larger than every part of {target}: "
            f"{_compared(family.parts[-1], *size)}; give fewer bits (--bits), or more cycles "
            "(--fit)"
        ]
    if chosen.holds(*size):
        return []
    return [
        "the design is larger than the part of its projects: "
        f"{_compared(chosen, *size)}; take {best.name} there"
    ]


def _compared(part: Part, luts: int, registers: int, block_rams: int = 0) -> str:
    """The size of a design beside that of a part."""
    if block_rams and part.block_rams is not None:
        return (
            f"{luts} LUTs, {registers} registers and {block_rams} block RAMs, where {part.name} "
            f"has {part.luts}, {part.registers} and {part.block_rams}"
        )
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
