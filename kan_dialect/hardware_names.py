"""Names at hardware level: where the IR keeps the name that a value has in the RTL."""

from __future__ import annotations

from xdsl.dialects import hw
from xdsl.dialects.builtin import StringAttr
from xdsl.ir import Operation, SSAValue

NAME_HINT = "sv.namehint"
"""Op attribute that holds the name of the op's result; CIRCT's Verilog export reads it, too."""
TABLE_SUFFIX = "_table"
"""What an array's name has beyond that of the value read from it."""


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
