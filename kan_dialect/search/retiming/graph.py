"""A function as retiming sees it: ops with costs, and bits that others read.

Registers hold single bits. The bits of a value that the same ops read are one `Wires`: they take
registers from the stage of their value up to the last of their readers. Slices (`kan.extract`) are
bits of the value that they are taken from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from xdsl.dialects import func
from xdsl.ir import Operation, SSAValue

from kan_dialect.devices.delay import Delay
from kan_dialect.ir.operation import ops_of
from kan_dialect.ir.types import range_of
from kan_dialect.ir.wire_operation import cycles_through
from kan_dialect.ops.wire import ConstantOp, DeadOp, ExtractOp, MarkOp, low_zeros

INPUTS = 0
"""The node of all arguments."""

_WITHOUT_STAGE = {ConstantOp, DeadOp, MarkOp, ExtractOp, func.ReturnOp}


@dataclass(frozen=True)
class Wires:
    """Bits of one value with the same readers."""

    bits: int
    source: int
    readers: tuple[int, ...]
    """Ascending."""


class Graph:
    """The ops of a function as numbers, in their order; `INPUTS` first, the results' reader last.

    Parameters
    ----------
    cost : of an op: levels of logic, or ns, between its operands and its results; with the ripple
        of its carry chain if it is a `Delay`.
    limit : the cost of an op that costs more.
    """

    def __init__(
        self, function: func.FuncOp, cost: Callable[[Operation], float | Delay], limit: float
    ) -> None:
        ops = [op for op in ops_of(function.body.block) if type(op) not in _WITHOUT_STAGE]
        terminator = function.get_return_op()
        assert terminator is not None
        self.ops = ops
        self.results = len(ops) + 1
        """The number of the reader of all results."""
        costs = (cost(op) for op in ops)
        delays = (each if isinstance(each, Delay) else Delay(each) for each in costs)
        self.delays = [Delay(0.0), *(each.within(limit) for each in delays), Delay(0.0)]
        self.latencies = [0, *(cycles_through(op) for op in ops), 0]
        """Stages between the operands of each node and its result."""
        self.node_of: dict[SSAValue, int] = dict.fromkeys(function.args, INPUTS)
        self.node_of.update((value, n) for n, op in enumerate(ops, 1) for value in op.results)
        self.predecessors: list[list[int]] = [[]]
        self._reads: dict[SSAValue, dict[int, int]] = {}
        """Of each value, the bits that nodes read, as a mask."""
        for number, op in enumerate([*ops, terminator], 1):
            self.predecessors.append(self._read(number, op))
        self.successors: list[list[int]] = [[] for _ in self.predecessors]
        for number, before in enumerate(self.predecessors):
            for each in before:
                self.successors[each].append(number)

    def _read(self, number: int, op: Operation) -> list[int]:
        """Note what an op reads; the nodes that it reads."""
        before = dict[int, None]()
        for operand in op.operands:
            value, mask = _bits_read(operand)
            if value in self.node_of:
                reads = self._reads.setdefault(value, {})
                reads[number] = reads.get(number, 0) | mask
                before[self.node_of[value]] = None
        return list(before)

    def wires(self) -> list[Wires]:
        """All bits that take registers where stages lie between value and readers."""
        zeros: dict[SSAValue, int] = {}
        found: list[Wires] = []
        for value, reads in self._reads.items():
            together: dict[tuple[int, ...], int] = {}
            for bit in range(low_zeros(value, zeros), range_of(value).bits):
                readers = tuple(node for node, mask in reads.items() if mask >> bit & 1)
                together[readers] = together.get(readers, 0) + 1
            found += [
                Wires(bits, self.node_of[value], readers)
                for readers, bits in together.items()
                if readers
            ]
        return found


def _bits_read(value: SSAValue) -> tuple[SSAValue, int]:
    """The value whose bits a value is, and a mask of these bits."""
    mask = (1 << range_of(value).bits) - 1
    while isinstance(value.owner, ExtractOp):
        mask <<= value.owner.low.value.data
        value = value.owner.input
    return value, mask & ((1 << range_of(value).bits) - 1)
