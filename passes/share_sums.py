"""`kan-share-sums`: what two nodes have in common is added up once.

Two nodes whose edges from some inputs are alike share the sum of one node's tables of these inputs.
The other node then needs only tables of how its edges differ from them, which have fewer bits.
Where its edges are like the negatives of the first one's, it reads the complement of the sum, which
costs no logic, and a constant. It pays where the bits that go are worth more than an adder, by the
target's costs.

For each sum another one is looked for by the ranges of differences; what `kan-split-tables` would
make of the tables decides. A sum is part of one pair at most.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from kan_dialect.analysis.wires import remove_dead, wire_functions
from kan_dialect.devices.device import Fpga
from kan_dialect.ir.constants import FloatArray, IntArray
from kan_dialect.ir.types import range_of
from kan_dialect.ops.wire import SumOp, TableOp, complement
from kan_dialect.passbase.sums import derived_name, rebuild_sum
from kan_dialect.passbase.target_pass import TargetPass
from kan_dialect.search.table_split.splitter import Splitter, splitter_for

MAX_INPUT_BITS = 8
"""Tables over more input bits are not compared: that would take long."""

LEAST_BITS = 4.0
"""Pairs whose tables have fewer bits less in all are not looked at."""


@dataclass(frozen=True)
class ShareSumsPass(TargetPass):
    """Lets nodes with similar edges share a sum."""

    name = "kan-share-sums"

    def run(self, ctx: Context, module: ModuleOp) -> bool:
        functions = list(wire_functions(module))
        target = self.device
        for function in functions:
            _share(function, target)
            remove_dead(function)
        return bool(functions)


@dataclass(frozen=True)
class _Pair:
    """Two sums, and the inputs whose tables the first one shares with the second one."""

    first: SumOp
    second: SumOp
    sign: int
    """1, or -1 where the second one's tables are like the negatives of the first one's."""
    inputs: tuple[SSAValue, ...]
    gain: float
    """LUTs."""


def _share(function: func.FuncOp, target: Fpga) -> None:
    sums = [op for op in function.body.block.ops if isinstance(op, SumOp) and len(op.inputs) > 1]
    places = {op: place for place, op in enumerate(sums)}
    tables = {op: _tables_of(op) for op in sums}
    pairs = list(_pairs(sums, tables, splitter_for(target, 2), target))
    taken: set[SumOp] = set()
    # Of equal ones, the earlier sum is the one that stays as it was.
    for pair in sorted(pairs, key=lambda pair: (-pair.gain, places[pair.first])):
        if pair.gain > 0 and taken.isdisjoint((pair.first, pair.second)):
            taken |= {pair.first, pair.second}
            earlier = min(pair.first, pair.second, key=lambda op: places[op])
            _rewrite(pair, tables, earlier)


def _tables_of(op: SumOp) -> dict[SSAValue, TableOp]:
    """The sum's tables that nothing else reads, by their input; of each input one."""
    found: dict[SSAValue, TableOp] = {}
    for value in op.inputs:
        table = value.owner
        if (
            isinstance(table, TableOp)
            and len(table.inputs) == 1
            and table.care is None
            and value.has_one_use()
            and range_of(table.inputs[0]).bits <= MAX_INPUT_BITS
        ):
            found.setdefault(table.inputs[0], table)
    return found


def _pairs(
    sums: Sequence[SumOp],
    tables: dict[SumOp, dict[SSAValue, TableOp]],
    splitter: Splitter,
    target: Fpga,
) -> Iterator[_Pair]:
    """The pair that looks best for each sum, with what it gains."""
    entries = {op: {x: t.by_bit_pattern for x, t in own.items()} for op, own in tables.items()}
    saved = {sign: _saved_bits(sums, entries, sign) for sign in (1, -1)}
    likely: list[_Likely] = []
    for place, second in enumerate(sums):
        some = [
            (bits, first, sign)
            for sign, table in saved.items()
            for first, bits in zip(sums, table[place], strict=True)
            if bits >= LEAST_BITS and first is not second
        ]
        if some:
            _, first, sign = max(some, key=lambda each: each[0])
            likely.append(_Likely.of(first, second, sign, entries))
    # All tables at once, which takes less time than one pair after the other.
    further = target.adders.further_luts
    own = _costs([table for pair in likely for table in pair.own.values()], splitter, further)
    differ = _costs([table for pair in likely for table in pair.differ.values()], splitter, further)
    end = 0
    for pair in likely:
        start, end = end, end + len(pair.own)
        yield _costed(pair, own[start:end], differ[start:end], entries[pair.first], target)


