"""Tables that differ by an offset or a sign, and the LUTs that sharing one of them saves."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

import numpy as np
from xdsl.ir import Operation

from kan_dialect.devices.device import DeviceFamily
from kan_dialect.ir.types import range_of
from kan_dialect.maths.truth_tables import supports
from kan_dialect.ops.wire import SumOp, TableOp


def only_sums_read(op: Operation) -> bool:
    """Whether every reader of an op is a sum."""
    return all(isinstance(use.operation, SumOp) for result in op.results for use in result.uses)


def alike_tables(ops: Iterable[Operation], inputs: int) -> list[list[TableOp]]:
    """Groups of two or more tables that are equal up to offset and sign.

    Parameters
    ----------
    ops : of one block; only tables that sums read are grouped.
    inputs : most input bits of a table.
    """
    found: dict[Hashable, list[TableOp]] = {}
    for op in ops:
        if not isinstance(op, TableOp) or not only_sums_read(op):
            continue
        entries, kind = op.filled, range_of(op.result)
        low, high = int(entries.min()), int(entries.max())
        if (low, high) != (kind.low, kind.high) or len(op.by_bit_pattern) > 1 << inputs:
            continue  # With a wider type, the sum's range is not that of the entries.
        shape = min((entries - low).tobytes(), (high - entries).tobytes())
        found.setdefault((tuple(op.inputs), op.care, shape), []).append(op)
    return [tables for tables in found.values() if len(tables) > 1]


def sharing_saves(tables: Sequence[TableOp], target: DeviceFamily) -> bool:
    """Whether one table for the readers of all costs less than all tables."""
    return _luts_shared(tables, target) < _luts_apart(tables, target)


def cheapest_table(tables: Sequence[TableOp], target: DeviceFamily) -> TableOp:
    """The table that takes the fewest LUTs if it alone exists."""
    return min(tables, key=lambda table: _luts_read(table, len(tables), target))


def _luts_apart(tables: Sequence[TableOp], target: DeviceFamily) -> float:
    """LUTs of all tables, each with the best offset of any, and of adding them."""
    once = [table for table in tables if table.result.has_one_use()]
    luts = [target.summand_cost(t.by_bit_pattern, range_of(t.result).bits) for t in once]
    several = [_luts_shared([table], target) for table in tables if table not in once]
    return min(luts, default=0.0) * len(luts) + sum(several)


def _luts_shared(tables: Sequence[TableOp], target: DeviceFamily) -> float:
    """LUTs of the cheapest table, and of adding it wherever one of them is added."""
    readers = sum(table.result.uses.get_length() for table in tables)
    return min(_luts_read(table, readers, target) for table in tables)


def _luts_read(table: TableOp, readers: int, target: DeviceFamily) -> float:
    """LUTs of a table, and of adding it to `readers` sums, none of which absorbs it."""
    entries = table.by_bit_pattern
    inputs = (len(entries) - 1).bit_length()
    used = supports(entries[np.newaxis], range_of(table.result).bits)[0]
    # A bit of one input takes no LUT but that of the adder.
    adders = readers * target.adders.bit_luts * np.count_nonzero(used)
    return float(target.bit_costs(inputs)[used].sum() + adders)
