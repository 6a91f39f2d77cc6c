"""A design unrolled over clock cycles: the words that a signal is computed from.

A register is what it loaded one cycle earlier. So a signal in a cycle is a graph of operators over
the inputs in certain cycles, and over the signals of nodes, which are cut: free variables.

The file holds the unrolled graph and its evaluation, which read each other's words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from kan_dialect.errors import KanError
from kan_dialect.flows.prove.second_opinion.solver import OPERATORS, Solver, Term
from kan_dialect.flows.prove.second_opinion.text import Design, Expression
from kan_dialect.ir.constants import IntArray


class Undecided(Exception):
    """There is no answer; the text says why."""


@dataclass(frozen=True, eq=False)
class Variable:
    """A free variable: an input in a cycle, or a signal that holds a node."""

    name: str
    cycle: int
    width: int
    low: int
    high: int
    """Its codes, two's complement where `low` < 0."""

    number: int
    """Counts up, among all variables."""

    @property
    def signed(self) -> bool:
        return self.low < 0

    @property
    def codes(self) -> IntArray:
        return np.arange(self.low, self.high + 1, dtype=np.int64)

    def code(self, pattern: int) -> int:
        """The code of an unsigned number."""
        return pattern - (1 << self.width if self.signed and pattern >> self.width - 1 else 0)

    def patterns(self, codes: IntArray) -> NDArray[np.uint64]:
        """Codes as unsigned numbers."""
        return codes.astype(np.uint64) & _mask(self.width)


@dataclass(eq=False, slots=True)
class Word:
    """An operator of SMT-LIB on other words."""

    operator: str
    """`free` of a variable, `value` of a constant, else SMT-LIB's name."""

    arguments: tuple[Word, ...]
    indices: tuple[int, ...]
    width: int
    """Bits; 0: a truth value."""

    order: int
    """More than those of its arguments."""

    support: int
    """Numbers of the variables that it is made of, as bits."""

    value: int = 0
    variable: Variable | None = None
    address: Word | None = None
    """Of a table, which is a constant that is shifted, by how much."""

    @property
    def needs(self) -> tuple[Word, ...]:
        """What its value is computed from, apart from constants."""
        return self.arguments if self.address is None else (self.address,)

    @property
    def may_leave(self) -> bool:
        """Whether it is a table that has fewer entries than its address has values."""
        address = self.address
        return address is not None and 1 << address.width > self.arguments[0].width

    @property
    def is_simple(self) -> bool:
        """Whether it is made of at most one variable."""
        return not self.support & (self.support - 1)


MOST_REGISTERS = 100_000


