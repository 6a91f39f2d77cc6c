"""What a search minimises: the figures, the tools that measure them, and their estimates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from kan_dialect.errors import KanError
from kan_dialect.flows.sweep.columns import Row
from kan_dialect.flows.sweep.grid import Point
from kan_dialect.flows.sweep.results import row_of
from kan_dialect.flows.sweep.workers.workbench import Measures
from kan_dialect.flows.tools.place_and_route import is_placed, placed_families
from kan_dialect.flows.tools.run_limits import Limits


@dataclass(frozen=True)
class Objective:
    """A figure to minimise."""

    name: str
    meaning: str
    column: str
    """The measured figure, as a sweep calls it."""
    estimates: tuple[str, ...]
    """The product of these columns estimates the figure before a tool runs."""
    routes: bool = False
    """Whether nextpnr has to place and route."""

    def require(self, target: str) -> None:
        """Refuse a device that the figure cannot be measured on.

        Raises
        ------
        KanError : nextpnr does not know the device.
        """
        if self.routes and not is_placed(target):
            families = ", ".join(placed_families())
            raise KanError(
                f"objective {self.name} is measured by nextpnr, which has no {target}",
                remedy=f"take objective cells or registers, or --target {families}",
            )

    def measures(self, target: str, limits: Limits, renamed: int = 0) -> Measures:
        """The tools that measure the figure on a device."""
        pnr = target if self.routes else None
        return Measures(not self.routes, pnr, 1, limits, renamed)

    def estimate(self, figures: Mapping[str, Any]) -> float:
        """The figure by estimate."""
        return prod(float(figures[name]) for name in self.estimates)

    def cost(
        self, point: Point, known: Mapping[str, Mapping[str, Any]], measures: Measures
    ) -> float | None:
        """The measured figure of a point; None if it is not known.

        Parameters
        ----------
        known : sections of the point's results.
        measures : the tools and names of signals of the measurement.
        """
        found = measured_row(point, known, measures).get(self.column)
        return None if found is None else float(found)


def measured_row(point: Point, known: Mapping[str, Mapping[str, Any]], measures: Measures) -> Row:
    """The figures of a point with those of one measurement, by column."""
    sections = {"figures": known.get("figures", {})}
    for kind in ("synthesis", "pnr"):
        sections[kind] = known.get(measures.section(kind), {})
    return row_of(point, sections, None)


OBJECTIVES = {
    each.name: each
    for each in (
        Objective("cells", "LUTs that Yosys maps", "synthesis_luts", ("estimate_luts",)),
        Objective(
            "registers",
            "flip-flops that Yosys maps",
            "synthesis_registers",
            ("estimate_registers",),
        ),
        Objective("ns", "latency in ns, routed", "pnr_latency_ns", ("estimate_latency_ns",), True),
        Objective(
            "area-delay",
            "LUTs times latency in ns, routed",
            "pnr_area_delay",
            ("estimate_luts", "estimate_latency_ns"),
            True,
        ),
    )
}
"""Objectives by name."""
