"""The interface that a pipeline wraps around its network."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.passes import ModulePass

from kan_dialect.lowering.wrappers.wrap_interface import WrapInterfacePass
from kan_dialect.lowering.wrappers.wrapper_ports import InterfaceName, StreamChoice
from kan_dialect.passbase.kan_pass import unwrapped


def chosen_interface(passes: Sequence[ModulePass]) -> tuple[InterfaceName, StreamChoice]:
    """The interface of a pipeline's last `kan-wrap-interface`, and what its streams look like.

    Returns
    -------
    `valid` and streams of one beat a sample where no pass of the pipeline chooses one.
    """
    for stage in reversed([unwrapped(each) for each in passes]):
        if isinstance(stage, WrapInterfacePass):
            return stage.interface, stage.choice
    return "valid", StreamChoice()
