"""A pipeline with the interface that a build is to offer."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.passes import ModulePass

from kan_dialect.lowering.wrappers.wrap_interface import WrapInterfacePass


def with_interface(passes: Sequence[ModulePass], wrap: WrapInterfacePass) -> list[ModulePass]:
    """The passes, with `kan-wrap-interface` behind them if it has something to do."""
    if wrap.interface == "valid" and not wrap.clock_enable:
        return list(passes)
    return [*passes, wrap]
