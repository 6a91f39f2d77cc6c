"""Which tables of a sum are taken apart, by the estimate of the whole sum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Region

from kan_dialect.analysis.wires import latency_of
from kan_dialect.devices.device import DEVICES, DeviceFamily
from kan_dialect.devices.lut_count import count_luts, luts_of
from kan_dialect.frontends.loading import make_context
from kan_dialect.ir.types import IntType
from kan_dialect.ops.wire import SumOp, TableOp
from kan_dialect.passes.balance_sums import BalanceSumsPass
from kan_dialect.passes.fit_clock import FitClockPass
from kan_dialect.passes.schedule import SchedulePass
from kan_dialect.passes.split_tables import find_splits, split_tables
from kan_dialect.search.table_split.splitter import Splitter, splitter_for
from kan_dialect.search.table_split.sums import TableSplits
from kan_dialect.search.table_split.whole_sums import choose_by_estimate, estimate_sum

TABLES = 6
BITS = 6


def smooth_tables(seed: int) -> func.FuncOp:
    """A function that adds six smooth tables of six input bits and different slopes."""
    rng = np.random.default_rng(seed)
    block = Block(arg_types=[IntType(0, (1 << BITS) - 1)] * TABLES)
    x = np.linspace(-1, 1, 1 << BITS)
    tables = [
        TableOp([argument], np.rint(rng.uniform(4, 40) * np.tanh(rng.normal() * x)).astype(int))
        for argument in block.args
    ]
    total = SumOp(tables, name="s")
    block.add_ops([*tables, total, func.ReturnOp(total)])
    types = [argument.type for argument in block.args], [total.result.type]
    return func.FuncOp("f", types, Region(block))


def sum_and_splits(
    function: func.FuncOp, splitter: Splitter
) -> tuple[SumOp, Mapping[TableOp, TableSplits]]:
    tables = [op for op in function.body.block.ops if isinstance(op, TableOp)]
    (total,) = (op for op in function.body.block.ops if isinstance(op, SumOp))
    return total, dict(zip(tables, find_splits(function, splitter), strict=True))


@pytest.mark.parametrize("device", [DEVICES["ecp5"], DEVICES["ice40"]], ids=lambda each: each.name)
def test_costs_no_more_than_whole_tables_or_all_in_parts(device: DeviceFamily) -> None:
    splitter, mixed = splitter_for(device, 3), 0
    for seed in range(6):
        total, splits = sum_and_splits(smooth_tables(seed), splitter)
        chosen = choose_by_estimate(total, splits, splitter, device)
        luts = estimate_sum(total, chosen, device).luts
        whole = estimate_sum(
            total, {table: each.whole for table, each in splits.items()}, device
        ).luts
        parts = estimate_sum(
            total, {table: each.parts for table, each in splits.items()}, device
        ).luts
        assert luts <= min(whole, parts)
        mixed += luts < min(whole, parts)
    assert mixed


def test_the_estimate_is_of_the_ops_that_the_passes_make() -> None:
    ecp5 = DEVICES["ecp5"]
    device = replace(ecp5, parts_factor=1.0, adders=replace(ecp5.adders, further_luts=0.0))
    splitter = splitter_for(device, 3)
    function = smooth_tables(1)
    total, splits = sum_and_splits(function, splitter)
    expected = estimate_sum(total, choose_by_estimate(total, splits, splitter, device), device).luts
    split_tables(function, splitter, list(splits.values()), device, True)
    assert sum(isinstance(op, TableOp) for op in function.body.block.ops) > TABLES
    BalanceSumsPass(target="ecp5").run(make_context(), ModuleOp([function]))
    made = device.pack(count_luts(function.body.block.ops, device))
    # Constants that move between the tables of the tree change the widths of some adders.
    assert abs(made - expected) <= 7


def test_trying_leaves_the_function_as_it_is() -> None:
    function = smooth_tables(2)
    splitter = splitter_for(DEVICES["ecp5"], 3)
    total, splits = sum_and_splits(function, splitter)
    before = str(function)
    choose_by_estimate(total, splits, splitter, DEVICES["ecp5"])
    assert str(function) == before
    assert all(value.has_one_use() for value in [*function.args, *total.inputs])


def test_parts_take_no_more_levels_than_a_sum_may_have() -> None:
    # Further adders that take little, so that there are many.
    ecp5 = DEVICES["ecp5"]
    ecp5 = replace(ecp5, parts_factor=0.5, adders=replace(ecp5.adders, further_luts=0.0))
    splitter, fewer = splitter_for(ecp5, 3), 0
    for seed in range(6):
        total, splits = sum_and_splits(smooth_tables(seed), splitter)
        free = choose_by_estimate(total, splits, splitter, ecp5)
        # Six whole tables take three levels.
        limited = choose_by_estimate(total, splits, splitter, ecp5, most_levels=3)
        assert estimate_sum(total, limited, ecp5).levels <= 3
        fewer += estimate_sum(total, free, ecp5).levels > 3
        whole = choose_by_estimate(total, splits, splitter, ecp5, most_levels=0)
        assert all(len(split.parts) <= 1 for split in whole.values())
    assert fewer


@pytest.mark.parametrize("mhz", [60.0, 240.0])
def test_tables_come_in_parts_where_the_clock_leaves_time(mhz: float) -> None:
    whole, split = (smooth_tables(1) for _ in range(2))
    cycles: list[int] = []
    for function, parts in ((whole, 1), (split, None)):
        module = ModuleOp([function])
        FitClockPass(mhz, parts, target="ecp5").run(make_context(), module)
        SchedulePass(mhz=mhz, target="ecp5").run(make_context(), module)
        cycles.append(latency_of(function))
    assert cycles[0] == cycles[1]
    tables = [sum(isinstance(op, TableOp) for op in each.body.block.ops) for each in (whole, split)]
    assert tables[0] == TABLES < tables[1]


def test_a_chain_of_its_own_takes_its_ends() -> None:
    ecp5 = DEVICES["ecp5"].without_joined_chains
    block = Block(arg_types=[IntType(0, 15)] * 2 + [IntType(0, 3)] * 2)
    wide, narrow = SumOp(block.args[:2]), SumOp(block.args[2:])
    assert luts_of(wide, ecp5) == 5 + 4
    assert luts_of(wide, DEVICES["ecp5"]) == 5
    # Three bits are made of lookup tables.
    assert luts_of(narrow, ecp5) == 3
