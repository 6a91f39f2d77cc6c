"""What the signals of a netlist are, cycle by cycle, as forms of free variables.

A signal in cycle t is followed back through operators, and through every register to cycle t - 1,
until an input port or a cut. So a register too many or too few shows as a variable of another
sample. Words are bit patterns; a form stands for the pattern that it is modulo 2^width.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from kan_dialect.errors import KanError
from kan_dialect.flows.prove.forms import (
    Form,
    Image,
    TooHard,
    Undefined,
    UndefinedAt,
    add,
    apply,
    bounds,
    combined,
    constant,
    divided,
    mapped,
    plain,
    scale,
    shifted,
    subtract,
    tamed,
    within,
)
from kan_dialect.flows.prove.netlist import RESULTS, Bit, Cell, InputPort, Netlist, number
from kan_dialect.ir.constants import Array, IntArray

MAX_WIDTH = 62
"""Wider words do not fit the forms' int64."""


@dataclass(frozen=True, eq=False)
class Cut:
    """A signal that is free: a node that is proven on its own."""

    name: str
    cycle: int
    """In which it holds the node of the sample whose inputs come in cycle 0."""

    low: int
    high: int
    bits: tuple[Bit, ...]
    """The signal's wires, each once."""

    patterns: IntArray | None = None
    """What the wires hold for numbers low..high of the signal; None: the number itself.

    Of a number that the signal never is, they hold what they do for the next lower one that it is.
    """

    @property
    def width(self) -> int:
        return len(self.bits)


Source: TypeAlias = Cell | InputPort | Cut
Key: TypeAlias = tuple[Source, int]
"""A source, and the cycle."""

Leaf: TypeAlias = Callable[[InputPort | Cut, int], Form]
"""The pattern of an input or a cut in a cycle, modulo 2^width."""


@dataclass(frozen=True)
class _Piece:
    """Neighbouring bits of one source, or a constant (which may be x)."""

    source: Source | None
    low: int
    width: int
    value: int | None = None


class Unknown(Exception):
    """A constant x is read as a number."""


