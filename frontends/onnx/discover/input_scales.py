"""Where the inputs of a part of a graph have their natural locations and scales, off the graph.

Whatever the first ops make of one input by scaling and shifting it is about 1 in size where the
network was trained: so (x - 8000) / 20 and a comparison of x with 8000 both lead to 8000.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np
from onnx import helper

from kan_dialect.evaluate.onnx_subgraph import FLOATS
from kan_dialect.frontends.onnx.discover.additivity import PartialRun, grouped
from kan_dialect.frontends.onnx.operators.static_graph import StaticGraph, Step, needed_steps
from kan_dialect.ir.constants import FloatArray, IntArray

_BOUNDED = ("Clip", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max", "Min")
"""Operators that change at the value of a constant that they read."""

_ROUNDS = 4
"""Functions are looked at around so many of the places that were found before."""

_CURVED = 1e-6
"""A function whose slope changes by more than this share is no scaling."""

_MAX_ELEMENTS = 1 << 20
"""Larger values, for a whole batch, are not looked at."""

_SEED = 7


@dataclass(frozen=True, eq=False)
class Places:
    """Locations of single inputs, and how wide they are.

    Attributes
    ----------
    inputs : how many inputs there are.
    index : (places), the input of each, in ascending order.
    location, width : (places).
    """

    inputs: int
    index: IntArray
    location: FloatArray
    width: FloatArray

    def within(self, low: FloatArray, high: FloatArray) -> Places:
        """The places that reach into a box (in)."""
        above = self.location + self.width >= low[self.index]
        kept = above & (self.location - self.width <= high[self.index])
        return Places(self.inputs, self.index[kept], self.location[kept], self.width[kept])

    def draw(self, rows: int, other: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Points (rows, in), each input at any of its places; of rows of `other` without any."""
        points = other[rng.integers(len(other), size=(rows, self.inputs)), np.arange(self.inputs)]
        bounds = np.searchsorted(self.index, np.arange(self.inputs + 1))
        known = np.flatnonzero(bounds[1:] > bounds[:-1])
        if known.size:
            chosen = rng.integers(bounds[known], bounds[known + 1], (rows, known.size))
            # Most interactions show on both sides, and a little farther away than the functions.
            far = rng.uniform(-1.0, 1.0, chosen.shape) * rng.choice((0.5, 1.5, 3.0), chosen.shape)
            points[:, known] = self.location[chosen] + self.width[chosen] * far
        return points


def find_places(static: StaticGraph, cut: Sequence[str], near: FloatArray) -> Places:
    """The natural places of a cut's elements.

    Parameters
    ----------
    near : (rows, elements), where they may lie.
    """
    whole = _with_bounds(static, needed_steps(static, cut, [static.source.output]))
    names = [
        name
        for step in needed_steps(whole, cut, [name for name in whole.shapes if name not in cut])
        for name in step.proto.output
        if whole.kinds.get(name) in FLOATS and _is_read(whole, name)
    ]
    search = _Search(whole, cut, names, near)
    return search.run()


def _is_read(static: StaticGraph, name: str) -> bool:
    size = prod(static.shapes[name])
    return 0 < size <= _MAX_ELEMENTS and size % static.batch == 0


def _with_bounds(static: StaticGraph, steps: Sequence[Step]) -> StaticGraph:
    """The graph with the differences of what ops compare, as further values."""
    further: list[Step] = []
    taken = {*static.constants, *static.shapes}
    shapes, kinds, axes = dict(static.shapes), dict(static.kinds), dict(static.batch_axes)
    for step in steps:
        if step.node.op_type not in _BOUNDED:
            continue
        (result,) = step.proto.output
        values = [name for name in step.reads if name in static.shapes]
        bounds = [name for name in step.reads if name in static.constants]
        if len(values) != 1 or static.kinds[values[0]] not in FLOATS:
            continue
        for bound in bounds:
            name = f"{result}_at_{bound}"
            if name in taken:
                continue
            taken.add(name)
            proto = helper.make_node("Sub", [values[0], bound], [name])
            further.append(Step(proto, step.node))
            shapes[name], kinds[name] = static.shapes[result], static.kinds[values[0]]
            axes[name] = static.batch_axes.get(result)
    return replace(static, steps=[*steps, *further], shapes=shapes, kinds=kinds, batch_axes=axes)


