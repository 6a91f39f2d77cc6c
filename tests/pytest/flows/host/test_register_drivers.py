"""Drivers of AXI4-Lite registers against registers of a stub: PYNQ's MMIO, and a mapped file."""

from __future__ import annotations

import importlib.util
import mmap
import shutil
import struct
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from xdsl.dialects import hw
from xdsl.universe import Universe

from kan_dialect.flows.design import Design
from kan_dialect.flows.host.codec import write_host
from kan_dialect.flows.host.drivers import write_drivers
from kan_dialect.frontends.loading import make_context, parse_text
from kan_dialect.ir.constants import IntArray
from kan_dialect.lowering.wrappers.register_map import RegisterMap, register_map
from kan_dialect.model.interface import Interface
from kan_dialect.model.model import Model
from kan_dialect.passbase.pipeline import build_pipeline

WIRES = """
func.func @net(
  %x: !kan.int<-300:900> {kan.encoding = !quant.uniform<i16:f32, 0.25:0>},
  %w: !kan.int<0:1099511627775>, %s: !kan.int<-549755813888:549755813887>
) -> (!kan.int<-299:901> {kan.encoding = !quant.uniform<i16:f32, 0.5:0>},
      !kan.int<-549755813888:1649267441662>, !kan.int<0:1099511627775>) {
  %one = kan.constant 1 : !kan.int<1:1>
  %a = kan.sum %x, %one : !kan.int<-300:900>, !kan.int<1:1> -> !kan.int<-299:901>
  %b = kan.sum %w, %s : !kan.int<0:1099511627775>, !kan.int<-549755813888:549755813887>
    -> !kan.int<-549755813888:1649267441662>
  func.return %a, %b, %w : !kan.int<-299:901>, !kan.int<-549755813888:1649267441662>,
    !kan.int<0:1099511627775>
}
"""


def network(codes: IntArray) -> IntArray:
    """What the fabric computes here."""
    return np.stack([codes[:, 0] + 1, codes[:, 1] + codes[:, 2], codes[:, 1]], axis=1)


@dataclass
class Built:
    interface: Interface
    registers: RegisterMap
    folder: Path

    def values(self, word: object, letter: str) -> list[int]:
        """Codes in the registers of ports."""
        found: list[int] = []
        for port in self.registers.ports:
            if port.name[0] == letter:
                registers = self.registers.of_port(port.name)
                bits = sum(word(each.offset) << each.low for each in registers)  # type: ignore[operator]
                size = 32 * len(registers)
                negative = port.signed and bits >> (size - 1)
                found.append(bits - (1 << size) if negative else bits)
        return found

    def results(self, codes: list[int]) -> dict[int, int]:
        """Words of the output registers, filled by the sign."""
        row = network(np.array([codes]))[0].tolist()
        return {
            each.offset: code >> each.low & 0xFFFFFFFF
            for index, code in enumerate(row)
            for each in self.registers.of_port(f"y{index}")
        }


@pytest.fixture(scope="module")
def design(tmp_path_factory: pytest.TempPathFactory) -> Built:

    context = make_context()
    module = parse_text(context, WIRES.encode(), "wires")
    passes = Universe.get_multiverse().all_passes
    for stage in build_pipeline(passes, "kan-schedule{cycles=1},lower-kan-to-hw"):
        stage.apply(context, module)
    circuit = Model.of(module)
    assert isinstance(circuit.op, hw.HWModuleOp)
    interface = circuit.interface()
    registers = register_map(circuit.op, interface.latency)
    folder = tmp_path_factory.mktemp("host")
    write_host(folder, interface)
    write_drivers(folder, Design(interface, "axi-lite", registers=registers))
    return Built(interface, registers, folder)


def codes_of(design: Built, count: int) -> IntArray:
    ends = [[getattr(p, end) for p in design.interface.inputs] for end in ("low", "high")]
    low, high = ends
    codes = np.random.default_rng(1).integers(low, high, (count, 3), endpoint=True)
    codes[0], codes[1] = ends
    return codes


@dataclass
class Registers:
    """The stub of pynq.MMIO."""

    design: Built
    is_done: bool = True
    words: dict[int, int] = field(default_factory=dict[int, int])

    def __post_init__(self) -> None:
        self.words = {each.offset: each.value for each in self.design.registers.registers}

    def read(self, offset: int) -> int:
        return self.words[offset]

    def write(self, offset: int, value: int) -> None:
        assert 0 <= value < 1 << 32
        if offset != self.design.registers.named("CONTROL").offset:
            self.words[offset] = value
            return
        assert value == 1
        codes = self.design.values(self.words.__getitem__, "x")
        self.words |= self.design.results(codes)
        self.words[self.design.registers.named("STATUS").offset] = 2 * self.is_done


