"""Finds a step whose result for a sample depends on the rest of the batch."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from kan_dialect.frontends.onnx.discover.typical_inputs import BOXES, typical_inputs
from kan_dialect.frontends.onnx.operators.static_graph import (
    StaticGraph,
)
from kan_dialect.frontends.onnx.operators.subgraphs import SubgraphRun, grouped
from kan_dialect.frontends.onnx.read.graph import Node
from kan_dialect.ir.constants import FloatArray

_RUN_TEST_STRIDE = 96
"""Every n-th input tests whether a graph runs at all."""

_SEED = 2026


def first_batch_dependent_step(static: StaticGraph, samples: FloatArray | None) -> Node | None:
    """The first step whose result for a sample depends on the batch: on other samples or its
    position.

    Raises
    ------
    Exception : of any type, if the runtimes cannot run the graph for any input.
    """
    groups = typical_inputs(static, samples, np.random.default_rng(_SEED))
    # Large magnitudes are left out: a function may amplify the rounding of a sum.
    x = np.concatenate([*groups[: len(BOXES)], groups[-1]])
    SubgraphRun(static, [static.source.input], [static.source.output])(x[::-_RUN_TEST_STRIDE])
    steps = [step for step in static.steps if any(map(static.may_be_boundary, step.outputs))]
    producers = {
        name: step for step in steps for name in step.outputs if static.may_be_boundary(name)
    }
    # The output alone shows whether such a step exists.
    if not _batch_dependent(static, [static.source.output], x):
        return None
    for group in grouped(list(producers), static, len(x)):
        for name in _batch_dependent(static, group, x):
            return producers[name]
    return static.steps[-1]


def _batch_dependent(static: StaticGraph, names: Sequence[str], x: FloatArray) -> list[str]:
    """The values whose rows change when the rows of x are reordered."""
    run = SubgraphRun(static, [static.source.input], names)
    values, shifted = run(x), np.roll(run(np.roll(x, 1, axis=0)), -1, axis=0)
    slices = [slice(*ends) for ends in pairwise(run.columns)]
    return [
        name
        for name, columns in zip(names, slices, strict=True)
        if not _equal(values[:, columns], shifted[:, columns])
    ]


def _equal(values: FloatArray, others: FloatArray) -> bool:
    """Whether values agree where neither is NaN: a runtime casts NaN to any integer."""
    known = ~(np.isnan(values) | np.isnan(others))
    values, others = values[known], others[known]
    finite = np.abs(values[np.isfinite(values)])
    scale = float(finite.max(initial=0.0))
    return np.allclose(values, others, rtol=1e-6, atol=1e-9 * scale + 1e-12)
