"""Lookup tables that wire-level ops take on a device, before any tool has run.

Synthesis shares equal functions of the same values, takes small tables into the LUTs of adders, and
small clamps into the tables that read them. The count follows these rules from the contents of
tables and the ranges of values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from xdsl.ir import Block, Operation, SSAValue

from kan_dialect.analysis.tables import bit_patterns_of
from kan_dialect.devices.carry_chains import addends_of, is_single_bit, is_wires, pieces_of
from kan_dialect.devices.costed import stated_luts
from kan_dialect.devices.device import DeviceFamily
from kan_dialect.devices.table_cost import MAPPED_INPUTS, Mapper
from kan_dialect.ir.types import IntType, range_of
from kan_dialect.ir.wire_interface import Costed
from kan_dialect.maths.truth_tables import bits_of_code, by_size, planes, supports
from kan_dialect.ops.shift import rounded_port
from kan_dialect.ops.wire import (
    ConstantOp,
    DelayOp,
    ExtractOp,
    MarkOp,
    SumOp,
    TableOp,
    low_zeros,
)


def luts_of(op: Operation, device: DeviceFamily) -> int:
    """Lookup tables of one op, regardless of others."""
    return device.pack(count_luts([op], device))


def count_luts(ops: Iterable[Operation], device: DeviceFamily) -> Counter[int]:
    """Functions that ops take, by number of inputs; `DeviceFamily.pack` counts the LUTs for them.

    Tables that read the same values share equal functions, and adders absorb tables. Every other op
    says its own (`Costed`).

    Raises
    ------
    KanError : such an op does not say its costs.
    """
    every = list(ops)
    terms = {op: term for op in every if (term := _absorbed_term(op, device)) is not None}
    pieces = [piece for term in terms.values() for piece in pieces_of(term)]
    absorbed = {piece.owner for piece in pieces if isinstance(piece.owner, TableOp)}
    luts = Counter[int]()
    mappers: dict[Hashable, Mapper] = {}
    for piece in pieces:
        if piece.owner not in absorbed:
            luts[device.adders.bit_inputs] += range_of(piece).bits
    for op in every:
        match op:
            case TableOp():
                mapper = mappers.setdefault(tuple(map(_signal, op.inputs)), device.mapper)
                if op in absorbed:
                    luts += _absorbed_table(op, mapper, device)
                else:
                    map_table(op, mapper)
            case SumOp() if device.adders.carry_chains and rounded_port(op.result) is not None:
                luts += _moved(op, device)
            case SumOp():
                if op not in terms:
                    luts += _sum(op, device)
            case _:
                luts += stated_luts(op, device)
    if device.adders.absorbed_inputs >= 0:
        luts += _inverted_bits([op for op in every if isinstance(op, TableOp)], absorbed)
    for mapper in mappers.values():
        if device.maps_tables and mapper.is_wide and mapper.most_inputs <= MAPPED_INPUTS:
            factor = device.mapped_factor
            luts += Counter({size: round(factor * count) for size, count in mapper.luts.items()})
        else:
            luts += mapper.luts
    return +luts


def map_table(op: TableOp, mapper: Mapper) -> int:
    """Count a table with the others that read its values; its levels of lookup tables."""
    bits = sum(range_of(value).bits for value in op.inputs)
    patterns = op.by_bit_pattern
    source = op.inputs[0].owner
    codes = source.merged_codes(mapper.lut_inputs) if isinstance(source, Costed) else None
    if codes is not None:
        bits = len(codes).bit_length() - 1
        patterns = patterns[codes & ((1 << range_of(op.inputs[0]).bits) - 1)]
    found = planes(patterns, range_of(op.result).bits)
    return max(mapper.add(plane, bits) for plane in found[_unread_bits(op.result) :])


def _unread_bits(value: SSAValue) -> int:
    """Number of a value's lowest bits that no table depends on, if only tables read it."""
    changes = _changes(value)
    return (changes & -changes).bit_length() - 1


