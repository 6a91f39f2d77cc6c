"""What a wire-level op means for a proof, as functions of exact integers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Generic, TypeAlias, TypeVar

from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.types import IntType

NumberT = TypeVar("NumberT")
"""A proof's representation of an integer that depends on inputs of the network."""

Listed: TypeAlias = Callable[[Sequence[IntArray]], IntArray]
"""Results of a function, int64: (samples), for an array of each operand: (samples)."""

Ends: TypeAlias = tuple[Callable[[int, int], int], Callable[[int, int], int]]
"""`min` or `max`, each: how the ends of a range follow from those of two others."""


class ExactArithmetic(ABC, Generic[NumberT]):
    """Operations on integers that depend on inputs of a network."""

    @abstractmethod
    def constant(self, value: int) -> NumberT: ...

    @abstractmethod
    def total(self, terms: Sequence[NumberT]) -> NumberT: ...

    @abstractmethod
    def function(
        self, listed: Listed, operands: Sequence[NumberT], kinds: Sequence[IntType]
    ) -> NumberT:
        """A function of operands, each in a range; numbers outside do not occur."""

    @abstractmethod
    def divided(self, number: NumberT, exponent: int) -> NumberT:
        """The number / 2^exponent, rounded half to even."""

    @abstractmethod
    def clamped(self, number: NumberT, low: int, high: int) -> NumberT: ...

    @abstractmethod
    def precedes(self, candidates: Sequence[NumberT]) -> NumberT:
        """Whether the left candidate comes first: value and index of both, as `kan.precedes`."""

    @abstractmethod
    def chosen(self, operands: Sequence[NumberT], ends: Ends) -> NumberT:
        """The second operand where the first is 1, else the third.

        Parameters
        ----------
        ends : of the result, by those of both values.
        """


class ExactMeaning(ABC):
    """Interface of an op whose meaning is more than a list of its values."""

    @abstractmethod
    def meaning(
        self, math: ExactArithmetic[NumberT], operands: Sequence[NumberT]
    ) -> Sequence[NumberT]:
        """The results for a proof, in order. Of other ops they are `evaluate`, value by value."""
