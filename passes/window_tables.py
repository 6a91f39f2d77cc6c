"""`kan-window-tables`: tables read the few bits of a value, after an increment, that they need.

Networks of other trainers have quantisers of their own for every edge: round, drop low bits, wrap,
then a table. However these are written, each table is first a table of the whole value. Then it
becomes a smaller table of some bits of the value plus a constant:

    %t = kan.table %x          entries 0 1 1 5 5 2 2 0     a table of (x + 1) / 2 modulo 4

becomes

    %s = kan.sum %x, 1
    %b = kan.extract %s from 1
    %t = kan.table %b          entries 0 1 5 2

Tables of one value share increments. A sum whose readers are all tables takes in one of them for
nothing. Where several wide tables tell only few classes of codes apart, one table gives the class,
and the others read it.

The target says what a table of some bits takes, and what an increment does.
`kan_dialect.search.table_windows` chooses them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from xdsl.dialects import func
from xdsl.ir import Block, Operation, SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from kan_dialect.devices.device import DeviceFamily
from kan_dialect.ir.constants import BoolArray, IntArray
from kan_dialect.ir.derived_names import derived_name
from kan_dialect.ir.operation import ops_of
from kan_dialect.ir.types import IntType, int_type, range_of
from kan_dialect.ops.wire import ConstantOp, ExtractOp, MarkOp, SumOp, TableOp
from kan_dialect.passbase.function_pass import FunctionPass
from kan_dialect.passbase.marks import moved_mark
from kan_dialect.passbase.sums import variables_and_constant
from kan_dialect.passbase.target_pass import TargetPass
from kan_dialect.passes.narrow import narrow
from kan_dialect.search.table_windows.costs import WIDTH, TableCosts
from kan_dialect.search.table_windows.increments import choose_increments
from kan_dialect.search.table_windows.shared_codes import Reader, Reading, readings_of
from kan_dialect.search.table_windows.windows import Ring, Window

LEAST_SAVED = 0.5
"""LUTs that the windows of a value's tables have to save."""
MAX_BITS = 12
"""Bits of the widest value whose tables are examined."""


def _source(table: TableOp) -> SSAValue:
    """The value whose code determines what a table reads: behind bits, constants, other tables."""
    value = table.inputs[0]
    while (before := _operand(value)) is not None and range_of(before).bits <= MAX_BITS:
        value = before
    return value


def _operand(value: SSAValue) -> SSAValue | None:
    """The one value that a value is a function of; None of inputs, sums of several, and nodes."""
    op = value.owner
    if any(isinstance(use.operation, MarkOp) for use in value.uses):
        return None
    if isinstance(op, ExtractOp):
        return op.input
    if isinstance(op, TableOp) and len(op.inputs) == 1:
        return op.inputs[0]
    if type(op) is SumOp:
        variables, _ = variables_and_constant(op.inputs)
        return variables[0] if len(variables) == 1 else None
    return None


def _is_added(table: TableOp) -> bool:
    return all(type(use.operation) is SumOp for use in table.result.uses)


def _between(value: SSAValue, source: SSAValue) -> Iterator[SSAValue]:
    """The values from one back to its source, without the source."""
    while value is not source:
        yield value
        before = _operand(value)
        assert before is not None
        value = before


def _codes(value: SSAValue, source: SSAValue) -> IntArray:
    """The codes of a value for all codes of its source, the lowest one first."""
    codes = np.arange(range_of(source).low, range_of(source).high + 1)
    for step in reversed(list(_between(value, source))):
        op = step.owner
        assert isinstance(op, ExtractOp | TableOp | SumOp)
        owners = [operand.owner for operand in op.operands]
        (codes,) = op.evaluate(
            [np.array([o.value.value.data]) if isinstance(o, ConstantOp) else codes for o in owners]
        )
    return codes


def _entries_by_code(table: TableOp, source: SSAValue) -> tuple[IntArray, BoolArray]:
    """Entries of a table for all codes of its source, and whether they matter."""
    index = _codes(table.inputs[0], source) - range_of(table.inputs[0]).low
    return table.filled[index], table.care_array[index].astype(np.bool_)