@dataclass
class Circuit:
    """Evaluates signals of a netlist, each once a cycle."""

    netlist: Netlist
    leaf: Leaf
    cuts: dict[Bit, tuple[Source, int]] = field(default_factory=dict[Bit, tuple[Source, int]])
    deadline: float | None = None
    _known: dict[Key, tuple[Form, int]] = field(default_factory=dict[Key, tuple[Form, int]])
    _choosing: dict[Cell, bool] = field(default_factory=dict[Cell, bool])
    """Whether a multiplexer chooses among constants, through others that do."""

    def cut(self, cut: Cut) -> None:
        for index, bit in enumerate(cut.bits):
            self.cuts[bit] = cut, index

    def value(self, bits: Sequence[Bit], cycle: int, signed: bool) -> Form:
        """The number that a word is in a cycle.

        Raises
        ------
        TooHard, Undefined : see `forms`.
        KanError : a cell that is not known here, registers that feed back, or no time left.
        """
        self._prepare([(bits, cycle)])
        try:
            return self._exact(bits, cycle, signed)
        except Unknown:
            raise Undefined({}) from None

    # Walking back.

    def _prepare(self, words: Sequence[tuple[Sequence[Bit], int]]) -> None:
        """Evaluate all that the words depend on: depth first, without recursion."""
        pending: list[Key] = [key for bits, cycle in words for key in self._reads(bits, cycle)]
        # The way from a word back to the key that is looked at.
        opened: dict[Source, int] = {}
        while pending:
            key = pending[-1]
            if key in self._known:
                pending.pop()
                continue
            needed = [k for k in self._inputs(key) if k not in self._known]
            if not needed:
                self._check_time()
                self._known[key] = self._evaluate(key)
                opened.pop(key[0], None)
                pending.pop()
                continue
            if key[0] in opened:
                if opened[key[0]] == key[1]:
                    raise KanError(f"{key[0].name} depends on itself")
                raise KanError("registers feed back: only pipelines can be proven")
            opened[key[0]] = key[1]
            pending.extend(needed)

    def _check_time(self) -> None:
        if self.deadline is not None and time.monotonic() > self.deadline:
            raise KanError("the proof took too long", remedy="allow more with --timeout")

    def _inputs(self, key: Key) -> Iterator[Key]:
        source, cycle = key
        if not isinstance(source, Cell):
            return
        if source.kind == "dff":
            yield from self._reads(source.connections["D"], cycle - 1)
            return
        if source.kind == "mux" and self._chooses_constants(source):
            yield from self._reads(self._selects(source), cycle)
            return
        for port, bits in source.connections.items():
            if port not in RESULTS and port not in _UNREAD:
                yield from self._reads(bits, cycle)

    def _reads(self, bits: Sequence[Bit], cycle: int) -> Iterator[Key]:
        last = None
        for bit in bits:
            if isinstance(bit, int) and (source := self._driver(bit)[0]) is not last:
                last = source
                yield source, cycle

    def _driver(self, bit: Bit) -> tuple[Source, int]:
        found = self.cuts.get(bit) or self.netlist.drivers.get(bit)
        if found is None:
            raise KanError("the design reads a signal that nothing drives")
        return found

    # Words.

    def _pieces(self, bits: Sequence[Bit]) -> Iterator[_Piece]:
        start = 0
        while start < len(bits):
            end = start + 1
            if isinstance(bits[start], str):
                while end < len(bits) and isinstance(bits[end], str):
                    end += 1
                yield _Piece(None, 0, end - start, number(bits[start:end]))
            else:
                source, low = self._driver(bits[start])
                while end < len(bits) and isinstance(bits[end], int):
                    if self._driver(bits[end]) != (source, low + end - start):
                        break
                    end += 1
                yield _Piece(source, low, end - start)
            start = end

    def _modulo(self, bits: Sequence[Bit], cycle: int) -> Form:
        """The word modulo 2^width."""
        least = _without_extension(bits)
        if least < len(bits):
            return within(self._modulo(bits[:least], cycle), least, -(1 << (least - 1)))
        parts: list[Form] = []
        offset = 0
        for piece in self._pieces(bits):
            form = self._piece(piece, cycle)
            if offset + piece.width < len(bits):
                form = within(form, piece.width, 0)
            parts.append(scale(form, 1 << offset))
            offset += piece.width
        try:
            whole = _sum(parts)
        except TooHard:
            # The lower bits of a sum may be beside its upper ones, and others below them.
            others = [part for part in parts if not isinstance(part, Image)]
            of_sums = [part for part in parts if isinstance(part, Image)]
            whole = _sum([*others, *_together(of_sums, 1 << len(bits))])
        # The upper bits of a sum beside the lower ones are the sum again.
        return plain(whole, 1 << len(bits))

    def _piece(self, piece: _Piece, cycle: int) -> Form:
        if piece.source is None:
            if piece.value is None:
                raise Unknown
            return constant(piece.value)
        form, _ = self._known[piece.source, cycle]
        if piece.low == 0:
            return form
        low = piece.low
        quotient = divided(form, 1 << low)
        if quotient is not None:
            return quotient
        # Right modulo 2^(width - low), whatever multiple of 2^width the form is off by.
        return shifted(form, low)

    def _exact(self, bits: Sequence[Bit], cycle: int, signed: bool) -> Form:
        """The word as a number."""
        while len(bits) > 1 and bits[-1] == "0" and not signed:
            bits = bits[:-1]
        if len(bits) > MAX_WIDTH:
            raise KanError(f"words of {len(bits)} bits are too wide for a proof")
        low = -(1 << (len(bits) - 1)) if signed else 0
        return within(self._modulo(bits, cycle), len(bits), low)

    def _operand(self, cell: Cell, port: str, cycle: int, width: int, signed: bool) -> Form:
        """An operand modulo 2^width: extended where it is narrower."""
        bits = cell.connections[port]
        if len(bits) < width:
            return self._exact(bits, cycle, signed)
        return self._modulo(bits[:width], cycle)

    def _sum_of_pieces(self, cell: Cell, cycle: int, width: int, signed: bool) -> Form:
        """The sum or difference of two words, with what their pieces have in common added first.

        A bit that both have below a sum's upper bits counts twice: so a carry comes in. The upper
        and the lower bits of one sum in a word are that sum.
        """
        terms: list[Form] = []
        for port, sign in (("A", 1), ("B", -1 if cell.kind == "sub" else 1)):
            bits = cell.connections[port]
            if len(bits) < width and signed:
                terms.append(scale(self._exact(bits, cycle, signed), sign))
                continue
            offset = 0
            of_sums: list[Form] = []
            bits = bits[:width]
            # What is extended up to the width by its sign is a number of that sign.
            least = _without_extension(bits) if len(bits) == width else len(bits)
            for piece in self._pieces(bits[:least]):
                form, end = self._piece(piece, cycle), offset + piece.width
                if end < width:
                    low = -(1 << (piece.width - 1)) if end == least < len(bits) else 0
                    form = within(form, piece.width, low)
                part = scale(form, sign << offset)
                (of_sums if isinstance(part, Image) else terms).append(part)
                offset += piece.width
            terms.extend(_together(of_sums, 1 << width))
        whole = _sum(sorted(terms, key=lambda term: isinstance(term, Image)))
        return plain(whole, 1 << width)

    # Cells.

    def _evaluate(self, key: Key) -> tuple[Form, int]:
        source, cycle = key
        if not isinstance(source, Cell):
            return self.leaf(source, cycle), self._width(source)
        width = len(
            next(source.connections[port] for port in RESULTS if port in source.connections)
        )
        try:
            form = self._cell(source, cycle, width)
        except Unknown:
            raise KanError(f"{source.place}: a constant x is read as a number") from None
        # Any form of the pattern will do; one that is also the number keeps later sums plain.
        lows = [0, -(1 << (width - 1))]
        if source in self.netlist.signed:
            lows.reverse()
        found = (tamed(form, width, low) for low in lows)
        return next((plain for plain in found if plain is not None), form), width

    def _width(self, source: InputPort | Cut) -> int:
        if isinstance(source, InputPort):
            return len(self.netlist.inputs[source.name])
        return source.width

    def _cell(self, cell: Cell, cycle: int, width: int) -> Form:
        kind, ports = cell.kind, cell.connections
        signed = bool(cell.parameters.get("A_SIGNED", 0) and cell.parameters.get("B_SIGNED", 1))
        match kind:
            case "dff":
                check_clock(self.netlist, cell)
                return self._modulo(ports["D"], cycle - 1)
            case "add" | "sub":
                try:
                    left, right = (self._operand(cell, p, cycle, width, signed) for p in "AB")
                    return (add if kind == "add" else subtract)(left, right)
                except TooHard:
                    return self._sum_of_pieces(cell, cycle, width, signed)
            case "mul":
                return _product(
                    *(self._operand(cell, p, cycle, width, signed) for p in "AB"),
                )
            case "pos":
                return self._operand(cell, "A", cycle, width, signed)
            case "neg":
                return scale(self._operand(cell, "A", cycle, width, signed), -1)
            case "not":
                return subtract(constant(-1), self._operand(cell, "A", cycle, width, signed))
            case "and" | "or" | "xor" | "xnor":
                operands = [
                    within(self._operand(cell, p, cycle, width, signed), width, 0) for p in "AB"
                ]
                return combined(_BITWISE[kind], *operands)
            case "eq" | "ne" | "lt" | "le" | "gt" | "ge" | "eqx" | "nex":
                operands = [self._exact(ports[p], cycle, signed) for p in "AB"]
                return combined(_COMPARISONS[kind], *operands)
            case "logic_and" | "logic_or":
                operands = [self._exact(ports[p], cycle, False) for p in "AB"]
                return combined(_BITWISE_OF_TRUTH[kind], *operands)
            case "logic_not":
                return mapped(lambda v: v == 0, self._exact(ports["A"], cycle, False))
            case "reduce_or" | "reduce_bool" | "reduce_and" | "reduce_xor" | "reduce_xnor":
                return _reduce(kind, self._exact(ports["A"], cycle, False), len(ports["A"]))
            case "shl" | "sshl" | "shr" | "sshr":
                return self._shift(cell, cycle, width)
            case "mux" if self._chooses_constants(cell):
                return self._choice_of_constants(cell, cycle)
            case "mux":
                return self._choice(cycle, ports["S"], [ports["A"], ports["B"]])
            case "pmux":
                words = [ports["B"][i : i + width] for i in range(0, len(ports["B"]), width)]
                return self._choice(cycle, ports["S"], [ports["A"], *words])
            case "memrd" | "memrd_v2":
                return self._lookup(cell, cycle)
            case "shiftx":
                return self._part(cell, cycle, width)
            case _:
                raise KanError(
                    f"{cell.place}: the proof does not know Yosys's cell ${cell.kind}",
                    remedy="prove RTL that kan-flow build wrote",
                )

    def _shift(self, cell: Cell, cycle: int, width: int) -> Form:
        signed = bool(cell.parameters.get("A_SIGNED", 0))
        bits = cell.connections["A"]
        value = self._exact(bits, cycle, signed)
        amount = self._exact(cell.connections["B"], cycle, False)
        if cell.kind in ("shl", "sshl"):
            mask = (1 << width) - 1
            _, high = bounds(amount)
            if high + max(len(bits), width) > MAX_WIDTH:
                raise KanError(f"{cell.place}: a shift by up to {high} bits is too wide")
            return combined(lambda v, s: (v << s) & mask, value, amount)
        if cell.kind == "shr":
            value = within(value, max(len(bits), width), 0)
        return combined(lambda v, s: v >> np.minimum(s, 63), value, amount)

    def _choice(self, cycle: int, selects: Sequence[Bit], words: Sequence[Sequence[Bit]]) -> Form:
        """The word of the select that is 1, the first where none is; two at once are undefined."""
        forms: list[Form | None] = []
        for word in words:
            try:
                forms.append(self._modulo(word, cycle))
            except Unknown:
                forms.append(None)
        defined = [form for form in forms if form is not None]

        def choose(columns: Sequence[IntArray]) -> IntArray:
            chosen = np.zeros(columns[0].shape, dtype=np.int64)
            hot = columns[: len(selects)]
            count = np.sum(hot, axis=0)
            values = iter(columns[len(selects) :])
            for index, form in enumerate(forms):
                here = count == 0 if index == 0 else hot[index - 1] != 0
                if form is not None:
                    chosen = np.where(here, next(values), chosen)
                elif bool(here.any()):
                    raise UndefinedAt(int(np.flatnonzero(here)[0]))
            if bool((count > 1).any()):
                raise UndefinedAt(int(np.flatnonzero(count > 1)[0]))
            return chosen

        return apply(choose, [*(self._exact([bit], cycle, False) for bit in selects), *defined])

    # A long table: choices between choices between constants, which are evaluated as one. The value
    # of each for every code would take much memory.

    def _alternatives(self, cell: Cell) -> Iterator[Cell | int | None]:
        """For select 0 and 1, a multiplexer or the number of a constant; None for all else."""
        for bits in (cell.connections["A"], cell.connections["B"]):
            source, low = (None, 0) if isinstance(bits[0], str) else self._driver(bits[0])
            whole = [self._driver(bit) for bit in bits if isinstance(bit, int)]
            if source is None:
                yield number(bits)
            elif (
                isinstance(source, Cell)
                and source.kind == "mux"
                and whole == [(source, low + index) for index in range(len(bits))]
                and low == 0
                and len(source.connections["Y"]) == len(bits)
            ):
                yield source
            else:
                yield None

    def _chooses_constants(self, cell: Cell) -> bool:
        if cell not in self._choosing:
            self._choosing[cell] = all(
                isinstance(each, int) or (each is not None and self._chooses_constants(each))
                for each in self._alternatives(cell)
            )
        return self._choosing[cell]

    def _selects(self, cell: Cell) -> list[Bit]:
        """The bits by which constants are chosen, each once."""
        found: dict[Bit, None] = {}
        pending, seen = [cell], {cell}
        while pending:
            each = pending.pop()
            found[each.connections["S"][0]] = None
            inner = {a for a in self._alternatives(each) if isinstance(a, Cell)} - seen
            seen |= inner
            pending += inner
        return list(found)

    def _choice_of_constants(self, cell: Cell, cycle: int) -> Form:
        selects = self._selects(cell)

        def choose(columns: Sequence[IntArray]) -> IntArray:
            by_bit = dict(zip(selects, columns, strict=True))
            known: dict[Cell, IntArray] = {}

            def value(each: Cell | int | None) -> IntArray | int:
                if not isinstance(each, Cell):
                    assert each is not None
                    return each
                if each not in known:
                    low, high = map(value, self._alternatives(each))
                    select = by_bit[each.connections["S"][0]]
                    known[each] = np.where(select != 0, high, low).astype(np.int64)
                return known[each]

            found = value(cell)
            assert not isinstance(found, int)
            return found

        return apply(choose, [self._exact([bit], cycle, False) for bit in selects])

    def _lookup(self, cell: Cell, cycle: int) -> Form:
        if cell.parameters.get("CLK_ENABLE"):
            raise KanError(f"{cell.place}: a table with a clock of its own")
        memory = self.netlist.memories[cell.memory]
        if memory.writes:
            raise KanError(f"{cell.place}: a memory that is written to cannot be proven")
        address = self._exact(cell.connections["ADDR"], cycle, False)
        return _entry(memory.entries, address)

    def _part(self, cell: Cell, cycle: int, width: int) -> Form:
        """`width` bits of a constant from the bit on that `B` says; undefined beyond its ends."""
        bits = cell.connections["A"]
        if not all(isinstance(bit, str) for bit in bits):
            raise KanError(f"{cell.place}: bits are picked out of a signal, not of a constant")
        entries = [number(bits[low : low + width]) for low in range(len(bits) - width + 1)]
        offset = self._exact(cell.connections["B"], cycle, bool(cell.parameters.get("B_SIGNED")))
        return _entry(entries, offset)


