"""How many tables of a sum are taken apart, by the estimate of the whole sum.

The search for the parts of one table knows the sum's adders by one figure only
(`Adders.further_luts`). Where adders absorb no tables, a further adder takes about as many LUTs as
parts save. So there, sums of a few sizes are made of ops, with their trees of adders, and counted.
For a clock, trees may have a number of levels at most.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from xdsl.ir import Operation, SSAValue

from kan_dialect.devices.carry_chains import is_wires
from kan_dialect.devices.device import DeviceFamily
from kan_dialect.devices.lut_count import count_luts
from kan_dialect.ir.operation import drop_ops
from kan_dialect.ops.wire import ConstantOp, SumOp, TableOp
from kan_dialect.search.adder_trees.tree import adder_levels, adder_tree
from kan_dialect.search.table_split.part_ops import PartOps
from kan_dialect.search.table_split.parts import Split
from kan_dialect.search.table_split.splitter import Splitter
from kan_dialect.search.table_split.sums import TableSplits, choose_splits, limit_terms

SIZES = 9
"""Numbers of terms that a sum is tried with: from whole tables to all in parts."""


class SumEstimate(NamedTuple):
    """What a sum takes as a tree of adders, with its tables."""

    luts: float
    levels: int
    """Of adders, with those of sums before it."""


def choose_by_estimate(
    op: SumOp,
    splits: Mapping[TableOp, TableSplits],
    splitter: Splitter,
    device: DeviceFamily,
    most_levels: int | None = None,
) -> Mapping[TableOp, Split]:
    """A split for each table of a sum that has some: those with which the sum takes fewest LUTs.

    Parameters
    ----------
    most_levels : the most levels of adders, if whole tables take no more; None: any number.
    """
    tables = [value.owner for value in op.inputs if isinstance(value.owner, TableOp)]
    own = {table: splits[table] for table in tables if table in splits}
    terms = sum(not isinstance(value.owner, ConstantOp) for value in op.inputs)
    further = sum(max(0, len(each.parts.parts) - 1) for each in own.values())
    sizes: list[int] = np.unique(np.linspace(terms, terms + further, SIZES).astype(int)).tolist()
    whole: Mapping[TableOp, Split] = {table: each.whole for table, each in own.items()}
    tried: dict[tuple[int, ...], Mapping[TableOp, Split]] = {}
    for most in sizes:
        limited = limit_terms(op, own, splitter, most)
        ways: list[Mapping[TableOp, Split]] = [
            {table: each.parts for table, each in limited.items()},
            choose_splits(op, limited, splitter, separate_bits=False),
            choose_splits(op, limited, splitter, separate_bits=True),
        ]
        for chosen in ways:
            same_parts = tuple(id(part) for table in own for part in chosen[table].parts)
            tried.setdefault(same_parts, chosen)
    found = [(estimate_sum(op, chosen, device), chosen) for chosen in tried.values()]
    if most_levels is not None:
        found = [each for each in found if each[0].levels <= most_levels]
    return min(found, key=lambda each: each[0].luts)[1] if found else whole


def estimate_sum(op: SumOp, chosen: Mapping[TableOp, Split], device: DeviceFamily) -> SumEstimate:
    """The estimate of a sum, and of its tables in `chosen`, which it has as splits."""
    terms: list[SSAValue] = []
    tables: list[Operation] = []
    in_parts: list[Operation] = []
    for value in op.inputs:
        if isinstance(value.owner, TableOp) and value.owner in chosen:
            split = chosen[value.owner]
            parts = PartOps(value.owner, split)
            (in_parts if len(split.parts) > 1 else tables).extend(parts.ops)
            terms += parts.values
        elif not isinstance(value.owner, ConstantOp):
            terms.append(value)
    # A constant costs no adder: a table takes it in.
    adders = _adders(terms, device)
    luts = device.pack(count_luts([*tables, *adders], device))
    luts += device.parts_factor * device.pack(count_luts(in_parts, device))
    luts += device.adders.further_luts * sum(not is_wires(adder) for adder in adders)
    levels = adder_levels(adders[-1].result, {}, device) if adders else 0
    drop_ops([*adders, *tables, *in_parts])
    return SumEstimate(luts, levels)


def _adders(terms: Sequence[SSAValue], device: DeviceFamily) -> list[SumOp]:
    """The adders of a sum of these terms, in no block."""
    if len(terms) < 2:
        return []
    whole = SumOp(terms)
    if len(terms) == 2:
        return [whole]
    adders = adder_tree(whole, device, 0)
    drop_ops([whole])
    return adders
