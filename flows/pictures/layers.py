"""The edges of a network's layers as arrays, at spline and table level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from xdsl.dialects import func
from xdsl.ir import Block, SSAValue

from kan_dialect.analysis.nodes import is_requantized, layer_names
from kan_dialect.errors import KanError
from kan_dialect.evaluate.interpreter import evaluate_values
from kan_dialect.ir.attributes.data_schema import named_port
from kan_dialect.ir.code_bounds import bounds_of
from kan_dialect.ir.constants import BoolArray, FloatArray, IntArray, to_floats
from kan_dialect.ir.quant import storage_for
from kan_dialect.ir.types import is_quantized, quantized_type, tensor_shape
from kan_dialect.ops.layer import AffineOp, ConcatOp, NodeSumOp
from kan_dialect.ops.spline import BSplineOp, RadialOp
from kan_dialect.ops.table import DequantizeOp, QuantizeOp, RequantizeOp, TablesOp, dequantize
from kan_dialect.search.edge_samples import edge_source, seen_of

CURVE_POINTS = 65
"""Points of a curve of floats."""


@dataclass(frozen=True)
class LayerEdges:
    """The edges of a layer: their functions at points of its inputs, and what is known of them."""

    name: str
    """`layer0`"""
    inputs: tuple[str, ...]
    """Names of the inputs: `x3`, `layer0_node3`."""
    x: FloatArray
    """(points, in): values of the inputs; at wire level, codes."""
    y: FloatArray
    """(points, out, in): values of the edges; at wire level, codes. NaN where nothing is known."""
    kept: BoolArray
    """(out, in): which edges exist."""
    codes: IntArray | None = None
    """(points, out, in): the table entries behind `y`; None at spline level."""
    low: IntArray | None = None
    """(in): the code of each input at the first point."""
    read: BoolArray | None = None
    """(points, in): which points are codes that an input can have."""
    steps: FloatArray | None = None
    """(out, in): value of one step of each edge's codes; None at spline level."""
    node_bits: IntArray | None = None
    """(out): width of each node's code, after its requantisation."""
    joint: BoolArray | None = None
    """(out, in): which edges share a table with others, so that they have no values; else none."""
    luts: FloatArray | None = None
    """(out, in): LUTs of each edge's tables, where they are known."""
    edge_name: str = "edge"
    real: FloatArray | None = None
    """(points, out, in): the functions of floats at the points of tables, where they are known."""
    seen: IntArray | None = None
    """(in, bins): values of each input in calibration, over the range of its points."""
    data_names: Mapping[str, str] = field(default_factory=dict[str, str])
    """Names of features and classes by port, where they are known."""

    @property
    def shape(self) -> tuple[int, int]:
        """Nodes, inputs."""
        return self.y.shape[1], self.y.shape[2]

    def edge(self, node: int, source: int) -> str:
        """The name of an edge: `layer0_edge3_5`."""
        if self.edge_name == "table":
            return f"{self.name}_table{source}"
        return f"{self.name}_edge{node}_{source}"

    def input(self, source: int) -> str:
        """An input, with the name of its feature if it has one: `x0 (alcohol)`."""
        port = self.inputs[source]
        return named_port(port, self.data_names.get(port, ""))

    def points(self, source: int) -> IntArray:
        """Indices of the points that an input can have."""
        if self.read is None:
            return np.arange(len(self.x))
        return np.flatnonzero(self.read[:, source])

    @cached_property
    def span(self) -> FloatArray:
        """(out, in): largest less smallest value of each edge."""
        values = np.where(self._read(), self.y, np.nan)
        with np.errstate(invalid="ignore"):
            low = np.fmin.reduce(values, axis=0)
            return np.fmax.reduce(values, axis=0) - low

    @cached_property
    def bits(self) -> IntArray | None:
        """(out, in): bits that hold the entries of each table; None at spline level.

        This is the width of the table's result at wire level. Pruned edges have 0.
        """
        if self.codes is None:
            return None
        read = self._read()
        low = np.where(read, self.codes, np.iinfo(np.int64).max).min(axis=0)
        high = np.where(read, self.codes, np.iinfo(np.int64).min).max(axis=0)
        found = np.zeros(self.shape, dtype=np.int64)
        for node, source in np.argwhere(self.kept).tolist():
            found[node, source] = storage_for(int(low[node, source]), int(high[node, source]))[0]
        return found

    @cached_property
    def error(self) -> FloatArray | None:
        """(points, out, in): table less function; NaN where nothing is known."""
        if self.real is None:
            return None
        return np.where(self._read(), self.y - self.real, np.nan)

    @cached_property
    def worst(self) -> FloatArray | None:
        """(out, in): the largest absolute error of each edge in steps of its table."""
        error, steps = self.error, self.steps
        if error is None or steps is None or not error.size:
            return None
        found: FloatArray = np.fmax.reduce(np.abs(error), axis=0) / steps
        return np.where(self.kept, found, np.nan)

    def _read(self) -> BoolArray:
        """(points, 1 or out, in): which points count."""
        if self.read is None:
            return np.isfinite(self.y)
        return self.read[:, np.newaxis]


