"""Which adders share carry chains such that no path gets longer: late adders above early ones.

Static timing analysis sees paths from each adder of a chain to all above it. An adder that waits
for its operands takes no longer for a carry that passes by meanwhile. So an adder whose operands
come early goes below one whose operands come later, if neither depends on the other.

Times are those of the device (`Timing`), from registers on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from xdsl.dialects import comb, hw
from xdsl.ir import Operation, SSAValue

from kan_dialect.devices.delay import Arrival, Delay
from kan_dialect.devices.device import DeviceFamily
from kan_dialect.devices.estimate import adder_delay, function_delay, levels_of_function
from kan_dialect.evaluate.hardware import REGISTERED, bit_width

TOLERANCE = 1e-9
"""What times may differ by, as they are rounded."""


class Adder(Protocol):
    """An adder that may share a chain."""

    @property
    def total(self) -> SSAValue:
        """Its sum."""
        ...

    @property
    def bits(self) -> int:
        """Bits that it takes of a chain below another adder."""
        ...


class ArrivalTimes:
    """When the values of a module are there, in ns after the registers before them.

    Parameters
    ----------
    ops : of the module. Operands come before their users, but for those of registers.
    operands : those of each adder, by its sum.
    """

    def __init__(
        self,
        ops: Iterable[Operation],
        operands: Mapping[SSAValue, Sequence[SSAValue]],
        device: DeviceFamily,
    ) -> None:
        self._device = device
        self._operands = operands
        self._arrivals: dict[SSAValue, Arrival] = {}
        for op in ops:
            if type(op) not in REGISTERED:
                for result in op.results:
                    self._arrivals[result] = self._arrival(op, result)

    def start(self, total: SSAValue) -> float:
        """When all operands of the adder of a sum are there."""
        return max(self._at(each).last for each in self._operands[total])

    def end(self, total: SSAValue) -> float:
        """When a sum is there."""
        return self._at(total).last

    def _at(self, value: SSAValue) -> Arrival:
        return self._arrivals.get(value, Arrival())

    def _arrival(self, op: Operation, result: SSAValue) -> Arrival:
        if result in self._operands:
            return self._of_adder(result).after(map(self._at, self._operands[result]))
        operands = [self._at(each) for each in op.operands]
        device, timing = self._device, self._device.timing
        match op:
            case hw.ArrayGetOp():
                return _of_function(bit_width(op.index.type), device).after(operands)
            case comb.ICmpOp() | comb.MuxOp() | comb.AndOp() | comb.OrOp():
                return Delay(timing.clamp / 2 or timing.lut).after(operands)
            case _:  # wires: each bit is there when it was before
                at = Arrival()
                for each in operands:
                    at = at.or_later(each)
                return at

    def _of_adder(self, total: SSAValue) -> Delay:
        bits = bit_width(total.type)
        if bits < self._device.adders.shortest_chain:
            return _of_function(2 * (bits - 1), self._device)
        return adder_delay(bits, self._device)


def _of_function(inputs: int, device: DeviceFamily) -> Delay:
    return Delay(function_delay(inputs, levels_of_function(inputs, device), device))


@dataclass
class _Chain:
    """Adders on one chain."""

    adders: list[int] = field(default_factory=list[int])
    """Numbers, the lowest adder first."""
    bits: int = 0
    end: float = 0.0
    """When the carry leaves the highest adder."""


def chains_of_waiting(
    adders: Sequence[Adder], ops: Iterable[Operation], times: ArrivalTimes, device: DeviceFamily
) -> list[list[int]]:
    """The numbers of the adders of each chain of two or more, the lowest first.

    Parameters
    ----------
    adders : of one pipeline stage.
    ops : of the module. Operands come before their users, but for those of registers.
    """
    timing, longest = device.timing, device.adders.joined_bits
    before = _sums_before([adder.total for adder in adders], ops)
    starts = [times.start(adder.total) for adder in adders]
    chains: list[_Chain] = []
    for number in sorted(range(len(adders)), key=lambda each: (starts[each], each)):
        adder = adders[number]
        ripple = adder.bits * timing.carry_bit
        latest = times.end(adder.total) + TOLERANCE
        fitting = [
            chain
            for chain in chains
            if chain.bits + adder.bits <= longest
            and chain.end + ripple <= latest
            and not _depend(before, number, chain.adders[0])
        ]
        if fitting:
            chain = min(fitting, key=lambda each: each.bits)
            _join(before, number, chain.adders)
        else:
            chain = _Chain()
            chains.append(chain)
        chain.adders.append(number)
        chain.bits += adder.bits
        chain.end = max(chain.end, starts[number] + timing.carry) + ripple
    return [chain.adders for chain in chains if len(chain.adders) > 1]


def _sums_before(totals: Sequence[SSAValue], ops: Iterable[Operation]) -> list[int]:
    """The sums of its cycle that each sum depends on, as a mask with its own bit."""
    own = {total: 1 << number for number, total in enumerate(totals)}
    reached: dict[SSAValue, int] = {}
    for op in ops:
        if type(op) in REGISTERED:
            continue
        mask = 0
        for each in op.operands:
            mask |= reached.get(each, 0)
        reached.update((result, mask | own.get(result, 0)) for result in op.results)
    return [reached[total] for total in totals]


def _depend(before: Sequence[int], one: int, other: int) -> bool:
    """Whether one of two adders, or one on its chain, depends on the other."""
    return bool(before[one] >> other & 1 or before[other] >> one & 1)


def _join(before: list[int], number: int, chain: Sequence[int]) -> None:
    """Let the adders of a chain, and all behind them, depend on all that one of them depends on."""
    own = 1 << number
    for each in chain:
        own |= 1 << each
    both = before[number] | before[chain[0]]
    before[:] = [mask | both if mask & own else mask for mask in before]
