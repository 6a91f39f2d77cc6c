"""Terms as words: which variables they are made of, and their numbers for rows of codes.

Some slices and concatenations are written otherwise, so that a word is made of fewer variables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kan_dialect.flows.prove.second_opinion.solver import Solver, Term, width_of
from kan_dialect.flows.prove.second_opinion.text import Design, Undecided, Variable, below


@dataclass(eq=False, slots=True)
class Word:
    """A term of the solver, and what it is made of."""

    term: Term
    kind: str
    """The solver's name of the operator."""

    arguments: tuple[Word, ...]
    indices: tuple[int, ...]
    width: int
    """Bits; 0: a truth value."""

    support: int
    """Numbers of the variables that it is made of, as bits."""

    address: Word | None = None
    """Of a table, which is a constant that is shifted, by how much, without leading zeros."""

    @property
    def number(self) -> int | None:
        """Of a constant, its number."""
        if self.kind != "VALUE":
            return None
        return int(self.term.value(2), 2) if self.width else int(self.term.value(2))

    @property
    def needs(self) -> tuple[Word, ...]:
        """What its value is computed from, apart from the constant of a table."""
        return self.arguments if self.address is None else (self.address,)

    @property
    def is_simple(self) -> bool:
        """Whether it is made of at most one variable."""
        return not self.support & (self.support - 1)


@dataclass
class Words:
    """The words of a design; equal terms are one word."""

    design: Design
    _known: dict[Term, Word] = field(default_factory=dict[Term, Word])
    """Of each term as it was written, the word."""

    _made: dict[Term, Word] = field(default_factory=dict[Term, Word])

    @property
    def solver(self) -> Solver:
        return self.design.solver

    @property
    def variables(self) -> list[Variable]:
        return self.design.variables

    def word(self, term: Term) -> Word:
        """What a term is, with all below it.

        Raises
        ------
        Undecided : an operator has no meaning here.
        """
        for each in below(term, self._known):
            arguments = [self._known[child] for child in each.children()]
            kind = each.kind().name
            self._known[each] = (
                self._apply(kind, arguments, each.indices()) if arguments else self._leaf(each)
            )
        return self._known[term]

    def free(self, variable: Variable) -> Word:
        return self.word(variable.term)

    def _leaf(self, term: Term) -> Word:
        if term.kind().name == "VALUE":
            return Word(term, "VALUE", (), (), width_of(term), 0)
        (of,) = (of for of in self.variables if of.term == term)
        return Word(term, "CONSTANT", (), (), of.width, 1 << of.number)

    def _slice(self, word: Word, high: int, low: int) -> Word:
        if (high, low) == (word.width - 1, 0):
            return word
        return self._apply("BV_EXTRACT", [word], [high, low])

    def _apply(self, kind: str, words: Sequence[Word], indices: Sequence[int] = ()) -> Word:
        if kind == "BV_CONCAT" and words[1].kind == "BV_CONCAT":
            # Words of one variable stand side by side.
            upper, (middle, lower) = words[0], words[1].arguments
            support = upper.support | middle.support
            if upper.support and not support & (support - 1):
                words = [self._apply("BV_CONCAT", [upper, middle]), lower]
        if kind == "BV_EXTRACT":
            high, low = indices
            inner = words[0]
            match inner.kind:
                case "BV_EXTRACT":
                    first = inner.indices[1]
                    return self._slice(inner.arguments[0], high + first, low + first)
                case "BV_CONCAT":
                    # Only the parts of the concatenation that are read.
                    upper, lower = inner.arguments
                    if high < lower.width:
                        return self._slice(lower, high, low)
                    if low >= lower.width:
                        return self._slice(upper, high - lower.width, low - lower.width)
                case "BV_ADD":
                    # Adders side by side: no carry comes from below two zeros.
                    stops = [stop + 1 for stop in self._stops(inner) if stop < low]
                    if stops:
                        first = max(stops)
                        parts = [self._slice(each, high, first) for each in inner.arguments]
                        total = self._apply("BV_ADD", parts)
                        return self._slice(total, high - first, low - first)
                case _:
                    pass
        if kind in ("BV_SHL", "BV_ASHR") and words[1].support:
            raise Undecided("a shift by a variable")
        support = 0
        for word in words:
            support |= word.support
        term = self.solver.apply(kind, *(word.term for word in words), indices=indices)
        if term not in self._made:
            address = self._address(words[1]) if kind == "BV_SHR" and words[1].support else None
            self._made[term] = Word(
                term, kind, tuple(words), tuple(indices), width_of(term), support, address
            )
        return self._made[term]

    def _address(self, amount: Word) -> Word:
        """The amount of a shift without leading zeros."""
        while amount.kind == "BV_CONCAT" and (upper := amount.arguments[0].number) is not None:
            lower = amount.arguments[1]
            if upper:
                bits = self.solver.constant(upper.bit_length(), upper)
                return self._apply("BV_CONCAT", [self.word(bits), lower])
            amount = lower
        return amount

    def _stops(self, total: Word) -> list[int]:
        """Places at which one number of a sum is 0, and the other one a signal that is always 0."""
        found: list[int] = []
        for one, other in (total.arguments, total.arguments[::-1]):
            place = 0
            for part in _parts(one):
                is_signal = part.width == 1 and part.kind == "BV_AND" and part.support
                if is_signal and self._slice(other, place, place).number == 0:
                    zero = self.solver.apply("EQUAL", part.term, self.solver.constant(1, 0))
                    if self.solver.always(zero, (), 1.0):
                        found.append(place)
                place += part.width
        return found


