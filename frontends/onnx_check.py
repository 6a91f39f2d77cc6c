"""Compares a raised network with ONNX Runtime's evaluation of the file: nothing goes unchecked.

Inputs lie within the first layer's grid, on its knots, beyond it and far away. Where float32
decides (a discontinuity, a steep function), a copy of the model in float64 has the last word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import onnx
from onnx import helper
from xdsl.dialects import func
from xdsl.ir import SSAValue
from xdsl.utils.exceptions import VerifyException

from kan_dialect.attributes import tensor_shape
from kan_dialect.constants import Array, DenseAttr, FloatArray, to_floats
from kan_dialect.errors import KanError
from kan_dialect.frontends.onnx_file import first_line
from kan_dialect.frontends.onnx_graph import Graph
from kan_dialect.frontends.onnx_layers import Raised
from kan_dialect.onnx_model import Runner, in_batches, open_runner, widened
from kan_dialect.onnx_ops import OnnxOp
from kan_dialect.semantics import evaluate_function, evaluate_values
from kan_dialect.spline_ops import AffineOp, BSplineOp, RadialOp

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


def check_raised(graph: Graph, raised: Raised, further: Sequence[FloatArray] = ()) -> None:
    """Verify the raised module, and compare its function with the file's.

    Parameters
    ----------
    further : inputs (samples, in) to compare them on, beyond those around the function's grids:
        the likeliest last.

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
    groups = _few_enough(raised.function, [*sample_inputs(raised.function), *further])
    tolerance = HALF_TOLERANCE if graph.input_dtype == np.float16 else TOLERANCE
    chunk = max(1, CHUNK_ELEMENTS // raised.widest)
    reference = open_reference(graph, chunk)
    expected = [reference.outputs(points) for points in groups]
    if not any(bool(np.isfinite(each).any()) for each in expected):
        raise graph.error(
            "the outputs are not finite for any of the inputs that were tried",
            "say where the inputs lie, with --samples DATA.npz",
        )
    least = _LEAST_SHARE * _range(expected[-1] if further else expected[0])
    for points, wanted in zip(groups, expected, strict=True):
        actual = _outputs(raised, points)
        if relative_difference(actual, wanted, least) <= tolerance:
            continue
        exact = open_exact_reference(graph, chunk).outputs(points)
        difference = relative_difference(actual, exact, least)
        if not difference <= TOLERANCE:
            place = _first_difference(graph, raised, points, tolerance, chunk)
            raise Differs(
                f"{graph.path.name}: the imported network differs from the model by "
                f"{difference:.1e} of the outputs' range, more than {TOLERANCE:.0e}{place}",
                remedy="export the model in float32 for one dynamic batch; if it is so already, "
                "please report this file",
            )


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
    opaque = [op.inputs for op in function.walk() if isinstance(op, OnnxOp)]
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


def open_exact_reference(graph: Graph, chunk: int) -> Reference:
    """The model in float64."""
    return _open(graph, widened(graph.model), np.dtype(np.float64), chunk)


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
