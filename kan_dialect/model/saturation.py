"""Number of samples on which ports and nodes of an integer model saturate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from xdsl.dialects import func

from kan_dialect.analysis.nodes import layer_names, wire_nodes
from kan_dialect.evaluate.code_ports import code_values
from kan_dialect.evaluate.interpreter import evaluate_inside
from kan_dialect.ir.code_bounds import bounds_of
from kan_dialect.ir.constants import BoolArray, FloatArray, IntArray
from kan_dialect.ir.types import range_of
from kan_dialect.model.model import Model, columns_of, split_codes
from kan_dialect.model.model_ports import port_names
from kan_dialect.model.port_codes import encode, encode_unsaturated
from kan_dialect.ops.clamp import ClampOp
from kan_dialect.ops.table import RequantizeOp

NAMED = 3
"""Largest number of ports and nodes that a message names."""


@dataclass(frozen=True)
class Saturation:
    """Numbers of samples that saturate.

    Parameters
    ----------
    samples : number of all samples.
    saturated : number of samples on which any input or node saturates.
    inputs : for each input port, number of samples whose value lies outside the range of codes.
    nodes : for each node with a saturating sum, such as `layer0_node3`, number of samples on which
        it saturates.
    data_names : names of the features of input ports, as far as they are known.
    """

    samples: int
    saturated: int
    inputs: dict[str, int]
    nodes: dict[str, int]
    data_names: dict[str, str]

    def as_dict(self) -> dict[str, object]:
        """Figures by their names in `report.json`."""
        return {
            "samples": self.samples,
            "saturated": self.saturated,
            "inputs": self.inputs,
            "nodes": self.nodes,
        }

    def name_of(self, place: str) -> str:
        """The name of an input's feature; of others, and of nodes, the name of the port or node."""
        return self.data_names.get(place, place)

    def told(self, what: str) -> str:
        """One line: the number of samples, and the ports and nodes that saturate most often.

        Parameters
        ----------
        what : noun for the samples, such as `test samples`.
        """
        if not self.saturated:
            return f"none in {self.samples} {what}"
        counts = {place: count for place, count in (self.inputs | self.nodes).items() if count}
        worst = sorted(counts.items(), key=lambda each: -each[1])
        named = ", ".join(f"{self.name_of(place)} {count}" for place, count in worst[:NAMED])
        more = f", {len(worst) - NAMED} more" if len(worst) > NAMED else ""
        return f"{self.saturated} of {self.samples} {what} ({named}{more})"


def count_saturations(model: Model, x: FloatArray) -> Saturation:
    """Saturations of an integer model on real samples (samples, inputs).

    A value saturates if its rounded code lies outside the range of codes. Nodes count if a
    requantisation or clamp saturates their sum. Codes of one bit do not count: they say on which
    side of a threshold a value lies. Saturation within table entries does not count, nor do nodes
    at hardware level.

    Raises
    ------
    KanError : the model is not quantised yet, or the samples have another shape or hold NaN.
    """
    inputs, nodes = (
        {name: place.saturates & (place.codes > 2) for name, place in each.items()}
        for each in _found(model, x)
    )
    every = np.zeros(len(x), dtype=np.bool_)
    for mask in (*inputs.values(), *nodes.values()):
        every |= mask
    names = port_names(model.op)
    return Saturation(len(x), int(every.sum()), _counts(inputs), _counts(nodes), names)


def saturating_samples(model: Model, x: FloatArray) -> BoolArray:
    """Mask (samples) of the samples (samples, inputs) on which any input or node saturates.

    Codes of one bit count here.

    Raises
    ------
    KanError : as `count_saturations`.
    """
    every = np.zeros(len(x), dtype=np.bool_)
    for found in _found(model, x):
        for place in found.values():
            every |= place.saturates
    return every


class _Place(NamedTuple):
    """An input port or a node."""

    saturates: BoolArray
    """Mask (samples)."""

    codes: int
    """Number of codes in its range."""


_Places: TypeAlias = dict[str, _Place]


def _found(model: Model, x: FloatArray) -> tuple[_Places, _Places]:
    """Of input ports, and of nodes."""
    ports, _ = model.ports()
    raw = encode_unsaturated(ports, x)
    inputs = {
        port.name: _outside(raw[:, index], port.low, port.high) for index, port in enumerate(ports)
    }
    return inputs, _nodes(model, encode(ports, x))


def _counts(found: Mapping[str, BoolArray]) -> dict[str, int]:
    return {name: int(each.sum()) for name, each in found.items()}


def _outside(codes: IntArray | FloatArray, low: int, high: int) -> _Place:
    return _Place((codes < low) | (codes > high), high - low + 1)


def _nodes(model: Model, codes: IntArray) -> _Places:
    """Of nodes with a saturating sum."""
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
    found: _Places = {}
    for op, values in zip(ops, sums, strict=True):
        raw = op.unsaturated(values)
        lower, upper = (np.broadcast_to(b, raw.shape[1]).tolist() for b in bounds_of(op.result))
        for node, (low, high) in enumerate(zip(lower, upper, strict=True)):
            found[f"{names[op.result]}_node{node}"] = _outside(raw[:, node], low, high)
    return found


def _wire_nodes(function: func.FuncOp, codes: IntArray) -> _Places:
    """As `_nodes`, where the clamp of a node saturates it, or else the tables that read it."""
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
    found: _Places = {}
    for mark, clamp, value in zip(marks, clamps, values, strict=True):
        within = range_of(clamp.result) if isinstance(clamp, ClampOp) else mark.within
        assert within is not None
        offset = 0 if isinstance(clamp, ClampOp) else mark.offset.value.data
        code = value + offset
        found[mark.node.data] = _outside(code, within.low, within.high)
    return found