def _sum(parts: Iterable[Form]) -> Form:
    whole: Form = constant(0)
    for part in parts:
        whole = add(whole, part)
    return whole


def _together(images: Sequence[Form], modulus: int) -> list[Form]:
    """Functions of sums, those that follow each other added up where that gives a sum again."""
    found: list[Form] = []
    for image in images:
        if found:
            try:
                whole = plain(add(found[-1], image), modulus)
            except TooHard:
                whole = image
            if not isinstance(whole, Image):
                found[-1] = whole
                continue
        found.append(image)
    return found


def _entry(entries: Sequence[int | None], address: Form) -> Form:
    """The entry at an address, from 0 on."""
    defined = np.array([entry is not None for entry in entries])
    values = np.array([entry or 0 for entry in entries], dtype=np.int64)

    def look_up(index: IntArray) -> IntArray:
        bad = (index < 0) | (index >= len(values))
        bad |= ~defined[np.where(bad, 0, index)]
        if bool(bad.any()):
            raise UndefinedAt(int(np.flatnonzero(bad)[0]))
        return values[index]

    return mapped(look_up, address)


def check_clock(netlist: Netlist, register: Cell) -> None:
    """Refuse a register that does not load at every rising edge of the port `clk`."""
    source, _ = netlist.drivers.get(register.connections["CLK"][0], (None, 0))
    if not (
        isinstance(source, InputPort)
        and source.name == "clk"
        and register.parameters.get("CLK_POLARITY") == 1
    ):
        raise KanError(f"{register.place}: a register that does not load at the rising edge of clk")


