"""Random programs in the formats of da4ml and alkaid, and their evaluation in exact fractions.

The evaluation reads the JSON by itself, after the interpreters in Python of da4ml 0.6 (`types.py`)
and alkaid 0.8.2 (`types.py`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from fractions import Fraction
from math import floor
from typing import Any

F = Fraction
Range = tuple[Fraction, Fraction, Fraction]
"""Least and greatest value, and step."""

LIST, PACKED, UNPACKED, SHIFTING = 0, 2, 3, 4
"""da4ml's list, and alkaid's versions."""


def two(exponent: int) -> Fraction:
    return F(2) ** exponent


def kif(qint: Range) -> tuple[bool, int, int]:
    """Sign, bits without it, and bits behind the point, of the narrowest codes of a range."""
    low, high, step = qint
    if low == high == 0:
        return False, 0, 0
    places = next(places for places in range(-80, 80) if two(-places) == step)
    bits = next(b for b in range(80) if -low / step <= two(b) and high / step < two(b))
    return low < 0, bits, places


def wrapped(value: Fraction, qint: Range) -> Fraction:
    """A value rounded down to the step of a range, modulo its codes."""
    signed, bits, places = kif(qint)
    code = floor(value * two(places))
    offset = 2**bits if signed else 0
    return F((code + offset) % 2 ** (bits + signed) - offset) / two(places)


class Maker:
    """Makes a random program whose ranges are true."""

    def __init__(self, rng: random.Random, version: int, inputs: int = 3) -> None:
        self.rng, self.version = rng, version
        self.rows: list[list[Any]] = []
        self.ranges: list[Range] = []
        self.tables: list[dict[str, Any]] = []
        self.shifts = [rng.choice((0, 0, 0, 1, -2)) for _ in range(inputs)]

    def program(self, operations: int, outputs: int = 2) -> Any:
        for index in range(len(self.shifts)):
            self.input(index)
        kinds: list[Callable[[], None]] = [
            self.sum, self.quantiser, self.quantiser, self.relu, self.constant_sum,
            self.constant, self.choice, self.table, self.table, self.unary, self.binary,
        ]  # fmt: skip
        if self.version >= PACKED:
            kinds.append(self.negation)
        if self.version >= UNPACKED:
            kinds.append(self.long_sum)
        if self.rng.random() < 0.3:
            kinds.append(lambda: self.input(self.rng.randrange(len(self.shifts))))
        while len(self.rows) < operations:
            self.rng.choice(kinds)()
        picked = [self.rng.randrange(-1, len(self.rows)) for _ in range(outputs)]
        fields = [
            [len(self.shifts), outputs],
            self.shifts,
            picked,
            [self.rng.choice((0, 1, -1)) for _ in picked],
            [self.rng.random() < 0.3 for _ in picked],
            self.rows,
            -1,
            1,
            self.tables,
        ]
        if self.version == LIST:
            return fields
        return {"meta": "ALIRModel", "spec_version": self.version, "model": fields}

    def any(self, bits: int = 14) -> int:
        """A result of few bits."""
        few = [n for n, each in enumerate(self.ranges) if sum(kif(each)[:2]) <= bits]
        return self.rng.choice(few)

    def add(
        self, opcode: int, operands: Sequence[int], payload: Sequence[int], packed: int, qint: Range
    ) -> None:
        shown = [float(each) for each in qint]
        if self.version >= UNPACKED:
            self.rows.append([list(operands), opcode, list(payload), shown, 0.0, 0.0])
        else:
            one, other = (*operands, -1, -1)[:2]
            if opcode == -1:
                one = payload[0]
            self.rows.append([one, other, opcode, packed, shown, 0.0, 0.0])
        self.ranges.append(qint)

    def codes(self) -> Range:
        signed, bits, places = (
            self.rng.random() < 0.6,
            self.rng.randint(1, 4),
            self.rng.randint(-1, 3),
        )
        step = two(-places)
        return -two(bits) * step if signed else F(0), (two(bits) - 1) * step, step

    def input(self, index: int) -> None:
        self.add(-1, (), (index,), 0, self.codes())

    def sign(self, opcode: int) -> tuple[int, int]:
        """An opcode, and the sign of its operand, which da4ml's opcode tells."""
        negative = self.version == LIST and self.rng.random() < 0.3
        return (-opcode, -1) if negative else (opcode, 1)

    def scaled(self, number: int, factor: Fraction) -> Range:
        low, high, step = self.ranges[number]
        ends = sorted((low * factor, high * factor))
        return ends[0], ends[1], step * abs(factor)

    def total(self, parts: Sequence[Range]) -> Range:
        low, high = (sum((part[end] for part in parts), F(0)) for end in (0, 1))
        return low, high, min(part[2] for part in parts)

    def sum(self) -> None:
        one, other = self.any(), self.any()
        shift, minus = self.rng.randint(-2, 2), self.rng.randrange(2)
        parts = [self.ranges[one], self.scaled(other, two(shift) * (-1) ** minus)]
        self.add(minus, (one, other), (shift,), shift, self.total(parts))

    def long_sum(self) -> None:
        operands = [self.any() for _ in range(self.rng.randint(2, 4))]
        pairs = [(self.rng.randrange(2), self.rng.randint(-1, 1)) for _ in operands]
        parts = [
            self.scaled(number, two(shift) * (1 if plus else -1))
            for number, (plus, shift) in zip(operands, pairs, strict=True)
        ]
        self.add(11, operands, [each for pair in pairs for each in pair], 0, self.total(parts))

    def negation(self) -> None:
        number = self.any()
        self.add(-2, (number,), (), 0, self.scaled(number, F(-1)))

    def quantiser(self) -> None:
        opcode, _ = self.sign(3)
        shift = self.rng.randint(-1, 1) if self.version == SHIFTING else 0
        self.add(opcode, (self.any(20),), (shift,), 0, self.codes())

    def relu(self) -> None:
        opcode, _ = self.sign(2)
        _, high, step = self.codes()
        self.add(opcode, (self.any(20),), (), 0, (F(0), high, step))

    def constant_sum(self) -> None:
        number = self.any()
        low, high, step = self.ranges[number]
        finer = step / self.rng.choice((1, 2))
        code = self.rng.randint(-5, 5)
        places = kif((F(0), finer, finer))[2]
        packed = code if self.version == LIST else (code & 0xFFFFFFFF) | (places << 32)
        qint = (low + code * finer, high + code * finer, finer)
        self.add(4, (number,), (code, places), packed, qint)

    def constant(self) -> None:
        step, code = two(self.rng.randint(-2, 2)), self.rng.randint(-6, 6)
        self.add(5, (), (code,), code, (code * step, code * step, step))

    def choice(self) -> None:
        one, other, condition = self.any(), self.any(), self.any()
        shift = self.rng.randint(-1, 1)
        opcode, sign = self.sign(6)
        parts = [self.ranges[one], self.scaled(other, two(shift) * sign)]
        low, high = min(part[0] for part in parts), max(part[1] for part in parts)
        qint = low, high, min(part[2] for part in parts)
        packed = condition | (shift & 0xFFFFFFFF) << 32
        packed -= (packed >> 63) << 64
        self.add(opcode, (one, other, condition), (shift,), packed, qint)

    def table(self) -> None:
        few = [n for n, (low, high, step) in enumerate(self.ranges) if (high - low) / step < 64]
        number = self.rng.choice(few)
        low, high, step = self.ranges[number]
        values = [self.rng.randint(-9, 9) for _ in range(int((high - low) / step) + 1)]
        unit = two(self.rng.randint(-3, 1))
        qint = min(values) * unit, max(values) * unit, unit
        self.tables.append(
            {
                "spec": {
                    "hash": str(len(self.tables)),
                    "out_qint": dict(zip(("min", "max", "step"), map(float, qint), strict=True)),
                    "inp_width": 6,
                },
                "table": values,
            }
        )
        self.add(8, (number,), (len(self.tables) - 1,), len(self.tables) - 1, qint)

    def unary(self) -> None:
        number, kind = self.any(), self.rng.randrange(3)
        low, high, step = self.ranges[number]
        signed, bits, _ = kif((low, high, step))
        if kind == 0:
            bits = bits or 1
            qint = (-two(bits) * step if signed else F(0), (two(bits) - 1) * step, step)
        else:
            qint = F(0), F(1), F(1)
        self.add(9, (number,), (kind,), kind, qint)

    def binary(self) -> None:
        one, other = self.any(8), self.any(8)
        shift, kind = self.rng.randint(-1, 1), self.rng.randrange(3)
        parts = [self.ranges[one], self.scaled(other, two(shift))]
        step = min(part[2] for part in parts)
        bits = max(b - places for part in parts for _, b, places in [kif(part)])
        signed = any(part[0] < 0 for part in parts)
        qint = (-two(bits) if signed else F(0), max(two(bits), step) - step, step)
        packed = (shift & 0xFFFFFFFF) | kind << 56
        self.add(10, (one, other), (shift, kind), packed, qint)


