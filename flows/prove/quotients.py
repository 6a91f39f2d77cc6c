"""Upper bits of sums as free variables, so that bits of sums are sums again.

floor(s / 2^k) of a sum s of many variables is a variable q of its own, and the k bits below are
s - 2^k q. Neither lists the values of s, and q drops out where both come together again.

What is proven for all values of q holds for the value that comes. A difference between forms that
still have a q in them says nothing (`Quotients.are_in`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import gcd, prod
from typing import TypeAlias, TypeGuard

import numpy as np

from kan_dialect.flows.prove import forms
from kan_dialect.flows.prove.forms import (
    Form,
    Over,
    Table,
    TooHard,
    Total,
    Variable,
    add,
    as_total,
    constant,
    listed,
    scale,
    subtract,
    variable,
    variables,
)
from kan_dialect.ir.constants import IntArray

MAX_LISTED = 1 << 16
"""Largest number of points over which a quotient is listed. The list shows on which variables it
depends."""

MAX_NUMBER = 1 << 60
"""No word has a number beyond: forms hold int64."""

_SAMPLE = -1
"""The sample of these variables: that of no node or port."""

_Key: TypeAlias = tuple[int, int, tuple[tuple[Over, bytes], ...]]


@dataclass(frozen=True, eq=False)
class Quotient:
    """floor(of / 2^exponent). No part of the sum is negative."""

    of: Total
    exponent: int


@dataclass
class Quotients:
    """Arithmetic of words that are sums, with a variable for each quotient of a sum of many."""

    defined: dict[Variable, Quotient] = field(default_factory=dict[Variable, Quotient])
    """What each variable is: earlier ones may be in the sums of later ones."""

    _by_key: dict[_Key, Variable] = field(default_factory=dict[_Key, Variable])

    def are_in(self, form: Form) -> bool:
        """Whether a form depends on quotients."""
        return any(of in self.defined for of in variables(form))

    def shifted(self, form: Form, exponent: int) -> Form:
        """The form by 2^exponent, rounded down.

        Raises
        ------
        TooHard : numbers are too large, or the form is of another kind and cannot be listed.
        """
        if not _is_sum_of_many(form):
            return forms.shifted(form, exponent)
        return self._floor(form, exponent)

    def within(self, form: Form, width: int, low: int) -> Form:
        """The form modulo 2^width, as numbers of low .. low + 2^width - 1.

        Raises
        ------
        TooHard : as of `shifted`.
        """
        fits = self.tamed(form, width, [low])
        if fits is not None:
            return fits
        if not _is_sum_of_many(form):
            return forms.within(form, width, low)
        upper = self.shifted(add(form, constant(-low)), width)
        return subtract(form, scale(upper, 1 << width))

    def tamed(self, form: Form, width: int, lows: Sequence[int]) -> Form | None:
        """As `within` of one of the lows, by adding a multiple of 2^width; None where that cannot
        do.
        """
        if not _is_sum_of_many(form):
            return forms.tamed(form, width, lows)
        smallest, largest = self.bounds(form)
        for low in lows:
            shift = (smallest - low) >> width << width
            if largest - shift < low + (1 << width):
                return add(form, constant(-shift))
        return None

    def _floor(self, total: Total, exponent: int) -> Form:
        """floor(total / 2^exponent): what is divisible apart, and a variable for the rest."""
        whole: Form = constant(0)
        while True:
            if max(map(abs, _part_by_part(total))) >= MAX_NUMBER:
                raise TooHard("numbers of more than 60 bits")
            upper, rest = self._split(total, exponent)
            whole = add(whole, upper)
            rest, exponent = self._without_lower_bits(rest, exponent)
            inner = next(filter(self._is_quotient, rest.parts.items()), None)
            if inner is None:
                break
            # floor((floor(s / 2^j) + b) / 2^k) = floor((s + 2^j b) / 2^(j + k))
            over, _ = inner
            of = self.defined[over[0]]
            others = Total(rest.constant, {o: p for o, p in rest.parts.items() if o != over})
            total = _sum(of.of, _times(others, 1 << of.exponent))
            exponent += of.exponent
        return add(whole, self._quotient(rest, exponent))

    def _quotient(self, rest: Total, exponent: int) -> Form:
        """floor(rest / 2^exponent): a sum of tables of one variable, or else a variable."""
        classes = _Classes.of(rest)
        over = variables(classes.total)
        if prod(each.size for each in over) <= MAX_LISTED:
            found = as_total(Table(over, listed(classes.total, over) >> exponent))
            if all(len(each) == 1 for each in found.parts):
                return classes.by_value(found)
            # The lowest value of a variable stands for all where none makes a difference.
            needed = {classes.variables[each][0] for part in found.parts for each in part}
            parts = {each: part for each, part in rest.parts.items() if needed.issuperset(each)}
            rest = Total(rest.constant, parts)
        return variable(self._variable(rest, exponent))

    def _is_quotient(self, part: tuple[Over, IntArray]) -> bool:
        over, values = part
        return len(over) == 1 and over[0] in self.defined and _factor(values) == 1

    def _without_lower_bits(self, total: Total, exponent: int) -> tuple[Total, int]:
        """The same quotient, of a sum without the lower bits that carry nothing to the upper."""
        for places in reversed(range(1, exponent)):
            upper, lower = self._split(total, places)
            least, most = _part_by_part(lower)
            if least >= 0 and most < 1 << places:
                return upper, exponent - places
        return total, exponent

    def _split(self, total: Total, exponent: int) -> tuple[Total, Total]:
        """`upper` and `lower` with upper * 2^exponent + lower = total.

        Constant and tables of the lower sum are in 0 .. 2^exponent - 1, and so are the factors of
        its quotients.
        """
        upper: dict[Over, IntArray] = {}
        lower: dict[Over, IntArray] = {}
        for over, part in total.parts.items():
            factor = _factor(part) if len(over) == 1 and over[0] in self.defined else None
            if factor is None:
                high = part >> exponent
            else:
                high = (factor >> exponent) * np.arange(len(part))
            low = part - (high << exponent)
            if bool(high.any()):
                upper[over] = high
            if bool(low.any()):
                lower[over] = low
        first = total.constant >> exponent
        return Total(first, upper), Total(total.constant - (first << exponent), lower)

    def _variable(self, of: Total, exponent: int) -> Variable:
        key = exponent, of.constant, of.key
        if key not in self._by_key:
            name = f"quotient {len(self._by_key)}"
            found = Variable(name, _SAMPLE, 0, _part_by_part(of)[1] >> exponent)
            self._by_key[key] = found
            self.defined[found] = Quotient(of, exponent)
        return self._by_key[key]

    def bounds(self, total: Total) -> tuple[int, int]:
        """Numbers that the sum does not leave.

        2^k q is s - r with r in 0 .. 2^k - 1: where s is in the sum as well, that r is narrower.
        """
        low, high = _part_by_part(total)
        # What is left for quotients that are replaced: `times` the sum is `total` and a number in
        # `least` .. `most`.
        times, least, most = 1, 0, 0
        while True:
            narrower = None
            for factor, replaced, remainder in self._with_remainders(total):
                first, last = _part_by_part(replaced)
                first += factor * least + min(0, remainder)
                last += factor * most + max(0, remainder)
                first, last = -(-first // (factor * times)), last // (factor * times)
                first, last = max(first, low), min(last, high)
                if (first, last) != (low, high):
                    narrower = factor, replaced, remainder
                    low, high = first, last
            if narrower is None:
                return low, high
            factor, total, remainder = narrower
            times, least, most = times * factor, factor * least, factor * most
            least, most = least + min(0, remainder), most + max(0, remainder)

    def _with_remainders(self, total: Total) -> Iterator[tuple[int, Total, int]]:
        """For each quotient of the sum: a factor, and `factor` times the sum without the quotient.

        To that comes a number from 0 to the last one, in either direction.
        """
        for over, part in total.parts.items():
            quotient = self.defined.get(over[0]) if len(over) == 1 else None
            step = _factor(part)
            if quotient is None or step is None:
                continue
            modulus = 1 << quotient.exponent
            factor = modulus // gcd(modulus, step)
            weight = factor * step >> quotient.exponent
            others = Total(total.constant, {o: p for o, p in total.parts.items() if o != over})
            replaced = _sum(_times(others, factor), _times(quotient.of, weight))
            yield factor, replaced, -weight * (modulus - 1)


@dataclass(frozen=True)
class _Classes:
    """A sum with a value of a variable for all of its values that add the same number.

    A node may have thousands of values of which a table reads the upper bit.
    """

    total: Total
    variables: dict[Variable, tuple[Variable, IntArray]]
    """Of each variable of the sum, the one that it stands for, and the class of each value."""

    @staticmethod
    def of(total: Total) -> _Classes:
        """The classes of a sum; variables of several parts keep their values."""
        first, parts = total.constant, dict[Over, IntArray]()
        known: dict[Variable, tuple[Variable, IntArray]] = {}
        joint = {each for over in total.parts if len(over) > 1 for each in over}
        for over, part in total.parts.items():
            if len(over) != 1 or over[0] in joint:
                parts[over] = part
                known |= {each: (each, np.arange(each.size)) for each in over}
                continue
            old = over[0]
            values, numbers = np.unique(part, return_inverse=True)
            new = Variable(old.name, old.sample, 0, len(values) - 1)
            known[new] = old, numbers
            first += int(values[0])
            parts[new,] = values - values[0]
        return _Classes(Total(first, parts), known)

    def by_value(self, total: Total) -> Total:
        """A sum of tables of one variable each, over the values in place of the classes."""
        first, parts = total.constant, dict[Over, IntArray]()
        for over, part in total.parts.items():
            old, numbers = self.variables[over[0]]
            values = part[numbers]
            first += int(values[0])
            parts[old,] = values - values[0]
        return Total(first, parts)


def _is_sum_of_many(form: Form) -> TypeGuard[Total]:
    """Whether a form is a sum of several variables."""
    return isinstance(form, Total) and len(variables(form)) > 1


def _part_by_part(total: Total) -> tuple[int, int]:
    """Numbers that a sum does not leave, with variables of several parts apart in each."""
    low = total.constant + sum(int(part.min()) for part in total.parts.values())
    return low, total.constant + sum(int(part.max()) for part in total.parts.values())


def _factor(part: IntArray) -> int | None:
    """By what a function of one variable rises with each value, if always by the same."""
    steps = np.diff(part)
    return int(steps[0]) if len(steps) and bool((steps == steps[0]).all()) else None


def _times(total: Total, factor: int) -> Total:
    parts = {over: part * factor for over, part in total.parts.items()} if factor else {}
    return Total(total.constant * factor, parts)


def _sum(left: Total, right: Total) -> Total:
    whole = add(left, right)
    assert isinstance(whole, Table | Total)
    return as_total(whole)
