"""The claims of a second opinion on a design, and what is free in each.

Nodes have ranks: 1 where they depend on inputs alone, else one more than the highest rank that they
depend on. A node is compared with the model while the signals of all nodes of lower ranks are free,
each with the codes that the model gives it. Where a mark says `within`, the signal is free in the
mark's range, which it is shown to stay in. A dead node is in no signal, and free in the model,
unless it is a function of one value, which its readers may have taken in. Outputs come last. Marks
are hints: a claim shown with a wrong hint is shown all the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from xdsl.dialects import hw

from kan_dialect.errors import KanError
from kan_dialect.flows.prove.second_opinion.graph import (
    FALSE,
    MAX_TABLE_BITS,
    Arithmetic,
    Graph,
    Undecided,
    Word,
)
from kan_dialect.flows.prove.second_opinion.model import outputs_of
from kan_dialect.flows.prove.second_opinion.text import Cycles, Design
from kan_dialect.ir.attributes.hardware_attributes import NodeAttr
from kan_dialect.ir.attributes.module_attributes import nodes_of
from kan_dialect.ir.constants import IntArray
from kan_dialect.model.interface import Interface
from kan_dialect.model.model import Model


@dataclass(frozen=True, eq=False)
class Claim:
    """A signal that must hold a code of the model in a cycle."""

    name: str
    kind: Literal["node", "output", "valid"]
    signal: str
    cycle: int
    signed: bool
    rank: int
    mark: NodeAttr | None = None
    """Of a node."""


@dataclass(frozen=True)
class Question:
    """Whether a claim can be wrong, with the nodes below a rank free."""

    claim: Claim
    limit: int
    wrong: int
    """Literal: the signal is not what it must be."""
    expected: Word
    got: Word


@dataclass(frozen=True)
class Variable:
    """A value that is free: an input, or the signal of a node."""

    name: str
    index: tuple[int, ...]
    """Inputs of the graph, the lowest bit of the index first."""
    numbers: IntArray
    """The number for each index, for the last ones too."""
    word: Word


def marks_of(circuit: Model) -> dict[str, NodeAttr | None]:
    """The marks of a hardware module by node; None of a dead one."""
    assert isinstance(circuit.op, hw.HWModuleOp)
    return {node.node: None if node.is_dead else node for node in nodes_of(circuit.op)}


@dataclass
class Plan:
    """All claims, and what is free in them."""

    integer: Model
    interface: Interface
    design: Design
    marks: Mapping[str, NodeAttr | None]
    claims: list[Claim] = field(default_factory=list[Claim])
    dead: int = 0
    graph: Graph = field(default_factory=Graph)
    variables: dict[str, Variable] = field(default_factory=dict[str, Variable])
    cuts: dict[tuple[int, int], tuple[str, int, int]] = field(
        default_factory=dict[tuple[int, int], tuple[str, int, int]]
    )
    """By number and cycle of a bit of the design: its variable, rank, and literal."""
    free: dict[tuple[str, int, int], int] = field(default_factory=dict[tuple[str, int, int], int])
    _expected: dict[int, dict[str, Word]] = field(default_factory=dict[int, dict[str, Word]])
    _cycles: dict[int, Cycles] = field(default_factory=dict[int, Cycles])

    @staticmethod
    def of(
        integer: Model,
        interface: Interface,
        design: Design,
        marks: Mapping[str, NodeAttr | None],
    ) -> Plan:
        """What to show.

        Raises
        ------
        KanError : the ports of the text are not the interface's.
        Undecided : an input or a table has too many codes, or an op reads several values.
        """
        _check_ports(design, interface)
        plan = Plan(integer, interface, design, marks)
        plan.dead = sum(mark is None for mark in marks.values())
        nodes = plan.expected(_EVERY)
        last = 1 + max((word.rank for word in nodes.values()), default=0)
        latency = interface.latency
        for name in nodes:
            mark = marks.get(name)
            if mark is not None:
                signed = mark.values.low < 0
                rank = nodes[name].rank + 1
                plan.claims.append(Claim(name, "node", mark.signal, mark.cycle, signed, rank, mark))
        for port in interface.outputs:
            plan.claims.append(Claim(port.name, "output", port.name, latency, port.signed, last))
        if not interface.combinational:
            plan.claims.append(Claim("out_valid", "valid", "out_valid", latency, False, 1))
        return plan

    @property
    def arithmetic(self) -> Arithmetic:
        return Arithmetic(self.graph)

    def expected(self, limit: int) -> dict[str, Word]:
        """The codes of nodes that have a claim, and of outputs, with nodes below a rank free."""
        if limit not in self._expected:
            found: dict[str, Word] = {}

            def rename(name: str, word: Word) -> Word:
                mark = self.marks.get(name)
                if mark is None or mark.signal not in self.design.signals:
                    return word
                found[name] = word
                return self._held(mark, word) if word.rank + 1 < limit else word

            inputs = [
                self._variable(port.name, np.arange(port.low, port.high + 1), 0).word
                for port in self.interface.inputs
            ]
            words = outputs_of(self.integer, inputs, self.arithmetic, rename)
            found |= {p.name: w for p, w in zip(self.interface.outputs, words, strict=True)}
            self._expected[limit] = found
        return self._expected[limit]

    def question(self, claim: Claim, limit: int) -> Question:
        """Whether a claim can be wrong, with the nodes below a rank free."""
        if limit not in self._cycles:
            self._cycles[limit] = self._unrolled(limit)
        cycles, of, graph = self._cycles[limit], self.arithmetic, self.graph
        bits = cycles.literals(self.design.signals[claim.signal], claim.cycle)
        low = -(1 << len(bits) - 1) if claim.signed else 0
        got = Word(tuple(bits), low, low + (1 << len(bits)) - 1)
        wrong = FALSE
        if claim.kind == "valid":
            resets = [cycles.literals(self.design.inputs["rst"], c) for c in range(claim.cycle)]
            (valid,) = cycles.literals(self.design.inputs["in_valid"], 0)
            reset = graph.any_of(literal for (literal,) in resets)
            expected = Word((graph.both(valid, reset ^ 1),), 0, 1)
        else:
            expected = self.expected(_EVERY if limit == claim.rank else limit)[claim.name]
        if claim.mark is not None:
            mark = claim.mark
            if mark.within is not None:
                above = of.above(got, of.constant(mark.values.high))
                wrong = graph.either(above, of.above(of.constant(mark.values.low), got))
            got = of.add(got, of.constant(mark.offset))
            if mark.within is not None:
                got = of.clamped(got, mark.within.low, mark.within.high)
        wrong = graph.either(wrong, of.equal(got, expected) ^ 1)
        return Question(claim, limit, wrong, expected, got)

    def codes(
        self, question: Question, inputs: Mapping[int, int]
    ) -> tuple[dict[str, int], int, int]:
        """Codes that inputs of the graph stand for, and the number that must be and that is."""
        cone = set(self.graph.cone([question.wrong]))
        where: dict[str, int] = {}
        for variable in self.variables.values():
            if not cone.isdisjoint(literal >> 1 for literal in variable.index):
                index = sum(inputs.get(b >> 1, 0) << p for p, b in enumerate(variable.index))
                where[variable.name] = int(variable.numbers[index])
        for (name, bit, cycle), literal in self.free.items():
            if literal >> 1 in cone:
                key = f"{name} in cycle {cycle}"
                where[key] = where.get(key, 0) + (inputs.get(literal >> 1, 0) << bit)
        expected, got = (self._number(word, inputs) for word in (question.expected, question.got))
        return where, expected, got

    def _number(self, word: Word, inputs: Mapping[int, int]) -> int:
        bits = self.graph.evaluate(word.bits, inputs, 1)
        pattern = sum(bit << place for place, bit in enumerate(bits))
        return pattern - (1 << len(bits)) if word.low < 0 and bits[-1] else pattern

    def _unrolled(self, limit: int) -> Cycles:
        cycles = Cycles(self.design, self.graph, self.free)
        for port in self.interface.inputs:
            word = self.variables[port.name].word
            for place, literal in enumerate(self.design.inputs[port.name]):
                cycles.cut(literal, 0, word.bit(place))
        for (number, cycle), (_, rank, literal) in self.cuts.items():
            if rank < limit:
                cycles.cut(2 * number, cycle, literal)
        return cycles

    def _variable(self, name: str, numbers: IntArray, rank: int) -> Variable:
        """A value that may be any of these numbers, which rise."""
        if name not in self.variables:
            count = (len(numbers) - 1).bit_length()
            if count > MAX_TABLE_BITS:
                raise Undecided(f"{name} has more than {MAX_TABLE_BITS} bits")
            index = [self.graph.input() for _ in range(count)][::-1]
            # Further indices stand for the last number, too.
            filled = numbers[np.arange(1 << count).clip(max=len(numbers) - 1)]
            low, high = int(numbers[0]), int(numbers[-1])
            width = max(low.bit_length(), high.bit_length()) + 1
            bits = [self.arithmetic.function(index, filled >> p & 1) for p in range(width)]
            word = self.arithmetic.word(bits, low, high, rank)
            self.variables[name] = Variable(name, tuple(index), filled, word)
        return self.variables[name]

    def _held(self, mark: NodeAttr, word: Word) -> Word:
        """A node's code by its signal, which is free; the code itself where that cannot be."""
        low, high = word.low - mark.offset, word.high - mark.offset
        if mark.within is not None:
            low, high = mark.values.low, mark.values.high
        bits, key = self.design.signals[mark.signal], f"{mark.signal} in cycle {mark.cycle}"
        if high - low >= 1 << MAX_TABLE_BITS or any(b >> 1 in self.design.free for b in bits):
            return word
        numbers = _possible(np.arange(low, high + 1), bits)
        cut = [self.cuts.get((bit >> 1, mark.cycle)) for bit in bits if bit > 1]
        if len(numbers) < 2 or any(other is not None and other[0] != key for other in cut):
            return word
        before = self.variables.get(key)
        if before is not None and (before.numbers[0], before.numbers[-1]) != (
            numbers[0],
            numbers[-1],
        ):
            return word
        variable = self._variable(key, numbers, word.rank + 1)
        for place, bit in enumerate(bits):
            if bit > 1:
                literal = variable.word.bit(place) ^ bit & 1
                self.cuts[bit >> 1, mark.cycle] = key, variable.word.rank, literal
        of = self.arithmetic
        code = of.add(variable.word, of.constant(mark.offset))
        if mark.within is not None:
            code = of.clamped(code, mark.within.low, mark.within.high)
        # A node that is shown has the model's codes; a wrong mark may say otherwise.
        return of.clamped(code, word.low, word.high)