_UNREAD = frozenset({"CLK", "EN", "ARST", "SRST"})
"""Ports that are checked, not evaluated."""

_BITWISE: dict[str, Callable[[IntArray, IntArray], Array]] = {
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "xnor": lambda a, b: ~(a ^ b),
}
_BITWISE_OF_TRUTH: dict[str, Callable[[IntArray, IntArray], Array]] = {
    "logic_and": lambda a, b: (a != 0) & (b != 0),
    "logic_or": lambda a, b: (a != 0) | (b != 0),
}
_COMPARISONS: dict[str, Callable[[IntArray, IntArray], Array]] = {
    "eq": lambda a, b: a == b,
    "eqx": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "nex": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
}


def _reduce(kind: str, word: Form, width: int) -> Form:
    if kind in ("reduce_or", "reduce_bool"):
        return mapped(lambda v: v != 0, word)
    if kind == "reduce_and":
        return mapped(lambda v: v == (1 << width) - 1, word)
    odd = int(kind == "reduce_xnor")

    def parity(v: IntArray) -> Array:
        return (odd + np.sum([(v >> bit) & 1 for bit in range(width)], axis=0)) & 1

    return mapped(parity, word)


def _product(left: Form, right: Form) -> Form:
    for factor, form in ((left, right), (right, left)):
        low, high = bounds(factor)
        if low == high:
            return scale(form, low)
    return combined(lambda a, b: a * b, left, right)


def _without_extension(bits: Sequence[Bit]) -> int:
    """How many bits are left of a word without the copies of its sign at the top."""
    least = len(bits)
    while least > 1 and isinstance(bits[-1], int) and bits[least - 2] == bits[-1]:
        least -= 1
    return least