def _changes(value: SSAValue) -> int:
    """The codes from which on entries of the tables that read a value change, by bitwise or.

    It is odd where something else reads the value, and where nothing does.
    """
    source, found = range_of(value), 0
    for use in value.uses:
        reader = use.operation
        if isinstance(reader, MarkOp):
            continue
        if isinstance(reader, DelayOp):
            found |= _changes(reader.result)
        elif isinstance(reader, TableOp) and len(reader.inputs) == 1:
            codes = np.arange(source.low + 1, source.high + 1)
            # Between -1 and 0 all bits change: that is where the highest bit does.
            codes[codes == 0] = 1 << (source.bits - 1)
            found |= int(np.bitwise_or.reduce(codes[np.diff(reader.filled) != 0], initial=0))
        else:
            return 1
        if found & 1:
            break
    return found or 1


def absorbed_bits(value: SSAValue, device: DeviceFamily) -> int:
    """Bits of a value that the LUTs of an adder absorb, as they are small bits of tables.

    Bits that are always 0, below the others, are not counted.
    """
    return absorbed_bits_of([value], device)[0]


def absorbed_bits_of(values: Sequence[SSAValue], device: DeviceFamily) -> list[int]:
    """`absorbed_bits` of several values at once."""
    limit = device.adders.absorbed_inputs
    if limit < 0:
        return [0] * len(values)
    found: list[int] = []
    wide: list[tuple[int, TableOp]] = []
    known: dict[TableOp, _ReadBit | None] = {}
    for index, value in enumerate(values):
        pieces = pieces_of(value)
        if len(pieces) > 1:
            found.append(sum(absorbed_bits_of(pieces, device)))
            continue
        table = value.owner
        if not isinstance(table, TableOp) or not value.has_one_use():
            found.append(0)
            continue
        if _read_bit(table, known) is not None:
            found.append(int(_is_rarer(table, known)))
            continue
        found.append(range_of(value).bits - low_zeros(value, {}))
        if sum(range_of(each).bits for each in table.inputs) > limit:
            wide.append((index, table))
    patterns = [
        entries & ((1 << range_of(table.result).bits) - 1)
        for (_, table), entries in zip(
            wide, bit_patterns_of([table for _, table in wide]), strict=True
        )
    ]
    for which, entries in by_size(patterns):
        used = supports(entries, int(entries.max()).bit_length())
        fits = used <= limit
        some = np.count_nonzero(fits & (used > 1), axis=1)
        for number in np.flatnonzero(~fits.all(axis=1)).tolist():
            found[wide[which[number]][0]] = int(some[number])
    return found


class _ReadBit(NamedTuple):
    """A bit of a table's input, or its complement, which is all that the table gives."""

    place: int
    is_inverted: bool


def _read_bit(table: TableOp, known: dict[TableOp, _ReadBit | None]) -> _ReadBit | None:
    """The bit of its input that a table gives, in some place; None of other tables.

    Parameters
    ----------
    known : those of other tables; grows.
    """
    if table not in known:
        known[table] = _new_read_bit(table)
    return known[table]


