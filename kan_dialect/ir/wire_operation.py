"""The base class of wire-level ops, which are verified after every pass, by the ten thousand."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import chain
from operator import attrgetter
from typing import ClassVar, TypeAlias, cast

from xdsl.dialects.builtin import IntegerAttr, IntegerType, i64
from xdsl.ir import Attribute, ErasedSSAValue
from xdsl.utils.exceptions import VerifyException

from kan_dialect.ir.operation import KanOperation, operands_of
from kan_dialect.ir.types import IntType

_Signature: TypeAlias = tuple[type[KanOperation], int, int, tuple[object, ...]]

_FITTING: set[_Signature] = set()
"""What has been compared with declarations, and fits."""

# Fields that are read by code in C: xDSL's properties are functions in Python.
_type_of = attrgetter("_type")
_results_of = attrgetter("results")


class WireOp(KanOperation, ABC):
    """An op on `!kan.int` values whose declaration asks for kinds of types and attributes only.

    So ops of one kind, with as many operands and results and the same kinds of properties, fit
    their declaration alike: xDSL's comparison with it, most of the time of verification, is made
    once for all of them. What is left, `check`, looks at the op itself.
    """

    NAMES_NODE: ClassVar[bool] = False
    """Whether the op's property `node` is a node of the model, which only one op may name."""

    @abstractmethod
    def check(self) -> None:
        """Raise `VerifyException` unless values and properties of the op go together."""

    @classmethod
    def check_together(cls, ops: Sequence[WireOp]) -> None:
        """Do what `check` does for ops, all of this class. An override may look at many at once."""
        for op in ops:
            op.check()

    @classmethod
    def verify_together(cls, ops: Sequence[WireOp]) -> None:
        """Verify ops, all of this class, of a block without regions and successors.

        None of them is the last op of the block, and no operand is erased.

        Raises
        ------
        VerifyException : an op is invalid. The message may not show the op; `verify` does.
        """
        values = chain(
            chain.from_iterable(map(operands_of, ops)), chain.from_iterable(map(_results_of, ops))
        )
        if {*map(type, map(_type_of, values))} <= {IntType}:
            fitting: list[WireOp] = []
            for op in ops:
                if op._signature_of_integers() in _FITTING:
                    fitting.append(op)
                else:
                    op.verify()
            cls.check_together(fitting)
        else:
            for op in ops:
                op.verify()

    def verify_(self) -> None:
        self.check()

    def verify(self, verify_nested_ops: bool = True) -> None:
        signature = self._signature()
        if signature in _FITTING:
            try:
                self.check()
            except VerifyException:
                pass  # It is verified again, for a message that shows the op.
            else:
                return
        super().verify(verify_nested_ops)
        if signature is not None:
            _FITTING.add(signature)

    def _signature(self) -> _Signature | None:
        """What decides whether the op fits its declaration; None where it is not that simple."""
        if self.next_op is None or self.regions or self.successors:
            return None  # The last op of a block has to be a terminator.
        for value in operands_of(self):
            if type(value.type) is not IntType or type(value) is ErasedSSAValue:
                return None
        for value in self.results:
            if type(value.type) is not IntType:
                return None
        return self._signature_of_integers()

    def _signature_of_integers(self) -> _Signature:
        """`_signature` where operands and results are known to be of `IntType`."""
        properties = self.properties
        kinds = (*properties, *map(_kind, properties.values()))
        return type(self), len(operands_of(self)), len(self.results), kinds


def _kind(attribute: Attribute) -> object:
    """The attribute's class; of a number its type as well."""
    if type(attribute) is IntegerAttr:
        number_type = cast("IntegerAttr[IntegerType]", attribute).type
        return IntegerAttr if number_type is i64 else number_type
    return type(attribute)