def _saved_bits(
    sums: Sequence[SumOp], entries: dict[SumOp, dict[SSAValue, IntArray]], sign: int
) -> FloatArray:
    """How many bits fewer the tables of each sum have beside those of another one: (sums, sums)."""
    saved = np.zeros((len(sums), len(sums)))
    readers: dict[SSAValue, list[int]] = {}
    for place, op in enumerate(sums):
        for x in entries[op]:
            readers.setdefault(x, []).append(place)
    for x, places in readers.items():
        tables = np.stack([entries[sums[place]][x] for place in places])
        own = _bits(tables)
        for place, table in zip(places, tables, strict=True):
            saved[places, place] += np.maximum(own - _bits(tables - sign * table), 0)
    return saved


def _bits(tables: IntArray) -> FloatArray:
    """How many bits the entries of each table need, as a fraction too."""
    return np.log2(1.0 + np.ptp(tables, axis=1))


@dataclass(frozen=True)
class _Likely:
    """Two sums that look alike, and tables of the second one, by their inputs."""

    first: SumOp
    second: SumOp
    sign: int
    own: dict[SSAValue, IntArray]
    """As they are, where they have more values than what differs from the first one's tables."""
    differ: dict[SSAValue, IntArray]
    """Less the first one's, or with these added."""

    @classmethod
    def of(
        cls, first: SumOp, second: SumOp, sign: int, entries: dict[SumOp, dict[SSAValue, IntArray]]
    ) -> _Likely:
        own: dict[SSAValue, IntArray] = {}
        differ: dict[SSAValue, IntArray] = {}
        for x, base in entries[first].items():
            table = entries[second].get(x)
            if table is not None:
                difference = table - sign * base
                if np.ptp(difference) < np.ptp(table):
                    own[x], differ[x] = table, difference
        return cls(first, second, sign, own, differ)


def _costed(
    pair: _Likely,
    own: FloatArray,
    differ: FloatArray,
    entries: dict[SSAValue, IntArray],
    target: Fpga,
) -> _Pair:
    """A pair with the inputs for which sharing is cheaper, and what it saves in all.

    Parameters
    ----------
    own, differ : LUTs of the pair's tables as they are, and of what differs.
    entries : the first sum's tables, by their inputs.
    """
    gains = own - differ
    shared = [x for x, gain in zip(pair.own, gains.tolist(), strict=True) if gain > 0]
    if len(shared) < 2:
        return _Pair(pair.first, pair.second, pair.sign, (), 0.0)
    saved = float(np.maximum(gains, 0).sum())
    height = sum(int(np.ptp(entries[x])) for x in shared)
    # The shared sum is a term of both nodes: an adder more, and no table comes in at it.
    adders = target.adders
    adder = adders.bit_luts * (height.bit_length() + 1) + 2 * adders.further_luts
    return _Pair(pair.first, pair.second, pair.sign, tuple(shared), saved - float(adder))


def _costs(tables: Sequence[IntArray], splitter: Splitter, further: float) -> FloatArray:
    """LUTs of each table, adding included; of a constant none."""
    splits = splitter.split_all(tables)
    return np.array([splitter.cost(split) + further if split.parts else 0.0 for split in splits])


def _rewrite(pair: _Pair, tables: dict[SumOp, dict[SSAValue, TableOp]], earlier: SumOp) -> None:
    """Build the shared sum, and both sums anew on it."""
    place = InsertPoint.before(earlier)
    shared_tables = [tables[pair.first][x] for x in pair.inputs]
    for table in shared_tables:
        table.detach()
        Rewriter.insert_op(table, place)
    common = SumOp(
        [table.result for table in shared_tables],
        name=derived_name(pair.first.given_name, "common"),
    )
    Rewriter.insert_op(common, place)
    kept = [value for value in pair.first.inputs if value.owner not in shared_tables]
    Rewriter.replace_op(pair.first, *rebuild_sum(pair.first, [common.result, *kept]))
    terms, constant = [common.result], 0
    if pair.sign < 0:
        inverted, meaning = complement(
            common.result, derived_name(pair.second.given_name, "inverted")
        )
        Rewriter.insert_op(inverted, InsertPoint.before(pair.second))
        terms, constant = [inverted.result], -meaning.constant
    gone = [tables[pair.second][x] for x in pair.inputs]
    terms += [value for value in pair.second.inputs if value.owner not in gone]
    for own, other in zip(gone, shared_tables, strict=True):
        entries = own.entries_array - pair.sign * other.entries_array
        low = int(entries.min())
        constant += low
        if entries.max() > low:
            name = derived_name(own.given_name, "differs")
            differs = TableOp(own.inputs, entries - low, name=name)
            Rewriter.insert_op(differs, InsertPoint.before(pair.second))
            terms.append(differs.result)
    Rewriter.replace_op(pair.second, *rebuild_sum(pair.second, terms, constant))
