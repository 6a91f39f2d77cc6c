"""Builds whose tables can be loaded: their files, hosts, testbenches and messages."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from commands import flow
from loadable_networks import network
from report_schema import valid_report
from vhdl_bench import require_ghdl

from kan_dialect.errors import KanError
from kan_dialect.flows.built_models import built_models
from kan_dialect.flows.host.loading import load_module
from kan_dialect.flows.host.table_file import MOST_WORDS, rewritten
from kan_dialect.flows.interfaces.register_simulation import play_accesses
from kan_dialect.flows.simulate.simulation import simulate
from kan_dialect.flows.tools import toolchain
from kan_dialect.model.interface import Interface, Port

OPTIONS = ("--interval", 4, "--loadable", "--target", "ecp5")


def built(folder: Path, shape: int, tables: int, *options: object, span: int = 0) -> Path:
    """A build of a network in a folder of its own."""
    source = folder / f"net{shape}_{tables}.mlir"
    source.write_text(str(network(shape, tables, span)))
    target = folder / source.stem
    assert flow("build", source, "-o", target, *OPTIONS, *options) == 0
    return target


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("first"), 7, 1)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("other"), 7, 2, "--simulator", "none")


@pytest.fixture(scope="module")
def on_a_bus(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two builds with registers, whose words are longer than one."""
    folder, options = tmp_path_factory.mktemp("bus"), ("--interface", "axi-lite", "--vectors", 30)
    first = built(folder, 5, 1, *options, span=60)
    return first, built(folder, 5, 2, *options, "--simulator", "none", span=60)


def codec(build: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("net_codec", build / "host" / "net_codec.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_port_is_simulated(first: Path) -> None:
    report = valid_report(first)
    words = codec(first).read_tables(first / "host" / "net_tables.bin")
    assert report["simulation"]["words"] == 2 * len(words)
    assert report["simulation"]["mismatches"] == 0


def test_any_words_are_proven(first: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if toolchain.look_for("yosys") is None:
        pytest.skip("Yosys is not installed")
    assert flow("prove", first, "--report") == 0
    assert "layer1 addresses, any tables" in capsys.readouterr().out
    assert valid_report(first)["proof"]["any_words"] is True


def test_words_of_another_build(first: Path, other: Path) -> None:
    integer, _ = built_models(other)
    _, hardware = built_models(first)
    words = codec(first).read_tables(other / "host" / "net_tables.bin")
    interface = hardware.interface()
    rng = np.random.default_rng(0)
    columns = [rng.integers(port.low, port.high, 200, endpoint=True) for port in interface.inputs]
    codes = np.stack(columns, axis=1)
    got = simulate(first / "rtl" / "net.sv", interface, codes, accesses=words)
    np.testing.assert_array_equal(got, integer.run_codes(codes))


def test_c_reads_the_words(first: Path, other: Path, tmp_path: Path) -> None:
    """The C header gives the words of the Python codec, and refuses what it refuses."""
    (tmp_path / "words.c").write_text(
        "#include <stdio.h>\n"
        '#include "net_codec.h"\n'
        "int main(void)\n{\n"
        "    static uint8_t file[1 << 16];\n"
        "    const uint64_t size = fread(file, 1, sizeof file, stdin);\n"
        "    const int64_t words = net_table_words(file, size);\n"
        '    printf("%d\\n", (int)words);\n'
        "    for (int64_t word = 0; word < words; ++word) {\n"
        "        uint64_t address, data;\n"
        "        net_table_word(file, word, &address, &data);\n"
        '        printf("%llu %llu\\n", (unsigned long long)address, (unsigned long long)data);\n'
        "    }\n    return 0;\n}\n"
    )
    compiler = shutil.which("cc") or pytest.skip("no C compiler")
    flags = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", f"-I{first / 'host'}"]
    subprocess.run([compiler, *flags, "-o", "words", "words.c"], cwd=tmp_path, check=True)

    def printed(data: bytes) -> str:
        return subprocess.run([tmp_path / "words"], input=data, capture_output=True).stdout.decode()

    path = other / "host" / "net_tables.bin"
    data = path.read_bytes()
    words = codec(first).read_tables(path).tolist()
    lines = [str(len(words)), *(f"{address} {word}" for address, word in words)]
    assert printed(data).split("\n") == [*lines, ""]
    assert printed(data[:-1]) == "-1\n"
    assert printed(b"") == "-1\n"
    assert printed(b"X" + data[1:]) == "-1\n"
    assert printed(data[:8] + bytes([data[8] ^ 1]) + data[9:]) == "-2\n"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:-1], "expected the file NAME_tables.bin"),
        (lambda data: b"", "expected the file NAME_tables.bin"),
        (lambda data: b"X" + data[1:], "expected the file NAME_tables.bin"),
        (lambda data: data[:8] + b"\0" + data[9:], "other logic between its tables"),
        (
            lambda data: data[:8] + b"\0" + data[9:].replace(b"x0: codes 0", b"x0: codes 1"),
            "'x0: codes 1 to 15', and the hardware has 'x0: codes 0 to 15'",
        ),
    ],
)
def test_other_files(first: Path, tmp_path: Path, change: object, message: str) -> None:
    assert callable(change)
    (tmp_path / "other.bin").write_bytes(change((first / "host" / "net_tables.bin").read_bytes()))
    with pytest.raises(ValueError, match=re.escape(message)):
        codec(first).read_tables(tmp_path / "other.bin")


