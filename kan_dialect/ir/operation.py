"""The base class of the dialect's ops, and how passes look at ops."""

from __future__ import annotations

from abc import ABC
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from xdsl.dialects.builtin import I64, IntegerAttr, StringAttr, UnitAttr, i64
from xdsl.ir import Attribute, Block, Operation, OpResult, SSAValue
from xdsl.irdl import IRDLOperation, opt_prop_def
from xdsl.utils.exceptions import VerifyException

from kan_dialect.ir.constants import Array, Constant, dense

MAX_NAME = 200

PropertyValue: TypeAlias = Attribute | Array | str | int | None
"""A property of an op as its constructor takes it: see `KanOperation.set_up`."""


class Named:
    """Mixin of an op whose value may carry a name to the RTL; IR calls it `name`."""

    value_name = opt_prop_def(StringAttr, prop_name="name")


class KanOperation(IRDLOperation, ABC):
    """An op whose verification errors name it, as MLIR's do; it may name a wire in the RTL."""

    custom_directives = (Constant,)

    __hash__ = object.__hash__  # by identity, as xDSL's, which is a function in Python

    @property
    def given_name(self) -> str | None:
        """The name that the op's value carries to the RTL; IR calls it `name`."""
        name = self.properties.get("name")
        return name.data if isinstance(name, StringAttr) else None

    def set_up(
        self,
        operands: Sequence[SSAValue | Operation | None],
        result_types: Sequence[Attribute],
        **properties: PropertyValue,
    ) -> None:
        """Build an op without checks: passes create many ops.

        `IRDLOperation` compares operands and properties with the op's declaration first, which
        takes several times as long; the verifier does so again.

        Parameters
        ----------
        operands : an optional operand that is missing is None.
        properties : attributes; or arrays, text, 64-bit integers, and flags. None and False are
            left out.
        """
        Operation.__init__(
            self,
            operands=[
                each if type(each) is OpResult else SSAValue.get(each)
                for each in operands
                if each is not None
            ],
            result_types=result_types,
            properties={
                name: value if isinstance(value, Attribute) else _property(value)
                for name, value in properties.items()
                if value is not None and value is not False
            },
        )

    def verify(self, verify_nested_ops: bool = True) -> None:
        try:
            super().verify(verify_nested_ops)
            self.verify_name()
        except VerifyException as error:
            error.args = (f"{op_text(self)}: {error}",)
            raise

    def verify_name(self) -> None:
        """Require the op's name, if it has one, to be an identifier that RTL may have."""
        if (name := self.given_name) is not None:
            require_identifier(name)


def _property(value: Array | str | int) -> Attribute:
    if isinstance(value, str):
        return StringAttr(value)
    if isinstance(value, np.ndarray):
        return dense(value)
    return UnitAttr() if value is True else _number(value)


@lru_cache(1 << 12)
def _number(value: int) -> IntegerAttr[I64]:
    return IntegerAttr(value, i64)


def require_identifier(name: str) -> None:
    """Require a name to be an identifier that RTL may have."""
    if not (0 < len(name) <= MAX_NAME and name.isascii() and name.isidentifier()):
        raise VerifyException(
            f"name {name!r} is not an identifier of at most {MAX_NAME} ASCII letters, digits and "
            f"underscores"
        )


def operands_of(op: Operation) -> tuple[SSAValue, ...]:
    """The operands of an op; `Operation.operands` is a view of them."""
    return tuple(iter(op.operands))  # A tuple of the view itself would count its operands first.


def ops_of(block: Block) -> list[Operation]:
    """The ops of a block, which a pass may change while it walks over them."""
    return list(iter(block.ops))  # A list of the view itself would count its ops first.


def result_of(op: Operation) -> OpResult:
    """The result of an op that has one."""
    (result,) = op.results
    return result


def drop_ops(ops: Iterable[Operation]) -> None:
    """Take ops of no block, which are not needed, out of the uses of their operands."""
    for op in ops:
        op.drop_all_references()


def op_text(op: Operation) -> str:
    """An op as messages name it: `'kan.table' op "layer0_edge0_0"`."""
    name = op.properties.get("name")
    return f"'{op.name}' op" + (f' "{name.data}"' if isinstance(name, StringAttr) else "")
