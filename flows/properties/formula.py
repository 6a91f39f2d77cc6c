"""Formulas of properties: comparisons of codes, units and classes, joined by and, or and not.

A name of a port, `x0` or `y0`, or of a node is its code, an integer. The name of a feature, target
or class in the data, quoted where it is more than a word, is a value in its unit: it is compared
with a number. `class` is the decision. `x0 in 3..9` is short for `3 <= x0 <= 9`. The rest is
Python's syntax of expressions.

A comparison in a feature's unit holds for the codes that some such value has.
"""

from __future__ import annotations

import ast
import bisect
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from kan_dialect.errors import KanError
from kan_dialect.flows.properties.network import Decision, Networks
from kan_dialect.flows.prove.second_opinion.codes import Code
from kan_dialect.model.interface import Port
from kan_dialect.model.model import Model
from kan_dialect.model.port_codes import decode, encode
from kan_dialect.quoting import quoted

Cases: TypeAlias = list[list[Code]]
"""Cases of objectives: all objectives of one case or another are at least 1."""

Weights: TypeAlias = list[tuple[int, Code]]
"""Multiples of codes that are added up."""

_IN = re.compile(r"('[^']*'|\"[^\"]*\"|\w+)\s+in\s+(-?[\d.]*?\d)\s*\.\.\s*(-?[\d.eE+-]+)")
_SIGNS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}
_NEGATED = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
_SWAPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_LARGEST = 1 << 31
"""Largest number in a formula."""


def both(one: Cases, other: Cases) -> Cases:
    """Cases in which both hold."""
    return [[*a, *b] for a in one for b in other]


@dataclass(frozen=True, eq=False)
class Unit:
    """A port, read in its unit."""

    port: Port
    code: Code
    is_input: bool


@dataclass(frozen=True, eq=False)
class View:
    """One network of several: what names in a formula stand for."""

    networks: Networks
    model: Model
    codes: dict[str, Code]
    units: dict[str, Unit]
    scores: list[Code]
    """One for each class, on one scale: the class is the first of the greatest. Else empty."""

    @staticmethod
    def of(networks: Networks, model: Model, inputs: Sequence[Code]) -> View:
        """A model on codes of its inputs.

        Raises
        ------
        KanError : properties of it cannot be proven.
        """
        reference = networks.run(model, inputs)
        sources, results = model.ports()
        codes = {port.name: code for port, code in zip(sources, inputs, strict=True)}
        codes |= reference.nodes
        codes |= {port.name: code for port, code in zip(results, reference.outputs, strict=True)}
        units: dict[str, Unit] = {}
        for ports, is_input in ((sources, True), (results, False)):
            for port in ports:
                if port.data_name:
                    units[port.data_name] = Unit(port, codes[port.name], is_input)
        scores = _scores(networks, results, reference.outputs)
        codes = {name: code for name, code in codes.items() if not isinstance(code, Decision)}
        codes |= {f"score{index}": code for index, code in enumerate(scores)}
        return View(networks, model, codes, units, scores)

    def decides(self, index: int) -> Cases:
        """That the class is a given one."""
        own = self.scores[index]
        above = [
            self.networks.combined([(1, own), (-1, other)], int(index < place))
            for place, other in enumerate(self.scores)
            if place != index
        ]
        return [above]

    def decides_otherwise(self, index: int) -> Cases:
        """That the class is another than a given one."""
        own = self.scores[index]
        return [
            [self.networks.combined([(1, other), (-1, own)], int(place < index))]
            for place, other in enumerate(self.scores)
            if place != index
        ]

    def require_classes(self) -> None:
        """Refuse a network whose outputs are not classes."""
        if not self.scores:
            raise KanError(
                f"the outputs of {self.model.name} are no scores of classes on one scale",
                remedy="ask for range, monotone or never",
            )

    def cases(self, text: str) -> Cases:
        """The cases of a formula.

        Raises
        ------
        KanError : the text is no formula, or names something unknown.
        """
        return _Reader(self, text).formula(_parsed(text), True)

    def objective(self, text: str) -> Code:
        """A sum of integer multiples of codes, as text."""
        weights, constant = _Reader(self, text).linear(_parsed(text))
        return self.networks.combined(weights, constant)