@dataclass
class _Windowing:
    """Builds the windows of all tables of one value."""

    source: SSAValue
    tables: Sequence[TableOp]
    device: DeviceFamily
    costs: TableCosts

    def __post_init__(self) -> None:
        kind = range_of(self.source)
        self._is_free = type(self.source.owner) is SumOp and self._only_these_read(self.source)
        self._first = kind.low if self._is_free else 0
        """The code of entry 0 of the rings."""
        self._bits = (kind.size - 1).bit_length() if self._is_free else kind.bits
        self._values: dict[int, SSAValue] = {}
        """The source less `_first`, plus an increment."""
        self._extracts: dict[tuple[int, int, int], SSAValue] = {}
        """Bits by increment, lowest bit and width."""

    def _only_these_read(self, value: SSAValue) -> bool:
        """Whether a value leads to these tables only."""
        pending = [value]
        while pending:
            value = pending.pop()
            for use in value.uses:
                reader = use.operation
                if isinstance(reader, MarkOp) or reader in self.tables:
                    continue
                if (
                    not isinstance(reader, ExtractOp | SumOp)
                    or _operand(reader.result) is not value
                ):
                    return False
                pending.append(reader.result)
        return True

    def run(self) -> bool:
        """Whether windows are worth it; then they are built."""
        readers = [self._reader(table) for table in self.tables]
        readings = readings_of(readers, self.costs, self.device.lut_inputs)
        choice = choose_increments(readings, self._bits, self.costs, is_free=self._is_free)
        if choice.luts > self._luts_before() - LEAST_SAVED:
            return False
        self._place(choice.free)
        for reading, (increment, window) in zip(readings, choice.windows, strict=True):
            self._build(reading, increment, window)
        return True

    def _luts_before(self) -> float:
        """LUTs of the tables as they are, and of what is between them and the value."""
        luts = sum(map(self._luts_of, self.tables))
        between = {
            value for table in self.tables for value in _between(table.inputs[0], self.source)
        }
        return luts + sum(
            map(self._luts_between, between - {table.result for table in self.tables})
        )

    def _luts_of(self, table: TableOp) -> float:
        patterns = table.by_bit_pattern
        ring = Ring(patterns, np.ones(len(patterns), dtype=np.bool_))
        return self.costs.of(ring, _is_added(table)) + WIDTH * _bits_read(patterns)

    def _luts_between(self, value: SSAValue) -> float:
        op = value.owner
        if isinstance(op, TableOp):
            return self._luts_of(op)
        if isinstance(op, SumOp):
            _, constant = variables_and_constant(op.inputs)
            return self.costs.increment(constant, range_of(value).bits)
        return 0.0

    def _reader(self, table: TableOp) -> Reader:
        kind, size = range_of(self.source), 1 << self._bits
        at = (np.arange(kind.low, kind.high + 1) - self._first) % size
        ring = Ring(np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.bool_))
        ring.entries[at], ring.care[at] = _entries_by_code(table, self.source)
        return Reader(ring, _is_added(table))

    def _place(self, free: int) -> None:
        """The value with the increment that costs nothing."""
        amount = free - self._first
        if not amount:
            self._values[free] = self.source
            return
        op = self.source.owner
        assert isinstance(op, SumOp) and self._is_free
        kind = range_of(self.source)
        moved_kind = IntType(kind.low + amount, kind.high + amount)
        constant = ConstantOp(amount)
        moved = SumOp([*op.inputs, constant.result], result_type=moved_kind, name=op.given_name)
        Rewriter.insert_op([constant, moved], InsertPoint.after(op))
        for use in list(self.source.uses):
            if isinstance(mark := use.operation, MarkOp):
                Rewriter.replace_op(mark, moved_mark(mark, moved.result, -amount))
        self._values[free] = moved.result

    def _value(self, increment: int) -> SSAValue:
        """The value with an increment, of at least as many bits as a ring has."""
        if increment not in self._values:
            (free, value), *_ = self._values.items()
            amount, kind = increment - free, range_of(value)
            low, high = kind.low + amount, kind.high + amount
            if int_type(low, high).bits < self._bits:
                high = (1 << self._bits) - 1
            constant = ConstantOp(amount)
            moved = SumOp([value, constant.result], result_type=int_type(low, high))
            self._insert([constant, moved], value)
            self._values[increment] = moved.result
        return self._values[increment]

    def _insert(self, ops: Sequence[Operation], value: SSAValue) -> None:
        """Insert ops behind the definition of a value."""
        owner = value.owner
        point = (
            InsertPoint.at_start(owner) if isinstance(owner, Block) else InsertPoint.after(owner)
        )
        Rewriter.insert_op(ops, point)

    def _build(self, reading: Reading, increment: int, window: Window) -> None:
        """Put a smaller table, or a code and the tables that read it, in the place of tables."""
        tables = [self.tables[index] for index in reading.members]
        bits = self._extracted(increment, window)
        ring = window.behind(increment)
        if not reading.by_class:
            (table,) = tables
            _replace(table, bits, ring.entries, ring.care)
            return
        name = derived_name(tables[0].given_name, "class")
        code = TableOp([bits], ring.entries, care=ring.care, name=name)
        self._insert([code], bits)
        kind = range_of(code.result)
        for table, entries in zip(tables, reading.by_class, strict=True):
            entries = entries[kind.low : kind.high + 1]
            _replace(table, code.result, entries, np.ones(len(entries), dtype=np.bool_))

    def _extracted(self, increment: int, window: Window) -> SSAValue:
        key = increment, window.low, window.width
        if key not in self._extracts:
            value = self._value(increment)
            self._extracts[key] = value
            if window.low or range_of(value) != int_type(0, (1 << window.width) - 1):
                extract = ExtractOp(value, window.low, window.width)
                self._insert([extract], value)
                self._extracts[key] = extract.result
        return self._extracts[key]


