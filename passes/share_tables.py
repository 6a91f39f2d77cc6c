"""`kan-share-tables`: equal tables of one value, up to offset and sign, exist once.

Tables that only sums read are equal up to offset where they differ by a constant, and up to sign
where they add up to one: the one is then the complement of the other's bits, and a constant. Sums
take in constants, and inverters cost no logic. So one table is enough, where the target's costs say
that this is cheaper: no adder's LUTs have room for a table that several sums read. Tables of more
input bits than a LUT has are left to `kan-split-tables`. Bits, and tables that others read than
sums, exist once wherever they are the same.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from kan_dialect.analysis.wires import remove_dead, wire_functions
from kan_dialect.devices.device import Fpga
from kan_dialect.devices.table_cost import supports
from kan_dialect.ir.types import range_of
from kan_dialect.ops.wire import BitsOp, SumOp, TableOp, complement
from kan_dialect.passbase.sums import rebuild_sum
from kan_dialect.passbase.target_pass import TargetPass


@dataclass(frozen=True)
class ShareTablesPass(TargetPass):
    """Makes one of tables that are equal up to offset and sign."""

    name = "kan-share-tables"

    def run(self, ctx: Context, module: ModuleOp) -> bool:
        functions = list(wire_functions(module))
        target = self.device
        for function in functions:
            block = function.body.block
            _share_equal(block)
            summands: dict[SSAValue, _Summand] = {}
            for tables in _alike(block, target.lut_inputs):
                if _cost_together(tables, target) < _cost_apart(tables, target):
                    summands |= _shared(tables, target)
            _replace(block, summands)
            remove_dead(function)
        return bool(functions)


def _share_equal(block: Block) -> None:
    """Equal ops become one, from the inputs on, so that their readers may be equal too."""
    known: dict[Hashable, SSAValue] = {}
    for op in list(block.ops):
        if not isinstance(op, BitsOp | TableOp) or _is_summand(op):
            continue
        meaning = frozenset((name, op.properties[name]) for name in op.properties if name != "name")
        key = type(op), tuple(op.operands), op.result.type, meaning
        if key in known:
            Rewriter.replace_op(op, (), [known[key]])
        else:
            known[key] = op.result


def _is_summand(op: Operation) -> bool:
    """Whether it is a table that only sums read."""
    users = [use.operation for result in op.results for use in result.uses]
    return isinstance(op, TableOp) and all(isinstance(user, SumOp) for user in users)


def _alike(block: Block, limit: int) -> list[list[TableOp]]:
    """Summands of at most so many input bits that are equal up to offset and sign, if several."""
    found: dict[Hashable, list[TableOp]] = {}
    for op in block.ops:
        if not isinstance(op, TableOp) or not _is_summand(op):
            continue
        entries, kind = op.filled, range_of(op.result)
        low, high = int(entries.min()), int(entries.max())
        if (low, high) != (kind.low, kind.high) or len(op.by_bit_pattern) > 1 << limit:
            continue  # With a wider type, the sum's range is not that of the entries.
        shape = min((entries - low).tobytes(), (high - entries).tobytes())
        found.setdefault((tuple(op.inputs), op.care, shape), []).append(op)
    return [tables for tables in found.values() if len(tables) > 1]


def _cost_apart(tables: Sequence[TableOp], target: Fpga) -> float:
    """LUTs of tables, and of adding them, if each exists, with the best of their offsets."""
    once = [table for table in tables if table.result.has_one_use()]
    costs = [target.summand_cost(t.by_bit_pattern, range_of(t.result).bits) for t in once]
    several = [_cost_together([table], target) for table in tables if table not in once]
    return min(costs, default=0.0) * len(costs) + sum(several)


def _cost_together(tables: Sequence[TableOp], target: Fpga) -> float:
    """The same if only the cheapest exists."""
    readers = sum(table.result.uses.get_length() for table in tables)
    return min(_cost_read(table, readers, target) for table in tables)


def _cost_read(table: TableOp, readers: int, target: Fpga) -> float:
    """LUTs of a table, and of adding it to so many sums, none of which absorbs it."""
    entries = table.by_bit_pattern
    inputs = (len(entries) - 1).bit_length()
    used = supports(entries[np.newaxis], range_of(table.result).bits)[0]
    # A bit of one input takes no LUT, but that of an adder.
    adders = readers * target.adders.bit_luts * np.count_nonzero(used)
    return float(target.bit_costs(inputs)[used].sum() + adders)


class _Summand(NamedTuple):
    """What a sum adds instead of a table: a value and a constant."""

    value: SSAValue
    constant: int


def _shared(tables: Sequence[TableOp], target: Fpga) -> dict[SSAValue, _Summand]:
    """The cheapest of some tables, or its complement, in place of each of the others."""
    kept = min(tables, key=lambda table: _cost_read(table, len(tables), target))
    if kept is not tables[0]:
        # All read the same values: it may stand before the others.
        kept.detach()
        Rewriter.insert_op(kept, InsertPoint.before(tables[0]))
    entries = kept.filled
    summands: dict[SSAValue, _Summand] = {}
    for table in tables:
        if table is kept:
            continue
        offset = table.filled - entries
        value = kept.result
        if offset.min() < offset.max():
            inverted, meaning = complement(kept.result, table.given_name)
            Rewriter.insert_op(inverted, InsertPoint.before(table))
            value = inverted.result
            offset = table.filled - (meaning.constant - entries)
        summands[table.result] = _Summand(value, int(offset.flat[0]))
    return summands


def _replace(block: Block, summands: dict[SSAValue, _Summand]) -> None:
    """Sums add other values."""
    for op in list(block.ops):
        if not isinstance(op, SumOp) or summands.keys().isdisjoint(op.inputs):
            continue
        terms = [summands.get(value, _Summand(value, 0)) for value in op.inputs]
        constant = sum(term.constant for term in terms)
        Rewriter.replace_op(op, *rebuild_sum(op, [term.value for term in terms], constant))