def test_testbench_loads_the_tables(first: Path, tmp_path: Path) -> None:
    """The testbench in SystemVerilog passes in Icarus, and fails where the port writes nothing."""
    if shutil.which("iverilog") is None:
        pytest.skip("Icarus Verilog is not installed")
    sim = shutil.copytree(first / "sim", tmp_path / "sim")
    rtl = (first / "rtl" / "net.sv").read_text()

    def played(text: str) -> str:
        (sim / "net.sv").write_text(text)
        command = ["iverilog", "-g2012", "-s", "net_tb", "-o", "tb.vvp", "net_tb.sv", "net.sv"]
        subprocess.run(command, cwd=sim, check=True)
        return subprocess.run(["vvp", "-n", "tb.vvp"], cwd=sim, capture_output=True).stdout.decode()

    assert "PASS" in played(rtl)
    stuck = re.sub(r"<= mem_data;", "<= ~mem_data;", rtl)
    assert stuck != rtl
    assert "FAIL: vector" in played(stuck)


def test_vhdl(tmp_path: Path) -> None:
    """The same network in VHDL, with its port, in GHDL."""
    require_ghdl()
    build = built(tmp_path, 7, 1, "--vhdl", "--simulator", "icarus")
    report = json.loads((build / "report.json").read_text())
    assert report["vhdl"]["mismatches"] == 0


def test_rewritten_words() -> None:
    """The inverse comes first; of many words, some are chosen, each at its address."""
    ports = (Port("mem_address", 17, 0, (1 << 17) - 1), Port("mem_data", 3, 0, 7))
    x, y = Port("x0", 1, 0, 1), Port("y0", 1, 0, 1)
    interface = Interface("net", (x,), (y,), 9, interval=2, memory=ports)
    words = np.stack([np.arange(2 * MOST_WORDS), np.arange(2 * MOST_WORDS) % 8], axis=1)
    found = rewritten(words, interface)
    inverse, again = found[:MOST_WORDS], found[MOST_WORDS:]
    np.testing.assert_array_equal(again[:, 0], np.unique(again[:, 0]))
    np.testing.assert_array_equal(again[:, 1], again[:, 0] % 8)
    np.testing.assert_array_equal(inverse, again ^ [0, 7])


# Registers


@dataclass
class Registers:
    """The registers of a build, of the class pynq.MMIO. Words are written to an array."""

    build: Path

    def __post_init__(self) -> None:
        self.offsets = {
            each["name"]: each["offset"]
            for each in valid_report(self.build)["interface"]["registers"]
        }
        header = (self.build / "host" / "net_registers.h").read_text()
        self.held = dict.fromkeys(self.offsets.values(), 0)
        for name in ("ID", "HASH"):
            value = re.search(rf"NET_{name}_VALUE (\w+)u", header)
            assert value is not None
            self.held[self.offsets[name]] = int(value[1], 16)
        self.words: list[list[int]] = []

    def read(self, offset: int) -> int:
        return self.held[offset]

    def write(self, offset: int, value: int) -> None:
        assert 0 <= value < 1 << 32
        self.held[offset] = value
        if offset == self.offsets["MEM_DATA_1"]:
            low = self.held[self.offsets["MEM_DATA_0"]]
            self.words.append([self.held[self.offsets["MEM_ADDRESS"]], value << 32 | low])
            self.held[self.offsets["MEM_ADDRESS"]] += 1


