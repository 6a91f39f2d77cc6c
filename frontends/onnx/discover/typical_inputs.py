"""Chooses typical inputs of a graph: real samples, or boxes, magnitudes and natural scales.

The graph shows the natural scales: its first ops usually shift and scale an input to a size of
about 1 where the network was trained. Both (x - 8000) / 20 and a comparison of x with 8000 lead to
the center 8000.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from math import prod

import numpy as np

from kan_dialect.evaluate.onnx_subgraph import FLOATS
from kan_dialect.frontends.onnx.operators.sign_changes import MarginRun
from kan_dialect.frontends.onnx.operators.static_graph import StaticGraph, needed_steps
from kan_dialect.frontends.onnx.operators.subgraphs import SubgraphRun, grouped
from kan_dialect.frontends.onnx.operators.thresholds import (
    Margins,
    NodeMargins,
    changed,
    input_codes,
    margins_of,
    single_inputs,
)
from kan_dialect.ir.constants import FloatArray, IntArray

_REFINEMENT_ROUNDS = 4
"""Rounds that probe around scales found before."""

_LINEARITY_TOLERANCE = 1e-6
"""A function whose slope changes by more than this share is not affine."""

_LARGEST_SCALE = 1e12
"""The slope of a larger one is rounding."""

_MAX_PROBED_ELEMENTS = 1 << 20
"""Values of more elements, for a whole batch, are not probed."""

_SEED = 7

_ACTIVATION_ROWS = 192
"""Real samples for which activations are computed."""

BOXES = ((-1.0, 1.0), (-3.0, 3.0), (0.0, 1.0), (1.0, 10.0))
"""Boxes of inputs that are tried without samples: functions may have limited domains."""

_MAGNITUDES = (0.1, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6)
"""Magnitudes of inputs that are tried without samples, alone and mixed."""

_BOX_ROWS = 48
"""Inputs in each box and at each magnitude."""


def typical_inputs(
    static: StaticGraph,
    samples: FloatArray | None,
    rng: np.random.Generator,
    rows: int = _ACTIVATION_ROWS,
) -> list[FloatArray]:
    """Groups of typical inputs (rows, in), the likeliest last.

    With samples there is one group, of samples. Without, groups are boxes, magnitudes, and the
    scales that the graph shows.

    Parameters
    ----------
    samples : (samples, in), real inputs, or None.
    rows : size of the last group.
    """
    if samples is not None:
        chosen = rng.choice(len(samples), min(len(samples), rows), replace=False)
        return [samples[np.sort(chosen)]]
    groups = magnitude_inputs(static.width(static.source.input), rng)
    return [*groups, _network_input_scales(static).draw(rows, groups[0], rng)]


def magnitude_inputs(width: int, rng: np.random.Generator) -> list[FloatArray]:
    """Groups of inputs (rows, width) in boxes, at magnitudes, and at mixed magnitudes."""
    size = (_BOX_ROWS, width)
    boxes = (*BOXES, *((-scale, scale) for scale in _MAGNITUDES))
    groups = [rng.uniform(low, high, size) for low, high in boxes]
    return [*groups, rng.choice((1.0, *_MAGNITUDES), size) * rng.uniform(-1.0, 1.0, size)]


@lru_cache(maxsize=4)
def _network_input_scales(static: StaticGraph) -> InputScales:
    """The natural scales of the network's inputs, cached for repeated use."""
    size = (_BOX_ROWS, static.width(static.source.input))
    near = np.random.default_rng(_SEED).uniform(*BOXES[0], size)
    return find_input_scales(static, [static.source.input], near)


