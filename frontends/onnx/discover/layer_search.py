"""Imports a graph of unknown form layer by layer, as `layer_boundaries.py` discovers them.

A layer whose form is recognised keeps its grid and coefficients. Any other layer becomes a
`kan.onnx` op that carries its subgraph.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np
import onnx
from xdsl.dialects.builtin import TensorType, f32
from xdsl.ir import Block, SSAValue
from xdsl.rewriter import Rewriter

from kan_dialect.errors import KanError
from kan_dialect.evaluate.onnx_subgraph import run_graph, widened
from kan_dialect.frontends.frontend import NO_OPTIONS, ImportOptions
from kan_dialect.frontends.onnx.compare.network_comparison import (
    TOLERANCE,
    ComparisonInputs,
    Differs,
    check_network,
)
from kan_dialect.frontends.onnx.compare.reference_models import CannotRun
from kan_dialect.frontends.onnx.discover.batch_dependence import first_batch_dependent_step
from kan_dialect.frontends.onnx.discover.layer_boundaries import (
    TRIALS,
    FoundLayer,
    find_layers,
)
from kan_dialect.frontends.onnx.discover.typical_inputs import magnitude_inputs, typical_inputs
from kan_dialect.frontends.onnx.operators.elementwise import DECISIONS
from kan_dialect.frontends.onnx.operators.static_graph import (
    StaticGraph,
    make_static,
)
from kan_dialect.frontends.onnx.operators.subgraphs import PREFIX, extract_subgraph
from kan_dialect.frontends.onnx.operators.thresholds import find_thresholds
from kan_dialect.frontends.onnx.read.graph import (
    MAX_WIDTH,
    Graph,
    Node,
    Unrecognised,
    graph_of,
)
from kan_dialect.frontends.onnx.recognise.bases import narrow_float
from kan_dialect.frontends.onnx.recognise.layers import (
    ImportedNetwork,
    finished_network,
    recognise_layers,
)
from kan_dialect.frontends.onnx.recognise.traced_batches import fixed_batches
from kan_dialect.ir.constants import FloatArray, dense
from kan_dialect.ops.layer import ConcatOp, NodeSumOp
from kan_dialect.ops.onnx import OnnxOp

_MAX_VALUE_ELEMENTS = 1 << 22
"""Most elements of a value for one sample."""

_MAX_INPUTS = 1 << 15
"""Most inputs of a graph."""

MAX_STEPS = 3000
"""Most operators of a graph."""

MAX_PRODUCTS = 1 << 24
"""Most multiplications in matrix products and the like, for one sample."""

_COMPARED_ROWS = 2048
"""Likely inputs on which networks are compared."""

_SEED = 11


def search_layers(
    graph: Graph, options: ImportOptions, recognition_error: KanError
) -> tuple[Graph, ImportedNetwork]:
    """Import a graph without knowing its form, and check the result.

    Parameters
    ----------
    options : may hold real inputs.
    recognition_error : the reason why the graph was not recognised.

    Returns
    -------
    The graph for a batch with which it runs, and the network.

    Raises
    ------
    KanError : the graph is no Kolmogorov-Arnold network; `recognition_error` if it cannot be run or
        is too large to search.
    """
    samples = options.samples
    static = _runnable_static(graph, recognition_error)
    width = static.width(graph.output)
    if width > MAX_WIDTH:
        raise static.source.too_wide("output", graph.output, width)
    if not _fits_search(static):
        raise recognition_error
    steps = len(static.steps)
    if steps > MAX_STEPS:
        raise _too_long(static, recognition_error, f"{steps} operators")
    products = static.multiplications()
    if products > MAX_PRODUCTS:
        raise _too_long(static, recognition_error, f"{products} multiplications for each sample")
    try:
        dependent = first_batch_dependent_step(static, samples)
        if dependent is not None:
            raise _batch_dependence(static, dependent, recognition_error)
        network = _search(static, samples, TRIALS)
        try:
            _check(static, network, options)
        except Differs as error:
            # Most likely the search missed an interaction that few points show.
            network = _search(static, samples, 8 * TRIALS, error.inputs)
            _check(static, network, options)
    except Unrecognised as error:
        raise _merged_refusal(error, recognition_error) from None
    except CannotRun:
        raise recognition_error from None
    except KanError:
        raise
    except Exception:  # Runtimes raise errors of many types; recognition's error then stands.
        raise recognition_error from None
    return static.source, network


def _runnable_static(graph: Graph, recognition_error: KanError) -> StaticGraph:
    """The graph for any batch, or else for a batch that the file may have been traced with."""
    for candidate in (graph, *(fixed_batches(graph) if None in graph.input_shape else ())):
        with suppress(KanError):
            return make_static(candidate)
    raise recognition_error


def _too_long(static: StaticGraph, recognition_error: KanError, what: str) -> KanError:
    """The error that a search would take minutes, with the reason of the failed recognition."""
    reason = f"the graph's {what} are too many for a search for its layers"
    if isinstance(recognition_error, Unrecognised):
        return recognition_error.node.refuse(
            f"{recognition_error.reason}; {reason}", recognition_error.remedy
        )
    return static.source.error(reason)


def _search(
    static: StaticGraph,
    samples: FloatArray | None,
    trials: int,
    counterexamples: FloatArray | None = None,
) -> ImportedNetwork:
    return _Assembly(static).build(find_layers(static, samples, trials, counterexamples))


def _check(static: StaticGraph, network: ImportedNetwork, options: ImportOptions) -> None:
    """Compare with the file on likely inputs, or on all magnitudes without samples.

    The inputs are not those of the search, and there are more of the likely ones.
    """
    rng = np.random.default_rng(_SEED)
    samples = options.samples
    *others, likely = typical_inputs(static, samples, rng, rows=_COMPARED_ROWS)
    if samples is not None:
        drawn = rng.integers(0, len(samples), (_COMPARED_ROWS, samples.shape[1]))
        others.append(np.take_along_axis(samples, drawn, axis=0))
    inputs = comparison_inputs_of(static, [*others, likely], options.real_inputs)
    check_network(static.source, network, inputs)


def _batch_dependence(static: StaticGraph, step: Node, recognition_error: KanError) -> KanError:
    """The error that results depend on the batch; `recognition_error` if it names an earlier op."""
    if isinstance(recognition_error, Unrecognised):
        others = [name for name in recognition_error.node.outputs if name not in step.outputs]
        if not any(name in static.shapes and static.may_be_boundary(name) for name in others):
            return recognition_error
    return step.refuse(
        "its result for a sample depends on the sample's place in the batch or on other samples",
        "export the model in evaluation mode",
    )


def _merged_refusal(found: Unrecognised, recognition_error: KanError) -> KanError:
    """The refusal of an op with the reason from recognition and the evidence of the search."""
    if (
        isinstance(recognition_error, Unrecognised)
        and recognition_error.node.outputs == found.node.outputs
    ):
        start = found.reason.find(" (as a function of ")
        if start >= 0:
            return recognition_error.node.refuse(
                recognition_error.reason + found.reason[start:], recognition_error.remedy
            )
    return found


def _fits_search(static: StaticGraph) -> bool:
    widest = max(map(static.width, static.shapes))
    return widest <= _MAX_VALUE_ELEMENTS and static.width(static.source.input) <= _MAX_INPUTS


def default_comparison_inputs(
    graph: Graph, options: ImportOptions = NO_OPTIONS
) -> ComparisonInputs:
    """Inputs at all magnitudes, and at the scales and thresholds that the graph shows."""
    rng = np.random.default_rng(_SEED)
    with suppress(Exception):  # Without them, other inputs remain.
        static = make_static(graph)
        if _fits_search(static):
            groups = typical_inputs(static, None, rng)
            return comparison_inputs_of(static, groups, options.real_inputs)
    return ComparisonInputs(magnitude_inputs(graph.inputs, rng)[::-1], samples=options.real_inputs)


def comparison_inputs_of(
    static: StaticGraph, groups: Sequence[FloatArray], real: FloatArray | None
) -> ComparisonInputs:
    """Comparison inputs: groups of inputs, the graph's thresholds, and real inputs."""
    thresholds = None
    with suppress(Exception):  # Without them, other inputs remain.
        thresholds = find_thresholds(static, groups[-1] if real is None else real[:_COMPARED_ROWS])
    return ComparisonInputs(groups, thresholds, real)


