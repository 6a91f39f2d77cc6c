"""Which ports and nodes of an integer model saturate on samples, and how often."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from xdsl.dialects import func

from kan_dialect.analysis.nodes import layer_names, wire_nodes
from kan_dialect.evaluate.code_ports import code_values
from kan_dialect.evaluate.interpreter import evaluate_inside
from kan_dialect.ir.code_bounds import bounds_of
from kan_dialect.ir.constants import BoolArray, FloatArray, IntArray
from kan_dialect.ir.types import range_of
from kan_dialect.model.model import Model, columns_of, split_codes
from kan_dialect.model.port_codes import encode, encode_unsaturated
from kan_dialect.ops.table import RequantizeOp
from kan_dialect.ops.wire import ClampOp

NAMED = 3
"""Ports and nodes that are told by name."""


@dataclass(frozen=True)
class Saturation:
    """Samples that saturate.

    Parameters
    ----------
    samples : how many there are.
    saturated : samples in which some input or node saturates.
    inputs : for each input port, samples in which its value lies outside the codes' range.
    nodes : likewise for each node whose sum is saturated, as `layer0_node3`.
    """

    samples: int
    saturated: int
    inputs: dict[str, int]
    nodes: dict[str, int]

    def as_dict(self) -> dict[str, object]:
        """Figures by name, as `report.json` has them."""
        return {
            "samples": self.samples,
            "saturated": self.saturated,
            "inputs": self.inputs,
            "nodes": self.nodes,
        }

    def told(self, what: str) -> str:
        """In a few words: how many samples, and the ports and nodes that saturate most.

        Parameters
        ----------
        what : the samples, as `test samples`.
        """
        if not self.saturated:
            return f"none in {self.samples} {what}"
        counts = {place: count for place, count in (self.inputs | self.nodes).items() if count}
        worst = sorted(counts.items(), key=lambda each: -each[1])
        named = ", ".join(f"{place} {count}" for place, count in worst[:NAMED])
        more = f", {len(worst) - NAMED} more" if len(worst) > NAMED else ""
        return f"{self.saturated} of {self.samples} {what} ({named}{more})"


def count_saturations(model: Model, x: FloatArray) -> Saturation:
    """Saturations of an integer model on samples (samples, inputs), real.

    A value saturates where its code, rounded, lies outside the range of codes. Nodes are those
    whose sums a requantisation or clamp saturates. What a table saturates is in its entries, and
    not counted; nor are nodes at hardware level.

    Raises
    ------
    KanError : the model has no codes, or the samples are of another shape or not numbers.
    """
    inputs, nodes = _found(model, x)
    every = saturating_samples(model, x)
    return Saturation(len(x), int(every.sum()), _counts(inputs), _counts(nodes))


def saturating_samples(model: Model, x: FloatArray) -> BoolArray:
    """In which of the samples (samples, inputs) some input or node saturates.

    Raises
    ------
    KanError : as `count_saturations`.
    """
    every = np.zeros(len(x), dtype=np.bool_)
    for found in _found(model, x):
        for each in found.values():
            every |= each
    return every


def _found(model: Model, x: FloatArray) -> tuple[dict[str, BoolArray], dict[str, BoolArray]]:
    """For each input port, and for each node, the samples (samples) in which it saturates."""
    ports, _ = model.ports()
    raw = encode_unsaturated(ports, x)
    inputs = {
        port.name: (raw[:, index] < port.low) | (raw[:, index] > port.high)
        for index, port in enumerate(ports)
    }
    return inputs, _nodes(model, encode(ports, x))


def _counts(found: Mapping[str, BoolArray]) -> dict[str, int]:
    return {name: int(each.sum()) for name, each in found.items()}


def _nodes(model: Model, codes: IntArray) -> dict[str, BoolArray]:
    """For each node that saturates its sum, the samples (samples) in which it does."""
    if not isinstance(model.op, func.FuncOp):
        return {}
    if model.level == "wire":
        return _wire_nodes(model.op, codes)
    names = layer_names(model.op)
    ops = [op for op in model.op.body.block.ops if isinstance(op, RequantizeOp)]
    sources, _ = code_values(model.op)
    sums = evaluate_inside(
        model.op, split_codes(codes, sources), [op.input for op in ops], sources=sources
    )
    found: dict[str, BoolArray] = {}
    for op, values in zip(ops, sums, strict=True):
        lower, upper = bounds_of(op.result)
        raw = op.unsaturated(values)
        outside = (raw < lower) | (raw > upper)
        for node in range(outside.shape[1]):
            found[f"{names[op.result]}_node{node}"] = outside[:, node]
    return found


def _wire_nodes(function: func.FuncOp, codes: IntArray) -> dict[str, BoolArray]:
    """A node is saturated by the clamp that makes its value, or by the tables that read it."""
    marks = [
        mark
        for mark in wire_nodes(function)
        if mark.within is not None or isinstance(mark.value.owner, ClampOp)
    ]
    clamps = [mark.value.owner for mark in marks]
    wanted = [
        clamp.input if isinstance(clamp, ClampOp) else mark.value
        for mark, clamp in zip(marks, clamps, strict=True)
    ]
    values = evaluate_inside(function, columns_of(codes), wanted)
    found: dict[str, BoolArray] = {}
    for mark, clamp, value in zip(marks, clamps, values, strict=True):
        within = range_of(clamp.result) if isinstance(clamp, ClampOp) else mark.within
        assert within is not None
        offset = 0 if isinstance(clamp, ClampOp) else mark.offset.value.data
        code = value + offset
        found[mark.node.data] = (code < within.low) | (code > within.high)
    return found
