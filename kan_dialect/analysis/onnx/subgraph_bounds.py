"""Bounds of the edges that an ONNX subgraph computes, over intervals of their inputs.

The graph is walked once for many intervals, operator by operator. It is the graph that evaluation
runs: in float64, with decisions in the types of the file. Bounds hold for real numbers, and for a
runtime's rounded results.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache, reduce
from itertools import pairwise
from math import prod

import numpy as np
import onnx
from onnx import numpy_helper

from kan_dialect.analysis.enclosures import Enclosure, NoEnclosureError
from kan_dialect.analysis.onnx import contraction_rules, elementwise_rules, movement_rules
from kan_dialect.analysis.onnx.bounds import constant, hull, moved
from kan_dialect.analysis.onnx.operator_rules import Operator, Rule
from kan_dialect.evaluate.onnx_subgraph import (
    INPUT,
    OUTPUT,
    STANDARD_DOMAINS,
    element_types,
    graph_shape,
)
from kan_dialect.evaluate.onnx_subgraph import widened as in_float64
from kan_dialect.ir.constants import FloatArray, IntArray, to_floats
from kan_dialect.maths.interval_functions import Range, widened
from kan_dialect.ops.onnx import OnnxOp

RULES: Mapping[str, Rule] = {
    **contraction_rules.RULES,
    **elementwise_rules.RULES,
    **movement_rules.RULES,
}
"""Operators that have bounds -> rule."""

MAX_WORK = 1 << 26
"""Elements of all values of a graph, for all intervals; more take longer than a minute."""

_SPLIT_WORK = 1 << 22
"""Elements up to which intervals are split, for tighter bounds."""
_MAX_SPLIT = 8
"""Most parts of an interval."""

_CHUNK_ELEMENTS = 1 << 21
"""Elements of all values that are bounded at once."""


class SubgraphBounds:
    """Walks a serialised graph x (batch, in) -> y (batch, out) with bounds.

    Raises
    ------
    NoEnclosureError : operators have no rule; names them all.
    """

    def __init__(self, data: bytes) -> None:
        self.batch, self.inputs, self.outputs = graph_shape(data)
        model = in_float64(onnx.ModelProto.FromString(data), keep_decisions=True)
        version = next(
            entry.version for entry in model.opset_import if entry.domain in STANDARD_DOMAINS
        )
        missing = {node.op_type for node in model.graph.node} - RULES.keys()
        if missing:
            several = "operators" if len(missing) > 1 else "operator"
            have = "have" if len(missing) > 1 else "has"
            raise NoEnclosureError(
                f"the ONNX {several} {', '.join(sorted(missing))} {have} no bounds"
            )
        kinds, shapes = element_types(model), _shapes(model)
        arrays = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
        self.constants = {
            name: constant(np.asarray(array).astype(np.float64)) for name, array in arrays.items()
        }
        self.operators = [Operator(node, kinds, version, arrays) for node in model.graph.node]
        sizes = [prod(shapes.get(name, ())) for op in self.operators for name in op.node.output]
        self.work = sum(sizes) // self.batch + 1
        """Elements of all values, for one row."""

    def run(self, low: FloatArray, high: FloatArray) -> Range:
        """Bounds of y (rows, out), for x in low..high (rows, in).

        Raises
        ------
        NoEnclosureError : an operator has no bounds for these operands.
        """
        rows = len(low)
        room = max(1, _CHUNK_ELEMENTS // self.work)
        room = -(-room // self.batch) * self.batch
        parts: list[Range] = []
        for start in range(0, rows, room):
            ends = [each[start : start + room] for each in (low, high)]
            # The last row fills up the last group.
            fill = -len(ends[0]) % self.batch
            ends = [np.concatenate([each, np.repeat(each[-1:], fill, axis=0)]) for each in ends]
            parts.append(self._walk(Range(*(x.reshape(-1, self.batch, self.inputs) for x in ends))))
        return Range(
            *(
                np.concatenate([end.reshape(-1, self.outputs) for end in column])[:rows]
                for column in zip(*parts, strict=True)
            )
        )

    def _walk(self, x: Range) -> Range:
        """Bounds of y (groups, batch, out), for x (groups, batch, in)."""
        known = {**self.constants, INPUT: x}
        with np.errstate(all="ignore"):
            for op in self.operators:
                operands = [known[name] if name else None for name in op.node.input]
                found = RULES[op.node.op_type](op, operands)
                results = found if isinstance(found, list) else [found]
                known.update(zip(op.node.output, results, strict=False))
        shape = (len(x.low), self.batch, self.outputs)
        return moved(known[OUTPUT], lambda end: np.broadcast_to(end, shape))


def _shapes(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    return {
        value.name: tuple(extent.dim_value for extent in value.type.tensor_type.shape.dim)
        for value in (*inferred.graph.input, *inferred.graph.value_info, *inferred.graph.output)
    }


@lru_cache(maxsize=16)
def _opened(data: bytes) -> SubgraphBounds:
    return SubgraphBounds(data)


def subgraph_enclosure(op: OnnxOp, operands: list[Enclosure]) -> Enclosure:
    """Bounds of F(rest with x_i for rest_i) - F(rest), with a row for each interval and input."""
    (x,) = operands
    graph, rest = _opened(op.graph), to_floats(op.rest)
    count, inputs = x.value.low.shape
    work = count * inputs * graph.work
    if work > MAX_WORK:
        raise NoEnclosureError(
            f"{count * inputs} intervals of an ONNX subgraph of {graph.work} elements take long"
        )
    split = int(np.clip(_SPLIT_WORK // max(1, work), 1, _MAX_SPLIT))
    at_rest = graph.run(rest[np.newaxis], rest[np.newaxis])
    away = Range(at_rest.low[0][:, np.newaxis], at_rest.high[0][:, np.newaxis])

    def edges(each: Range) -> Range:
        """Bounds of the edges: (intervals, out, in)."""
        low, high = (np.broadcast_to(rest, (len(end), inputs, inputs)).copy() for end in each)
        every: IntArray = np.arange(inputs, dtype=np.int64)
        low[:, every, every], high[:, every, every] = each
        found = graph.run(low.reshape(-1, inputs), high.reshape(-1, inputs))
        low, high = (end.reshape(-1, inputs, graph.outputs).transpose(0, 2, 1) for end in found)
        return widened(low - away.high, high - away.low, Range(low, high), away)

    cuts = np.linspace(x.value.low, x.value.high, split + 1)
    pieces = [edges(Range(*ends)) for ends in pairwise(cuts)]
    value = reduce(hull, pieces)
    for bound in value:
        if not np.isfinite(bound).all():
            index, _, i = np.argwhere(~np.isfinite(bound))[0].tolist()
            raise NoEnclosureError(
                f"the ONNX subgraph has no finite bounds between {x.value.low[index, i]:g} and "
                f"{x.value.high[index, i]:g}"
            )
    unknown = np.full_like(value.low, np.inf)
    inner = Enclosure(_rows(x.value), _rows(x.slope), _rows(x.middle), x.radius)
    return inner.then(value, Range(-unknown, unknown), edges(x.middle))


def _rows(x: Range) -> Range:
    return Range(x.low[:, np.newaxis], x.high[:, np.newaxis])
