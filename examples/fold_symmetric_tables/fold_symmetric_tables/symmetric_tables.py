"""`fold-symmetric-tables`: tables that are symmetric around their middle read a folded code.

An even table of a code is a table of the code's distance from the middle, with half the entries:

    %t = kan.table %x          [9, 4, 1, 1, 4, 9]

becomes

    %d = kan.table %x          [2, 1, 0, 0, 1, 2]
    %t = kan.table %d          [1, 4, 9]

In an odd table, the entries below the middle are a constant less those above it. With the option
`odd` it is folded too, where only sums read it: below the middle its bits are inverted, which is
one XOR each, and the sums add what is missing.

    %s = kan.table %x          1 below the middle, else 0
    %h = kan.table %d          [1, 4, 6]
    %t = kan.table %h, %s      [[h, 7 - h], ...]
    %c = kan.table %s          [0, constant - 7]
    %r = kan.sum %t, %c, %y

All tables of a value share the distance. Folding pays where these are several, or wide: the pass
counts the lookup tables of the device with and without it, and keeps the better.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from fold_symmetric_tables.symmetry import Half, axes, below_axis, distances, half_of
from kan_dialect.analysis.wires import wire_functions
from kan_dialect.devices.device import DeviceFamily
from kan_dialect.devices.lut_count import count_luts, luts_of
from kan_dialect.ir.types import range_of
from kan_dialect.ops.wire import SumOp, TableOp
from kan_dialect.passbase.sums import rebuild_sum
from kan_dialect.passbase.target_pass import TargetPass


def _tables_by_input(function: func.FuncOp) -> list[list[TableOp]]:
    """Tables of one input whose entries all matter: a list for each input, in order."""
    found: dict[SSAValue, list[TableOp]] = {}
    for op in function.body.block.ops:
        if isinstance(op, TableOp) and len(op.inputs) == 1 and op.care is None:
            found.setdefault(op.inputs[0], []).append(op)
    return list(found.values())


def _halves(tables: Sequence[TableOp], axis: int, *, odd: bool) -> dict[TableOp, Half]:
    """Halves of those tables of one value that are symmetric and may be folded."""
    low = range_of(tables[0].inputs[0]).low
    found: dict[TableOp, Half] = {}
    for table in tables:
        half = half_of(table.entries_array, low, axis)
        if half is None:
            continue
        if half.constant is None or (odd and _only_sums_read(table)):
            found[table] = half
    return found


def _only_sums_read(table: TableOp) -> bool:
    return all(isinstance(use.operation, SumOp) for use in table.result.uses)


class _Summand(NamedTuple):
    """What sums add in the place of an odd table: a value, and a number below the axis."""

    value: SSAValue
    below: int
    constant: int


class _Folding:
    """Folds tables of one value at an axis."""

    def __init__(self, code: SSAValue, axis: int) -> None:
        low, high = range_of(code).low, range_of(code).high
        self.distance = TableOp([code], distances(low, high, axis))
        self.below = TableOp([code], below_axis(low, high, axis))

    def run(self, halves: Mapping[TableOp, Half], device: DeviceFamily) -> None:
        """Fold the tables whose halves take fewer LUTs than they."""
        Rewriter.insert_op([self.distance, self.below], InsertPoint.before(next(iter(halves))))
        summands: dict[SSAValue, _Summand] = {}
        for table, half in halves.items():
            if not self._is_cheaper(table, half, device):
                continue
            if half.constant is None:
                kind, name = range_of(table.result), table.given_name
                folded = TableOp([self.distance], half.entries, result_type=kind, name=name)
                Rewriter.replace_op(table, folded)
            else:
                summands[table.result] = self._odd(table, half, half.constant)
        self._replace_in_sums(summands)
        for op in (*(value.owner for value in summands), self.below, self.distance):
            if not op.results[0].uses:
                Rewriter.erase_op(op)

    def _is_cheaper(self, table: TableOp, half: Half, device: DeviceFamily) -> bool:
        halved = TableOp([self.distance], half.entries)
        cheaper = luts_of(halved, device) < luts_of(table, device)
        halved.erase()
        return cheaper

    def _odd(self, table: TableOp, half: Half, constant: int) -> _Summand:
        """Insert the half from 0 on, and the table that inverts its bits below the axis."""
        least = int(half.entries.min())
        upper = TableOp([self.distance], half.entries - least)
        ones = (1 << range_of(upper.result).bits) - 1
        values = np.arange(range_of(upper.result).high + 1)
        inverting = np.stack([values, ones - values], axis=1)
        value = TableOp([upper, self.below], inverting, name=table.given_name)
        Rewriter.insert_op([upper, value], InsertPoint.before(table))
        # constant - (least + v) = (ones - v) + (constant - least - ones)
        return _Summand(value.result, constant - 2 * least - ones, least)

    def _replace_in_sums(self, summands: Mapping[SSAValue, _Summand]) -> None:
        readers = {use.operation: None for value in summands for use in value.uses}
        for op in readers:
            assert isinstance(op, SumOp)
            terms = [summands.get(value, _Summand(value, 0, 0)) for value in op.inputs]
            values = [term.value for term in terms]
            below = sum(term.below for term in terms)
            if below:
                correction = TableOp([self.below], np.array([0, below]))
                Rewriter.insert_op(correction, InsertPoint.before(op))
                values.append(correction.result)
            constant = sum(term.constant for term in terms)
            Rewriter.replace_op(op, *rebuild_sum(op, values, constant))


def _luts(function: func.FuncOp, device: DeviceFamily) -> int:
    return device.pack(count_luts(function.body.block.ops, device))


@dataclass(frozen=True)
class FoldSymmetricTablesPass(TargetPass):
    """Folds tables that are symmetric around their middle, at wire level."""

    name = "fold-symmetric-tables"
    works_at = ("wire",)

    odd: bool = False
    """Fold odd tables too. `kan-split-tables` often does better with these."""

    def run(self, ctx: Context, module: ModuleOp) -> bool:
        functions = list(wire_functions(module))
        for function in functions:
            # New tables stand behind those of their input: places before them stay.
            for place in reversed(range(len(_tables_by_input(function)))):
                axis = self._best_axis(function, place)
                if axis is not None:
                    self._fold(function, place, axis)
        return bool(functions)

    def _fold(self, function: func.FuncOp, place: int, axis: int) -> None:
        """Fold the tables of the input at a place of `_tables_by_input`."""
        tables = _tables_by_input(function)[place]
        halves = _halves(tables, axis, odd=self.odd)
        _Folding(tables[0].inputs[0], axis).run(halves, self.device)

    def _best_axis(self, function: func.FuncOp, place: int) -> int | None:
        """The axis at which folding saves most; None where it saves nothing. Tries on copies."""
        tables = _tables_by_input(function)[place]
        kind = range_of(tables[0].inputs[0])
        fewest, best = _luts(function, self.device), None
        for axis in axes(kind.low, kind.high):
            if _halves(tables, axis, odd=self.odd):
                trial = function.clone()
                self._fold(trial, place, axis)
                if (luts := _luts(trial, self.device)) < fewest:
                    fewest, best = luts, axis
        return best
