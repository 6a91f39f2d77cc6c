"""Gates of two inputs and inverters, and integers as words of them.

The model is stated in these gates, and the design is read into the same ones. Nothing is decided
here: that is ABC's task.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from kan_dialect.ir.constants import IntArray

FALSE, TRUE = 0, 1
"""Literals. That of gate number n is 2n, and 2n + 1 is its inverse."""


class Undecided(Exception):
    """A question is outside of what a second opinion answers."""


@dataclass
class Graph:
    """And-gates over inputs. Equal gates are one."""

    gates: list[tuple[int, int] | None] = field(default_factory=lambda: [None])
    """The operands of each gate; None of an input, and of gate 0, which is false."""

    known: dict[tuple[int, int], int] = field(default_factory=dict[tuple[int, int], int])

    def input(self) -> int:
        self.gates.append(None)
        return 2 * len(self.gates) - 2

    def both(self, left: int, right: int) -> int:
        left, right = min(left, right), max(left, right)
        if left == FALSE or left == right ^ 1:
            return FALSE
        if left in (TRUE, right):
            return right
        if (left, right) not in self.known:
            self.known[left, right] = 2 * len(self.gates)
            self.gates.append((left, right))
        return self.known[left, right]

    def either(self, left: int, right: int) -> int:
        return self.both(left ^ 1, right ^ 1) ^ 1

    def chosen(self, condition: int, one: int, other: int) -> int:
        """`one` where the condition is true, else `other`."""
        if one == other:
            return one
        return self.either(self.both(condition, one), self.both(condition ^ 1, other))

    def differ(self, left: int, right: int) -> int:
        return self.chosen(left, right ^ 1, right)

    def any_of(self, literals: Iterable[int]) -> int:
        whole = FALSE
        for literal in literals:
            whole = self.either(whole, literal)
        return whole

    def cone(self, roots: Iterable[int]) -> list[int]:
        """The numbers of all gates that the roots depend on, operands first."""
        found: set[int] = set()
        pending = [literal >> 1 for literal in roots]
        while pending:
            number = pending.pop()
            if number not in found:
                found.add(number)
                pending += [literal >> 1 for literal in self.gates[number] or ()]
        return sorted(found)

    def evaluate(self, roots: Sequence[int], inputs: Mapping[int, int], rows: int) -> list[int]:
        """The values of literals in many rows; every integer has a bit for each row.

        Parameters
        ----------
        inputs : by number of the input.
        """
        every = (1 << rows) - 1
        values: dict[int, int] = {}

        def of(literal: int) -> int:
            return values[literal >> 1] ^ (every if literal & 1 else 0)

        for number in self.cone(roots):
            gate = self.gates[number]
            if gate is not None:
                values[number] = of(gate[0]) & of(gate[1])
            else:
                values[number] = inputs.get(number, 0)
        return [of(literal) for literal in roots]


@dataclass(frozen=True)
class Word:
    """An integer of low..high: bits of two's complement, or of a natural number if low >= 0."""

    bits: tuple[int, ...]
    """Literals, the lowest first."""
    low: int
    high: int
    rank: int = 0
    """The highest one of the nodes that it depends on; see `claims.py`."""

    def bit(self, place: int) -> int:
        """Any bit of the number, those that extend it too."""
        if place < len(self.bits):
            return self.bits[place]
        return self.bits[-1] if self.low < 0 and self.bits else FALSE