def _scores(networks: Networks, ports: Sequence[Port], outputs: Sequence[Code]) -> list[Code]:
    head = outputs[0]
    if isinstance(head, Decision):
        return [networks.combined([(1, score)]) for score, _ in head.left]
    centred = [
        networks.combined([(1, c)], -p.zero_point) for c, p in zip(outputs, ports, strict=True)
    ]
    if len(centred) == 1:
        return [Code(), *centred]
    finest = min(port.scale for port in ports)
    exponents = [round(math.log2(port.scale / finest)) for port in ports]
    if any(port.scale != finest * 2.0**e for port, e in zip(ports, exponents, strict=True)):
        return []
    return [networks.combined([(1 << e, c)]) for c, e in zip(centred, exponents, strict=True)]


def _comparison(interval: re.Match[str]) -> str:
    """`x0 in 3..9` as a comparison.

    Raises
    ------
    KanError : nothing lies in the interval, so a claim for it would say nothing.
    ValueError : an end is no number.
    """
    value, low, high = interval.groups()
    if float(low) > float(high):
        raise KanError(f"{low}..{high} is empty", remedy=f"write it as {high}..{low}")
    return f"({low} <= {value} <= {high})"


def _parsed(text: str) -> ast.expr:
    try:
        python = _IN.sub(_comparison, re.sub(r"\bclass\b", "_class", text))
        return ast.parse(python.strip(), mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise KanError(
            f"{quoted(text)} is no formula: {error.args[0]}",
            remedy="write it as in 'y0 > 40 and x3 in 3..9'",
        ) from None


@dataclass(frozen=True)
class _Reader:
    view: View
    text: str

    def refused(self, why: str) -> KanError:
        return KanError(
            f"{quoted(self.text)}: {why}",
            remedy="compare codes of ports (x0, y0), values in units (names of the data) or class",
        )

    def formula(self, node: ast.expr, holds: bool) -> Cases:
        match node:
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return self.formula(operand, not holds)
            case ast.BoolOp(op=op, values=values):
                parts = [self.formula(value, holds) for value in values]
                if isinstance(op, ast.And) == holds:
                    whole = parts[0]
                    for part in parts[1:]:
                        whole = both(whole, part)
                    return whole
                return [case for part in parts for case in part]
            case ast.Compare(left=left, ops=ops, comparators=rights):
                lefts = [left, *rights[:-1]]
                links = [
                    self.comparison(a, op, b, holds)
                    for a, op, b in zip(lefts, ops, rights, strict=True)
                ]
                if not holds:
                    return [case for link in links for case in link]
                whole = links[0]
                for link in links[1:]:
                    whole = both(whole, link)
                return whole
            case _:
                raise self.refused(f"{ast.unparse(node)} is no comparison")

    def comparison(self, left: ast.expr, op: ast.cmpop, right: ast.expr, holds: bool) -> Cases:
        if type(op) not in _SIGNS:
            raise self.refused("a comparison is one of < <= > >= == !=")
        sign = _SIGNS[type(op)]
        sign = sign if holds else _NEGATED[sign]
        for one, other, way in ((left, right, sign), (right, left, _SWAPPED[sign])):
            name = _name(one)
            if name == "_class":
                return self.class_compared(way, other)
            if name in self.view.units and name not in self.view.codes:
                return self.unit_compared(self.view.units[name], way, other)
        (weights, constant), (others, offset) = self.linear(left), self.linear(right)
        weights = [*weights, *((-weight, code) for weight, code in others)]
        return self.positive(weights, constant - offset, sign)

    def positive(self, weights: Weights, constant: int, sign: str) -> Cases:
        """That a sum compares so with 0."""

        def above(by: int, more: int) -> Code:
            scaled = [(by * weight, code) for weight, code in weights]
            return self.view.networks.combined(scaled, by * constant + more)

        match sign:
            case ">" | ">=":
                return [[above(1, len(sign) - 1)]]
            case "<" | "<=":
                return [[above(-1, len(sign) - 1)]]
            case "==":
                return [[above(1, 1), above(-1, 1)]]
            case _:
                return [[above(1, 0)], [above(-1, 0)]]

    def class_compared(self, sign: str, other: ast.expr) -> Cases:
        self.view.require_classes()
        names = self.view.model.schema.classes
        given = _name(other)
        index = names.index(given) if given in names else self.number(other)
        if sign not in ("==", "!=") or index not in range(len(self.view.scores)):
            raise self.refused(f"class is == or != one of 0 to {len(self.view.scores) - 1}")
        decides = self.view.decides if sign == "==" else self.view.decides_otherwise
        return decides(int(index))

    def unit_compared(self, unit: Unit, sign: str, other: ast.expr) -> Cases:
        value, port, weights = self.number(other), unit.port, [(1, unit.code)]
        if sign == "!=" or port.wraps:
            raise self.refused(f"{port.data_name} is compared in codes only: {port.name}")
        if unit.is_input:
            if sign in ("<", ">"):
                value = math.nextafter(value, -math.inf if sign == "<" else math.inf)
            code = int(encode([port], np.array([[value]], dtype=np.float64))[0, 0])
            way = {"<": "<=", ">": ">="}.get(sign, sign)
            return self.positive(weights, -code, _SWAPPED[way] if port.gain < 0 else way)

        def real(code: int) -> float:
            return float(decode([port], np.array([[code]]))[0, 0])

        codes = range(port.low, port.high + 1)
        first = port.low + bisect.bisect_left(codes, value, key=real)
        behind = port.low + bisect.bisect_right(codes, value, key=real)
        match sign:
            case "<":
                return self.positive(weights, -first, "<")
            case "<=":
                return self.positive(weights, -behind, "<")
            case ">":
                return self.positive(weights, -behind, ">=")
            case ">=":
                return self.positive(weights, -first, ">=")
            case _:
                equal = self.positive(weights, -first, ">=")
                return both(equal, self.positive(weights, -behind, "<"))

    def number(self, node: ast.expr) -> float:
        try:
            value = ast.literal_eval(node)
        except ValueError:
            value = None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.refused(f"{ast.unparse(node)} is no number")
        return value

    def linear(self, node: ast.expr) -> tuple[Weights, int]:
        """Integer multiples of codes, and a constant."""
        match node:
            case ast.Constant(value=int(value)) if not isinstance(value, bool):
                if value > _LARGEST:
                    raise self.refused(f"{value} is larger than {_LARGEST}")
                return [], value
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self.scaled(operand, -1)
            case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as op, right=right):
                weights, constant = self.linear(left)
                others, offset = self.scaled(right, 1 if isinstance(op, ast.Add) else -1)
                return [*weights, *others], constant + offset
            case ast.BinOp(left=ast.Constant(value=int(factor)), op=ast.Mult(), right=right):
                return self.scaled(right, factor)
            case _:
                name = _name(node)
                if name not in self.view.codes:
                    raise self.refused(
                        f"{ast.unparse(node)} is no integer, and no name of a port or a node"
                    )
                return [(1, self.view.codes[name])], 0

    def scaled(self, node: ast.expr, by: int) -> tuple[Weights, int]:
        weights, constant = self.linear(node)
        if any(abs(weight * by) > _LARGEST for weight, _ in [*weights, (constant, None)]):
            raise self.refused(f"a factor is larger than {_LARGEST}")
        return [(weight * by, code) for weight, code in weights], constant * by


def _name(node: ast.expr) -> str:
    """A name, quoted or not; empty for anything else."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Constant(value=str(name)):
            return name
        case _:
            return ""
