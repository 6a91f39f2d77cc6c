"""Finds the head of a classifier, such as softmax or argmax, also if it is written out in
arithmetic.

A head turns the network's outputs into classes or probabilities and preserves the largest output,
so the network without it has the same classes. A head is no layer: all but a sigmoid mix outputs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from kan_dialect.evaluate.interpreter import evaluate_function
from kan_dialect.frontends.onnx.compare.comparison_inputs import sample_inputs
from kan_dialect.frontends.onnx.compare.network_comparison import HALF_TOLERANCE, TOLERANCE
from kan_dialect.frontends.onnx.compare.reference_models import CHUNK_ELEMENTS, open_reference
from kan_dialect.frontends.onnx.operators import folding
from kan_dialect.frontends.onnx.operators.refusals import REFUSALS
from kan_dialect.frontends.onnx.operators.static_graph import make_static
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

_LOG_SUM_EXP_OPS = frozenset(
    {"Abs", "Add", "Equal", "Exp", "IsInf", "Log", "Max", "ReduceLogSumExp", "ReduceMax"}
    | {"ReduceSum", "Sub", "TopK", "Where"}
)
"""Ops that compute the logarithm of a sum of exponentials."""

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
    x = np.concatenate(sample_inputs(network.function))
    if _crosses_samples(stripped, head):
        raise head.node.refuse(
            "it compares the samples of a batch, not the outputs of one sample",
            "export the model with the axis of the outputs (axis=-1)",
        )
    chunk = max(1, CHUNK_ELEMENTS // network.widest)
    actual = open_reference(graph, chunk).outputs(x)
    with np.errstate(all="ignore"):
        (logits,) = evaluate_function(network.function, [x])
    half = graph.input_dtype == np.float16
    tolerance = HALF_TOLERANCE if half else TOLERANCE
    if not _has_classes(actual, logits, tolerance, index=head.is_index):
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
            case "Clip" | "Log":
                inner = self.head_of(node.inputs[0])
                return None if inner is None or inner.is_index else inner
            case "Div" | "Mul":
                return self._softmax(node)
            case "Sub":
                return self._log_softmax(node)
            case _:
                return None

    def _before_movement(self, name: str) -> str:
        """The value before movement, broadcast and casts."""
        while name in self._producers and self._producers[name].op_type in _MOVEMENT_OPS:
            name = self._producers[name].inputs[0]
        return name

    def _producer(self, name: str, op_type: str) -> Node | None:
        """The node that computes a value, if it has this type."""
        node = self._producers.get(self._before_movement(name))
        return node if node is not None and node.op_type == op_type else None

    def _softmax(self, node: Node) -> Head | None:
        """Match exp(x) / sum(exp(x)), or the product with the reciprocal."""
        exponentials, total = node.inputs
        if node.op_type == "Mul":
            reciprocal = self._producer(total, "Reciprocal")
            if reciprocal is None:
                return None
            total = reciprocal.inputs[0]
        exp, added = self._producer(exponentials, "Exp"), self._producer(total, "ReduceSum")
        if exp is None or added is None:
            return None
        if self._before_movement(added.inputs[0]) != exp.outputs[0]:
            return None
        return Head(node, self._unshifted(exp.inputs[0]), written_out=True)

    def _log_softmax(self, node: Node) -> Head | None:
        """Match x - log(sum(exp(x))), in any form of the logarithm."""
        logits, total = node.inputs
        base = self._before_movement(logits)
        kinds: set[str] = set()
        pending = [total]
        seen: set[str] = set()
        shift = self._producer(base, "Sub")
        ends = {base, *(self._before_movement(each) for each in (shift.inputs if shift else ()))}
        while pending:
            name = self._before_movement(pending.pop())
            inner = self._producers.get(name)
            if name in ends or name in seen or inner is None or inner.op_type == "Constant":
                continue
            seen.add(name)
            if inner.op_type not in _LOG_SUM_EXP_OPS:
                return None
            kinds.add(inner.op_type)
            pending += filter(None, inner.inputs)
        if not kinds & {"ReduceLogSumExp"} and not kinds >= {"Exp", "ReduceSum", "Log"}:
            return None
        return Head(node, self._unshifted(logits), written_out=True)

    def _unshifted(self, name: str) -> str:
        """x, if a value is x - max(x); else the value."""
        shift = self._producer(name, "Sub")
        if shift is None:
            return name
        logits, largest = shift.inputs
        maximum = self._producer(largest, "ReduceMax") or self._producer(largest, "TopK")
        if maximum is None or self._before_movement(maximum.inputs[0]) != self._before_movement(
            logits
        ):
            return name
        return logits