def _new_read_bit(table: TableOp) -> _ReadBit | None:
    high = range_of(table.result).high
    if len(table.inputs) != 1 or not is_single_bit(table.result, {}):
        return None
    patterns = table.by_bit_pattern
    found = bits_of_code((len(patterns) - 1).bit_length()).get(planes(patterns // high, 1)[0])
    return None if found is None else _ReadBit(*found)


def _is_rarer(table: TableOp, known: dict[TableOp, _ReadBit | None]) -> bool:
    """Whether more tables of this bit have it the other way round, inverted or not.

    A carry chain takes one operand as it is, and the carry. So a bit that enters both inverted and
    not takes a lookup table twice, unless the LUTs of adders absorb the rarer one.
    """
    own = _read_bit(table, known)
    assert own is not None
    alike = other = 0
    for use in table.inputs[0].uses:
        reader = use.operation
        read = _read_bit(reader, known) if isinstance(reader, TableOp) else None
        if read is not None and read.place == own.place:
            alike += read.is_inverted == own.is_inverted
            other += read.is_inverted != own.is_inverted
    return alike < other or (alike == other and own.is_inverted)


def _inverted_bits(
    tables: Iterable[TableOp], absorbed: Collection[Operation | Block]
) -> Counter[int]:
    """The second lookup table of bits of tables that adders take as they are and inverted."""
    known: dict[TableOp, _ReadBit | None] = {}
    found: dict[tuple[TableOp, int], int] = {}
    for table in tables:
        source = table.inputs[0].owner
        if table in absorbed or not isinstance(source, TableOp):
            continue
        bit = _read_bit(table, known)
        if bit is not None and _is_rarer(table, known) and _is_added(table.result):
            inputs = sum(range_of(value).bits for value in source.inputs)
            found[source, bit.place] = inputs
    return Counter(found.values())


def _is_added(value: SSAValue) -> bool:
    return any(isinstance(use.operation, SumOp) for use in value.uses)


def _absorbed_term(op: Operation, device: DeviceFamily) -> SSAValue | None:
    """The term of an adder whose tables fit into its LUTs."""
    if not isinstance(op, SumOp) or len(terms := addends_of(op)) != 2 or is_wires(op):
        return None
    fits = {value: absorbed_bits(value, device) for value in terms}
    best = max(terms, key=lambda value: fits[value])
    return best if fits[best] else None


def _absorbed_table(op: TableOp, mapper: Mapper, device: DeviceFamily) -> Counter[int]:
    """A table and the adder that absorbs it; functions that others may share go to the mapper."""
    luts = Counter[int]()
    patterns, bits = op.by_bit_pattern, range_of(op.result).bits
    inputs = sum(range_of(value).bits for value in op.inputs)
    used: list[int] = supports(patterns[np.newaxis], bits)[0].tolist()
    for plane, number in zip(planes(patterns, bits), used, strict=True):
        if number <= device.adders.absorbed_inputs:
            luts[number + 1] += number > 0
        else:
            mapper.add(plane, inputs)
            luts[device.adders.bit_inputs] += 1
    return luts


def _sum(op: SumOp, device: DeviceFamily) -> Counter[int]:
    """Adders of two terms, one after the other."""
    luts = Counter[int]()
    if is_wires(op):
        return luts
    first, *others = addends_of(op)
    if len(others) == 1 and not device.adders.whole_bits and device.adders.carry_chains:
        luts[device.adders.bit_inputs] += _bits_that_meet(first, others[0])
        return luts
    total = range_of(first)
    for value in others:
        term = range_of(value)
        whole = IntType(total.low + term.low, total.high + term.high)
        luts[device.adders.bit_inputs] += _adder_bits(total, term, whole, device)
        total = whole
    return luts


def _bits_that_meet(first: SSAValue, second: SSAValue) -> int:
    """Bits that both terms of an adder have; a sign goes on above the highest bit."""
    bits = max(range_of(first).bits, range_of(second).bits)
    return (_places(first, bits) & _places(second, bits)).bit_count()


def _places(value: SSAValue, bits: int) -> int:
    """The places of a term of an adder at which it is not always 0, a bit for each."""
    found = 0
    for piece in pieces_of(value):
        kind = range_of(piece)
        top = bits if kind.is_signed else kind.bits
        found |= (1 << top) - (1 << low_zeros(piece, {}))
    return found


def _adder_bits(first: IntType, second: IntType, whole: IntType, device: DeviceFamily) -> int:
    """Lookup tables of an adder."""
    if not device.adders.carry_chains:
        # Sum and carry of a bit each take one; larger tables take some of them in.
        return int(whole.bits * device.adders.bit_luts)
    if device.adders.whole_bits:
        is_chain = whole.bits >= device.adders.shortest_chain
        return whole.bits + is_chain * device.adders.chain_ends
    # Above an operand without sign, the other one's bits go straight to the carry chain; where both
    # have a sign, the upper bits of the sum differ by the carry only.
    unsigned = [term.bits for term in (first, second) if not term.is_signed]
    return min(unsigned) if unsigned else max(first.bits, second.bits)


def _moved(op: SumOp, device: DeviceFamily) -> Counter[int]:
    """A constant added to a rounded value; one that changes the upper two bits takes nothing."""
    constant = op.inputs[1].owner
    assert isinstance(constant, ConstantOp)
    value, bits = constant.value.value.data, range_of(op.inputs[0]).bits
    if value % (1 << max(0, bits - 2)) == 0:
        return Counter()
    return Counter({device.adders.bit_inputs: (bits - 1) * device.adders.constant_luts})


def _signal(value: SSAValue) -> Hashable:
    """A key that is equal for values of the same bits in hardware."""
    op = value.owner
    if not isinstance(op, ExtractOp):
        return value
    return _signal(op.input), op.low.value.data, range_of(value).bits