@dataclass
class Words:
    """The words of a design, with some signals cut."""

    design: Design
    variables: list[Variable]
    """All of them, by number; inputs in other cycles than 0 are added."""

    inputs: Mapping[str, Variable]
    """Inputs of the sample, by port: they come in cycle 0."""

    cuts: Mapping[tuple[str, int], Mapping[int, tuple[Variable, int]]]
    """Of each function in a cycle, the bits of it that are bits of a variable."""

    _known: dict[tuple[str, int], Word] = field(default_factory=dict[tuple[str, int], Word])
    _ports: dict[str, dict[int, tuple[str, int]]] = field(
        default_factory=dict[str, dict[int, tuple[str, int]]]
    )
    """Of each function that is part of an input, its bits."""
    _others: dict[tuple[str, int], Variable] = field(
        default_factory=dict[tuple[str, int], Variable]
    )
    """Inputs in other cycles, and undefined words."""
    _free: dict[Variable, Word] = field(default_factory=dict[Variable, Word])
    _stopping: dict[Word, list[int]] = field(default_factory=dict[Word, list[int]])
    """What `_stops` has found."""
    _count: int = 0

    def __post_init__(self) -> None:
        for port in self.design.inputs:
            for index, bit in enumerate(bits_of(self.design, port)):
                assert not isinstance(bit, str)
                self._ports.setdefault(bit[0], {})[bit[1]] = port, index

    def signal(self, name: str, cycle: int) -> Word:
        """A signal of the text in a cycle, as bits.

        Raises
        ------
        Undecided : an operator has no meaning here.
        """
        found = self.function(self.design.signals[name], cycle)
        return found if found.width else self._bit(found)

    def function(self, name: str, cycle: int) -> Word:
        """A function of the design in a cycle."""
        waiting = [(name, cycle)]
        while waiting:
            function, when = key = waiting[-1]
            if key in self._known:
                waiting.pop()
                continue
            body, shift = self.design.bodies.get(function), 0
            if function in self.design.following:
                body, shift = self.design.following[function], -1
            if self._is_cut_whole(key):
                body = None
            missing = [
                (other, when + shift)
                for other in _functions(body)
                if (other, when + shift) not in self._known
            ]
            if missing:
                waiting.extend(missing)
                continue
            found = self._leaf(key) if body is None else self._build(body, when + shift)
            self._known[key] = self._with_cuts(key, found)
        return self._known[name, cycle]

    def free(self, variable: Variable) -> Word:
        if variable not in self._free:
            support = 1 << variable.number
            word = Word("free", (), (), variable.width, self._next(), support, variable=variable)
            self._free[variable] = word
        return self._free[variable]

    def _next(self) -> int:
        self._count += 1
        return self._count

    def _is_cut_whole(self, key: tuple[str, int]) -> bool:
        return len(self.cuts.get(key, ())) == max(1, self.design.widths[key[0]])

    def _leaf(self, key: tuple[str, int]) -> Word:
        """Bits without a driver: an input, or undefined."""
        function, cycle = key
        width = max(1, self.design.widths[function])
        ports = self._ports.get(function, {})
        names = {name for name, _ in ports.values()}
        of = {name: self._input(name, cycle, self.design.inputs[name]) for name in names}
        bits = {index: (of[name], bit) for index, (name, bit) in ports.items()}
        rest = (
            self._value(width, 0)
            if len(bits) == width or self._is_cut_whole(key)
            else self.free(self._input(f"undefined {function}", cycle, width))
        )
        found = self._replaced(rest, bits)
        return found if self.design.widths[function] else self._truth(found)

    def _input(self, name: str, cycle: int, width: int) -> Variable:
        if cycle == 0 and name in self.inputs:
            return self.inputs[name]
        if (name, cycle) not in self._others:
            number = len(self.variables)
            variable = Variable(name, cycle, width, 0, (1 << width) - 1, number)
            self._others[name, cycle] = variable
            self.variables.append(variable)
        return self._others[name, cycle]

    def _with_cuts(self, key: tuple[str, int], word: Word) -> Word:
        """A word with some bits replaced by those of variables."""
        cut = self.cuts.get(key)
        if not cut:
            return word
        if word.width:
            return self._replaced(word, cut)
        return self._truth(self._replaced(self._value(1, 0), cut))

    def _replaced(self, word: Word, bits: Mapping[int, tuple[Variable, int]]) -> Word:
        """A word of constant bits and bits of variables."""
        if not bits:
            return word
        parts: list[Word] = []
        at = 0
        while at < word.width:
            end = at
            if at in bits:
                variable, first = bits[at]
                while bits.get(end + 1) == (variable, first + end + 1 - at):
                    end += 1
                part = self._slice(self.free(variable), first + end - at, first)
            else:
                while end + 1 < word.width and end + 1 not in bits:
                    end += 1
                part = self._slice(word, end, at)
            parts.append(part)
            at = end + 1
        found = parts[0]
        for part in parts[1:]:
            found = self._apply("concat", (part, found), ())
        return found

    def _slice(self, word: Word, last: int, first: int) -> Word:
        if (first, last) == (0, word.width - 1):
            return word
        return self._apply("extract", (word,), (last, first))

    def _truth(self, bit: Word) -> Word:
        return self._apply("=", (bit, self._value(1, 1)), ())

    def _bit(self, truth: Word) -> Word:
        return self._apply("ite", (truth, self._value(1, 1), self._value(1, 0)), ())

    def _value(self, width: int, value: int) -> Word:
        return Word("value", (), (), width, self._next(), 0, value)

    def _build(self, body: Expression, cycle: int) -> Word:
        match body:
            case "true" | "false":
                return self._value(0, int(body == "true"))
            case str():
                if not body.startswith("#b"):
                    raise Undecided(f"'{body}' in Yosys's SMT text has no meaning")
                return self._value(len(body) - 2, int(body[2:], 2))
            case (str(name), "state") if name[0] == "|":
                return self._known[name.strip("|"), cycle]
            case (("_", str(operator), *indices), *arguments):
                words = tuple(self._build(argument, cycle) for argument in arguments)
                return self._apply(operator, words, tuple(int(str(index)) for index in indices))
            case (str(operator), *arguments):
                words = tuple(self._build(argument, cycle) for argument in arguments)
                return self._apply(operator, words, ())
            case _:
                raise Undecided("an expression of Yosys's SMT text has no meaning")

    def _apply(self, operator: str, words: tuple[Word, ...], indices: tuple[int, ...]) -> Word:
        if operator not in OPERATORS:
            raise Undecided(f"'{operator}' in Yosys's SMT text has no meaning")
        if operator == "concat" and words[1].operator == "concat":
            # Words of one variable stand side by side.
            upper, (middle, lower) = words[0], words[1].arguments
            support = upper.support | middle.support
            if upper.support and not support & (support - 1):
                words = (self._apply("concat", (upper, middle), ()), lower)
        if operator == "extract" and words[0].operator == "concat":
            # Only the parts of the concatenation that are read.
            upper, lower = words[0].arguments
            last, first = indices
            if last < lower.width:
                return self._slice(lower, last, first)
            if first >= lower.width:
                return self._slice(upper, last - lower.width, first - lower.width)
        if operator == "extract" and words[0].operator == "bvadd":
            # Adders side by side: no carry comes from below a place at which both numbers are 0.
            last, first = indices
            stops = self._stops(words[0])
            low = max((stop + 1 for stop in stops if stop < first), default=0)
            if stops and (low, last) != (0, words[0].width - 1):
                left, right = (self._slice(word, last, low) for word in words[0].arguments)
                total = self._apply("bvadd", (left, right), ())
                return self._slice(total, last - low, first - low)
        support = 0
        for word in words:
            support |= word.support
        width = _width(operator, words, indices)
        address = None
        if operator in ("bvlshr", "bvshl", "bvashr") and words[1].support:
            address = self._address(operator, words)
            support = address.support
            above = words[1].width - address.width
            padded = (self._value(above, 0), address)
            words = words[0], self._apply("concat", padded, ()) if above else address
        order = self._next()
        found = Word(operator, words, indices, width, order, support, address=address)
        return found

    def _stops(self, total: Word) -> list[int]:
        """Places at which both numbers of a sum are 0, one of them by a signal."""
        if total not in self._stopping:
            pairs = [
                [self._slice(word, place, place) for word in total.arguments]
                for place in range(total.width)
            ]
            self._stopping[total] = [
                place
                for place, pair in enumerate(pairs)
                if any(map(_is_contradiction, pair)) and any(map(_is_zero, pair))
            ]
        return self._stopping[total]

    def _address(self, operator: str, words: tuple[Word, ...]) -> Word:
        """The amount by which a constant is shifted, without leading zeros."""
        table, amount = words
        if operator != "bvlshr" or table.operator != "value":
            raise Undecided("a shift by a variable")
        while amount.operator == "concat" and amount.arguments[0].operator == "value":
            upper, lower = amount.arguments
            bits = upper.value.bit_length()
            if bits == upper.width:
                break
            if bits:
                return self._apply("concat", (self._value(bits, upper.value), lower), ())
            amount = lower
        return amount