def _parts(word: Word) -> Iterable[Word]:
    """The parts of a concatenation, lowest first."""
    if word.kind != "BV_CONCAT":
        yield word
        return
    for argument in reversed(word.arguments):
        yield from _parts(argument)


def cone(root: Word, given: Mapping[Word, object]) -> list[Word]:
    """What a word is computed from, down to those given, each after its arguments."""
    found: dict[Word, None] = {}
    waiting = [(root, False)]
    while waiting:
        word, is_ready = waiting.pop()
        if is_ready:
            found[word] = None
        elif word not in found and word not in given:
            waiting.append((word, True))
            waiting.extend((needed, False) for needed in word.needs)
    return list(found)


Numbers = NDArray[np.uint64]


def evaluate(root: Word, given: Mapping[Word, Numbers]) -> Numbers:
    """Numbers of a word for rows of given ones. They are hints, and so nothing rests on them.

    Raises
    ------
    Undecided : a word is too wide.
    """
    known = dict(given)
    with np.errstate(over="ignore"):
        for word in cone(root, given):
            if word.width > 64 and word.address is None and word.kind != "VALUE":
                raise Undecided(f"a word of {word.width} bits")
            found = _number(word, [known[needed] for needed in word.needs])
            known[word] = np.asarray(found).astype(np.uint64) & _mask(word.width or 1)
    return known[root]


def _mask(width: int) -> np.uint64:
    return np.uint64((1 << min(width, 64)) - 1)


def _number(word: Word, values: Sequence[Numbers]) -> NDArray[np.generic]:
    """What an operator gives; bits above its width are not masked."""
    if word.number is not None:
        return np.array(word.number & ((1 << 64) - 1), np.uint64)
    if word.address is not None:
        return _table(word.arguments[0], word.address.width)[values[0]]
    widths = [argument.width for argument in word.needs]
    match word.kind:
        case "BV_CONCAT":
            return (values[0] << np.uint64(widths[1])) | values[1]
        case "BV_EXTRACT":
            return values[0] >> np.uint64(word.indices[1])
        case "BV_SIGN_EXTEND":
            return _signed(values[0], widths[0])
        case "BV_ASHR":
            return _signed(values[0], widths[0]) >> np.minimum(values[1], 63).astype(np.int64)
        case "ITE":
            return np.where(*values)
        case kind if kind in _OF_ONE:
            return _OF_ONE[kind](values[0])
        case kind if kind in _OF_TWO:
            return _OF_TWO[kind](values[0], values[1])
        case kind if kind in _OF_TWO_SIGNED:
            left, right = map(_signed, values, widths)
            return _OF_TWO_SIGNED[kind](left, right)
        case _:
            raise Undecided(f"'{word.kind}' of {len(values)} words")


def _table(table: Word, address_width: int) -> Numbers:
    """The lowest bit of a constant that is shifted by each address."""
    if address_width > 20 or table.number is None:
        raise Undecided("a shift by a variable")
    size = max(table.width, 1 << address_width)
    bits = np.frombuffer(table.number.to_bytes((size + 7) // 8, "little"), np.uint8)
    return np.unpackbits(bits, bitorder="little").astype(np.uint64)


def _signed(numbers: Numbers, width: int) -> NDArray[np.int64]:
    shift = np.uint64(64 - width)
    return (numbers << shift).astype(np.int64) >> np.int64(64 - width)


_OF_ONE: dict[str, Callable[[Numbers], NDArray[np.generic]]] = {
    "BV_ZERO_EXTEND": lambda a: a,
    "BV_NEG": lambda a: ~a + np.uint64(1),
    "BV_NOT": np.invert,
    "NOT": np.invert,
}
_OF_TWO: dict[str, Callable[[Numbers, Numbers], NDArray[np.generic]]] = {
    "BV_ADD": np.add,
    "BV_SUB": np.subtract,
    "BV_MUL": np.multiply,
    "BV_AND": np.bitwise_and,
    "AND": np.bitwise_and,
    "BV_OR": np.bitwise_or,
    "OR": np.bitwise_or,
    "BV_XOR": np.bitwise_xor,
    "BV_XNOR": lambda a, b: ~(a ^ b),
    "EQUAL": np.equal,
    "BV_COMP": np.equal,
    "DISTINCT": np.not_equal,
    "BV_SHR": lambda a, places: np.where(places < 64, a >> (places & np.uint64(63)), 0),
    "BV_SHL": lambda a, places: np.where(places < 64, a << (places & np.uint64(63)), 0),
    "BV_ULT": np.less,
    "BV_ULE": np.less_equal,
    "BV_UGT": np.greater,
    "BV_UGE": np.greater_equal,
}
_OF_TWO_SIGNED: dict[str, Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.generic]]] = {
    "BV_SLT": np.less,
    "BV_SLE": np.less_equal,
    "BV_SGT": np.greater,
    "BV_SGE": np.greater_equal,
}
