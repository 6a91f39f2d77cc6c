"""Wire-level functions as a processor computes them: whole tables, and sums of tables.

Passes split tables, balance sums and add registers for hardware. A processor has none of their
costs, so a summand is composed back into one table of one value, registers disappear, and a sum
takes in the sums that only it reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from xdsl.dialects import func
from xdsl.ir import Operation, SSAValue

from kan_dialect.errors import KanError
from kan_dialect.ir.constants import Array, IntArray, to_integers
from kan_dialect.ir.semantics import evaluate_op
from kan_dialect.ir.types import IntType, range_of
from kan_dialect.ir.wire_interface import WireInterface
from kan_dialect.ops.folded import FoldedOp
from kan_dialect.ops.wire import (
    MAX_TABLE_BITS,
    ConstantOp,
    DelayOp,
    ExtractOp,
    MarkOp,
    SumOp,
    TableOp,
    as_function,
)

MAX_ENTRIES = 1 << 12
"""Most entries of a table that is composed of others, and of one that shares words."""
LARGEST = 1 << 62
"""Sums of tables stay below it."""


@dataclass(frozen=True)
class Lookup:
    """A value as a table of other values: one dimension for each of `reads`."""

    value: SSAValue
    reads: tuple[SSAValue, ...]
    entries: IntArray
    """One entry for each value of the ranges of `reads`, int64."""


@dataclass(frozen=True)
class Sum:
    """A value as the sum of functions of one value each, of other values, and a constant."""

    value: SSAValue
    rows: dict[SSAValue, IntArray]
    """Functions of one value: an entry for each value of its range, int64, the smallest is 0."""
    others: tuple[SSAValue, ...]
    constant: int

    @property
    def reads(self) -> tuple[SSAValue, ...]:
        return (*self.rows, *self.others)

    @property
    def largest(self) -> int:
        """Largest sum of the functions; the smallest is 0."""
        return sum(int(entries.max()) for entries in self.rows.values())


@dataclass(frozen=True)
class Arithmetic:
    """A value that an op computes without a table: a saturation, shift, bits or a comparison."""

    value: SSAValue
    op: WireInterface
    reads: tuple[SSAValue, ...]
    """The op's operands."""


Definition: TypeAlias = Lookup | Sum | Arithmetic


@dataclass
class Dataflow:
    """What a wire-level function computes, without registers and marks.

    Raises
    ------
    KanError : an op of another package has too many input bits for a table.
    """

    function: func.FuncOp
    results: list[SSAValue] = field(init=False)
    """The value of each result."""
    constants: dict[SSAValue, int] = field(default_factory=dict[SSAValue, int])
    """Values that are always the same."""
    levels: list[list[Definition]] = field(default_factory=list[list[Definition]])
    """Definitions that results need; each reads values of earlier levels and arguments only."""
    _functions: dict[SSAValue, tuple[SSAValue, IntArray] | None] = field(
        default_factory=dict[SSAValue, tuple[SSAValue, IntArray] | None]
    )

    def __post_init__(self) -> None:
        terminator = self.function.get_return_op()
        assert terminator is not None
        self.results = [_undelayed(value) for value in terminator.operands]
        needed = set(self.results)
        found: list[Definition] = []
        for op in reversed(list(self.function.body.block.ops)):
            for value in op.results:
                if value in needed:
                    definition = self._define(value, op)
                    if definition is not None:
                        found.append(definition)
                        needed.update(definition.reads)
        depths: dict[SSAValue, int] = {}
        for definition in reversed(found):
            depth = max((depths.get(value, 0) for value in definition.reads), default=0)
            depths[definition.value] = depth + 1
            while len(self.levels) <= depth:
                self.levels.append([])
            self.levels[depth].append(definition)

    def _define(self, value: SSAValue, op: Operation) -> Definition | None:
        """The definition of a value; None of a constant."""
        if isinstance(op, ConstantOp):
            self.constants[value] = op.value.value.data
            return None
        if isinstance(op, SumOp):
            return self._sum(value, op)
        if isinstance(op, FoldedOp):
            return _folded_sum(value, op)
        if isinstance(op, WireInterface) and op.c_expression(["x"] * len(op.operands)) is not None:
            return Arithmetic(value, op, tuple(map(_undelayed, op.operands)))
        lookup = self._lookup(value, op)
        if int(lookup.entries.min()) < int(lookup.entries.max()):
            return lookup
        self.constants[value] = int(lookup.entries.flat[0])
        return None

    def _sum(self, value: SSAValue, op: SumOp) -> Sum:
        rows: dict[SSAValue, IntArray] = {}
        others: list[SSAValue] = []
        constant = largest = 0
        for summand in _summands(op):
            if isinstance(summand.owner, ConstantOp):
                constant += summand.owner.value.value.data
                continue
            found = self._composed(summand)
            least = 0 if found is None else int(found[1].min())
            spread = 0 if found is None else int(found[1].max()) - least
            if found is None or largest + spread >= LARGEST:
                others.append(summand)
                continue
            root, entries = found[0], found[1] - least
            rows[root] = rows[root] + entries if root in rows else entries
            constant, largest = constant + least, largest + spread
        constant += sum(int(entries.min()) for entries in rows.values())
        rows = {root: entries - int(entries.min()) for root, entries in rows.items()}
        rows = {root: entries for root, entries in rows.items() if entries.any()}
        return Sum(value, rows, tuple(others), constant)

    def _composed(self, value: SSAValue) -> tuple[SSAValue, IntArray] | None:
        """A table of one value that is small enough to share words."""
        if not isinstance(value.owner, TableOp | ExtractOp):
            return None
        found = as_function(value, (TableOp, ExtractOp), self._functions)
        if found is None or found[0] is value or len(found[1]) > MAX_ENTRIES:
            return None
        return _undelayed(found[0]), found[1]

    def _lookup(self, value: SSAValue, op: Operation) -> Lookup:
        composed = self._composed(value)
        if composed is not None:
            return Lookup(value, (composed[0],), composed[1])
        reads = tuple(_undelayed(operand) for operand in op.operands)
        if isinstance(op, TableOp):
            return Lookup(value, reads, op.filled)
        return Lookup(value, reads, _tabulated(value, op))


