"""Compares an imported network with ONNX Runtime's evaluation of its file; every import is checked.

Inputs lie at all magnitudes, at the scales that the graph shows, and on both sides of thresholds.
If float32 differs, at a discontinuity or a steep function, a copy of the model in float64 decides.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from xdsl.dialects import func
from xdsl.utils.exceptions import VerifyException

from kan_dialect.errors import KanError
from kan_dialect.evaluate.interpreter import evaluate_function
from kan_dialect.evaluate.onnx_subgraph import first_line
from kan_dialect.frontends.onnx.compare.reference_models import (
    CHUNK_ELEMENTS,
    Reference,
    open_reference,
    round_to_float32,
)
from kan_dialect.frontends.onnx.operators.thresholds import Thresholds
from kan_dialect.frontends.onnx.read.graph import Graph
from kan_dialect.frontends.onnx.recognise.layers import ImportedNetwork
from kan_dialect.ir.constants import BoolArray, FloatArray, IntArray
from kan_dialect.ir.types import tensor_shape
from kan_dialect.ops.onnx import OnnxOp
from kan_dialect.ops.spline import EdgeOp
from kan_dialect.quantity import quantity

_LOG = logging.getLogger(__name__)

TOLERANCE = 1e-4
"""Largest difference of outputs, relative to their range."""

HALF_TOLERANCE = 2e-2
"""The same for float16 models, whose runtime rounds after every op."""


MAX_PROBES = 1 << 13
"""Limit of evaluations of a `kan.onnx` layer for the likeliest group of inputs; other groups get
a quarter.
"""

_FLOAT32_ROUNDING = 2e-6
"""Rounding error of a float32 model, relative to its largest output."""

_COUNTEREXAMPLES = 16
"""Most inputs of a difference that the search for layers gets."""

_MIN_RANGE_SHARE = 1e-6
"""A range of outputs below this share of the range for likely inputs is rounding."""

MAX_SAMPLE_PROBES = 1 << 20
"""Limit of evaluations of a `kan.onnx` layer for real inputs."""

MAX_SAMPLE_EDGES = 1 << 26
"""Limit of evaluations of edges for real inputs: about ten seconds."""

_SAMPLE_ELEMENTS = 1 << 22
"""Elements of a value, or edges, for the samples that are compared at once."""

_MAX_DIAGNOSED_INPUTS = 256
"""Inputs that are tried one by one to find the one that causes a difference."""

_REMEDY = (
    "export the model in float32 for one dynamic batch; if it is so already, please report this "
    "file"
)


@dataclass(frozen=True, eq=False)
class ComparisonInputs:
    """Inputs to compare networks on.

    Attributes
    ----------
    groups : (rows, in) each, float64, the likeliest inputs last.
    thresholds : where the model branches, if it does.
    samples : (samples, in), float64, real inputs.
    """

    groups: Sequence[FloatArray]
    thresholds: Thresholds | None = None
    samples: FloatArray | None = None


class Differs(KanError):
    """An imported network computes other outputs than its file.

    Attributes
    ----------
    inputs : (rows, in), inputs at which it does.
    """

    def __init__(self, message: str, inputs: FloatArray) -> None:
        super().__init__(message, remedy=_REMEDY)
        self.inputs = inputs


def tolerance_of(graph: Graph) -> float:
    """Largest difference of outputs, relative to their range, in the types of the file."""
    return HALF_TOLERANCE if graph.input_dtype == np.float16 else TOLERANCE


def check_network(graph: Graph, network: ImportedNetwork, inputs: ComparisonInputs) -> None:
    """Verify an imported module, and compare its function with its file.

    Raises
    ------
    Differs : the outputs differ.
    KanError : the module is not legal, or the file cannot be run.
    """
    try:
        network.module.verify()
    except VerifyException as error:
        raise graph.error(
            f"the imported network is not legal: {first_line(error)}", "train the model again"
        ) from None
    groups = _thinned(network.function, inputs.groups)
    tolerance = tolerance_of(graph)
    chunk = max(1, CHUNK_ELEMENTS // network.widest)
    reference = open_reference(graph, chunk)
    expected = [reference.outputs(points) for points in groups]
    if not any(bool(np.isfinite(each).any()) for each in expected):
        raise graph.error(
            "the outputs are not finite for any of the inputs that were tried",
            "say where the inputs lie, with --samples DATA.npz",
        )
    likely = _range(expected[-1])
    rows = _RowComparison(graph, network, reference, likely, tolerance)
    for points, wanted in zip(groups, expected, strict=True):
        group = replace(rows, scale=max(_range(wanted), _MIN_RANGE_SHARE * likely))
        group.check(points, lambda row, x=points: f"the input {_shown(x[row])}")
    if inputs.thresholds is not None:
        rows.check_thresholds(inputs.thresholds)
    if inputs.samples is not None:
        rows.check_samples(inputs.samples)


@dataclass(frozen=True, eq=False)
class _RowComparison:
    """Compares input by input: networks may differ at a single one.

    Attributes
    ----------
    scale : range of the outputs.
    tolerance : relative to that range, of results in the types of the file.
    """

    graph: Graph
    network: ImportedNetwork
    reference: Reference
    scale: float
    tolerance: float

    def check(self, x: FloatArray, where: Callable[[int], str]) -> IntArray:
        """Compare at inputs x (rows, in); returns the rows that rounding alone decides.

        There, float64 takes the same side of a threshold of a sum as the network, and the types of
        the file take the other.

        Parameters
        ----------
        where : names a row, for the message.

        Raises
        ------
        Differs : the outputs differ.
        """
        missed = self._differing_rows(x)
        if missed.size:
            plain = self._wide(x[missed], keep_decisions=False)
            wrong = missed[self._beyond(_outputs(self.network, x[missed]), plain, TOLERANCE)]
            if wrong.size:
                raise self._differs(x[wrong], where(int(wrong[0])))
        return missed

    def check_thresholds(self, thresholds: Thresholds) -> None:
        """Compare on both sides of each threshold, and on it.

        Raises
        ------
        Differs : the outputs differ.
        """
        rows = thresholds.rows(self.graph.input_dtype)
        for x in self._chunks(rows):
            missed = self._differing_rows(x)
            if missed.size:
                raise self._differs(x[missed], self._cause_of(thresholds, x[missed[0]]))

    def check_samples(self, samples: FloatArray) -> None:
        """Compare on real inputs; warn where rounding alone decides between two branches.

        Compares every n-th sample if all would exceed `MAX_SAMPLE_PROBES` or `MAX_SAMPLE_EDGES`.

        Raises
        ------
        Differs : the outputs differ.
        """
        opaque = max((op.inputs for op in _subgraphs(self.network.function)), default=0)
        stride = max(1, -(-len(samples) * opaque // MAX_SAMPLE_PROBES))
        stride = max(stride, -(-len(samples) * sum(self._edges) // MAX_SAMPLE_EDGES))
        numbers = np.arange(0, len(samples), stride)
        undecided: list[int] = []
        start = 0
        for x in self._chunks(round_to_float32(samples[numbers])):
            found = self.check(x, lambda row, first=start: f"sample {numbers[first + row]}")
            undecided += numbers[start + found].tolist()
            start += len(x)
        if undecided:
            _LOG.warning(
                "%s: in %s, the first is sample %d, the rounding of a sum decides on which side of "
                "a threshold it lies; ONNX Runtime and the imported network take different sides",
                self.graph.path.name,
                quantity(len(undecided), "sample"),
                undecided[0],
            )

    def _chunks(self, x: FloatArray) -> Iterator[FloatArray]:
        count = max(1, _SAMPLE_ELEMENTS // max(self.network.widest, *self._edges, 1))
        for start in range(0, len(x), count):
            yield x[start : start + count]

    @property
    def _edges(self) -> list[int]:
        """Number of edges of each op that has edges."""
        layers = [op for op in self.network.function.walk() if isinstance(op, EdgeOp)]
        return [op.outputs * op.inputs for op in layers]

    def _differing_rows(self, x: FloatArray) -> IntArray:
        """Indices of rows whose outputs differ by more than float32 rounding explains."""
        actual = _outputs(self.network, x)
        missed = np.flatnonzero(self._beyond(actual, self.reference.outputs(x), self.tolerance))
        if missed.size:
            exact = self._wide(x[missed], keep_decisions=True)
            missed = missed[self._beyond(actual[missed], exact, TOLERANCE)]
        return missed

    def _wide(self, x: FloatArray, *, keep_decisions: bool) -> FloatArray:
        """The file's outputs in float64."""
        chunk = self.reference.chunk
        return open_reference(self.graph, chunk, wide=True, keep_decisions=keep_decisions).outputs(
            x
        )

    def _beyond(self, actual: FloatArray, wanted: FloatArray, tolerance: float) -> BoolArray:
        """Whether finite outputs of each row differ by more than the tolerance: (rows), bool."""
        if actual.shape != wanted.shape:
            return np.ones(len(actual), dtype=np.bool_)
        finite = np.isfinite(wanted)
        largest = np.abs(np.where(finite, wanted, 0.0)).max(axis=1, keepdims=True)
        allowed = tolerance * self.scale + _FLOAT32_ROUNDING * largest + self.network.rounding
        with np.errstate(all="ignore"):
            near = np.abs(actual - wanted) <= allowed
        return (finite & ~near).any(axis=1)

    def _cause_of(self, thresholds: Thresholds, x: FloatArray) -> str:
        """The single input that causes a difference, and the node that branches on it, for
        messages.
        """
        base = thresholds.likely[len(thresholds.likely) // 2]
        changed = np.flatnonzero(x != base)[:_MAX_DIAGNOSED_INPUTS]
        rows = np.repeat(base[np.newaxis], changed.size, axis=0)
        rows[np.arange(changed.size), changed] = x[changed]
        found = self._differing_rows(rows) if changed.size else changed
        for index in changed[found].tolist():
            node = thresholds.node_at(index, float(x[index]))
            if node is not None:
                return f"input {index} = {x[index]:.9g}, where {node.label} decides"
        return f"the input {_shown(x)}"

    def _differs(self, x: FloatArray, where: str) -> Differs:
        """The error for inputs x (rows, in) whose outputs differ; `where` is the first of them."""
        (actual,), (wanted,) = _outputs(self.network, x[:1]), self.reference.outputs(x[:1])
        name = self.graph.path.name
        if actual.shape != wanted.shape:
            return Differs(
                f"{name}: the imported network has {actual.size} outputs, and ONNX Runtime gives "
                f"{wanted.size} for each sample",
                x,
            )
        with np.errstate(all="ignore"):
            apart = np.nan_to_num(np.abs(actual - wanted), nan=np.inf)
        output = int(np.where(np.isfinite(wanted), apart, -1.0).argmax())
        return Differs(
            f"{name}: for {where}, the imported network gives {actual[output]:.9g} and ONNX "
            f"Runtime {wanted[output]:.9g} (output {output})",
            x[:_COUNTEREXAMPLES],
        )


def _shown(x: FloatArray) -> str:
    few = ", ".join(f"{each:.9g}" for each in x[:4])
    return f"({few}, ...)" if x.size > 4 else f"({few})"


def _subgraphs(function: func.FuncOp) -> list[OnnxOp]:
    return [op for op in function.walk() if isinstance(op, OnnxOp)]


def _thinned(function: func.FuncOp, groups: Sequence[FloatArray]) -> list[FloatArray]:
    """Every n-th sample of each group, as float32 values.

    Limits the evaluations of `kan.onnx` layers, which run the subgraph once for every input, and
    the memory for the outputs. The last group, the likeliest, keeps more samples.
    """
    opaque = [op.inputs for op in _subgraphs(function)]
    terminator = function.get_return_op()
    assert terminator is not None
    room = CHUNK_ELEMENTS // tensor_shape(terminator.operands[0])[0]
    probes = MAX_PROBES // max(opaque, default=1)
    limits = [max(16, min(probes // 4, room))] * (len(groups) - 1) + [max(16, min(probes, room))]
    return [
        round_to_float32(x[:: -(-len(x) // limit)]) for x, limit in zip(groups, limits, strict=True)
    ]


def _range(outputs: FloatArray) -> float:
    """Range of the finite outputs."""
    finite = outputs[np.isfinite(outputs)]
    return float(np.ptp(finite)) if finite.size else 0.0


def _outputs(network: ImportedNetwork, x: FloatArray) -> FloatArray:
    """Outputs of the imported network: (samples, out), float64."""
    with np.errstate(all="ignore"):
        (actual,) = evaluate_function(network.function, [x])
    return actual
