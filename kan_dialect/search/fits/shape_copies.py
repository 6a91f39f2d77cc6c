"""Copies of few shapes for the edges of each layer of a function.

`kan_dialect.search.fits.shape_fit` fits the copies of one layer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from xdsl.dialects import func

from kan_dialect.ir.constants import FloatArray, IntArray
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.search.edge_samples import EdgeSamples, sample_edges
from kan_dialect.search.fits.shape_fit import (
    Copies,
    Functions,
    copies_up_to_factors,
    copies_up_to_scale,
)


class ShapedLayer(NamedTuple):
    """A layer whose edges become copies."""

    nodes: NodeSumOp
    samples: EdgeSamples
    o: IntArray
    i: IntArray
    """The edges that are kept: their nodes and inputs."""
    functions: Functions


def shaped_layers(function: func.FuncOp) -> list[ShapedLayer]:
    """The layers with kept edges that are functions of one vector, in order.

    Raises
    ------
    KanError : calibration did not see a layer's inputs.
    """
    found: list[ShapedLayer] = []
    for op in function.body.block.ops:
        if not isinstance(op, NodeSumOp):
            continue
        samples = sample_edges(function, op)
        if samples is None or not samples.kept.any():
            continue
        o, i = (index.astype(np.int64) for index in samples.kept.nonzero())
        values, weights = samples.values[:, o, i].T, samples.weights[i]
        means = (weights * values).sum(axis=1, keepdims=True)
        variance = (weights * (values - means) ** 2).sum(axis=1)
        of_nodes = np.bincount(o, variance, minlength=len(samples.kept)).astype(np.float64)
        importance = 1.0 / np.maximum(of_nodes[o], 1e-30)
        found.append(
            ShapedLayer(op, samples, o, i, Functions(samples.t, values, weights, importance))
        )
    return found


def _of_each_input(layer: ShapedLayer, count: int) -> Copies:
    """Copies of `count` shapes of each input, up to sign."""
    edges = len(layer.o)
    choice, constant = np.zeros(edges, dtype=np.int64), np.zeros(edges)
    affine = np.zeros((edges, 3))
    shapes: list[FloatArray] = []
    total = 0
    for index in np.unique(layer.i).tolist():
        mine = np.flatnonzero(layer.i == index)
        found = copies_up_to_factors(layer.functions.of(mine), count)
        choice[mine], affine[mine], constant[mine] = (
            total + found.choice,
            found.affine,
            found.constant,
        )
        shapes.append(found.shapes)
        total += len(found.shapes)
    return Copies(layer.functions.t, np.concatenate(shapes), choice, affine, constant)


UpTo: TypeAlias = Literal["scale", "gain", "sign"]
"""Differences between copies: scale and offset at input and output; at the output; sign, offset."""


def copies_of(layer: ShapedLayer, counts: IntArray, up_to: UpTo) -> Iterator[Copies]:
    """Copies for the kept edges of a layer, for each number of shapes in `counts`."""
    if up_to == "sign":
        for count in counts.tolist():
            yield _of_each_input(layer, count)
    else:
        only_gain = up_to == "gain"
        yield from copies_up_to_scale(layer.functions, counts, only_gain=only_gain)
