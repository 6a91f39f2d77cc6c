"""Layers and edges of a network as NumPy arrays and callables, at spline and table level.

Everything is found by what ops compute, so ops of other packages need nothing for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import cast

import numpy as np
from numpy.typing import ArrayLike
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, SSAValue

from kan_dialect.analysis.nodes import layer_names
from kan_dialect.api.data import as_array, as_samples
from kan_dialect.api.page import edge_page
from kan_dialect.errors import KanError
from kan_dialect.evaluate.interpreter import CHUNK_ELEMENTS, evaluate_inside, evaluate_values
from kan_dialect.flows.pictures import edge_picture
from kan_dialect.ir.code_bounds import bounds_of
from kan_dialect.ir.constants import Array, BoolArray, FloatArray, IntArray
from kan_dialect.ir.semantics import is_univariate
from kan_dialect.ir.types import is_quantized, quantized_type, tensor_shape
from kan_dialect.limits import require_evaluable
from kan_dialect.model.model import Model
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.ops.table import QuantizeOp, dequantize, quantize


def layers_of(function: func.FuncOp) -> tuple[Layer, ...]:
    """The sums of edges of a function of spline or table level, in order."""
    names = layer_names(function)
    return tuple(
        Layer(names[op.result], function, op)
        for op in function.body.block.ops
        if isinstance(op, NodeSumOp)
    )


@dataclass(frozen=True, eq=False)
class Layer:
    """A layer: nodes that sum edges, each edge a function of one input.

    The inputs are the network's, nodes of a layer below, or several of these side by side. Values
    are real numbers. At table level they are numbers that codes stand for.
    """

    name: str
    """`layer0`, as the nodes of `Network.run_nodes` and the wires of tables are called."""
    _function: func.FuncOp
    _sum: NodeSumOp

    def __repr__(self) -> str:
        nodes, inputs = self.shape
        return f"Layer({self.name}: {nodes} nodes, {inputs} inputs, {int(self.mask.sum())} edges)"

    @property
    def shape(self) -> tuple[int, int]:
        """Number of nodes and of inputs."""
        nodes, inputs = tensor_shape(self._sum.edges)
        return nodes, inputs

    @property
    def mask(self) -> BoolArray:
        """Which edges exist, (nodes, inputs), bool; pruned ones do not."""
        return np.array(self._sum.mask_array)

    @property
    def bias(self) -> FloatArray:
        """What each node adds to its edges, (nodes), float64."""
        if self.has_codes:
            return self._sum.bias_array * self.output_scale[:, 0]
        return np.array(self._sum.bias_array, dtype=np.float64)

    @property
    def has_codes(self) -> bool:
        """Whether the edges give codes: their functions are, or can become, tables."""
        return is_quantized(self._sum.edges)

    def __call__(self, x: ArrayLike) -> FloatArray:
        """Values of all edges.

        Parameters
        ----------
        x : (samples, inputs), real values of the layer's inputs. At table level each is rounded to
            its nearest code first.

        Returns
        -------
        (samples, nodes, inputs), float64. A pruned edge gives what its function gives, if anything
        is left of that.

        Raises
        ------
        KanError : `x` has another shape, or the edges are functions of several vectors.
        """
        array = as_samples(x, f"the inputs of {self.name}", self.shape[1]).astype(np.float64)
        parts = [self._values(array[start:stop]) for start, stop in self._chunks(len(array))]
        return np.concatenate(parts) if parts else np.zeros((0, *self.shape))

    def inputs(self, x: ArrayLike) -> FloatArray:
        """Values of the layer's inputs, as the network computes them.

        Parameters
        ----------
        x : (samples, inputs of the network), real values.

        Returns
        -------
        (samples, inputs), float64, real values; at table level those that codes stand for.

        Raises
        ------
        KanError : `x` has another shape, the edges are functions of several vectors, or the inputs
            of the network are codes.
        """
        block = self._function.body.block
        if any(is_quantized(argument) for argument in block.args):
            raise KanError(f"the inputs of {self.model.name} are codes, not real numbers")
        widths = [tensor_shape(argument)[0] for argument in block.args]
        array = as_samples(x, f"the inputs of @{self.model.name}", sum(widths))
        parts = np.split(array.astype(np.float64), np.cumsum(widths)[:-1], axis=1)
        (values,) = evaluate_inside(self._function, parts, [self._source])
        if not is_quantized(self._source):
            return cast(FloatArray, values)
        element = quantized_type(self._source)
        return dequantize(values, element.scale_for(1), element.zero_point_for(1))

    def edge(self, node: int, input: int) -> Edge:
        """The edge from an input to a node, both counted from 0.

        Raises
        ------
        KanError : the node or the input does not exist.
        """
        nodes, inputs = self.shape
        for what, index, count in (("node", node, nodes), ("input", input, inputs)):
            if not 0 <= index < count:
                raise KanError(
                    f"{self.name} has no {what} {index}", remedy=f"take one of 0 to {count - 1}"
                )
        return Edge(self, int(node), int(input))

    @property
    def edges(self) -> list[Edge]:
        """The edges that exist, by node, then by input."""
        return [self.edge(node, input) for node, input in np.argwhere(self.mask).tolist()]

    # Codes, from table level on.

    @property
    def input_codes(self) -> IntArray:
        """The codes that tables have entries for, (entries), int64, ascending.

        Raises
        ------
        KanError : the layer's inputs are no codes.
        """
        low, high = quantized_type(self._codes()).bounds
        return np.arange(low, high + 1, dtype=np.int64)

    @property
    def input_bounds(self) -> IntArray:
        """Smallest and largest code that each input can have, (inputs, 2), int64.

        Raises
        ------
        KanError : the layer's inputs are no codes.
        """
        return np.stack(bounds_of(self._codes()), axis=-1)

    @property
    def input_scale(self) -> FloatArray:
        """Real value of one step of each input's codes, (inputs), float64.

        Raises
        ------
        KanError : the layer's inputs are no codes.
        """
        source = self._codes()
        return np.array(np.broadcast_to(quantized_type(source).scale_for(1), tensor_shape(source)))

    @property
    def input_zero_point(self) -> IntArray:
        """The code of each input that stands for 0, (inputs), int64.

        Raises
        ------
        KanError : the layer's inputs are no codes.
        """
        source = self._codes()
        points = quantized_type(source).zero_point_for(1)
        return np.array(np.broadcast_to(points, tensor_shape(source)))

    @property
    def output_scale(self) -> FloatArray:
        """Real value of one step of each edge's codes, (nodes, inputs), float64.

        The edges of a node share it. Their zero point is 0.

        Raises
        ------
        KanError : the edges give no codes.
        """
        self._require_codes()
        scale = quantized_type(self._sum.edges).scale_for(2)
        return np.array(np.broadcast_to(scale, self.shape))

    @cached_property
    def tables(self) -> IntArray:
        """Codes of every edge at each of `input_codes`, (nodes, inputs, entries), int64, read-only.

        `tables * output_scale[..., None]` are real values. Pruned edges have 0. Entries of codes
        outside `input_bounds` are never read.

        Raises
        ------
        KanError : the edges give no codes, or there are too many entries to compute.
        """
        self._require_codes()
        source = self._codes()
        codes = self.input_codes
        require_evaluable(len(codes), prod(self.shape), self.name)
        lower, upper = bounds_of(source)
        each = np.broadcast_to(codes[:, np.newaxis], (len(codes), self.shape[1]))
        known = {source: np.clip(each, lower, upper)}
        (values,) = evaluate_values([self._sum.edges], known, ops=self._ops)
        values = np.where(self.mask, values, 0)
        tables = np.ascontiguousarray(np.moveaxis(values, 0, -1)).astype(np.int64)
        tables.flags.writeable = False
        return tables

    @property
    def model(self) -> Model:
        """The network that has the layer, for functions that draw it."""
        module = self._function.parent_op()
        assert isinstance(module, ModuleOp)
        return Model.of(module)

    @cached_property
    def _ops(self) -> Sequence[Operation]:
        return tuple(self._function.body.block.ops)

    @cached_property
    def _source(self) -> SSAValue:
        """The vector that the edges are functions of."""
        source = input_of(self._sum.edges)
        if source is None or tensor_shape(source) != self.shape[1:]:
            raise KanError(
                f"the edges of {self.name} are no functions of one vector of its inputs each",
                remedy="evaluate the whole network, with run or run_nodes",
            )
        return source

    def _codes(self) -> SSAValue:
        source = self._source
        if not is_quantized(source):
            raise KanError(
                f"{self.name} has no codes: its inputs are real numbers",
                remedy="apply kan-quantize first",
            )
        return source

    def _require_codes(self) -> None:
        if not self.has_codes:
            raise KanError(
                f"{self.name} has no tables: its edges give real numbers",
                remedy="apply kan-quantize and kan-fold-tables first",
            )

    def _chunks(self, samples: int) -> list[tuple[int, int]]:
        size = max(1, CHUNK_ELEMENTS // prod(self.shape))
        return [(start, start + size) for start in range(0, samples, size)]

    def _values(self, x: FloatArray) -> FloatArray:
        """(samples, nodes, inputs) of real inputs (samples, inputs)."""
        source = self._source
        known: Array = x
        if is_quantized(source):
            element = quantized_type(source)
            try:
                known = quantize(
                    x, element.scale_for(1), element.zero_point_for(1), *bounds_of(source)
                )
            except ValueError:
                raise KanError(f"an input of {self.name} is not a number") from None
        with np.errstate(all="ignore"):
            (values,) = evaluate_values([self._sum.edges], {source: known}, ops=self._ops)
        if not self.has_codes:
            return cast(FloatArray, values)
        element = quantized_type(self._sum.edges)
        return dequantize(values, element.scale_for(2), element.zero_point_for(2))


@dataclass(frozen=True)
class Edge:
    """The function from one input of a layer to one of its nodes."""

    layer: Layer
    node: int
    input: int

    def __repr__(self) -> str:
        return f"Edge({self.name}{'' if self.kept else ', pruned'})"

    @property
    def name(self) -> str:
        """`layer0_edge3_5` for node 3 and input 5, as the table's wire is called."""
        return f"{self.layer.name}_edge{self.node}_{self.input}"

    @property
    def kept(self) -> bool:
        """Whether the edge exists; a pruned one does not."""
        return bool(self.layer.mask[self.node, self.input])

    def __call__(self, x: ArrayLike) -> FloatArray:
        """Values of the edge: of its function, or of its table from table level on.

        Parameters
        ----------
        x : real values of the input, of any shape. At table level each is rounded to its nearest
            code first.

        Returns
        -------
        float64, in the shape of `x`.

        Raises
        ------
        KanError : `x` holds no numbers, or NaN where there are codes; or the layer's edges are
            functions of several vectors.
        """
        layer = self.layer
        array = as_array(x, f"the input of {self.name}").astype(np.float64)
        flat = array.reshape(-1, 1)
        values = np.empty(len(flat))
        # Edges are evaluated together, as the ops of a layer compute them.
        for start, stop in layer._chunks(len(flat)):  # pyright: ignore[reportPrivateUsage]
            part = np.broadcast_to(flat[start:stop], (len(flat[start:stop]), layer.shape[1]))
            found = layer._values(part)  # pyright: ignore[reportPrivateUsage]
            values[start:stop] = found[:, self.node, self.input]
        return values.reshape(array.shape)

    @property
    def table(self) -> IntArray:
        """Codes of the edge at each of `input_codes`, (entries), int64, read-only.

        Raises
        ------
        KanError : see `Layer.tables`.
        """
        return self.layer.tables[self.node, self.input]

    @property
    def input_codes(self) -> IntArray:
        """The codes that the table has entries for, (entries), int64, ascending."""
        return self.layer.input_codes

    @property
    def input_bounds(self) -> tuple[int, int]:
        """Smallest and largest code that the input can have."""
        low, high = self.layer.input_bounds[self.input].tolist()
        return low, high

    @property
    def input_scale(self) -> float:
        """Real value of one step of the input's codes."""
        return float(self.layer.input_scale[self.input])

    @property
    def input_zero_point(self) -> int:
        """The code of the input that stands for 0."""
        return int(self.layer.input_zero_point[self.input])

    @property
    def output_scale(self) -> float:
        """Real value of one step of the edge's codes; their zero point is 0."""
        return float(self.layer.output_scale[self.node, self.input])

    def picture(self, original: Edge | None = None) -> str:
        """The function, and its table with the error at each code, as SVG.

        Parameters
        ----------
        original : the same edge of the network of floats that the table was made from.

        Raises
        ------
        KanError : Matplotlib is not installed.
        """
        model = None if original is None else original.layer.model
        return edge_picture(self.layer.model, self.name, original=model)

    def _repr_html_(self) -> str:
        return edge_page(self.layer.model, self.name)


def input_of(edges: SSAValue) -> SSAValue | None:
    """The vector that the edges of a layer are functions of; None where they read several.

    It is the nearest vector of codes or, of floats, the nearest value that no univariate op makes.

    Parameters
    ----------
    edges : (nodes, inputs), the operand of a node sum.
    """
    sources: set[SSAValue] = set()
    pending = [edges]
    while pending:
        value = pending.pop()
        owner = value.owner
        if isinstance(owner, Block) or (is_quantized(value) and len(tensor_shape(value)) == 1):
            sources.add(value)
        elif isinstance(owner, QuantizeOp):
            pending.append(owner.input)
        elif is_univariate(owner):
            pending.extend(owner.operands)
        else:
            sources.add(value)
    return sources.pop() if len(sources) == 1 else None
