"""What a search minimises: the figures, the tools that measure them, and their estimates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from kan_dialect.errors import KanError
from kan_dialect.flows.tools.place_and_route import is_placed, placed_families
from kan_dialect.flows.tools.run_limits import Limits
from kan_dialect.flows.trials.columns import Row, row_of
from kan_dialect.flows.trials.kinds import Measure
from kan_dialect.flows.trials.points import Point


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

    def measure(self, limits: Limits, renamed: int = 0) -> Measure:
        """The tool that measures the figure, on the device of the designs."""
        return Measure("pnr" if self.routes else "synthesis", limits=limits, renamed=renamed)

    def estimate(self, figures: Mapping[str, Any]) -> float:
        """The figure by estimate."""
        return prod(float(figures[name]) for name in self.estimates)

    def row(
        self,
        point: Point,
        figures: Mapping[str, Any] | None,
        measured: Mapping[str, Any] | None,
    ) -> Row:
        """A row of the table: changes and figures of a design, and what the tool gave."""
        synthesis, pnr = (None, measured) if self.routes else (measured, None)
        return row_of(point.cells(), figures, synthesis, pnr, {})


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
