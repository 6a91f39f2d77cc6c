"""Discovers layers of unknown form: boundaries between which the graph adds up functions.

From the input onwards, the next boundary is the farthest one that is a sum of functions of single
elements of the current boundary. Among boundaries that determine it element by element, the
narrowest is taken. A boundary is one value, or several if connections skip layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kan_dialect.errors import KanError
from kan_dialect.frontends.onnx.discover.additivity import (
    Exchanges,
    make_exchanges,
    points_near,
    residuals,
)
from kan_dialect.frontends.onnx.discover.typical_inputs import find_input_scales, typical_inputs
from kan_dialect.frontends.onnx.operators.elementwise import DECISIONS
from kan_dialect.frontends.onnx.operators.refusals import PRODUCT, PRODUCT_REMEDY, REFUSALS
from kan_dialect.frontends.onnx.operators.sign_changes import MarginRun
from kan_dialect.frontends.onnx.operators.static_graph import StaticGraph, needed_steps
from kan_dialect.frontends.onnx.operators.subgraphs import SubgraphRun, grouped
from kan_dialect.frontends.onnx.operators.thresholds import (
    SEVERAL,
    Margins,
    changed,
    dependences,
    margins_of,
)
from kan_dialect.frontends.onnx.read.graph import Node, Unrecognised
from kan_dialect.ir.constants import FloatArray

MAX_BOUNDARY_VALUES = 16
"""Most values of a boundary."""

TRIALS = 128
"""Trials for each of the larger groups of points, in the first search."""

_SCREENING_TRIALS = 4
"""Trials that rule out most values before the full number of trials."""


_SCALE_TRIAL_FACTOR = 8
"""Factor of the trials at input scales, where a function may change anywhere."""

_MANY_TRIALS_MAX_WIDTH = 1 << 9
"""Widest value of a graph, in elements, for which `_SCALE_TRIAL_FACTOR` holds."""

_ARRANGEMENTS = ("Concat", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze")
"""Operators that rearrange all elements of their operands."""


_INFINITESIMAL = 1e-300
"""Residual of a value that branches on a sum: it may differ at a single value of the sum."""

_SEED = 2026
_MAX_DEPENDENCE_ELEMENTS = 1 << 25
"""Elements of the matrix that tests which elements of one boundary depend on another."""


@dataclass(frozen=True, eq=False)
class FoundLayer:
    """A layer: a value that is a sum of functions of single elements of other values.

    Attributes
    ----------
    sources, target : names of values.
    activations : (rows, elements of the sources), float64, typical values of the sources at which
        sources and target are finite.
    """

    sources: tuple[str, ...]
    target: str
    activations: FloatArray


@dataclass(frozen=True, eq=False)
class _Boundary:
    """Values that determine the output once the step at `position` is done.

    Attributes
    ----------
    width : number of elements of all values.
    new_width : number of elements of values outside the boundary before.
    """

    values: tuple[str, ...]
    position: int
    width: int
    new_width: int


def find_layers(
    static: StaticGraph,
    samples: FloatArray | None,
    trials: int = TRIALS,
    counterexamples: FloatArray | None = None,
) -> list[FoundLayer]:
    """Discover the layers, in order; the target of the last one is the output.

    Parameters
    ----------
    samples : (samples, in), real inputs; None to try inputs of several magnitudes.
    trials : exchanges for each of the larger groups of points.
    counterexamples : (rows, in), inputs at which an interaction is known to show.

    Raises
    ------
    Unrecognised : at the first op that combines its operands other than by adding.
    KanError : the effort is spent, or values are not finite for any input that was tried.
    Exception : of any type, if a runtime cannot run the graph.
    """
    return _Search(static, samples, trials, counterexamples).run()


class _Search:
    def __init__(
        self,
        static: StaticGraph,
        samples: FloatArray | None,
        trials: int,
        counterexamples: FloatArray | None,
    ) -> None:
        self._static = static
        self._trials = trials
        self._rng = np.random.default_rng(_SEED)
        self._input = static.source.input
        self._output = static.source.output
        self._given = samples is not None
        groups = typical_inputs(static, samples, self._rng)
        self._counterexamples = 0 if counterexamples is None else len(counterexamples)
        if counterexamples is not None:
            groups = [counterexamples, *groups]
        self._base = np.concatenate(groups)
        self._group = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
        self._known: dict[str, FloatArray] = {self._input: self._base}

    def run(self) -> list[FoundLayer]:
        layers: list[FoundLayer] = []
        current = (self._input,)
        while current != (self._output,):
            following = self._next_boundary(current)
            for value in following.values:
                if value not in current:
                    sources = self._sources_of(current, value)
                    layers.append(FoundLayer(sources, value, self._finite(sources, [value])))
            current = following.values
        return layers

    # Points

    def _exchanges(self, boundary: Sequence[str]) -> list[Exchanges]:
        """Trials at a boundary, near the activations for each group of inputs."""
        values = self._activations(boundary)
        groups = [values[self._group == index] for index in range(self._group[-1] + 1)]
        finite = [group[np.isfinite(group).all(axis=1)] for group in groups]
        trials = self._trials if self._given else self._trials // 2
        points = [
            each for group in finite if len(group) for each in points_near(group, trials, self._rng)
        ]
        if not points:
            raise self._nowhere_finite(boundary)
        points.append(self._points_at_scales(boundary, np.concatenate(finite)))
        if self._counterexamples:
            points.append(self._counterexample_points(values))
        return [make_exchanges(each, self._rng) for each in points]

    def _counterexample_points(self, values: FloatArray) -> FloatArray:
        """Points (2 * trials, elements): counterexamples, then likely points to exchange with."""
        likely = values[self._group == self._group[-1]]
        p = np.repeat(
            values[: self._counterexamples], -(-self._trials // self._counterexamples), axis=0
        )
        return np.concatenate([p, likely[self._rng.integers(len(likely), size=len(p))]])

    def _points_at_scales(self, boundary: Sequence[str], values: FloatArray) -> FloatArray:
        """Points (2 * trials, elements) around the input scales of the boundary."""
        scales = find_input_scales(self._static, boundary, values)
        low, high = values.min(axis=0), values.max(axis=0)
        half = (high - low) / 2
        few = max(map(self._static.width, self._static.shapes)) <= _MANY_TRIALS_MAX_WIDTH
        rows = 2 * self._trials * (_SCALE_TRIAL_FACTOR if few else 1)
        if self._given or tuple(boundary) != (self._input,):
            # Scales far from the activations do not matter.
            scales = scales.within(low - half, high + half)
        return scales.draw(rows, values, self._rng)

    def _activations(self, names: Sequence[str]) -> FloatArray:
        """Activations of values for the base inputs, side by side: (rows, elements)."""
        missing = [name for name in names if name not in self._known]
        for group in grouped(missing, self._static, len(self._base)):
            run = SubgraphRun(self._static, [self._input], group)
            values = np.split(run(self._base), run.columns[1:-1], axis=1)
            self._known.update(zip(group, values, strict=True))
        return np.concatenate([self._known[name] for name in names], axis=1)

    def _finite(self, boundary: Sequence[str], further: Sequence[str] = ()) -> FloatArray:
        """Activations of a boundary in rows where they and `further` values are finite."""
        values = self._activations([*boundary, *further])
        rows = np.isfinite(values).all(axis=1)
        if not bool(rows.any()):
            raise self._nowhere_finite([*further, *boundary])
        likely = rows & (self._group == self._group[-1])
        rows = likely if bool(likely.any()) else rows
        return values[rows][:, : sum(self._static.width(name) for name in boundary)]

    def _nowhere_finite(self, values: Sequence[str]) -> KanError:
        return self._static.source.error(
            f"{_listed(values)} are not finite for any of the inputs that were tried",
            "say where the inputs lie, with --samples DATA.npz",
        )

    # Boundaries

    def _next_boundary(self, current: tuple[str, ...]) -> _Boundary:
        steps = needed_steps(self._static, current, [self._output])
        boundaries = self._boundaries(current, steps)
        exchanges = self._exchanges(current)
        values = [name for step in steps for name in step.outputs if self._may_be_boundary(name)]
        members = {value for boundary in boundaries for value in boundary.values} - set(current)
        tried = [name for name in values if name in members]
        first = [group.first(_SCREENING_TRIALS) for group in exchanges]
        shares = dict.fromkeys(current, 0.0) | self._residuals(current, tried, first)
        shares |= self._branching(current, steps, first)
        boundaries = [
            boundary
            for boundary in boundaries
            if all(shares[value] == 0.0 for value in boundary.values)
        ]
        sure = set(current)

        def is_additive(boundary: _Boundary) -> bool:
            left = [
                value for value in boundary.values if value not in sure and shares[value] == 0.0
            ]
            found = self._residuals(current, left, exchanges)
            shares.update(found)
            sure.update(value for value, share in found.items() if share == 0.0)
            return all(value in sure for value in boundary.values)

        farthest = next(
            (boundary for boundary in reversed(boundaries) if is_additive(boundary)), None
        )
        if farthest is None:
            everything = [name for name in values if name not in shares]
            shares = self._residuals(current, everything, first) | shares
            raise self._refusal(current, steps, shares)
        if farthest.values == (self._output,):
            return farthest  # An earlier boundary would only add a layer.
        narrower = [
            boundary
            for boundary in boundaries
            if boundary.position < farthest.position and boundary.new_width < farthest.new_width
        ]
        for boundary in sorted(
            narrower, key=lambda boundary: (boundary.new_width, -boundary.position)
        ):
            if self._determines_each_element_of(boundary, farthest) and is_additive(boundary):
                return boundary
        return farthest

    def _boundaries(self, current: tuple[str, ...], steps: Sequence[Node]) -> list[_Boundary]:
        """Candidates after each step, in order: the values that later steps still read."""
        last_read = {self._output: len(steps)}
        for position, step in enumerate(steps):
            for name in step.reads:
                last_read[name] = max(last_read.get(name, -1), position)
        live = {name for name in current if last_read.get(name, -1) >= 0}
        origins = {name: (name,) for name in current}
        boundaries: list[_Boundary] = []
        for position, step in enumerate(steps):
            made = {name for name in step.outputs if last_read.get(name, -1) > position}
            gone = {name for name in step.reads if last_read[name] <= position}
            live = (live | made) - gone
            origins |= {name: self._origin(step, name, origins) for name in step.outputs}
            values = tuple(dict.fromkeys(each for name in sorted(live) for each in origins[name]))
            if len(values) <= MAX_BOUNDARY_VALUES and all(map(self._may_be_boundary, values)):
                widths = {value: self._static.width(value) for value in values}
                new_width = sum(widths[value] for value in values if value not in current)
                boundaries.append(_Boundary(values, position, sum(widths.values()), new_width))
        return [boundary for boundary in boundaries if set(boundary.values) != set(current)]

    def _origin(
        self, step: Node, name: str, origins: dict[str, tuple[str, ...]]
    ) -> tuple[str, ...]:
        """The values that a result holds in another arrangement; itself if it is computed.

        Values concatenated for the next layer thus remain boundaries of their own.
        """
        reads = [each for each in step.reads if each in origins]
        arranges = step.op_type in _ARRANGEMENTS and name != self._output
        if not arranges or not all(map(self._may_be_boundary, [name, *reads])):
            return (name,)
        if self._static.width(name) != sum(self._static.width(each) for each in reads):
            return (name,)
        return tuple(dict.fromkeys(origin for each in reads for origin in origins[each]))

    def _may_be_boundary(self, name: str) -> bool:
        return name in self._static.shapes and self._static.may_be_boundary(name)

    def _sources_of(self, current: tuple[str, ...], value: str) -> tuple[str, ...]:
        """The values of a boundary on which a value depends; all of them for a constant."""
        steps = needed_steps(self._static, current, [value])
        read = {name for step in steps for name in step.reads}
        return tuple(name for name in current if name in read) or current

    def _residuals(
        self, boundary: Sequence[str], values: Sequence[str], exchanges: Sequence[Exchanges]
    ) -> dict[str, float]:
        found: dict[str, float] = {}
        rows = max(len(group.rows) for group in exchanges)
        for group in grouped(values, self._static, rows):
            run = SubgraphRun(self._static, boundary, group)
            shares = residuals(run, exchanges, enough=0.0)
            found.update(zip(group, shares.tolist(), strict=True))
        return found

    def _branching(
        self, boundary: Sequence[str], steps: Sequence[Node], exchanges: Sequence[Exchanges]
    ) -> dict[str, float]:
        """Values that branch on a sum of several elements, with `_INFINITESIMAL` as residual.

        If only one or few values of the sum are treated differently, no exchange shows it.
        """
        margins = [
            each
            for step in steps
            if step.op_type in DECISIONS
            for each in margins_of(self._static, step)
            if each.against is None
        ]
        x = np.concatenate([group.rows for group in exchanges])
        likely = self._finite(boundary)
        mixing: set[str] = set()
        names = list(dict.fromkeys(each.name for each in margins))
        for group in grouped(names, self._static, len(x)):
            mine = Margins(self._static, [each for each in margins if each.name in group])
            run = SubgraphRun(self._static, boundary, mine.names)

            def margins_at(x: FloatArray, run: MarginRun = run, mine: Margins = mine) -> FloatArray:
                return mine.of(run(x))

            index = dependences(margins_at, likely[0], likely, np.dtype(np.float64))
            signs = np.sign(margins_at(x))
            crossed = np.fmin.reduce(signs, axis=0) < np.fmax.reduce(signs, axis=0)
            owners: list[int] = mine.owner[crossed & (index == SEVERAL)].tolist()
            mixing.update(name for owner in owners for name in mine.nodes[owner].outputs)
        for step in steps:
            if not mixing.isdisjoint(step.reads):
                mixing.update(step.outputs)
        return dict.fromkeys((name for name in mixing if name not in boundary), _INFINITESIMAL)

    def _determines_each_element_of(self, boundary: _Boundary, other: _Boundary) -> bool:
        """Whether each element of `other` depends on at most one element of `boundary`."""
        if boundary.width * other.width > _MAX_DEPENDENCE_ELEMENTS:
            return False
        run = SubgraphRun(self._static, boundary.values, other.values)
        values = self._finite(boundary.values)
        for _ in range(2):
            base = values[self._rng.integers(len(values))]
            other_row = values[self._rng.integers(len(values))]
            rows = np.repeat(base[np.newaxis], boundary.width + 1, axis=0)
            np.fill_diagonal(rows, other_row + (other_row == base))
            found = run(rows)
            if bool((changed(found[:-1], found[-1]).sum(axis=0) > 1).any()):
                return False
        return True

    # Refusals

    def _refusal(
        self, boundary: Sequence[str], steps: Sequence[Node], shares: dict[str, float]
    ) -> Unrecognised:
        for step in steps:
            share = max((shares.get(name, 0.0) for name in step.outputs), default=0.0)
            if share == np.inf:
                tried = "the samples" if self._given else "the inputs that were tried"
                return step.refuse(
                    f"its result is hardly ever finite for {tried}, as a function of "
                    f"{_listed(boundary)}",
                    "say where the inputs lie, with --samples DATA.npz",
                )
            if share == _INFINITESIMAL:
                return _refusal(step, boundary, "branches on a sum of several of them")
            if share > 0.0:
                evidence = (
                    f"misses a sum of functions of one value each by {share:.1e} of its range"
                )
                return _refusal(step, boundary, evidence)
        return _refusal(steps[-1], boundary, "is no float for each sample")


def _refusal(node: Node, boundary: Sequence[str], evidence: str) -> Unrecognised:
    """The error that a node mixes the values of a boundary."""
    reason, remedy = REFUSALS.get(node.op_type, (PRODUCT, PRODUCT_REMEDY))
    return node.refuse(f"{reason} (as a function of {_listed(boundary)}, it {evidence})", remedy)


def _listed(names: Sequence[str]) -> str:
    return " and ".join(f"'{name}'" for name in names)
