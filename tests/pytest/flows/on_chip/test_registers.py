"""`kan-flow build --trainable --interface axi-lite`: training and coefficients in registers."""

from __future__ import annotations

import mmap
import re
import shlex
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from commands import flow
from report_schema import valid_report
from xdsl.context import Context

import kan_dialect
from kan_dialect.errors import KanError
from kan_dialect.flows.design import Design
from kan_dialect.flows.host.drivers import write_drivers
from kan_dialect.flows.host.loading import load_module
from kan_dialect.flows.interfaces.register_bench import write_register_bench
from kan_dialect.flows.interfaces.register_simulation import PlayedAccesses, play_accesses
from kan_dialect.flows.on_chip.register_accesses import training_accesses
from kan_dialect.flows.simulate.simulation import SimulatorName
from kan_dialect.flows.tools.toolchain import find_simulator
from kan_dialect.frontends.loading import load_model, make_context
from kan_dialect.ir.attributes.module_attributes import training_cycles
from kan_dialect.ir.fixed_point import to_real
from kan_dialect.ir.types import tensor_shape
from kan_dialect.lowering.on_chip.training_to_hw import LowerTrainingToHwPass
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.lowering.wrappers.register_map import RegisterMap, c_header, register_map
from kan_dialect.lowering.wrappers.wrap_interface import WrapInterfacePass
from kan_dialect.model.on_chip.coefficient_memory import memory_map
from kan_dialect.model.on_chip.training_step import Step, infer, run_steps, step_of
from kan_dialect.passes.make_trainable import MakeTrainablePass
from lint import require_silent
from tracker import TRACKER, needs_verilator
from training_reference import random_network
from vhdl_modules import circuits_of

needs_icarus = pytest.mark.skipif(
    find_simulator("icarus") is None, reason="Icarus Verilog is not installed"
)
AXI_LITE = ["--trainable", "--interface", "axi-lite"]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("registers") / "tracker"
    options = ["--learning-rate", "0.15", "--simulator", "none", "--vectors", "40"]
    assert flow("build", TRACKER, *AXI_LITE, *options, "-o", folder) == 0
    return folder


def play(
    folder: Path, simulator: SimulatorName = "icarus", change: Callable[[str], str] = lambda s: s
) -> PlayedAccesses:
    """Play the accesses of a build, whose wrapper may be changed."""
    name = next(path.stem for path in (folder / "rtl").glob("*_axi_lite.sv"))
    changed = folder / f"{name}.sv"
    changed.write_text(change((folder / "rtl" / f"{name}.sv").read_text()))
    core = folder / "rtl" / f"{name.removesuffix('_axi_lite')}.sv"
    return play_accesses(folder / "sim", [core, changed], name, simulator)


def test_a_build_has_the_wrapper_and_its_registers(built: Path) -> None:
    report = valid_report(built)
    interface = report["interface"]
    assert (interface["name"], interface["top"]) == ("axi-lite", "tracker_axi_lite")
    assert interface["latency_cycles"] == report["latency_cycles"] == 4
    module = load_model(make_context(), built / "ir" / "05-kan-wrap-interface.mlir")
    core = circuits_of(module)[0]
    registers = register_map(core, 4).registers
    assert [each["name"] for each in interface["registers"]] == [each.name for each in registers]
    names = ["X0", "T0", "MEM_ADDRESS", "MEM_DATA", "Y0", "MEM_READ_DATA"]
    assert [each.name for each in registers[9:]] == names
    assert (built / "host" / "tracker_registers.h").read_text() == c_header("tracker", registers)
    assert report["project"]["top"] == "tracker_axi_lite"
    assert emit_systemverilog(module, {"tracker"}) == (built / "rtl" / "tracker.sv").read_text()
    patterns = re.findall(r"^\| `([^`]+)` \|", (built / "README.md").read_text(), re.M)
    found = {path for pattern in patterns for path in built.glob(pattern)}
    assert found == {path for path in built.rglob("*") if path.is_file()} - {built / "README.md"}


