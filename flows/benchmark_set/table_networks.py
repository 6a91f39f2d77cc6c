"""Networks of the benchmark set that are integers already: at table level and at wire level."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, SSAValue

from kan_dialect.flows.benchmark_set.draws import Draws
from kan_dialect.frontends.table_network import TableNetwork
from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.functions import module_of
from kan_dialect.ir.quant import UniformQuantizedType
from kan_dialect.ir.types import int_type, range_of
from kan_dialect.ops.clamp import ClampOp
from kan_dialect.ops.shift import ShiftOp
from kan_dialect.ops.wire import SumOp, TableOp


def binary(name: str) -> ModuleOp:
    draws = Draws(name)
    network = TableNetwork(name, UniformQuantizedType(1, False, 1.0), 24)
    network.add_layer(draws.integers(-3, 3, (12, 24, 2)), saturate=(0, 1))
    network.add_layer(draws.integers(-3, 3, (8, 12, 2)), saturate=(0, 1))
    return network.add_layer(draws.integers(-7, 7, (4, 8, 2))).module()


def mixed(name: str) -> ModuleOp:
    draws = Draws(name)
    network = TableNetwork(name, UniformQuantizedType(4, False, 0.25, bounds=(0, 12)), 6)
    network.add_layer(draws.integers(-5, 9, (5, 6, 13)), scale=0.5, saturate=(-3, 2))
    network.add_layer(draws.integers(-20, 3, (4, 5, 6)), scale=0.25, saturate=(-60, 19))
    return network.add_layer(draws.integers(-1, 1, (3, 4, 80)), scale=0.5).module()


def random(name: str) -> ModuleOp:
    draws = Draws(name)
    network = TableNetwork(name, UniformQuantizedType(5, True, 0.125), 5)
    network.add_layer(draws.integers(-16, 15, (5, 5, 32)), scale=0.125, saturate=(-16, 15))
    return network.add_layer(draws.integers(-16, 15, (3, 5, 32)), scale=0.125).module()


def smooth(name: str) -> ModuleOp:
    draws = Draws(name)
    network = TableNetwork(name, UniformQuantizedType(10, True, 2.0**-8), 3)
    network.add_layer(_parabolas(draws, (2, 3), 10), scale=2.0**-8, saturate=(-512, 511))
    return network.add_layer(_parabolas(draws, (1, 2), 10), scale=2.0**-8).module()


def _parabolas(draws: Draws, shape: tuple[int, int], bits: int) -> IntArray:
    """Tables (out, in, 2^bits) of quadratic functions, with codes of `bits` bits as entries."""
    x = np.arange(-(1 << (bits - 1)), 1 << (bits - 1))
    a, b, c = (draws.integers(-64, 63, (*shape, 1)) for _ in range(3))
    return (a * x * x // (1 << bits) + b * x) // 64 + c


def alike(name: str) -> ModuleOp:
    draws = Draws(name)
    network = TableNetwork(name, UniformQuantizedType(6, False, 0.125), 4)
    network.add_layer(_copies(draws, (6, 4), 64), scale=0.125, saturate=(-32, 31))
    return network.add_layer(_copies(draws, (3, 6), 64), scale=0.125).module()


def _copies(draws: Draws, shape: tuple[int, int], entries: int) -> IntArray:
    """Tables (out, in, entries): copies of one an input, negated, shifted, doubled or mirrored.

    Half of the originals are symmetric around their middle.
    """
    original = draws.integers(-12, 12, (1, shape[1], entries))
    mirrored = original[..., ::-1]
    symmetric = np.where(np.arange(entries) < entries // 2, original, mirrored)
    original = np.where(draws.chance(0.5, (1, shape[1], 1)), symmetric, original)
    sign = 1 - 2 * draws.integers(0, 1, (*shape, 1))
    factor, offset = draws.integers(1, 2, (*shape, 1)), draws.integers(-4, 4, (*shape, 1))
    reflected = np.where(draws.chance(0.25, (*shape, 1)), original[..., ::-1], original)
    return sign * factor * reflected + offset


def kanele(name: str) -> Mapping[str, bytes]:
    """KANELÉ's files, `truth_tables.json` and `config.json`, in a folder of the network's name."""
    draws = Draws(name)
    widths, bits = (8, 6, 5), (4, 4, 6)
    edges: dict[str, object] = {}
    for layer, (inputs, nodes) in enumerate(pairwise(widths)):
        end = 1 << (bits[layer + 1] - 2)
        kept = draws.chance(0.7, (inputs, nodes)).tolist()
        tables = draws.integers(-end, end - 1, (inputs, nodes, 1 << bits[layer])).tolist()
        for i in range(inputs):
            for o in range(nodes):
                edges[f"{layer}_{i}_{o}"] = {
                    "acive": int(kept[i][o]),  # so spelt in KANELÉ's files
                    "values_int": tables[i][o] if kept[i][o] else [],
                }
    config = {"layers": widths, "layers_bitwidth": bits}
    return {
        f"{name}/truth_tables.json": f"{json.dumps(edges)}\n".encode(),
        f"{name}/config.json": f"{json.dumps(config)}\n".encode(),
    }


class _Wires:
    """A function at wire level, built op by op."""

    def __init__(self, ranges: Sequence[tuple[int, int]]) -> None:
        self.block = Block(arg_types=[int_type(low, high) for low, high in ranges])

    def add(self, op: Operation) -> SSAValue:
        self.block.add_op(op)
        return op.results[0]

    def module(self, name: str, results: Sequence[SSAValue]) -> ModuleOp:
        return module_of(name, self.block, *results)


def wires(name: str) -> ModuleOp:
    draws = Draws(name)
    wires = _Wires([(0, 15), (-8, 7), (0, 11), (-3, 60)])
    args = wires.block.args

    def table(number: str, low: int, high: int, *inputs: SSAValue) -> SSAValue:
        shape = tuple(range_of(value).size for value in inputs)
        return wires.add(TableOp(inputs, draws.integers(low, high, shape), name=number))

    hidden: list[SSAValue] = []
    for node in range(4):
        edges = [table(f"edge{node}_{i}", -9, 12, args[i]) for i in range(4)]
        total = wires.add(SumOp(edges, name=f"sum{node}"))
        half = wires.add(ShiftOp(total, 1, name=f"half{node}"))
        hidden.append(wires.add(ClampOp(half, -8, 7, name=f"node{node}")))
    both = [table(f"pair{n}", -15, 15, hidden[n], hidden[n + 1]) for n in (0, 2)]
    scaled = wires.add(ShiftOp(both[0], -2, name="four"))
    results = [
        wires.add(SumOp([*both, args[1]], name="out0")),
        wires.add(SumOp([scaled, both[1], *hidden], name="out1")),
    ]
    return wires.module(name, results)


def files(name: str, build: Callable[[str], ModuleOp]) -> Mapping[str, bytes]:
    """A network's IR by file name; it needs no data."""
    return {f"{name}.mlir": f"{build(name)!s}\n".encode()}
