"""SystemVerilog of a table network in the structure that KANELÉ's generator gives it.

The structure is that of the paper (D. Hoang, A. Gupta, P. Harris, "KANELÉ: Kolmogorov-Arnold
Networks for Efficient LUT-based Evaluation", arXiv 2512.12850): each edge is a lookup table of its
own, a node adds its edges in a tree of adders of a few operands each, and clamps the sum. There is
a register after each table and each sum. Here the operands of an adder are given, from
two to four, and so is which of the registers are there. The text is the baseline for networks whose
RTL by KANELÉ itself is not at hand, and for other clocks.

A layer is a list of steps: the tables, one for each stage of adders, the clamp. KANELÉ's generator
has no register between the last adders and the clamp. Words have the fewest bits that hold them.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

OPERANDS = (2, 3, 4)
"""Operands of an adder."""

NOTHING = "1'sd0"
"""The sum of a node without edges."""


@dataclass(frozen=True)
class TableNetwork:
    """Tables of a network with the sums and clamps between them."""

    name: str
    bits: Sequence[int]
    """Of the codes of the inputs (unsigned), then of each layer's nodes (signed)."""

    inputs: int
    layers: Sequence[Sequence[Sequence[tuple[int, NDArray[np.int64]]]]]
    """For each layer and each of its nodes, the edges: the source, and an entry for each code in
    ascending order."""

    def evaluate(self, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        """The outputs (samples, out) for codes of the inputs (samples, in)."""
        values = codes
        for layer, nodes in enumerate(self.layers):
            low, high = self.limits(layer)
            offset = self.offset(layer)
            sums = np.zeros((len(codes), len(nodes)), dtype=np.int64)
            for node, edges in enumerate(nodes):
                for source, table in edges:
                    sums[:, node] += table[values[:, source] + offset]
            values = np.clip(sums, low, high)
        return values

    def limits(self, layer: int) -> tuple[int, int]:
        """Least and greatest code of a layer's nodes."""
        top = 1 << (self.bits[layer + 1] - 1)
        return -top, top - 1

    def offset(self, layer: int) -> int:
        """What a code of the layer's sources is less than the number of its entry."""
        return 1 << (self.bits[layer] - 1) if layer else 0


def read_network(tables: Path) -> TableNetwork:
    """A network from `truth_tables.json`, with `config.json` beside it, as KANELÉ writes them.

    Entries beyond their layer's bits saturate, as in the checkpoint.
    """
    config = json.loads((tables.parent / "config.json").read_text())
    edges = json.loads(tables.read_text())
    widths = config["layers"]
    tops = [1 << (bits - 1) for bits in config["layers_bitwidth"][1:]]
    layers = [
        [
            [
                (source, np.clip(np.array(edge["values_int"]), -tops[layer], tops[layer] - 1))
                for source in range(inputs)
                # The name of the key is KANELÉ's.
                if (edge := edges[f"{layer}_{source}_{node}"])["acive"]
            ]
            for node in range(outputs)
        ]
        for layer, (inputs, outputs) in enumerate(pairwise(widths))
    ]
    return TableNetwork(tables.parent.name, config["layers_bitwidth"], widths[0], layers)


@dataclass(frozen=True)
class Step:
    """One of the parts that registers may stand between."""

    kind: str
    """`tables`, `adders` or `clamp`."""

    operands: int
    """The most operands that an adder has here."""

    bits: int
    """Address bits of the tables, or about those of the result."""

    @property
    def delay(self) -> float:
        """A rough delay in ns on ECP5, to choose between places of registers."""
        if self.kind == "tables":
            return 1.2 + 0.5 * max(0, self.bits - 4)
        if self.kind == "clamp":
            return 1.2
        return 1.5 + 0.05 * self.bits + 1.2 * (self.operands - 2)


@dataclass(frozen=True)
class _Word:
    name: str
    low: int
    high: int

    @property
    def bits(self) -> int:
        return max((-self.low - 1).bit_length() if self.low < 0 else 0, self.high.bit_length()) + 1


@dataclass(frozen=True)
class Structure:
    """A network in KANELÉ's structure. Its adders have `operands` operands."""

    network: TableNetwork
    operands: int

    @cached_property
    def depths(self) -> tuple[int, ...]:
        """Stages of adders of each layer."""
        return tuple(
            max(_stages(max(len(edges), 1), self.operands) for edges in nodes)
            for nodes in self.network.layers
        )

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """All steps, from the inputs on."""
        steps: list[Step] = []
        for layer, (nodes, depth) in enumerate(zip(self.network.layers, self.depths, strict=True)):
            counts = [len(edges) for edges in nodes]
            steps.append(Step("tables", 1, self.network.bits[layer]))
            for adder in range(depth):
                most = max(min(count, self.operands) for count in counts)
                counts = [-(-count // self.operands) for count in counts]
                steps.append(Step("adders", most, self.network.bits[layer + 1] + adder + 1))
            steps.append(Step("clamp", 1, self.network.bits[layer + 1]))
        return tuple(steps)

    @property
    def own_cuts(self) -> tuple[bool, ...]:
        """The registers that KANELÉ's generator has: after all steps but those before clamps."""
        return (*(step.kind != "clamp" for step in self.steps[1:]), True)

    def best_cuts(self, cycles: int, *, before_clamps: bool = True) -> tuple[bool, ...] | None:
        """The steps that have a register behind them, in a design of `cycles` cycles.

        Its longest stage is the shortest possible one, by the steps' rough delays. The last step
        has a register. None where there are too few places for registers.

        Parameters
        ----------
        before_clamps : registers may stand before a clamp too.
        """
        steps = self.steps
        best: tuple[float, ...] = ()
        chosen: tuple[int, ...] = ()
        allowed = [
            place for place in range(1, len(steps)) if before_clamps or steps[place].kind != "clamp"
        ]
        if not 1 <= cycles <= len(allowed) + 1:
            return None
        for places in combinations(allowed, cycles - 1):
            ends = [0, *places, len(steps)]
            stages = [sum(step.delay for step in steps[a:b]) for a, b in pairwise(ends)]
            longest = tuple(sorted(stages, reverse=True))
            if not best or longest < best:
                best, chosen = longest, places
        return tuple(index + 1 in (*chosen, len(steps)) for index in range(len(steps)))

    def emit(self, cuts: Sequence[bool]) -> str:
        """The SystemVerilog of the module, named as the network, with ports clk, x0.., y0.. .

        Parameters
        ----------
        cuts : for each step, whether there are registers after it.

        Raises
        ------
        ValueError : there is not one of `cuts` for each step.
        """
        if len(cuts) != len(self.steps):
            raise ValueError(f"{len(cuts)} cuts for {len(self.steps)} steps")
        return "\n".join(self._lines(list(cuts))) + "\n"

    def _lines(self, cuts: list[bool]) -> Iterator[str]:
        network = self.network
        outputs = len(network.layers[-1])
        ports = [f"input logic [{network.bits[0] - 1}:0] x{i}" for i in range(network.inputs)]
        width = network.bits[-1]
        ports += [f"output logic signed [{width - 1}:0] y{i}" for i in range(outputs)]
        yield f"module {network.name} (\n  input logic clk,\n  " + ",\n  ".join(ports) + "\n);"
        top = (1 << network.bits[0]) - 1
        words = [_Word(f"x{i}", 0, top) for i in range(network.inputs)]
        codes = [f"x{i}" for i in range(network.inputs)]
        step = 0
        for layer, nodes in enumerate(network.layers):
            groups: list[list[_Word]] = []
            for node, edges in enumerate(nodes):
                groups.append([])
                for source, table in edges:
                    name = f"t{layer}_{node}_{source}"
                    word = _Word(name, int(table.min()), int(table.max()))
                    yield from _table(word, codes[source], self._in_code_order(layer, table))
                    groups[-1].append(word)
                if not edges:
                    groups[-1].append(_Word(NOTHING, 0, 0))
            for stage in range(self.depths[layer] + 2):
                kind = self.steps[step].kind
                for node, group in enumerate(groups):
                    name = f"{kind[0]}{layer}_{node}_{stage}"
                    if kind == "adders":
                        groups[node] = yield from self._adders(name, group)
                    elif kind == "clamp":
                        clamped = _Word(name, *network.limits(layer))
                        yield from _clamped(clamped, group[0])
                        groups[node] = [clamped]
                if cuts[step]:
                    for node, group in enumerate(groups):
                        groups[node] = yield from _registered(group)
                step += 1
            words = [group[0] for group in groups]
            codes = [f"c{layer}_{index}" for index in range(len(words))]
            for code, word in zip(codes, words, strict=True):
                # Unsigned, so that it can be an index.
                yield f"  wire [{word.bits - 1}:0] {code} = {word.name};"
        for index, word in enumerate(words):
            yield f"  assign y{index} = {word.name};"
        yield "endmodule"

    def _adders(self, name: str, words: Sequence[_Word]) -> Generator[str, None, list[_Word]]:
        """One stage of adders. Returns the sums."""
        sums: list[_Word] = []
        for at in range(0, len(words), self.operands):
            parts = words[at : at + self.operands]
            if len(parts) == 1:
                sums += parts
                continue
            low, high = sum(part.low for part in parts), sum(part.high for part in parts)
            word = _Word(f"{name}_{at}", low, high)
            # In a signed context, all operands are extended to the width of the result.
            total = " + ".join(part.name for part in parts)
            yield f"  wire signed [{word.bits - 1}:0] {word.name} = {total};"
            sums.append(word)
        return sums

    def _in_code_order(self, layer: int, table: NDArray[np.int64]) -> NDArray[np.int64]:
        """The entries by the bits of the code, read as an unsigned number."""
        return np.roll(table, self.network.offset(layer)) if layer else table


def _stages(terms: int, operands: int) -> int:
    stages = 0
    while terms > 1:
        terms = -(-terms // operands)
        stages += 1
    return stages


def _table(word: _Word, code: str, entries: NDArray[np.int64]) -> Iterator[str]:
    """A vector of constants for each bit, indexed by the code."""
    yield f"  wire signed [{word.bits - 1}:0] {word.name};"
    for bit in range(word.bits):
        ones = (entries >> bit) & 1
        value = int("".join(map(str, ones[::-1])), 2)
        constant = f"{word.name}_{bit}"
        yield f"  localparam [{len(ones) - 1}:0] {constant} = {len(ones)}'h{value:x};"
        yield f"  assign {word.name}[{bit}] = {constant}[{code}];"


def _registered(words: Sequence[_Word]) -> Generator[str, None, list[_Word]]:
    """Registers after words. Returns their outputs."""
    results: list[_Word] = []
    for word in words:
        if word.name != NOTHING:
            yield f"  logic signed [{word.bits - 1}:0] {word.name}_q;"
            yield f"  always_ff @(posedge clk) {word.name}_q <= {word.name};"
            word = _Word(f"{word.name}_q", word.low, word.high)
        results.append(word)
    return results


def _clamped(word: _Word, value: _Word) -> Iterator[str]:
    text = value.name
    if value.high > word.high:
        text = f"{value.name} > {word.high} ? {word.high} : {text}"
    if value.low < word.low:
        text = f"{value.name} < {word.low} ? {word.low} : {text}"
    yield f"  wire signed [{word.bits - 1}:0] {word.name} = {text};"
