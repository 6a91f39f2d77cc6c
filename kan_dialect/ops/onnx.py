"""Edges of any form: an ONNX subgraph that the op carries along and evaluates."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import cast

import numpy as np
from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, TensorType, f32
from xdsl.ir import Operation, SSAValue
from xdsl.irdl import irdl_op_definition, opt_prop_def, prop_def

from kan_dialect.deferred import deferred
from kan_dialect.errors import KanError
from kan_dialect.ir import verifier
from kan_dialect.ir.constants import (
    DenseAttr,
    FloatArray,
    IntArray,
    as_dense,
    dense,
    to_floats,
)
from kan_dialect.ir.types import element_type
from kan_dialect.ir.verifier import require
from kan_dialect.ops.spline import EdgeOp

MAX_GRAPH_BYTES = 1 << 28
"""Larger subgraphs are refused."""

_SUBGRAPH = "kan_dialect.evaluate.onnx_subgraph"
graph_shape = cast("Callable[[bytes], tuple[int, int, int]]", deferred(_SUBGRAPH, "graph_shape"))
run_graph = cast("Callable[[bytes, FloatArray], FloatArray]", deferred(_SUBGRAPH, "run_graph"))

_ROW_ELEMENTS = 1 << 20
"""Largest number of input elements that one run of the subgraph takes."""

_COPIED_ELEMENTS = 1 << 16
"""Edges that are copied at once, within a processor's cache."""


