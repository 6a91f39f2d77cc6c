"""Names of values at hardware level, which the RTL takes over."""

from __future__ import annotations

from xdsl.dialects import hw
from xdsl.dialects.builtin import StringAttr
from xdsl.ir import OpResult, SSAValue

from kan_dialect.ir.operation import operands_of

NAME_HINT = "sv.namehint"
"""Attribute of an op that names its result. CIRCT's Verilog export reads it too."""
TABLE_SUFFIX = "_table"
"""Suffix of an array's name, behind the name of the value that is read from it."""


def name_hint(value: SSAValue) -> str | None:
    """The name of a value in the IR, or None.

    xDSL's syntax of `hw.array_get` has no attributes, so an element without a name of its own takes
    the array's name without `TABLE_SUFFIX`.
    """
    if not isinstance(value, OpResult):
        return value.name_hint
    owner = value.op
    hint = owner.attributes.get(NAME_HINT)
    if type(hint) is StringAttr:
        return hint.data
    if type(owner) is hw.ArrayGetOp:
        array = name_hint(operands_of(owner)[0])
        return None if array is None else array.removesuffix(TABLE_SUFFIX)
    return None
