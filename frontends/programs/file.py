"""Reads the JSON of da4ml's and alkaid's programs: `CombLogic.save`, `comb.json` of their RTL.

da4ml 0.1 to 0.6 write a list, `CombLogic`'s fields. alkaid writes an object around it, with the
version of its operations: 2 has da4ml's packed operands, 3 and 4 have lists of them.
"""

from __future__ import annotations

import gzip
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, cast

from kan_dialect.errors import KanError
from kan_dialect.files.strict_json import parse_json
from kan_dialect.frontends.programs.program import (
    Codes,
    Constant,
    Kind,
    Operation,
    Program,
    Table,
    Term,
)
from kan_dialect.quoting import quoted, reason

MAX_BITS = 52
"""The most bits of a value: float64 holds it exactly."""
MAX_EXPONENT = 64
"""The largest exponent of a step or a shift, and its negative the least."""
MAX_OPERATIONS = 1 << 19
"""The most operations: each becomes ops, of some 20 KiB."""
MAX_FILE_BYTES = 1 << 29
"""The most bytes of a file once it is unpacked."""

_META = ("ALIRModel", "DAISModel")
_VERSIONS = (2, 3, 4)
_REMEDY = "write it again with CombLogic.save of da4ml or alkaid"

_UNARY: Mapping[int, Kind] = {0: "not", 1: "any", 2: "all"}
_BINARY: Mapping[int, Kind] = {0: "and", 1: "or", 2: "xor"}


def is_program(path: Path) -> bool:
    """Whether the JSON of a file is a list, or an object with the key `meta`.

    A file that is no JSON is not a program.
    """
    try:
        content = parse_json(_unpacked(path))
    except (KanError, ValueError, RecursionError):
        return False
    return isinstance(content, list) or (isinstance(content, dict) and "meta" in content)


def read_program(path: Path) -> Program:
    """Read a program.

    Raises
    ------
    KanError : the file holds no program; or an operation is malformed, reads a later result,
        multiplies two values, or is not known.
    """
    try:
        content = parse_json(_unpacked(path))
    except (ValueError, RecursionError) as error:
        raise KanError(f"{path.name} is not JSON: {reason(error)}", remedy=_REMEDY) from None
    return _Reader(path.name).program(content)