@dataclass
class Arithmetic:
    """What the ops of a model compute, in gates."""

    graph: Graph

    def constant(self, value: int) -> Word:
        return self.word([(value >> place) & 1 for place in range(_width(value, value))], value)

    def word(self, bits: Sequence[int], low: int, high: int | None = None, rank: int = 0) -> Word:
        """The number in these bits, which is known to be in low..high."""
        high = low if high is None else high
        return Word(tuple(bits[: _width(low, high)]), low, high, rank)

    def add(self, left: Word, right: Word) -> Word:
        low, high = left.low + right.low, left.high + right.high
        bits, carry = list[int](), FALSE
        for place in range(_width(low, high)):
            one, other = left.bit(place), right.bit(place)
            odd = self.graph.differ(one, other)
            bits.append(self.graph.differ(odd, carry))
            carry = self.graph.chosen(odd, carry, one)
        return self.word(bits, low, high, max(left.rank, right.rank))

    def total(self, words: Iterable[Word], bias: int = 0) -> Word:
        whole = self.constant(bias)
        for word in words:
            whole = self.add(whole, word)
        return whole

    def negative(self, word: Word) -> Word:
        low, high = -word.high, -word.low
        width = max(_width(low, high), _width(word.low, word.high))
        inverse = [word.bit(place) ^ 1 for place in range(width)]
        inverse = self.word([*inverse, word.bit(width) ^ 1], low - 1, high - 1, word.rank)
        return self.add(inverse, self.constant(1))

    def above(self, word: Word, bound: Word) -> int:
        """Whether the word is larger."""
        apart = self.add(bound, self.negative(word))
        return apart.bit(len(apart.bits)) if apart.low < 0 else FALSE

    def equal(self, left: Word, right: Word) -> int:
        places = range(max(len(left.bits), len(right.bits)) + 1)
        return self.graph.any_of(self.graph.differ(left.bit(p), right.bit(p)) for p in places) ^ 1

    def chosen(self, condition: int, one: Word, other: Word) -> Word:
        low, high = min(one.low, other.low), max(one.high, other.high)
        bits = [
            self.graph.chosen(condition, one.bit(place), other.bit(place))
            for place in range(_width(low, high))
        ]
        return self.word(bits, low, high, max(one.rank, other.rank))

    def clamped(self, word: Word, low: int, high: int) -> Word:
        """The nearest number of low..high."""
        least, most = self.constant(low), self.constant(high)
        risen = self.chosen(self.above(least, word), least, word)
        within = self.chosen(self.above(risen, most), most, risen)
        first, last = (min(max(end, low), high) for end in (word.low, word.high))
        return self.word(within.bits, first, last, word.rank)

    def divided(self, word: Word, shift: int) -> Word:
        """Division by 2^shift, rounded half to even; a negative shift multiplies."""
        if shift <= 0:
            bits = [FALSE] * -shift + list(word.bits)
            return self.word(bits, word.low << -shift, word.high << -shift, word.rank)
        width = len(word.bits) + shift
        floor = [word.bit(place) for place in range(shift, width)]
        quotient = self.word(floor, word.low >> shift, word.high >> shift, word.rank)
        below = self.graph.any_of(word.bit(place) for place in range(shift - 1))
        up = self.graph.both(word.bit(shift - 1), self.graph.either(below, quotient.bit(0)))
        rounded = self.add(quotient, Word((up,), 0, 1))
        low, high = (_half_to_even(end, shift) for end in (word.low, word.high))
        return self.word(rounded.bits, low, high, word.rank)

    def looked_up(self, word: Word, entries: IntArray, first: int) -> Word:
        """The entry of a table, the first of which is that of the number `first`.

        Raises
        ------
        Undecided : the word has too many bits.
        """
        if len(word.bits) > MAX_TABLE_BITS:
            raise Undecided(f"a table of {len(word.bits)} bits")
        patterns = np.arange(1 << len(word.bits))
        if word.low < 0:
            patterns = (patterns ^ len(patterns) // 2) - len(patterns) // 2
        values = entries.astype(np.int64)[patterns.clip(word.low, word.high) - first]
        low, high = int(values.min()), int(values.max())
        bits = [self.function(word.bits, values >> p & 1) for p in range(_width(low, high))]
        return self.word(bits, low, high, word.rank)

    def function(self, selects: Sequence[int], column: IntArray) -> int:
        """A bit by the bits of its index: `column` holds 2^selects literals."""
        for select in selects:
            pairs, which = np.unique(column.reshape(-1, 2), axis=0, return_inverse=True)
            chosen = [self.graph.chosen(select, one, zero) for zero, one in pairs.tolist()]
            column = np.array(chosen, np.int64)[which.ravel()]
        return int(column[0])


MAX_TABLE_BITS = 14
"""No word has more bits where it is the index of a table, or free."""


def _width(low: int, high: int) -> int:
    """Bits of numbers low..high, with a sign if low < 0."""
    if low < 0:
        return max((-1 - low).bit_length(), high.bit_length() if high > 0 else 0) + 1
    return high.bit_length()


def _half_to_even(value: int, shift: int) -> int:
    quotient, rest = divmod(value, 1 << shift)
    half = 1 << shift >> 1
    return quotient + (rest > half or (rest == half and quotient % 2 == 1))