@irdl_op_definition
class OnnxOp(EdgeOp):
    """Edges that a subgraph computes: phi[o, i](x) = F(rest with x_i for rest_i)[o] - F(rest)[o].

    F is `model`: the bytes of an ONNX graph that maps `x` (batch, in) to `y` (batch, out), for a
    batch of its own choice, evaluated in float64. Where F is a sum of functions of one input each,
    which the ONNX frontend makes sure of, F(x) = F(rest) + the sum of the edges. `rest` is a point
    at which F is finite. Branches are taken as in the types of `model`.

    `windows`, (windows, 3), names values at which edges are others than on both sides, such as a
    mark for missing values: an input, and the first and last value of the window. `kan-quantize`
    keeps a code for each, however narrow it is.

    Example:

        %e = kan.onnx %h as "layer1" rest dense<[0.5, 0.25]> : tensor<2xf64> model
          dense<"0x0809...1001"> : tensor<114xi8> : tensor<2xf32> -> tensor<1x2xf32>
    """

    name = "kan.onnx"

    rest = prop_def(DenseIntOrFPElementsAttr)
    model = prop_def(DenseIntOrFPElementsAttr)
    windows = opt_prop_def(DenseIntOrFPElementsAttr)

    assembly_format = (
        "$input (`as` $name^)? `rest` custom<Constant>($rest) `model` custom<Constant>($model) "
        "(`windows` custom<Constant>($windows)^)? attr-dict `:` type($input) `->` type($result)"
    )

    def __init__(
        self,
        input: SSAValue | Operation,
        model: DenseAttr | bytes,
        rest: DenseAttr | FloatArray,
        outputs: int,
        *,
        name: str | None = None,
    ) -> None:
        """
        Parameters
        ----------
        model : the serialised graph, of one input `x` (batch, in) and one output `y` (batch, out).
        rest : (in), float32 or float64.
        """
        if isinstance(model, bytes):
            model = dense(np.frombuffer(model, dtype=np.int8))
        rest = as_dense(rest)
        value = SSAValue.get(input)
        result_type = TensorType(element_type(value) or f32, (outputs, *rest.get_shape()))
        self.set_up([value], [result_type], rest=rest, model=model, name=name)

    @property
    def graph(self) -> bytes:
        """The serialised graph."""
        return self.model.data.data

    @property
    def window_array(self) -> FloatArray:
        """(windows, 3): input, first and last value."""
        return np.zeros((0, 3)) if self.windows is None else to_floats(self.windows)

    def verify_edges(self, outputs: int, inputs: int) -> None:
        rest = verifier.constant(self.rest, "rest", shape=(inputs,))
        require(bool(np.isfinite(rest).all()), "rest must be finite")
        graph = verifier.constant(self.model, "model", floats=False)
        require(
            graph.dtype == np.int8 and graph.ndim == 1 and graph.size == len(self.graph),
            "model must hold the bytes of a graph, as tensor<n x i8>",
        )
        require(graph.size <= MAX_GRAPH_BYTES, f"model holds more than {MAX_GRAPH_BYTES} bytes")
        try:
            _, graph_inputs, graph_outputs = graph_shape(self.graph)
        except KanError as error:
            require(False, str(error))
            raise  # Not reached.
        require(
            (graph_inputs, graph_outputs) == (inputs, outputs),
            f"model maps {graph_inputs} inputs to {graph_outputs} outputs, not {inputs} to "
            f"{outputs}",
        )
        if self.windows is not None:
            windows = verifier.constant(self.windows, "windows")
            require(windows.ndim == 2 and windows.shape[1] == 3, "windows must be (windows, 3)")
            require(bool(np.isfinite(windows).all()), "windows must be finite")
            known = np.isin(windows[:, 0], np.arange(inputs))
            require(bool(known.all()), "windows name an input that does not exist")
            require(bool((windows[:, 1] <= windows[:, 2]).all()), "a window is empty")

    def edges(self, x: FloatArray) -> FloatArray:
        samples, inputs = x.shape
        outputs = self.outputs
        rest = to_floats(self.rest)
        (at_rest,) = run_graph(self.graph, rest[np.newaxis])
        edges = np.empty((samples, outputs, inputs))
        block = max(1, _COPIED_ELEMENTS // max(1, outputs * inputs))
        with np.errstate(all="ignore"):
            for first, places, inverses, values in _probes(x):
                rows = np.repeat(rest[np.newaxis], len(values), axis=0)
                rows[np.arange(len(values)), places] = values
                found = run_graph(self.graph, rows) - at_rest
                columns = slice(first, first + inverses.shape[1])
                for start in range(0, samples, block):
                    those = slice(start, start + block)
                    edges[those, :, columns] = found[inverses[those]].transpose(0, 2, 1)
        return edges

    def edges_of(self, index: IntArray, values: FloatArray) -> FloatArray:
        """All edges of one input each (rows, out), float64, at a value of it.

        Parameters
        ----------
        index : (rows), the inputs.
        values : (rows), float64.
        """
        rest = to_floats(self.rest)
        (at_rest,) = run_graph(self.graph, rest[np.newaxis])
        edges = np.empty((len(values), self.outputs))
        limit = max(1, _ROW_ELEMENTS // len(rest))
        with np.errstate(all="ignore"):
            for start in range(0, len(values), limit):
                those = slice(start, start + limit)
                rows = np.repeat(rest[np.newaxis], len(values[those]), axis=0)
                rows[np.arange(len(rows)), index[those]] = values[those]
                edges[those] = run_graph(self.graph, rows) - at_rest
        return edges


def _probes(x: FloatArray) -> Iterator[tuple[int, IntArray, IntArray, FloatArray]]:
    """Rows to run the subgraph on for x (samples, in), each value of an input once, in chunks.

    Yields
    ------
    The first of the inputs; for each row the input that it varies; the row of every sample for each
    of the inputs (samples, inputs); the values (rows).
    """
    samples, inputs = x.shape
    if not samples or not inputs:
        return
    limit = max(1, _ROW_ELEMENTS // inputs)
    every = np.ascontiguousarray(x.T)
    order = np.argsort(every, axis=1)
    every = np.take_along_axis(every, order, axis=1)
    new = np.ones(every.shape, dtype=np.bool_)
    new[:, 1:] = every[:, 1:] != every[:, :-1]
    new[:, 1:] &= ~(np.isnan(every[:, 1:]) & np.isnan(every[:, :-1]))
    number = np.empty(order.shape, dtype=np.int64)
    np.put_along_axis(number, order, np.cumsum(new, axis=1) - 1, axis=1)
    counts = new.sum(axis=1)
    first = 0
    while first < inputs:
        ends = np.cumsum(counts[first:])
        # At least one input; further ones as far as they fit.
        those = slice(first, first + max(1, int(np.searchsorted(ends, limit, side="right"))))
        places = np.repeat(np.arange(inputs, dtype=np.int64)[those], counts[those])
        starts = ends[: those.stop - first] - counts[those]
        yield first, places, (number[those] + starts[:, np.newaxis]).T, every[those][new[those]]
        first = those.stop


ONNX_OPS: list[type[Operation]] = [OnnxOp]
