"""Compares a raised network with ONNX Runtime's evaluation of the file: nothing goes unchecked.

Inputs lie within the first layer's grid, on its knots, beyond it and far away. Where float32
decides (a discontinuity, a steep function), a copy of the model in float64 has the last word.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import onnx
from onnx import helper
from xdsl.dialects import func
from xdsl.ir import SSAValue
from xdsl.utils.exceptions import VerifyException

from kan_dialect.errors import KanError
from kan_dialect.evaluate.interpreter import evaluate_function, evaluate_values
from kan_dialect.evaluate.onnx_subgraph import Runner, engine_of, in_batches, open_runner, widened
from kan_dialect.frontends.frontend import Original
from kan_dialect.frontends.onnx.operators.thresholds import Thresholds
from kan_dialect.frontends.onnx.read.file import first_line
from kan_dialect.frontends.onnx.read.graph import Graph
from kan_dialect.frontends.onnx.recognise.layers import Raised
from kan_dialect.frontends.onnx.recognise.recognition import fixed_batches
from kan_dialect.ir.constants import Array, BoolArray, DenseAttr, FloatArray, IntArray, to_floats
from kan_dialect.ir.types import tensor_shape
from kan_dialect.ops.layer import AffineOp
from kan_dialect.ops.onnx import OnnxOp
from kan_dialect.ops.spline import BSplineOp, EdgeOp, RadialOp
from kan_dialect.quantity import counted

_LOG = logging.getLogger(__name__)

TOLERANCE = 1e-4
"""How far outputs may differ, as a share of their range."""

HALF_TOLERANCE = 2e-2
"""The same for models in float16, whose runtime rounds after every op."""

CHUNK_ELEMENTS = 1 << 23
"""Samples are run in chunks of which no value holds more elements than this."""

MAX_PROBES = 1 << 13
"""Evaluations of a layer that carries its subgraph, for one comparison; where inputs are hardly
likely, a quarter of them."""

_ROUNDING = 2e-6
"""Of the largest output: what float32 itself loses."""

_TELLING = 4
"""So many inputs of each group are shown where networks differ."""

_LEAST_SHARE = 1e-6
"""A range of outputs that is a smaller share of the likeliest one is nothing but rounding."""

MAX_SAMPLE_PROBES = 1 << 20
"""Evaluations of a layer that carries its subgraph, to compare networks on real inputs."""

MAX_SAMPLE_EDGES = 1 << 26
"""Evaluations of edges for the same: some ten seconds."""

_SAMPLE_ELEMENTS = 1 << 22
"""Elements of a value, or edges, for samples that are compared at once."""

_TOLD_INPUTS = 256
"""Of so many inputs, the one that makes a difference is looked for."""

_REMEDY = (
    "export the model in float32 for one dynamic batch; if it is so already, please report this "
    "file"
)

_SEED = 2024


class Differs(KanError):
    """A raised network computes something else than the file."""


class CannotRun(KanError):
    """A runtime fails on the model, or on the inputs that it is given."""


@dataclass(frozen=True, eq=False)
class Reference:
    """The original model, on any number of samples.

    Attributes
    ----------
    chunk : how many samples to run at once, where the file leaves it open.
    """

    runner: Runner
    graph: Graph
    dtype: np.dtype[np.generic]
    chunk: int

    def values(self, x: FloatArray, names: Sequence[str]) -> list[FloatArray]:
        """The values `names` for inputs x (samples, in): (samples, elements) each."""
        shape = self.graph.input_shape
        axis = shape.index(None) if None in shape else 0
        batch = shape[axis] or min(len(x), self.chunk)
        extents = [extent or 1 for index, extent in enumerate(shape) if index != axis]

        def run(rows: FloatArray) -> list[FloatArray]:
            # A fixed batch is filled up with the last sample.
            padded = np.concatenate([rows, np.repeat(rows[-1:], batch - len(rows), axis=0)])
            data = np.moveaxis(padded.reshape(batch, *extents), 0, axis).astype(self.dtype)
            results = self.runner.run(list(names), {self.graph.input: data})
            return [_rows(result, batch, len(rows)) for result in results]

        return in_batches(run, x, batch)

    def outputs(self, x: FloatArray) -> FloatArray:
        """The model's outputs: (samples, out)."""
        (found,) = self.values(x, [self.graph.output])
        return found


def _rows(result: Array, batch: int, count: int) -> FloatArray:
    result = np.atleast_1d(result)  # One number, of a model for one sample.
    axis = next((index for index, extent in enumerate(result.shape) if extent == batch), 0)
    moved = np.moveaxis(result.astype(np.float64), axis, 0)
    return moved.reshape(batch, -1)[:count]


