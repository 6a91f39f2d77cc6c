"""Result ranges of wire-level ops, and the refusal of ops that do not say theirs.

`ir/wire_interface.py` has the interface of all that such an op says of itself.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import cast

from xdsl.ir import Operation

from kan_dialect.errors import KanError
from kan_dialect.ir.types import IntType
from kan_dialect.other_packages import naming
from kan_dialect.quantity import quantity


class Ranged(ABC):
    """Interface of a wire-level op that says the exact ranges of its results."""

    @abstractmethod
    def result_ranges(self, operands: Sequence[IntType]) -> Sequence[IntType]:
        """The exact range of each result.

        Parameters
        ----------
        operands : the ranges of the operands. `kan-narrow` asks for narrower ones than the types of
            the operands, and gives the operands these types. So results depend on the op's
            properties and on the values of its operands, but not on the types of its operands.

        Returns
        -------
        One range for each result: `int_type(low, high)`.
        """


def exact_ranges(op: Operation, operands: Sequence[IntType]) -> list[IntType]:
    """The ranges that an op says for its results.

    Raises
    ------
    KanError : the op says none, fails, or returns something else than a range for each result.
    """
    if not isinstance(op, Ranged):
        raise missing_interface(op, "the ranges of its results")
    with naming(f"'{op.name}'", type(op)):
        found = op.result_ranges(operands)
    if not _are_ranges(found, len(op.results)):
        raise KanError(
            f"'{op.name}': result_ranges returned {found}",
            remedy=f"return a sequence of {quantity(len(op.results), 'range')}: "
            "int_type(low, high) for each result",
        )
    return list(found)


def _are_ranges(value: object, count: int) -> bool:
    if not isinstance(value, Sequence):
        return False
    ranges = cast("Sequence[object]", value)
    return len(ranges) == count and all(isinstance(each, IntType) for each in ranges)


def missing_interface(op: Operation, what: str) -> KanError:
    """The refusal of an op that does not say `what` a pass needs to know of it."""
    return KanError(
        f"'{op.name}' at wire level does not say {what}",
        remedy="implement WireInterface of kan_dialect.lowering.wire_interface, or run the pass "
        "that replaces the op first",
    )
