"""The base class of the dialect's ops."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import TypeVar

from xdsl.dialects.builtin import StringAttr
from xdsl.ir import Attribute, Operation, OpResult, SSAValue
from xdsl.irdl import IRDLOperation, VariadicDef, VarOperandDef
from xdsl.utils.exceptions import VerifyException


class KanOperation(IRDLOperation, ABC):
    """An op whose verification errors name it, as MLIR's do; it may name a wire in the RTL."""

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
        """What the constructor of an op does of which passes make thousands.

        xDSL's own compares operands and properties with the op's declaration first, which takes
        several times as long; the verifier does so again.
        """
        Operation.__init__(
            self,
            operands=[v if type(v) is OpResult else SSAValue.get(v) for v in operands],
            result_types=result_types,
            properties={name: value for name, value in properties.items() if value is not None},
        )

    def verify(self, verify_nested_ops: bool = True) -> None:
        try:
            super().verify(verify_nested_ops)
        except VerifyException as error:
            error.args = (f"{op_text(self)}: {error}",)
            raise


def op_text(op: Operation) -> str:
    """An op as messages name it: `'kan.table' op "layer0_edge0_0"`."""
    name = op.properties.get("name")
    return f"'{op.name}' op" + (f' "{name.data}"' if isinstance(name, StringAttr) else "")


def optional_name(name: str | None) -> StringAttr | None:
    """The `name` property, where there is one."""
    return None if name is None else StringAttr(name)


_Op = TypeVar("_Op", bound=KanOperation)

_at = tuple[SSAValue, ...].__getitem__


def direct_access(kind: type[_Op]) -> type[_Op]:
    """Of an op that passes read by the million: operands and results are read where they are.

    xDSL's accessors look up the op's declaration each time, which takes several times as long.
    """
    definition = kind.get_irdl_definition()
    if not any(isinstance(each, VariadicDef) for _, each in definition.results):
        for place, (name, _) in enumerate(definition.results):
            setattr(kind, name, property(lambda op, place=place: _at(op.results, place)))
    if not any(isinstance(each, VariadicDef) for _, each in definition.operands):
        for place, (name, _) in enumerate(definition.operands):
            setattr(kind, name, property(lambda op, place=place: _at(op._operands, place)))
    elif len(definition.operands) == 1 and type(definition.operands[0][1]) is VarOperandDef:
        setattr(kind, definition.operands[0][0], property(attrgetter("_operands")))
    return kind
