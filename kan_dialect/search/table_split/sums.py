"""The choice of splits for all tables of one sum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from xdsl.ir import SSAValue

from kan_dialect.devices.carry_chains import is_single_bit
from kan_dialect.ops.wire import ConstantOp, SumOp, TableOp
from kan_dialect.search.table_split.parts import Split
from kan_dialect.search.table_split.splitter import Splitter


class TableSplits(NamedTuple):
    """A table in parts, and as one part."""

    parts: Split
    whole: Split


def choose_splits(
    op: SumOp, splits: Mapping[TableOp, TableSplits], splitter: Splitter, *, separate_bits: bool
) -> dict[TableOp, Split]:
    """A split for each table of a sum that has some.

    Parameters
    ----------
    separate_bits : lowest bits of tables may be parts of their own, for free carry inputs.
    """
    chosen = _keep_first_whole(op, splits, splitter)
    return _fill_carry_inputs(op, chosen, splitter) if separate_bits else chosen


def limit_terms(
    op: SumOp, splits: Mapping[TableOp, TableSplits], splitter: Splitter, most: int
) -> dict[TableOp, TableSplits]:
    """The splits of a sum's tables, in parts only where the sum has no more terms than `most`.

    The tables that save the most for each further term come first.
    """
    tables = [value.owner for value in op.inputs if isinstance(value.owner, TableOp)]
    limited = {table: TableSplits(splits[table].whole, splits[table].whole) for table in tables
               if table in splits}  # fmt: skip
    terms = sum(not isinstance(value.owner, ConstantOp) for value in op.inputs)

    def saved(table: TableOp) -> float:
        """LUTs for each further term."""
        parts, whole = splits[table]
        return (splitter.cost(whole) - splitter.cost(parts)) / (len(parts.parts) - 1)

    several = [table for table in limited if len(splits[table].parts.parts) > 1]
    for table in sorted(several, key=saved, reverse=True):
        further = len(splits[table].parts.parts) - 1
        if terms + further <= most:
            limited[table] = splits[table]
            terms += further
    return limited


def _keep_first_whole(
    op: SumOp, splits: Mapping[TableOp, TableSplits], splitter: Splitter
) -> dict[TableOp, Split]:
    """All tables in parts, or all but one where nothing else is added up and that is cheaper.

    The one that stays whole is the first summand, which takes no adder.
    """
    tables = [value.owner for value in op.inputs if isinstance(value.owner, TableOp)]
    chosen = {table: splits[table].parts for table in tables if table in splits}
    if not chosen or any(not is_single_bit(value, {}) for value in _others(op, chosen)):
        return chosen
    saved = {
        table: splitter.cost(split) - splitter.costs.without_adding(splits[table].whole)
        for table, split in chosen.items()
    }
    first = max(saved, key=lambda table: saved[table])
    if saved[first] > 0:
        # Last, so that others give away their lowest bits before it.
        del chosen[first]
        chosen[first] = splits[first].whole
    return chosen


def _fill_carry_inputs(
    op: SumOp, chosen: Mapping[TableOp, Split], splitter: Splitter
) -> dict[TableOp, Split]:
    """The splits with lowest bits as parts of their own, as many as carry inputs are free."""
    others = _others(op, chosen)
    bits = sum(is_single_bit(value, {}) for value in others)
    free = len(others) - 2 * bits - 1
    free += sum(2 * split.adders - len(split.parts) for split in chosen.values())
    filled: dict[TableOp, Split] = {}
    for table, split in chosen.items():
        filled[table] = splitter.separate_lowest_bits(split, max(free, 0))
        free -= len(filled[table].parts) - len(split.parts)
    return filled


def _others(op: SumOp, chosen: Mapping[TableOp, Split]) -> list[SSAValue]:
    """Terms of a sum other than these tables and constants."""
    return [v for v in op.inputs if v.owner not in chosen and not isinstance(v.owner, ConstantOp)]
