"""Arithmetic on numbers of known ranges, as `comb` ops: exact sums and products, then one rounding.

A number's wire is as wide as its range needs, in two's complement where the range goes below 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.dialects import comb, hw
from xdsl.dialects.builtin import IntegerType, StringAttr
from xdsl.ir import Operation, SSAValue

from kan_dialect.errors import KanError
from kan_dialect.ir.attributes.value_names import NAME_HINT
from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.fixed_point import FixedType
from kan_dialect.ir.quant import storage_for
from kan_dialect.lowering.hw_builder import HwBuilder


@dataclass(frozen=True)
class Number:
    """A wire, and the range of the integers that it carries."""

    wire: SSAValue
    low: int
    high: int

    @property
    def bits(self) -> int:
        return storage_for(self.low, self.high)[0]

    @property
    def is_signed(self) -> bool:
        return self.low < 0


@dataclass
class Datapath:
    """Adds arithmetic to a module that is being built."""

    build: HwBuilder

    def constant(self, value: int) -> Number:
        return Number(self.build.constant(value, storage_for(value, value)[0]), value, value)

    def extended(self, number: Number, bits: int) -> SSAValue:
        """The number's wire, extended by its sign or zeros."""
        return self.build.resized(number.wire, number.bits, bits, number.is_signed)

    def resized(self, number: Number, bits: int) -> SSAValue:
        """The number's wire, extended or cut off."""
        return self.build.resized(number.wire, number.bits, bits, number.is_signed)

    def named(self, number: Number, name: str) -> Number:
        """The same, under a name in the RTL."""
        owner = number.wire.owner
        if isinstance(owner, Operation) and NAME_HINT not in owner.attributes:
            owner.attributes[NAME_HINT] = StringAttr(name)
        return number

    def sum(self, left: Number, right: Number) -> Number:
        low, high = left.low + right.low, left.high + right.high
        bits = storage_for(low, high)[0]
        terms = [self.extended(left, bits), self.extended(right, bits)]
        return Number(self.build.add(comb.AddOp(terms)), low, high)

    def difference(self, left: Number, right: Number) -> Number:
        low, high = left.low - right.high, left.high - right.low
        bits = storage_for(low, high)[0]
        op = comb.SubOp(self.extended(left, bits), self.extended(right, bits))
        return Number(self.build.add(op), low, high)

    def product(self, left: Number, right: Number) -> Number:
        """The product; its operands stay recognisable as narrow ones, for multipliers of DSPs."""
        corners = [a * b for a in (left.low, left.high) for b in (right.low, right.high)]
        low, high = min(corners), max(corners)
        bits = storage_for(low, high)[0]
        wide = max(bits, left.bits, right.bits)
        op = comb.MulOp([self.extended(left, wide), self.extended(right, wide)])
        return self._held(self.build.add(op), wide, low, high)

    def _held(self, wire: SSAValue, bits: int, low: int, high: int) -> Number:
        """A wire of so many bits as one that is as wide as its range needs."""
        needed = storage_for(low, high)[0]
        return Number(wire if needed == bits else self.build.part(wire, 0, needed), low, high)

    def shifted_left(self, number: Number, shift: int) -> Number:
        if shift == 0:
            return number
        low, high = number.low << shift, number.high << shift
        bits = number.bits + shift
        op = comb.ConcatOp([number.wire, self.build.constant(0, shift)], IntegerType(bits))
        return self._held(self.build.add(op), bits, low, high)

    def shifted_right(self, number: Number, shift: int) -> Number:
        """The number over 2^shift, rounded down."""
        if shift == 0:
            return number
        low, high = number.low >> shift, number.high >> shift
        if number.bits <= shift:
            number = Number(self.extended(number, shift + 1), -(1 << shift), (1 << shift) - 1)
        kept = number.bits - shift
        return self._held(self.build.part(number.wire, shift, kept), kept, low, high)

    def times(self, number: Number, factor: int) -> Number:
        """Times a constant: by shifts and adders where few do, else by a multiplier."""
        places = [place for place in range(factor.bit_length()) if factor >> place & 1]
        if len(places) > 3:
            return self.product(number, self.constant(factor))
        parts = [self.shifted_left(number, place) for place in places]
        total = parts[0]
        for part in parts[1:]:
            total = self.sum(total, part)
        return total

    def rounded(self, number: Number, shift: int, plus: Number | None = None) -> Number:
        """(number + plus * 2^shift) / 2^shift, rounded half to even.

        Half is added above the bits that only tell a tie; of a tie the last bit is cleared. So
        there is one adder, and it is no longer than the result.
        """
        if shift <= 0:
            total = self.shifted_left(number, -shift)
            return total if plus is None else self.sum(total, plus)
        upper = self.shifted_right(number, shift - 1)
        if plus is None:
            half = self.sum(upper, self.constant(1))
        else:
            one = self.build.constant(1, 1)
            wire = self.build.add(comb.ConcatOp([plus.wire, one], IntegerType(plus.bits + 1)))
            half = self.sum(upper, Number(wire, 2 * plus.low + 1, 2 * plus.high + 1))
        half = self._at_least(half, 2)
        quotient = self.shifted_right(half, 1)
        if number.bits <= shift - 1:
            number = Number(self.extended(number, shift), -(1 << shift), (1 << shift) - 1)
        odd = self.build.part(half.wire, 0, 1)
        tie = self.build.inverted(odd, 1)
        if shift > 1:
            below = self.build.part(number.wire, 0, shift - 1)
            zero = comb.ICmpOp(below, self.build.constant(0, shift - 1), "eq")
            tie = self.build.add(comb.AndOp([tie, self.build.add(zero)]))
        last = self.build.part(quotient.wire, 0, 1)
        last = self.build.add(comb.AndOp([last, self.build.inverted(tie, 1)]))
        if quotient.bits == 1:
            return Number(last, quotient.low, quotient.high)
        rest = self.build.part(quotient.wire, 1, quotient.bits - 1)
        wire = self.build.add(comb.ConcatOp([rest, last], IntegerType(quotient.bits)))
        # Clearing the last bit of an odd low end would leave the range.
        return Number(wire, quotient.low - (quotient.low & 1), quotient.high)

    def _at_least(self, number: Number, bits: int) -> Number:
        if number.bits >= bits:
            return number
        return Number(self.extended(number, bits), -(1 << (bits - 1)), (1 << (bits - 1)) - 1)

    def saturated(self, number: Number, kind: FixedType) -> Number:
        """The number, or the end of the type beyond which it lies.

        Raises
        ------
        KanError : the type is unsigned.
        """
        if kind.low <= number.low and number.high <= kind.high:
            return number
        if not kind.is_signed:
            raise KanError(f"{kind}: results of training ops must be signed in hardware")
        bits = number.bits + (not number.is_signed)
        wire = self.extended(number, bits)
        sign = self.build.part(wire, bits - 1, 1)
        above = self.build.part(wire, kind.bits - 1, bits - kind.bits)
        beyond = self.build.add(comb.ICmpOp(above, self._repeated(sign, bits - kind.bits), "ne"))
        body = self.build.part(wire, 0, kind.bits - 1)
        end = self._repeated(self.build.inverted(sign, 1), kind.bits - 1)
        held = self.build.add(comb.MuxOp(beyond, end, body))
        low, high = max(number.low, kind.low), min(number.high, kind.high)
        if number.is_signed:
            held = self.build.add(comb.ConcatOp([sign, held], IntegerType(kind.bits)))
        return Number(held, low, high)

    def _repeated(self, bit: SSAValue, count: int) -> SSAValue:
        if count == 1:
            return bit
        return self.build.add(comb.ReplicateOp(bit, IntegerType(count)))

    def read(self, entries: IntArray, index: SSAValue, name: str) -> Number:
        """The entry of a constant table that an index chooses."""
        low, high = int(entries.min()), int(entries.max())
        if low == high:
            return self.constant(low)
        array = self.build.array(entries, storage_for(low, high)[0], name)
        return Number(self.build.add(hw.ArrayGetOp(array, index)), low, high)

    def chosen(self, numbers: Sequence[Number], index: SSAValue, bits: int) -> Number:
        """The number that an index of so many bits chooses; there may be fewer than 2^bits."""
        low, high = min(n.low for n in numbers), max(n.high for n in numbers)
        width = storage_for(low, high)[0]
        wires = [self.resized(number, width) for number in numbers]
        for place in range(bits):
            bit = self.build.part(index, place, 1) if bits > 1 else index
            pairs = [wires[start : start + 2] for start in range(0, len(wires), 2)]
            wires = [
                pair[0] if len(pair) == 1 else self.build.add(comb.MuxOp(bit, pair[1], pair[0]))
                for pair in pairs
            ]
        return Number(wires[0], low, high)
