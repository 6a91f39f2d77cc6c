"""`kan-shape-tables`: tables become multiples of few tables, ±2^s · R + d.

The tables of a layer are multiples of few integer tables R, its shapes, so that hardware can keep
for each edge the choice of a shape, a sign and a shift s in place of a table. The constants d
become biases of nodes. A shape is rounded before it is multiplied. So the largest multiples have
steps of 2^3: bits beyond those that nodes keep (`kan-quantize{guard-bits=3}`) make up for it.

Fits weigh codes that samples have most, and all codes a little, and each edge by its share of its
node's variance. The number of shapes is given, or the fewest that keep a budget.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from xdsl.dialects import func
from xdsl.dialects.builtin import TensorType
from xdsl.rewriter import Rewriter

from kan_dialect.evaluate.code_ports import code_values
from kan_dialect.evaluate.interpreter import evaluate_inside
from kan_dialect.files.data_sets import Dataset
from kan_dialect.ir.code_bounds import bounds_of
from kan_dialect.ir.constants import FloatArray, IntArray, to_integers
from kan_dialect.ir.types import bounds_constant, quantized_type
from kan_dialect.model.model import Model, split_codes
from kan_dialect.model.port_codes import encode
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.ops.table import TablesOp
from kan_dialect.passbase.shape_pass import ShapePass
from kan_dialect.passes.fold_tables import narrowed_sum, narrowest
from kan_dialect.search.edge_samples import EVERYWHERE
from kan_dialect.search.fits.shape_tables import multiples_of_few
from kan_dialect.search.shared_shapes import shapes_of


@dataclass(frozen=True)
class ShapeTablesPass(ShapePass):
    """Replaces tables by multiples of few tables."""

    name = "kan-shape-tables"
    works_at = ("table",)

    @property
    def differences(self) -> str:
        return "shift"

    def excess(self, after: func.FuncOp, shapes: int) -> str | None:
        for _, lookup in _layers(after):
            count = len(shapes_of(to_integers(lookup.tables)))
            if count > shapes:
                return f"{lookup.given_name or 'a layer'} has {count} shapes, not {shapes}"
        return None

    def edges(self, function: func.FuncOp) -> int:
        return sum(int(nodes.mask_array.sum()) for nodes, _ in _layers(function))

    def candidates(
        self, function: func.FuncOp, dataset: Dataset | None, counts: tuple[int, ...]
    ) -> Iterator[func.FuncOp]:
        weights = _weights(function, None if dataset is None else dataset.x)
        for count in counts:
            candidate = function.clone()
            for (nodes, lookup), each in zip(_layers(candidate), weights, strict=True):
                _rewrite(nodes, lookup, each, count)
            candidate.update_function_type()
            yield candidate


def _layers(function: func.FuncOp) -> list[tuple[NodeSumOp, TablesOp]]:
    """The sums of tables, with the tables."""
    return [
        (op, op.edges.owner)
        for op in function.body.block.ops
        if isinstance(op, NodeSumOp) and isinstance(op.edges.owner, TablesOp)
    ]


def _weights(function: func.FuncOp, x: FloatArray | None) -> list[FloatArray]:
    """Weights of the codes of each layer's inputs, (in, codes); they add up to 1 for each input.

    Parameters
    ----------
    x : samples (samples, features); without them, all codes count alike.
    """
    lookups = [lookup for _, lookup in _layers(function)]
    found: list[FloatArray] = []
    for lookup in lookups:
        lower, upper = (ends[:, np.newaxis] for ends in bounds_of(lookup.input))
        low, high = quantized_type(lookup.input).bounds
        codes = np.arange(low, high + 1)
        read = (lower <= codes) & (codes <= upper)
        found.append(read / read.sum(axis=1, keepdims=True))
    if x is None:
        return found
    sources, _ = code_values(function)
    codes = split_codes(encode(Model(function, "table").ports()[0], x), sources)
    inputs = [lookup.input for lookup in lookups]
    seen = evaluate_inside(function, codes, inputs, sources=sources)
    return [
        EVERYWHERE * weights + (1.0 - EVERYWHERE) * _frequencies(each, lookup, weights.shape[1])
        for weights, each, lookup in zip(found, seen, lookups, strict=True)
    ]


def _frequencies(codes: IntArray, lookup: TablesOp, count: int) -> FloatArray:
    """The share of samples that have each code, (in, codes), of codes (samples, in)."""
    places = codes.astype(np.int64) - quantized_type(lookup.input).bounds[0]
    return np.stack([np.bincount(each, minlength=count) for each in places.T]) / len(places)


def _rewrite(nodes: NodeSumOp, lookup: TablesOp, weights: FloatArray, count: int) -> None:
    """Replace a layer by one of few shapes."""
    given = to_integers(lookup.tables)
    tables, gained = multiples_of_few(given, nodes.mask_array, weights, count)
    lower, upper = tables.min(axis=-1), tables.max(axis=-1)
    element = narrowest(quantized_type(lookup.result), lower, upper)
    bounds = bounds_constant(TensorType(element, lower.shape), lower, upper)
    shaped = TablesOp(lookup.input, tables, element, bounds=bounds, name=lookup.given_name)
    bias = nodes.bias_array.astype(np.int64) + gained
    Rewriter.replace_op(nodes, [shaped, narrowed_sum(nodes, shaped, bias)])
    Rewriter.erase_op(lookup)
