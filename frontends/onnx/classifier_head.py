"""Finds the head of a classifier, such as softmax or argmax, also if it is written out in
arithmetic.

A head turns the network's outputs into classes or probabilities and preserves the largest output,
so the network without it has the same classes. A head is no layer: all but a sigmoid mix outputs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from kan_dialect.errors import KanError
from kan_dialect.evaluate.interpreter import evaluate_function
from kan_dialect.frontends.onnx.compare.network_comparison import tolerance_of
from kan_dialect.frontends.onnx.compare.reference_models import (
    CHUNK_ELEMENTS,
    open_reference,
    round_to_float32,
)
from kan_dialect.frontends.onnx.discover.layer_search import default_comparison_inputs
from kan_dialect.frontends.onnx.operators import folding
from kan_dialect.frontends.onnx.operators.refusals import REFUSALS
from kan_dialect.frontends.onnx.operators.static_graph import StaticGraph, make_static, needed_steps
from kan_dialect.frontends.onnx.operators.subgraphs import SubgraphRun
from kan_dialect.frontends.onnx.read.graph import Graph, Node
from kan_dialect.frontends.onnx.recognise.layers import ImportedNetwork
from kan_dialect.ir.constants import FloatArray

_MOVEMENT_OPS = frozenset(
    {
        "Cast",
        "CastLike",
        "Dropout",
        "Expand",
        "Flatten",
        "Identity",
        "Reshape",
        "Squeeze",
        "Transpose",
        "Unsqueeze",
    }
)
"""Ops without arithmetic that may stand before, after and within a head."""

_CANDIDATES = 24
"""Most values before a product or a difference that may be the operand of a softmax."""

_STRIP = (
    "pass --strip-head (in Python: strip_head=True) to import the network up to it: the classes "
    "stay the same"
)
_SMALLEST = (
    "export the model without it, and take the smallest output for the class; or train the "
    "negated outputs"
)


@dataclass(frozen=True, eq=False)
class Head:
    """The head after the last layer.

    Attributes
    ----------
    node : the op that makes it a head.
    logits : the value that it is applied to.
    written_out : whether the op is the last one of a softmax in arithmetic.
    """

    node: Node
    logits: str
    written_out: bool = False

    @property
    def is_mixing(self) -> bool:
        """Whether an output depends on several logits."""
        return self.node.op_type != "Sigmoid"

    @property
    def is_index(self) -> bool:
        """Whether the result is the index of an output."""
        return self.node.op_type in ("ArgMax", "ArgMin", "TopK")

    @property
    def takes_smallest(self) -> bool:
        """Whether the class is the smallest output."""
        return self.node.op_type == "ArgMin" or (
            self.node.op_type == "TopK" and not self.node.integer("largest", 1)
        )

    @property
    def reason(self) -> str:
        if self.takes_smallest:
            return "it gives the index of the smallest output, which is no layer"
        if self.written_out:
            return "this is a softmax, written out: each output depends on all others"
        if self.is_index:
            return "it gives an index instead of the outputs"
        return REFUSALS[self.node.op_type][0]


def require_no_head(graph: Graph) -> None:
    """Refuse a graph whose head mixes outputs.

    Raises
    ------
    Unrecognised : the graph ends in such a head.
    """
    head = find_head(graph)
    if head is not None and head.is_mixing:
        raise head.node.refuse(head.reason, _SMALLEST if head.takes_smallest else _STRIP)


def strip_head(graph: Graph) -> Graph:
    """The graph up to its head; consecutive heads count as one.

    Raises
    ------
    KanError : there is no head, it does not preserve the classes, or no network is left.
    """
    head = find_head(graph)
    if head is None:
        last = graph.nodes[-1].label if graph.nodes else "its input"
        raise graph.error(
            f"there is no head to strip: the model ends in {last}",
            "leave --strip-head (strip_head) out",
        )
    while head is not None:
        if head.takes_smallest:
            raise head.node.refuse(head.reason, _SMALLEST)
        if head.logits == graph.input or head.logits in graph.constants:
            raise head.node.refuse("there is no network before it")
        graph = graph.up_to(head.logits)
        head = find_head(graph)
    return graph


def check_classes(graph: Graph, stripped: Graph, network: ImportedNetwork) -> None:
    """Compare the classes of a whole model with those of the network imported from it.

    Parameters
    ----------
    stripped : the graph without the head, for a batch with which it runs.

    Raises
    ------
    KanError : the classes differ, or the model cannot be run.
    """
    head = find_head(graph)
    assert head is not None
    graph = replace(graph, input_shape=stripped.input_shape)
    x = round_to_float32(np.concatenate(default_comparison_inputs(stripped).groups))
    if _crosses_samples(stripped, head):
        raise head.node.refuse(
            "it compares the samples of a batch, not the outputs of one sample",
            "export the model with the axis of the outputs (axis=-1)",
        )
    chunk = max(1, CHUNK_ELEMENTS // network.widest)
    actual = open_reference(graph, chunk).outputs(x)
    with np.errstate(all="ignore"):
        (logits,) = evaluate_function(network.function, [x])
    if not _has_classes(actual, logits, tolerance_of(graph), index=head.is_index):
        raise head.node.refuse(
            "the network up to it has other classes than the model",
            "export the model so that the head compares all outputs of a sample, or without it",
        )


def _crosses_samples(graph: Graph, head: Head) -> bool:
    """Whether the head works along the batch axis of the network before it."""
    default = 0 if head.node.op_type in ("ArgMax", "ArgMin") else -1
    if head.written_out or not head.is_mixing or graph.vector is not None:
        return False
    static = make_static(graph)
    rank = len(static.shapes[graph.output])
    axis = head.node.integer("axis", default) % max(rank, 1)
    return static.batch_axes.get(graph.output) == axis


def _has_classes(actual: FloatArray, logits: FloatArray, tolerance: float, *, index: bool) -> bool:
    """Whether the head's outputs (samples, ...) choose the largest logits (samples, out)."""
    usable = np.isfinite(logits).all(axis=1) & np.isfinite(actual).all(axis=1)
    actual, logits = actual[usable], logits[usable]
    if not len(logits):
        return True
    if index:
        chosen = actual[:, 0].astype(np.int64)
        if actual.shape[1] != 1 or chosen.min() < 0 or chosen.max() >= logits.shape[1]:
            return False
        scores = logits
    else:
        if logits.shape[1] == 1:
            actual = actual[:, -1:]  # Of two classes, the second.
        if actual.shape != logits.shape:
            return False
        if logits.shape[1] == 1:
            outputs_by_logit = actual[np.argsort(logits[:, 0]), 0]
            return bool((np.diff(outputs_by_logit) >= -tolerance).all())
        chosen, scores = logits.argmax(axis=1), actual
    reached = np.take_along_axis(scores, chosen[:, np.newaxis], 1)[:, 0]
    return bool((reached >= scores.max(axis=1) - tolerance * np.ptp(scores)).all())


