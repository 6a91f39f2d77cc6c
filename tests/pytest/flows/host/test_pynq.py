"""The driver for PYNQ against a stub of pynq: its DMA, buffers, and the wrapper behind them."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kan_dialect.flows.design import Design
from kan_dialect.flows.host.codec import write_host
from kan_dialect.flows.host.drivers import write_drivers
from kan_dialect.ir.constants import IntArray
from kan_dialect.lowering.wrappers.wrapper_ports import StreamChoice
from kan_dialect.model.interface import Interface, Port

INTERFACE = Interface(
    "net",
    tuple(Port.of_range(f"x{i}", *ends, 0.25) for i, ends in enumerate([(-5, 900), (0, 63)])),
    tuple(Port.of_range(f"y{i}", *ends, 0.5) for i, ends in enumerate([(-700, 700), (0, 1000)])),
    latency=3,
)


def network(codes: IntArray) -> IntArray:
    """What the fabric computes here."""
    return np.stack([codes[:, 0] - 10 * codes[:, 1], codes[:, 0] + 5], axis=1)


class Buffer(np.ndarray[Any, np.dtype[np.uint8]]):
    """Memory that a DMA reaches."""

    alive = 0

    def freebuffer(self) -> None:
        Buffer.alive -= 1


def allocate(shape: tuple[int, ...], dtype: type) -> Buffer:
    Buffer.alive += 1
    made = np.full(shape, 0xA5, dtype=dtype).view(Buffer)
    return made


@dataclass
class Fabric:
    """A DMA engine and the wrapper that its streams go through."""

    stream: StreamChoice
    buffer_max_size: int
    receiving: Buffer | None = None
    transfers: list[int] = field(default_factory=list[int])
    lost: int = 0

    def __post_init__(self) -> None:
        self.sendchannel, self.recvchannel = Send(self), Receive(self)

    def run(self, data: NDArray[np.uint8]) -> None:
        assert self.receiving is not None, "the receiver was not started"
        assert max(data.nbytes, self.receiving.nbytes) < self.buffer_max_size
        source, result = self.stream.layouts(INTERFACE)
        beats = np.asarray(data).reshape(-1, source.beats, source.beat_bytes)
        self.transfers.append(len(beats))
        out = result.pack(network(source.unpack(beats))).reshape(-1)
        out = out[: len(out) - self.lost]
        self.receiving.reshape(-1)[: len(out)] = out
        self.recvchannel.transferred = len(out)


@dataclass
class Send:
    fabric: Fabric
    waiting: Buffer | None = None

    def transfer(self, array: Buffer) -> None:
        assert isinstance(array, Buffer)
        self.waiting = array

    def wait(self) -> None:
        assert self.waiting is not None
        self.fabric.run(self.waiting)


@dataclass
class Receive:
    fabric: Fabric
    transferred: int = 0

    def transfer(self, array: Buffer) -> None:
        assert isinstance(array, Buffer)
        self.fabric.receiving = array

    def wait(self) -> None:
        self.fabric.receiving = None


STREAMS = {
    "one beat": StreamChoice(),
    "beats": StreamChoice(input_beat_bits=32, output_beat_bits=16, order="high-first"),
}


@pytest.fixture(params=list(STREAMS))
def fabric(request: pytest.FixtureRequest) -> Fabric:
    return Fabric(STREAMS[request.param], 1 << 14)


@pytest.fixture
def driver(fabric: Fabric, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module, with a stub in place of pynq."""
    write_host(tmp_path, INTERFACE, fabric.stream)
    write_drivers(tmp_path, Design(INTERFACE, "axi-stream", fabric.stream))
    stub = ModuleType("pynq")
    stub.allocate = allocate  # type: ignore[attr-defined]
    bits = {"design.bit": ModuleType("overlay")}
    bits["design.bit"].axi_dma_0 = fabric  # type: ignore[attr-defined]
    stub.Overlay = bits.__getitem__  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pynq", stub)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "net_codec", raising=False)
    spec = importlib.util.spec_from_file_location("net_pynq", tmp_path / "net_pynq.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def random_codes(count: int) -> IntArray:
    low, high = (np.array([getattr(p, end) for p in INTERFACE.inputs]) for end in ("low", "high"))
    return np.random.default_rng(1).integers(low, high, (count, 2), endpoint=True)


@pytest.mark.parametrize("count", [0, 1, 7, 8, 50])
def test_samples_go_through_the_dma(driver: ModuleType, fabric: Fabric, count: int) -> None:
    """In transfers of 7 samples; the last one may be shorter."""
    before = Buffer.alive
    codes = random_codes(count)
    loaded = driver.Network.load("design.bit", samples=7)
    np.testing.assert_array_equal(loaded.run_codes(codes), network(codes))
    assert fabric.transfers == [7] * (count // 7) + ([count % 7] if count % 7 else [])
    x = (codes * 0.25)[:3]
    np.testing.assert_array_equal(loaded.predict(x), network(codes[:3]) * 0.5)
    if count:
        np.testing.assert_array_equal(loaded.predict(x[0]), network(codes[:1])[0] * 0.5)
    assert Buffer.alive == before


def test_transfers_fit_the_engine(driver: ModuleType, fabric: Fabric) -> None:
    source, result = fabric.stream.layouts(INTERFACE)
    size = max(source.sample_bytes, result.sample_bytes)
    fabric.buffer_max_size = 3 * size + 1
    codes = random_codes(10)
    found = driver.Network(fabric).run_codes(codes)
    np.testing.assert_array_equal(found, network(codes))
    assert fabric.transfers == [3, 3, 3, 1]
    fabric.buffer_max_size = size
    with pytest.raises(ValueError, match=rf"the DMA carries {size - 1} bytes, less than one"):
        driver.Network(fabric)


def test_lost_bytes_are_told(driver: ModuleType, fabric: Fabric) -> None:
    before = Buffer.alive
    fabric.lost = 1
    with pytest.raises(RuntimeError, match=r"the DMA received \d+ bytes, should be"):
        driver.Network(fabric).run_codes(random_codes(2))
    assert Buffer.alive == before


def test_only_streams_with_last_have_the_driver(tmp_path: Path) -> None:
    write_drivers(tmp_path, Design(INTERFACE))
    write_drivers(tmp_path, Design(INTERFACE, "axi-stream", StreamChoice(last=False)))
    assert not list(tmp_path.iterdir())
