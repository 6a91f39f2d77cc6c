"""A pipeline with the interface that a build is to offer."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.passes import ModulePass

from kan_dialect.errors import KanError
from kan_dialect.lowering.wrappers.wrap_interface import WrapInterfacePass
from kan_dialect.passbase.kan_pass import unwrapped
from kan_dialect.passes.schedule import SchedulePass


def with_interface(passes: Sequence[ModulePass], wrap: WrapInterfacePass) -> list[ModulePass]:
    """The passes, with `kan-wrap-interface` behind them if it has something to do.

    Raises
    ------
    KanError : the design is to be combinational, which only the interface `valid` can be.
    """
    if wrap.interface == "valid" and not wrap.clock_enable:
        return list(passes)
    for stage in map(unwrapped, passes):
        if isinstance(stage, SchedulePass) and stage.combinational:
            needs = "a clock enable" if wrap.clock_enable else f"the interface {wrap.interface}"
            raise KanError(
                f"a combinational design has no clock, which {needs} needs",
                remedy="leave out --combinational, or choose --interface valid",
            )
    return [*passes, wrap]
