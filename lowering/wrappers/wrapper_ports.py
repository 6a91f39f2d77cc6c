"""Names, directions and widths of the ports of wrappers, in the order of their modules.

Tools infer the bus from the names. A group of ports with the same `bus` is one bus.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from kan_dialect.errors import KanError
from kan_dialect.lowering.wrappers.stream_layout import StreamLayout, WordOrder
from kan_dialect.model.interface import Interface

InterfaceName: TypeAlias = Literal["valid", "ready-valid", "axi-stream", "axi-lite"]
"""What a build offers: `valid` is the core itself, the others are wrappers around it."""

Direction: TypeAlias = Literal["input", "output"]
MAX_USER_BITS = 64


@dataclass(frozen=True)
class WrapperPort:
    """A port of a wrapper."""

    name: str
    direction: Direction
    bits: int
    bus: str = ""
    """`s_axis`, `m_axis`, ... of the ports of a bus; empty of clock, reset and plain ports."""


@dataclass(frozen=True)
class StreamChoice:
    """What a user chooses of an AXI4-Stream interface."""

    input_beat_bits: int | None = None
    """Width of TDATA at the input; None: a sample is one beat."""
    output_beat_bits: int | None = None
    """Width of TDATA at the output; None: a sample is one beat."""
    order: WordOrder = "low-first"
    """Order of the beats of a sample, at both sides."""
    last: bool = True
    """Whether TLAST is carried along."""
    user_bits: int = 0
    """Width of TUSER, which is carried along; 0 leaves TUSER out."""

    def layouts(self, interface: Interface) -> tuple[StreamLayout, StreamLayout]:
        """The bytes at the input and at the output.

        Raises
        ------
        KanError : a beat cannot have its width.
        """
        return (
            StreamLayout.of(interface.inputs, self.input_beat_bits, self.order),
            StreamLayout.of(interface.outputs, self.output_beat_bits, self.order),
        )


def wrapper_name(core: str, interface: InterfaceName) -> str:
    """The name of a wrapper's module: `NAME_axi_stream`; of `valid`, the core's own."""
    return core if interface == "valid" else f"{core}_{interface.replace('-', '_')}"


def ready_valid_ports(interface: Interface) -> tuple[WrapperPort, ...]:
    """The ports of `NAME_ready_valid`."""
    return (
        WrapperPort("clk", "input", 1),
        WrapperPort("rst", "input", 1),
        WrapperPort("in_valid", "input", 1, "in"),
        WrapperPort("in_ready", "output", 1, "in"),
        *(WrapperPort(port.name, "input", port.width, "in") for port in interface.inputs),
        WrapperPort("out_valid", "output", 1, "out"),
        WrapperPort("out_ready", "input", 1, "out"),
        *(WrapperPort(port.name, "output", port.width, "out") for port in interface.outputs),
        *_memory_ports(interface),
    )


def axi_stream_ports(interface: Interface, choice: StreamChoice) -> tuple[WrapperPort, ...]:
    """The ports of `NAME_axi_stream`.

    Raises
    ------
    KanError : a beat cannot have its width.
    """
    source, result = choice.layouts(interface)
    return (
        WrapperPort("aclk", "input", 1),
        WrapperPort("aresetn", "input", 1),
        *_bus("s_axis", "input", source, choice),
        *_bus("m_axis", "output", result, choice),
        *_memory_ports(interface),
    )


def axi_lite_ports(address_bits: int) -> tuple[WrapperPort, ...]:
    """The ports of `NAME_axi_lite`, with data of 32 bits.

    Parameters
    ----------
    address_bits : width of an address in bytes.
    """
    rows: tuple[tuple[str, Direction, int], ...] = (
        ("awvalid", "input", 1),
        ("awready", "output", 1),
        ("awaddr", "input", address_bits),
        ("wvalid", "input", 1),
        ("wready", "output", 1),
        ("wdata", "input", 32),
        ("wstrb", "input", 4),
        ("bvalid", "output", 1),
        ("bready", "input", 1),
        ("bresp", "output", 2),
        ("arvalid", "input", 1),
        ("arready", "output", 1),
        ("araddr", "input", address_bits),
        ("rvalid", "output", 1),
        ("rready", "input", 1),
        ("rdata", "output", 32),
        ("rresp", "output", 2),
    )
    return (
        WrapperPort("aclk", "input", 1),
        WrapperPort("aresetn", "input", 1),
        *(WrapperPort(f"s_axi_{name}", direction, bits, "s_axi") for name, direction, bits in rows),
    )


def _memory_ports(interface: Interface) -> Iterator[WrapperPort]:
    """The ports that write tables, as the network has them."""
    if interface.memory:
        yield WrapperPort("mem_valid", "input", 1, "mem")
        yield WrapperPort("mem_ready", "output", 1, "mem")
        yield from (WrapperPort(p.name, "input", p.width, "mem") for p in interface.memory)


def _bus(
    name: str, data: Direction, layout: StreamLayout, choice: StreamChoice
) -> Iterator[WrapperPort]:
    """The ports of one stream; `data` is the direction of its data."""
    yield WrapperPort(f"{name}_tvalid", data, 1, name)
    yield WrapperPort(f"{name}_tready", "output" if data == "input" else "input", 1, name)
    yield WrapperPort(f"{name}_tdata", data, layout.beat_bits, name)
    if layout.has_keep:
        yield WrapperPort(f"{name}_tkeep", data, layout.beat_bytes, name)
    if choice.last:
        yield WrapperPort(f"{name}_tlast", data, 1, name)
    if choice.user_bits:
        yield WrapperPort(f"{name}_tuser", data, choice.user_bits, name)


def require_clock(name: str, latency: int, chosen: InterfaceName) -> None:
    """Refuse a wrapper around a combinational design.

    Raises
    ------
    KanError : the design has no clock.
    """
    if not latency and chosen != "valid":
        raise KanError(
            f"{name} is combinational: it has no clock, which the interface {chosen} needs",
            remedy="leave out --combinational, or choose --interface valid",
        )
