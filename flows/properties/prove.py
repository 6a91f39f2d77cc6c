"""Proofs of properties: each is a search for codes that refute it."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np

from kan_dialect.errors import KanError
from kan_dialect.flows.properties.bounds import Bounds
from kan_dialect.flows.properties.cells import common_cells
from kan_dialect.flows.properties.formula import Cases, View, both
from kan_dialect.flows.properties.network import Networks
from kan_dialect.flows.properties.property import Property
from kan_dialect.flows.properties.search import Case, Found, Search
from kan_dialect.flows.prove.second_opinion.codes import Code
from kan_dialect.ir.constants import IntArray
from kan_dialect.model.model import Model
from kan_dialect.passbase.progress import say
from kan_dialect.shown import Shown

Status: TypeAlias = Literal["proven", "refuted", "undecided"]

OTHER = "in the other"
"""Of codes of the other network of an equivalence."""

_CENTRE = 1 << 40
"""Added to objectives whose greatest value is wanted, which are then above 0."""


@dataclass(frozen=True, repr=False)
class Verdict(Shown):
    """What is known of a property."""

    wanted: Property
    status: Status
    seconds: float
    boxes: int
    """Boxes of codes that the search looked at."""
    samples: tuple[tuple[str, IntArray], ...] = ()
    """Codes of inputs that refute it, or that reach an end of a range, and what they are."""
    results: Mapping[str, object] = field(default_factory=dict[str, object])
    """Ends of a range; of robust, samples without another class within 1, 2, ... codes."""

    @property
    def proven(self) -> bool:
        return self.status == "proven"

    def summary(self) -> dict[str, object]:
        """An entry of `properties` in report.json."""
        return {
            "name": self.wanted.name,
            "kind": self.wanted.kind,
            "claim": self.wanted.claim,
            "status": self.status,
            "seconds": round(self.seconds, 3),
            "codes": [codes.tolist() for _, codes in self.samples],
            **self.results,
        }

    def figures(self) -> dict[str, object]:
        return self.summary()


def prove_property(model: Model, wanted: Property, *, timeout: float = math.inf) -> Verdict:
    """Prove a property of a model for all codes of its inputs, or refute it.

    Parameters
    ----------
    timeout : seconds, beyond which the property is undecided.

    Raises
    ------
    KanError : the property does not fit the model, or properties of it cannot be proven.
    """
    start = time.monotonic()
    proof = _Proof(model, wanted, start + timeout)
    try:
        status, samples, figures = proof.methods[wanted.kind]()
    except KanError as error:
        raise KanError(f"property {wanted.name}: {error.message}", remedy=error.remedy) from None
    return Verdict(wanted, status, time.monotonic() - start, proof.boxes, tuple(samples), figures)


Limits: TypeAlias = tuple[IntArray, IntArray]
"""Least and greatest index of each input."""

_Outcome: TypeAlias = tuple[Status, Sequence[tuple[str, IntArray]], Mapping[str, object]]


@dataclass
class _Proof:
    model: Model
    wanted: Property
    deadline: float
    boxes: int = 0

    @property
    def methods(self) -> Mapping[str, Callable[[], _Outcome]]:
        return {
            "range": self.range,
            "monotone": self.monotone,
            "robust": self.robust,
            "equivalent": self.equivalent,
            "never": self.never,
        }

    def find(
        self, networks: Networks, cases: Cases, limits: Limits | None = None, **options: bool
    ) -> Found:
        """Search for codes, within limits of inputs."""
        return self.find_in(Bounds(networks), cases, limits, **options)

    def find_in(
        self, bounds: Bounds, cases: Cases, limits: Limits | None = None, **options: bool
    ) -> Found:
        whole = np.zeros(bounds.inputs, dtype=np.int64), bounds.sizes[: bounds.inputs] - 1
        low, high = limits or whole
        search = Search(bounds, self.deadline)
        bounded = (_bounded(bounds, case, low, high) for case in cases)
        found = search.find([case for case in bounded if case is not None], **options)
        self.boxes += search.boxes
        return found

    def view(self) -> View:
        networks = Networks()
        return View.of(networks, self.model, [networks.input(p) for p in self.model.ports()[0]])

    def region(self, view: View) -> Cases:
        """The codes that the property speaks of."""
        return view.cases(self.wanted.region) if self.wanted.region else [[]]

    def codes(self, point: IntArray) -> IntArray:
        """The codes of indices of inputs."""
        return point + np.array([port.low for port in self.model.ports()[0]])

    def refuted(self, found: Found, *codes: tuple[str, IntArray]) -> _Outcome:
        if found.point is not None:
            return "refuted", codes, {}
        return ("proven" if found.finished else "undecided"), (), {}

    # Kinds.

    def never(self) -> _Outcome:
        view = self.view()
        cases = both(self.region(view), view.cases(self.wanted.formula))
        return self.refuting(view, cases)

    def refuting(self, view: View, cases: Cases) -> _Outcome:
        found = self.find(view.networks, cases)
        if found.point is None:
            return self.refuted(found)
        return self.refuted(found, ("", self.codes(found.point)))

    def range(self) -> _Outcome:
        view = self.view()
        region = self.region(view)
        if any(sign in self.wanted.formula for sign in "<>="):
            return self.refuting(view, both(region, view.cases(f"not ({self.wanted.formula})")))
        objective = view.objective(self.wanted.formula)
        samples: list[tuple[str, IntArray]] = []
        figures: dict[str, object] = {}
        finished = True
        for end, sign in (("least", -1), ("greatest", 1)):
            raised = view.networks.combined([(sign, objective)], _CENTRE)
            cases = [[raised, *case] for case in region]
            found = self.find(view.networks, cases, greatest=True)
            finished &= found.finished
            if found.point is not None:
                figures[end] = sign * (found.value - _CENTRE)
                if not found.finished:
                    figures[f"{end}_bound"] = sign * (found.bound - _CENTRE)
                samples.append((f"{end} {figures[end]}", self.codes(found.point)))
        return ("proven" if finished else "undecided"), samples, figures

    def monotone(self) -> _Outcome:
        ports = self.model.ports()[0]
        names = [(port.name, port.data_name) for port in ports]
        index = next((i for i, of in enumerate(names) if self.wanted.feature in of), None)
        if index is None:
            raise KanError(
                f"there is no feature {self.wanted.feature}",
                remedy=f"name one of {', '.join(filter(None, (b or a for a, b in names)))}",
            )
        port = ports[index]
        step = (1 if self.wanted.rises else -1) * (1 if port.gain > 0 else -1)
        view = self.view()
        objective = view.objective(self.wanted.formula)
        if -step not in view.networks.directions(objective, view.networks.inputs[index]):
            return "proven", (), {}
        undecided = False
        for code in range(port.low, port.high):
            say(f"{self.wanted.name}: {port.name} = {code}")
            networks = Networks()
            codes = [networks.input(port) for port in ports]
            views: list[View] = []
            for moved in (code, code + 1):
                codes[index] = Code(constant=moved)
                views.append(View.of(networks, self.model, codes))
            before, after = (view.objective(self.wanted.formula) for view in views)
            fall = networks.combined([(step, before), (-step, after)])
            region = both(self.region(views[0]), self.region(views[1]))
            found = self.find(networks, both(region, [[fall]]))
            if found.point is not None:
                point = self.codes(found.point)
                one, other = point.copy(), point.copy()
                one[index], other[index] = code, code + 1
                return self.refuted(found, ("before", one), ("after", other))
            undecided |= not found.finished
        return ("undecided" if undecided else "proven"), (), {}

    def equivalent(self) -> _Outcome:
        assert self.wanted.other is not None
        networks, compared = Networks(), self.wanted.other.integer
        ports, others = self.model.ports()[0], compared.ports()[0]
        if len(ports) != len(others):
            raise KanError(
                f"the networks have {len(ports)} and {len(others)} inputs",
                remedy="compare builds of one network",
            )
        if any(port.wraps for port in (*ports, *others)):
            raise KanError(
                "codes of inputs wrap, so values have no order",
                remedy="compare builds whose inputs saturate",
            )
        cells = [common_cells(one, other) for one, other in zip(ports, others, strict=True)]
        read: list[list[Code]] = [[], []]
        for port, pairs in zip(ports, cells, strict=True):
            of = networks.indexed(port.name, len(pairs))
            for side, codes in zip(read, pairs.T, strict=True):
                side.append(networks.listed(of, codes))
        one = View.of(networks, self.model, read[0])
        other = View.of(networks, compared, read[1])
        one.require_classes()
        other.require_classes()
        cases = [
            case
            for index in range(len(one.scores))
            for case in both(one.decides(index), other.decides_otherwise(index))
        ]
        found = self.find(networks, both(self.region(one), cases))
        if found.point is None:
            return self.refuted(found)
        pairs = np.array([of[at] for of, at in zip(cells, found.point.tolist(), strict=True)])
        return self.refuted(found, ("", pairs[:, 0]), (OTHER, pairs[:, 1]))

    def robust(self) -> _Outcome:
        assert self.wanted.samples is not None
        view, ports = self.view(), self.model.ports()[0]
        view.require_classes()
        features = self.wanted.features
        moves = [not features or bool({p.name, p.data_name} & features) for p in ports]
        reach = np.array(moves, dtype=np.int64)
        bounds = Bounds(view.networks)
        cases = [view.decides_otherwise(index) for index in range(len(view.scores))]
        samples = self.wanted.samples - np.array([port.low for port in ports])
        indices = bounds.at(samples)
        scores = np.stack([bounds.values(score, indices) for score in view.scores], axis=1)
        distances: list[int | None] = []
        shown: list[tuple[str, IntArray]] = []
        for number, sample in enumerate(samples):
            say(f"{self.wanted.name}: sample {number} of {len(samples)}")
            distance, point = self.nearest(
                bounds, cases[int(scores[number].argmax())], sample, reach
            )
            distances.append(distance)
            if point is not None and not shown:
                shown = [("sample", self.codes(sample)), ("changed", self.codes(point))]
        known = [distance for distance in distances if distance is not None]
        limits = range(1, self.wanted.within + 1)
        figures: dict[str, object] = {
            "samples": len(distances),
            "certified": [sum(distance > limit for distance in known) for limit in limits],
            "undecided": len(distances) - len(known),
        }
        if shown:
            return "refuted", shown, figures
        return ("undecided" if len(known) < len(distances) else "proven"), (), figures

    def nearest(
        self, bounds: Bounds, cases: Cases, sample: IntArray, reach: IntArray
    ) -> tuple[int | None, IntArray | None]:
        """The least distance at which a case holds, and indices there; None: undecided.

        Beyond the limit of the property, the distance is one more.

        Parameters
        ----------
        reach : (inputs,), 1 for inputs that may change.
        """
        distance, point = self.wanted.within + 1, None
        top = bounds.sizes[: bounds.inputs] - 1
        while distance > 1:
            low = np.maximum(sample - reach * (distance - 1), 0)
            high = np.minimum(sample + reach * (distance - 1), top)
            found = self.find_in(bounds, cases, (low, high))
            if found.point is None:
                return (distance if found.finished else None), point
            point = found.point
            distance = int(np.abs(point - sample).max())
        return distance, point


def _bounded(bounds: Bounds, case: Sequence[Code], low: IntArray, high: IntArray) -> Case | None:
    """A case whose objectives of one input are limits of that; None: it never holds."""
    low, high = low.copy(), high.copy()
    for one, other in itertools.combinations(case, 2):
        both_positive = bounds.networks.combined([(1, one), (1, other)])
        if not both_positive.tables and both_positive.constant < 2:
            return None
    objectives: list[Code] = []
    for code in case:
        if not code.tables:
            if code.constant < 1:
                return None
            continue
        places = [bounds.place[of] for of in code.tables]
        if len(places) > 1 or places[0] >= bounds.inputs:
            objectives.append(code)
            continue
        (place,), (table,) = places, code.tables.values()
        allowed = np.flatnonzero(table + code.constant > 0)
        allowed = allowed[(allowed >= low[place]) & (allowed <= high[place])]
        if not len(allowed):
            return None
        low[place], high[place] = allowed[0], allowed[-1]
        if len(allowed) <= allowed[-1] - allowed[0]:
            objectives.append(code)
    return Case(objectives or [Code(constant=1)], low, high)