def random_program(rng: random.Random, version: int, operations: int = 20) -> Any:
    """A random program, as JSON."""
    return Maker(rng, version).program(operations)


def evaluate(content: Any, x: Sequence[Fraction]) -> list[Fraction]:
    """Outputs of a sample."""
    fields, version = content, LIST
    if isinstance(content, dict):
        fields, version = content["model"], content["spec_version"]
    _, shifts, picked, out_shifts, signs, rows, _, _, tables = fields
    inputs = [value * two(shift) for value, shift in zip(x, shifts, strict=True)]
    values: list[Fraction] = []
    ranges = [_range(row[-3]) for row in rows]
    for row, qint in zip(rows, ranges, strict=True):
        values.append(_step(row, qint, version, inputs, values, ranges, tables))
    found = [values[index] if index >= 0 else F(0) for index in picked]
    return [
        (-value if sign else value) * two(shift)
        for value, shift, sign in zip(found, out_shifts, signs, strict=True)
    ]


def _range(numbers: Sequence[float]) -> Range:
    low, high, step = map(F, numbers)
    return low, high, step


def _low_word(data: int) -> int:
    return ((data & 0xFFFFFFFF) + 2**31) % 2**32 - 2**31


def _step(
    row: list[Any],
    qint: Range,
    version: int,
    inputs: Sequence[Fraction],
    values: Sequence[Fraction],
    ranges: Sequence[Range],
    tables: Sequence[Any],
) -> Fraction:
    """The result of one row."""
    if version >= UNPACKED:
        operands, opcode, data = row[:3]
    else:
        opcode, packed = row[2], row[3]
        operands = [each for each in row[:2] if each >= 0]
        data = [packed]
        if opcode == -1:
            data = [row[0]]
        elif opcode == 4 and version == PACKED:
            data = [_low_word(packed), packed >> 32]
        elif abs(opcode) == 6:
            operands, data = [*row[:2], packed & 0xFFFFFFFF], [_low_word(packed >> 32)]
        elif opcode == 10:
            data = [_low_word(packed), packed >> 56 & 255]
    at = [values[each] for each in operands] if opcode != -1 else []
    sign = -1 if version == LIST and opcode < -1 else 1
    if version == LIST and opcode < -1:
        opcode = -opcode
    match opcode:
        case -1:
            return wrapped(inputs[data[0]], qint)
        case -2:
            return -at[0]
        case 0 | 1:
            return at[0] + at[1] * two(data[0]) * (-1) ** opcode
        case 2:
            return wrapped(max(sign * at[0], F(0)), qint)
        case 3:
            return wrapped(sign * at[0] * (two(data[0]) if version == SHIFTING else 1), qint)
        case 4:
            return at[0] + data[0] * (qint[2] if version == LIST else two(-data[1]))
        case 5:
            return data[0] * qint[2]
        case 6:
            condition = ranges[operands[2]]
            _, bits, places = kif(condition)
            top = at[2] < 0 if condition[0] < 0 else at[2] >= two(bits - places - 1)
            return at[0] if top else sign * at[1] * two(data[0])
        case 8:
            low, _, step = ranges[operands[0]]
            table = tables[data[0]]
            entry = table["table"][int((at[0] - low) / step)]
            spec = table["spec"]["out_qint"]
            out = _range([spec["min"], spec["max"], spec["step"]])
            return wrapped(entry * out[2], out)
        case 9:
            return _unary(data[0], sign * at[0], ranges[operands[0]], qint)
        case 10:
            step = min(ranges[operands[0]][2], ranges[operands[1]][2] * two(data[0]))
            one, other = int(at[0] / step), int(at[1] * two(data[0]) / step)
            return [one & other, one | other, one ^ other][data[1]] * step
        case 11:
            terms = zip(at, data[::2], data[1::2], strict=True)
            return sum(((1 if plus else -1) * each * two(n) for each, plus, n in terms), F(0))
        case _:
            raise AssertionError(opcode)


def _unary(kind: int, value: Fraction, source: Range, target: Range) -> Fraction:
    signed, bits, _ = kif(source)
    code = int(value / source[2])
    if kind == 0:
        inverted = F(~code % 2 ** ((bits or 1) + signed))
        _, _, step = target
        return wrapped(inverted * step, target)
    if kind == 1:
        return F(code != 0)
    return F(code == (-1 if signed else 2**bits - 1))