def _is_zero(bit: Word) -> bool:
    """Whether a bit is a constant 0."""
    place = 0
    while bit.operator == "extract":
        place, bit = place + bit.indices[1], bit.arguments[0]
    return bit.operator == "value" and not bit.value >> place & 1


def _is_contradiction(bit: Word) -> bool:
    """Whether a bit says that one word is two different constants."""
    if bit.operator != "bvand" or bit.width != 1:
        return False
    said: list[tuple[Word, ...]] = []
    for argument in bit.arguments:
        if argument.operator == "ite":
            case, one, other = argument.arguments
            bits = one.operator == other.operator == "value" and (one.value, other.value) == (1, 0)
            if bits and case.operator == "=":
                said.append(case.arguments)
    if len(said) != 2:
        return False
    (first, value), (second, another) = said
    constants = value.operator == another.operator == "value" and value.value != another.value
    return constants and _is_same(first, second)


def _is_same(first: Word, second: Word) -> bool:
    """Whether two words are one word, operator by operator."""
    if first is second:
        return True
    facts = [(w.operator, w.indices, w.width, w.value, w.variable) for w in (first, second)]
    return facts[0] == facts[1] and all(map(_is_same, first.arguments, second.arguments))


def _functions(body: Expression | None) -> Iterable[str]:
    """The functions that an expression reads."""
    match body:
        case None | str():
            return
        case (str(name), "state") if name[0] == "|":
            yield name.strip("|")
        case _:
            for part in body:
                if not isinstance(part, str):
                    yield from _functions(part)


