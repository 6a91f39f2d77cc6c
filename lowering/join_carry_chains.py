"""`kan-join-carry-chains`: independent adders stand side by side on one carry chain.

On ECP5, a carry chain takes two cells at its beginning and two at its end beside its bits, and its
bits come in pairs. An adder of a network has eight bits or so. Adders between which there is no
path become one addition here: `{b1, zero, b0} + {c1, 0, c0}` is `{b1 + c1, 0, b0 + c0}`.

No carry may go from one adder to the next. A bit above each adder stops it, at which both numbers
are 0. Often the highest bit of the sum is one, since the numbers end below it. Yosys (`opt_expr
-fine`) takes an addition apart again where both numbers are constant. So one of the two zeros is a
signal that is 0 by logic: `x == 1 & x == 2`. Logic optimisation finds that when the addition has
become a carry chain. The signal takes nothing.

Adders of one pipeline stage and one level share a chain: an adder's level is the number of adders
on the longest path to it. They keep the order of the module. Static timing analysis sees paths from
each adder of a chain to all above it, so the target limits the length of a chain
(`Adders.joined_bits`). With `keep-paths`, chains make no path longer: adders that wait for their
operands stand above adders of any level of their stage whose operands come earlier. Chains of most
targets take nothing beside their bits: there, the pass leaves adders alone.

Every value stays the same in every cycle. Sums keep their names. Stages share no chain: simulators
make all bits of a sum unknown where one bit of an operand is, and another stage may hold a sample
that is unknown still.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import ceil
from typing import ClassVar, NamedTuple, TypeAlias

from xdsl.context import Context
from xdsl.dialects import comb, hw
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue

from kan_dialect.devices.device import DeviceFamily
from kan_dialect.evaluate.hardware import REGISTERED, bit_width, in_dataflow_order
from kan_dialect.ir.attributes.value_names import name_hint
from kan_dialect.ir.constants import Array
from kan_dialect.lowering.chain_adder import ChainAdder, chain_adder_of
from kan_dialect.lowering.constant_folding import fold_constant
from kan_dialect.lowering.hw_builder import HwBuilder, LooseOps
from kan_dialect.lowering.waiting_adders import ArrivalTimes, chains_of_waiting
from kan_dialect.maths.truth_tables import planes
from kan_dialect.passbase.target_pass import TargetPass

LEAST_BITS = 2
"""Bits of the narrowest adder that shares a chain."""

_Signal: TypeAlias = tuple[SSAValue, int]
_Bit: TypeAlias = int | _Signal
"""A constant, or a bit of a value by its place."""


@dataclass(frozen=True)
class JoinCarryChainsPass(TargetPass):
    """Writes independent adders as one addition, which takes one carry chain."""

    name = "kan-join-carry-chains"
    works_at = ("hardware",)
    is_optional: ClassVar[bool] = True

    keep_paths: bool = False
    """Join adders only where no path gets longer, by the delays of the target
    (`kan_dialect.lowering.waiting_adders`). For designs for a clock."""

    def run(self, ctx: Context, module: ModuleOp) -> bool:
        circuits = [op for op in module.ops if isinstance(op, hw.HWModuleOp)]
        longest = self.device.adders.joined_bits
        if longest:
            for circuit in circuits:
                _Joining(circuit, self.device, keeps_paths=self.keep_paths).run()
        return bool(circuits)


@dataclass(frozen=True)
class _Adder:
    """An addition of two numbers, bit by bit, the lowest first. The last carry is dropped."""

    total: SSAValue
    left: list[_Bit]
    right: list[_Bit]
    """Numbers of one width."""
    is_carried: bool
    """The lowest bit of both numbers is a carry, and that of their sum is not read."""

    @cached_property
    def zeros(self) -> list[int]:
        """Places at which both numbers are 0."""
        pairs = zip(self.left, self.right, strict=True)
        return [place for place, pair in enumerate(pairs) if pair == (0, 0)]

    @property
    def is_closed(self) -> bool:
        """The highest bit stops the carry."""
        return bool(self.zeros) and self.zeros[-1] == len(self.left) - 1

    @property
    def bits(self) -> int:
        """Bits of a chain below another adder."""
        return len(self.left) + (not self.is_closed)


class _Group(NamedTuple):
    """Chains with one signal that is 0."""

    stage: int
    sources: Sequence[_Adder]
    """Adders whose operands the signal may be made of: the first ones of the stage, whose operands
    depend on no chain of it."""
    chains: Sequence[Sequence[_Adder]]


class _Joining:
    """Joins the adders of one module."""

    def __init__(self, module: hw.HWModuleOp, device: DeviceFamily, *, keeps_paths: bool) -> None:
        self._block = module.body.block
        self._device = device
        self._keeps_paths = keeps_paths
        self._ops = in_dataflow_order(self._block.ops, through_registers=False)
        self._constants: dict[SSAValue, Array] = {}
        for op in self._ops:
            fold_constant(op, self._constants)
        self._chains = 0
        self._totals = {op.results[0] for op in self._ops if self._is_chain(op)}
        """Sums of adders that are written as chains."""
        self._operands: dict[SSAValue, Sequence[SSAValue]] = {}
        """Operands of all adders, by their sums."""
        self._new: dict[SSAValue, SSAValue] = {}
        """The new sum of each joined adder, by its old sum."""

    def run(self) -> None:
        """Rewrite the module."""
        for group in self._waiting() if self._keeps_paths else self._of_levels():
            source = _two_signals(group.sources)
            if source is None:
                continue
            build = LooseOps()
            zero = self._zero(build, source, f"no_carry{group.stage}")
            for chain in group.chains:
                self._add(build, chain, zero)
            self._block.insert_ops_before(build.take(), self._ops[0])
        self._clean()

    def _is_chain(self, op: Operation) -> bool:
        return chain_adder_of(op, self._constants) is not None

    # Which adders share a chain

    def _of_levels(self) -> Iterator[_Group]:
        """The chains of each pipeline stage, of adders of one level each."""
        longest = self._device.adders.joined_bits
        for stage, levels in self._independent().items():
            chains = [chain for adders in levels for chain in _chains(adders, longest)]
            if chains:
                yield _Group(stage, levels[0], chains)

    def _waiting(self) -> Iterator[_Group]:
        """Chains of adders that wait for their operands, and of earlier ones of their stage."""
        stages = self._independent()
        times = ArrivalTimes(self._ops, self._operands, self._device)
        for stage, levels in stages.items():
            adders = [
                adder
                for level in levels
                for adder in level
                if bit_width(adder.total.type) >= self._device.adders.shortest_chain
            ]
            found = chains_of_waiting(adders, self._ops, times, self._device)
            if found:
                chains = [[adders[number] for number in chain] for chain in found]
                yield _Group(stage, levels[0], chains)

    def _independent(self) -> dict[int, list[list[_Adder]]]:
        """The adders of each pipeline stage and level, in the order of the module."""
        inner = {total.owner.operands[0] for total in self._totals}
        stages: dict[SSAValue, int] = {}
        levels: dict[SSAValue, int] = {}
        found: dict[int, dict[int, list[_Adder]]] = {}
        for op in self._ops:
            registered = type(op) in REGISTERED
            stage = max((stages.get(each, 0) for each in op.operands), default=0) + registered
            level = 0
            if not registered:
                level = max((levels.get(each, 0) for each in op.operands), default=0)
            adder = None if set(op.results) & inner else self._adder(op)
            if adder is not None:
                level += 1
                found.setdefault(stage, {}).setdefault(level, []).append(adder)
            for result in op.results:
                stages[result], levels[result] = stage, level
        return {stage: list(adders.values()) for stage, adders in found.items()}

    def _adder(self, op: Operation) -> _Adder | None:
        """The addition whose sum an op gives; None of another op, or where joining is no use."""
        chain = chain_adder_of(op, self._constants)
        if chain is None and type(op) is comb.AddOp and len(op.operands) == 2:
            chain = ChainAdder(*op.operands, carry=None, absorbs=False)
        if chain is None:
            return None
        self._operands[op.results[0]] = chain.operands
        if chain.absorbs:
            return None
        left, right = self._bits(chain.left), self._bits(chain.right)
        if chain.carry is not None:
            left, right = ([*self._bits(chain.carry), *number] for number in (left, right))
        # Alone, a number of lower bits takes no adder for the bits below the other one.
        passed = 0 in (left[0], right[0])
        ones = any(pair == (1, 1) for pair in zip(left, right, strict=True))
        if passed or ones or len(left) < LEAST_BITS:
            return None
        return _Adder(op.results[0], left, right, chain.carry is not None)

    def _bits(self, value: SSAValue) -> list[_Bit]:
        """The bits of a value, the lowest first, as far as concatenations and slices tell."""
        width = bit_width(value.type)
        known = self._constants.get(value)
        if known is not None and known.ndim == 1:
            number = int(known[0])
            return [(number >> place) & 1 for place in range(width)]
        op = value.owner
        if type(op) is comb.ConcatOp:
            return [bit for operand in reversed(op.operands) for bit in self._bits(operand)]
        if type(op) is comb.ExtractOp and value not in self._totals:
            low = op.low_bit.value.data
            return self._bits(op.input)[low : low + width]
        bits: list[_Bit] = [(value, place) for place in range(width)]
        if type(op) is hw.ArrayGetOp and op.input in self._constants:
            entries = self._constants[op.input][0]
            ends = {0: 0, (1 << len(entries)) - 1: 1}
            for place, plane in enumerate(planes(entries, width)):
                bits[place] = ends.get(plane, bits[place])
        return bits

    # The ops of a chain

    def _zero(self, build: HwBuilder, source: Sequence[_Signal], name: str) -> SSAValue:
        """A signal that is 0, which only logic optimisation finds."""
        pair = self._wires(build, source)
        cases = [build.equal(pair, build.constant(number, 2)) for number in (1, 2)]
        return build.all_of(cases, name)

    def _add(self, build: HwBuilder, chain: Sequence[_Adder], zero: SSAValue) -> None:
        """One addition for all adders of a chain, the first ones lowest."""
        left: list[_Bit] = []
        right: list[_Bit] = []
        places: list[int] = []
        for adder in chain:
            places.append(len(left))
            left += adder.left
            right += adder.right
            if adder is chain[-1]:
                break
            if not adder.is_closed:
                left.append(0)
                right.append(0)
        top = len(left) - 1
        for place, pair in enumerate(zip(left, right, strict=True)):
            if pair == (0, 0) and place < top:
                left[place] = zero, 0
        numbers = [self._wires(build, number) for number in (left, right)]
        whole = build.added(numbers, f"chain{self._chains}")
        self._chains += 1
        for adder, place in zip(chain, places, strict=True):
            place += adder.is_carried
            width = len(adder.left) - adder.is_carried
            name = name_hint(adder.total)
            total = build.part(whole, place, width, name)
            adder.total.replace_all_uses_with(total)
            self._new[adder.total] = total

    def _wires(self, build: HwBuilder, bits: Sequence[_Bit]) -> SSAValue:
        """Bits side by side, given the lowest first."""
        pieces: list[SSAValue] = []
        start = 0
        while start < len(bits):
            end, first = start + 1, bits[start]
            if isinstance(first, int):
                while end < len(bits) and isinstance(bits[end], int):
                    end += 1
                number = sum(int(bool(bits[at])) << (at - start) for at in range(start, end))
                pieces.append(build.constant(number, end - start))
            else:
                value, low = first
                while end < len(bits) and bits[end] == (value, low + end - start):
                    end += 1
                value = self._new.get(value, value)
                whole = end - start == bit_width(value.type)
                pieces.append(value if whole else build.part(value, low, end - start))
            start = end
        return pieces[0] if len(pieces) == 1 else build.joined(pieces[::-1], len(bits))

    def _clean(self) -> None:
        """Drop the ops that nothing reads any more, and put operands before their users."""
        for op in reversed(self._ops):
            result = op.results[0] if type(op) in _WIRED else None
            if result is None or any(result.uses):
                continue
            if result in self._new or name_hint(result) is None:
                op.detach()
                op.erase()
        for op in in_dataflow_order(self._block.ops, through_registers=False):
            op.detach()
            self._block.add_op(op)


_WIRED = {comb.AddOp, comb.ExtractOp, comb.ConcatOp, hw.ConstantOp}
"""Ops that adders consist of."""


def _chains(adders: Sequence[_Adder], longest: int) -> Iterator[Sequence[_Adder]]:
    """The adders of each chain of two or more. Chains are about equally long."""
    total = sum(adder.bits for adder in adders)
    wanted = total / max(1, ceil(total / longest))
    chain: list[_Adder] = []
    bits = 0
    for adder in adders:
        if chain and (bits + adder.bits > longest or bits + adder.bits / 2 > wanted):
            if len(chain) > 1:
                yield chain
            chain, bits = [], 0
        chain.append(adder)
        bits += adder.bits
    if len(chain) > 1:
        yield chain


def _two_signals(adders: Iterable[_Adder]) -> Sequence[_Signal] | None:
    """Two bits of operands that are no constants, those of one value first; None without two."""
    found: dict[_Signal, None] = {}
    for adder in adders:
        for number in (adder.left, adder.right):
            for lower, upper in pairwise(number):
                if not isinstance(lower, int) and upper == (lower[0], lower[1] + 1):
                    return lower, (lower[0], lower[1] + 1)
            found.update(dict.fromkeys(bit for bit in number if not isinstance(bit, int)))
    return list(found)[:2] if len(found) > 1 else None
