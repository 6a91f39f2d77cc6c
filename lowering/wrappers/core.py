"""What all wrappers share: the core that they instantiate, and the module that they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from xdsl.dialects import hw, seq
from xdsl.dialects.builtin import StringAttr
from xdsl.ir import SSAValue

from kan_dialect.ir.attributes.module_attributes import (
    declare_interface,
    declare_latency,
    list_encodings,
)
from kan_dialect.lowering.hw_builder import HwBuilder, integer
from kan_dialect.lowering.wrappers.wrapper_ports import InterfaceName, WrapperPort, wrapper_name
from kan_dialect.model.interface import Interface

CLOCKS = ("clk", "aclk")


@dataclass(frozen=True)
class Core:
    """A network's hardware module."""

    module: hw.HWModuleOp
    interface: Interface


@dataclass(frozen=True)
class Wrapper:
    """A wrapper that is being built."""

    core: Core
    kind: InterfaceName
    ports: Sequence[WrapperPort]
    build: HwBuilder
    wires: Mapping[str, SSAValue]
    """Of the input ports, by name."""

    def finish(
        self, outputs: Mapping[str, SSAValue], latency: int, lines: Iterable[str]
    ) -> hw.HWModuleOp:
        """The module.

        Parameters
        ----------
        outputs : the wire of each output port, in any order.
        latency : clock cycles from a sample to its outputs, if nothing stops it.
        lines : about the ports, for readers of the RTL.
        """
        names = [port.name for port in self.ports if port.direction == "output"]
        if self.core.interface.memory:
            lines = [*lines, _LOADS]
        name = StringAttr(wrapper_name(self.core.interface.name, self.kind))
        module = self.build.finish(
            name, {each: outputs[each] for each in names}, [port.name for port in self.ports]
        )
        declare_latency(module, latency)
        declare_interface(module, self.kind)
        list_encodings(module, lines)
        return module


_LOADS = "mem_valid, mem_ready: a word is written where both are 1; samples and words wait in turn"


def wrapper_of(core: Core, kind: InterfaceName, ports: Sequence[WrapperPort]) -> Wrapper:
    """A wrapper with its inputs; outputs come with `Wrapper.finish`."""
    build = HwBuilder()
    wires: dict[str, SSAValue] = {}
    for port in ports:
        if port.direction == "input":
            kind_of = seq.clock if port.name in CLOCKS else integer(port.bits)
            wires[port.name] = build.input(port.name, kind_of)
            if port.name in CLOCKS:
                build.clock = wires[port.name]
    return Wrapper(core, kind, ports, build, wires)


def core_results(
    wrapper: Wrapper, reset: SSAValue, offered: SSAValue, codes: Mapping[str, SSAValue]
) -> dict[str, SSAValue]:
    """The outputs of the core, instantiated in a wrapper. The port that writes tables is its own.

    Parameters
    ----------
    offered : 1: the codes are a sample, which a folded core takes where its `in_ready` is 1.
    codes : the wire of each data input.
    """
    assert wrapper.build.clock is not None
    inputs = {"clk": wrapper.build.clock, "rst": reset, "in_valid": offered, **codes}
    ports = (port for port in wrapper.ports if port.bus == "mem" and port.direction == "input")
    inputs |= {port.name: wrapper.wires[port.name] for port in ports}
    return wrapper.build.instance("core", wrapper.core.module, inputs)