@needs_icarus
def test_the_testbench_runs_as_it_says(built: Path) -> None:
    text = (built / "sim" / "tracker_axi_lite_tb.sv").read_text()
    command = re.search(r"\$ (iverilog .*?\n.*?)\n// or", text, re.DOTALL)
    assert command is not None
    line = command[1].replace("\\\n//", "")
    printed = ""
    for part in line.split("&&"):
        done = subprocess.run(shlex.split(part), cwd=built / "sim", capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        printed = done.stdout
    (built / "sim" / "tracker_axi_lite_tb.vvp").unlink()
    lines = (built / "sim" / "tracker_axi_lite_accesses.hex").read_text().split()
    assert re.search(rf"^PASS: {len(lines)} accesses, \d+ cycles$", printed, re.M)
    assert play(built).accesses == len(lines) > 200


@needs_icarus
@pytest.mark.parametrize(
    ("found", "replaced", "told"),
    [
        (".train(sample_trains)", ".train(1'b1)", "wrong data"),
        ("mem_writes <= ", "mem_writes <= 1'b0 & ", "wrong data"),
        ("write_failed, 1'b0", "1'b0, 1'b0", "wrong answer"),
    ],
)
def test_the_testbench_finds_a_wrong_wrapper(
    built: Path, found: str, replaced: str, told: str
) -> None:
    """Samples that always train, coefficients that are not loaded, refusals that are not told."""

    def change(text: str) -> str:
        assert found in text, text
        return text.replace(found, replaced)

    with pytest.raises(KanError, match=told):
        play(built, change=change)


def written(folder: Path, seed: int, **options: Any) -> None:
    """A random network that trains, with registers, and accesses with random pauses."""
    rng = np.random.default_rng(seed)
    shapes = ([1, 2, 1], [2, 1], [2, 3]) if seed % 2 else ([2, 3], [3], [2])
    module = random_network(rng, *map(list, shapes))
    MakeTrainablePass(seed=seed, **options).apply(Context(), module)
    step = step_of(module.clone())
    LowerTrainingToHwPass().apply(Context(), module)
    (core,) = circuits_of(module)
    registers = register_map(core, training_cycles(core)[0])
    WrapInterfacePass(interface="axi-lite").apply(Context(), module)
    name = core.sym_name.data
    (folder / "rtl").mkdir()
    for top in (name, f"{name}_axi_lite"):
        (folder / "rtl" / f"{top}.sv").write_text(emit_systemverilog(module, {top}))
    samples = 60
    inputs = step.encode(rng.uniform(-1.2, 1.2, (samples, shapes[0][0])))
    targets = step.encode_targets(rng.uniform(-1, 1, (samples, shapes[0][-1])))
    train = rng.random(samples) < 0.8
    accesses = training_accesses(step, registers, inputs, targets, train, seed=seed)
    write_register_bench(folder / "sim", f"{name}_axi_lite", registers, accesses)


CASES: list[tuple[int, dict[str, Any]]] = [
    (0, {"error": "fed"}),
    (1, {"momentum": 0.5, "weight_decay": 0.01}),
    (2, {"integer_bits": 8, "fraction_bits": 20}),
]


@needs_icarus
@pytest.mark.parametrize(("seed", "options"), CASES)
def test_random_accesses_are_those_of_the_integer_model(
    seed: int, options: dict[str, Any], tmp_path: Path
) -> None:
    """Every output before its update, and every coefficient: loaded, read between, at the end."""
    written(tmp_path, seed, **options)
    assert play(tmp_path).accesses > 500


@pytest.mark.ci
@needs_verilator
@pytest.mark.parametrize(("seed", "options"), CASES[:1])
def test_random_accesses_in_verilator(seed: int, options: dict[str, Any], tmp_path: Path) -> None:
    written(tmp_path, seed, **options)
    assert play(tmp_path, "verilator").accesses > 500


def test_linters_have_nothing_to_say(built: Path, tmp_path: Path) -> None:
    files = [built / "rtl" / f"{name}.sv" for name in ("tracker", "tracker_axi_lite")]
    require_silent(tmp_path, files, "--top", "tracker_axi_lite")


@needs_verilator
def test_python_builds_the_same(built: Path, tmp_path: Path) -> None:
    """The build compares in Verilator, and the wrapper is that of the command."""
    network = kan_dialect.load(TRACKER)
    x = np.linspace(-2, 2, 40).reshape(-1, 1)
    options: dict[str, Any] = {"learning_rate": 0.15, "interface": "axi-lite"}
    data = {"x": x, "y": np.sin(x[:, 0])}
    found = network.build(tmp_path / "out", trainable=True, data=data, **options)
    report = found.report
    assert report["simulation"]["trained"] == 40
    assert report["interface"]["simulation"]["accesses"] > 200
    for name in ("tracker", "tracker_axi_lite"):
        text = (tmp_path / "out" / "rtl" / f"{name}.sv").read_text()
        assert text == (built / "rtl" / f"{name}.sv").read_text()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--interface", "ready-valid"], "hardware that trains itself has no interface ready-vali"),
        (["--interface", "axi-stream"], "hardware that trains itself has no interface axi-stream"),
        (["--clock-enable"], "hardware that trains itself has no clock enable"),
        (["--interface", "axi-lite", "--beat-bits", "32"], "beat-bits has no meaning with the int"),
    ],
)
def test_other_interfaces_are_refused(
    options: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert flow("build", TRACKER, "--trainable", *options, "-o", tmp_path / "out") == 1
    error = capsys.readouterr().err
    assert told in error and "Traceback" not in error
    assert not (tmp_path / "out").exists()


def test_python_refuses_the_same(tmp_path: Path) -> None:
    network = kan_dialect.load(TRACKER)
    folder = tmp_path / "out"
    with pytest.raises(KanError, match="has no interface ready-valid"):
        network.build(folder, trainable=True, interface="ready-valid")
    with pytest.raises(KanError, match="there is no option bits"):
        network.build(folder, trainable=True, bits=4)
    with pytest.raises(KanError, match="no other pipeline"):
        network.build(folder, trainable=True, passes="lower-kan-to-hw")
    with pytest.raises(KanError, match="simulator takes verilator, icarus or none"):
        network.build(folder, trainable=True, simulator="ghdl")


# The driver for PYNQ


@dataclass
class Fabric:
    """The stub of pynq.MMIO: registers of the map around the integer model."""

    step: Step
    registers: RegisterMap
    words: dict[int, int] = field(default_factory=dict[int, int])

    def __post_init__(self) -> None:
        self.states = self.step.initial()
        self.memory = memory_map(self.step)
        self.words = {each.offset: each.value for each in self.registers.registers}
        self.at = {each.name: each.offset for each in self.registers.registers}

    def read(self, offset: int) -> int:
        return self.words[offset]

    def code(self, name: str) -> int:
        (register,) = self.registers.of_port(name)
        word = self.words[register.offset] & (1 << register.bits) - 1
        assert register.port is not None
        negative = register.port.signed and word >> (register.bits - 1)
        return word - (1 << register.bits) if negative else word

    def write(self, offset: int, value: int) -> None:
        assert 0 <= value < 1 << 32
        assert next(e for e in self.registers.registers if e.offset == offset).is_writable
        if offset == self.at["CONTROL"]:
            inputs, targets = (tensor_shape(v)[0] for v in (self.step.input, self.step.target))
            x = np.array([[self.code(f"x{i}") for i in range(inputs)]])
            letter = "e" if self.step.fed_error else "t"
            t = np.array([[self.code(f"{letter}{i}") for i in range(targets)]])
            train = np.array([bool(value & 2)])
            run = run_steps(self.step, x, t, train, self.states)
            self.states = run.states
            for index, code in enumerate(run.outputs[0].tolist()):
                self.words[self.at[f"Y{index}"]] = code & 0xFFFFFFFF
            self.words[self.at["STATUS"]] = 2
        elif offset == self.at["MEM_CONTROL"]:
            for layer in range(len(self.states)):
                places = np.argwhere(self.memory.addresses(layer) == self.code("mem_address"))
                for place in map(tuple, places.tolist()):
                    if value == 2:
                        self.states[layer][place] = self.code("mem_data")
                    self.words[self.at["MEM_READ_DATA"]] = int(self.states[layer][place]) % (
                        1 << 32
                    )
            self.words[self.at["STATUS"]] = 8
        else:
            self.words[offset] = value


@pytest.mark.parametrize("options", [{}, {"error": "fed", "momentum": 0.5}])
def test_the_driver_trains_and_loads_coefficients(
    options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(5)
    module = random_network(rng, [2, 3, 2], [3, 1], [2, 3])
    MakeTrainablePass(**options).apply(Context(), module)
    step = step_of(module.clone())
    LowerTrainingToHwPass().apply(Context(), module)
    registers = register_map(circuits_of(module)[0], 5)
    write_drivers(tmp_path, Design.of_step(step, 5, 0, registers))
    stub = ModuleType("pynq")
    stub.MMIO = stub.Overlay = None  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pynq", stub)
    driver: Any = load_module(tmp_path / "net_pynq.py")
    fabric = Fabric(step, registers)
    network = driver.Network(fabric)

    x, t = rng.uniform(-1.2, 1.2, (30, 2)), rng.uniform(-1, 1, (30, 2))
    run = run_steps(step, step.encode(x), step.encode_targets(t))
    np.testing.assert_array_equal(network.train(x, t), step.decode(run.outputs))
    number = step.number
    assert number is not None
    found = network.coefficients()
    assert len(found) == len(run.states)
    for layer, state in zip(found, run.states, strict=True):
        np.testing.assert_array_equal(layer, to_real(state, number))
    again = infer(step, step.encode(x), run.states)
    np.testing.assert_array_equal(network.predict(x), step.decode(again))

    loaded = [np.round(rng.uniform(-1, 1, layer.shape) * 8) / 8 for layer in found]
    network.load_coefficients(loaded)
    for state, layer in zip(fabric.states, loaded, strict=True):
        np.testing.assert_array_equal(to_real(state, number), layer)
    with pytest.raises(ValueError, match=r"shape \(samples, 2\)"):
        network.predict(x[:, :1])
    with pytest.raises(ValueError, match="30 samples, 29 of"):
        network.train(x, t[1:])
    with pytest.raises(ValueError, match="expected coefficients of shapes"):
        network.load_coefficients(loaded[1:])
    with pytest.raises(ValueError, match="a value is NaN"):
        network.predict(x * np.nan)
    fabric.words[fabric.at["HASH"]] += 1
    with pytest.raises(ValueError, match="not those of this build"):
        driver.Network(fabric)


def test_a_driver_waits_no_longer_than_it_is_told(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub = ModuleType("pynq")
    stub.MMIO = stub.Overlay = None  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pynq", stub)
    driver: Any = load_module(built / "host" / "tracker_pynq.py")
    module = load_model(make_context(), built / "ir" / "05-kan-wrap-interface.mlir")
    words = {each.offset: each.value for each in register_map(circuits_of(module)[0], 4).registers}
    stopped = ModuleType("mmio")
    stopped.read = words.__getitem__  # type: ignore[attr-defined]
    stopped.write = words.__setitem__  # type: ignore[attr-defined]
    with pytest.raises(TimeoutError, match=r"tracker: not done after 0\.01 s"):
        driver.Network(stopped, timeout=0.01).predict([[0.5]])


# The example for Linux


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Fabric]:
    """NAME_uio.c of a random network, compiled without a warning, and its fabric."""
    cc = shutil.which("cc")
    if cc is None or sys.platform != "linux":
        pytest.skip("no C compiler is installed, or this is not Linux")
    folder = tmp_path_factory.mktemp("uio")
    module = random_network(np.random.default_rng(6), [2, 2], [3], [2])
    MakeTrainablePass(learning_rate=0.2).apply(Context(), module)
    step = step_of(module.clone())
    LowerTrainingToHwPass().apply(Context(), module)
    registers = register_map(circuits_of(module)[0], 5)
    write_drivers(folder, Design.of_step(step, 5, 0, registers))
    header = c_header(step.name, registers.registers)
    (folder / f"{step.name}_registers.h").write_text(header)
    options = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]
    program = folder / "uio"
    command = [cc, *options, "-o", program, f"{step.name}_uio.c", "-lm"]
    subprocess.run(command, cwd=folder, check=True)
    return program, Fabric(step, registers)


def ran(
    program: Path, fabric: Fabric, mode: str, text: str, *, works: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run the example on a file in place of /dev/uio0, and the fabric until it is done."""
    device = program.parent / "uio0"
    device.write_bytes(bytes(4096))
    with device.open("r+b") as file:
        memory = mmap.mmap(file.fileno(), 4096)
    fabric.words[fabric.at["STATUS"]] = fabric.words[fabric.at["CONTROL"]] = 0
    for offset, word in fabric.words.items():
        struct.pack_into("<I", memory, offset, word)
    process = subprocess.Popen(
        [program, device, mode],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    # The example may end before it reads, where the registers are others.
    with suppress(BrokenPipeError):
        process.stdin.write(text)
    with suppress(BrokenPipeError):
        process.stdin.close()
    process.stdin = None
    while process.poll() is None:
        command = struct.unpack_from("<I", memory, fabric.at["CONTROL"])[0]
        if command and works:
            struct.pack_into("<I", memory, fabric.at["CONTROL"], 0)
            for register in fabric.registers.registers:
                if register.access == "input":
                    (word,) = struct.unpack_from("<I", memory, register.offset)
                    fabric.write(register.offset, word)
            fabric.write(fabric.at["CONTROL"], command)
            results = [each for each in fabric.at if each[0] == "Y"]
            for name in [*results, "STATUS"]:
                struct.pack_into("<I", memory, fabric.at[name], fabric.words[fabric.at[name]])
        time.sleep(0.001)
    printed, told = process.communicate()
    return subprocess.CompletedProcess([], process.returncode, printed, told)


def test_the_example_trains(example: tuple[Path, Fabric]) -> None:
    """Outputs and coefficients are those of the integer model, sample by sample."""
    program, fabric = example
    step, rng = fabric.step, np.random.default_rng(2)
    x, t = rng.uniform(-1.5, 1.5, (5, 2)), rng.uniform(-3000, 3000, (5, 2))
    run = run_steps(step, step.encode(x), step.encode_targets(t))
    for sample, target, y in zip(x, t, run.outputs, strict=True):
        text = " ".join(map(repr, [*sample.tolist(), *target.tolist()]))
        done = ran(program, fabric, "train", text)
        assert (done.returncode, done.stderr) == (0, "")
        assert [float(each) for each in done.stdout.split()] == step.decode(y).tolist()
    for state, expected in zip(fabric.states, run.states, strict=True):
        np.testing.assert_array_equal(state, expected)
    done = ran(program, fabric, "predict", "0.25 -0.5")
    expected = step.decode(infer(step, step.encode(np.array([[0.25, -0.5]])), run.states))
    assert [float(each) for each in done.stdout.split()] == expected[0].tolist()


def test_the_example_of_training_tells_what_is_wrong(example: tuple[Path, Fabric]) -> None:
    program, fabric = example

    def told(mode: str, text: str, *, works: bool = True) -> tuple[int, str]:
        done = ran(program, fabric, mode, text, works=works)
        return done.returncode, done.stderr

    assert told("train", "1 2 3") == (1, "expected 4 numbers a sample\n")
    assert told("predict", "1 nan") == (1, "a value is not a number\n")
    assert told("predict", "1 2", works=False) == (1, "the hardware is not done after a second\n")
    assert told("learn", "")[0] == 2
    fabric.words[fabric.at["ID"]] += 1
    code, error = told("train", "1 2 3 4")
    fabric.words[fabric.at["ID"]] -= 1
    assert code == 1 and "not the registers of this build" in error
