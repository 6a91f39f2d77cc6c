"""Tuning: searches pipelines, and judges the best ones by measurements of their own.

A round compiles the proposed pipelines, which takes a fraction of a second each, and lets the tools
measure the most promising designs by estimate. Equal designs are measured once. A point's figures
are written as soon as they are known, so that a further run goes on where the last one ended.

Of many measured designs the best one is the best by luck too: another choice of names moves the
result of a mapper by a percent or two. So the finalists and the default are measured again with
all signals renamed, by several seeds, and only these measurements decide.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from kan_dialect.errors import KanError
from kan_dialect.files.growing_folder import GrowingFolder
from kan_dialect.flows.tools.run_limits import DEFAULT_LIMITS, Limits
from kan_dialect.flows.trials.columns import Row
from kan_dialect.flows.trials.kinds import Measure
from kan_dialect.flows.trials.points import Point
from kan_dialect.flows.trials.runners import Runner
from kan_dialect.flows.trials.study import Trial
from kan_dialect.flows.trials.work import TrialWork
from kan_dialect.flows.tune.base import Base
from kan_dialect.flows.tune.objectives import Objective
from kan_dialect.flows.tune.search import DEFAULT, Search, best_points
from kan_dialect.flows.tune.space import Space

BATCH = 12
"""Largest number of designs that a round of combinations measures."""
FIRST_SHARE = 0.5
"""Part of the designs with one change that is measured: the better ones by estimate."""
HOPELESS = 1.25
"""A design is not measured if its estimate is this multiple of the default's."""
FINALISTS = 3
"""Number of designs that are measured again beside the default."""
RENAMINGS = 5
"""Number of measurements of each finalist, unless the time is over."""
FEWEST_RENAMINGS = 2
"""Number of measurements that each finalist gets in any case."""
SEARCH_SHARE = 0.7
"""Part of the time for the search; the rest is for the judgement."""
EMPTY_ROUNDS = 3
"""The search ends after this number of rounds without a new design."""


@dataclass(frozen=True)
class Effort:
    """How long to search."""

    seconds: float | None = 600.0
    """None: no limit of time."""
    trials: int | None = None
    """Number of designs to measure, those of earlier runs included; None: no limit."""
    limits: Limits = DEFAULT_LIMITS
    """Limits of each run of a tool."""


@dataclass(frozen=True)
class State:
    """What a search has done so far, for a line on the terminal."""

    what: str
    done: int
    of: int
    measured: int
    """Number of designs that are measured."""
    ratio: float
    """The best figure over the default's."""


Tell = Callable[[State], None]


@dataclass(frozen=True)
class Judged:
    """A design with measurements that its selection did not see."""

    point: Point
    row: Row
    """Figures by column, of the design with its own names."""
    costs: tuple[float, ...]
    """The objective with other names of signals, a seed each."""

    @property
    def cost(self) -> float:
        """The mean."""
        return fmean(self.costs)


@dataclass
class Tuning:
    """The result of a search."""

    base: Base
    objective: Objective
    default: Judged
    best: Judged
    """The default itself where nothing is better."""
    rows: list[Row]
    """A row for each measured design, the best first."""
    found: int
    """Number of designs that earlier runs had measured."""
    is_over: bool = False
    """Whether the time or the trials ended the search."""

    @property
    def ratio(self) -> float:
        """The best design's figure over the default's, by the measurements of the judgement."""
        return self.best.cost / self.default.cost if self.default.cost else 1.0

    @property
    def is_within_noise(self) -> bool:
        """Whether some measurement of the best design is no better than one of the default."""
        return max(self.best.costs) >= min(self.default.costs)

    @property
    def pipeline(self) -> str:
        """The pipeline of the best design, as `kan-flow build -p` takes it."""
        return self.base.text(self.best.point)


def tune(
    base: Base,
    objective: Objective,
    effort: Effort,
    folder: GrowingFolder,
    runner: Runner,
    tell: Tell = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
) -> Tuning:
    """Search the best pipeline. Results in `folder` are reused.

    Parameters
    ----------
    clock : seconds; only differences count.

    Raises
    ------
    KanError : the objective cannot be measured on the device, the folder cannot be written or holds
        files of others, the default design cannot be made or measured, or a design computes
        something else.
    """
    objective.require(base.device)
    folder.create()
    search = _Tune(base, objective, effort, tell, clock)
    search.work = TrialWork(base.study, folder, runner, search.progress, is_over=search.is_over)
    return search.run()


