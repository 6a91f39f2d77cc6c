"""`kan-fit-clock`: sums and tables for a clock, in as few cycles as it allows.

It does the work of `kan-share-sums`, `kan-split-tables` and `kan-balance-sums`. The first two save
LUTs and make paths longer: a shared sum comes before the sums that read it, and a table in parts
gives its sum more terms. Here both are done only where the function takes no more cycles.

- The function with whole tables and no shared sums tells the cycles, and when each sum is due. It
  is the result where tables are to stay whole and adders absorb none of their bits.
- Tables are split. Sums that come too late get fewer levels of adders, until all come in time.
- The same with shared sums is taken if it comes in time, and has fewer LUTs and registers.
- A table that alone takes longer than a stage becomes a choice between smaller ones, which a
  register may stand before (`kan_dialect.search.table_split.halves`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import NamedTuple

from xdsl.dialects import func
from xdsl.ir import Operation, SSAValue
from xdsl.rewriter import Rewriter

from kan_dialect.analysis.wires import layers_of
from kan_dialect.devices.delay import Delay
from kan_dialect.devices.device import DeviceFamily
from kan_dialect.devices.estimate import delay_of, delays_of
from kan_dialect.devices.lut_count import count_luts
from kan_dialect.ir.types import range_of
from kan_dialect.ops.wire import ConstantOp, SumOp, TableOp
from kan_dialect.passbase.function_pass import FunctionPass
from kan_dialect.passbase.option_bounds import Bounds, bounded
from kan_dialect.passbase.options import taken_from
from kan_dialect.passbase.target_pass import TargetPass
from kan_dialect.passes.balance_sums import BalanceSumsPass, make_trees, narrow_partial_sums
from kan_dialect.passes.share_sums import ShareSumsPass
from kan_dialect.passes.split_tables import SplitTablesPass, find_splits, most_parts, split_tables
from kan_dialect.search.adder_trees.tree import adder_levels
from kan_dialect.search.retiming.graph import Graph
from kan_dialect.search.retiming.stages import Place, bits_of_registers, earliest, latest, retimed
from kan_dialect.search.table_split.halves import TableHalves
from kan_dialect.search.table_split.splitter import splitter_for
from kan_dialect.search.table_split.sums import TableSplits

LUTS_OF_A_REGISTER = 0.5
"""A flip-flop in LUTs: devices have one or two for each LUT, many of them unused."""

MOST_TRIES = 3
"""Designs for shorter stages, as halves of tables make the function larger."""

UNLIMITED = 1 << 60
"""More levels than any sum has."""


class _Design(NamedTuple):
    """A function with trees of adders."""

    function: func.FuncOp
    graph: Graph
    ends: list[Place]
    """The earliest end of each node."""
    levels: dict[str, int]
    """Levels of adders of each sum, by its name."""

    @property
    def cycles(self) -> int:
        """The fewest."""
        return self.ends[self.graph.results].stage + 1

    def sums(self) -> dict[str, int]:
        """The nodes of the sums that became trees, by name."""
        return {
            op.given_name: node
            for node, op in enumerate(self.graph.ops, 1)
            if isinstance(op, SumOp) and op.given_name in self.levels
        }


@dataclass(frozen=True)
class FitClockPass(FunctionPass, TargetPass):
    """Shares sums, splits tables and makes trees of adders, in the fewest cycles of a clock."""

    name = "kan-fit-clock"
    works_at = ("wire",)

    mhz: float = bounded(100.0, Bounds(0, 1e6, above=True))
    """The clock that every stage of `kan-schedule` will have to reach."""
    parts: int | None = taken_from(SplitTablesPass, "parts")
    extra_levels: tuple[int, ...] | int = taken_from(BalanceSumsPass, "extra_levels")

    def rewrite(self, function: func.FuncOp) -> None:
        limit = self._limit(function)
        best = _Search(self, limit).best(function)
        for _ in range(MOST_TRIES):
            # Delays grow with LUTs, so a stage of the whole design has less time.
            least = self._limit(best)
            if not _slow_tables(best, self.device, least) or least >= limit:
                break
            limit = least
            best = _Search(self, limit).best(function)
        block = best.body.detach_block(0)
        function.body.detach_block(0).erase()
        function.body.add_block(block)

    def _limit(self, function: func.FuncOp) -> float:
        """The time that a stage has for logic, by the LUTs of a function."""
        luts = self.device.pack(count_luts(function.body.block.ops, self.device))
        return max(self.device.timing.logic_ns(self.mhz, luts), 0.0)


def _slow_tables(function: func.FuncOp, device: DeviceFamily, limit: float) -> list[TableOp]:
    """The tables of one input that take longer than a stage, and that have smaller halves."""
    return [
        op
        for op in function.body.block.ops
        if isinstance(op, TableOp)
        and len(op.inputs) == 1
        and range_of(op.inputs[0]).bits > device.lut_inputs
        and delay_of(op, device) > limit
    ]


def _halve_slow_tables(function: func.FuncOp, device: DeviceFamily, limit: float) -> None:
    """Tables that take longer than a stage become choices between smaller ones."""
    for table in _slow_tables(function, device, limit):
        halves = TableHalves(table, lambda op: delay_of(op, device) <= limit, device.lut_inputs)
        Rewriter.replace_op(table, halves.ops, [halves.result])


class _Search:
    """Designs of a function, on copies of it."""

    def __init__(self, options: FitClockPass, limit: float) -> None:
        self._options = options
        # Joined chains would make paths from one sum to the next.
        self._device: DeviceFamily = options.device.without_joined_chains
        self._parts = most_parts(options.parts, options.device)
        self._splitter = splitter_for(self._device.with_ends_in_further_adders, self._parts)
        self._limit = limit
        self._delay: Callable[[Operation], Delay] = cache(partial(delays_of, device=self._device))

    def best(self, function: func.FuncOp) -> func.FuncOp:
        """The function in the fewest cycles, with the fewest LUTs and registers."""
        fastest = self._design(function, None, {})
        if self._parts == 1 and self._device.adders.absorbed_inputs < 0:
            return self._narrowed(fastest).function
        stage = fastest.cycles - 1
        places = latest(fastest.graph, self._limit, stage)
        due = {name: places[node] for name, node in fastest.sums().items()}
        shared = function.clone()
        ShareSumsPass(target=self._options.target).rewrite(shared)
        found = [self._in_time(each, due, stage) for each in (function, shared)]
        designs = [self._narrowed(each) for each in (fastest, *found) if each is not None]
        return min(designs, key=lambda design: (design.cycles, self._area(design))).function

    def _narrowed(self, design: _Design) -> _Design:
        """The design with partial sums of few bits, if it takes no more cycles for it."""
        function = design.function.clone()
        narrow_partial_sums(function, self._device, LUTS_OF_A_REGISTER)
        found = self._timed(function, design.levels)
        return found if found.cycles <= design.cycles else design

    def _timed(self, function: func.FuncOp, levels: dict[str, int]) -> _Design:
        graph = Graph(function, self._delay, self._limit)
        return _Design(function, graph, earliest(graph, self._limit), levels)

    def _in_time(
        self,
        function: func.FuncOp,
        due: Mapping[str, Place],
        last: int,
    ) -> _Design | None:
        """A design with split tables whose results come in stage `last`; None if none is found."""
        splits = find_splits(function, self._splitter)
        before = _sums_before(function)
        most: dict[str, int] = {}
        while True:
            design = self._design(function, splits, most)
            if design.ends[design.graph.results].stage <= last:
                return design
            if not _shorten(self._late(design, due), design, before, most):
                return None

    def _late(self, design: _Design, due: Mapping[str, Place]) -> list[str]:
        """The sums that come too late in the first layer that has some."""
        layers = layers_of(design.function)
        late: dict[int, list[str]] = {}
        for name, node in design.sums().items():
            if name in due and design.ends[node].is_after(due[name]):
                late.setdefault(layers[design.graph.ops[node - 1]], []).append(name)
        return late[min(late)] if late else []

    def _design(
        self,
        function: func.FuncOp,
        splits: Sequence[TableSplits] | None,
        most_levels: Mapping[str, int],
    ) -> _Design:
        """A copy of a function with trees of adders, and split tables if `splits` are given."""
        copy = function.clone()
        if splits is not None:
            split_tables(copy, self._splitter, splits, self._device, self._parts > 1, most_levels)
        levels = {
            op.given_name: _least_levels(op)
            for op in copy.body.block.ops
            if isinstance(op, SumOp) and op.given_name is not None
        }
        options = self._options
        balance = BalanceSumsPass(options.extra_levels, target=options.target)
        make_trees(copy, self._device, balance.of_layers)
        _halve_slow_tables(copy, self._device, self._limit)
        if self._device.adders.absorbed_inputs < 0:
            # Terms side by side make trees lower, which `choose_by_estimate` knows.
            levels = _levels_of_trees(copy, levels, self._device)
        return self._timed(copy, levels)

    def _area(self, design: _Design) -> float:
        """LUTs, and registers as parts of LUTs."""
        stages = retimed(design.graph, self._limit)
        bits = bits_of_registers(stages, design.graph.wires())
        luts = self._device.pack(count_luts(design.graph.ops, self._device))
        return luts + LUTS_OF_A_REGISTER * bits


def _shorten(
    late: Sequence[str],
    design: _Design,
    before: Mapping[str, Sequence[str]],
    most: dict[str, int],
) -> bool:
    """Let late sums, and those before them, have a level of adders less; whether one has."""
    shortened = False
    for name in dict.fromkeys(each for sum_ in late for each in before[sum_]):
        fewer = max(design.levels.get(name, 0) - 1, 0)
        if fewer < most.get(name, UNLIMITED):
            most[name] = fewer
            shortened = True
    return shortened


def _least_levels(op: SumOp) -> int:
    """Levels of a tree of adders that adds the terms of a sum."""
    terms = sum(not isinstance(value.owner, ConstantOp) for value in op.inputs)
    return max(terms - 1, 0).bit_length()


def _levels_of_trees(
    function: func.FuncOp, names: Iterable[str], device: DeviceFamily
) -> dict[str, int]:
    """Levels of adders that end at the sums of these names."""
    known: dict[SSAValue, int] = {}
    return {
        op.given_name: adder_levels(op.result, known, device)
        for op in function.body.block.ops
        if isinstance(op, SumOp) and op.given_name in set(names)
    }


def _sums_before(function: func.FuncOp) -> dict[str, list[str]]:
    """Of each named sum, its name and those of the sums of its layer that it depends on."""
    layers = layers_of(function)
    names: dict[SSAValue, dict[str, None]] = {}
    found: dict[str, list[str]] = {}
    for op, layer in layers.items():
        own = dict[str, None]()
        for value in op.operands:
            if isinstance(value.owner, Operation) and layers.get(value.owner) == layer:
                own.update(names.get(value, {}))
        if isinstance(op, SumOp) and op.given_name is not None:
            own[op.given_name] = None
            found[op.given_name] = list(own)
        names.update((result, own) for result in op.results)
    return found
