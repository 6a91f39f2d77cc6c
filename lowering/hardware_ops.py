"""What a module may hold once it is hardware: its ops, and attributes that describe it."""

from __future__ import annotations

from functools import cache

from xdsl.dialects import hw
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation

from kan_dialect.errors import KanError
from kan_dialect.ops.memory import MEMORY_OPS

HARDWARE_DIALECTS = frozenset({"hw", "comb", "seq"})

NOT_LOWERED = "run kan-compile, or lower-kan-to-hw on a scheduled module, first"


def hardware_modules(module: ModuleOp) -> list[hw.HWModuleOp]:
    """The hardware modules of a module that holds nothing but hardware ops.

    Raises
    ------
    KanError : another op is in there, or no hardware module.
    """
    for op in module.walk():
        is_hardware = dialect_of(op) in HARDWARE_DIALECTS or isinstance(op, tuple(MEMORY_OPS))
        if op is not module and not is_hardware:
            raise KanError(f"'{op.name}' is not a hardware op", remedy=NOT_LOWERED)
    modules = [op for op in module.ops if isinstance(op, hw.HWModuleOp)]
    if not modules:
        raise KanError("there is no 'hw.module'", remedy=NOT_LOWERED)
    return modules


def dialect_of(op: Operation) -> str:
    return _dialect_in(op.name)


@cache
def _dialect_in(name: str) -> str:
    return name.partition(".")[0]