def _unpacked(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except (OSError, EOFError) as error:
        raise KanError(f"cannot read {path}: {reason(error)}") from None
    if len(data) > MAX_FILE_BYTES:
        raise KanError(f"{path.name} has more than {MAX_FILE_BYTES} bytes")
    return data


@dataclass(frozen=True)
class _Row:
    """An operation as alkaid's version 4 writes it. Places of operands that are negated."""

    opcode: int
    operands: Sequence[int]
    payload: Sequence[int]
    negated: frozenset[int] = frozenset()


_T = TypeVar("_T")


class _Reader:
    """Reads the parts of a program; its messages name the file."""

    def __init__(self, name: str) -> None:
        self.name = name

    def error(self, what: str, remedy: str = _REMEDY) -> KanError:
        return KanError(f"{self.name}: {what}", remedy=remedy)

    def program(self, content: object) -> Program:
        version, fields = self.version(content)
        fields = self.list(fields, "the program")
        if len(fields) == 1:
            raise self.error(
                "this is a pipeline of several programs", "save the program before it is pipelined"
            )
        if len(fields) not in (8, 9):
            raise self.error(f"a program has 8 or 9 fields, not {len(fields)}")
        shape = self.integers(fields[0], "field 0", 2)
        shifts = self.integers(fields[1], "field 1", shape[0])
        tables = self.list(fields[8], "field 8") if fields[8:] and fields[8] is not None else []
        found = tuple(self.table(each, number) for number, each in enumerate(tables))
        rows = self.list(fields[5], "field 5")
        if len(rows) > MAX_OPERATIONS:
            raise self.error(f"{len(rows)} operations, more than {MAX_OPERATIONS}")
        operations: list[Operation] = []
        for number, row in enumerate(rows):
            operations.append(self.operation(row, number, version, (len(shifts), len(found))))
        return Program(
            self.name,
            tuple(self.exponent(each, "an input's shift") for each in shifts),
            tuple(operations),
            found,
            self.results(fields[2:5], shape[1], len(rows)),
        )

    def version(self, content: object) -> tuple[int, object]:
        """The version of the operations, 0 of da4ml's lists, and the fields."""
        if isinstance(content, list):
            return 0, cast("list[object]", content)
        entry = self.object(content, "the file")
        version = entry.get("spec_version")
        if entry.get("meta") not in _META or version not in _VERSIONS:
            raise self.error(
                f"the program is of kind {quoted(entry.get('meta'))} and version "
                f"{quoted(version)}; versions {', '.join(map(str, _VERSIONS))} of "
                f"{' or '.join(_META)} are read"
            )
        return cast("int", version), entry.get("model")

    def results(
        self, fields: Sequence[object], outputs: int, operations: int
    ) -> tuple[Term | None, ...]:
        indices = self.integers(fields[0], "field 2", outputs)
        shifts = self.integers(fields[1], "field 3", outputs)
        signs = self.list(fields[2], "field 4", outputs)
        if not outputs:
            raise self.error("the program has no outputs")
        found: list[Term | None] = []
        for place, (index, shift, sign) in enumerate(zip(indices, shifts, signs, strict=True)):
            if not -1 <= index < operations or sign not in (0, 1):
                raise self.error(f"output {place} is result {index}, of sign {quoted(sign)}")
            exponent = self.exponent(shift, f"the shift of output {place}")
            found.append(None if index < 0 else Term(index, bool(sign), exponent))
        return tuple(found)

    def operation(
        self, content: object, number: int, version: int, limits: tuple[int, int]
    ) -> Operation:
        where = f"operation {number}"
        fields = self.list(content, where, 6 if version >= 3 else 7)
        codes, first = self.codes(fields[-3], where)
        if version >= 3:
            operands, payload = (self.integers(fields[place], where) for place in (0, 2))
            row = _Row(self.integer(fields[1], where), operands, payload)
        else:
            row = self.unpacked(self.integers(fields[:4], where), codes, version, where)
        return self.meaning(row, number, version, codes, first, limits)

    def unpacked(self, numbers: Sequence[int], codes: Codes, version: int, where: str) -> _Row:
        """The row of an operation with packed operands, as da4ml and alkaid's version 2 have."""
        one, other, opcode, data = numbers
        if version == 0 and opcode in (-2, -3, -6, -9):
            negated = frozenset({1 if opcode == -6 else 0})
            opcode = -opcode
        else:
            negated = frozenset[int]()
        match opcode:
            case -1:
                return _Row(opcode, (), (one,))
            case 0 | 1:
                return _Row(opcode, (one, other), (data,))
            case 4 if version == 0:
                return _Row(opcode, (one,), (data, -codes.step))
            case 4:
                return _Row(opcode, (one,), (_signed(data), _signed(data >> 32)))
            case 5:
                return _Row(opcode, (), (data,))
            case 6:
                condition, shift = _signed(data), _signed(data >> 32)
                return _Row(opcode, (one, other, condition), (shift,), negated)
            case 7:
                return _Row(opcode, (one, other), ())
            case 10:
                signs = frozenset(place for place in (0, 1) if data >> (32 + place) & 1)
                return _Row(opcode, (one, other), (_signed(data), data >> 56 & 255), signs)
            case -2 | 2 | 3 | 8 | 9:
                payload = (0,) if opcode == 3 else (data,)
                return _Row(opcode, (one,), payload, negated)
            case _:
                raise self.unknown(opcode, where)

    def unknown(self, opcode: int, where: str) -> KanError:
        return self.error(f"{where} has the opcode {opcode}, which is not known")

    def meaning(
        self,
        row: _Row,
        number: int,
        version: int,
        codes: Codes,
        first: int,
        limits: tuple[int, int],
    ) -> Operation:
        """The operation of a row.

        Parameters
        ----------
        limits : numbers of inputs and of tables.
        """
        where, opcode = f"operation {number}", row.opcode
        for operand in row.operands:
            if not 0 <= operand < number:
                raise self.error(f"{where} reads result {operand}, which is not an earlier one")
        if opcode == 7:
            raise self.error(
                f"{where} (opcode 7) multiplies the results {row.operands[0]} and "
                f"{row.operands[1]}; a network of tables has no product of two values",
                "train without layers that multiply activations, such as attention",
            )

        def terms(count: int, *shifts: int) -> tuple[Term, ...]:
            if len(row.operands) != count:
                raise self.error(f"{where} reads {len(row.operands)} results, not {count}")
            shifted = (*shifts, *[0] * (count - len(shifts)))
            return tuple(
                Term(operand, place in row.negated, self.exponent(shifted[place], where))
                for place, operand in enumerate(row.operands)
            )

        def data(count: int) -> Sequence[int]:
            if len(row.payload) < count:
                raise self.error(f"{where} has {len(row.payload)} data, not {count}")
            return row.payload

        def made(
            kind: Kind, terms: tuple[Term, ...], index: int = 0, constant: Constant | None = None
        ) -> Operation:
            return Operation(kind, terms, codes, first, index, constant or Constant(0, 0))

        def indexed(what: str, limit: int) -> int:
            index = data(1)[0]
            if not 0 <= index < limit:
                raise self.error(f"{where} reads {what} {index} of {limit}")
            return index

        match opcode:
            case -2:
                return made("sum", tuple(Term(each.operation, True) for each in terms(1)))
            case -1:
                return made("input", (), indexed("input", limits[0]))
            case 0 | 1:
                one, other = terms(2, 0, data(1)[0])
                other = Term(other.operation, opcode == 1, other.shift)
                return made("sum", (one, other))
            case 2:
                return made("relu", terms(1))
            case 3:
                return made("quantiser", terms(1, data(1)[0] if version == 4 else 0))
            case 4:
                code, places = data(2)[:2]
                step = self.exponent(-places, where)
                return made("sum", terms(1), constant=Constant(code, step))
            case 5:
                return made("sum", terms(0), constant=Constant(data(1)[0], codes.step))
            case 6:
                one, other, condition = terms(3, 0, data(1)[0])
                return made("choice", (condition, one, other))
            case 8:
                return made("table", terms(1), indexed("table", limits[1]))
            case 9:
                return made(self.named(_UNARY, data(1)[0], where), terms(1))
            case 10:
                kind = self.named(_BINARY, data(2)[1], where)
                return made(kind, terms(2, 0, row.payload[0]))
            case 11:
                signed = data(2 * len(row.operands))
                shifted = terms(len(row.operands), *signed[1::2][: len(row.operands)])
                return made(
                    "sum",
                    tuple(
                        Term(each.operation, not plus, each.shift)
                        for each, plus in zip(shifted, signed[::2], strict=False)
                    ),
                )
            case _:
                raise self.unknown(opcode, where)

    def named(self, kinds: Mapping[int, Kind], code: int, where: str) -> Kind:
        if code not in kinds:
            raise self.error(f"{where} has the bit operation {code}, which is not known")
        return kinds[code]

    def table(self, content: object, number: int) -> Table:
        where = f"table {number}"
        entry = self.object(content, where)
        given = self.object(self.object(entry.get("spec"), where).get("out_qint"), where)
        codes, _ = self.codes([given.get(name) for name in ("min", "max", "step")], where)
        entries = self.integers(entry.get("table"), where)
        if not entries:
            raise self.error(f"{where} has no entries")
        mask = (1 << codes.bits) - 1
        within = [(each - codes.low & mask) + codes.low for each in entries]
        return Table(tuple(within), codes)

    def codes(self, content: object, where: str) -> tuple[Codes, int]:
        """The narrowest codes of `[min, max, step]`, and the code of `min`."""
        low, high, step = (self.number(each, where) for each in self.list(content, where, 3))
        mantissa, exponent = math.frexp(step)
        if mantissa != 0.5 or low > high:
            raise self.error(
                f"{where} has the range {low}..{high} and the step {step}, not a power of two"
            )
        first, last = low / step, high / step
        if not (first.is_integer() and last.is_integer()):
            raise self.error(f"{where} has a range of {low}..{high} in steps of {step}")
        bits = max(int(-first - 1).bit_length() if first < 0 else 0, _bits(int(last)))
        bits += first < 0
        if bits > MAX_BITS:
            raise self.error(f"{where} needs {bits} bits, more than {MAX_BITS}", "use fewer bits")
        return Codes(first < 0, bits, self.exponent(exponent - 1, where)), int(first)

    def exponent(self, value: int, where: str) -> int:
        if abs(value) > MAX_EXPONENT:
            raise self.error(f"{where} has 2^{value}, beyond 2^±{MAX_EXPONENT}", "use fewer bits")
        return value

    def integers(self, content: object, where: str, count: int | None = None) -> list[int]:
        return [self.integer(each, where) for each in self.list(content, where, count)]

    def integer(self, content: object, where: str) -> int:
        if type(content) is not int or abs(content) >= 1 << 63:
            raise self.error(f"{where} has {quoted(content)} in place of an integer")
        return content

    def number(self, content: object, where: str) -> float:
        if not isinstance(content, int | float) or not math.isfinite(content):
            raise self.error(f"{where} has {quoted(content)} in place of a number")
        return float(content)

    def list(self, content: object, where: str, count: int | None = None) -> list[object]:
        if not isinstance(content, list):
            raise self.error(f"{where} has {quoted(content)} in place of a list")
        found = cast("list[object]", content)
        if count is not None and len(found) != count:
            raise self.error(f"{where} has {len(found)} entries in place of {count}")
        return found

    def object(self, content: object, where: str) -> Mapping[str, object]:
        if not isinstance(content, dict):
            raise self.error(f"{where} has {quoted(content)} in place of an object")
        return cast("dict[str, object]", content)


def _bits(code: int) -> int:
    """Bits of a code that is not negative; 0 of others."""
    return code.bit_length() if code > 0 else 0


def _signed(word: int) -> int:
    """The lowest 32 bits, as two's complement."""
    return ((word & 0xFFFFFFFF) ^ 0x80000000) - 0x80000000