def _bits_read(patterns: IntArray) -> int:
    """Number of bits of its input that a table depends on."""
    halves = (patterns.reshape(-1, 2, 1 << bit) for bit in range(len(patterns).bit_length() - 1))
    return sum(bool((below_above[:, 0] != below_above[:, 1]).any()) for below_above in halves)


def _replace(table: TableOp, value: SSAValue, entries: IntArray, care: BoolArray) -> None:
    kind = range_of(table.result)
    new = TableOp([value], entries, care=care, result_type=kind, name=table.given_name)
    Rewriter.replace_op(table, new)


def _by_source(tables: Iterable[TableOp]) -> dict[SSAValue, list[TableOp]]:
    """The tables of one input, by the value whose code determines them."""
    found: dict[SSAValue, list[TableOp]] = {}
    for table in tables:
        if len(table.inputs) == 1 and _is_examined(source := _source(table)):
            found.setdefault(source, []).append(table)
    return found


def _is_examined(source: SSAValue) -> bool:
    """Whether a value has few bits; one that may go into its readers is left for that."""
    if range_of(source).bits > MAX_BITS or range_of(source).size == 1:
        return False
    op = source.owner
    return not isinstance(op, TableOp) or (
        len(op.inputs) > 1 or range_of(op.inputs[0]).bits > range_of(source).bits
    )


@dataclass(frozen=True)
class WindowTablesPass(FunctionPass, TargetPass):
    """Makes tables read the few bits of a value, after an increment, that they need."""

    name = "kan-window-tables"
    works_at = ("wire",)
    is_optional: ClassVar[bool] = True

    def rewrite(self, function: func.FuncOp) -> None:
        costs = TableCosts(self.device)
        ops = ops_of(function.body.block)
        found = _by_source(op for op in ops if isinstance(op, TableOp))
        # The last first: a table that others read is replaced behind these.
        windowed = [
            _Windowing(source, tables, self.device, costs).run()
            for source, tables in reversed(found.items())
        ]
        if any(windowed):
            narrow(function)
