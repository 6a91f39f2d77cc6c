"""Names of functions, and so of RTL modules, from names of files."""

from __future__ import annotations

import re


def identifier(stem: str) -> str:
    """`stem` with everything replaced that a name may not hold; it starts with a letter."""
    name = re.sub(r"\W", "_", stem, flags=re.ASCII)
    return name if re.match(r"[A-Za-z]", name) else f"kan_{name}"
