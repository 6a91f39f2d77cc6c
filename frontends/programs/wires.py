"""Writes a program as wire-level IR, whose integers are those of the program.

A quantiser takes bits out of a value (`kan.extract`). A table reads these bits. Only where a number
is added up, its sign bit becomes a summand of its own, which takes no logic. A quantiser behind a
quantiser, a sum included, reads a value that is right modulo the bits that it takes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from xdsl.dialects.builtin import ArrayAttr, ModuleOp
from xdsl.ir import Attribute, Block, SSAValue
from xdsl.ir import Operation as Op

from kan_dialect.errors import KanError
from kan_dialect.frontends.programs.fields import MAX_BITS
from kan_dialect.frontends.programs.names import name_layers
from kan_dialect.frontends.programs.program import Codes, Operation, Program, Term
from kan_dialect.ir.attributes.module_attributes import argument_attributes
from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.functions import function_of
from kan_dialect.ir.quant import MAX_STORAGE_BITS, UniformQuantizedType, storage_for
from kan_dialect.ir.types import int_type, range_of
from kan_dialect.ops.clamp import ClampOp
from kan_dialect.ops.decision import GreaterOp, SelectOp
from kan_dialect.ops.shift import ShiftOp
from kan_dialect.ops.wire import (
    MAX_TABLE_BITS,
    ConstantOp,
    ExtractOp,
    SumOp,
    TableOp,
    complement,
    sum_range,
)

_INVERTED_BITS = 12
"""The most bits of a value that one table inverts; of wider ones, each 8 bits have one."""
_JOINT_BITS = 3
"""Bits of each of two values that a table of both reads: six inputs are a lookup table."""
_EXACT = 1 << 10
"""The modulus, in bits, of a value that is right."""


@dataclass(frozen=True)
class Value:
    """A result of the program.

    Attributes
    ----------
    wire : its code: it stands for code * 2^step.
    residue : a value that is congruent to the code modulo 2^modulus.
    bits : what tables read: the code, or its bits as an unsigned number.
    sign : the weight of the highest bit where `bits` are those of a negative number; 0 otherwise.
    """

    wire: SSAValue
    step: int
    residue: SSAValue
    modulus: int
    bits: SSAValue
    sign: int = 0

    @staticmethod
    def of(wire: SSAValue, step: int) -> Value:
        """A value that is a code as it stands."""
        return Value(wire, step, wire, _EXACT, wire)

    @property
    def codes(self) -> IntArray:
        """The code for each of the values that `bits` can have, int64."""
        kind = range_of(self.bits)
        codes = np.arange(kind.low, kind.high + 1)
        return np.where(codes >= self.sign, codes - 2 * self.sign, codes) if self.sign else codes


def build_module(program: Program, name: str) -> ModuleOp:
    """The function of a program, with the encodings of its ports.

    Raises
    ------
    KanError : a value needs more than `MAX_BITS` bits, a port more than `MAX_STORAGE_BITS`, or a
        table more than `MAX_TABLE_BITS` input bits. The message names the operation.
    """
    return _Writer(program, name).module()


class _Writer:
    """Writes the ops of a program, in its order."""

    def __init__(self, program: Program, name: str) -> None:
        self.program, self.name = program, name
        self.ports = self.input_ports()
        self.block = Block(arg_types=[int_type(port.low, port.high) for port in self.ports])
        self.values: dict[int, Value] = {}
        self.edges: dict[tuple[SSAValue, int], SSAValue] = {}
        self.nodes: set[SSAValue] = set()
        self.known: dict[object, SSAValue] = {}
        self.inlined = _inlined(program)

    # The function

    def module(self) -> ModuleOp:
        for number, operation in enumerate(self.program.operations):
            if number in self.inlined:
                continue
            try:
                self.values[number] = self.value(operation)
            except KanError as error:
                raise KanError(
                    f"{self.program.name}: operation {number}: {error.message}", remedy=error.remedy
                ) from None
        results, encodings = zip(*map(self.result, self.program.results), strict=True)
        self.erase_unread(results)
        name_layers(self.block, results, set(self.edges.values()), self.nodes)
        inputs = [
            argument_attributes(_encoding(port.low, port.high, port.step), wraps=True)
            for port in self.ports
        ]
        function = function_of(
            self.name,
            self.block,
            results,
            arg_attrs=ArrayAttr(inputs),
            res_attrs=ArrayAttr(map(argument_attributes, encodings)),
        )
        return ModuleOp([function])

    def input_ports(self) -> list[Codes]:
        """The codes of each input: the finest step and the widest range of all that read it."""
        read: list[list[Codes]] = [[] for _ in self.program.shifts]
        for operation in self.program.operations:
            if operation.kind == "input":
                read[operation.index].append(operation.codes)
        ports: list[Codes] = []
        for index, (codes, shift) in enumerate(zip(read, self.program.shifts, strict=True)):
            step = min((each.step for each in codes), default=0)
            is_signed = any(each.is_signed for each in codes)
            top = max((each.step + each.bits - each.is_signed for each in codes), default=0)
            bits = top - step + is_signed
            self.require_port(bits, f"input {index}")
            ports.append(Codes(is_signed, bits, step - shift if codes else 0))
        return ports

    def require_port(self, bits: int, what: str) -> None:
        if bits > MAX_STORAGE_BITS:
            raise KanError(
                f"{self.program.name}: {what} needs {bits} bits, more than {MAX_STORAGE_BITS}",
                remedy="quantise it with fewer bits",
            )

    def result(self, term: Term | None) -> tuple[SSAValue, Attribute]:
        """A result, and the encoding of its port."""
        if term is None:
            return self.constant(0), _encoding(0, 0, 0)
        self.require_port(range_of(self.values[term.operation].wire).bits, "an output")
        value = self.termed(term)
        kind = range_of(value.wire)
        self.require_port(kind.bits, "an output")
        return value.wire, _encoding(kind.low, kind.high, value.step)

    def erase_unread(self, results: Sequence[SSAValue]) -> None:
        kept = set(results)
        for op in reversed(list(self.block.ops)):
            if not any(result.first_use or result in kept for result in op.results):
                op.detach()
                op.erase()
                self.nodes.difference_update(op.results)

    # Operations

    def value(self, operation: Operation) -> Value:
        codes = operation.codes
        match operation.kind:
            case "input":
                port = self.ports[operation.index]
                step = port.step + self.program.shifts[operation.index]
                found = Value.of(self.block.args[operation.index], step)
                return self.quantised(found, codes)
            case "sum":
                return self.sum(operation)
            case "quantiser":
                return self.quantised(self.termed(*operation.terms), codes)
            case "relu":
                return self.quantised(self.relu(self.termed(*operation.terms)), codes)
            case "choice":
                return self.quantised(self.choice(*operation.terms), codes)
            case "table":
                return self.table(operation)
            case "not":
                return self.inverted(operation)
            case "any" | "all":
                return self.all_bits(operation)
            case "and" | "or" | "xor":
                return self.quantised(self.bitwise(operation), codes)

    def sum(self, operation: Operation) -> Value:
        """A sum. It takes in the summands of sums that nothing else reads."""
        terms: list[Term] = []
        constants = [(operation.constant.code, operation.constant.step)]
        pending = list(reversed(operation.terms))
        while pending:
            term = pending.pop()
            if term.operation not in self.inlined:
                terms.append(term)
                continue
            inner = self.program.operations[term.operation]
            sign = -1 if term.is_negative else 1
            constants.append((sign * inner.constant.code, inner.constant.step + term.shift))
            pending += [
                Term(each.operation, each.is_negative != term.is_negative, each.shift + term.shift)
                for each in reversed(inner.terms)
            ]
        read = [self.values[term.operation] for term in terms]
        steps = [value.step + term.shift for value, term in zip(read, terms, strict=True)]
        step = min([*steps, *(step for code, step in constants if code)], default=0)
        total = sum(code << (at - step) for code, at in constants if code)
        factors = [
            (-1 if term.is_negative else 1, at - step)
            for term, at in zip(terms, steps, strict=True)
        ]
        wire = self.added([value.wire for value in read], factors, total)
        if len(terms) > 1 and isinstance(wire.owner, SumOp):
            self.nodes.add(wire)
        modulus = min(
            (value.modulus + shift for value, (_, shift) in zip(read, factors, strict=True)),
            default=_EXACT,
        )
        if modulus >= _EXACT:
            return Value.of(wire, step)
        residue = self.added([value.residue for value in read], factors, total)
        return replace(Value.of(wire, step), residue=residue, modulus=modulus)

    def quantised(self, value: Value, target: Codes) -> Value:
        """A value rounded down to the step of codes, and modulo their range."""
        step = max(target.step, value.step)
        drop, bits = step - value.step, target.bits - (step - target.step)
        if bits <= 0:
            return Value.of(self.constant(0), step)
        source, kind = value.wire, range_of(value.wire)
        low, high = kind.low >> drop, kind.high >> drop
        target = Codes(target.is_signed, bits, step)
        fits = target.low <= low and high <= target.high
        if fits and not drop:
            return value
        if low == high:
            within = (low - target.low & ((1 << bits) - 1)) + target.low
            return Value.of(self.constant(within), step)
        is_signed = low < 0 if fits else target.is_signed
        if fits:
            bits = storage_for(low, high)[0]
        if value.modulus >= drop + bits and range_of(value.residue).bits >= drop + bits:
            source = value.residue
        place = min(drop, range_of(source).bits - 1)  # the sign, where all other bits are dropped
        held = range_of(source).bits - place
        if held < bits:  # A negative number as an unsigned one of more bits.
            wire = self.signed(source, place, held, (1 << bits) - (1 << (held - 1)))
            return Value.of(wire, step)
        pattern = self.part(source, place, bits)
        residue = pattern if drop else source
        if not is_signed:
            return Value(pattern, step, residue, bits, pattern)
        wire = self.signed(source, place, bits, -(1 << (bits - 1)))
        return Value(wire, step, residue, bits, pattern, sign=1 << (bits - 1))

    def relu(self, value: Value) -> Value:
        kind = range_of(value.wire)
        if kind.low >= 0:
            return value
        if kind.high <= 0:
            return Value.of(self.constant(0), value.step)
        return Value.of(self.add(ClampOp(value.wire, 0, kind.high)), value.step)

    def choice(self, condition: Term, one: Term, other: Term) -> Value:
        """One of two values, by the top bit of the codes of the operation that decides."""
        codes = self.program.operations[condition.operation].codes
        deciding = self.quantised(self.values[condition.operation], codes)
        kind = range_of(deciding.wire)
        place = kind.bits if codes.is_signed else codes.bits + codes.step - deciding.step
        chosen = [self.termed(each) for each in (one, other)]
        if (codes.is_signed and kind.low >= 0) or not 0 < place <= kind.bits:
            return chosen[1]
        if codes.is_signed and kind.high < 0:
            return chosen[0]
        bit = self.part(deciding.wire, place - 1, 1)
        step = min(each.step for each in chosen)
        wires = [self.added([each.wire], [(1, each.step - step)], 0) for each in chosen]
        return Value.of(self.add(SelectOp(bit, *wires)), step)

    def table(self, operation: Operation) -> Value:
        (term,) = operation.terms
        source = self.program.operations[term.operation]
        read = self.quantised(self.values[term.operation], source.codes)
        table = self.program.tables[operation.index]
        if range_of(read.bits).bits > MAX_TABLE_BITS:
            raise KanError(
                f"a table of {range_of(read.bits).bits} input bits, more than {MAX_TABLE_BITS}",
                remedy="quantise its input with fewer bits",
            )
        places = (read.codes << (read.step - source.codes.step)) - source.first
        care = (places >= 0) & (places < len(table.entries))
        entries = np.array(table.entries)[places.clip(0, len(table.entries) - 1)]
        if isinstance(read.bits.owner, ConstantOp):
            return Value.of(self.constant(int(entries[0])), table.codes.step)
        wire = self.add(TableOp([read.bits], entries, care=care))
        self.edges[wire, 1] = wire
        return Value.of(wire, table.codes.step)

    def inverted(self, operation: Operation) -> Value:
        """The inverted bits of a value, as those of the codes of the result."""
        (term,) = operation.terms
        source = self.program.operations[term.operation].codes
        source = replace(source, bits=source.bits or 1)
        read = self.quantised(self.termed(term), source)
        wire = self.added([read.wire], [(-1, read.step - source.step)], -1)
        unsigned = self.quantised(Value.of(wire, 0), Codes(False, source.bits, 0))
        target = operation.codes
        found = self.quantised(unsigned, replace(target, step=0))
        return replace(found, step=found.step + target.step)

    def all_bits(self, operation: Operation) -> Value:
        """1 where any or all bits of a value are 1."""
        (term,) = operation.terms
        codes = self.program.operations[term.operation].codes
        read = self.quantised(self.termed(term), codes)
        wire = self.added([read.wire], [(1, read.step - codes.step)], 0)
        ones = -1 if codes.is_signed else codes.high
        wanted = 0 if operation.kind == "any" else ones
        above = [self.add(GreaterOp(wire, bound)) for bound in (wanted - 1, wanted)]
        sizes = [range_of(each).size for each in above]
        firsts = [range_of(each).low for each in above]
        equals = np.array([[0, 0], [1, 0]]) ^ int(operation.kind == "any")
        entries = equals[firsts[0] :, firsts[1] :][: sizes[0], : sizes[1]]
        return Value.of(self.add(TableOp(above, entries)), 0)

    def bitwise(self, operation: Operation) -> Value:
        """And, or, exclusive or of two values: tables of three bits of each, side by side."""
        read = [self.termed(term) for term in operation.terms]
        step = min(each.step for each in read)
        wires = [self.added([each.wire], [(1, each.step - step)], 0) for each in read]
        is_signed = any(range_of(wire).is_signed for wire in wires)
        width = max(range_of(wire).bits + (not range_of(wire).is_signed) for wire in wires)
        width -= not is_signed
        function = {"and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor}
        pieces: list[SSAValue] = []
        for low in range(0, width, _JOINT_BITS):
            parts = [self.piece(wire, low) for wire in wires]
            joint = function[operation.kind](*np.ix_(*(codes for _, codes in parts)))
            bits = min(_JOINT_BITS, width - low)
            joint = joint & ((1 << bits) - 1)
            if is_signed and low + bits == width:
                joint = joint - ((joint >> (bits - 1)) << bits)
            pieces.append(self.add(TableOp([part for part, _ in parts], joint << low)))
        return Value.of(self.added(pieces, [(1, 0)] * len(pieces), 0), step)

    def piece(self, wire: SSAValue, low: int) -> tuple[SSAValue, IntArray]:
        """Bits of a value from `low` on, and the number that each of their values stands for."""
        kind = range_of(wire)
        start = min(low, kind.bits - 1)
        bits = min(_JOINT_BITS, kind.bits - start)
        codes = np.arange(1 << bits)
        if start + bits == kind.bits and kind.is_signed:
            codes = codes - ((codes >> (bits - 1)) << bits)
        return self.part(wire, start, bits), codes >> (low - start)

    # Numbers

    def termed(self, term: Term) -> Value:
        """A term: a result, moved by its shift, and negated."""
        value = self.values[term.operation]
        if not term.is_negative:
            return replace(value, step=value.step + term.shift)
        wire = self.added([value.wire], [(-1, 0)], 0)
        return Value.of(wire, value.step + term.shift)

    def added(
        self, wires: Sequence[SSAValue], factors: Sequence[tuple[int, int]], constant: int
    ) -> SSAValue:
        """The sum of wires times (sign * 2^shift) and of a constant."""
        terms: list[SSAValue] = []
        for wire, (sign, shift) in zip(wires, factors, strict=True):
            _require_bits(range_of(wire).low << shift, range_of(wire).high << shift)
            if isinstance(wire.owner, ConstantOp):
                constant += (sign * wire.owner.value.value.data) << shift
            elif (wire, 1) in self.edges:
                terms.append(self.scaled_edge(wire, sign * (1 << shift)))
            elif sign > 0:
                terms.append(self.shifted(wire, shift))
            else:
                inverted, plus = self.negated(wire)
                terms += [self.shifted(each, shift) for each in inverted]
                constant += plus << shift
        if constant or not terms:
            terms.append(self.constant(constant))
        if len(terms) == 1:
            return terms[0]
        _require_bits(*sum_range(terms))
        return self.add(SumOp(terms))

    def scaled_edge(self, wire: SSAValue, factor: int) -> SSAValue:
        """The table of an edge with entries times a factor."""
        if (wire, factor) not in self.edges:
            table = wire.owner
            assert isinstance(table, TableOp)
            scaled = TableOp(table.inputs, table.entries_array * factor, care=table.care_array)
            self.edges[wire, factor] = self.add(scaled)
        return self.edges[wire, factor]

    def shifted(self, wire: SSAValue, shift: int) -> SSAValue:
        while shift:
            step = min(shift, 31)
            wire, shift = self.add(ShiftOp(wire, -step)), shift - step
        return wire

    def negated(self, wire: SSAValue) -> tuple[list[SSAValue], int]:
        """Numbers and a constant that add up to a number, negated: its inverted bits, and 1."""
        kind = range_of(wire)
        if kind.bits <= _INVERTED_BITS:
            table, inverted = complement(wire)
            return [self.add(table)], -inverted.constant
        pieces: list[SSAValue] = []
        for low in range(0, kind.bits, 8):
            bits = min(8, kind.bits - low)
            codes = np.arange(1 << bits)
            if kind.is_signed and low + bits == kind.bits:
                codes = codes - ((codes >> (bits - 1)) << bits) + (1 << bits)
            entries = ((1 << bits) - 1 - codes) << low
            pieces.append(self.add(TableOp([self.part(wire, low, bits)], entries)))
        return pieces, 1 if kind.is_signed else 1 - (1 << kind.bits)

    def signed(self, wire: SSAValue, low: int, bits: int, weight: int) -> SSAValue:
        """Bits of a value as a number whose highest bit has a weight of its own."""
        top = TableOp([self.part(wire, low + bits - 1, 1)], np.array([0, weight]))
        if bits == 1:
            return self.add(top)
        return self.add(SumOp([self.part(wire, low, bits - 1), self.add(top)]))

    def part(self, wire: SSAValue, low: int, bits: int) -> SSAValue:
        kind = range_of(wire)
        if low == 0 and (kind.low, kind.high) == (0, (1 << bits) - 1):
            return wire
        return self.add(ExtractOp(wire, low, bits))

    def constant(self, code: int) -> SSAValue:
        _require_bits(code, code)
        return self.add(ConstantOp(code))

    def add(self, op: Op) -> SSAValue:
        (result,) = op.results
        key = op.name, tuple(op.operands), tuple(op.properties.items()), result.type
        if key in self.known:
            op.erase()
        else:
            self.known[key] = result
            self.block.add_op(op)
        return self.known[key]


def _inlined(program: Program) -> set[int]:
    """The sums that one other sum reads, and nothing else: it takes in their summands."""
    uses = Counter(term.operation for each in program.operations for term in each.terms)
    uses.update(term.operation for term in program.results if term is not None)
    return {
        term.operation
        for each in program.operations
        for term in each.terms
        if each.kind == "sum"
        and program.operations[term.operation].kind == "sum"
        and uses[term.operation] == 1
    }


def _require_bits(low: int, high: int) -> None:
    bits, _ = storage_for(low, high)
    if bits > MAX_BITS:
        raise KanError(f"it needs {bits} bits, more than {MAX_BITS}", remedy="use fewer bits")


def _encoding(low: int, high: int, step: int) -> Attribute:
    bits, is_signed = storage_for(low, high)
    return UniformQuantizedType(bits, is_signed, 2.0**step)
