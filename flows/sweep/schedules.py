"""All schedules of a network by `kan-schedule`, from combinational to the most stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kan_dialect.flows.sweep.columns import Row
from kan_dialect.flows.sweep.grid import Point
from kan_dialect.flows.sweep.pareto import costs_of, pareto_front


def first_schedules(point: Point, names: Mapping[str, str]) -> tuple[Point, Point]:
    """The ends of the curve: combinational, and one level of logic a stage.

    Parameters
    ----------
    names : canonical names of the options `combinational`, `levels` and `cycles`.
    """
    return (
        point.with_options({names["combinational"]: True}),
        point.with_options({names["levels"]: 1}),
    )


def all_schedules(
    point: Point,
    names: Mapping[str, str],
    combinational: Mapping[str, Any],
    finest: Mapping[str, Any],
) -> list[Point]:
    """A point for each number of cycles and for each number of levels a stage.

    Several points may give the same design.

    Parameters
    ----------
    names : as of `first_schedules`.
    combinational, finest : figures of the ends of the curve.
    """
    cycles = range(1, finest["latency_cycles"] + 1)
    levels = range(combinational["estimate_levels"], 0, -1)
    return [
        first_schedules(point, names)[0],
        *(point.with_options({names["cycles"]: number}) for number in cycles),
        *(point.with_options({names["levels"]: number}) for number in levels),
    ]


def useful(points: Sequence[Point], figures: Mapping[Point, Row | None]) -> list[Point]:
    """The useful schedules of one network, each design once.

    A design with registers is left out if another one dominates it in cycles, levels, delay, LUTs
    and registers; for example, a stage that only delays makes a design useless. Points without
    figures stay, so that their errors are reported.
    """
    designs: dict[str, tuple[Point, Row]] = {}
    failed: list[Point] = []
    for point in points:
        known = figures[point]
        if known is None:
            failed.append(point)
        else:
            designs.setdefault(str(known["design"]), (point, known))
    distinct = list(designs.values())
    registered = [(point, row) for point, row in distinct if row["latency_cycles"]]
    front = pareto_front(costs_of([row for _, row in registered], _USE)).tolist()
    beaten = {point for (point, _), best in zip(registered, front, strict=True) if not best}
    return [*(point for point, _ in distinct if point not in beaten), *failed]


_USE = (
    "latency_cycles",
    "estimate_levels",
    "estimate_delay_ns",
    "estimate_luts",
    "estimate_registers",
)
