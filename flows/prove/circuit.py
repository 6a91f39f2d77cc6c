"""Signals of a netlist as forms of free variables, cycle by cycle.

A signal in cycle t is followed back through operators, and through each register to cycle t - 1,
until an input port or a cut. A missing or surplus register therefore shows as a variable of another
sample. Words are bit patterns; a form stands for its value modulo 2^width.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from kan_dialect.errors import KanError
from kan_dialect.flows.prove.cell_functions import (
    BITWISE,
    LOGICAL,
    comparison,
    entry_at,
    joined_downwards,
    product,
    reduction,
    shift,
    sum_of,
)
from kan_dialect.flows.prove.forms import (
    Form,
    Image,
    TooHard,
    Undefined,
    add,
    bounds,
    choose,
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
from kan_dialect.flows.prove.netlist import (
    RESULTS,
    Bit,
    Cell,
    InputPort,
    Netlist,
    check_clock,
    number,
    width_without_extension,
)
from kan_dialect.flows.prove.plans import MAX_WIDTH, Cut

Source: TypeAlias = Cell | InputPort | Cut
Key: TypeAlias = tuple[Source, int]
"""A source, and the cycle."""

Leaf: TypeAlias = Callable[[InputPort | Cut, int], Form]
"""The pattern of an input or a cut in a cycle, modulo 2^width."""


MOST_CYCLES = 2000
"""Cycles before the sample to which a signal is followed back."""


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
    """Evaluates signals of a netlist; each signal once a cycle."""

    netlist: Netlist
    leaf: Leaf
    cuts: dict[Bit, tuple[Source, int]] = field(default_factory=dict[Bit, tuple[Source, int]])
    deadline: float | None = None
    _known: dict[Key, tuple[Form, int]] = field(default_factory=dict[Key, tuple[Form, int]])

    def cut(self, cut: Cut) -> None:
        for index, bit in enumerate(cut.bits):
            self.cuts[bit] = cut, index

    def value(self, bits: Sequence[Bit], cycle: int, signed: bool) -> Form:
        """The value of a word in a cycle.

        Raises
        ------
        TooHard, Undefined : see `forms`.
        KanError : an unknown cell, registers that feed back, or no time left.
        """
        self._prepare([(bits, cycle)])
        try:
            return self._exact(bits, cycle, signed)
        except Unknown:
            raise Undefined({}) from None

    def sources(self, bits: Sequence[Bit]) -> set[Source]:
        """All sources that bits depend on, in any cycle."""
        pending, found = list(bits), set[Source]()
        while pending:
            bit = pending.pop()
            if isinstance(bit, str) or (source := self._driver(bit)[0]) in found:
                continue
            found.add(source)
            if isinstance(source, Cell) and source not in self.netlist.turns:
                for port, read in source.connections.items():
                    if port not in RESULTS and port not in _UNREAD:
                        pending.extend(read)
        return found

    def keep(self, is_kept: Callable[[Source], bool]) -> None:
        """Forget the values of all other sources."""
        self._known = {key: known for key, known in self._known.items() if is_kept(key[0])}

    # Walking back.

    def _prepare(self, words: Sequence[tuple[Sequence[Bit], int]]) -> None:
        """Evaluate every source that the words depend on."""
        self._evaluate_all([key for bits, cycle in words for key in self._reads(bits, cycle)])

    def _evaluate_all(self, pending: list[Key]) -> None:
        """Evaluate sources and all that they depend on: depth first, without recursion."""
        # The path from a word back to the current key.
        opened = Counter[Key]()
        while pending:
            key = pending[-1]
            if key in self._known:
                pending.pop()
                continue
            needed = [k for k in self._inputs(key) if k not in self._known]
            if not needed:
                self._check_time()
                self._known[key] = self._evaluate(key)
                pending.pop()
                continue
            # A choice waits for its condition, and then for the operands that this leaves.
            if opened[key] > _is_choice(key[0]):
                raise KanError(f"{key[0].name} depends on itself")
            if key[1] < -MOST_CYCLES:
                raise KanError(
                    f"registers feed back for more than {MOST_CYCLES} cycles, and cannot be proven"
                )
            opened[key] += 1
            pending.extend(needed)

    def _check_time(self) -> None:
        if self.deadline is not None and time.monotonic() > self.deadline:
            raise KanError("the proof took too long", remedy="allow more with --timeout")

    def _inputs(self, key: Key) -> Iterator[Key]:
        source, cycle = key
        if not isinstance(source, Cell):
            return
        if source in self.netlist.turns:
            return
        if source.kind == "dff":
            yield from self._reads(source.connections["D"], cycle - 1)
            return
        if _is_choice(source):
            yield from self._inputs_of_choice(source, cycle)
            return
        for port, bits in source.connections.items():
            if port not in RESULTS and port not in _UNREAD:
                yield from self._reads(bits, cycle)

    def _inputs_of_choice(self, cell: Cell, cycle: int) -> Iterator[Key]:
        """The condition, and then the operands that it leaves."""
        condition = list(self._reads(cell.connections["S"], cycle))
        yield from condition
        if all(key in self._known for key in condition):
            for port in self._chosen(cell, cycle):
                yield from self._reads(cell.connections[port], cycle)

    def _chosen(self, cell: Cell, cycle: int) -> str:
        """The operands of a choice that may be its result."""
        low, high = bounds(self._exact(cell.connections["S"], cycle, False))
        return "AB" if low != high else "B" if low else "A"

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
        least = width_without_extension(bits)
        if least < len(bits):
            return self._within(self._modulo(bits[:least], cycle), least, -(1 << (least - 1)))
        parts: list[Form] = []
        offset = 0
        for piece in self._pieces(bits):
            form = self._piece(piece, cycle)
            if offset + piece.width < len(bits):
                form = self._within(form, piece.width, 0)
            parts.append(scale(form, 1 << offset))
            offset += piece.width
        joined = joined_downwards(parts, 1 << len(bits))
        return plain(sum_of(parts), 1 << len(bits)) if joined is None else joined

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
        # Exact modulo 2^(width - low): a multiple of 2^width in the form drops out.
        return self._shifted(form, low)

    # Arithmetic of words, as `forms` does it. Another circuit may represent words differently.

    def _within(self, form: Form, width: int, low: int) -> Form:
        return within(form, width, low)

    def _shifted(self, form: Form, exponent: int) -> Form:
        return shifted(form, exponent)

    def _tamed(self, form: Form, width: int, lows: Sequence[int]) -> Form | None:
        return tamed(form, width, lows)

    def _exact(self, bits: Sequence[Bit], cycle: int, signed: bool) -> Form:
        """The word as a number."""
        while len(bits) > 1 and bits[-1] == "0" and not signed:
            bits = bits[:-1]
        if len(bits) > MAX_WIDTH:
            raise KanError(f"words of {len(bits)} bits are too wide for a proof")
        low = -(1 << (len(bits) - 1)) if signed else 0
        return self._within(self._modulo(bits, cycle), len(bits), low)

    def _operand(self, cell: Cell, port: str, cycle: int, width: int, signed: bool) -> Form:
        """An operand modulo 2^width: extended where it is narrower."""
        bits = cell.connections[port]
        if len(bits) < width:
            return self._exact(bits, cycle, signed)
        return self._modulo(bits[:width], cycle)

    def _sum_of_pieces(self, cell: Cell, cycle: int, width: int, signed: bool) -> Form:
        """The sum or difference of two words; pieces that both words share are added first.

        A bit that both words hold below the upper bits of a sum counts twice: this is how a carry
        enters. The upper and the lower bits of one sum in a word are joined to the sum.
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
            # A word that its sign bit extends to the full width is a signed number.
            least = width_without_extension(bits) if len(bits) == width else len(bits)
            for piece in self._pieces(bits[:least]):
                form, end = self._piece(piece, cycle), offset + piece.width
                if end < width:
                    low = -(1 << (piece.width - 1)) if end == least < len(bits) else 0
                    form = within(form, piece.width, low)
                part = scale(form, sign << offset)
                (of_sums if isinstance(part, Image) else terms).append(part)
                offset += piece.width
            joined = joined_downwards(of_sums, 1 << width)
            terms.extend(of_sums if joined is None else [joined])
        whole = sum_of(sorted(terms, key=lambda term: isinstance(term, Image)))
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
        # Any form of the pattern is right; one that equals the value keeps later sums plain.
        lows = [0, -(1 << (width - 1))]
        if source in self.netlist.signed:
            lows.reverse()
        return self._tamed(form, width, lows) or form, width

    def _width(self, source: InputPort | Cut) -> int:
        if isinstance(source, InputPort):
            return len(self.netlist.inputs[source.name])
        return source.width

    def _cell(self, cell: Cell, cycle: int, width: int) -> Form:
        kind, ports = cell.kind, cell.connections
        signed = bool(cell.parameters.get("A_SIGNED", 0) and cell.parameters.get("B_SIGNED", 1))
        match kind:
            case "dff" if cell in self.netlist.turns:
                held = self.netlist.turns[cell]
                return constant(held[cycle % len(held)])
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
                return product(*(self._operand(cell, p, cycle, width, signed) for p in "AB"))
            case "pos":
                return self._operand(cell, "A", cycle, width, signed)
            case "neg":
                return scale(self._operand(cell, "A", cycle, width, signed), -1)
            case "not":
                return subtract(constant(-1), self._operand(cell, "A", cycle, width, signed))
            case "and" | "or" | "xor" | "xnor":
                operands = [
                    self._within(self._operand(cell, p, cycle, width, signed), width, 0)
                    for p in "AB"
                ]
                return combined(BITWISE[kind], *operands)
            case "eq" | "ne" | "lt" | "le" | "gt" | "ge" | "eqx" | "nex":
                operands = [self._exact(ports[p], cycle, signed) for p in "AB"]
                return comparison(kind, *operands)
            case "logic_and" | "logic_or":
                operands = [self._exact(ports[p], cycle, False) for p in "AB"]
                return combined(LOGICAL[kind], *operands)
            case "logic_not":
                return mapped(lambda v: v == 0, self._exact(ports["A"], cycle, False))
            case "reduce_or" | "reduce_bool" | "reduce_and" | "reduce_xor" | "reduce_xnor":
                return reduction(kind, self._exact(ports["A"], cycle, False), len(ports["A"]))
            case "shl" | "sshl" | "shr" | "sshr":
                return self._shift(cell, cycle, width)
            case "mux":
                return self._choice(cell, cycle)
            case "memrd" | "memrd_v2":
                return self._lookup(cell, cycle)
            case "shiftx":
                return self._part(cell, cycle, width)
            case "instance":
                raise KanError(
                    f"{cell.place}: an instance of {cell.memory}; a network's RTL is one module",
                    remedy="prove RTL that kan-flow build wrote",
                )
            case _:
                raise KanError(
                    f"{cell.place}: the proof does not know Yosys's cell ${cell.kind}",
                    remedy="prove RTL that kan-flow build wrote",
                )

    def _shift(self, cell: Cell, cycle: int, width: int) -> Form:
        bits = cell.connections["A"]
        value = self._exact(bits, cycle, bool(cell.parameters.get("A_SIGNED", 0)))
        amount = self._exact(cell.connections["B"], cycle, False)
        if cell.kind in ("shl", "sshl"):
            _, high = bounds(amount)
            if high + max(len(bits), width) > MAX_WIDTH:
                raise KanError(f"{cell.place}: a shift by up to {high} bits is too wide")
        elif cell.kind == "shr":
            value = self._within(value, max(len(bits), width), 0)
        return shift(cell.kind, value, amount, width)

    def _choice(self, cell: Cell, cycle: int) -> Form:
        operands = [self._modulo(cell.connections[p], cycle) for p in self._chosen(cell, cycle)]
        if len(operands) == 1:
            return operands[0]
        zero, one = operands
        return choose(self._exact(cell.connections["S"], cycle, False), one, zero)

    def _lookup(self, cell: Cell, cycle: int) -> Form:
        if cell.parameters.get("CLK_ENABLE"):
            raise KanError(f"{cell.place}: a table with a clock of its own")
        memory = self.netlist.memories[cell.memory]
        if memory.writes and memory.name not in self.netlist.loaded:
            raise KanError(f"{cell.place}: a memory that is written to cannot be proven")
        address = self._exact(cell.connections["ADDR"], cycle, False)
        return entry_at(memory.entries, address)

    def _part(self, cell: Cell, cycle: int, width: int) -> Form:
        """`width` bits of a constant from bit `B` on; undefined beyond the ends of the constant."""
        bits = cell.connections["A"]
        if not all(isinstance(bit, str) for bit in bits):
            raise KanError(f"{cell.place}: bits are picked out of a signal, not of a constant")
        entries = [number(bits[low : low + width]) for low in range(len(bits) - width + 1)]
        offset = self._exact(cell.connections["B"], cycle, bool(cell.parameters.get("B_SIGNED")))
        return entry_at(entries, offset)


def _is_choice(source: Source) -> bool:
    return isinstance(source, Cell) and source.kind == "mux"


_UNREAD = frozenset({"CLK", "EN", "ARST", "SRST"})
"""Ports that are checked, not evaluated."""
