"""The adders of one sum: a tree of two-input adders, with single bits at their carry inputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from xdsl.ir import Block, SSAValue

from kan_dialect.analysis.tables import low_zeros_of
from kan_dialect.devices.carry_chains import is_single_bit, is_wires
from kan_dialect.devices.costed import stated_levels
from kan_dialect.devices.device import DeviceFamily
from kan_dialect.devices.lut_count import absorbed_bits, absorbed_bits_of
from kan_dialect.ir.types import range_of
from kan_dialect.ir.wire_operation import WireOp
from kan_dialect.ops.wire import ConstantOp, SumOp, TableOp, complement_of, low_zeros
from kan_dialect.search.adder_trees.pairing import Pairing, Summand
from kan_dialect.search.adder_trees.side_by_side import Extent, side_by_side

MOSTLY_BITS = 2
"""A sum of this many times as many single bits as other numbers is made of rows of bits."""


def adder_tree(op: SumOp, target: DeviceFamily, further: int) -> list[SumOp]:
    """The adders that replace a sum, in no block, operands first; the last one is the whole sum.

    Parameters
    ----------
    further : levels that the tree may have beyond the fewest.
    """
    return AdderTree(op, target, further).adders


class AdderTree:
    """Adds the two summands that are best added next, until one is left.

    Each adder takes one of the single bits at its carry input, as long as there are any.
    """

    def __init__(self, op: SumOp, target: DeviceFamily, further: int) -> None:
        self.adders: list[SumOp] = []
        self._name = op.given_name
        self._target = target
        tables = [value.owner for value in op.inputs if type(value.owner) is TableOp]
        known = zip([table.result for table in tables], low_zeros_of(tables), strict=True)
        self._zeros = dict[SSAValue, int](known)
        self._levels = dict[SSAValue, int]()
        values = list(dict.fromkeys(op.inputs))
        self._absorbed = dict(zip(values, absorbed_bits_of(values, target), strict=True))
        constants = [value for value in op.inputs if isinstance(value.owner, ConstantOp)]
        terms = [term for term in op.inputs if term not in constants]
        fewest = 2 - len(constants)
        terms = self._put_side_by_side(terms, fewest, bits=False)
        terms, self._carries = choose_carries(
            terms, self._absorbed, self._zeros, with_constant=bool(constants)
        )
        # Bits without a carry input may stand beside a term, as long as adders are left for the
        # bits that have one.
        terms = self._put_side_by_side(terms, max(fewest, len(self._carries) + 1), bits=True)
        self._count = len(terms)
        self._left = dict(enumerate(terms))
        whole_bits = target.adders.whole_bits
        self._pairing = Pairing(self._summands(terms), further, whole_bits=whole_bits)
        # Constants last: an adder with a constant is the cheapest, and can wait.
        last = self._add_up(constants)
        if len(self._carries) == 1 and len(last) == 2:
            last += self._take_carry(max(low_zeros(value, self._zeros) for value in last))
        if self._carries:
            # No adder has a carry input for these bits: they are summands like others.
            self._append(self._carries)
            self._carries = []
            last = self._add_up(constants)
        self.adders.append(SumOp(last, result_type=range_of(op.result), name=op.given_name))

    def _put_side_by_side(
        self, terms: Sequence[SSAValue], fewest: int, *, bits: bool
    ) -> list[SSAValue]:
        """The terms, with those whose bits do not meet joined to one term each.

        Parameters
        ----------
        fewest : number of terms that are left at least.
        bits : single bits are joined too.
        """
        left = dict(enumerate(terms))
        numbers = [
            number
            for number, term in left.items()
            if not self._levels_of(term) and (bits or not is_single_bit(term, self._zeros))
        ]
        for upper, lower in side_by_side([self._extent(left[number]) for number in numbers]):
            if len(left) <= fewest:
                break
            both = SumOp(
                [left.pop(numbers[upper]), left.pop(numbers[lower])], name=self._part_name()
            )
            self.adders.append(both)
            numbers.append(len(terms) + len(numbers))
            left[numbers[-1]] = both.result
        return list(left.values())

    def _extent(self, value: SSAValue) -> Extent:
        kind, zeros = range_of(value), low_zeros(value, self._zeros)
        absorbed = self._absorbed_bits(value) >= kind.bits - zeros
        return Extent(zeros, kind.bits, kind.is_signed, absorbed)

    def _levels_of(self, value: SSAValue) -> int:
        return adder_levels(value, self._levels, self._target)

    def _part_name(self) -> str | None:
        """A name for the next adder."""
        return None if self._name is None else f"{self._name}_part{len(self.adders)}"

    def _summands(self, values: Sequence[SSAValue]) -> list[Summand]:
        return [
            Summand(
                range_of(value).low,
                range_of(value).high,
                low_zeros(value, self._zeros),
                self._levels_of(value),
                self._absorbed_bits(value),
            )
            for value in values
        ]

    def _absorbed_bits(self, value: SSAValue) -> int:
        if value not in self._absorbed:
            self._absorbed[value] = absorbed_bits(value, self._target)
        return self._absorbed[value]

    def _append(self, values: Sequence[SSAValue]) -> None:
        """Add summands to those that are left."""
        for value in values:
            self._left[self._count] = value
            self._count += 1
        self._pairing.extend(self._summands(values))

    def _add_up(self, constants: Sequence[SSAValue]) -> list[SSAValue]:
        """Add pairs until one adder is left; its operands."""
        while len(self._left) + len(constants) > 2 and len(self._left) > 1:
            left, right, most_zeros = self._pairing.best()
            carry = self._take_carry(most_zeros)
            pair = [self._left.pop(left), self._left.pop(right)]
            adder = SumOp([*pair, *carry], name=self._part_name())
            self.adders.append(adder)
            self._left[self._count] = adder.result
            self._count += 1
            zeros = low_zeros(adder.result, self._zeros)
            self._pairing.add(left, right, range_of(adder.result), zeros)
        return [*self._left.values(), *constants]

    def _take_carry(self, zeros: int) -> list[SSAValue]:
        """A bit for the carry input of an adder with an operand that ends in `zeros` zeros."""
        for bit in self._carries:
            if low_zeros(bit, self._zeros) <= zeros:
                self._carries.remove(bit)
                return [bit]
        return []


def adder_levels(value: SSAValue, known: dict[SSAValue, int], device: DeviceFamily) -> int:
    """Levels of adders that end at a value, through ops of other packages with their own levels.

    Parameters
    ----------
    known : results for other values; grows.
    """
    op = value.owner
    if type(op) is TableOp:
        inverted = complement_of(value)
        if inverted is None:
            return 0
        value = inverted.value
        op = value.owner
    if isinstance(op, Block) or (isinstance(op, WireOp) and type(op) is not SumOp):
        return 0
    if value not in known:
        own = stated_levels(op, device) if type(op) is not SumOp else 0 if is_wires(op) else 1
        before = (adder_levels(each, known, device) for each in op.operands)
        known[value] = own + max(before, default=0)
    return known[value]


def is_mostly_bits(terms: Iterable[SSAValue], zeros: dict[SSAValue, int]) -> bool:
    """Whether a sum of these terms is made of rows of bits. Constants do not count.

    Parameters
    ----------
    zeros : number of lowest bits of values that are always 0; grows.
    """
    kinds = [is_single_bit(term, zeros) for term in terms if type(term.owner) is not ConstantOp]
    bits = sum(kinds)
    return bits >= MOSTLY_BITS * (len(kinds) - bits)


def choose_carries(
    terms: Sequence[SSAValue],
    absorbed: Mapping[SSAValue, int],
    zeros: dict[SSAValue, int],
    *,
    with_constant: bool,
) -> tuple[list[SSAValue], list[SSAValue]]:
    """The terms to add, and the single bits among the terms that enter at carry inputs.

    Where there are more bits than adders, some are terms like others, preferably bits that adders
    absorb. The rest come by falling place, so that each adder gets the highest bit that it can
    take.

    Parameters
    ----------
    absorbed : number of bits of each term that the LUTs of an adder absorb.
    zeros : number of lowest bits of values that are always 0; grows.
    with_constant : the sum has a constant besides, and so an adder more.
    """
    place = {term: low_zeros(term, zeros) for term in terms}
    bits = [term for term in terms if is_single_bit(term, zeros)]
    numbers = [place[term] for term in terms if not is_single_bit(term, zeros)]
    bits.sort(key=lambda bit: (absorbed[bit] == 0, place[bit]))
    if is_mostly_bits(terms, zeros):
        carries = _carries_beside_rows(bits, numbers, place, with_constant=with_constant)
    else:
        carries = _carries_of_numbers(bits, numbers, place)
    added = list(terms)
    for bit in carries:
        added.remove(bit)  # once: a value may be a term twice
    return added, carries


def _carries_of_numbers(
    bits: Sequence[SSAValue], numbers: Sequence[int], place: Mapping[SSAValue, int]
) -> list[SSAValue]:
    """Carries among bits, where numbers of several bits bring most of the adders.

    Parameters
    ----------
    bits : those that are to be added like numbers first, where adders are too few.
    numbers : number of lowest zero bits of each.
    """
    low = [bit for bit in bits if place[bit] <= max(numbers, default=0)]
    others = len(numbers) + len(bits) - len(low)
    added = max(0, (len(low) - others + 2) // 2)
    ends = [*numbers, *(place[bit] for bit in low[:added])]
    carries: list[SSAValue] = []
    for bit in sorted(reversed(low[added:]), key=lambda bit: -place[bit]):
        # Above the lowest place, each needs a number of its own that ends in as many zeros.
        if place[bit] == 0 or len(carries) < sum(end >= place[bit] for end in ends):
            carries.append(bit)
        else:
            ends.append(place[bit])
    return carries


def _carries_beside_rows(
    bits: Sequence[SSAValue],
    numbers: Sequence[int],
    place: Mapping[SSAValue, int],
    *,
    with_constant: bool,
) -> list[SSAValue]:
    """Carries among bits that are more than the other numbers.

    The other bits stand side by side in rows, with a bit of each row at each place. From the lowest
    place on, bits go on top of the rows that are there. Of the rest, each bit that begins a row
    brings an adder, which takes another one at its carry input. Where adders are left without one,
    rows give some of their bits.

    Parameters
    ----------
    bits : those that are to be in rows first.
    numbers : number of lowest zero bits of each.
    """
    rows: list[list[SSAValue]] = []
    carries: list[SSAValue] = []
    ends = Counter(numbers)
    places = sorted({place[bit] for bit in bits} | ends.keys())
    for at in places:
        own = [bit for bit in bits if place[bit] == at]
        count = len(rows)
        for row, bit in zip(rows, own, strict=False):
            row.append(bit)
        rest = own[count:]
        # The first of all numbers brings no adder.
        adders = ends[at] - (at == places[0] and not with_constant)
        taken = max(0, min(len(rest), (len(rest) + adders) // 2))
        rows += [[bit] for bit in rest[: len(rest) - taken]]
        carries += rest[len(rest) - taken :]

    begins = ends + Counter(place[row[0]] for row in rows)
    held = Counter(place[bit] for bit in carries)
    adders = begins.total() - (not with_constant)

    def is_free(at: int) -> bool:
        """Whether an adder is left that begins at this place or above, beside those of carries."""
        begun = taken = 0
        for low in reversed(places):
            begun += begins[low]
            taken += held[low]
            if low <= at and min(begun, adders) <= taken:
                return False
        return True

    last_first = {bit: -number for number, bit in enumerate(bits)}
    of_rows = [(row, bit) for row in reversed(rows) for bit in row]
    for row, bit in sorted(of_rows, key=lambda each: last_first[each[1]]):
        if len(row) > 1 and is_free(place[bit]):
            begins[place[row[0]]] -= 1
            row.remove(bit)
            begins[place[row[0]]] += 1
            held[place[bit]] += 1
            carries.insert(0, bit)
    return sorted(reversed(carries), key=lambda bit: -place[bit])
