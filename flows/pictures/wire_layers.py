"""The edges of a network of wire level: the terms of each node's sum, by their input."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from xdsl.dialects import func
from xdsl.ir import Block, Operation, SSAValue

from kan_dialect.analysis.nodes import dead_nodes, wire_nodes
from kan_dialect.devices.device import DeviceFamily
from kan_dialect.devices.lut_count import luts_of
from kan_dialect.evaluate.interpreter import evaluate_values
from kan_dialect.flows.pictures.layers import LayerEdges
from kan_dialect.ir.constants import FloatArray, IntArray
from kan_dialect.ir.types import range_of
from kan_dialect.ir.wire_operation import WireOp
from kan_dialect.ops.wire import DelayOp, SumOp, complement_of

_NODE = re.compile(r"(?P<layer>layer\d+)_node(?P<node>\d+)")


@dataclass(frozen=True)
class _Term:
    """A value that a node's sum adds, with its sign, and the inputs or nodes that it depends on."""

    value: SSAValue
    sign: int
    sources: tuple[str, ...]
    ops: tuple[Operation, ...]
    """What computes it from these."""


def wire_layers(function: func.FuncOp, device: DeviceFamily) -> list[LayerEdges]:
    """The layers of a wire-level function, by its marks of nodes.

    An edge is the sum of all terms of its node that depend on its input alone, in codes. Terms of
    several inputs, such as merged tables, have no curve. Constants are in no edge.

    Parameters
    ----------
    device : the FPGA family that lookup tables are counted for. A table that several terms read
        counts in equal parts.
    """
    found: list[LayerEdges] = []
    network = _Network.of(function)
    for name, inputs, rows in network.layers():
        nodes = network.counts[name]
        found.append(
            _layer(function, name, nodes, rows, inputs, network.nodes, device, network.shares)
        )
    return found


def edge_luts(
    function: func.FuncOp, device: DeviceFamily
) -> list[tuple[str, tuple[str, ...], list[list[float]]]]:
    """The layers of a wire-level function: name, inputs, and LUTs (out, in) of each edge.

    The same figures as of `wire_layers`, but without values of tables.
    """
    network = _Network.of(function)
    cost = {op: luts_of(op, device) / count for op, count in network.shares.items()}
    found: list[tuple[str, tuple[str, ...], list[list[float]]]] = []
    for name, inputs, rows in network.layers():
        luts = [[0.0] * len(inputs) for _ in range(network.counts[name])]
        column = {source: index for index, source in enumerate(inputs)}
        for node, terms in rows.items():
            for term in terms:
                each = sum(cost[op] for op in term.ops) / len(term.sources)
                for source in term.sources:
                    luts[node][column[source]] += each
        found.append((name, tuple(inputs), luts))
    return found


@dataclass(frozen=True)
class _Network:
    """The terms of all nodes, by their place."""

    arguments: int
    nodes: dict[str, SSAValue]
    """Values of inputs and nodes by name."""
    terms: dict[tuple[str, int], list[_Term]]
    shares: dict[Operation, int]
    """Number of terms that need an op."""
    counts: dict[str, int]
    """Number of nodes of each layer."""

    @classmethod
    def of(cls, function: func.FuncOp) -> _Network:
        """The terms of a wire-level function."""
        marks = [
            (place, mark.value)
            for mark in wire_nodes(function)
            if (place := _node(mark.node.data)) is not None
        ]
        sources: dict[SSAValue, str] = {
            value: f"{layer}_node{node}" for (layer, node), value in marks
        }
        sources.update((argument, f"x{argument.index}") for argument in function.args)
        terms = {place: list(_terms(value, sources)) for place, value in marks}
        shares = defaultdict[Operation, int](int)
        for each in terms.values():
            for op in {op for term in each for op in term.ops}:
                shares[op] += 1
        counts: dict[str, int] = defaultdict(int)
        dead = filter(None, map(_node, sorted(dead_nodes(function))))
        for layer, node in (*(place for place, _ in marks), *dead):
            counts[layer] = max(counts[layer], node + 1)
        nodes = {name: value for value, name in sources.items()}
        return cls(len(function.args), nodes, terms, shares, counts)

    def layers(self) -> Iterator[tuple[str, list[str], dict[int, list[_Term]]]]:
        """Each layer with the names of its inputs and the terms of its nodes."""
        for layer in sorted(self.counts, key=lambda name: int(name[5:])):
            rows = {node: each for (name, node), each in self.terms.items() if name == layer}
            groups = {
                name.partition("_")[0] if "_" in name else "x"
                for row in rows.values()
                for term in row
                for name in term.sources
            }
            inputs: list[str] = []
            for group in sorted(groups, key=lambda name: int(name[5:] or -1)):
                size = self.arguments if group == "x" else self.counts[group]
                inputs += [f"x{i}" if group == "x" else f"{group}_node{i}" for i in range(size)]
            if inputs:
                yield layer, inputs, rows