class _Search:
    def __init__(
        self, static: StaticGraph, cut: Sequence[str], names: Sequence[str], near: FloatArray
    ) -> None:
        self._inputs = near.shape[1]
        bits = int(self._inputs - 1).bit_length()
        numbers: IntArray = np.arange(self._inputs, dtype=np.int64)
        self._codes = np.array([(numbers & (1 << bit)) != 0 for bit in range(bits)], dtype=np.bool_)
        self._codes = self._codes.reshape(bits, self._inputs)
        self._near = near
        self._rng = np.random.default_rng(_SEED)
        rows = max(static.batch, 3 + 2 * bits)
        self._runs = [
            run
            for group in grouped(names, static, rows)
            for run in self._runnable(static, cut, group)
        ]

    def _runnable(
        self, static: StaticGraph, cut: Sequence[str], names: Sequence[str]
    ) -> list[PartialRun]:
        """Runs of the names, without those that cannot be run where the values lie."""
        try:
            run = PartialRun(static, cut, names)
            known = run(np.stack([np.full(self._inputs, 0.5), np.median(self._near, axis=0)]))
        except Exception:  # Of the runtimes' choice.
            return []
        if bool(np.isnan(known).all()):
            # Some of the values cannot be computed there.
            half = len(names) // 2
            parts = (names[:half], names[half:]) if half else ()
            return [run for part in parts for run in self._runnable(static, cut, part)]
        return [run]

    def run(self) -> Places:
        middle = np.median(self._near, axis=0)
        spread = np.maximum(np.ptp(self._near, axis=0), 1e-30)
        half = np.full(self._inputs, 0.5)
        found = [
            self._around(base, step)
            for base, step in ((half, half / 8), (-half, half / 8), (middle, spread / 1000))
        ]
        for _ in range(_ROUNDS):
            places = self._places(found)
            base = places.draw(1, middle[np.newaxis], self._rng)[0]
            width = np.full(self._inputs, np.inf)
            np.minimum.at(width, places.index, places.width)
            found.append(self._around(base, np.where(np.isfinite(width), width, 1.0) / 1000))
        return self._places(found)

    def _places(self, found: Sequence[FloatArray]) -> Places:
        """What was found, (3, places) each: in order, each once."""
        every = np.unique(np.concatenate(found, axis=1), axis=1)
        # The same place again, but for rounding.
        share: FloatArray = every[1] / every[2]
        coarse: FloatArray = np.array([every[0], share, np.log2(every[2])]).round(3)
        _, first = np.unique(coarse, axis=1, return_index=True)
        index, location, width = every[:, np.sort(first)]
        return Places(self._inputs, index.astype(np.int64), location, width)

    def _around(self, base: FloatArray, step: FloatArray) -> FloatArray:
        """Places by the slopes at a point (in): input, location and width, (3, places)."""
        moved = [np.zeros_like(step), step, 2 * step]
        coded = [step * code for code in self._codes] + [step * ~code for code in self._codes]
        x = base + np.stack([*moved, *coded])
        bits = len(self._codes)
        found: list[FloatArray] = [np.empty((3, 0))]
        for run in self._runs:
            with np.errstate(all="ignore"):
                values = run(x)
                at, once, twice = values[:3]
                changed = (values[3:] != at) & ~(np.isnan(values[3:]) & np.isnan(at))
                alone = (changed[:bits] != changed[bits:]).all(axis=0)
                index = (changed[:bits] * (1 << np.arange(bits))[:, np.newaxis]).sum(axis=0)
                index = np.minimum(index, self._inputs - 1)
                rise = once - at
                straight = np.abs(twice - once - rise) <= _CURVED * np.abs(rise)
                certain = np.abs(rise) > 1e-9 * np.abs(at)
                slope = rise / step[index]
                location, width = base[index] - at / slope, 1 / np.abs(slope)
                good = alone & straight & certain & np.isfinite(location) & np.isfinite(width)
                good &= (width > 1e-30) & (width < 1e30)
                found.append(
                    np.stack([index[good].astype(np.float64), location[good], width[good]])
                )
        return np.concatenate(found, axis=1)
