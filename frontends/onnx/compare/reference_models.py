"""Runs the original model of an ONNX file: in its own types, in float64, or in a mixture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kan_dialect.errors import KanError
from kan_dialect.evaluate.onnx_subgraph import (
    Runner,
    engine_of,
    first_line,
    in_batches,
    open_runner,
    widened,
)
from kan_dialect.frontends.frontend import Original
from kan_dialect.frontends.onnx.read.graph import Graph
from kan_dialect.frontends.onnx.recognise.traced_batches import fixed_batches
from kan_dialect.ir.constants import Array, FloatArray

CHUNK_ELEMENTS = 1 << 23
"""Most elements of any value for the samples that are run at once."""


_ORIGINAL_CHUNK_ROWS = 256
"""Samples of an original model that are run at once, if the file leaves the batch open."""


def round_to_float32(x: FloatArray) -> FloatArray:
    """The nearest float32 values, as float64; infinite beyond the largest."""
    with np.errstate(over="ignore"):
        return x.astype(np.float32).astype(np.float64)


class CannotRun(KanError):
    """A runtime fails on the model, or on its inputs."""


@dataclass(frozen=True, eq=False)
class Reference:
    """The original model, for any number of samples.

    Attributes
    ----------
    dtype : type of the model's input.
    chunk : samples to run at once, if the file leaves the batch open.
    """

    runner: Runner
    graph: Graph
    dtype: np.dtype[np.generic]
    chunk: int

    def outputs(self, x: FloatArray) -> FloatArray:
        """The model's outputs (samples, out) for inputs x (samples, in), float64.

        Raises
        ------
        CannotRun : the runtime fails.
        """
        axis, extents = self.graph.batch_axis, self.graph.sample_shape
        batch = self.graph.input_shape[axis] or min(len(x), self.chunk)

        def run(rows: FloatArray) -> list[FloatArray]:
            # The last sample is repeated to fill a fixed batch.
            padded = np.concatenate([rows, np.repeat(rows[-1:], batch - len(rows), axis=0)])
            data = np.moveaxis(padded.reshape(batch, *extents), 0, axis).astype(self.dtype)
            (result,) = self.runner.run([self.graph.output], {self.graph.input: data})
            return [_rows(result, batch, len(rows))]

        try:
            (found,) = in_batches(run, x, batch)
        except Exception as error:  # Runtimes raise errors of many types.
            raise CannotRun(
                f"{self.graph.path.name}: ONNX Runtime cannot run the model: {first_line(error)}",
                remedy="export the model again",
            ) from None
        return found


def _rows(result: Array, batch: int, count: int) -> FloatArray:
    result = np.atleast_1d(result)  # A scalar, from a model for one sample.
    axis = next((index for index, extent in enumerate(result.shape) if extent == batch), 0)
    moved = np.moveaxis(result.astype(np.float64), axis, 0)
    return moved.reshape(batch, -1)[:count]


def open_reference(
    graph: Graph, chunk: int, *, wide: bool = False, keep_decisions: bool = False
) -> Reference:
    """The model in ONNX Runtime, or else in the reference implementation.

    Parameters
    ----------
    wide : whether to compute in float64, not in the types of the file.
    keep_decisions : whether float64 takes the decisions that the types of the file lead to.

    Raises
    ------
    KanError : no runtime can load the model.
    """
    model = widened(graph.model, keep_decisions=keep_decisions) if wide else graph.model
    dtype = np.dtype(np.float64) if wide else graph.input_dtype
    try:
        return Reference(open_runner(model), graph, dtype, chunk)
    except Exception as error:  # Runtimes raise errors of many types.
        raise graph.error(
            f"ONNX Runtime cannot load the model: {first_line(error)}", "export the model again"
        ) from None


def open_original(graph: Graph) -> Original:
    """The model in the types of the file, for the first batch with which it runs.

    Raises
    ------
    KanError : it cannot be run.
    """

    def run(x: FloatArray) -> FloatArray:
        failure: KanError | None = None
        for candidate in (graph, *(fixed_batches(graph) if None in graph.input_shape else ())):
            try:
                found = open_reference(candidate, _ORIGINAL_CHUNK_ROWS).outputs(round_to_float32(x))
            except KanError as error:
                failure = failure or error
                continue
            if len(found) == len(x):
                return found
        raise failure or graph.error(
            "its output does not have one row for each sample",
            "export the model with a dynamic batch dimension",
        )

    return Original(engine_of(graph.model), run)
