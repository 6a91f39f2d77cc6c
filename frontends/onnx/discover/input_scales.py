"""Finds the natural scales of inputs from the graph.

The first ops usually shift and scale an input to a size of about 1 where the network was trained.
Both (x - 8000) / 20 and a comparison of x with 8000 lead to the center 8000.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from kan_dialect.evaluate.onnx_subgraph import FLOATS
from kan_dialect.frontends.onnx.discover.additivity import PartialRun, grouped
from kan_dialect.frontends.onnx.operators.static_graph import StaticGraph, needed_steps
from kan_dialect.frontends.onnx.read.graph import Node
from kan_dialect.ir.constants import FloatArray, IntArray

_COMPARING = ("Clip", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max", "Min")
"""Operators that change at the value of a constant operand."""

_REFINEMENT_ROUNDS = 4
"""Rounds that probe around scales found before."""

_LINEARITY_TOLERANCE = 1e-6
"""A function whose slope changes by more than this share is not affine."""

_MAX_PROBED_ELEMENTS = 1 << 20
"""Values of more elements, for a whole batch, are not probed."""

_SEED = 7


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
    whole = _with_bounds(static, needed_steps(static, boundary, [static.source.output]))
    names = [
        name
        for step in needed_steps(
            whole, boundary, [name for name in whole.shapes if name not in boundary]
        )
        for name in step.outputs
        if whole.kinds.get(name) in FLOATS and _is_probed(whole, name)
    ]
    search = _Search(whole, boundary, names, near)
    return search.run()


def _is_probed(static: StaticGraph, name: str) -> bool:
    size = prod(static.shapes[name])
    return 0 < size <= _MAX_PROBED_ELEMENTS and size % static.batch == 0


def _with_bounds(static: StaticGraph, steps: Sequence[Node]) -> StaticGraph:
    """The graph with further values: the differences of what ops compare."""
    further: list[Node] = []
    taken = {*static.constants, *static.shapes}
    shapes, kinds, axes = dict(static.shapes), dict(static.kinds), dict(static.batch_axes)
    for step in steps:
        if step.op_type not in _COMPARING:
            continue
        result = step.outputs[0]
        values = [name for name in step.reads if name in static.shapes]
        bounds = [name for name in step.reads if name in static.constants]
        if len(values) != 1 or static.kinds[values[0]] not in FLOATS:
            continue
        for bound in bounds:
            name = f"{result}_at_{bound}"
            if name in taken:
                continue
            taken.add(name)
            further.append(step.within("Sub", [values[0], bound], [name]))
            shapes[name], kinds[name] = static.shapes[result], static.kinds[values[0]]
            axes[name] = static.batch_axes.get(result)
    return replace(static, steps=[*steps, *further], shapes=shapes, kinds=kinds, batch_axes=axes)


class _Search:
    def __init__(
        self, static: StaticGraph, boundary: Sequence[str], names: Sequence[str], near: FloatArray
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
            for run in self._runnable(static, boundary, group)
        ]

    def _runnable(
        self, static: StaticGraph, boundary: Sequence[str], names: Sequence[str]
    ) -> list[PartialRun]:
        """Runs of the named values that can be computed at typical inputs."""
        try:
            run = PartialRun(static, boundary, names)
            known = run(np.stack([np.full(self._inputs, 0.5), np.median(self._near, axis=0)]))
        except Exception:  # Runtimes raise errors of many types.
            return []
        if bool(np.isnan(known).all()):
            # Split the group: some of its values cannot be computed there.
            half = len(names) // 2
            parts = (names[:half], names[half:]) if half else ()
            return [run for part in parts for run in self._runnable(static, boundary, part)]
        return [run]

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
        """Merge scales (3, scales), sorted, without duplicates."""
        every = np.concatenate(found, axis=1)
        every = every[:, _distinct_columns(every)]
        # Duplicates up to rounding.
        share: FloatArray = every[1] / every[2]
        coarse: FloatArray = np.array([every[0], share, np.log2(every[2])]).round(3)
        index, center, scale = every[:, np.sort(_distinct_columns(coarse))]
        return InputScales(self._inputs, index.astype(np.int64), center, scale)

    def _around(self, base: FloatArray, step: FloatArray) -> FloatArray:
        """Scales from the slopes at a point `base` (in): input, center and scale, (3, scales)."""
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
                straight = np.abs(twice - once - rise) <= _LINEARITY_TOLERANCE * np.abs(rise)
                certain = np.abs(rise) > 1e-9 * np.abs(at)
                slope = rise / step[index]
                center, scale = base[index] - at / slope, 1 / np.abs(slope)
                good = alone & straight & certain & np.isfinite(center) & np.isfinite(scale)
                good &= (scale > 1e-30) & (scale < 1e30)
                found.append(np.stack([index[good].astype(np.float64), center[good], scale[good]]))
        return np.concatenate(found, axis=1)


def _distinct_columns(array: FloatArray) -> IntArray:
    """The first of all equal columns, in the order of their elements.

    As `numpy.unique`'s index along the second axis, but without its slow comparisons of records.
    """
    order: IntArray = np.lexsort(array[::-1])
    columns = array[:, order]
    new = np.ones(order.size, dtype=np.bool_)
    new[1:] = (columns[:, 1:] != columns[:, :-1]).any(axis=0)
    return order[new]
