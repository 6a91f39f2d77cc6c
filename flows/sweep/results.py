"""The folder of a sweep, with a file for each point, and the rows of its table.

A point's file is written as soon as its figures are known. The file name is a digest of model,
data, compiler and passes, on which the figures depend. So a run reuses the results of earlier runs,
also those of another grid, and no result of other inputs. Passes count with their resolved options.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, cast

from kan_dialect.files.growing_folder import GrowingFolder
from kan_dialect.flows.sweep.columns import Row
from kan_dialect.flows.sweep.grid import Point, column_of, spell
from kan_dialect.flows.sweep.study import Study

SECTIONS = ("figures", "synthesis", "pnr")
"""Sections of a point's file; those of tools also with words behind the name, see `Measures`."""

_NEEDED = {
    "design",
    "target",
    "latency_cycles",
    "estimate_luts",
    "estimate_registers",
    "estimate_levels",
    "estimate_delay_ns",
    "constant",
}
"""Figures without which a file is incomplete."""


class Store:
    """The results of points in a folder."""

    def __init__(self, folder: GrowingFolder, study: Study) -> None:
        self._folder = folder
        self._study = study

    def file(self, point: Point) -> str:
        """Path of a point's results, relative to the folder."""
        whole = [self._study.digest, *self._study.resolved(point).key]
        return f"points/{hashlib.sha256(json.dumps(whole).encode()).hexdigest()[:20]}.json"

    def read(self, point: Point) -> dict[str, dict[str, Any]]:
        """The known figures of a point by section; empty if the file is missing or incomplete."""
        try:
            found: object = json.loads((self._folder.path / self.file(point)).read_text())
        except (OSError, ValueError):
            return {}
        if not isinstance(found, dict):
            return {}
        known = cast("dict[str, object]", found)
        sections = {
            section: cast("dict[str, Any]", content)
            for section, content in known.items()
            if section.partition(" ")[0] in SECTIONS and isinstance(content, dict)
        }
        return sections if sections.get("figures", {}).keys() >= _NEEDED else {}

    def add(self, point: Point, sections: Mapping[str, Mapping[str, Any]]) -> None:
        """Add sections to the known figures of a point.

        Raises
        ------
        KanError : the file cannot be written.
        """
        passes = self._study.resolved(point).texts
        whole = {"model": self._study.name, "passes": passes, **self.read(point), **sections}
        self._folder.write(self.file(point), json.dumps(whole, indent=1) + "\n")


def is_from(section: Mapping[str, Any] | None, names: Mapping[str, Any]) -> bool:
    """Whether a section was measured with the tools and options in `names`."""
    return section is not None and all(section.get(key) == value for key, value in names.items())


def row_of(point: Point, sections: Mapping[str, Mapping[str, Any]], error: str | None) -> Row:
    """A row of the table: options, then figures, then the error of a failed point."""
    row: dict[str, Any] = {
        column_of(name): value if isinstance(value, int | float) else spell(value)
        for name, value in point.options
    }
    row |= sections.get("figures", {})
    synthesis, pnr = sections.get("synthesis", {}), sections.get("pnr", {})
    row |= {f"synthesis_{name}": synthesis.get(name) for name in ("tool", "luts", "registers")}
    # The frequency includes paths from the ports. A combinational design has a path delay instead.
    fmax = pnr.get("fmax_with_inputs_mhz")
    row |= {
        "pnr_tool": pnr.get("tool"),
        "pnr_luts": pnr.get("luts"),
        "pnr_registers": pnr.get("registers", 0 if "path_ns" in pnr else None),
        "pnr_fmax_mhz": fmax,
        "pnr_delay_ns": round(1000 / fmax, 3) if fmax else pnr.get("path_ns"),
        "pnr_latency_ns": pnr.get("latency_with_inputs_ns", pnr.get("latency_ns")),
        "pnr_area_delay": pnr.get("area_delay"),
    }
    row["error"] = error
    return {name: value for name, value in row.items() if value is not None}