Bit: TypeAlias = tuple[str, int] | str
"""A bit of a function, or the constant `0` or `1`."""


def bits_of(design: Design, signal: str) -> list[Bit]:
    """The bits of a signal, lowest first, as bits of cells, registers and inputs."""
    return _bits(design, (f"|{design.signals[signal]}|", "state"))


def _bits(design: Design, body: Expression) -> list[Bit]:
    match body:
        case "true" | "false":
            return ["1" if body == "true" else "0"]
        case str():
            return list(reversed(body.removeprefix("#b")))
        case (str(name), "state") if name[0] == "|":
            function = name.strip("|")
            if function in design.signals.values() and function in design.bodies:
                return _bits(design, design.bodies[function])
            return [(function, index) for index in range(max(1, design.widths[function]))]
        case ("concat", upper, lower):
            return _bits(design, lower) + _bits(design, upper)
        case (("_", "extract", str(last), str(first)), inner):
            return _bits(design, inner)[int(first) : int(last) + 1]
        case ("=", inner, "#b1"):
            return _bits(design, inner)
        case ("ite", inner, "#b1", "#b0"):
            return _bits(design, inner)
        case _:
            raise Undecided("a signal is not made of bits of cells")


def check_acyclic(design: Design) -> None:
    """Refuse what feeds back, by way of registers or not.

    Raises
    ------
    KanError : a signal depends on itself.
    """
    state: dict[str, bool] = {}
    for start in design.widths:
        stack = [(start, iter(_sources(design, start)))] if start not in state else []
        state.setdefault(start, False)
        while stack:
            name, sources = stack[-1]
            for source in sources:
                if source not in state:
                    state[source] = False
                    stack.append((source, iter(_sources(design, source))))
                    break
                if not state[source]:
                    raise KanError(
                        "a signal of the RTL depends on itself",
                        remedy="only pipelines without feedback can be proven",
                    )
            else:
                state[name] = True
                stack.pop()


def _sources(design: Design, function: str) -> Iterable[str]:
    yield from _functions(design.bodies.get(function))
    yield from _functions(design.following.get(function))


def _width(operator: str, words: Sequence[Word], indices: Sequence[int]) -> int:
    match operator:
        case "concat":
            return sum(word.width for word in words)
        case "extract":
            return indices[0] - indices[1] + 1
        case "zero_extend" | "sign_extend":
            return words[0].width + indices[0]
        case "ite":
            return words[1].width
        case "bvcomp":
            return 1
        case "=" | "distinct" | "and" | "or" | "xor" | "not":
            return 0
        case "bvult" | "bvule" | "bvugt" | "bvuge" | "bvslt" | "bvsle" | "bvsgt" | "bvsge":
            return 0
        case _:
            return words[0].width


def cone(roots: Iterable[Word], given: Mapping[Word, object], *, whole: bool = False) -> list[Word]:
    """What words are made of, down to those given, each after its arguments.

    `whole`: with the constants and addresses of tables as they are written.
    """
    found: set[Word] = set()
    waiting = list(roots)
    while waiting:
        word = waiting.pop()
        if word in found or word in given:
            continue
        found.add(word)
        waiting.extend(word.arguments if whole else word.needs)
    return sorted(found, key=lambda word: word.order)


def terms(roots: Sequence[Word], known: dict[Word, Term], solver: Solver) -> list[Term]:
    """Words as terms of the solver, operator by operator. `known` words stay as they are.

    All terms that are made are added to those known.
    """
    for word in cone(roots, known, whole=True):
        if word.operator == "value":
            known[word] = (
                solver.constant(word.width, word.value)
                if word.width
                else solver.truth(bool(word.value))
            )
        else:
            arguments = [known[argument] for argument in word.arguments]
            known[word] = solver.apply(word.operator, arguments, word.indices)
    return [known[root] for root in roots]


