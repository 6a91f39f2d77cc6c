"""Finds the layers of a graph whose form is not known: cuts between which it adds up functions.

From the input onwards, the farthest cut comes next that is a sum of functions of one value each of
the cut before; of the cuts at that place, the narrowest. A cut is one value, or several where
connections skip layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from kan_dialect.errors import KanError
from kan_dialect.evaluate.onnx_subgraph import open_runner, run_rows, widened
from kan_dialect.frontends.onnx.discover.additivity import (
    Exchanges,
    PartialRun,
    grouped,
    make_exchanges,
    points_near,
    residuals,
)
from kan_dialect.frontends.onnx.discover.input_scales import Places, find_places
from kan_dialect.frontends.onnx.operators.branch_values import DECISIONS
from kan_dialect.frontends.onnx.operators.refusals import PRODUCT, PRODUCT_REMEDY, REFUSALS
from kan_dialect.frontends.onnx.operators.static_graph import (
    StaticGraph,
    Step,
    cut_out,
    needed_steps,
)
from kan_dialect.frontends.onnx.operators.thresholds import SEVERAL, dependences, margins_of
from kan_dialect.frontends.onnx.read.graph import Node, Unrecognised
from kan_dialect.ir.constants import FloatArray

MAX_VALUES = 16
"""Cuts of more values than this are not looked at."""

TRIALS = 128
"""Trials of each of the larger groups of points, at first."""

_FIRST_TRIALS = 4
"""Trials that sort out most values before the rest is spent on the others."""

_SAMPLES = 192
"""Real samples of which activations at the cuts are computed."""

_BOXES = ((-1.0, 1.0), (-3.0, 3.0), (0.0, 1.0), (1.0, 10.0))
"""Without samples, all inputs are tried in each of these: functions may have domains."""

_SCALES = (0.1, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6)
"""Without samples, inputs are tried at these magnitudes, too, and at a mixture of them."""

_BOX_ROWS = 48
"""Inputs in each box and at each magnitude, of which activations are computed."""

_PLACE_TRIALS = 8
"""So many times more trials are spent where functions of a few values change, which is anywhere."""

_FEW_ELEMENTS = 1 << 9
"""Of the widest value: beyond, more trials would take their time."""

_ARRANGEMENTS = ("Concat", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze")
"""Operators that put all elements of what they read in another place."""

_EVERY = 96
"""One input in so many shows whether a graph can be run at all."""

_INFINITESIMAL = 1e-300
"""The residual of a value that branches on a sum: it may differ at a single value of the sum."""

_SEED = 2026
_MAX_DEPENDENCES = 1 << 25


@dataclass(frozen=True, eq=False)
class FoundLayer:
    """A value that is a sum of functions of the elements of others.

    Attributes
    ----------
    sources, target : names of values.
    activations : (rows, elements of the sources), where the sources lie; sources and target are
        finite there.
    """

    sources: tuple[str, ...]
    target: str
    activations: FloatArray


@dataclass(frozen=True, eq=False)
class _Cut:
    """Values that are enough to compute the output, once the step at `position` is done.

    `width` counts their elements, `fresh` those of values that were not in the cut before.
    """

    values: tuple[str, ...]
    position: int
    width: int
    fresh: int


def typical_inputs(
    static: StaticGraph,
    samples: FloatArray | None,
    rng: np.random.Generator,
    rows: int = _SAMPLES,
) -> list[FloatArray]:
    """Groups of inputs (rows, in), the likeliest last; as many `rows` of those.

    Of the samples; without them, of boxes and magnitudes, and of the places that the graph shows.
    """
    if samples is not None:
        chosen = rng.choice(len(samples), min(len(samples), rows), replace=False)
        return [samples[np.sort(chosen)]]
    size = (_BOX_ROWS, static.width(static.source.input))
    boxes = (*_BOXES, *((-scale, scale) for scale in _SCALES))
    groups = [rng.uniform(low, high, size) for low, high in boxes]
    mixed = rng.choice((1.0, *_SCALES), size) * rng.uniform(-1.0, 1.0, size)
    return [*groups, mixed, _input_places(static).draw(rows, groups[0], rng)]


@lru_cache(maxsize=4)
def _input_places(static: StaticGraph) -> Places:
    """The natural places of the inputs: they are asked for several times."""
    size = (_BOX_ROWS, static.width(static.source.input))
    near = np.random.default_rng(_SEED).uniform(*_BOXES[0], size)
    return find_places(static, [static.source.input], near)


def first_unlike(static: StaticGraph, samples: FloatArray | None) -> Step | None:
    """The first step whose result for a sample depends on its place or on other samples.

    Raises
    ------
    Exception : of the runtimes' choice, which cannot run the graph for any of the inputs.
    """
    groups = typical_inputs(static, samples, np.random.default_rng(_SEED))
    # Far away, a function may make much of the last bits of a sum.
    x = np.concatenate([*groups[: len(_BOXES)], groups[-1]])
    whole = cut_out(static, [static.source.input], [static.source.output])
    run_rows(open_runner(widened(whole)), x[::-_EVERY], static.batch)
    steps = [step for step in static.steps if any(map(static.is_cut, step.proto.output))]
    places = {name: step for step in steps for name in step.proto.output if static.is_cut(name)}
    # The output alone tells whether there is such a step at all.
    if not _unlike(static, [static.source.output], x):
        return None
    for group in grouped(list(places), static, len(x)):
        for name in _unlike(static, group, x):
            return places[name]
    return static.steps[-1]


def _unlike(static: StaticGraph, names: Sequence[str], x: FloatArray) -> list[str]:
    """Those values whose rows change where the rows of x do not, but come in another order."""
    run = PartialRun(static, [static.source.input], names)
    values, shifted = run(x), np.roll(run(np.roll(x, 1, axis=0)), -1, axis=0)
    places = [slice(*ends) for ends in pairwise(run.columns)]
    return [
        name
        for name, columns in zip(names, places, strict=True)
        if not _equal(values[:, columns], shifted[:, columns])
    ]


def _equal(values: FloatArray, others: FloatArray) -> bool:
    finite = np.abs(values[np.isfinite(values)])
    scale = float(finite.max(initial=0.0))
    return np.allclose(values, others, rtol=1e-6, atol=1e-9 * scale + 1e-12, equal_nan=True)


def find_layers(
    static: StaticGraph,
    samples: FloatArray | None,
    trials: int = TRIALS,
    telling: FloatArray | None = None,
) -> list[FoundLayer]:
    """The layers, in order; the last one's target is the output.

    Parameters
    ----------
    samples : (samples, in), real inputs; without, inputs are tried at several magnitudes.
    trials : exchanges in each of the larger groups of points.
    telling : (rows, in), inputs at which an interaction is known to show.

    Raises
    ------
    Unrecognised : at the first op that mixes what it reads other than by adding.
    Exception : a runtime cannot run the graph.
    """
    return _Search(static, samples, trials, telling).run()


class _Search:
    def __init__(
        self,
        static: StaticGraph,
        samples: FloatArray | None,
        trials: int,
        telling: FloatArray | None,
    ) -> None:
        self._static = static
        self._trials = trials
        self._rng = np.random.default_rng(_SEED)
        self._input = static.source.input
        self._output = static.source.output
        self._given = samples is not None
        groups = typical_inputs(static, samples, self._rng)
        self._telling = 0 if telling is None else len(telling)
        if telling is not None:
            groups = [telling, *groups]
        self._base = np.concatenate(groups)
        self._group = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
        self._known: dict[str, FloatArray] = {self._input: self._base}

    def run(self) -> list[FoundLayer]:
        layers: list[FoundLayer] = []
        current = (self._input,)
        while current != (self._output,):
            following = self._next_cut(current)
            for value in following.values:
                if value not in current:
                    sources = self._sources_of(current, value)
                    layers.append(FoundLayer(sources, value, self._finite(sources, [value])))
            current = following.values
        return layers

    # Points

    def _exchanges(self, cut: Sequence[str]) -> list[Exchanges]:
        """Trials at a cut, near the activations of each group of inputs."""
        values = self._activations(cut)
        groups = [values[self._group == index] for index in range(self._group[-1] + 1)]
        finite = [group[np.isfinite(group).all(axis=1)] for group in groups]
        trials = self._trials if self._given else self._trials // 2
        points = [
            each for group in finite if len(group) for each in points_near(group, trials, self._rng)
        ]
        if not points:
            raise self._nowhere_finite(cut)
        points.append(self._points_at_places(cut, np.concatenate(finite)))
        if self._telling:
            points.append(self._telling_points(values))
        return [make_exchanges(each, self._rng) for each in points]

    def _telling_points(self, values: FloatArray) -> FloatArray:
        """Points (2 * trials, elements): the telling ones as they are, against likely others."""
        likely = values[self._group == self._group[-1]]
        p = np.repeat(values[: self._telling], -(-self._trials // self._telling), axis=0)
        return np.concatenate([p, likely[self._rng.integers(len(likely), size=len(p))]])

    def _points_at_places(self, cut: Sequence[str], values: FloatArray) -> FloatArray:
        """Points (2 * trials, elements) where functions change that read values of the cut."""
        places = find_places(self._static, cut, values)
        low, high = values.min(axis=0), values.max(axis=0)
        half = (high - low) / 2
        few = max(map(self._static.width, self._static.shapes)) <= _FEW_ELEMENTS
        rows = 2 * self._trials * (_PLACE_TRIALS if few else 1)
        if self._given or tuple(cut) != (self._input,):
            # Farther away, nobody knows, and nothing matters.
            places = places.within(low - half, high + half)
        return places.draw(rows, values, self._rng)

    def _activations(self, names: Sequence[str]) -> FloatArray:
        """What the values hold for the base inputs, side by side: (rows, elements)."""
        missing = [name for name in names if name not in self._known]
        for group in grouped(missing, self._static, len(self._base)):
            run = PartialRun(self._static, [self._input], group)
            values = np.split(run(self._base), run.columns[1:-1], axis=1)
            self._known.update(zip(group, values, strict=True))
        return np.concatenate([self._known[name] for name in names], axis=1)

    def _finite(self, cut: Sequence[str], further: Sequence[str] = ()) -> FloatArray:
        """The activations at a cut where they and `further` values are finite."""
        values = self._activations([*cut, *further])
        rows = np.isfinite(values).all(axis=1)
        if not bool(rows.any()):
            raise self._nowhere_finite([*further, *cut])
        likely = rows & (self._group == self._group[-1])
        rows = likely if bool(likely.any()) else rows
        return values[rows][:, : sum(self._static.width(name) for name in cut)]

    def _nowhere_finite(self, values: Sequence[str]) -> KanError:
        return self._static.source.error(
            f"{_listed(values)} are not finite for any of the inputs that were tried",
            "say where the inputs lie, with --samples DATA.npz",
        )

    # Cuts

    def _next_cut(self, current: tuple[str, ...]) -> _Cut:
        steps = needed_steps(self._static, current, [self._output])
        cuts = self._cuts(current, steps)
        exchanges = self._exchanges(current)
        values = [name for step in steps for name in step.proto.output if self._is_cut(name)]
        members = {value for cut in cuts for value in cut.values} - set(current)
        tried = [name for name in values if name in members]
        first = [group.first(_FIRST_TRIALS) for group in exchanges]
        shares = dict.fromkeys(current, 0.0) | self._residuals(current, tried, first)
        shares |= self._branching(current, steps, first)
        cuts = [cut for cut in cuts if all(shares[value] == 0.0 for value in cut.values)]
        sure = set(current)

        def is_additive(cut: _Cut) -> bool:
            left = [value for value in cut.values if value not in sure and shares[value] == 0.0]
            found = self._residuals(current, left, exchanges)
            shares.update(found)
            sure.update(value for value, share in found.items() if share == 0.0)
            return all(value in sure for value in cut.values)

        farthest = next((cut for cut in reversed(cuts) if is_additive(cut)), None)
        if farthest is None:
            everything = [name for name in values if name not in shares]
            shares = self._residuals(current, everything, first) | shares
            raise self._refusal(current, steps, shares)
        if farthest.values == (self._output,):
            return farthest  # Anything before it would be a layer more.
        narrower = [
            cut for cut in cuts if cut.position < farthest.position and cut.fresh < farthest.fresh
        ]
        for cut in sorted(narrower, key=lambda cut: (cut.fresh, -cut.position)):
            if self._is_place_of(cut, farthest) and is_additive(cut):
                return cut
        return farthest

    def _cuts(self, current: tuple[str, ...], steps: Sequence[Step]) -> list[_Cut]:
        """After each step, the values that are still read: those that may be cuts, in order."""
        last_read = {self._output: len(steps)}
        for position, step in enumerate(steps):
            for name in step.reads:
                last_read[name] = max(last_read.get(name, -1), position)
        live = {name for name in current if last_read.get(name, -1) >= 0}
        origins = {name: (name,) for name in current}
        cuts: list[_Cut] = []
        for position, step in enumerate(steps):
            made = {name for name in step.proto.output if last_read.get(name, -1) > position}
            gone = {name for name in step.reads if last_read[name] <= position}
            live = (live | made) - gone
            origins |= {name: self._origin(step, name, origins) for name in step.proto.output}
            values = tuple(dict.fromkeys(each for name in sorted(live) for each in origins[name]))
            if len(values) <= MAX_VALUES and all(map(self._is_cut, values)):
                widths = {value: self._static.width(value) for value in values}
                fresh = sum(widths[value] for value in values if value not in current)
                cuts.append(_Cut(values, position, sum(widths.values()), fresh))
        return [cut for cut in cuts if set(cut.values) != set(current)]

    def _origin(
        self, step: Step, name: str, origins: dict[str, tuple[str, ...]]
    ) -> tuple[str, ...]:
        """The values that a result holds, in another arrangement; itself, if it is none of those.

        So what is put side by side for the next layer stays what it was.
        """
        reads = [each for each in step.reads if each in origins]
        arranges = step.node.op_type in _ARRANGEMENTS and name != self._output
        if not arranges or not all(map(self._is_cut, [name, *reads])):
            return (name,)
        if self._static.width(name) != sum(self._static.width(each) for each in reads):
            return (name,)
        return tuple(dict.fromkeys(origin for each in reads for origin in origins[each]))

    def _is_cut(self, name: str) -> bool:
        return name in self._static.shapes and self._static.is_cut(name)

    def _sources_of(self, current: tuple[str, ...], value: str) -> tuple[str, ...]:
        """The values of a cut that a value depends on; all, where it is constant."""
        steps = needed_steps(self._static, current, [value])
        read = {name for step in steps for name in step.reads}
        return tuple(name for name in current if name in read) or current

    def _residuals(
        self, cut: Sequence[str], values: Sequence[str], exchanges: Sequence[Exchanges]
    ) -> dict[str, float]:
        found: dict[str, float] = {}
        rows = max(len(group.rows) for group in exchanges)
        for group in grouped(values, self._static, rows):
            run = PartialRun(self._static, cut, group)
            shares = residuals(run, exchanges, enough=0.0)
            found.update(zip(group, shares.tolist(), strict=True))
        return found

    def _branching(
        self, cut: Sequence[str], steps: Sequence[Step], exchanges: Sequence[Exchanges]
    ) -> dict[str, float]:
        """Values that branch on sums of several elements of a cut, with an infinitesimal residual.

        Where only one value of the sum, or few, are treated differently, no exchange shows it.
        """
        margins = [
            each
            for step in steps
            if step.node.op_type in DECISIONS
            for each in margins_of(self._static, step)
            if each.against is None
        ]
        names = list(dict.fromkeys(each.name for each in margins))
        if not names:
            return {}
        x = np.concatenate([group.rows for group in exchanges])
        mixing: set[str] = set()
        for group in grouped(names, self._static, len(x)):
            run = PartialRun(self._static, cut, group)
            columns = dict(zip(group, run.columns[:-1].tolist(), strict=True))
            likely = self._finite(cut)
            index = dependences(run, likely[0], likely, np.dtype(np.float64))
            values = run(x)
            for each in margins:
                if each.name not in columns:
                    continue
                element = columns[each.name] + each.element
                signs = np.sign(values[:, element] - each.limit)
                crossed = np.nanmin(signs, axis=0) < np.nanmax(signs, axis=0)
                if bool((crossed & (index[element] == SEVERAL)).any()):
                    mixing.update(each.node.outputs)
        for step in steps:
            if not mixing.isdisjoint(step.reads):
                mixing.update(step.proto.output)
        return dict.fromkeys((name for name in mixing if name not in cut), _INFINITESIMAL)

    def _is_place_of(self, cut: _Cut, other: _Cut) -> bool:
        """Whether each element of the other cut depends on one element of this one."""
        if cut.width * other.width > _MAX_DEPENDENCES:
            return False
        run = PartialRun(self._static, cut.values, other.values)
        values = self._finite(cut.values)
        for _ in range(2):
            base = values[self._rng.integers(len(values))]
            other_row = values[self._rng.integers(len(values))]
            changed = other_row + (other_row == base)
            rows = np.repeat(base[np.newaxis], cut.width + 1, axis=0)
            rows[np.arange(cut.width), np.arange(cut.width)] = changed
            found = run(rows)
            depends = found[:-1] != found[-1]
            depends &= ~(np.isnan(found[:-1]) & np.isnan(found[-1]))
            if bool((depends.sum(axis=0) > 1).any()):
                return False
        return True

    # Refusals

    def _refusal(
        self, cut: Sequence[str], steps: Sequence[Step], shares: dict[str, float]
    ) -> Unrecognised:
        for step in steps:
            share = max((shares.get(name, 0.0) for name in step.proto.output), default=0.0)
            if share == np.inf:
                return self._undefined(step.node, cut)
            if share == _INFINITESIMAL:
                return _refusal(step.node, cut, "branches on a sum of several of them")
            if share > 0.0:
                evidence = (
                    f"misses a sum of functions of one value each by {share:.1e} of its range"
                )
                return _refusal(step.node, cut, evidence)
        return _refusal(steps[-1].node, cut, "is no float for each sample")

    def _undefined(self, node: Node, cut: Sequence[str]) -> Unrecognised:
        tried = "the samples" if self._given else "the inputs that were tried"
        return node.refuse(
            f"its result is hardly ever finite for {tried}, as a function of {_listed(cut)}",
            "say where the inputs lie, with --samples DATA.npz",
        )


def _refusal(node: Node, cut: Sequence[str], evidence: str) -> Unrecognised:
    """The error that a node mixes the values of a cut."""
    reason, remedy = REFUSALS.get(node.op_type, (PRODUCT, PRODUCT_REMEDY))
    return node.refuse(f"{reason} (as a function of {_listed(cut)}, it {evidence})", remedy)


def _listed(names: Sequence[str]) -> str:
    return " and ".join(f"'{name}'" for name in names)
