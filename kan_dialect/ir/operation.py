"""The base class of the dialect's ops, and how passes look at ops."""

from __future__ import annotations

from abc import ABC
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from xdsl.dialects.builtin import StringAttr
from xdsl.ir import Attribute, Block, Operation, OpResult, SSAValue, SSAValues
from xdsl.irdl import IRDLOperation, VarOperandDef
from xdsl.utils.exceptions import VerifyException


class KanOperation(IRDLOperation, ABC):
    """An op whose verification errors name it, as MLIR's do; it may name a wire in the RTL."""

    __hash__ = object.__hash__  # by identity, as xDSL's, which is a function in Python

    @property
    def given_name(self) -> str | None:
        """The name that the op's value carries to the RTL; IR calls it `name`."""
        name = self.properties.get("name")
        return name.data if isinstance(name, StringAttr) else None

    def set_up(
        self,
        operands: Sequence[SSAValue | Operation],
        result_types: Sequence[Attribute],
        properties: Mapping[str, Attribute | None],
    ) -> None:
        """Fast constructor for ops that passes create in bulk.

        `IRDLOperation` compares operands and properties with the op's declaration first, which
        takes several times as long; the verifier does so again.
        """
        Operation.__init__(
            self,
            operands=[each if type(each) is OpResult else SSAValue.get(each) for each in operands],
            result_types=result_types,
            properties={name: value for name, value in properties.items() if value is not None},
        )

    def verify(self, verify_nested_ops: bool = True) -> None:
        try:
            super().verify(verify_nested_ops)
        except VerifyException as error:
            error.args = (f"{op_text(self)}: {error}",)
            raise


def operands_of(op: Operation) -> tuple[SSAValue, ...]:
    """The operands of an op; `Operation.operands` is a view of them."""
    return tuple(op.operands)


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


def optional_name(name: str | None) -> StringAttr | None:
    """The `name` property, where there is one."""
    return None if name is None else StringAttr(name)


_Op = TypeVar("_Op", bound=KanOperation)


def direct_access(kind: type[_Op]) -> type[_Op]:
    """Read operands and results of a class of ops by their place, for passes on many ops.

    xDSL's accessors look up the op's declaration each time, which takes several times as long.
    """
    definition = kind.get_irdl_definition()
    if len(definition.results) == 1:
        setattr(kind, definition.results[0][0], property(result_of))
    for place, (name, declared) in enumerate(definition.operands):
        if isinstance(declared, VarOperandDef):
            setattr(kind, name, property(lambda op: SSAValues(op.operands)))
        elif len(definition.operands) == 1:
            setattr(kind, name, property(_operand_of))
        else:
            setattr(kind, name, property(lambda op, place=place: op.operands[place]))
    return kind


def _operand_of(op: Operation) -> SSAValue:
    (operand,) = op.operands
    return operand
