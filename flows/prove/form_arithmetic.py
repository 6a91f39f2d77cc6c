"""The reference of a proof as forms: what `reference.py` asks of an arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from kan_dialect.flows.prove.cell_functions import sum_of
from kan_dialect.flows.prove.forms import (
    Choice,
    Form,
    Table,
    Variable,
    add,
    apply,
    bounds,
    choose,
    constant,
    is_positive,
    mapped,
    scale,
    substituted,
    subtract,
    values_of,
    variable,
    variables,
)
from kan_dialect.flows.prove.plans import Plan, PlanArithmetic
from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.exact_arithmetic import Ends, Listed
from kan_dialect.ir.rounding import round_shift
from kan_dialect.ir.types import IntType
from kan_dialect.model.interface import Port


class FormArithmetic(PlanArithmetic[Form, Variable]):
    """Integers as forms.

    Raises
    ------
    TooHard : a function leaves the forms.
    """

    def constant(self, value: int) -> Form:
        return constant(value)

    def total(self, terms: Sequence[Form]) -> Form:
        return sum_of(terms)

    def function(self, listed: Listed, operands: Sequence[Form], kinds: Sequence[IntType]) -> Form:
        def inside(columns: Sequence[IntArray]) -> IntArray:
            ends = zip(columns, kinds, strict=True)
            return listed([np.clip(column, kind.low, kind.high) for column, kind in ends])

        return apply(inside, operands)

    def divided(self, number: Form, exponent: int) -> Form:
        if exponent == 0:
            return number
        return mapped(lambda codes: round_shift(codes, exponent), number)

    def clamped(self, number: Form, low: int, high: int) -> Form:
        smallest, largest = bounds(number)
        if low <= smallest and largest <= high:
            return number
        return mapped(lambda codes: np.clip(codes, low, high), number)

    def precedes(self, candidates: Sequence[Form]) -> Form:
        left, left_index, right, right_index = candidates
        (low, high), (least, largest) = bounds(left_index), bounds(right_index)
        values, others = bounds(left), bounds(right)
        if values[0] > others[1] or values[1] < others[0]:
            # Where nothing reads a candidate, no variable stands for it.
            return constant(int(values[0] > others[1]))
        apart = subtract(left, right)
        if high < least or largest < low:
            return is_positive(apart, or_zero=high < least)
        weight = 1 << max(1, high.bit_length(), largest.bit_length())
        indices = subtract(right_index, left_index)
        return is_positive(add(scale(apart, weight), indices))

    def chosen(self, operands: Sequence[Form], ends: Ends) -> Form:
        found = choose(*operands)
        if not isinstance(found, Choice):
            return found
        values = zip(*map(bounds, operands[1:]), strict=True)
        low, high = (end(*each) for end, each in zip(ends, values, strict=True))
        return replace(found, low=low, high=high)

    # Plans.

    def input(self, port: Port) -> Form:
        return variable(Variable(port.name, 0, port.low, port.high))

    def variable(self, name: str, low: int, high: int) -> Variable:
        return Variable(name, 0, low, high)

    def listed(self, of: Variable, values: IntArray) -> Form:
        return Table((of,), values)

    def variables(self, number: Form) -> Sequence[Variable]:
        return variables(number)

    def bounds(self, number: Form) -> tuple[int, int]:
        return bounds(number)

    def values(self, number: Form) -> IntArray:
        return values_of(number)

    def wrapped(self, number: Form, width: int, signed: bool) -> Form:
        if not isinstance(number, Choice):
            return number
        low = -(1 << width - 1) if signed else 0
        fits = low <= number.low and number.high < low + (1 << width)
        return number.wrapped(width, low) if fits else number


def expanded(plan: Plan[Form, Variable], form: Form, rank: int) -> Form:
    """The form with the nodes from a rank on as the reference has them, and so not free.

    Raises
    ------
    TooHard : that leaves the forms.
    """
    nodes = {of: (name, mark) for name, (of, mark) in plan.hidden.items()}
    by: dict[Variable, Form] = {}
    for of in variables(form):
        if plan.rank(of) >= rank:
            name, mark = nodes[of]
            signal = add(plan.reference.nodes[name], constant(-mark.offset))
            # A signal that is saturated may be any that gives the code.
            within = mapped(lambda v, of=of: v.clip(of.low, of.high), signal)
            by[of] = expanded(plan, within, rank)
    return substituted(form, by)
