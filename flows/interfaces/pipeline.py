"""A pipeline with the interface that a build is to offer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, fields

from xdsl.passes import ModulePass

from kan_dialect.errors import KanError
from kan_dialect.lowering.wrappers.wrap_interface import WrapInterfacePass
from kan_dialect.passbase.kan_pass import unwrapped
from kan_dialect.passes.schedule import SchedulePass


def with_interface(passes: Sequence[ModulePass], wrap: WrapInterfacePass) -> list[ModulePass]:
    """The passes, with `kan-wrap-interface` behind them if it has something to do.

    Raises
    ------
    KanError : an option of the interface means nothing for it; or the design is to be
        combinational, which only the interface `valid` can be.
    """
    if wrap.interface == "valid":
        _refuse_unread(wrap)
        if not wrap.clock_enable:
            return list(passes)
    for stage in map(unwrapped, passes):
        if isinstance(stage, SchedulePass) and stage.combinational:
            needs = "a clock enable" if wrap.clock_enable else f"the interface {wrap.interface}"
            raise KanError(
                f"a combinational design has no clock, which {needs} needs",
                remedy="leave out --combinational, or choose --interface valid",
            )
    return [*passes, wrap]


def _refuse_unread(wrap: WrapInterfacePass) -> None:
    """Refuse options that the interface `valid` would ignore."""
    for field in fields(wrap):
        default = field.default
        if default is MISSING or field.name == "clock_enable":
            continue
        if getattr(wrap, field.name) != default:
            option = field.name.replace("_", "-")
            raise KanError(
                f"--{option} has no meaning with the interface valid",
                remedy="choose an --interface, or leave it out",
            )
