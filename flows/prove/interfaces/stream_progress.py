"""Figures of a wrapper with streams: samples held, cycles to delivery and to full speed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from kan_dialect.flows.prove.cycles.claims import Outcome
from kan_dialect.flows.prove.cycles.terms import Term
from kan_dialect.flows.prove.interfaces.induction import Induction
from kan_dialect.flows.prove.interfaces.stream_model import SLACK, StreamModel


class StreamProgress:
    """Claims that hold for some number, which is looked for."""

    def __init__(self, model: StreamModel, induction: Induction, measured: dict[str, int]) -> None:
        """`measured` takes the numbers, by their names in `report.json`."""
        self.model, self.induction, self.measured = model, induction, measured
        self.pool = model.pool
        self.beats = len(model.source.beats), len(model.result.beats)
        """Of a sample, and of its result."""
        self.offered = 0
        """Cycles in which a held sample is offered, if it is the oldest."""

    def outcomes(self) -> Iterator[Outcome]:
        """Each claim that the one before allows."""
        into, out = self.beats
        interval = self.model.interval
        claims = [self._bound, self._delivery]
        if out <= max(into, interval):
            claims.append(self._never_refused)
        elif interval == 1:
            claims.append(self._refused_when_full)
        for claim in claims:
            start = time.monotonic()
            group, name, problem = claim()
            yield Outcome(group, name, time.monotonic() - start, problem)
            if problem is not None:
                return

    def _bound(self) -> tuple[str, str, str | None]:
        """Without a bound, the counters of the proof could overflow."""
        most = (1 << self.model.bits) - 2
        held = self.model.held(0)
        found = _least(lambda k: self._holds(self.pool.at_most(held, k)), 0, most)
        problem = None
        if found is None:
            problem = "nothing bounds the number of samples that are held"
        else:
            self.measured["samples_held"] = found
        return "order", "samples held are bounded", problem

    def _holds(self, claim: Term, *conditions: Term) -> bool:
        return self.induction.refute(claim, conditions) is None

    def _calm(self, last: int) -> list[Term]:
        """The output is ready, and there is no reset, in cycles 0 to `last`."""
        core, ready = self.model.core, self.model.result.ready
        cycles = range(last + 1)
        running = [self.pool.inverted(core.in_reset(cycle)) for cycle in cycles]
        return [*running, *(core.port(ready, cycle) for cycle in cycles)]

    def _delivery(self) -> tuple[str, str, str | None]:
        """From some cycle on a beat is delivered in each, as long as a sample is held so long."""
        model, limit = self.model, self.model.most_patience
        patience, follows = model.at("patience", 0), model.at("follows", 0)

        def holds(cycles: int) -> bool:
            long = self.pool.inverted(self.pool.less(patience, cycles))
            return self._holds(model.delivers(0), *self._calm(0), follows, long)

        found = _least(holds, model.latency, limit)
        problem = None
        if found is None:
            problem = f"a sample may wait more than {limit} cycles though the output is ready"
        else:
            self.offered = found
            # Then one beat a cycle: all that are ahead, and its own.
            held = self.measured["samples_held"]
            self.measured["delivery_cycles"] = found + self.beats[1] * held
        return "progress", "every sample is delivered", problem

    def _never_refused(self) -> tuple[str, str, str | None]:
        """While the receiver is ready, the source need not wait, but for the network's turn."""
        model, source = self.model, self.model.source

        def holds(cycles: int) -> bool:
            ready = model.core.port(source.ready, cycles)
            claim = self.pool.any_of([ready, model.waits_for_turn(cycles)])
            return self._holds(claim, *self._calm(cycles))

        limit = self.model.latency + 2 * sum(self.beats) + SLACK
        found = _least(holds, 0, limit)
        problem = None
        if found is None:
            problem = f"the source may have to wait, more than {limit} cycles behind the last stall"
        else:
            self.measured["settling_cycles"] = found
        name = f"{source.ready} never falls while the receiver is ready"
        if model.interval > 1:
            name += ", but for the turn of the network"
        if model.core.network.memory:
            name += " and words that wait"
        return "throughput", name, problem

    def _refused_when_full(self) -> tuple[str, str, str | None]:
        """The source waits only while more samples are held than an idle output needs cycles for.

        Then results follow each other without a gap (docs/rationale/proof.md, Throughput).
        """
        model, core, (into, out) = self.model, self.model.core, self.beats
        running = [self.pool.inverted(core.in_reset(cycle)) for cycle in (0, 1)]
        least = self.offered + 1
        ready = core.port(model.source.ready, 1)
        claim = self.pool.implied(self.pool.less(model.held(1), least), ready)
        late, problem = least - model.latency, None
        if not self._holds(claim, *running):
            problem = "there may be fewer, so that results have gaps between them"
        elif late > out - into:
            problem = f"results are offered {late} cycles behind the network, and may have gaps"
        else:
            # Until a sample is accepted, then until it is delivered.
            self.measured["settling_cycles"] = 2 * self.measured["delivery_cycles"] + into
        return (
            "throughput",
            f"{model.source.ready} falls only where {least} samples are held",
            problem,
        )


def _least(holds: Callable[[int], bool], low: int, limit: int) -> int | None:
    """The least number from `low` on for which something holds; it holds for all greater ones."""
    step, high = 1, low
    while not holds(high):
        if high >= limit:
            return None
        low, high, step = high + 1, min(high + step, limit), 2 * step
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low
