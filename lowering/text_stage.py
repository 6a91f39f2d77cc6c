"""A stage of the pipeline as the writers of SystemVerilog and VHDL collect it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from xdsl.dialects import seq
from xdsl.ir import SSAValue

from kan_dialect.ops.memory import MemoryReadOp, MemoryWriteOp

Registered: TypeAlias = seq.CompRegOp | MemoryReadOp | MemoryWriteOp
"""Ops that take effect at a clock edge."""


@dataclass
class TextStage:
    """The logic between two ranks of registers, and the registers at its end."""

    lines: list[str] = field(default_factory=list[str])
    declarations: list[str] = field(default_factory=list[str])
    registers: dict[tuple[SSAValue, SSAValue | None], list[Registered]] = field(
        default_factory=dict[tuple[SSAValue, SSAValue | None], list[Registered]]
    )
    """By clock and reset."""
