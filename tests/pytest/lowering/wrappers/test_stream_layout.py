"""The bytes of a sample on a bus, against Python's integers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kan_dialect.errors import KanError
from kan_dialect.lowering.wrappers.stream_layout import StreamLayout
from kan_dialect.lowering.wrappers.wrapper_ports import (
    StreamChoice,
    axi_stream_ports,
    ready_valid_ports,
    require_clock,
    wrapper_name,
)
from kan_dialect.model.interface import Interface, Port


@st.composite
def _ports(draw: st.DrawFn) -> list[Port]:
    count = draw(st.integers(1, 5))
    ports: list[Port] = []
    for index in range(count):
        if draw(st.booleans()):
            bits = draw(st.integers(1, 64))
            ports.append(Port.of_range(f"x{index}", -(1 << (bits - 1)), (1 << (bits - 1)) - 1))
        else:
            ports.append(Port.of_range(f"x{index}", 0, (1 << draw(st.integers(1, 63))) - 1))
    return ports


@settings(max_examples=60, deadline=None)
@given(_ports(), st.sampled_from([None, 8, 24, 32, 128]), st.booleans(), st.randoms())
def test_bytes_are_those_of_one_long_number(ports, beat_bits, low_first, random):
    layout = StreamLayout.of(ports, beat_bits, "low-first" if low_first else "high-first")
    codes = [[random.randint(port.low, port.high) for port in ports] for _ in range(3)]
    packed = layout.pack(np.array(codes, dtype=np.int64))
    assert packed.shape == (3, layout.beats, layout.beat_bits // 8)
    for sample, beats in zip(codes, packed, strict=True):
        number, bits = 0, 0
        for port, code in zip(ports, sample, strict=True):
            size = (port.width + 7) // 8 * 8
            number |= (code & ((1 << size) - 1)) << bits
            bits += size
        mask = (1 << layout.beat_bits) - 1
        words = [number >> low & mask for low in range(0, bits, layout.beat_bits)]
        sent = words if low_first else words[::-1]
        assert [int.from_bytes(beat.tobytes(), "little") for beat in beats] == sent
    assert (layout.unpack(packed) == codes).all()
    kept = sum(layout.keep(beat).bit_count() for beat in range(layout.beats))
    assert kept == sum((port.width + 7) // 8 for port in ports)
    assert layout.has_keep == (kept < packed[0].size)


def test_a_reader_ignores_bits_beyond_the_code():
    layout = StreamLayout.of([Port.of_range("y0", -4, 3), Port.of_range("y1", 0, 7)])
    beats = np.array([[[0xFD, 0xFD]]], dtype=np.uint8)
    assert layout.unpack(beats).tolist() == [[-3, 5]]


@pytest.mark.parametrize("bits", [0, 12, 1 << 14])
def test_widths_of_beats_are_bounded(bits):
    with pytest.raises(KanError, match=f"a beat of {bits} bits is not possible"):
        StreamLayout.of([Port.of_range("x0", 0, 3)], bits)


def _interface(latency: int = 3) -> Interface:
    inputs = (Port.of_range("x0", -8, 7), Port.of_range("x1", 0, 1000))
    outputs = (Port.of_range("y0", -2, 1),)
    return Interface("net", inputs, outputs, latency, combinational=latency == 0)


def test_ports_of_wrappers():
    ports = axi_stream_ports(_interface(), StreamChoice(16, None, user_bits=3))
    assert [(port.name, port.direction, port.bits) for port in ports] == [
        ("aclk", "input", 1),
        ("aresetn", "input", 1),
        ("s_axis_tvalid", "input", 1),
        ("s_axis_tready", "output", 1),
        ("s_axis_tdata", "input", 16),
        ("s_axis_tkeep", "input", 2),
        ("s_axis_tlast", "input", 1),
        ("s_axis_tuser", "input", 3),
        ("m_axis_tvalid", "output", 1),
        ("m_axis_tready", "input", 1),
        ("m_axis_tdata", "output", 8),
        ("m_axis_tlast", "output", 1),
        ("m_axis_tuser", "output", 3),
    ]
    names = [port.name for port in ready_valid_ports(_interface())]
    assert names == [
        "clk",
        "rst",
        "in_valid",
        "in_ready",
        "x0",
        "x1",
        "out_valid",
        "out_ready",
        "y0",
    ]
    assert wrapper_name("net", "axi-stream") == "net_axi_stream"


def test_combinational_designs_have_no_wrapper():
    require_clock("net", 0, "valid")
    with pytest.raises(KanError, match="net is combinational: it has no clock"):
        require_clock("net", 0, "axi-stream")
