"""Networks as sums of tables over shared inputs: what properties speak of.

A variable is an input or the sum of a node. Rounding and saturation are in the tables that read a
sum. Several networks may read the same inputs, each through codes of its own. Sums that are the
same but for a constant are one variable, so what two networks share cancels out of a difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from kan_dialect.errors import KanError
from kan_dialect.flows.prove.cycles.terms import Pool
from kan_dialect.flows.prove.plans import MAX_POINTS
from kan_dialect.flows.prove.reference import Reference
from kan_dialect.flows.prove.second_opinion.codes import Code, CodeArithmetic
from kan_dialect.flows.prove.second_opinion.design import Undecided, Variable
from kan_dialect.ir.exact_arithmetic import Ends, Listed
from kan_dialect.ir.quant import storage_for
from kan_dialect.ir.types import IntType
from kan_dialect.model.interface import Port
from kan_dialect.model.model import Model

Scores = tuple[tuple[Code, int], ...]
"""Candidates of an argmax: score and index."""

_Entries = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True)
class Decision(Code):
    """A part of an argmax: its largest score, the index of it, or a comparison of two sides."""

    role: Literal["value", "index", "comparison"] = "index"
    left: Scores = ()
    right: Scores = ()
    """Of a comparison."""


@dataclass
class Networks(CodeArithmetic):
    """Codes of networks over shared inputs. A sum that tables read is a variable of its own.

    Raises
    ------
    Undecided : a network has a table of several variables, a wide sum, or a head of top-k.
    """

    pool: Pool = field(default_factory=Pool)
    inputs: list[Variable] = field(default_factory=list[Variable])
    nodes: dict[Variable, Code] = field(default_factory=dict[Variable, Code])
    """The sums that variables stand for, in the order in which they depend on each other."""
    _known: dict[_Entries, Variable] = field(default_factory=dict[_Entries, Variable])

    def run(self, model: Model, codes: Sequence[Code]) -> Reference[Code]:
        """A model's nodes and outputs on codes of its inputs.

        Raises
        ------
        KanError : the model has a part that properties cannot be proven of.
        """
        reference = Reference(self, lambda _, code: code)
        try:
            reference.run(model, codes)
        except Undecided as reason:
            raise KanError(
                f"properties of {model.name} cannot be proven: {reason}",
                remedy="build it without --head top-k, in fewer bits",
            ) from None
        return reference

    def input(self, port: Port) -> Code:
        of = self.indexed(port.name, port.high - port.low + 1)
        return self.listed(of, np.arange(port.low, port.high + 1))

    def indexed(self, name: str, count: int) -> Variable:
        """A new input of values 0 .. count - 1."""
        of = self.variable(name, 0, count - 1)
        self.inputs.append(of)
        return of

    def variable(self, name: str, low: int, high: int) -> Variable:
        if high - low >= MAX_POINTS:
            raise Undecided(f"{name} can have {high - low + 1} values")
        return Variable(name, low, high, self.pool.variable(name, storage_for(low, high)[0]))

    def held(self, code: Code) -> Code:
        """A code as a function of at most one variable: its sum is a variable of its own."""
        if len(code.tables) <= 1 and not code.steps:
            return code
        entries = tuple(sorted((of.name, table.tobytes()) for of, table in code.tables.items()))
        if entries not in self._known:
            total = Code(code.tables)
            self._known[entries] = self.variable(f"sum{len(self.nodes)}", *total.sum_range)
            self.nodes[self._known[entries]] = total
        of = self._known[entries]
        return self.listed(of, code.after(of.codes + code.constant))

    def total(self, terms: Sequence[Code]) -> Code:
        varying = [term for term in terms if term.tables or isinstance(term, Decision)]
        if len(varying) > 1:
            return super().total([self.held(term) if term.steps else term for term in terms])
        if varying and sum(term.constant for term in terms) == varying[0].constant:
            return varying[0]
        return super().total(terms)

    def function(self, listed: Listed, operands: Sequence[Code], kinds: Sequence[IntType]) -> Code:
        return super().function(listed, [self.held(code) for code in operands], kinds)

    def precedes(self, candidates: Sequence[Code]) -> Code:
        value, index, other, other_index = candidates
        left, right = self._scores(value, index), self._scores(other, other_index)
        return Decision(role="comparison", left=left, right=right)

    def _scores(self, value: Code, index: Code) -> Scores:
        if isinstance(value, Decision) and _is_part(index, value.left, "index"):
            return value.left
        if index.tables or isinstance(value, Decision):
            raise Undecided("a comparison that is not of an argmax of outputs")
        return ((value, index.constant),)

    def chosen(self, operands: Sequence[Code], ends: Ends) -> Code:
        condition, *sides = operands
        if isinstance(condition, Decision) and condition.role == "comparison":
            expected = [condition.left, condition.right]
            for role in ("value", "index"):
                if all(map(_is_part, sides, expected, [role, role])):
                    return Decision(role=role, left=condition.left + condition.right)
        raise Undecided("a choice that is not the argmax of outputs")

    def combined(self, weights: Sequence[tuple[int, Code]], constant: int = 0) -> Code:
        """A sum of integer multiples, as a sum of tables."""
        scaled: list[Code] = [Code(constant=constant)]
        for weight, code in weights:
            plain = self.held(code) if code.steps else code
            tables = {of: table * weight for of, table in plain.tables.items()}
            scaled.append(Code(tables, plain.constant * weight))
        return super().total(scaled)

    def directions(self, code: Code, feature: Variable) -> set[int]:
        """Whether a sum of tables may rise (1) or fall (-1) as an input does.

        By monotonic tables on all ways from the input; both where one is not monotonic.
        """
        known: dict[Variable, set[int]] = {of: set[int]() for of in self.inputs} | {feature: {1}}
        for of, total in self.nodes.items():
            known[of] = _directions(total, known)
        return _directions(code, known)


def _directions(code: Code, known: Mapping[Variable, set[int]]) -> set[int]:
    return {
        way * sign
        for of, table in code.tables.items()
        for way in known[of]
        for sign in np.unique(np.sign(np.diff(table))).tolist()
        if sign
    }


def _is_part(code: Code, scores: Scores, role: str) -> bool:
    """Whether a code is the largest of scores, or its index."""
    if isinstance(code, Decision):
        same = [id(score) for score, _ in code.left] == [id(score) for score, _ in scores]
        return same and code.role == role
    ((score, index),) = scores[:1]
    alone = len(scores) == 1
    return alone and (code is score if role == "value" else code == Code(constant=index))
