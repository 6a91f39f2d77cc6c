"""What a module may hold once it is hardware: its ops, and attributes that describe it."""

from __future__ import annotations

from typing import cast

from xdsl.dialects import hw
from xdsl.dialects.builtin import ArrayAttr, ModuleOp, StringAttr
from xdsl.ir import Attribute, Operation, SSAValue

from kan_dialect.errors import KanError

HARDWARE_DIALECTS = frozenset({"hw", "comb", "seq"})

NAME_HINT = "sv.namehint"
"""Op attribute that holds the name of the op's result; CIRCT's Verilog export reads it, too."""
TABLE_SUFFIX = "_table"
"""What an array's name has beyond that of the value read from it."""

NOT_LOWERED = "run kan-compile, or lower-kan-to-hw on a scheduled module, first"


def hardware_modules(module: ModuleOp) -> list[hw.HWModuleOp]:
    """The hardware modules of a module that holds nothing but hardware ops.

    Raises
    ------
    KanError : another op is in there, or no hardware module.
    """
    for op in module.walk():
        if op is not module and dialect_of(op) not in HARDWARE_DIALECTS:
            raise KanError(f"'{op.name}' is not a hardware op", remedy=NOT_LOWERED)
    modules = [op for op in module.ops if isinstance(op, hw.HWModuleOp)]
    if not modules:
        raise KanError("there is no 'hw.module'", remedy=NOT_LOWERED)
    return modules


def dialect_of(op: Operation) -> str:
    return op.name.partition(".")[0]


def listed(attribute: Attribute | None) -> tuple[Attribute, ...]:
    """The elements of an array attribute; none if it is something else, or not there."""
    if not isinstance(attribute, ArrayAttr):
        return ()
    return cast(ArrayAttr[Attribute], attribute).data


def name_hint(value: SSAValue) -> str | None:
    """The name that the IR gives to a value, if any.

    xDSL's syntax has no place for attributes of `hw.array_get`, so what is read from an array falls
    back on the array's name.
    """
    owner = value.owner
    if not isinstance(owner, Operation):
        return value.name_hint
    hint = owner.attributes.get(NAME_HINT)
    if isinstance(hint, StringAttr):
        return hint.data
    if isinstance(owner, hw.ArrayGetOp):
        array = name_hint(owner.input)
        return None if array is None else array.removesuffix(TABLE_SUFFIX)
    return None
