"""The wrapper in the folder of a build."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kan_dialect.errors import KanError
from kan_dialect.flows.report import read_report


@dataclass(frozen=True)
class BuiltWrapper:
    """The entry `interface` of a build's report."""

    kind: str
    """`ready-valid`, `axi-stream`, `axi-lite` or `clock-enable`."""
    top: str
    rtl: Path
    high_first: bool
    """Whether the first beat of a sample has its highest bits."""


def built_wrapper(folder: Path) -> BuiltWrapper | None:
    """The wrapper that a build wrote; None: it has none.

    Raises
    ------
    KanError : the report cannot be read.
    """
    path = folder / "report.json"
    entry: dict[str, Any] | None = read_report(path).get("interface")
    if entry is None:
        return None
    try:
        order = entry.get("input", {}).get("order", "low-first")
        return BuiltWrapper(
            str(entry["name"]),
            str(entry["top"]),
            folder / str(entry["file"]),
            order == "high-first",
        )
    except (AttributeError, KeyError):
        raise KanError(
            f"{path}: the entry interface is not that of a build", remedy="build again"
        ) from None
