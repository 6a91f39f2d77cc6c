"""Use of codes: which codes of ports and nodes samples reach."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from xdsl.dialects import func
from xdsl.ir import SSAValue

from kan_dialect.analysis.nodes import table_nodes, wire_nodes
from kan_dialect.evaluate.code_ports import code_values
from kan_dialect.ir.code_bounds import bounds_of
from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.types import range_of
from kan_dialect.model.model import Model
from kan_dialect.ops.wire import DelayOp

BINS = 16
"""Intervals of a histogram of codes."""


@dataclass(frozen=True)
class CodeUse:
    """Codes of a port or node on samples.

    Parameters
    ----------
    low, high : the range of codes.
    seen_low, seen_high : the least and the greatest code on the samples.
    distinct : number of codes that occur.
    histogram : number of samples in each of at most `BINS` equal intervals of the range.
    """

    low: int
    high: int
    seen_low: int
    seen_high: int
    distinct: int
    histogram: tuple[int, ...]

    @classmethod
    def of(cls, codes: IntArray, low: int, high: int) -> CodeUse:
        """The use of a range low..high by codes (samples), at least one."""
        bins = min(BINS, high - low + 1)
        counts, _ = np.histogram(codes, bins, (low - 0.5, high + 0.5))
        return cls(
            low,
            high,
            int(codes.min()),
            int(codes.max()),
            len(np.unique(codes)),
            tuple(counts.tolist()),
        )

    def as_dict(self) -> dict[str, object]:
        """Figures by their names in `report.json`."""
        return {
            "low": self.low,
            "high": self.high,
            "seen_low": self.seen_low,
            "seen_high": self.seen_high,
            "distinct": self.distinct,
            "histogram": list(self.histogram),
        }


def code_use(model: Model, codes: IntArray) -> dict[str, dict[str, CodeUse]]:
    """Use of codes by `inputs`, `nodes` and `outputs`, by the name of each.

    Nodes whose codes are the outputs are left out, and all nodes at hardware level.

    Parameters
    ----------
    model : an integer model.
    codes : input codes (samples, inputs); at least one sample.
    """
    inputs, outputs = model.ports()
    results, nodes = model.run_nodes(codes)
    return {
        "inputs": {p.name: CodeUse.of(codes[:, i], p.low, p.high) for i, p in enumerate(inputs)},
        "nodes": {
            name: CodeUse.of(nodes[name], low, high) for name, low, high in _node_ranges(model)
        },
        "outputs": {
            p.name: CodeUse.of(results[:, i], p.low, p.high) for i, p in enumerate(outputs)
        },
    }


def _node_ranges(model: Model) -> Iterator[tuple[str, int, int]]:
    """Names of nodes, with the least and the greatest code; nodes that are outputs left out."""
    if not isinstance(model.op, func.FuncOp):
        return
    if model.level == "wire":
        yield from _wire_node_ranges(model.op)
        return
    _, results = code_values(model.op)
    for layer, value in table_nodes(model.op).items():
        if value not in results:
            for node, ends in enumerate(np.stack(bounds_of(value), axis=1).tolist()):
                yield f"{layer}_node{node}", *ends


def _wire_node_ranges(function: func.FuncOp) -> Iterator[tuple[str, int, int]]:
    terminator = function.get_return_op()
    returned: set[SSAValue] = set()
    for value in () if terminator is None else terminator.operands:
        returned.add(value)
        while isinstance(value.owner, DelayOp):
            value = value.owner.input
            returned.add(value)
    for mark in wire_nodes(function):
        if mark.value not in returned:
            kind, offset, within = range_of(mark.value), mark.offset.value.data, mark.within
            low, high = kind.low + offset, kind.high + offset
            if within is not None:
                low, high = max(low, within.low), min(high, within.high)
            yield mark.node.data, low, high