def _node(name: str) -> tuple[str, int] | None:
    found = _NODE.fullmatch(name)
    return None if found is None else (found["layer"], int(found["node"]))


def _terms(value: SSAValue, sources: dict[SSAValue, str]) -> Iterator[_Term]:
    """What a node adds up: through registers, sums, complements, and its clamp and shift."""
    top = value
    while isinstance(top.owner, WireOp) and top.owner.KIND in ("clamp", "shift", "register"):
        top = top.owner.operands[0]
    pending = [(top, 1)]
    while pending:
        current, sign = pending.pop()
        owner = current.owner
        own = current is not value and current in sources
        if isinstance(owner, SumOp) and not own:
            pending.extend((each, sign) for each in owner.inputs)
        elif isinstance(owner, DelayOp):
            pending.append((owner.input, sign))
        elif (
            not own
            and (inverted := complement_of(current)) is not None
            and isinstance(inverted.value.owner, SumOp)
        ):
            pending.append((inverted.value, -sign))
        else:
            names, ops = _behind(current, sources, value)
            if names:
                yield _Term(current, sign, names, ops)


def _behind(
    value: SSAValue, sources: dict[SSAValue, str], node: SSAValue
) -> tuple[tuple[str, ...], tuple[Operation, ...]]:
    """The inputs and nodes that a value depends on, and the ops from these to it."""
    names: dict[str, None] = {}
    ops: dict[Operation, None] = {}
    pending = [value]
    while pending:
        current = pending.pop()
        if current in sources and current is not node:
            names[sources[current]] = None
            continue
        owner = current.owner
        if not isinstance(owner, Block) and owner not in ops:
            ops[owner] = None
            pending.extend(owner.operands)
    return tuple(names), tuple(ops)


def _layer(
    function: func.FuncOp,
    name: str,
    nodes: int,
    rows: dict[int, list[_Term]],
    inputs: list[str],
    values: dict[str, SSAValue],
    device: DeviceFamily,
    shares: dict[Operation, int],
) -> LayerEdges:
    column = {source: index for index, source in enumerate(inputs)}
    kinds = [range_of(values[source]) if source in values else None for source in inputs]
    points = max((kind.size for kind in kinds if kind is not None), default=1)
    low: IntArray = np.array([0 if kind is None else kind.low for kind in kinds], dtype=np.int64)
    # A node that nothing reads has no value. It counts as one code, so that no curve is empty.
    sizes = np.array([1 if kind is None else kind.size for kind in kinds])
    steps: IntArray = np.arange(points, dtype=np.int64)
    codes: IntArray = np.zeros((points, nodes, len(inputs)), dtype=np.int64)
    kept = np.zeros((nodes, len(inputs)), dtype=np.bool_)
    joint = np.zeros_like(kept)
    luts: FloatArray = np.zeros(kept.shape)
    single: dict[str, list[tuple[int, _Term]]] = defaultdict(list)
    for node, terms in rows.items():
        for term in terms:
            each = [column[source] for source in term.sources]
            kept[node, each] = True
            cost = sum(luts_of(op, device) / shares[op] for op in term.ops)
            luts[node, each] += cost / len(each)
            if len(each) > 1:
                joint[node, each] = True
            else:
                single[term.sources[0]].append((node, term))
    ops = list(function.body.block.ops)
    for source, terms in single.items():
        value = values[source]
        kind = range_of(value)
        every = np.arange(kind.low, kind.high + 1)
        results = evaluate_values([term.value for _, term in terms], {value: every}, ops=ops)
        for (node, term), result in zip(terms, results, strict=True):
            codes[: kind.size, node, column[source]] += term.sign * result
    y = np.where(joint, np.nan, codes.astype(np.float64))
    y[:, ~kept] = np.nan
    x: FloatArray = (low + steps[:, np.newaxis]).astype(np.float64)
    read = steps[:, np.newaxis] < sizes
    return LayerEdges(
        name,
        tuple(inputs),
        x,
        y,
        kept,
        codes,
        low,
        read,
        steps=np.ones(kept.shape),  # edges add up codes
        joint=joint,
        luts=luts,
    )