def test_registers_are_simulated_and_proven(
    on_a_bus: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    first, other = on_a_bus
    simulated = valid_report(first)["interface"]["simulation"]
    words = len(codec(first).read_tables(first / "host" / "net_tables.bin"))
    # Two registers a word, each word twice.
    assert simulated["accesses"] > 4 * words
    hashes = [(build / "host" / "net_registers.h").read_text() for build in on_a_bus]
    assert hashes[0] == hashes[1]
    for tool in ("yosys", "iverilog"):
        if not toolchain.look_for(tool):
            pytest.skip(f"{tool} is not installed")
    assert flow("prove", first) == 0
    shown = "".join(capsys.readouterr().out.split("\n"))
    assert "with the words that were written before its start" in shown
    # The testbench fails where the wrapper loses words.
    rtl = (first / "rtl" / "net.sv", first / "rtl" / "net_axi_lite.sv")
    text = rtl[1].read_text()
    changed = other / "rtl" / "net_axi_lite.sv"
    changed.write_text(text.replace("word_taken ? next_address", "word_taken ? mem_address_byte0"))
    assert changed.read_text() != text
    with pytest.raises(KanError, match="wrong data"):
        play_accesses(first / "sim", (rtl[0], changed), "net_axi_lite", "icarus")


def test_pynq_writes_the_words(
    on_a_bus: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver of another build writes its words to the hardware of the first one."""
    first, other = on_a_bus
    stub = ModuleType("pynq")
    stub.MMIO = stub.Overlay = None  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pynq", stub)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "net_codec", raising=False)
    registers, driver = Registers(first), load_module(other / "host" / "net_pynq.py")
    network = driver.Network(registers)
    path = other / "host" / "net_tables.bin"
    network.load_tables(path)
    assert registers.words == codec(first).read_tables(path).tolist()
    with pytest.raises(ValueError, match=r"expected the file NAME_tables\.bin"):
        network.load_tables(other / "report.json")


def test_uio_writes_the_words(on_a_bus: tuple[Path, Path], tmp_path: Path) -> None:
    """The example in C writes the same, and says why it refuses a file."""
    first, other = on_a_bus
    compiler = shutil.which("cc") or pytest.skip("no C compiler")
    host, source = other / "host", tmp_path / "net_uio.c"
    text, write = (host / "net_uio.c").read_text(), "registers[offset / 4] = value;"
    assert text.count(write) == 1
    printed = f'{write} printf("%d %u\\n", offset, (unsigned)value);'
    source.write_text(text.replace(write, printed))
    flags = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", f"-I{host}"]
    subprocess.run([compiler, *flags, "-o", "uio", source], cwd=tmp_path, check=True)
    registers = Registers(first)
    words = [registers.held.get(4 * place, 0) for place in range(1024)]
    (tmp_path / "uio0").write_bytes(np.array(words, "<u4").tobytes())

    def run(file: Path) -> subprocess.CompletedProcess[str]:
        command = [tmp_path / "uio", tmp_path / "uio0", file]
        return subprocess.run(command, input="", capture_output=True, text=True)

    done = run(host / "net_tables.bin")
    assert (done.returncode, done.stderr) == (0, "")
    for line in done.stdout.splitlines():
        registers.write(*map(int, line.split()))
    assert registers.words == codec(first).read_tables(host / "net_tables.bin").tolist()
    data = (host / "net_tables.bin").read_bytes()
    (tmp_path / "other.bin").write_bytes(data[:8] + bytes([data[8] ^ 1]) + data[9:])
    for file, message in (
        (tmp_path / "nowhere.bin", "No such file"),
        (tmp_path / "other.bin", "its tables do not fit this hardware"),
        (other / "report.json", "expected the file net_tables.bin of a build"),
    ):
        done = run(file)
        assert (done.returncode, done.stdout) == (1, "") and message in done.stderr


@pytest.mark.parametrize(
    "options", [("--interface", "ready-valid"), ("--interface", "axi-stream"), ("--clock-enable",)]
)
def test_other_wrappers_are_proven(
    options: tuple[object, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if toolchain.look_for("yosys") is None:
        pytest.skip("Yosys is not installed")
    build = built(tmp_path, 34, 1, *options, "--simulator", "none", "--vectors", 10)
    ports = {port["name"] for port in valid_report(build)["interface"]["ports"]}
    assert {"mem_valid", "mem_ready", "mem_address", "mem_data"} <= ports
    assert flow("prove", build) == 0
    assert capsys.readouterr().out.count("in SystemVerilog: ") == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--interval", 1), "loadable needs memories"),
        (("--interval", 1, "--interface", "axi-lite"), "loadable needs memories"),
    ],
)
def test_messages(
    tmp_path: Path, options: tuple[object, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "net.mlir").write_text(str(network(7, 1)))
    command = ("build", tmp_path / "net.mlir", "-o", tmp_path / "out", "--loadable", *options)
    assert flow(*command) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
