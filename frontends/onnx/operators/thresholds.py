"""Finds the input values at which a graph branches, clips or rounds, and inputs that test them.

A threshold is traced back to the network's input through elementwise ops, to the last bit, as ONNX
Runtime decides it. Thresholds of a sum of several inputs are found where the sum is the input of a
layer's subgraph (`layer_search.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from kan_dialect.evaluate.onnx_subgraph import FLOATS
from kan_dialect.frontends.onnx.operators.elementwise import BRANCHES, ELEMENTWISE, limits_of
from kan_dialect.frontends.onnx.operators.sign_changes import (
    MarginRun,
    SignChanges,
    find_sign_changes,
)
from kan_dialect.frontends.onnx.operators.static_graph import Effort, StaticGraph
from kan_dialect.frontends.onnx.operators.subgraphs import SubgraphRun
from kan_dialect.frontends.onnx.read.graph import Node
from kan_dialect.ir.constants import BoolArray, FloatArray, IntArray

_ELEMENTWISE_OPS = ELEMENTWISE | {
    *("BatchNormalization", "Cast", "CastLike", "Concat", "Dropout", "Expand", "Flatten", "Gather"),
    *("Identity", "Reshape", "Slice", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze"),
}
"""Operators whose result elements depend on one element of each operand."""

MAX_MARGINS = 1 << 16
"""Most margins of computed elements; of more, every n-th is searched."""

MAX_WINDOWS = 1 << 10
"""Most windows, narrowest first: wide ones contain codes of their own."""

_SINGLE_ROWS = 128
"""Test rows that change a single input."""

_SEED = 19


@dataclass(frozen=True, eq=False)
class Thresholds:
    """Thresholds of single inputs of a graph.

    Attributes
    ----------
    likely : (rows, in), float64, likely inputs.
    changes : sign changes; their `margin` is an index into `nodes`.
    nodes : the nodes that branch.
    """

    likely: FloatArray
    changes: SignChanges
    nodes: Sequence[Node]

    def rows(self, dtype: np.dtype[np.generic]) -> FloatArray:
        """Test inputs (rows, in): all test values, of all inputs together and of single ones."""
        rng = np.random.default_rng(_SEED)
        inputs = [int(each) for each in np.unique(self.changes.index)]
        values = {each: self.changes.values_of(each) for each in inputs}
        count = max((each.size for each in values.values()), default=0)
        if not count:
            return np.zeros((0, self.likely.shape[1]))
        together = self.likely[rng.integers(len(self.likely), size=count)]
        some = self.likely[rng.integers(len(self.likely), size=count)]
        alone = [np.zeros((0, self.likely.shape[1]))]
        every = -(-sum(each.size for each in values.values()) // _SINGLE_ROWS)
        base = self.likely[len(self.likely) // 2]
        for index, tried in values.items():
            together[:, index] = np.resize(rng.permutation(tried), count)
            few = rng.random(count) < 0.3
            some[few, index] = np.resize(rng.permutation(tried), count)[few]
            chosen = tried[rng.integers(every) :: every]
            alone.append(np.repeat(base[np.newaxis], chosen.size, axis=0))
            alone[-1][:, index] = chosen
        with np.errstate(over="ignore"):
            rows = np.concatenate([together, some, *alone]).astype(dtype).astype(np.float64)
        return rows[np.isfinite(rows).all(axis=1)]

    def windows(
        self, edges_of: Callable[[IntArray, FloatArray], FloatArray], least: float
    ) -> FloatArray:
        """Windows in which an edge differs from both sides: (windows, 3), float64, narrow ones
        first.

        A row is an input, and the first and the last value of the window. A single value is a
        window.

        Parameters
        ----------
        edges_of : inputs (rows) and a value of each (rows) -> (rows, out), all functions of the
            input.
        least : smaller differences are ignored.
        """
        index = self.changes.index
        with np.errstate(all="ignore"):
            before, after = (
                edges_of(index, values) for values in (self.changes.below, self.changes.above)
            )
            jumps = np.abs(after - before).max(axis=1) > least
        found: list[tuple[float, float, float]] = []
        for one in np.unique(index[jumps]).tolist():
            mine = np.flatnonzero(jumps & (index == one))
            low, high = self.changes.above[mine[:-1]], self.changes.below[mine[1:]]
            inside = low <= high
            found += [(one, *ends) for ends in zip(low[inside], high[inside], strict=True)]
        windows = np.array(found, dtype=np.float64).reshape(-1, 3)
        narrow = np.argsort(windows[:, 2] - windows[:, 1], kind="stable")
        return np.unique(windows[narrow[:MAX_WINDOWS]], axis=0)

    def node_at(self, index: int, value: float) -> Node | None:
        """The node with the threshold nearest to a value of an input; None without any."""
        mine = np.flatnonzero(self.changes.index == index)
        if not mine.size:
            return None
        away = np.abs(self.changes.below[mine] - value) + np.abs(self.changes.above[mine] - value)
        return self.nodes[int(self.changes.margin[mine[int(away.argmin())]])]


@dataclass(frozen=True, eq=False)
class NodeMargins:
    """Margins of a node: elements of a value less limits, or less elements of another value.

    Attributes
    ----------
    element : (margins), int64, elements of value `name`.
    limit : (margins), float64.
    against, other : the other value and its elements, if any.
    """

    node: Node
    name: str
    element: IntArray
    limit: FloatArray
    against: str | None = None
    other: IntArray | None = None


def find_thresholds(static: StaticGraph, likely: FloatArray) -> Thresholds | None:
    """Find the thresholds of a graph's inputs; None without any.

    Parameters
    ----------
    likely : (rows, in), typical inputs.

    Raises
    ------
    Exception : of any type, if the runtimes cannot run the graph.
    """
    alone = {static.source.input}  # Values whose elements depend on one input each.
    margins: list[NodeMargins] = []
    for step in static.steps:
        if _reads(static, step) <= alone:
            margins += margins_of(static, step)
            if step.op_type in _ELEMENTWISE_OPS:
                alone.update(step.outputs)
    if not margins:
        return None
    dtype = static.source.input_dtype
    static = replace(static, effort=Effort(static.source.path))
    with np.errstate(over="ignore"):
        likely = likely.astype(dtype).astype(np.float64)
    try:
        changes = _sign_changes(static, margins, likely, dtype)
    except Exception:  # Undefined values make runtimes raise errors of many types.
        return None
    return (
        None
        if not changes.index.size
        else Thresholds(likely, changes, [each.node for each in margins])
    )


def _reads(static: StaticGraph, step: Node) -> set[str]:
    """Operands of a node that depend on the input."""
    return {name for name in step.reads if name in static.shapes}


def margins_of(static: StaticGraph, step: Node) -> list[NodeMargins]:
    """Margins at which a node branches."""
    if step.op_type not in BRANCHES:
        return []
    operands = list(step.inputs)
    known = [static.constants.get(name) for name in operands]
    exact = static.kinds.get(step.outputs[0]) not in FLOATS
    found: list[NodeMargins] = []
    for position, limit in limits_of(step, known, exact=exact):
        name = operands[position]
        if name not in static.shapes or not static.may_be_boundary(name):
            continue
        if isinstance(limit, int):
            against = operands[limit]
            if against in static.shapes and static.may_be_boundary(against):
                pair = np.broadcast_arrays(_labels(static, name), _labels(static, against))
                mine, other = (each.ravel() for each in pair)
                zeros = np.zeros(mine.size)
                found.append(NodeMargins(step, name, mine, zeros, against, other))
            continue
        labels, limits = np.broadcast_arrays(_labels(static, name), limit.astype(np.float64))
        pairs = np.unique(np.stack([labels.ravel().astype(np.float64), limits.ravel()]), axis=1)
        pairs = pairs[:, np.isfinite(pairs).all(axis=0)]
        found.append(NodeMargins(step, name, pairs[0].astype(np.int64), pairs[1]))
    return found


def _labels(static: StaticGraph, name: str) -> IntArray:
    """Indices of a value's elements in its own axes, for one sample."""
    axis, labels = static.batch_axes.get(name), np.arange(static.width(name), dtype=np.int64)
    if axis is None:
        return labels.reshape(static.shapes[name])
    extents = [extent for each, extent in enumerate(static.shapes[name]) if each != axis]
    labels = labels.reshape(1, *extents)
    return np.moveaxis(labels, 0, axis)