@dataclass(frozen=True, eq=False)
class InputScales:
    """Centers and scales of single inputs; an input may have several.

    Attributes
    ----------
    inputs : number of inputs.
    index : (scales), int64, ascending, the input of each scale.
    center, scale : (scales), float64.
    """

    inputs: int
    index: IntArray
    center: FloatArray
    scale: FloatArray

    def within(self, low: FloatArray, high: FloatArray) -> InputScales:
        """The scales that reach into a box low..high (in)."""
        above = self.center + self.scale >= low[self.index]
        kept = above & (self.center - self.scale <= high[self.index])
        return InputScales(self.inputs, self.index[kept], self.center[kept], self.scale[kept])

    def draw(self, rows: int, other: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Random points (rows, in): each input near one of its scales.

        Inputs without a scale take values from rows of `other` (rows, in).
        """
        points = other[rng.integers(len(other), size=(rows, self.inputs)), np.arange(self.inputs)]
        bounds = np.searchsorted(self.index, np.arange(self.inputs + 1))
        known = np.flatnonzero(bounds[1:] > bounds[:-1])
        if known.size:
            chosen = rng.integers(bounds[known], bounds[known + 1], (rows, known.size))
            # Most interactions show on both sides of a center, up to a few scales away.
            far = rng.uniform(-1.0, 1.0, chosen.shape) * rng.choice((0.5, 1.5, 3.0), chosen.shape)
            points[:, known] = self.center[chosen] + self.scale[chosen] * far
        return points


def find_input_scales(
    static: StaticGraph, boundary: Sequence[str], near: FloatArray
) -> InputScales:
    """The natural scales of the elements of a layer boundary.

    Parameters
    ----------
    near : (rows, elements), typical values of the boundary.
    """
    steps = needed_steps(static, boundary, [static.source.output])
    names = [name for step in steps for name in step.outputs if _is_probed(static, name)]
    margins = [each for step in steps for each in margins_of(static, step) if each.against is None]
    return _Search(static, boundary, names, margins, near).run()


def _is_probed(static: StaticGraph, name: str) -> bool:
    size = prod(static.shapes.get(name, ()))
    small = 0 < size <= _MAX_PROBED_ELEMENTS and size % static.batch == 0
    return small and static.kinds.get(name) in FLOATS


class _Search:
    def __init__(
        self,
        static: StaticGraph,
        boundary: Sequence[str],
        names: Sequence[str],
        margins: Sequence[NodeMargins],
        near: FloatArray,
    ) -> None:
        self._inputs = near.shape[1]
        self._codes = input_codes(self._inputs)
        self._near = near
        self._rng = np.random.default_rng(_SEED)
        self._rows = max(static.batch, 3 + len(self._codes))
        self._runs: list[MarginRun] = [*self._runnable(static, boundary, names)]
        compared = list(dict.fromkeys(each.name for each in margins))
        for run in self._runnable(static, boundary, compared):
            mine = Margins(static, [each for each in margins if each.name in run.targets])
            self._runs.append(lambda x, run=run, mine=mine: mine.of(run(x)))

    def _runnable(
        self, static: StaticGraph, boundary: Sequence[str], names: Sequence[str]
    ) -> list[SubgraphRun]:
        """Runs of the named values that can be computed at typical inputs."""
        found: list[SubgraphRun] = []
        pending = grouped(names, static, self._rows)[::-1]
        while pending:
            group = pending.pop()
            with suppress(Exception):  # Runtimes raise errors of many types.
                run = SubgraphRun(static, boundary, group)
                known = run(np.stack([np.full(self._inputs, 0.5), np.median(self._near, axis=0)]))
                if not bool(np.isnan(known).all()):
                    found.append(run)
                elif len(group) > 1:  # Some of its values cannot be computed there.
                    pending += [group[len(group) // 2 :], group[: len(group) // 2]]
        return found

    def run(self) -> InputScales:
        middle = np.median(self._near, axis=0)
        spread = np.maximum(np.ptp(self._near, axis=0), 1e-30)
        half = np.full(self._inputs, 0.5)
        found = [
            self._around(base, step)
            for base, step in ((half, half / 8), (-half, half / 8), (middle, spread / 1000))
        ]
        for _ in range(_REFINEMENT_ROUNDS):
            scales = self._distinct(found)
            base = scales.draw(1, middle[np.newaxis], self._rng)[0]
            scale = np.full(self._inputs, np.inf)
            np.minimum.at(scale, scales.index, scales.scale)
            found.append(self._around(base, np.where(np.isfinite(scale), scale, 1.0) / 1000))
        return self._distinct(found)

    def _distinct(self, found: Sequence[FloatArray]) -> InputScales:
        """Merge scales (3, scales), by input, without duplicates up to rounding."""
        every = np.concatenate(found, axis=1)
        coarse = np.array([every[0], every[1] / every[2], np.log2(every[2])]).round(3)
        index, center, scale = every[:, _distinct_columns(coarse)]
        return InputScales(self._inputs, index.astype(np.int64), center, scale)

    def _around(self, base: FloatArray, step: FloatArray) -> FloatArray:
        """Scales from the slopes at a point `base` (in): input, center and scale, (3, scales)."""
        moved = [np.zeros_like(step), step, 2 * step, *(step * self._codes)]
        found: list[FloatArray] = [np.empty((3, 0))]
        for run in self._runs:
            with np.errstate(all="ignore"):
                values = run(base + np.stack(moved))
                at, once, twice = values[:3]
                single = single_inputs(changed(values[3:], at), self._inputs)
                alone, index = single >= 0, np.maximum(single, 0)
                rise = once - at
                straight = np.abs(twice - once - rise) <= _LINEARITY_TOLERANCE * np.abs(rise)
                certain = np.abs(rise) > 1e-9 * np.abs(at)
                slope = rise / step[index]
                center, scale = base[index] - at / slope, 1 / np.abs(slope)
                good = alone & straight & certain & np.isfinite(center) & np.isfinite(scale)
                good &= (scale > 1e-30) & (scale < _LARGEST_SCALE)
                found.append(np.stack([index[good].astype(np.float64), center[good], scale[good]]))
        return np.concatenate(found, axis=1)


def _distinct_columns(array: FloatArray) -> IntArray:
    """The first of all equal columns, sorted; `numpy.unique` is slow at this."""
    order: IntArray = np.lexsort(array[::-1])
    columns = array[:, order]
    new = np.ones(order.size, dtype=np.bool_)
    new[1:] = (columns[:, 1:] != columns[:, :-1]).any(axis=0)
    return order[new]