class _Assembly:
    """Writes layers into one function."""

    def __init__(self, static: StaticGraph) -> None:
        self._static = static
        width = static.width(static.source.input)
        self._block = Block(arg_types=[TensorType(f32, [width])])
        self._block.args[0].name_hint = "x"
        self._values: dict[str, SSAValue] = {static.source.input: self._block.args[0]}
        self._layers = 0

    def build(self, layers: Sequence[FoundLayer]) -> ImportedNetwork:
        for layer in layers:
            self._values[layer.target] = self._add(layer)
        graph = self._static.source
        widest = max(self._static.width(name) for name in self._static.shapes)
        result = self._values[graph.output]
        return finished_network(graph, self._block, result, self._layers, widest)

    def _add(self, layer: FoundLayer) -> SSAValue:
        values = [self._values[name] for name in layer.sources]
        inputs = values[0]
        if len(values) > 1:
            concat = ConcatOp(values)
            self._block.add_op(concat)
            inputs = concat.result
        part = extract_subgraph(self._static, layer.sources, [layer.target])
        recognised = self._recognise(part, layer.activations)
        if recognised is not None:
            return self._inline(recognised, inputs)
        branches = any(node.op_type in DECISIONS for node in part.graph.node)
        if branches and self._static.source.input not in layer.sources:
            # Sums arrive in float64; rounding them first would change decisions.
            part = widened(part)
        data = part.SerializeToString(deterministic=True)
        rest = _typical_row(layer.activations)
        (value_at_rest,) = run_graph(data, rest[np.newaxis])
        name = f"layer{self._layers}"
        edges = OnnxOp(inputs, data, narrow_float(rest), value_at_rest.size, name=name)
        windows = self._windows(layer, part, edges)
        if len(windows):
            edges.windows = dense(windows)
        nodes = NodeSumOp(edges, bias=narrow_float(value_at_rest), name=name)
        self._block.add_ops([edges, nodes])
        self._layers += 1
        return nodes.result

    def _windows(self, layer: FoundLayer, part: onnx.ModelProto, op: OnnxOp) -> FloatArray:
        """Windows in which an edge differs from both sides, as `Thresholds.windows`.

        Raises
        ------
        Unrecognised : the layer compares with a single value of a sum.
        """
        static = make_static(graph_of(part, self._static.source.path))
        thresholds = find_thresholds(static, layer.activations)
        if thresholds is None:
            return np.zeros((0, 3))
        reached = run_graph(op.graph, layer.activations)
        windows = thresholds.windows(op.edges_of, TOLERANCE * float(np.ptp(reached)))
        widths = np.cumsum([self._static.width(name) for name in layer.sources])
        source = self._static.source
        found: list[tuple[float, float, float]] = windows.tolist()
        for index, low, high in found:
            name = layer.sources[int(np.searchsorted(widths, index, side="right"))]
            node = thresholds.node_at(int(index), low)
            if low == high and name != source.input and node is not None:
                made = node.outputs[0].removeprefix(PREFIX)
                node = next((each for each in source.nodes if made in each.outputs), node)
                raise node.refuse(
                    f"it treats the single value {low:.9g} of '{name}', a sum, differently: "
                    "rounding decides whether a sample meets it",
                    "compare with a threshold, or compare the inputs before they are added up",
                )
        return windows

    def _recognise(self, part: onnx.ModelProto, activations: FloatArray) -> ImportedNetwork | None:
        """The layer with grids and coefficients; None if its form is not recognised."""
        try:
            graph = graph_of(part, self._static.source.path)
            network = recognise_layers(graph, first=self._layers)
            inputs = default_comparison_inputs(graph)
            inputs = replace(inputs, groups=[*inputs.groups, activations])
            check_network(graph, network, inputs)
        except Exception:  # An unrecognised layer keeps its subgraph.
            return None
        return network

    def _inline(self, network: ImportedNetwork, inputs: SSAValue) -> SSAValue:
        """Move the ops of a recognised function here, applied to `inputs`; returns its result."""
        body = network.function.body.block
        terminator = network.function.get_return_op()
        assert terminator is not None
        body.args[0].replace_all_uses_with(inputs)
        (result,) = terminator.operands
        Rewriter.erase_op(terminator)  # It would stay a reader of the result.
        for op in list(body.ops):
            op.detach()
            self._block.add_op(op)
        self._layers += network.layers
        return result


def _typical_row(activations: FloatArray) -> FloatArray:
    """The row (in) of `activations` (rows, in) nearest to their median, so that it does occur."""
    middle = np.median(activations, axis=0)
    spread = np.maximum(np.ptp(activations, axis=0), 1e-30)
    distance = np.abs((activations - middle) / spread).max(axis=1)
    return activations[int(np.argmin(distance))]
