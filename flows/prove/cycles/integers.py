"""Exact integers as terms: each word is as wide as the range of its number needs.

Sums and products never leave their words, since each is as wide as its range. So equations between
integers are equations between words. `rounded` is the definition: down, and one up where more than
half is left, or half and the number odd.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kan_dialect.flows.prove.cycles.terms import Pool, Term
from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.fixed_point import FixedType
from kan_dialect.ir.quant import storage_for


@dataclass(frozen=True)
class Integer:
    """A word, and the range of its integers: two's complement where that goes below 0."""

    term: Term
    low: int
    high: int

    @property
    def signed(self) -> bool:
        return self.low < 0


@dataclass(frozen=True)
class Arithmetic:
    """Makes integers."""

    pool: Pool

    def variable(self, name: str, low: int, high: int) -> Integer:
        return Integer(self.pool.variable(name, _bits(low, high)), low, high)

    def constant(self, value: int) -> Integer:
        return Integer(self.pool.constant(value, _bits(value, value)), value, value)

    def wide(self, number: Integer, width: int) -> Term:
        """The number's word, extended."""
        return self.pool.extended(number.term, width, signed=number.signed)

    def _made(self, kind: str, operands: Sequence[Integer], low: int, high: int) -> Integer:
        # Modulo 2^width the words are the numbers, and the result is one number of its range.
        width = max(_bits(low, high), *(operand.term.width for operand in operands))
        words = [self.wide(operand, width) for operand in operands]
        whole = Integer(self.pool.make(kind, width, words), low, high)
        return self.held(whole, low, high)

    def held(self, number: Integer, low: int, high: int) -> Integer:
        """A number that is known to lie in a range, in a word of its width."""
        return Integer(self.wide(number, _bits(low, high)), low, high)

    def sum(self, left: Integer, right: Integer) -> Integer:
        return self._made("add", [left, right], left.low + right.low, left.high + right.high)

    def difference(self, left: Integer, right: Integer) -> Integer:
        return self._made("sub", [left, right], left.low - right.high, left.high - right.low)

    def product(self, left: Integer, right: Integer) -> Integer:
        corners = [a * b for a in (left.low, left.high) for b in (right.low, right.high)]
        return self._made("mul", [left, right], min(corners), max(corners))

    def total(self, terms: Sequence[Integer]) -> Integer:
        """The sum of all, neighbours first."""
        left = list(terms)
        while len(left) > 1:
            odd = left[len(left) // 2 * 2 :]
            left = [self.sum(a, b) for a, b in zip(left[::2], left[1::2], strict=False)] + odd
        return left[0]

    def shifted_left(self, number: Integer, places: int) -> Integer:
        if places == 0:
            return number
        low, high = number.low << places, number.high << places
        zeros = self.pool.constant(0, places)
        whole = Integer(self.pool.joined(number.term, zeros), low, high)
        return self.held(whole, low, high)

    def shifted_right(self, number: Integer, places: int) -> Integer:
        """The number over 2^places, rounded down."""
        if places == 0:
            return number
        low, high = number.low >> places, number.high >> places
        word = self.wide(number, max(number.term.width, places) + 1)
        upper = Integer(self.pool.part(word, places, word.width - places), low, high)
        return self.held(upper, low, high)

    def rounded(self, number: Integer, places: int) -> Integer:
        """The number over 2^places, rounded half to even."""
        if places <= 0:
            return self.shifted_left(number, -places)
        pool = self.pool
        down = self.shifted_right(number, places)
        rest = pool.part(self.wide(number, max(number.term.width, places)), 0, places)
        half = pool.constant(1 << (places - 1), places)
        odd = pool.part(down.term, 0, 1)
        tied = pool.both(pool.equal(rest, half), odd)
        up = pool.any_of([pool.make("ult", 1, [half, rest]), tied])
        result = self.sum(down, Integer(up, 0, 1))
        low, high = (_half_to_even(end, places) for end in (number.low, number.high))
        return self.held(result, low, high)

    def saturated(self, number: Integer, low: int, high: int) -> Integer:
        """The number, or the end of a range beyond which it lies."""
        pool = self.pool
        if low <= number.low and number.high <= high:
            return number
        width = 1 + max(number.term.width, _bits(low, high))
        word = self.wide(number, width)
        least, most = pool.constant(low, width), pool.constant(high, width)
        word = pool.chosen(pool.make("slt", 1, [word, least]), least, word)
        word = pool.chosen(pool.make("slt", 1, [most, word]), most, word)
        low, high = max(low, min(number.low, high)), min(high, max(number.high, low))
        return self.held(Integer(word, -1, 1), low, high)

    def in_type(self, number: Integer, kind: FixedType) -> Integer:
        return self.saturated(number, kind.low, kind.high)

    def entry(self, index: Integer, entries: IntArray) -> Integer:
        """The entry of a table, from index 0 on; its last one stands for all behind it."""
        low, high = int(entries.min()), int(entries.max())
        if low == high:
            return self.constant(low)
        width = _bits(low, high)
        mask = (1 << width) - 1
        words = [entry & mask for entry in entries.tolist()]
        words += [words[-1]] * ((1 << index.term.width) - len(words))
        term = self.pool.make("table", width, [index.term], tuple(words))
        return Integer(term, low, high)

    def equal(self, left: Integer, right: Integer) -> Term:
        """Whether two numbers are the same."""
        width = 1 + max(left.term.width, right.term.width)
        return self.pool.equal(self.wide(left, width), self.wide(right, width))


def _bits(low: int, high: int) -> int:
    return storage_for(low, high)[0]


def _half_to_even(value: int, places: int) -> int:
    down, rest = divmod(value, 1 << places)
    half = 1 << (places - 1)
    return down + int(rest > half or (rest == half and down % 2 == 1))