def layer_functions(function: func.FuncOp) -> list[LayerEdges]:
    """The layers of a function of spline or table level, in order.

    Curves of floats have `CURVE_POINTS` points, a table one for each of its entries.

    Raises
    ------
    KanError : the edges of a layer are functions of several vectors.
    """
    names = layer_names(function)
    found: list[LayerEdges] = []
    for op in function.body.block.ops:
        if isinstance(op, NodeSumOp):
            found.append(_of_sum(function, op, names))
        elif isinstance(op, TablesOp) and op.result in names:
            found.append(_of_inputs(function, op, names))
    return found


def _of_sum(function: func.FuncOp, op: NodeSumOp, names: dict[SSAValue, str]) -> LayerEdges:
    name, kept = names[op.result], op.mask_array
    if is_quantized(op.edges):
        layer = _of_codes(function, op.edges, name, kept, names)
        nodes = op.result
        if is_requantized(op):
            nodes = next(
                use.operation.results[0]
                for use in op.result.uses
                if isinstance(use.operation, RequantizeOp)
            )
        return _with_node_bits(layer, nodes)
    source = edge_source(op.edges)
    if source is None:
        raise KanError(f"the edges of {name} are functions of several vectors")
    low, high = domain_of(source, op).T
    x = low + (high - low) * np.linspace(0.0, 1.0, CURVE_POINTS)[:, np.newaxis]
    with np.errstate(all="ignore"):
        (y,) = evaluate_values([op.edges], {source: x}, ops=function.body.block.ops)
    y = np.where(np.isfinite(y), y, np.nan)
    return LayerEdges(name, element_names(source, names), x, y, kept)


def float_edges(function: func.FuncOp, layer: str, x: FloatArray) -> FloatArray | None:
    """Edge functions of floats (points, out, in) at values (points, in) of a layer's inputs.

    None if the function lacks the layer, or has one of other inputs, or has tables in place of its
    functions.
    """
    names = layer_names(function)
    for op in function.body.block.ops:
        if not isinstance(op, NodeSumOp) or names[op.result] != layer:
            continue
        edges = op.edges.owner.input if isinstance(op.edges.owner, QuantizeOp) else op.edges
        if isinstance(edges.owner, TablesOp):
            return None
        source = edge_source(edges)
        if source is None or tensor_shape(source) != (x.shape[1],):
            return None
        with np.errstate(all="ignore"):
            (y,) = evaluate_values([edges], {source: x}, ops=function.body.block.ops)
        return np.where(np.isfinite(y), y, np.nan)
    return None


def _of_inputs(function: func.FuncOp, op: TablesOp, names: dict[SSAValue, str]) -> LayerEdges:
    """One table for each input: a layer of one row."""
    kept = np.ones((1, *tensor_shape(op.result)), dtype=np.bool_)
    return _of_codes(function, op.result, names[op.result], kept, names)


def _of_codes(
    function: func.FuncOp,
    edges: SSAValue,
    name: str,
    kept: BoolArray,
    names: dict[SSAValue, str],
) -> LayerEdges:
    """Edges as codes: tables, or functions of floats between quantisers."""
    source = _codes_read(edges)
    if source is None:
        raise KanError(f"the edges of {name} are no functions of one vector of codes")
    element, result = quantized_type(source), quantized_type(edges)
    first, last = element.bounds
    lower, upper = bounds_of(source)
    every = np.arange(first, last + 1)[:, np.newaxis]
    (codes,) = evaluate_values(
        [edges], {source: np.clip(every, lower, upper)}, ops=function.body.block.ops
    )
    x = dequantize(every, element.scale_for(1), element.zero_point_for(1))
    rank = codes.ndim - 1
    y = dequantize(codes, result.scale_for(rank), result.zero_point_for(rank))
    if rank == 1:
        codes, y = codes[:, np.newaxis], y[:, np.newaxis]
    steps = np.broadcast_to(result.scale_for(rank), kept.shape)
    x = np.broadcast_to(x, (len(every), kept.shape[1]))
    low: IntArray = np.zeros(kept.shape[1], dtype=np.int64) + first
    return LayerEdges(
        name,
        element_names(source, names),
        x,
        y,
        kept,
        codes,
        low,
        np.logical_and(every >= lower, every <= upper),
        steps,
        edge_name="edge" if rank == 2 else "table",
    )