def _folded_sum(value: SSAValue, op: FoldedOp) -> Sum:
    """A node of a folded layer."""
    node = op.sums.index(value)
    first, constant = op.first.value.data, int(to_integers(op.bias)[node])
    rows: dict[SSAValue, IntArray] = {}
    tables = op.edge_tables(slice(node, node + 1))[0]
    for operand, table in zip(op.inputs, tables, strict=True):
        kind, root = range_of(operand), _undelayed(operand)
        entries = table[kind.low - first : kind.high - first + 1]
        rows[root] = rows[root] + entries if root in rows else entries
    constant += sum(int(entries.min()) for entries in rows.values())
    rows = {root: entries - int(entries.min()) for root, entries in rows.items()}
    return Sum(value, {root: each for root, each in rows.items() if each.any()}, (), constant)


def _undelayed(value: SSAValue) -> SSAValue:
    """The value without the registers behind it."""
    while isinstance(value.owner, DelayOp):
        value = value.owner.input
    return value


def _summands(op: SumOp) -> Iterator[SSAValue]:
    """The summands of a sum and of the sums that only it reads, without registers."""
    pending: list[SSAValue] = list(reversed(op.inputs))
    while pending:
        value = pending.pop()
        source, alone = value, _has_one_reader(value)
        while isinstance(source.owner, DelayOp):
            source = source.owner.input
            alone = alone and _has_one_reader(source)
        if alone and isinstance(source.owner, SumOp):
            pending.extend(reversed(source.owner.inputs))
        else:
            yield source


def _has_one_reader(value: SSAValue) -> bool:
    """Whether one op reads a value, once. Marks do not count."""
    return sum(not isinstance(use.operation, MarkOp) for use in value.uses) == 1


def _tabulated(value: SSAValue, op: Operation) -> IntArray:
    """An op's result for every combination of its operands."""
    kinds = [range_of(operand) for operand in op.operands]
    if sum(kind.bits for kind in kinds) > MAX_TABLE_BITS:
        raise KanError(
            f"'{op.name}' has too many input bits for a table, and no form in C",
            remedy="lower it to ops of wire level before the network is quantised",
        )
    grids = np.meshgrid(*map(_values, kinds), indexing="ij")
    results = evaluate_op(op, [grid.ravel() for grid in grids])
    found = next(array for each, array in zip(op.results, results, strict=True) if each is value)
    return np.broadcast_to(found, (grids[0].size,)).reshape([kind.size for kind in kinds])


def _values(kind: IntType) -> IntArray:
    return np.arange(kind.low, kind.high + 1, dtype=np.int64)


WORD_BITS = 64


@dataclass
class Word:
    """Sums side by side in the bits of a machine word, each in a lane that holds its largest value.

    A word's table of a value has the entries of all its sums, each shifted to its lane. One
    addition adds to all lanes, and nothing is carried from one to the next.
    """

    lanes: list[tuple[Sum, int, int]] = field(default_factory=list[tuple[Sum, int, int]])
    """Each sum with its lowest bit and its number of bits."""
    rows: dict[SSAValue, Array] = field(default_factory=dict[SSAValue, Array])
    """The word's table of each value, (range), uint64."""

    @property
    def bits(self) -> int:
        return sum(bits for _, _, bits in self.lanes)

    def takes(self, new: Sum) -> bool:
        """Whether a sum fits, and reads at least half of its values with others."""
        common = sum(value in self.rows for value in new.rows)
        return self.bits + new.largest.bit_length() <= WORD_BITS and 2 * common >= len(new.rows)

    def add(self, new: Sum) -> None:
        start = self.bits
        self.lanes.append((new, start, new.largest.bit_length()))
        for value, entries in new.rows.items():
            shifted = entries.astype(np.uint64) << np.uint64(start)
            self.rows[value] = self.rows[value] + shifted if value in self.rows else shifted


def words_of(level: Sequence[Definition]) -> list[Word]:
    """The words of a level's sums, first fit. Sums without tables have none."""
    words: list[Word] = []
    for definition in level:
        if isinstance(definition, Sum) and definition.largest:
            word = next((word for word in words if word.takes(definition)), None)
            if word is None:
                words.append(word := Word())
            word.add(definition)
    return words