class Margins:
    """Margins of several nodes, computed from values that stand side by side.

    Attributes
    ----------
    names : the values.
    nodes : the nodes.
    owner : (margins), int64, the index of each margin's node.
    """

    def __init__(self, static: StaticGraph, margins: Sequence[NodeMargins]) -> None:
        pairs = [(each.name, each.against) for each in margins]
        self.nodes = [each.node for each in margins]
        self.names = list(dict.fromkeys(name for pair in pairs for name in pair if name))
        widths = np.cumsum([0, *map(static.width, self.names)])
        columns = dict(zip(self.names, widths[:-1].tolist(), strict=True))
        self._mine = _joined([columns[each.name] + each.element for each in margins])
        self._limits = np.concatenate([np.zeros(0), *(each.limit for each in margins)])
        self._others = _joined(
            [
                np.full(each.element.size, -1, dtype=np.int64)
                if each.against is None or each.other is None
                else columns[each.against] + each.other
                for each in margins
            ]
        )
        self.owner = _joined(
            [np.full(each.element.size, number) for number, each in enumerate(margins)]
        )

    def keep(self, chosen: IntArray) -> None:
        """Keep some margins only."""
        self._mine, self._limits = self._mine[chosen], self._limits[chosen]
        self._others, self.owner = self._others[chosen], self.owner[chosen]

    def distinct(self) -> IntArray:
        """The first of all equal margins, ascending."""
        every = np.stack([self._mine, self._others, self._limits])
        return np.sort(np.unique(every, axis=1, return_index=True)[1])

    def of(self, values: FloatArray) -> FloatArray:
        """Margins (rows, margins) of values (rows, elements)."""
        against = np.where(self._others >= 0, values[:, np.maximum(self._others, 0)], 0.0)
        return values[:, self._mine] - self._limits - against


