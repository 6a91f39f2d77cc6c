"""Proves the wrapper of a build by its interface."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from kan_dialect.errors import KanError
from kan_dialect.flows.prove.cycles.claims import Progress
from kan_dialect.flows.prove.interfaces.clock_enable import EnableProof, prove_clock_enable
from kan_dialect.flows.prove.interfaces.of_build import BuiltWrapper
from kan_dialect.flows.prove.interfaces.prove import WrapperProof, prove_wrapper
from kan_dialect.flows.prove.interfaces.registers.prove import RegisterProof, prove_registers
from kan_dialect.flows.prove.interfaces.registers.training_core import TrainingNetwork
from kan_dialect.model.interface import Interface

AnyProof: TypeAlias = WrapperProof | RegisterProof[object] | EnableProof


def prove_built(
    wrapper: BuiltWrapper,
    core: Path,
    interface: Interface | TrainingNetwork,
    *,
    timeout: float | None = None,
    progress: Progress | None = None,
) -> AnyProof:
    """Prove a wrapper around the network in `core`.

    Raises
    ------
    KanError : see `prove_wrapper`, `prove_registers` and `prove_clock_enable`; or there is no proof
        of the interface.
    """
    rtl, top = wrapper.rtl, wrapper.top
    if wrapper.kind == "axi-lite":
        return prove_registers(rtl, top, core, interface, timeout=timeout, progress=progress)
    if isinstance(interface, TrainingNetwork):
        raise KanError(f"there is no proof of {wrapper.kind} around hardware that trains")
    match wrapper.kind:
        case "ready-valid" | "axi-stream":
            return prove_wrapper(
                rtl,
                top,
                wrapper.kind,
                core,
                interface,
                high_first=wrapper.high_first,
                timeout=timeout,
                progress=progress,
            )
        case "clock-enable":
            return prove_clock_enable(rtl, top, core, interface, timeout=timeout, progress=progress)
        case _:
            raise KanError(f"there is no proof of the interface {wrapper.kind}")
