"""Expressions of the subset: one method for each production of the grammar."""

from __future__ import annotations

from kan_dialect.flows.prove.text.cursor import PLAIN, Cursor
from kan_dialect.flows.prove.text.syntax import (
    Binary,
    Call,
    Cast,
    Choice,
    Concatenation,
    Element,
    Expression,
    Literal,
    Name,
    Part,
    Replication,
    Unary,
)
from kan_dialect.flows.prove.text.tokens import KEYWORDS, Tokens

DEEPEST = 60
"""Most brackets within brackets."""

PRIMARY, UNARY, PRODUCT, SUM, OTHER = range(5)
"""Binding strength of an expression's outermost operator, strongest first."""

PRODUCTS = frozenset({"*", "/", "%"})
SUMS = frozenset({"+", "-"})
SHIFTS = frozenset({"<<", ">>", ">>>"})
COMPARISONS = frozenset({"<", "<=", ">", ">=", "==", "!="})
BITWISE = frozenset({"&", "^", "|"})


class ExpressionParser(Cursor):
    """Parses expressions; methods are productions of the grammar."""

    def __init__(self, tokens: Tokens) -> None:
        super().__init__(tokens)
        self.level = PRIMARY
        """Binding strength of the expression read last."""
        self.depth = 0

    def expression(self) -> Expression:
        """A choice, or an expression whose choices stand in brackets."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.refuse(f"brackets nested deeper than {DEEPEST}")
        choices: list[tuple[int, Expression, Expression]] = []
        while True:
            at = self.place
            value = self.simple()
            if self.texts[self.place] != "?":
                break
            if self.level != PRIMARY:
                raise self.refuse("a condition of a choice that is not in brackets", at)
            self.place += 1
            if_true = self.simple()
            if self.texts[self.place] == "?":
                raise self.refuse("a choice in a choice that is not in brackets")
            self.expect(":")
            choices.append((at, value, if_true))
        if choices:
            self.level = OTHER
            for at, condition, if_true in reversed(choices):
                value = Choice(at, condition, if_true, value)
        self.depth -= 1
        return value

    def simple(self) -> Expression:
        """A sum, one comparison, one shift, or a chain of one bitwise operator."""
        texts = self.texts
        if texts[self.place] == "^":
            at = self.place
            self.place += 1
            value = Unary(at, "^", self.primary())
            self.level = OTHER
            return value
        left = self.sum()
        place = self.place
        operator = texts[place]
        if operator in BITWISE:
            self.require_unary(operator)
            while texts[self.place] == operator:
                at = self.place
                self.place += 1
                left = Binary(at, operator, left, self.unary())
            self.level = OTHER
        elif operator in COMPARISONS:
            self.place += 1
            left = Binary(place, operator, left, self.sum())
            self.level = OTHER
        elif operator in SHIFTS:
            self.require_unary(operator)
            self.place += 1
            left = Binary(place, operator, left, self.unary())
            self.level = OTHER
        return left

    def require_unary(self, operator: str) -> None:
        if self.level > UNARY:
            raise self.refuse(f"an operand of {operator} that is not in brackets")

    def sum(self) -> Expression:
        left = self.product()
        while (operator := self.texts[self.place]) in SUMS:
            at = self.place
            self.place += 1
            left = Binary(at, operator, left, self.product())
            self.level = SUM
        return left

    def product(self) -> Expression:
        left = self.unary()
        while (operator := self.texts[self.place]) in PRODUCTS:
            at = self.place
            self.place += 1
            left = Binary(at, operator, left, self.unary())
            self.level = PRODUCT
        return left

    def unary(self) -> Expression:
        operator = self.texts[self.place]
        if operator == "-" or operator == "~":
            at = self.place
            self.place += 1
            operand = self.primary()
            self.level = UNARY
            if operator == "-" and isinstance(operand, Literal):
                negated = -operand.pattern % (1 << operand.width)
                return Literal(at, operand.width, negated, operand.signed)
            return Unary(at, operator, operand)
        return self.primary()

    def primary(self) -> Expression:
        texts, at = self.texts, self.place
        text = texts[at]
        self.level = PRIMARY
        if text.isidentifier():
            following = texts[at + 1]
            if following == "[":
                return self.selection()
            if following == "(":
                return self.call()
            if text in KEYWORDS:
                raise self.unexpected("an expression")
            self.place += 1
            return Name(at, text)
        if text == "{":
            return self.braces()
        if text == "(":
            self.place += 1
            value = self.expression()
            self.expect(")")
            self.level = PRIMARY
            return value
        if text == "$signed" or text == "$unsigned":
            self.place += 1
            self.expect("(")
            value = self.expression()
            self.expect(")")
            self.level = PRIMARY
            return Cast(at, text == "$signed", value)
        if not text[:1].isdigit():
            raise self.unexpected("an expression")
        return self.literal()

    def selection(self) -> Element | Part:
        at, name = self.place, self.name()
        self.expect("[")
        index = self.index()
        if isinstance(index, int) and self.accept(":"):
            low = self.number()
            self.expect("]")
            return Part(at, name, index, low)
        self.expect("]")
        self.level = PRIMARY
        return Element(at, name, index)

    def index(self) -> Expression | int:
        """A plain number, or an expression."""
        is_plain = PLAIN.fullmatch(self.texts[self.place]) is not None
        return self.number() if is_plain else self.expression()

    def call(self) -> Call:
        at, name = self.place, self.name()
        self.expect("(")
        arguments = [self.expression()]
        while self.accept(","):
            arguments.append(self.expression())
        self.expect(")")
        self.level = PRIMARY
        return Call(at, name, arguments)

    def braces(self) -> Concatenation | Replication:
        """A concatenation, or copies."""
        at = self.place
        self.expect("{")
        if PLAIN.fullmatch(self.texts[self.place]):
            count = self.number()
            self.expect("{")
            part = self.expression()
            self.sequence("}", "}")
            self.level = PRIMARY
            return Replication(at, count, part)
        parts = [self.expression()]
        while self.accept(","):
            parts.append(self.expression())
        self.expect("}")
        self.level = PRIMARY
        return Concatenation(at, parts)