def _joined(parts: Sequence[IntArray]) -> IntArray:
    return np.concatenate([np.zeros(0, dtype=np.int64), *parts])


def _sign_changes(
    static: StaticGraph,
    nodes: Sequence[NodeMargins],
    likely: FloatArray,
    dtype: np.dtype[np.generic],
) -> SignChanges:
    margins = Margins(static, nodes)
    distinct = margins.distinct()
    margins.keep(distinct[:: -(-distinct.size // MAX_MARGINS)])
    values = SubgraphRun(static, [static.source.input], margins.names, wide=False)

    def margins_at(x: FloatArray) -> FloatArray:
        return margins.of(values(x))

    base = likely[len(likely) // 2]
    index = dependences(margins_at, base, likely, dtype)
    known = np.flatnonzero(index >= 0)
    changes = find_sign_changes(
        lambda x: margins_at(x)[:, known], index[known], base, likely[:48], dtype
    )
    return replace(changes, margin=margins.owner[known[changes.margin]])


NONE, SEVERAL = -1, -2
"""Results of `dependences` beside input numbers."""


def input_codes(inputs: int) -> BoolArray:
    """Sets of inputs (2 * bits, in): those with each bit in their number, then those without."""
    bits = np.arange(max(1, int(inputs - 1).bit_length()))[:, np.newaxis]
    with_bit = (np.arange(inputs) >> bits) & 1 == 1
    return np.concatenate([with_bit, ~with_bit])


def changed(values: FloatArray, base: FloatArray) -> BoolArray:
    """Where values differ from those at a base point; two undefined ones do not."""
    return (values != base) & ~(np.isnan(values) & np.isnan(base))


def single_inputs(changes: BoolArray, inputs: int) -> IntArray:
    """The one input on which each margin depends: (margins), int64; or NONE, or SEVERAL.

    Parameters
    ----------
    changes : (2 * bits, margins), whether the sets of `input_codes` change a margin.
    """
    bits = len(changes) // 2
    one, zero = changes[:bits], changes[bits:]
    alone = (one != zero).all(axis=0)
    index = (one * (1 << np.arange(bits))[:, np.newaxis]).sum(axis=0)
    unread = np.where(changes.any(axis=0), SEVERAL, NONE)
    return np.where(alone & (index < inputs), index, unread)


def dependences(
    run: MarginRun, base: FloatArray, likely: FloatArray, dtype: np.dtype[np.generic]
) -> IntArray:
    """The one input on which each margin depends, as `single_inputs`.

    Parameters
    ----------
    base : (in), a likely input.
    likely : (rows, in), further likely inputs.
    """
    codes = input_codes(base.size)
    spread = np.maximum(np.ptp(likely, axis=0), 1e-3)
    starts = [base, np.full(base.size, 0.5), likely[0]]
    moves = [spread / 3, np.full(base.size, 0.3), -100 * spread]
    found: list[BoolArray] = []
    for start, move in zip(starts, moves, strict=True):
        with np.errstate(all="ignore"):
            rows = np.concatenate([start[np.newaxis], start + move * codes])
            values = run(rows.astype(dtype).astype(np.float64))
            found.append(changed(values[1:], values[0]))
    return single_inputs(np.logical_or.reduce(found), base.size)
