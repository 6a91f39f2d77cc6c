"""The rows of a program's JSON: what an operation of each opcode computes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from kan_dialect.errors import KanError
from kan_dialect.frontends.programs.fields import (
    as_codes,
    as_exponent,
    as_integer,
    as_integers,
    as_list,
    as_word,
)
from kan_dialect.frontends.programs.program import ZERO, Codes, Constant, Kind, Operation, Term

LIST_VERSION = 0
"""da4ml's lists."""
PACKED_VERSION, UNPACKED_VERSION, SHIFTING_VERSION = 2, 3, 4
"""alkaid's versions: operands packed as da4ml does, in lists, and with shifts of quantisers."""

_UNARY: Mapping[int, Kind] = {0: "not", 1: "any", 2: "all"}
_BINARY: Mapping[int, Kind] = {0: "and", 1: "or", 2: "xor"}


@dataclass(frozen=True)
class _Row:
    """An operation as alkaid's version 4 writes it.

    Attributes
    ----------
    negated : places of the operands that are negated, which da4ml's opcodes say.
    """

    opcode: int
    operands: Sequence[int]
    payload: Sequence[int]
    codes: Codes
    first: int
    negated: frozenset[int] = frozenset()

    def terms(self, count: int, *shifts: int) -> tuple[Term, ...]:
        """Its operands, of which there must be `count`, with their shifts."""
        if len(self.operands) != count:
            raise KanError(f"it reads {len(self.operands)} results, not {count}")
        shifted = (*shifts, *[0] * (count - len(shifts)))
        return tuple(
            Term(operand, place in self.negated, as_exponent(shifted[place], "it"))
            for place, operand in enumerate(self.operands)
        )

    def datum(self, place: int = 0) -> int:
        if place >= len(self.payload):
            raise KanError(f"it has {len(self.payload)} data, and needs another one")
        return self.payload[place]

    def made(
        self,
        kind: Kind,
        terms: tuple[Term, ...],
        index: int = 0,
        constant: Constant = ZERO,
    ) -> Operation:
        return Operation(kind, terms, self.codes, self.first, index, constant)


def read_operation(content: object, number: int, version: int) -> Operation:
    """The operation of a row.

    Parameters
    ----------
    number : of earlier operations.

    Raises
    ------
    KanError : the row is malformed or reads a later result; its opcode is a product, or not known.
    """
    fields = as_list(content, "it", 7 if version < UNPACKED_VERSION else 6)
    codes, first = as_codes(fields[-3], "it")
    if version < UNPACKED_VERSION:
        numbers = [*as_integers(fields[:3], "it"), as_word(fields[3], "it")]
        row = _unpacked(numbers, codes, first, version)
    else:
        operands, payload = (as_integers(fields[place], "it") for place in (0, 2))
        data = [0] if version < SHIFTING_VERSION and fields[1] == 3 else payload
        row = _Row(as_integer(fields[1], "it"), operands, data, codes, first)
    for operand in row.operands:
        if not 0 <= operand < number:
            raise KanError(f"it reads result {operand}, which is not an earlier one")
    if row.opcode not in _MEANINGS:
        raise _unknown(row.opcode)
    return _MEANINGS[row.opcode](row)


def _unpacked(numbers: Sequence[int], codes: Codes, first: int, version: int) -> _Row:
    """The row of an operation with packed operands, as da4ml and alkaid's version 2 have."""
    one, other, opcode, data = numbers
    negated = frozenset[int]()
    if version == LIST_VERSION and opcode in (-2, -3, -6, -9):
        opcode, negated = -opcode, frozenset({1 if opcode == -6 else 0})
    operands, payload = [one], [data]
    match opcode:
        case -1:
            operands, payload = [], [one]
        case 0 | 1 | 7:
            operands = [one, other]
        case 3:
            payload = [0]
        case 4:
            packed = version != LIST_VERSION
            payload = [_low_word(data), _low_word(data >> 32)] if packed else [data, -codes.step]
        case 5:
            operands = []
        case 6:
            operands, payload = [one, other, _low_word(data)], [_low_word(data >> 32)]
        case 10:
            operands, payload = [one, other], [_low_word(data), data >> 56 & 255]
            negated = frozenset(place for place in (0, 1) if data >> (32 + place) & 1)
        case -2 | 2 | 8 | 9:
            pass
        case _:
            raise _unknown(opcode)
    return _Row(opcode, operands, payload, codes, first, negated)


def _unknown(opcode: int) -> KanError:
    return KanError(f"its opcode {opcode} is not known")


def _low_word(data: int) -> int:
    """The lowest 32 bits, as two's complement."""
    return ((data & 0xFFFFFFFF) ^ 0x80000000) - 0x80000000


def _sum_of_two(row: _Row) -> Operation:
    one, other = row.terms(2, 0, row.datum())
    return row.made("sum", (one, Term(other.operation, row.opcode == 1, other.shift)))


def _sum_of_many(row: _Row) -> Operation:
    count = len(row.operands)
    signs, shifts = ([row.datum(2 * n + place) for n in range(count)] for place in (0, 1))
    terms = zip(row.terms(count, *shifts), signs, strict=True)
    return row.made("sum", tuple(Term(t.operation, not sign, t.shift) for t, sign in terms))


def _negation(row: _Row) -> Operation:
    (term,) = row.terms(1)
    return row.made("sum", (Term(term.operation, True),))


def _constant_sum(row: _Row) -> Operation:
    constant = Constant(row.datum(0), as_exponent(-row.datum(1), "it"))
    return row.made("sum", row.terms(1), constant=constant)


def _choice(row: _Row) -> Operation:
    one, other, condition = row.terms(3, 0, row.datum())
    return row.made("choice", (condition, one, other))


def _product(row: _Row) -> Operation:
    raise KanError(
        f"it multiplies the results {' and '.join(map(str, row.operands))} (opcode 7), and a "
        "network of tables has no product of two values",
        remedy="train without layers that multiply activations, such as attention",
    )


def _of_bits(row: _Row, kinds: Mapping[int, Kind], code: int, terms: tuple[Term, ...]) -> Operation:
    if code not in kinds:
        raise KanError(f"its bit operation {code} is not known")
    return row.made(kinds[code], terms)


_MEANINGS: Mapping[int, Callable[[_Row], Operation]] = {
    -2: _negation,
    -1: lambda row: row.made("input", (), row.datum()),
    0: _sum_of_two,
    1: _sum_of_two,
    2: lambda row: row.made("relu", row.terms(1)),
    3: lambda row: row.made("quantiser", row.terms(1, row.datum())),
    4: _constant_sum,
    5: lambda row: row.made("sum", row.terms(0), constant=Constant(row.datum(), row.codes.step)),
    6: _choice,
    7: _product,
    8: lambda row: row.made("table", row.terms(1), row.datum()),
    9: lambda row: _of_bits(row, _UNARY, row.datum(), row.terms(1)),
    10: lambda row: _of_bits(row, _BINARY, row.datum(1), row.terms(2, 0, row.datum())),
    11: _sum_of_many,
}
"""Opcode -> the operation of a row."""
