"""All schedules of a network by `kan-schedule`, from combinational to the most stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kan_dialect.flows.sweep.pareto import costs_of, pareto_front
from kan_dialect.flows.trials.columns import Row
from kan_dialect.flows.trials.points import Point
from kan_dialect.flows.trials.study import Trial
from kan_dialect.flows.trials.work import TrialWork


def schedules(work: TrialWork, points: Sequence[Point]) -> list[Point]:
    """The useful schedules of all points, each design once.

    Raises
    ------
    KanError : no pass of the pipeline schedules.
    """
    names = work.study.pipelines[0].schedule_options()
    flat = [point.with_options({names["combinational"]: True}) for point in points]
    finest = [point.with_options({names["levels"]: 1}) for point in points]
    work.compile("compiling the ends of the curve", [Trial(end) for end in (*flat, *finest)])
    curves = [
        _curve(work, point, first, last, names)
        for point, first, last in zip(points, flat, finest, strict=True)
    ]
    work.compile("compiling schedules", [Trial(point) for curve in curves for point in curve])
    return [
        point
        for curve in curves
        for point in useful(curve, {each: work.figures(Trial(each)) for each in curve})
    ]


def _curve(
    work: TrialWork, point: Point, flat: Point, finest: Point, names: Mapping[str, str]
) -> list[Point]:
    """A point for each number of cycles and of levels a stage; several may give one design."""
    first, last = work.figures(Trial(flat)), work.figures(Trial(finest))
    if first is None or last is None:
        return [flat, finest]
    cycles = range(1, last["latency_cycles"] + 1)
    levels = range(first["estimate_levels"], 0, -1)
    return [
        flat,
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
    registered = [(point, row) for point, row in designs.values() if row["latency_cycles"]]
    front = pareto_front(costs_of([row for _, row in registered], _USE)).tolist()
    beaten = {point for (point, _), best in zip(registered, front, strict=True) if not best}
    return [*(point for point, _ in designs.values() if point not in beaten), *failed]


_USE = (
    "latency_cycles",
    "estimate_levels",
    "estimate_delay_ns",
    "estimate_luts",
    "estimate_registers",
)
