"""`kan-split-adders`: the lowest bits of adders come a stage earlier, as numbers of fewer bits.

An adder that does not fit behind its operands leaves all of their bits to registers. The sum of
their two lowest bits is a function of four, which one lookup table a bit makes. It often fits, and
has three bits: a register less. Where a third bit enters at the carry input, three bits become two.

The pass takes the adders apart whose operands wait in registers, as `kan-schedule` places them, and
keeps what that moves to an earlier stage. The rest of each adder reads the carry.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, partial

from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.rewriter import Rewriter

from kan_dialect.analysis.wires import wire_functions
from kan_dialect.devices.estimate import delays_of, function_delay, levels_of_function
from kan_dialect.devices.lut_count import count_luts
from kan_dialect.ir.operation import ops_of
from kan_dialect.ops.wire import SumOp
from kan_dialect.passbase.dead_ops import remove_dead
from kan_dialect.passbase.option_bounds import Bounds, bounded
from kan_dialect.passbase.target_pass import TargetPass
from kan_dialect.search.adder_trees.low_bits import AdderParts, low_bits
from kan_dialect.search.retiming.graph import Graph
from kan_dialect.search.retiming.stages import arrivals, bits_of_registers, retimed

MOST_LUTS = 3.0
"""The most LUTs for a register that is saved. Devices have as many registers as lookup tables."""


class _Scheduled:
    """A function with the stages that have the fewest bits of registers."""

    def __init__(self, function: func.FuncOp, options: SplitAddersPass) -> None:
        self._device = options.device
        ops = function.body.block.ops
        self.luts = self._device.pack(count_luts(ops, self._device))
        self._limit = max(self._device.timing.logic_ns(options.mhz, self.luts), 0.0)
        self._graph = Graph(function, cache(partial(delays_of, device=self._device)), self._limit)
        self._stages = retimed(self._graph, self._limit)
        self._arrivals = arrivals(self._graph, self._stages)
        self.cycles = self._stages[-1]
        self.bits = bits_of_registers(self._stages, self._graph.wires())

    def has_time_before(self, op: SumOp, inputs: int) -> bool:
        """Whether all terms of an adder wait in registers, and a table fits before these.

        Parameters
        ----------
        inputs : bits that the table reads.
        """
        node = self._graph.node_of[op.result]
        terms = self._graph.predecessors[node]
        last = max(self._stages[term] for term in terms)
        if last == self._stages[node]:
            return False
        delay = function_delay(inputs, levels_of_function(inputs, self._device), self._device)
        end = max(self._arrivals[term].last for term in terms if self._stages[term] == last)
        return end + delay <= self._limit


@dataclass(frozen=True)
class SplitAddersPass(TargetPass):
    """Adds the lowest bits of summands before registers, where these get fewer."""

    name = "kan-split-adders"
    works_at = ("wire",)

    mhz: float = bounded(100.0, Bounds(0, 1e6, above=True))
    """The clock that every stage of `kan-schedule` will have to reach."""

    def run(self, ctx: Context, module: ModuleOp) -> bool:
        return any([self._split(function) for function in wire_functions(module)])

    def _split(self, function: func.FuncOp) -> bool:
        """Take adders apart; whether any were."""
        before = _Scheduled(function, self)
        inputs = self.device.lut_inputs
        places = [
            place
            for place, op in enumerate(ops_of(function.body.block))
            if type(op) is SumOp and low_bits(op, inputs) and before.has_time_before(op, inputs)
        ]
        if not places:
            return False
        trial = function.clone()
        self._take_apart(trial, places)
        after = _Scheduled(trial, self)
        saved = before.bits - after.bits
        if after.cycles > before.cycles or after.luts - before.luts > MOST_LUTS * saved:
            return False
        self._take_apart(function, places)
        return True

    def _take_apart(self, function: func.FuncOp, places: Iterable[int]) -> None:
        """Replace the adders at these places of a function."""
        ops = ops_of(function.body.block)
        for op in [ops[place] for place in places]:
            assert isinstance(op, SumOp)
            parts = AdderParts(op, low_bits(op, self.device.lut_inputs))
            Rewriter.replace_op(op, parts.ops, [parts.ops[-1].results[0]])
        remove_dead(function)
