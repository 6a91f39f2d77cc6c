"""The base class of the dialect's ops."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import TypeGuard, TypeVar, cast

from xdsl.dialects.builtin import UNKNOWN_LOC, StringAttr
from xdsl.ir import (
    Attribute,
    Block,
    BlockArgument,
    Operation,
    OpResult,
    SSAValue,
    SSAValues,
    Use,
)
from xdsl.irdl import IRDLOperation, VariadicDef, VarOperandDef
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

        xDSL's own compares operands and properties with the op's declaration first, which takes
        several times as long; the verifier does so again.
        """
        fill_op(
            self,
            values_of(operands),
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


class PlainResult(OpResult):
    """An op's result. Its hash, its type and its op are read by code in C.

    Passes look up millions of values in dictionaries. xDSL's hash and properties give the same by
    functions in Python, which take several times as long.
    """

    def __init__(self, kind: Attribute, op: Operation, index: int) -> None:
        # All other fields are None by their defaults in the class.
        self._type, self.op, self.index = kind, op, index

    def erase(self, safe_erase: bool = True) -> None:
        """Erase the value, and let go of its op.

        An op and its result refer to each other. While Python's collector is paused, nothing else
        would free them.
        """
        if self.first_use is not None:
            super().erase(safe_erase)
        vars(self).pop("op", None)

    __hash__ = object.__hash__
    __eq__ = object.__eq__  # pyright: ignore[reportAssignmentType] (of any object)
    type = property(attrgetter("_type"))  # pyright: ignore[reportIncompatibleMethodOverride] (same)
    owner = property(attrgetter("op"))  # pyright: ignore[reportIncompatibleMethodOverride] (same)


def values_of(operands: Sequence[SSAValue | Operation]) -> list[SSAValue]:
    """Values as they are, and the results of ops of one result."""
    return [each if type(each) is PlainResult else SSAValue.get(each) for each in operands]


def is_result(value: SSAValue) -> TypeGuard[OpResult]:
    """True for the result of an op, False for the argument of a block."""
    return type(value) is not BlockArgument


def ops_of(block: Block) -> list[Operation]:
    """The ops of a block as a list, which xDSL's iterator takes several times as long to make."""
    ops: list[Operation] = []
    op = block.first_op
    while op is not None:
        ops.append(op)
        op = op._next_op  # pyright: ignore[reportPrivateUsage] (a property in Python else)
    return ops


def release_ops(block: Block) -> None:
    """Let go of the ops of a block that was erased, so that they are freed without a collector.

    `Operation.erase` leaves them linked with each other, and with their results.
    """
    for op in ops_of(block):
        op._next_op = op._prev_op = None  # pyright: ignore[reportPrivateUsage]
        for result in op.results:
            del result.op
    block._first_op = block._last_op = None  # pyright: ignore[reportPrivateUsage]


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
    uses: list[Use] = []
    for place, value in enumerate(values):
        # `Use(op, place)` and `value.add_use(use)`.
        use = Use.__new__(Use)
        use._operation, use._index = op, place  # pyright: ignore[reportPrivateUsage]
        use._next_use = first = value.first_use  # pyright: ignore[reportPrivateUsage]
        if first is not None:
            first._prev_use = use  # pyright: ignore[reportPrivateUsage]
        value.first_use = use
        uses.append(use)
    op._operands, op._operand_uses = values, tuple(uses)  # pyright: ignore[reportPrivateUsage]
    op.results = SSAValues(
        [PlainResult(kind, op, place) for place, kind in enumerate(result_types)]
    )
    op.properties = {} if properties is None else properties
    op.attributes = {} if attributes is None else attributes
    op.location = UNKNOWN_LOC
    return op


def op_text(op: Operation) -> str:
    """An op as messages name it: `'kan.table' op "layer0_edge0_0"`."""
    name = op.properties.get("name")
    return f"'{op.name}' op" + (f' "{name.data}"' if isinstance(name, StringAttr) else "")


@lru_cache(1 << 14)  # one pass after the other gives the same name
def string_of(text: str) -> StringAttr:
    """A string as an attribute; xDSL's constructor calls a verifier that accepts all strings."""
    attribute = StringAttr.__new__(StringAttr)
    object.__setattr__(attribute, "data", text)
    return attribute


def optional_name(name: str | None) -> StringAttr | None:
    """The `name` property, where there is one."""
    return None if name is None else string_of(name)


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
