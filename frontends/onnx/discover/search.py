"""Imports a graph whose form is not known, layer by layer, as they were found (`onnx_cuts`).

A layer that is recognised comes out with its grid and coefficients; any other one as a `kan.onnx`
that carries the part of the graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np
import onnx
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp, TensorType, f32
from xdsl.ir import Block, Region, SSAValue
from xdsl.transforms.dead_code_elimination import region_dce

from kan_dialect.errors import KanError
from kan_dialect.evaluate.onnx_subgraph import run_graph, widened
from kan_dialect.frontends.frontend import NO_OPTIONS, ImportOptions
from kan_dialect.frontends.naming import identifier
from kan_dialect.frontends.onnx.comparison import (
    TOLERANCE,
    CannotRun,
    Differs,
    Probes,
    check_raised,
    differing_inputs,
)
from kan_dialect.frontends.onnx.discover.layer_boundaries import (
    TRIALS,
    FoundLayer,
    find_layers,
    first_unlike,
    typical_inputs,
)
from kan_dialect.frontends.onnx.operators.branch_values import DECISIONS
from kan_dialect.frontends.onnx.operators.static_graph import (
    StaticGraph,
    Step,
    cut_out,
    make_static,
)
from kan_dialect.frontends.onnx.operators.thresholds import find_thresholds
from kan_dialect.frontends.onnx.read.graph import MAX_WIDTH, Graph, Unrecognised, graph_of
from kan_dialect.frontends.onnx.recognise.expressions import exact
from kan_dialect.frontends.onnx.recognise.layers import Raised, raise_layers
from kan_dialect.frontends.onnx.recognise.recognition import fixed_batches
from kan_dialect.ir.constants import FloatArray, dense
from kan_dialect.ops.layer import ConcatOp, NodeSumOp
from kan_dialect.ops.onnx import OnnxOp

_MAX_WIDTH = 1 << 22
"""Graphs with a value of more elements than this for one sample are not searched."""

_MAX_INPUTS = 1 << 15
"""Nor are graphs of more inputs."""

MAX_STEPS = 3000
"""Graphs of more operators are not searched."""

MAX_PRODUCTS = 1 << 24
"""Nor are those with more multiplications in matrix products and the like, for one sample."""

_CHECKED = 2048
"""Inputs where they are likely that networks are compared on."""

_SEED = 11


def search_layers(graph: Graph, options: ImportOptions, stopped: KanError) -> tuple[Graph, Raised]:
    """The graph as a module of one function, found without knowing its form, and checked.

    Parameters
    ----------
    options : with real inputs, where there are some.
    stopped : why the graph was not recognised.

    Returns
    -------
    The graph for a batch with which it runs, and the module.

    Raises
    ------
    KanError : the graph is no Kolmogorov-Arnold network; `stopped`, if it cannot even be run.
    """
    samples = options.samples
    static = _first_static(graph, stopped)
    width = static.width(graph.output)
    if width > MAX_WIDTH:
        raise static.source.too_wide("output", graph.output, width)
    if not _is_small(static):
        raise stopped
    steps = len(static.steps)
    if steps > MAX_STEPS:
        raise _too_long(static, stopped, f"{steps} operators")
    products = static.products()
    if products > MAX_PRODUCTS:
        raise _too_long(static, stopped, f"{products} multiplications for each sample")
    try:
        unlike = first_unlike(static, samples)
        if unlike is not None:
            raise _mixed_samples(static, unlike, stopped)
        raised = _search(static, samples, TRIALS)
        try:
            _check(static, raised, options)
        except Differs:
            # An interaction that few points show was missed, most likely.
            telling = differing_inputs(static.source, raised, _points(static, samples))
            raised = _search(static, samples, 8 * TRIALS, telling)
            _check(static, raised, options)
    except Unrecognised as error:
        raise _clearer(error, stopped) from None
    except CannotRun:
        raise stopped from None
    except KanError:
        raise
    except Exception:  # Runtimes raise what they like; then recognition had the last word.
        raise stopped from None
    return static.source, raised


def _first_static(graph: Graph, stopped: KanError) -> StaticGraph:
    """The graph for any batch; else for one that the file may have been traced with."""
    for reading in (graph, *(fixed_batches(graph) if None in graph.input_shape else ())):
        with suppress(KanError):
            return make_static(reading)
    raise stopped


def _too_long(static: StaticGraph, stopped: KanError, what: str) -> KanError:
    """The error that a search would take minutes; with why the graph was not recognised."""
    reason = f"the graph's {what} are too many to find out what its layers are"
    if isinstance(stopped, Unrecognised):
        return stopped.node.refuse(f"{stopped.reason}; {reason}", stopped.remedy)
    return static.source.error(reason)


def _search(
    static: StaticGraph,
    samples: FloatArray | None,
    trials: int,
    telling: FloatArray | None = None,
) -> Raised:
    return _Assembly(static).build(find_layers(static, samples, trials, telling))


def _check(static: StaticGraph, raised: Raised, options: ImportOptions) -> None:
    """Compare with the file where the inputs lie, and at all magnitudes where nobody knows."""
    groups = _points(static, options.samples)
    check_raised(static.source, raised, probes_of(static, groups, options.real_inputs))


def _points(static: StaticGraph, samples: FloatArray | None) -> list[FloatArray]:
    """Inputs to compare networks on: others than those of the search, and more where they lie."""
    rng = np.random.default_rng(_SEED)
    *others, likely = typical_inputs(static, samples, rng, rows=_CHECKED)
    if samples is not None:
        drawn = rng.integers(0, len(samples), (_CHECKED, samples.shape[1]))
        others.append(np.take_along_axis(samples, drawn, axis=0))
    return [*others, likely]


def _mixed_samples(static: StaticGraph, step: Step, stopped: KanError) -> KanError:
    """The error that samples are not treated alike; `stopped`, if it comes before and says why."""
    if isinstance(stopped, Unrecognised):
        others = [name for name in stopped.node.outputs if name not in step.proto.output]
        if not any(name in static.shapes and static.is_cut(name) for name in others):
            return stopped
    return step.node.refuse(
        "its result for a sample depends on the sample's place in the batch or on other samples",
        "export the model in evaluation mode",
    )


def _clearer(found: Unrecognised, stopped: KanError) -> KanError:
    """The refusal of one op by both: why it is refused by name, and the evidence."""
    if isinstance(stopped, Unrecognised) and stopped.node.outputs == found.node.outputs:
        start = found.reason.find(" (as a function of ")
        if start >= 0:
            return stopped.node.refuse(stopped.reason + found.reason[start:], stopped.remedy)
    return found


def _is_small(static: StaticGraph) -> bool:
    widest = max(map(static.width, static.shapes))
    return widest <= _MAX_WIDTH and static.width(static.source.input) <= _MAX_INPUTS


def natural_probes(graph: Graph, options: ImportOptions = NO_OPTIONS) -> Probes:
    """Inputs at all magnitudes, at the places and at the thresholds that the graph shows."""
    with suppress(Exception):  # Of the runtimes' choice; there are other inputs.
        static = make_static(graph)
        if _is_small(static):
            groups = typical_inputs(static, None, np.random.default_rng(_SEED))
            return probes_of(static, groups, options.real_inputs)
    return Probes(samples=options.real_inputs)


def probes_of(static: StaticGraph, groups: Sequence[FloatArray], real: FloatArray | None) -> Probes:
    """What networks are compared on: groups of inputs, thresholds, and real inputs."""
    thresholds = None
    with suppress(Exception):  # Of the runtimes' choice; there are other inputs.
        thresholds = find_thresholds(static, groups[-1] if real is None else real[:_CHECKED])
    return Probes(groups, thresholds, real)


class _Assembly:
    """Writes layer after layer into one function."""

    def __init__(self, static: StaticGraph) -> None:
        self._static = static
        width = static.width(static.source.input)
        self._block = Block(arg_types=[TensorType(f32, [width])])
        self._block.args[0].name_hint = "x"
        self._values: dict[str, SSAValue] = {static.source.input: self._block.args[0]}
        self._layers: list[tuple[str, str, SSAValue]] = []

    def build(self, layers: Sequence[FoundLayer]) -> Raised:
        for layer in layers:
            self._values[layer.target] = self._add(layer)
        graph = self._static.source
        result = self._values[graph.output]
        self._block.add_op(func.ReturnOp(result))
        function = func.FuncOp(
            identifier(graph.path.stem),
            ([self._block.args[0].type], [result.type]),
            Region(self._block),
        )
        region_dce(function.body)
        widest = max(self._static.width(name) for name in self._static.shapes)
        return Raised(ModuleOp([function]), function, self._layers, widest)

    def _add(self, layer: FoundLayer) -> SSAValue:
        values = [self._values[name] for name in layer.sources]
        inputs = values[0]
        if len(values) > 1:
            concat = ConcatOp(values)
            self._block.add_op(concat)
            inputs = concat.result
        part = cut_out(self._static, layer.sources, [layer.target])
        recognised = self._recognise(part, layer.activations)
        if recognised is not None:
            return self._inline(recognised, inputs)
        branches = any(node.op_type in DECISIONS for node in part.graph.node)
        if branches and self._static.source.input not in layer.sources:
            # Sums come in float64, and rounding them first would decide otherwise.
            part = widened(part)
        data = part.SerializeToString(deterministic=True)
        rest = _middle(layer.activations)
        (at_rest,) = run_graph(data, rest[np.newaxis])
        name = f"layer{len(self._layers)}"
        edges = OnnxOp(inputs, data, exact(rest), at_rest.size, name=name)
        windows = self._windows(layer, part, edges)
        if len(windows):
            edges.windows = dense(windows)
        nodes = NodeSumOp(edges, bias=exact(at_rest), name=name)
        self._block.add_ops([edges, nodes])
        self._layers.append((name, layer.target, nodes.result))
        return nodes.result

    def _windows(self, layer: FoundLayer, part: onnx.ModelProto, op: OnnxOp) -> FloatArray:
        """Where the edges of a layer are others than on both sides, as `Thresholds.windows`.

        Raises
        ------
        Unrecognised : it looks for a single value of a sum.
        """
        static = make_static(graph_of(part, self._static.source.path))
        thresholds = find_thresholds(static, layer.activations)
        if thresholds is None:
            return np.zeros((0, 3))
        reached = run_graph(op.graph, layer.activations)
        windows = thresholds.windows(op.edges, TOLERANCE * float(np.ptp(reached)))
        widths = np.cumsum([self._static.width(name) for name in layer.sources])
        source = self._static.source
        found: list[tuple[float, float, float]] = windows.tolist()
        for index, low, high in found:
            name = layer.sources[int(np.searchsorted(widths, index, side="right"))]
            node = thresholds.node_at(int(index), low)
            if low == high and name != source.input and node is not None:
                node = next((each for each in source.nodes if each.outputs == node.outputs), node)
                raise node.refuse(
                    f"it treats the single value {low:.9g} of '{name}' differently, which is a "
                    "sum: whether a sample meets it is up to rounding",
                    "compare with a threshold, or compare the inputs before they are added up",
                )
        return windows

    def _recognise(self, part: onnx.ModelProto, activations: FloatArray) -> Raised | None:
        """The part with its grids and coefficients, if they are recognised."""
        try:
            graph = graph_of(part, self._static.source.path)
            raised = raise_layers(graph, first=len(self._layers))
            check_raised(graph, raised, self._probes(graph, activations))
        except Exception:  # What is not recognised stays what it is.
            return None
        return raised

    def _probes(self, graph: Graph, activations: FloatArray) -> Probes:
        """Inputs of a part to compare it on, its activations last."""
        natural = natural_probes(graph)
        return replace(natural, groups=[*natural.groups, activations])

    def _inline(self, raised: Raised, inputs: SSAValue) -> SSAValue:
        """The recognised function's ops, on `inputs`."""
        body = raised.function.body.block
        terminator = raised.function.get_return_op()
        assert terminator is not None
        body.args[0].replace_all_uses_with(inputs)
        (result,) = terminator.operands
        for op in list(body.ops):
            if op is not terminator:
                op.detach()
                self._block.add_op(op)
        self._layers.extend(raised.layers)
        return result


def _middle(activations: FloatArray) -> FloatArray:
    """The row (in) of `activations` (rows, in) nearest to their median: a point that occurs."""
    middle = np.median(activations, axis=0)
    spread = np.maximum(np.ptp(activations, axis=0), 1e-30)
    distance = np.abs((activations - middle) / spread).max(axis=1)
    return activations[int(np.argmin(distance))]