Numbers = NDArray[np.uint64]


def evaluate(root: Word, given: Mapping[Word, Numbers]) -> Numbers:
    """Numbers of a word for rows of given ones. They are hints, and so nothing rests on them.

    Raises
    ------
    Undecided : a word is too wide.
    """
    known = dict(given)
    with np.errstate(over="ignore"):
        for word in cone([root], given):
            if word.width > 64 and word.operator != "value" and word.address is None:
                raise Undecided(f"a word of {word.width} bits")
            known[word] = _evaluate(word, [known[needed] for needed in word.needs])
    return known[root]


def _mask(width: int) -> np.uint64:
    return np.uint64((1 << min(width, 64)) - 1)


def _signed(numbers: Numbers, width: int) -> NDArray[np.int64]:
    shift = np.uint64(64 - width)
    return (numbers << shift).astype(np.int64) >> np.int64(64 - width)


def _evaluate(word: Word, values: Sequence[Numbers]) -> Numbers:
    found = _operate(word, values)
    return np.asarray(found).astype(np.uint64) & _mask(word.width or 1)


def _operate(word: Word, values: Sequence[Numbers]) -> NDArray[np.generic]:
    widths = [argument.width for argument in word.needs]
    match word.operator, values:
        case "value", _:
            return np.array(word.value & ((1 << 64) - 1), np.uint64)
        case "bvlshr", [address] if word.address is not None:
            # Only the lowest bit of the shifted value is known here.
            if widths[0] > 20:
                raise Undecided(f"an address of {widths[0]} bits")
            table, size = word.arguments[0].value, max(word.arguments[0].width, 1 << widths[0])
            bits = np.frombuffer(table.to_bytes((size + 7) // 8, "little"), np.uint8)
            return np.unpackbits(bits, bitorder="little").astype(np.uint64)[address]
        case "concat", [upper, lower]:
            return (upper << np.uint64(widths[1])) | lower
        case "extract", [whole]:
            return whole >> np.uint64(word.indices[1])
        case "zero_extend", [whole]:
            return whole
        case "sign_extend", [whole]:
            return _signed(whole, widths[0])
        case "ite", [chosen, first, second]:
            return np.where(chosen, first, second)
        case "bvadd", [first, second]:
            return first + second
        case "bvsub", [first, second]:
            return first - second
        case "bvmul", [first, second]:
            return first * second
        case "bvneg", [only]:
            return ~only + np.uint64(1)
        case "bvnot", [only]:
            return ~only
        case "not", [only]:
            return only ^ np.uint64(1)
        case "bvand" | "and", _:
            return np.bitwise_and.reduce(np.broadcast_arrays(*values))
        case "bvor" | "or", _:
            return np.bitwise_or.reduce(np.broadcast_arrays(*values))
        case "bvxor" | "xor", _:
            return np.bitwise_xor.reduce(np.broadcast_arrays(*values))
        case "bvxnor", [first, second]:
            return ~(first ^ second)
        case (("=" | "bvcomp"), [first, second]):
            return first == second
        case "distinct", [first, second]:
            return first != second
        case "bvlshr", [first, amount]:
            return np.where(amount < widths[0], first >> amount, 0)
        case "bvshl", [first, amount]:
            return np.where(amount < widths[0], first << amount, 0)
        case "bvashr", [first, amount]:
            return _signed(first, widths[0]) >> np.minimum(amount, 63).astype(np.int64)
        case (("bvult" | "bvule" | "bvugt" | "bvuge"), [first, second]):
            return _compare(word.operator[3:], first, second)
        case (("bvslt" | "bvsle" | "bvsgt" | "bvsge"), [first, second]):
            return _compare(
                word.operator[3:], _signed(first, widths[0]), _signed(second, widths[1])
            )
        case _:
            raise Undecided(f"'{word.operator}' of {len(values)} words")


def _compare(
    how: str, first: NDArray[np.generic], second: NDArray[np.generic]
) -> NDArray[np.generic]:
    match how:
        case "lt":
            return np.less(first, second)
        case "le":
            return np.less_equal(first, second)
        case "gt":
            return np.greater(first, second)
        case _:
            return np.greater_equal(first, second)