_EVERY = 1 << 30
"""A rank that no node has."""


def _possible(numbers: IntArray, bits: Sequence[int]) -> IntArray:
    """The numbers that bits of the design can hold: some are constant, or the same."""
    wires = {FALSE >> 1: np.zeros(len(numbers), np.int64)}
    possible = np.ones(len(numbers), np.bool_)
    for place, bit in enumerate(bits):
        column = (numbers >> place & 1) ^ (bit & 1)
        possible &= column == wires.setdefault(bit >> 1, column)
    return numbers[possible]


def _check_ports(design: Design, interface: Interface) -> None:
    inputs = {port.name: port.width for port in interface.inputs}
    outputs = {port.name: port.width for port in interface.outputs}
    if not interface.combinational:
        inputs |= dict.fromkeys(("clk", "rst", "in_valid"), 1)
        outputs |= {"out_valid": 1}
    for side, meant, bits in (
        ("inputs", inputs, design.inputs),
        ("outputs", outputs, design.outputs),
    ):
        found = {name: len(literals) for name, literals in bits.items()}
        for name in sorted({*meant, *found}):
            if meant.get(name) != found.get(name):
                raise KanError(
                    f"the {side} of the RTL are not those of the model: {name} has "
                    f"{found.get(name, 0)} bits, not {meant.get(name, 0)}"
                )
