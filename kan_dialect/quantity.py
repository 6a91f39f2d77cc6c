"""Numbers with nouns, for messages and reports."""

from __future__ import annotations


def quantity(count: int, noun: str) -> str:
    """A number with its noun, which gets an `s` in the plural: `1 cycle`, `2 cycles`."""
    return f"{count} {noun}{'s' * (count != 1)}"


def every(count: int, noun: str) -> str:
    """How often something comes: `every cycle`, `every 4 cycles`."""
    return f"every {noun if count == 1 else quantity(count, noun)}"
