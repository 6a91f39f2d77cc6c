"""What a module may hold once it is hardware: its ops, and attributes that describe it."""

from __future__ import annotations

from functools import cache

from xdsl.dialects import hw
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation

from kan_dialect.errors import KanError
from kan_dialect.ir.operation import ops_of
from kan_dialect.ops.lut import LUT_OPS
from kan_dialect.ops.memory import MEMORY_OPS

HARDWARE_DIALECTS = frozenset({"hw", "comb", "seq"})

NOT_LOWERED = "run kan-compile, or lower-kan-to-hw on a scheduled module, first"


def hardware_modules(module: ModuleOp) -> list[hw.HWModuleOp]:
    """The hardware modules of a module that holds nothing but hardware ops.

    Raises
    ------
    KanError : another op is in there, or no hardware module.
    """
    for kind in _kinds_in(module):
        if kind.name.partition(".")[0] not in HARDWARE_DIALECTS and not issubclass(
            kind, (*MEMORY_OPS, *LUT_OPS)
        ):
            raise KanError(f"'{kind.name}' is not a hardware op", remedy=NOT_LOWERED)
    modules = [op for op in module.ops if isinstance(op, hw.HWModuleOp)]
    if not modules:
        raise KanError("there is no 'hw.module'", remedy=NOT_LOWERED)
    return modules


def _kinds_in(op: Operation) -> dict[type[Operation], None]:
    """The classes of the ops within an op, in the order of their first ops."""
    kinds: dict[type[Operation], None] = {}
    for region in op.regions:
        for block in region.blocks:
            for inner in ops_of(block):
                kinds[type(inner)] = None
                if inner.regions:
                    kinds.update(_kinds_in(inner))
    return kinds


def dialect_of(op: Operation) -> str:
    return _dialect_in(op.name)


@cache
def _dialect_in(name: str) -> str:
    return name.partition(".")[0]
