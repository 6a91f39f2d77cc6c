"""The base class of the dialect's ops."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import TypeVar, cast

from xdsl.dialects.builtin import UNKNOWN_LOC, StringAttr
from xdsl.ir import Attribute, Operation, OpResult, SSAValue, SSAValues, Use
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
        """Fast constructor for ops that passes create in bulk.

        xDSL's own compares operands and properties with the op's declaration first, which takes
        several times as long; the verifier does so again.
        """
        fill_op(
            self,
            [v if type(v) is OpResult else SSAValue.get(v) for v in operands],
            result_types,
            {name: value for name, value in properties.items() if value is not None},
        )

    def verify(self, verify_nested_ops: bool = True) -> None:
        try:
            super().verify(verify_nested_ops)
        except VerifyException as error:
            error.args = (f"{op_text(self)}: {error}",)
            raise


_AnyOp = TypeVar("_AnyOp", bound=Operation)

operands_of = cast("Callable[[Operation], tuple[SSAValue, ...]]", attrgetter("_operands"))
"""The operands of an op, for walks over all ops: `Operation.operands` makes a view each time."""


def result_of(op: Operation) -> OpResult:
    """The result of an op that has one: `op.results[0]`, without xDSL's test for slices."""
    (result,) = op.results
    return result


def fill_op(
    op: _AnyOp,
    operands: Sequence[SSAValue],
    result_types: Sequence[Attribute],
    properties: dict[str, Attribute] | None = None,
    attributes: dict[str, Attribute] | None = None,
) -> _AnyOp:
    """Set the fields of a new op, made by `__new__`, that is in no block. Returns the op.

    It has no successors and no regions, and its class declares no default properties. Passes make
    ops by the hundred thousand, and `Operation.__init__` takes two and a half times as long: it
    looks for successors, regions and defaults. The op keeps the dictionaries that it is given.
    """
    values = SSAValues(operands)
    uses = tuple([Use(op, place) for place in range(len(values))])
    for value, use in zip(values, uses, strict=True):
        value.add_use(use)
    op._operands, op._operand_uses = values, uses  # pyright: ignore[reportPrivateUsage]
    results = [OpResult(kind, op, place) for place, kind in enumerate(result_types)]
    op.results = SSAValues(results)
    op.properties = {} if properties is None else properties
    op.attributes = {} if attributes is None else attributes
    op.location = UNKNOWN_LOC
    return op


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