@pytest.fixture
def driver(design: Built, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    stub = ModuleType("pynq")
    blocks = {"net_axi_lite_0": {"phys_addr": 0x43C00000, "addr_range": 0x1000}}
    overlay = ModuleType("overlay")
    overlay.ip_dict = blocks  # type: ignore[attr-defined]
    stub.Overlay = {"design.bit": overlay}.__getitem__  # type: ignore[attr-defined]

    def mmio(base: int, size: int) -> Registers:
        assert (base, size) == (0x43C00000, 0x1000)
        return Registers(design)

    stub.MMIO = mmio  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pynq", stub)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "net_codec", raising=False)
    spec = importlib.util.spec_from_file_location("net_pynq", design.folder / "net_pynq.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_samples_go_through_registers(design: Built, driver: ModuleType) -> None:
    codes = codes_of(design, 50)
    loaded = driver.Network.load("design.bit")
    np.testing.assert_array_equal(loaded.run_codes(codes), network(codes))
    np.testing.assert_array_equal(loaded.run_codes(codes[2]), network(codes)[2])
    scale = np.array([port.scale for port in design.interface.outputs])
    x = codes * [port.scale for port in design.interface.inputs]
    np.testing.assert_array_equal(loaded.predict(x), network(codes) * scale)
    with pytest.raises(ValueError, match="expected 3 codes a sample"):
        loaded.run_codes(codes[:, 1:])


def test_other_registers_are_refused(design: Built, driver: ModuleType) -> None:
    registers = Registers(design)
    registers.words[design.registers.named("HASH").offset] += 1
    with pytest.raises(ValueError, match="not those of this build"):
        driver.Network(registers)
    with pytest.raises(TimeoutError, match=r"net: not done after 0\.01 s"):
        driver.Network(Registers(design, is_done=False), timeout=0.01).run_codes([0, 0, 0])


class MappedFile:
    """A file in place of /dev/uio0, and a thread in place of the fabric."""

    def __init__(self, design: Built, path: Path) -> None:
        self.design = design
        path.write_bytes(bytes(4096))
        with path.open("r+b") as file:
            self.map = mmap.mmap(file.fileno(), 4096)
        for each in design.registers.registers:
            self.store(each.offset, each.value)
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def load(self, offset: int) -> int:
        return struct.unpack_from("<I", self.map, offset)[0]

    def store(self, offset: int, value: int) -> None:
        struct.pack_into("<I", self.map, offset, value)

    def run(self) -> None:
        control, status = (
            self.design.registers.named(name).offset for name in ("CONTROL", "STATUS")
        )
        while not self.stopped.wait(0.001):
            if self.load(control) == 1:
                for offset, word in self.design.results(self.design.values(self.load, "x")).items():
                    self.store(offset, word)
                self.store(control, 0)
                self.store(status, 2)


@pytest.fixture(scope="module")
def program(design: Built) -> Path:
    """NAME_uio.c, compiled without a warning."""
    cc = shutil.which("cc")
    if cc is None or sys.platform != "linux":
        pytest.skip("no C compiler is installed, or this is not Linux")
    options = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]
    command = [cc, *options, "-o", "net_uio", "net_uio.c"]
    subprocess.run(command, cwd=design.folder, check=True)
    return design.folder / "net_uio"


def test_the_example_runs_a_sample(design: Built, program: Path, tmp_path: Path) -> None:
    for codes in codes_of(design, 4):
        mapped = MappedFile(design, tmp_path / "uio0")
        mapped.thread.start()
        x = codes * [port.scale for port in design.interface.inputs]
        result = subprocess.run(
            [program, tmp_path / "uio0"],
            input=" ".join(map(repr, x.tolist())),
            capture_output=True,
            text=True,
        )
        mapped.stopped.set()
        mapped.thread.join()
        assert (result.returncode, result.stderr) == (0, "")
        expected = network(codes[np.newaxis])[0] * [p.scale for p in design.interface.outputs]
        assert [float(each) for each in result.stdout.split()] == expected.tolist()


def test_the_example_tells_what_is_wrong(design: Built, program: Path, tmp_path: Path) -> None:
    mapped = MappedFile(design, tmp_path / "uio0")

    def told(text: str, path: Path | str = tmp_path / "uio0") -> str:
        result = subprocess.run([program, path], input=text, capture_output=True, text=True)
        assert result.returncode == 1
        return result.stderr

    assert "nowhere: No such file" in told("", "nowhere")
    assert "expected 3 numbers a sample" in told("1 2")
    assert "an input is not a number" in told("1 nan 2")
    assert "not done after a second" in told("1 2 3")
    mapped.store(design.registers.named("ID").offset, 0)
    assert "not the registers of this build of net" in told("1 2 3")


def test_other_interfaces_have_no_such_drivers(design: Built, tmp_path: Path) -> None:
    write_drivers(tmp_path, Design(design.interface, "ready-valid"))
    write_drivers(tmp_path, Design(design.interface))
    assert not list(tmp_path.iterdir())
