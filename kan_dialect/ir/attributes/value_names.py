"""Names at hardware level: where the IR keeps the name that a value has in the RTL."""

from __future__ import annotations

from xdsl.dialects import hw
from xdsl.dialects.builtin import StringAttr
from xdsl.ir import OpResult, SSAValue

NAME_HINT = "sv.namehint"
"""Op attribute that holds the name of the op's result; CIRCT's Verilog export reads it, too."""
TABLE_SUFFIX = "_table"
"""What an array's name has beyond that of the value read from it."""


def name_hint(value: SSAValue) -> str | None:
    """The name that the IR gives to a value, if any.

    xDSL's syntax has no place for attributes of `hw.array_get`, so what is read from an array falls
    back on the array's name.
    """
    if not isinstance(value, OpResult):
        return value.name_hint
    owner = value.op
    hint = owner.attributes.get(NAME_HINT)
    if type(hint) is StringAttr:
        return hint.data
    if type(owner) is hw.ArrayGetOp:
        array = name_hint(owner.operands[0])
        return None if array is None else array.removesuffix(TABLE_SUFFIX)
    return None
