"""Function names, which become RTL module names, from file names."""

from __future__ import annotations

import re


def identifier(stem: str) -> str:
    """`stem` as an identifier: other characters become `_`, and the first one is a letter."""
    name = re.sub(r"\W", "_", stem, flags=re.ASCII)
    return name if re.match(r"[A-Za-z]", name) else f"kan_{name}"
