"""How many of something there are, in words."""

from __future__ import annotations


def counted(count: int, what: str) -> str:
    """So many of something, as in `1 cycle` or `2 cycles`."""
    return f"{count} {what}{'s' * (count != 1)}"
