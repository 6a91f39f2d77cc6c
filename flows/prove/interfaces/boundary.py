"""The streams of a wrapper: its ports, and the place of each bit of a sample in them.

The bytes of AXI4-Stream are worked out here from the ports of the network, by
docs/reference/interfaces.md, not by the code that made the wrapper.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from kan_dialect.errors import KanError
from kan_dialect.flows.design import Design, require_ports
from kan_dialect.flows.prove.netlist import Netlist
from kan_dialect.model.interface import Interface, Port

BYTE = 8


@dataclass(frozen=True)
class Piece:
    """Some bits of a port in a beat: those of a code, or padding."""

    width: int
    code: str = ""
    """Port of the network; empty: zeros."""
    low: int = 0
    """Lowest bit of the code."""
    sign: bool = False
    """Copies of the bit `low`, the code's highest."""


@dataclass(frozen=True)
class Stream:
    """One side of a wrapper."""

    valid: str
    ready: str
    beats: tuple[dict[str, tuple[Piece, ...]], ...]
    """For each beat of a sample, the first one first: the pieces of each port, lowest first."""
    keep: tuple[int, ...] = ()
    """TKEEP of each beat; empty without the port."""
    keep_port: str = ""
    last: str = ""
    """TLAST; empty without the port."""
    user: str = ""

    @property
    def ports(self) -> tuple[str, ...]:
        """The ports with codes."""
        return tuple(self.beats[0])

    @property
    def payload(self) -> tuple[str, ...]:
        """All ports but valid and ready."""
        return tuple(filter(None, [*self.ports, self.last, self.user, self.keep_port]))


@dataclass(frozen=True)
class Clocking:
    """Clock and reset of a wrapper."""

    clock: str
    reset: str
    reset_level: int
    """Value of `reset` in reset."""


@dataclass(frozen=True)
class Boundary(Clocking):
    """All ports of a wrapper with streams."""

    kind: str
    """`ready-valid` or `axi-stream`."""
    source: Stream
    """Samples, to the wrapper."""
    result: Stream
    """Results, from the wrapper."""
    widths: dict[str, int] = field(default_factory=dict[str, int])
    """Of every port."""

    @property
    def user_bits(self) -> int:
        """Width of TUSER; 0: there is none."""
        return self.widths[self.source.user] if self.source.user else 0


def boundary(kind: str, interface: Interface, netlist: Netlist, *, high_first: bool) -> Boundary:
    """The streams of a wrapper of a kind; widths of beats and of TUSER are those of the netlist.

    Parameters
    ----------
    high_first : whether the first beat of a sample has its highest bits.

    Raises
    ------
    KanError : a port is missing, there is another one, or one has another width.
    """
    widths = {name: len(bits) for name, bits in (netlist.inputs | netlist.outputs).items()}
    if kind == "ready-valid":
        found = Boundary(
            "clk",
            "rst",
            1,
            kind,
            _plain("in", interface.inputs),
            _plain("out", interface.outputs),
            widths,
        )
    elif kind == "axi-stream":
        found = Boundary(
            "aclk",
            "aresetn",
            0,
            kind,
            _axi("s_axis", interface.inputs, widths, high_first),
            _axi("m_axis", interface.outputs, widths, high_first),
            widths,
        )
    else:
        raise KanError(f"there is no proof of the interface {kind}")
    _require_ports(found, interface, netlist)
    return found


def _plain(side: str, ports: Sequence[Port]) -> Stream:
    beat = {port.name: (Piece(port.width, port.name),) for port in ports}
    return Stream(f"{side}_valid", f"{side}_ready", (beat,))


def _axi(bus: str, ports: Sequence[Port], widths: dict[str, int], high_first: bool) -> Stream:
    data = f"{bus}_tdata"
    size = widths.get(data, 0)
    if size == 0 or size % BYTE:
        raise KanError(f"port {data} must have whole bytes, and has {size} bits")
    bits: list[Piece] = []
    for port in ports:
        bits += [Piece(1, port.name, low) for low in range(port.width)]
        top = Piece(1, port.name, port.width - 1, sign=True) if port.signed else Piece(1)
        bits += [top] * (-port.width % BYTE)
    payload = len(bits)
    count = -(-payload // size)
    bits += [Piece(1)] * (count * size - payload)
    words = [tuple(_merged(bits[size * place : size * (place + 1)])) for place in range(count)]
    kept = [min(max(payload - size * place, 0), size) // BYTE for place in range(count)]
    if high_first:
        words, kept = words[::-1], kept[::-1]
    has_keep = count * size > payload
    return Stream(
        f"{bus}_tvalid",
        f"{bus}_tready",
        tuple({data: word} for word in words),
        tuple((1 << number) - 1 for number in kept) if has_keep else (),
        f"{bus}_tkeep" if has_keep else "",
        f"{bus}_tlast" if f"{bus}_tlast" in widths else "",
        f"{bus}_tuser" if f"{bus}_tuser" in widths else "",
    )


def _merged(bits: Sequence[Piece]) -> list[Piece]:
    """Neighbouring bits as one piece."""
    found: list[Piece] = []
    for bit in bits:
        before = found[-1] if found else Piece(0, " ")
        follows = not bit.code or bit.sign or before.low + before.width == bit.low
        if follows and (before.code, before.sign) == (bit.code, bit.sign):
            found[-1] = Piece(before.width + 1, before.code, before.low, before.sign)
        else:
            found.append(bit)
    return found


def _require_ports(found: Boundary, interface: Interface, netlist: Netlist) -> None:
    source, result = found.source, found.result
    if bool(source.last) != bool(result.last) or bool(source.user) != bool(result.user):
        raise KanError("TLAST and TUSER must be at both sides, or at none")
    expected = {found.clock: (False, 1), found.reset: (False, 1)}
    for stream, is_result in ((source, False), (result, True)):
        expected[stream.valid] = is_result, 1
        expected[stream.ready] = not is_result, 1
        for port, pieces in stream.beats[0].items():
            expected[port] = is_result, sum(piece.width for piece in pieces)
        if stream.keep_port:
            (width,) = {sum(p.width for p in pieces) for pieces in stream.beats[0].values()}
            expected[stream.keep_port] = is_result, width // BYTE
        if stream.last:
            expected[stream.last] = is_result, 1
        if stream.user:
            expected[stream.user] = is_result, found.widths[source.user]
    memory = {name: port for name, port in Design(interface).ports.items() if name[:4] == "mem_"}
    require_ports(netlist.port_bits, expected | memory, "the wrapper")
