"""The base class of wire-level ops, which are verified after every pass, by the ten thousand."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from xdsl.ir import Operation

from kan_dialect.ir.operation import KanOperation


class Sequential(ABC):
    """Interface of an op whose results come clock cycles after its operands."""

    @property
    @abstractmethod
    def latency(self) -> int:
        """Clock cycles from the operands to the results."""


def cycles_through(op: Operation) -> int:
    """Clock cycles from an op's operands to its results."""
    return op.latency if isinstance(op, Sequential) else 0


class WireOp(KanOperation, ABC):
    """An op on `!kan.int` values whose declaration asks for kinds of types and attributes only.

    Ops of one class, with as many operands and results and the same kinds of properties, fit their
    declaration alike, so `verify_module` compares one of them with it. What is left, `check`, looks
    at the op itself.
    """

    KIND: ClassVar[str] = "other"
    """What pictures and reports count the op as."""

    NAMES_NODE: ClassVar[bool] = False
    """Whether the op's property `node` is a node of the model, which only one op may name."""

    def __post_init__(self) -> None:
        """Leave out xDSL's search for default properties: a wire-level op has none."""

    def check(self) -> None:
        """Raise `VerifyException` unless values and properties of the op go together."""

    def verify_(self) -> None:
        self.check()