@dataclass
class _Tune:
    """A search while it goes on."""

    base: Base
    objective: Objective
    effort: Effort
    tell: Tell
    clock: Callable[[], float]
    work: TrialWork = field(init=False)
    what: str = ""
    end: float = float("inf")
    """When the search, or the judgement, is over by the clock."""
    found: int = 0
    costs: dict[Point, float] = field(default_factory=dict[Point, float])
    designs: dict[str, Point] = field(default_factory=dict[str, Point])
    """The first point of each design."""

    def __post_init__(self) -> None:
        self.start = self.clock()
        self.own = self.objective.measure(self.effort.limits)
        space = Space.of(self.base.passes, with_schedule=self.objective.routes)
        self.search = Search(space)

    def run(self) -> Tuning:
        """The whole search, and its judgement."""
        self.what = "the default"
        self._compile([DEFAULT])
        self._measure([DEFAULT])
        error = self.work.errors.get(Trial(DEFAULT))
        if error is not None:
            raise KanError(f"the default pipeline fails: {error}")
        if DEFAULT not in self.costs:
            raise KanError(f"the tools give no {self.objective.meaning} of the default design")
        if self.effort.seconds is not None:
            self.end = self.start + SEARCH_SHARE * self.effort.seconds
        self._rounds()
        is_over = self.is_over() or self._trials_left() <= 0
        default, best = self._judge()
        return Tuning(
            self.base,
            self.objective,
            default,
            best,
            [self._row(point) for point in best_points(self.costs)],
            self.found,
            is_over,
        )

    def _rounds(self) -> None:
        number = empty = 0
        while empty < EMPTY_ROUNDS and not self.is_over() and self._trials_left() > 0:
            number += 1
            self.what = f"round {number}"
            points = self.search.propose(self.costs)
            if not points:
                return
            self._compile(points)
            designs = self._new_designs(points)
            empty = 0 if designs else empty + 1
            share = round(FIRST_SHARE * len(designs)) if number == 1 else BATCH
            self._measure(designs[: min(max(share, BATCH), self._trials_left())])

    def _trials_left(self) -> int:
        trials = self.effort.trials
        return 1 << 30 if trials is None else max(0, trials - len(set(self.costs)))

    def is_over(self) -> bool:
        return self.clock() >= self.end

    def progress(self, what: str, done: int, of: int) -> None:
        ratio = 1.0
        if self.costs.get(DEFAULT):
            ratio = min(self.costs.values()) / self.costs[DEFAULT]
        self.tell(State(f"{self.what}: {what}", done, of, len(self.costs), ratio))

    def _compile(self, points: Sequence[Point]) -> None:
        self.work.compile("compiling", [Trial(point) for point in points])
        for point in points:
            figures = self._figures(point)
            if figures is not None and figures["outputs"] != self.base.expected:
                raise KanError(
                    f"{point} computes something else: a pass does not keep what it claims",
                    remedy="find it with kan-flow compare, or kan-opt --check-passes",
                )

    def _figures(self, point: Point) -> Mapping[str, Any] | None:
        return self.work.figures(Trial(point))

    def _cost(self, point: Point, measure: Measure) -> float | None:
        """The objective by a measurement; None if it is not known."""
        found = self._row(point, measure).get(self.objective.column)
        return None if found is None else float(found)

    def _new_designs(self, points: Sequence[Point]) -> list[Point]:
        """Points with designs of their own that may be better, the most promising first."""
        default = self._figures(DEFAULT) or {}
        limit = HOPELESS * self.objective.estimate(default)
        found: list[tuple[float, Point]] = []
        for point in points:
            figures = self._figures(point)
            if figures is None or figures["design"] in self.designs:
                continue
            estimate = self.objective.estimate(figures)
            is_late = figures["latency_cycles"] > default["latency_cycles"]
            if estimate > limit or (is_late and not self.objective.routes):
                continue
            self.designs[figures["design"]] = point
            found.append((estimate, point))
        return [point for _, point in sorted(found, key=lambda each: each[0])]

    def _measure(self, points: Sequence[Point]) -> None:
        """Measure designs, each named by one point."""
        for point in points:
            self.designs.setdefault((self._figures(point) or {}).get("design", ""), point)
            self.found += self._cost(point, self.own) is not None
        self.costs |= self._measured(points, self.own)

    def _measured(self, points: Sequence[Point], measure: Measure) -> dict[Point, float]:
        """The costs of points by a measurement, where it succeeds."""
        self.work.measure("measuring", measure, [Trial(point) for point in points])
        costs = {point: self._cost(point, measure) for point in points}
        return {point: cost for point, cost in costs.items() if cost is not None}

    def _judge(self) -> tuple[Judged, Judged]:
        """The default and the best of the finalists, or the default twice."""
        better = [p for p in best_points(self.costs) if self.costs[p] < self.costs[DEFAULT]]
        finalists = [DEFAULT, *better[:FINALISTS]]
        costs: dict[Point, list[float]] = {point: [] for point in finalists}
        limits = self.effort.limits
        for seed in range(1, RENAMINGS + 1) if better else ():
            self.end = float("inf")
            if seed > FEWEST_RENAMINGS and self.effort.seconds is not None:
                self.end = self.start + self.effort.seconds
            if self.is_over():
                break
            self.what = f"judging {len(better[:FINALISTS])} designs, names {seed} of {RENAMINGS}"
            again = self._measured(finalists, self.objective.measure(limits, seed))
            # All finalists with these names, or none: means are of the same seeds.
            if len(again) == len(finalists):
                for point, cost in again.items():
                    costs[point].append(cost)
        judged = [Judged(p, self._row(p), tuple(costs[p]) or (self.costs[p],)) for p in finalists]
        best = min(judged, key=lambda each: (each.cost, len(each.point.options)))
        return judged[0], best if all(costs.values()) else judged[0]

    def _row(self, point: Point, measure: Measure | None = None) -> Row:
        measured = self.work.result(Trial(point), measure or self.own)
        return self.objective.row(point, self._figures(point), measured)