@dataclass(frozen=True, eq=False)
class Probes:
    """Inputs to compare networks on, beyond those around a function's grids.

    Attributes
    ----------
    groups : (rows, in) each, the likeliest last.
    thresholds : where the model branches, if it does.
    samples : (samples, in), real inputs, of which all are compared.
    """

    groups: Sequence[FloatArray] = ()
    thresholds: Thresholds | None = None
    samples: FloatArray | None = None


def check_raised(graph: Graph, raised: Raised, probes: Probes = Probes()) -> None:
    """Verify the raised module, and compare its function with the file's.

    Raises
    ------
    Differs : they compute something else.
    KanError : the module is not legal, or the file cannot be run.
    """
    try:
        raised.module.verify()
    except VerifyException as error:
        raise graph.error(
            f"the imported network is not legal: {first_line(error)}", "train the model again"
        ) from None
    groups = _few_enough(raised.function, [*sample_inputs(raised.function), *probes.groups])
    tolerance = HALF_TOLERANCE if graph.input_dtype == np.float16 else TOLERANCE
    chunk = max(1, CHUNK_ELEMENTS // raised.widest)
    reference = open_reference(graph, chunk)
    expected = [reference.outputs(points) for points in groups]
    if not any(bool(np.isfinite(each).any()) for each in expected):
        raise graph.error(
            "the outputs are not finite for any of the inputs that were tried",
            "say where the inputs lie, with --samples DATA.npz",
        )
    likely = _range(expected[-1] if probes.groups else expected[0])
    for points, wanted in zip(groups, expected, strict=True):
        actual = _outputs(raised, points)
        if relative_difference(actual, wanted, _LEAST_SHARE * likely) <= tolerance:
            continue
        exact = open_exact_reference(graph, chunk).outputs(points)
        difference = relative_difference(actual, exact, _LEAST_SHARE * likely)
        if not difference <= TOLERANCE:
            # Close to a threshold of a sum, only rounding decides.
            plain = open_wide_reference(graph, chunk).outputs(points)
            exact = _nearer(actual, exact, plain)
            difference = relative_difference(actual, exact, _LEAST_SHARE * likely)
        if not difference <= TOLERANCE:
            place = _first_difference(graph, raised, points, tolerance, chunk)
            raise Differs(
                f"{graph.path.name}: the imported network differs from the model by "
                f"{difference:.1e} of the outputs' range, more than {TOLERANCE:.0e}{place}",
                remedy=_REMEDY,
            )
    each = _EachRow(graph, raised, reference, likely, tolerance)
    if probes.thresholds is not None:
        each.check_thresholds(probes.thresholds)
    if probes.samples is not None:
        each.check_samples(probes.samples)


def _nearer(actual: FloatArray, first: FloatArray, second: FloatArray) -> FloatArray:
    """Of two results (rows, out), each row of the one that is nearer."""
    if not actual.shape == first.shape == second.shape:
        return first
    with np.errstate(all="ignore"):
        away = [np.nan_to_num(np.abs(actual - each), nan=np.inf) for each in (first, second)]
    chosen = away[1].max(axis=1) < away[0].max(axis=1)
    return np.where(chosen[:, np.newaxis], second, first)


@dataclass(frozen=True, eq=False)
class _EachRow:
    """Compares single inputs, each of which may be the only one where networks differ.

    Attributes
    ----------
    likely : the range of the outputs where inputs are likely.
    """

    graph: Graph
    raised: Raised
    reference: Reference
    likely: float
    tolerance: float

    def check_thresholds(self, thresholds: Thresholds) -> None:
        """Compare on both sides of each threshold, and on it."""
        rows = thresholds.rows(self.graph.input_dtype)
        for x in self._chunks(rows):
            missed = self._missed(x)
            if missed.size:
                raise self._differs(x[missed[0]], self._told(thresholds, x[missed[0]]))

    def check_samples(self, samples: FloatArray) -> None:
        """Compare on real inputs; say where only rounding decides between two branches.

        Every n-th sample is compared where all would take more than `MAX_SAMPLE_PROBES` evaluations
        of a subgraph, or `MAX_SAMPLE_EDGES` of edges.
        """
        opaque = max((op.inputs for op in _subgraphs(self.raised.function)), default=0)
        stride = max(1, -(-len(samples) * opaque // MAX_SAMPLE_PROBES))
        stride = max(stride, -(-len(samples) * sum(self._edges) // MAX_SAMPLE_EDGES))
        numbers = np.arange(0, len(samples), stride)
        undecided: list[int] = []
        start = 0
        for x in self._chunks(_single(samples[numbers])):
            missed = self._missed(x)
            if missed.size:
                plain = open_wide_reference(self.graph, self.reference.chunk).outputs(x[missed])
                wrong = missed[self._beyond(_outputs(self.raised, x[missed]), plain)]
                if wrong.size:
                    raise self._differs(x[wrong[0]], f"sample {numbers[start + wrong[0]]}")
                undecided += numbers[start + missed].tolist()
            start += len(x)
        if undecided:
            _LOG.warning(
                "%s: in %s, the first is sample %d, the rounding of a sum decides on which side of "
                "a threshold it lies; ONNX Runtime takes another one there than the network that "
                "was imported",
                self.graph.path.name,
                counted(len(undecided), "sample"),
                undecided[0],
            )

    def _chunks(self, x: FloatArray) -> Iterator[FloatArray]:
        count = max(1, _SAMPLE_ELEMENTS // max(self.raised.widest, *self._edges, 1))
        for start in range(0, len(x), count):
            yield x[start : start + count]

    @property
    def _edges(self) -> list[int]:
        """Edges of each op that has some."""
        layers = [op for op in self.raised.function.walk() if isinstance(op, EdgeOp)]
        return [op.outputs * op.inputs for op in layers]

    def _missed(self, x: FloatArray) -> IntArray:
        """Rows at which the networks differ, and not because float32 is too coarse."""
        actual = _outputs(self.raised, x)
        missed = np.flatnonzero(self._beyond(actual, self.reference.outputs(x)))
        if missed.size:
            exact = open_exact_reference(self.graph, self.reference.chunk).outputs(x[missed])
            missed = missed[self._beyond(actual[missed], exact)]
        return missed

    def _beyond(self, actual: FloatArray, wanted: FloatArray) -> BoolArray:
        """Rows (rows) in which outputs differ by more than the tolerance, where they are finite."""
        finite = np.isfinite(wanted)
        largest = np.abs(np.where(finite, wanted, 0.0)).max(axis=1, keepdims=True)
        allowed = self.tolerance * self.likely + _ROUNDING * largest
        with np.errstate(all="ignore"):
            near = np.abs(actual - wanted) <= allowed
        return (finite & ~near).any(axis=1)

    def _told(self, thresholds: Thresholds, x: FloatArray) -> str:
        """Which input alone makes the difference, and which node looks at it."""
        base = thresholds.likely[len(thresholds.likely) // 2]
        changed = np.flatnonzero(x != base)[:_TOLD_INPUTS]
        rows = np.repeat(base[np.newaxis], changed.size, axis=0)
        rows[np.arange(changed.size), changed] = x[changed]
        found = self._missed(rows) if changed.size else changed
        for index in changed[found].tolist():
            node = thresholds.node_at(index, float(x[index]))
            if node is not None:
                return f"input {index} = {x[index]:.9g}, where {node.label} decides"
        return f"the input {_shown(x)}"

    def _differs(self, x: FloatArray, where: str) -> Differs:
        (actual,), (wanted,) = (
            _outputs(self.raised, x[np.newaxis]),
            self.reference.outputs(x[np.newaxis]),
        )
        with np.errstate(all="ignore"):
            apart = np.nan_to_num(np.abs(actual - wanted), nan=np.inf)
        output = int(np.where(np.isfinite(wanted), apart, -1.0).argmax())
        return Differs(
            f"{self.graph.path.name}: for {where}, the imported network gives "
            f"{actual[output]:.9g} and ONNX Runtime {wanted[output]:.9g} (output {output})",
            remedy=_REMEDY,
        )


def _shown(x: FloatArray) -> str:
    few = ", ".join(f"{each:.9g}" for each in x[:4])
    return f"({few}, ...)" if x.size > 4 else f"({few})"


def _subgraphs(function: func.FuncOp) -> list[OnnxOp]:
    return [op for op in function.walk() if isinstance(op, OnnxOp)]


def differing_inputs(
    graph: Graph, raised: Raised, groups: Sequence[FloatArray]
) -> FloatArray | None:
    """Some inputs (rows, in) of those at which a raised network differs most from the model."""
    every = _few_enough(raised.function, [*sample_inputs(raised.function), *groups])
    exact = open_exact_reference(graph, max(1, CHUNK_ELEMENTS // raised.widest))
    found: list[FloatArray] = []
    for points in every:
        with np.errstate(all="ignore"):
            apart = np.abs(_outputs(raised, points) - exact.outputs(points))
        missed = np.nan_to_num(apart, nan=0.0).max(axis=1)
        worst = np.argsort(-missed, kind="stable")[:_TELLING]
        found.append(points[worst[missed[worst] > 0.5 * missed[worst[0]]]])
    chosen = np.concatenate(found)
    return chosen if len(chosen) else None


def _few_enough(function: func.FuncOp, groups: Sequence[FloatArray]) -> list[FloatArray]:
    """Every n-th sample, in float32, where each costs an evaluation of a subgraph for every input.

    Likewise where outputs are so many that those of all samples would fill the memory. Of the
    last, likeliest, group more are kept.
    """
    opaque = [op.inputs for op in _subgraphs(function)]
    terminator = function.get_return_op()
    assert terminator is not None
    room = CHUNK_ELEMENTS // tensor_shape(terminator.operands[0])[0]
    probes = MAX_PROBES // max(opaque, default=1)
    limits = [max(16, min(probes // 4, room))] * (len(groups) - 1) + [max(16, min(probes, room))]
    return [_single(x[:: -(-len(x) // limit)]) for x, limit in zip(groups, limits, strict=True)]


def _range(outputs: FloatArray) -> float:
    """The range of outputs, where they are finite."""
    finite = outputs[np.isfinite(outputs)]
    return float(np.ptp(finite)) if finite.size else 0.0


def _outputs(raised: Raised, x: FloatArray) -> FloatArray:
    """What the imported network computes: (samples, out)."""
    with np.errstate(all="ignore"):
        (actual,) = evaluate_function(raised.function, [x])
    return actual


def relative_difference(actual: FloatArray, expected: FloatArray, least: float = 1e-30) -> float:
    """The largest difference as a share of the range of what is expected, where that is finite.

    Parameters
    ----------
    least : a smaller range counts as this: where functions vanish, only rounding is left.
    """
    if actual.shape != expected.shape:
        return float("inf")
    finite = np.isfinite(expected)
    if not bool(finite.any()):
        return 0.0  # A model that is nowhere defined says nothing.
    wanted = expected[finite]
    scale = max(
        float(np.ptp(wanted)), float(np.abs(wanted).max()) * _ROUNDING / TOLERANCE, least, 1e-30
    )
    difference = np.abs(actual[finite] - wanted) / scale
    return float(np.nan_to_num(difference, nan=np.inf).max())


# Inputs


def sample_inputs(function: func.FuncOp) -> tuple[FloatArray, FloatArray]:
    """Inputs (samples, in) within the function's grid, knots included, and beyond it.

    They are float32 values, so that all runtimes see the same.
    """
    argument = function.body.block.args[0]
    low, high = input_range(argument)
    rng = np.random.default_rng(_SEED)
    center, half = (low + high) / 2, (high - low) / 2
    uniform = rng.uniform(-1.0, 1.0, (160, low.size)) * half + center
    knots = _knots_read_from(argument)
    inside = [uniform, center[np.newaxis], low[np.newaxis]]
    if knots is not None:
        inside.append(
            np.take_along_axis(knots, rng.integers(0, knots.shape[1], (low.size, 48)), 1).T
        )
    outside = [
        rng.normal(size=(48, low.size)) * half + center,
        rng.uniform(-3.0, 3.0, (48, low.size)) * half + center,
        rng.uniform(-40.0, 40.0, (8, low.size)) * half + center,
    ]
    return _single(np.concatenate(inside)), _single(np.concatenate(outside))


def _single(x: FloatArray) -> FloatArray:
    """The nearest float32 values."""
    return x.astype(np.float32).astype(np.float64)


def input_range(value: SSAValue) -> tuple[FloatArray, FloatArray]:
    """Where a value (in) is likely to lie: where the ops that read it have their grids."""
    (size,) = tensor_shape(value)
    lows: list[FloatArray] = []
    highs: list[FloatArray] = []
    for use in value.uses:
        match use.operation:
            case BSplineOp() as op:
                knots = op.knot_vector
                lows.append(np.broadcast_to(knots.min(-1), size))
                highs.append(np.broadcast_to(knots.max(-1), size))
            case RadialOp() as op:
                centers, widths = to_floats(op.centers), to_floats(op.widths)
                lows.append(np.broadcast_to((centers - 2 * widths).min(-1), size))
                highs.append(np.broadcast_to((centers + 2 * widths).max(-1), size))
            case AffineOp() as op:
                low, high = input_range(op.result)
                scale = np.broadcast_to(to_floats(cast(DenseAttr, op.scale)), size)
                scale = np.where(scale == 0.0, 1.0, scale)
                ends = [(end - to_floats(cast(DenseAttr, op.bias))) / scale for end in (low, high)]
                lows.append(np.minimum(*ends))
                highs.append(np.maximum(*ends))
            case _:
                pass
    if not lows:
        return np.full(size, -3.0), np.full(size, 3.0)
    return np.min(lows, axis=0), np.max(highs, axis=0)


def _knots_read_from(argument: SSAValue) -> FloatArray | None:
    """The knots (in, K) of the B-splines that read the argument itself, if there are any."""
    for use in argument.uses:
        if isinstance(use.operation, BSplineOp):
            knots = use.operation.knot_vector
            return np.broadcast_to(knots, (use.operation.inputs, knots.shape[-1]))
    return None


# Runtimes


def open_reference(graph: Graph, chunk: int, further: Sequence[str] = ()) -> Reference:
    """ONNX Runtime on the file; its reference implementation, where it has no kernel."""
    return _open(graph, _with_outputs(graph, further), graph.input_dtype, chunk)


_ORIGINAL_ROWS = 256
"""Samples of an original model that are run at once, where the file leaves that open."""


def open_original(graph: Graph) -> Original:
    """The model as ONNX Runtime computes it, for a batch with which it runs.

    Raises
    ------
    KanError : it cannot be run.
    """

    def run(x: FloatArray) -> FloatArray:
        failure: KanError | None = None
        for reading in (graph, *(fixed_batches(graph) if None in graph.input_shape else ())):
            try:
                found = open_reference(reading, _ORIGINAL_ROWS).outputs(_single(x))
            except KanError as error:
                failure = failure or error
                continue
            if len(found) == len(x):
                return found
        raise failure or graph.error(
            "its outputs are not one row for each sample", "export the model for an open batch"
        )

    return Original(engine_of(graph.model), run)


def open_wide_reference(graph: Graph, chunk: int) -> Reference:
    """The model in float64, branches included."""
    return _open(graph, widened(graph.model), np.dtype(np.float64), chunk)


def open_exact_reference(graph: Graph, chunk: int) -> Reference:
    """The model in float64, with branches as the file takes them."""
    return _open(graph, widened(graph.model, decided=True), np.dtype(np.float64), chunk)


def _open(
    graph: Graph, model: onnx.ModelProto, dtype: np.dtype[np.generic], chunk: int
) -> Reference:
    try:
        return Reference(_Guarded(open_runner(model), graph), graph, dtype, chunk)
    except Exception as error:  # The runtimes raise what they like.
        raise graph.error(
            f"ONNX Runtime cannot load the model: {first_line(error)}", "export the model again"
        ) from None


@dataclass(frozen=True, eq=False)
class _Guarded:
    """A runner whose failures are errors of the file."""

    runner: Runner
    graph: Graph

    def run(self, outputs: Sequence[str], feed: dict[str, Array]) -> Sequence[Array]:
        try:
            with np.errstate(all="ignore"):
                return self.runner.run(outputs, feed)
        except Exception as error:
            raise CannotRun(
                f"{self.graph.path.name}: ONNX Runtime cannot run the model: {first_line(error)}",
                remedy="export the model again",
            ) from None


def _with_outputs(graph: Graph, names: Sequence[str]) -> onnx.ModelProto:
    if not names:
        return graph.model
    model = onnx.ModelProto()
    model.CopyFrom(graph.model)
    element_type = helper.np_dtype_to_tensor_dtype(graph.input_dtype)
    model.graph.output.extend(
        helper.make_tensor_value_info(name, element_type, None) for name in names
    )
    return model


def _first_difference(
    graph: Graph, raised: Raised, x: FloatArray, tolerance: float, chunk: int
) -> str:
    """Where the networks part, as the end of a sentence."""
    known = {name for node in graph.nodes for name in node.outputs}
    layers = [each for each in raised.layers if each[1] in known and each[1] != graph.output]
    if not layers:
        return ""
    try:
        names = [value for _, value, _ in layers]
        found = open_reference(graph, chunk, names).values(x, names)
    except KanError:
        return ""
    block = raised.function.body.block
    body = [op for op in block.ops if not isinstance(op, func.ReturnOp)]
    with np.errstate(all="ignore"):
        nodes = evaluate_values([each for _, _, each in layers], {block.args[0]: x}, ops=body)
    for (name, value, _), actual, expected in zip(layers, nodes, found, strict=True):
        if not relative_difference(actual, expected) <= tolerance:
            return f", first in {name}, whose nodes are '{value}'"
    return ", first after the last hidden layer"