def find_head(graph: Graph) -> Head | None:
    """The head that computes the graph's output; None without one."""
    return _HeadSearch(graph).head_of(graph.output)


class _HeadSearch:
    """Matches heads from the output towards the input."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._constants = folding.known_constants(graph)
        self._producers = {name: node for node in graph.nodes for name in node.outputs}

    def head_of(self, name: str) -> Head | None:
        name = self._before_movement(name)
        node = self._producers.get(name)
        if node is None:
            return None
        match node.op_type:
            case "Softmax" | "LogSoftmax" | "Hardmax" | "Sigmoid" | "ArgMax" | "ArgMin":
                return Head(node, node.inputs[0])
            case "TopK":
                count = self._constants.get(self._before_movement(node.inputs[1]))
                one = count is not None and count.size == 1 and int(count.reshape(-1)[0]) == 1
                return Head(node, node.inputs[0]) if one and name == node.outputs[1] else None
            case "Concat":
                return self._of_both_classes(node)
            case "Gather" if node.inputs[0] in self._constants:  # Labels of classes.
                return self.head_of(node.inputs[1])
            case "Clip" | "Log" | "LpNormalization":
                inner = self.head_of(node.inputs[0])
                return None if inner is None or inner.is_index else inner
            case "Div" | "Mul" | "Sub":
                return self._written_out(node)
            case _:
                return None

    def _of_both_classes(self, node: Node) -> Head | None:
        """The sigmoid p of outputs 1 - p, p, for two classes; None for others."""
        first = self._producers.get(node.inputs[0])
        if first is None or first.op_type != "Sub" or first.inputs[1:] != node.inputs[1:]:
            return None
        one = self._constants.get(first.inputs[0])
        is_one = one is not None and bool((one == 1.0).all())
        return self.head_of(node.inputs[1]) if is_one else None

    def _before_movement(self, name: str) -> str:
        """The value before movement, broadcast and casts."""
        while name in self._producers and self._producers[name].op_type in _MOVEMENT_OPS:
            name = self._producers[name].inputs[0]
        return name

    def _written_out(self, node: Node) -> Head | None:
        """A softmax in arithmetic, or its logarithm, found by evaluation."""
        (result, *_) = node.outputs
        try:
            static = make_static(self._graph)
        except KanError:  # Its shapes are not known.
            return None
        before = needed_steps(static, [], [result])[:-1]
        names = [step.outputs[0] for step in before[: -_CANDIDATES - 1 : -1]]
        found = [name for name in names if _is_softmax(static, name, result)]
        if not found:
            return None
        # A softmax of x - max(x) is one of x, too.
        shifted = self._producers[found[0]].op_type == "Sub"
        return Head(node, found[-1] if shifted else found[0], written_out=True)


def _is_softmax(static: StaticGraph, name: str, result: str) -> bool:
    """Whether a result is the softmax of a value, or its logarithm."""
    width = static.width(name)
    if not static.may_be_boundary(name) or width == 1 or width != static.width(result):
        return False
    x = np.random.default_rng(0).normal(size=(static.batch, width))
    try:
        y = SubgraphRun(static, [name], [result])(x)
    except Exception:  # Other values are needed beside it. Runtimes raise errors of many types.
        return False
    rising = np.exp(x)
    softmax = rising / rising.sum(axis=1, keepdims=True)
    return np.allclose(y, softmax) or np.allclose(y, np.log(softmax))