def _codes_read(edges: SSAValue) -> SSAValue | None:
    """The codes that tables read, or functions of floats between quantisers."""
    owner = edges.owner
    if isinstance(owner, TablesOp):
        return owner.input
    value = edge_source(owner.input) if isinstance(owner, QuantizeOp) else None
    return value.owner.input if value and isinstance(value.owner, DequantizeOp) else None


def _with_node_bits(layer: LayerEdges, nodes: SSAValue) -> LayerEdges:
    lower, upper = bounds_of(nodes)
    bits = [
        storage_for(low, high)[0] for low, high in zip(lower.tolist(), upper.tolist(), strict=True)
    ]
    return replace(layer, node_bits=np.array(bits, dtype=np.int64))


def domain_of(source: SSAValue, nodes: NodeSumOp) -> FloatArray:
    """Range (in, 2) over which the edges of a layer of floats are drawn.

    It is what calibration saw. Without calibration it is where B-splines and radial bases between
    `source` and `nodes` are defined, and -1 .. 1 without them.
    """
    seen = seen_of(source)
    low: FloatArray
    high: FloatArray
    if seen is not None:
        low, high = to_floats(seen.seen).T
        same = low == high
        return np.stack([np.where(same, low - 0.5, low), np.where(same, high + 0.5, high)], axis=1)
    (count,) = tensor_shape(source)
    ends: list[FloatArray] = []
    own: FloatArray
    pending, visited = [nodes.edges], set[SSAValue]()
    while pending:
        value = pending.pop()
        owner = value.owner
        if value in visited or value is source or isinstance(owner, Block):
            continue
        visited.add(value)
        pending.extend(owner.operands)
        if isinstance(owner, BSplineOp):
            knots, degree = np.atleast_2d(owner.knot_vector), owner.degree.value.data
            own = knots[:, [degree, knots.shape[1] - 1 - degree]]
        elif isinstance(owner, RadialOp):
            centers = np.atleast_2d(to_floats(owner.centers))
            widths = np.atleast_2d(to_floats(owner.widths))
            own = np.stack([(centers - widths).min(axis=1), (centers + widths).max(axis=1)], 1)
        else:
            continue
        moved = _before_affines(owner.input, source)
        if moved is not None:
            gain, offset = moved
            own = (np.broadcast_to(own, (count, 2)) - offset[:, np.newaxis]) / gain[:, np.newaxis]
            ends.append(np.sort(own, axis=1))
    if not ends:
        return np.broadcast_to(np.array([-1.0, 1.0]), (count, 2))
    low, high = np.minimum.reduce(ends)[:, 0], np.maximum.reduce(ends)[:, 1]
    return np.stack([low, np.where(high > low, high, low + 1.0)], axis=1)


def _before_affines(value: SSAValue, source: SSAValue) -> tuple[FloatArray, FloatArray] | None:
    """Gain and offset (in) with value = gain * source + offset; None of any other function."""
    count = tensor_shape(source)
    gain, offset = np.ones(count), np.zeros(count)
    while value is not source:
        affine = value.owner
        if not isinstance(affine, AffineOp):
            return None
        offset = offset + gain * to_floats(affine.bias)
        gain = gain * to_floats(affine.scale)
        value = affine.input
    return (gain, offset) if bool(gain.all()) else None


def element_names(value: SSAValue, layers: dict[SSAValue, str]) -> tuple[str, ...]:
    """What the elements of a vector are called: `x3`, `layer0_node3`, `layer2_table3`."""
    (count,) = tensor_shape(value)
    owner = value.owner
    if isinstance(owner, Block):
        before = owner.args[: owner.args.index(value)]  # pyright: ignore[reportArgumentType]
        start = sum(tensor_shape(each)[0] for each in before)
        return tuple(f"x{start + index}" for index in range(count))
    if value in layers:
        kind = "table" if isinstance(owner, TablesOp) else "node"
        return tuple(f"{layers[value]}_{kind}{index}" for index in range(count))
    if isinstance(owner, ConcatOp):
        return tuple(name for part in owner.inputs for name in element_names(part, layers))
    operands: Sequence[SSAValue] = owner.operands
    if operands and tensor_shape(operands[0]) == (count,):
        return element_names(operands[0], layers)
    return tuple(f"value{index}" for index in range(count))
