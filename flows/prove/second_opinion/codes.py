"""Codes of the model as functions of sums of tables: the reference of a second opinion.

Tables of one variable are composed entry by entry. A function of a sum of several variables is a
row of steps, which the solver gets as terms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from kan_dialect.flows.prove.cycles.integers import Arithmetic, Integer
from kan_dialect.flows.prove.plans import MAX_VALUES, PlanArithmetic
from kan_dialect.flows.prove.second_opinion.design import Design, Undecided, Variable
from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.exact_arithmetic import Ends, Listed
from kan_dialect.ir.quant import storage_for
from kan_dialect.ir.types import IntType
from kan_dialect.model.interface import Port

Tables = Mapping[Variable, IntArray]
"""A sum: of each variable, what each of its codes adds."""


@dataclass(frozen=True)
class Divide:
    """Division by 2^shift, rounded half to even; a negative shift multiplies."""

    shift: int

    def numbers(self, values: IntArray) -> IntArray:
        if self.shift <= 0:
            return values << -self.shift
        odd = (values >> self.shift) & 1
        return (values + odd + ((1 << self.shift >> 1) - 1)) >> self.shift

    def of(self, math: Arithmetic, value: Integer) -> Integer:
        return math.rounded(value, self.shift)


@dataclass(frozen=True)
class Add:
    """Addition of a constant."""

    constant: int

    def numbers(self, values: IntArray) -> IntArray:
        return values + self.constant

    def of(self, math: Arithmetic, value: Integer) -> Integer:
        return math.sum(value, math.constant(self.constant))


@dataclass(frozen=True)
class Clamp:
    """Saturation at both ends."""

    low: int
    high: int

    def numbers(self, values: IntArray) -> IntArray:
        return values.clip(self.low, self.high)

    def of(self, math: Arithmetic, value: Integer) -> Integer:
        return math.saturated(value, self.low, self.high)


Step = Divide | Add | Clamp
"""A function of a sum. Each is monotonic: it never falls."""


@dataclass(frozen=True)
class Code:
    """An integer of the model: a constant and tables, added up, then functions of the sum."""

    tables: Tables = field(default_factory=dict[Variable, IntArray])
    constant: int = 0
    steps: tuple[Step, ...] = ()

    @property
    def sum_range(self) -> tuple[int, int]:
        """The least and the greatest sum."""
        low = self.constant + sum(int(table.min()) for table in self.tables.values())
        return low, self.constant + sum(int(table.max()) for table in self.tables.values())

    @property
    def range(self) -> tuple[int, int]:
        low, high = self.after(np.array(self.sum_range)).tolist()
        return low, high

    def after(self, sums: IntArray) -> IntArray:
        """The codes of sums."""
        for step in self.steps:
            sums = step.numbers(sums)
        return sums

    def term(self, math: Arithmetic, value: Integer) -> Integer:
        """The code of a sum."""
        for step in self.steps:
            value = step.of(math, value)
        return value

    def then(self, step: Step) -> Code:
        """The result of one more step; with one variable, it is another table."""
        low, high = self.range
        match step:
            case Add() if not self.steps:
                return Code(self.tables, self.constant + step.constant)
            case Divide() if step.shift <= 0 and not self.steps:
                tables = {of: table << -step.shift for of, table in self.tables.items()}
                return Code(tables, self.constant << -step.shift)
            case Add(constant=0) | Divide(shift=0):
                return self
            case Clamp() if step.low <= low and high <= step.high:
                return self
            case _:
                pass
        return Code(self.tables, self.constant, (*self.steps, step)).simple()

    def simple(self) -> Code:
        """The same code without steps, where it is of one variable, or a constant."""
        if not self.steps:
            return self
        low, high = self.range
        if low == high:
            return Code(constant=low)
        if len(self.tables) > 1:
            return self
        ((variable, table),) = self.tables.items()
        return Code({variable: self.after(table + self.constant)}).without_constants()

    def without_constants(self) -> Code:
        """The same without tables that are constant."""
        tables = {of: table for of, table in self.tables.items() if (table != table[0]).any()}
        dropped = (int(table[0]) for of, table in self.tables.items() if of not in tables)
        return Code(tables, self.constant + sum(dropped), self.steps)

    def numbers(self, codes: Mapping[Variable, IntArray]) -> IntArray:
        """Its numbers for rows of codes of all its variables: (rows)."""
        parts = [table[codes[of] - of.low] for of, table in self.tables.items()]
        return self.after(sum(parts, np.array([self.constant])))


@dataclass
class CodeArithmetic(PlanArithmetic[Code, Variable]):
    """Integers as codes.

    Raises
    ------
    Undecided : a sum is one of steps, or a function one of several variables.
    """

    def constant(self, value: int) -> Code:
        return Code(constant=value)

    def total(self, terms: Sequence[Code]) -> Code:
        stepped = [term for term in terms if term.steps]
        rest = [term for term in terms if not term.steps]
        constant = sum(term.constant for term in rest)
        tables: dict[Variable, IntArray] = {}
        for of, table in (item for term in rest for item in term.tables.items()):
            tables[of] = tables[of] + table if of in tables else table
        whole = Code(tables, constant).without_constants()
        if not stepped:
            return whole
        if len(stepped) > 1 or whole.tables:
            raise Undecided("a sum of nodes that no signal holds")
        return stepped[0].then(Add(whole.constant))

    def function(self, listed: Listed, operands: Sequence[Code], kinds: Sequence[IntType]) -> Code:
        variables = dict.fromkeys(of for code in operands for of in code.tables)
        if len(variables) > 1 or any(code.steps for code in operands):
            raise Undecided("a table of several variables, or of a node that no signal holds")
        codes = {of: of.codes for of in variables}
        count = max((len(column) for column in codes.values()), default=1)
        columns = [
            np.broadcast_to(code.numbers(codes).clip(kind.low, kind.high), count)
            for code, kind in zip(operands, kinds, strict=True)
        ]
        found = listed(columns)
        if not variables:
            return Code(constant=int(found[0]))
        return Code(dict.fromkeys(variables, found)).without_constants()

    def divided(self, number: Code, exponent: int) -> Code:
        return number.then(Divide(exponent))

    def clamped(self, number: Code, low: int, high: int) -> Code:
        return number.then(Clamp(low, high))

    def precedes(self, candidates: Sequence[Code]) -> Code:
        raise Undecided("a head that compares outputs; leave --second out, or the head")

    def chosen(self, operands: Sequence[Code], ends: Ends) -> Code:
        return self.precedes(operands)

    # Plans.

    def listed(self, of: Variable, values: IntArray) -> Code:
        return Code({of: values}).without_constants()

    def variables(self, number: Code) -> Sequence[Variable]:
        return list(number.tables)

    def bounds(self, number: Code) -> tuple[int, int]:
        return number.range

    def values(self, number: Code) -> IntArray:
        if len(number.tables) == 1:
            return np.unique(number.numbers({of: of.codes for of in number.tables}))
        low, high = number.range
        return np.arange(low, high + 1)


@dataclass
class DesignCodes(CodeArithmetic):
    """Codes whose variables are inputs and signals of a design.

    Raises
    ------
    Undecided : an input has more codes than can be listed.
    """

    design: Design

    def input(self, port: Port) -> Code:
        if port.high - port.low >= MAX_VALUES:
            raise Undecided(f"{port.name} has more than {MAX_VALUES.bit_length() - 1} bits")
        of = self.design.input(port.name, 0, port.low, port.high)
        return self.listed(of, of.codes)

    def variable(self, name: str, low: int, high: int) -> Variable:
        return self.design.variable(f"{name}@node", storage_for(low, high)[0], low, high)
