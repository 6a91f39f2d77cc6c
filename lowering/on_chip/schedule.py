"""Values in time: the cycle in which a number is there, and registers that carry it further.

Cycles count from the one in which the sample is accepted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects import hw
from xdsl.ir import SSAValue

from kan_dialect.ir.attributes.value_names import name_hint
from kan_dialect.lowering.hw_builder import HwBuilder
from kan_dialect.lowering.on_chip.datapath import Number

Numbers: TypeAlias = NDArray[np.object_]
"""`Number`s in the shape of the value's tensor."""


@dataclass(frozen=True)
class Timed:
    """The numbers of a value and the cycle in which they are there.

    `settled` numbers come from registers or little logic behind them: more logic may follow in the
    same cycle. Others come at the end of their cycle.
    """

    numbers: Numbers
    cycle: int
    settled: bool = True


@dataclass
class Schedule:
    """Delays wires by registers; a delay that several ask for exists once."""

    build: HwBuilder
    reset: SSAValue
    values: dict[SSAValue, Timed] = field(default_factory=dict[SSAValue, Timed])
    """The values of the step that are lowered."""
    registers: dict[tuple[SSAValue, int, bool], SSAValue] = field(
        default_factory=dict[tuple[SSAValue, int, bool], SSAValue]
    )
    """By the wire that is delayed, the number of cycles, and whether reset clears it."""
    origins: dict[SSAValue, tuple[SSAValue, int]] = field(
        default_factory=dict[SSAValue, tuple[SSAValue, int]]
    )
    """The wire that a register delays, and by how many cycles."""

    def after(self, wire: SSAValue, cycles: int, *, clear: bool = False) -> SSAValue:
        """A wire `cycles` cycles later; where `clear` is true, reset makes it 0."""
        origin, before = self.origins.get(wire, (wire, 0))
        for cycle in range(before + 1, before + cycles + 1):
            key = (origin, cycle, clear)
            if key not in self.registers:
                reset = (self.reset, self.build.constant(0, 1)) if clear else None
                hint = name_hint(origin)
                name = None if hint is None else f"{hint}_d{cycle}"
                self.registers[key] = self.build.register(wire, name, reset)
                self.origins[self.registers[key]] = origin, cycle
            wire = self.registers[key]
        return wire

    def delayed(self, number: Number, cycles: int) -> Number:
        if isinstance(number.wire.owner, hw.ConstantOp):
            return number
        return Number(self.after(number.wire, cycles), number.low, number.high)

    def at(self, timed: Timed, cycle: int) -> Numbers:
        """The numbers in the same or a later cycle."""
        assert cycle >= timed.cycle
        return mapped(lambda number: self.delayed(number, cycle - timed.cycle), timed.numbers)

    def ready(self, value: SSAValue) -> Timed:
        """The settled numbers of a value of the step."""
        return self.settled(self.values[value])

    def settled(self, timed: Timed) -> Timed:
        """The numbers, behind registers where they are not settled yet."""
        if timed.settled:
            return timed
        return Timed(self.at(timed, timed.cycle + 1), timed.cycle + 1)


def number_array(numbers: Sequence[Number], shape: Sequence[int]) -> Numbers:
    """Numbers in row-major order as an array of this shape."""
    array = np.empty(len(numbers), dtype=object)
    array[:] = numbers
    return array.reshape(tuple(shape))


def mapped(function: Callable[[Number], Number], numbers: Numbers) -> Numbers:
    """The results of a function for each number, in the same shape."""
    return number_array([function(number) for number in numbers.ravel()], numbers.shape)
