"""A graph of gates of one bit, each once, with constants folded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import IntEnum
from typing import NamedTuple, TypeAlias

Literal: TypeAlias = int
"""A gate's number times two, and 1 if the bit is inverted."""

ZERO: Literal = 0
ONE: Literal = 1


class GateKind(IntEnum):
    """What a gate computes of its inputs; `c/cover.c` has the same numbers."""

    LEAF = 0
    """Nothing: a port, or a bit of a register, a memory or a carry chain."""
    AND = 1
    XOR = 2
    MUX = 3
    """The second input where the first one is 1, else the third."""


class Gate(NamedTuple):
    kind: GateKind
    inputs: tuple[Literal, ...]


class Choice(NamedTuple):
    """One of two bits, as the text has it."""

    condition: Literal
    words: tuple[Literal, Literal]
    """The bit where the condition is 1, and the other."""


class Gates:
    """Gates of one bit, each once, operands first. Gate 0 is the constant."""

    def __init__(self) -> None:
        self.gates = [Gate(GateKind.LEAF, ())]
        self.choices: dict[int, Choice] = {}
        """The gates that choose between two bits. With a constant, they are of other kinds."""
        self._known: dict[Gate, Literal] = {}

    def leaf(self) -> Literal:
        self.gates.append(Gate(GateKind.LEAF, ()))
        return 2 * len(self.gates) - 2

    def _gate(self, kind: GateKind, inputs: Iterable[Literal]) -> Literal:
        gate = Gate(kind, tuple(inputs))
        if gate not in self._known:
            self._known[gate] = 2 * len(self.gates)
            self.gates.append(gate)
        return self._known[gate]

    def all_of(self, *bits: Literal) -> Literal:
        return _tree(self._both, bits, ONE)

    def any_of(self, *bits: Literal) -> Literal:
        return self.all_of(*(bit ^ 1 for bit in bits)) ^ 1

    def differ(self, *bits: Literal) -> Literal:
        return _tree(self._one, bits, ZERO)

    def _both(self, one: Literal, other: Literal) -> Literal:
        one, other = sorted((one, other))
        if one == ZERO or one == other ^ 1:
            return ZERO
        return other if one in (ONE, other) else self._gate(GateKind.AND, (one, other))

    def _one(self, one: Literal, other: Literal) -> Literal:
        inverted, (one, other) = (one ^ other) & 1, sorted((one & ~1, other & ~1))
        if one == other:
            return inverted
        return (other if one == ZERO else self._gate(GateKind.XOR, (one, other))) ^ inverted

    def chosen(self, condition: Literal, if_one: Literal, if_zero: Literal) -> Literal:
        count = len(self.gates)
        found = self._chosen(condition, if_one, if_zero)
        if found // 2 >= count:
            self.choices[found // 2] = Choice(condition, (if_one, if_zero))
        return found

    def _chosen(self, condition: Literal, if_one: Literal, if_zero: Literal) -> Literal:
        if if_one == if_zero or condition == ZERO:
            return if_zero
        if condition == ONE:
            return if_one
        if if_one == if_zero ^ 1:
            return self.differ(condition, if_zero)
        if ZERO in (if_one, if_zero) or ONE in (if_one, if_zero):
            taken = self.all_of(condition, if_one)
            return self.any_of(taken, self.all_of(condition ^ 1, if_zero))
        return self._gate(GateKind.MUX, (condition, if_one, if_zero))

    def looked_up(self, table: int, index: Sequence[Literal]) -> Literal:
        """The bit of a truth table that an index names: choices, the highest bit of it first.

        Parameters
        ----------
        table : of 2^(bits of the index) bits; bit k is the value at index k.
        index : bits, lowest first.
        """
        known: dict[tuple[int, int], Literal] = {}

        def build(part: int, bits: int) -> Literal:
            if part in (0, (1 << (1 << bits)) - 1):
                return part & 1
            if (part, bits) not in known:
                half = 1 << (bits - 1)
                below = build(part & ((1 << half) - 1), bits - 1)
                above = build(part >> half, bits - 1)
                known[part, bits] = self.chosen(index[bits - 1], above, below)
            return known[part, bits]

        return build(table, len(index))

    def exclude(self, one: Literal, other: Literal) -> bool:
        """Whether two bits cannot both be 1, as comparisons with different constants."""
        first, second = self._factors(one), self._factors(other)
        return any(bit ^ 1 in second for bit in first)

    def _factors(self, bit: Literal) -> set[Literal]:
        """Bits that are all 1 where this one is."""
        gate = self.gates[bit // 2]
        if bit & 1 or gate.kind is not GateKind.AND:
            return {bit}
        return set[Literal]().union(*map(self._factors, gate.inputs))


def _tree(
    gate: Callable[[Literal, Literal], Literal], bits: Iterable[Literal], empty: Literal
) -> Literal:
    """A balanced tree of gates of two inputs."""
    level = list(bits)
    while len(level) > 1:
        pairs = [gate(*pair) for pair in zip(level[::2], level[1::2], strict=False)]
        level = pairs + level[2 * len(pairs) :]
    return level[0] if level else empty
