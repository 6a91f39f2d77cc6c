"""Files of builds that train: the emulator in C, and the testbench in VHDL."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from commands import flow
from hypothesis import given, settings
from hypothesis import strategies as st
from vhdl_bench import analyse, ghdl, require_ghdl
from xdsl.context import Context

from kan_dialect.errors import KanError
from kan_dialect.flows.design import Design
from kan_dialect.flows.host.loading import load_module
from kan_dialect.flows.host.training_emulator import write_training_emulator
from kan_dialect.flows.on_chip.samples import Samples
from kan_dialect.flows.on_chip.vhdl import check_training_vhdl
from kan_dialect.flows.tools.toolchain import find_simulator
from kan_dialect.ir.constants import BoolArray, IntArray
from kan_dialect.lowering.on_chip.training_to_hw import LowerTrainingToHwPass
from kan_dialect.lowering.vhdl import emit_vhdl
from kan_dialect.model.on_chip.training_step import Step, run_steps, step_of
from kan_dialect.passes.make_trainable import MakeTrainablePass
from repository import EXAMPLES
from training_reference import random_network

LOAD = EXAMPLES / "load.mlir"
CC = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
needs_compiler = pytest.mark.skipif(CC is None, reason="no C compiler is installed")


def samples(
    step: Step, rng: np.random.Generator, count: int
) -> tuple[IntArray, IntArray, BoolArray]:
    """Random codes in and around the grid; a fifth of the samples does not train."""
    inputs, targets = (value.type.get_shape()[0] for value in (step.input, step.target))  # type: ignore[union-attr]
    x, t = rng.uniform(-3, 3, (count, inputs)), rng.uniform(-1, 1, (count, targets))
    return step.encode(x), step.encode_targets(t), rng.random(count) < 0.8


@pytest.mark.ci
@needs_compiler
@settings(max_examples=5, deadline=None)
@given(
    st.integers(0, 1 << 30),
    st.sampled_from([{}, {"momentum": 0.5}, {"weight_decay": 0.25}, {"error": "fed"}]),
)
def test_the_emulator_trains_as_the_integer_model(
    tmp_path_factory: pytest.TempPathFactory, seed: int, options: dict[str, Any]
) -> None:
    folder, rng = tmp_path_factory.mktemp("emulator"), np.random.default_rng(seed)
    module = random_network(rng, [2, 3, 2], [2, 3], [3, 4])
    MakeTrainablePass(**options).apply(Context(), module)
    step = step_of(module)
    write_training_emulator(folder, Design.of_step(step, 0, 0))
    source = folder / f"{step.name}_emulator.c"
    for standard, language in (("c99", "c"), ("c++17", "c++")):
        strict = [f"-std={standard}", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-x", language]
        subprocess.run([str(CC), *strict, "-fsyntax-only", str(source)], check=True)
    inputs, targets, train = samples(step, rng, 300)
    run = run_steps(step, inputs, targets, train)
    network = load_module(folder / f"{step.name}_emulator.py").Network()
    for part in (slice(0, 1), slice(1, 300)):
        got = network.run_codes(inputs[part], targets[part], train[part])
        np.testing.assert_array_equal(got, run.outputs[part])
    for state, expected in zip(network.coefficients.values(), run.states, strict=True):
        np.testing.assert_array_equal(state, expected)
    assert any((a != b).any() for a, b in zip(step.initial(), run.states, strict=True))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of one input that trains, with its VHDL, which is simulated where GHDL is."""
    folder = tmp_path_factory.mktemp("trains") / "load"
    arguments = ["build", LOAD, "--trainable", "--vhdl", "--vectors", 200, "-o", folder]
    if find_simulator("verilator") is None:
        arguments += ["--simulator", "none"]
    assert flow(*arguments) == 0
    return folder


@pytest.fixture
def emulator(built: Path) -> ModuleType:
    return load_module(built / "host" / "load_emulator.py")


@needs_compiler
def test_a_build_has_the_emulator(emulator: ModuleType) -> None:
    rng = np.random.default_rng(2)
    x = rng.uniform(0, 1, (4000, 1))
    targets = 0.5 * x
    network = emulator.Network()
    before = np.abs(network.predict(x) - targets).mean()
    kept = {name: state.copy() for name, state in network.coefficients.items()}
    assert network.train(x, targets).shape == (4000, 1)
    assert np.abs(network.predict(x) - targets).mean() < before / 4
    for name, state in kept.items():
        network.coefficients[name][:] = state
    assert np.abs(network.predict(x) - targets).mean() == before
    with pytest.raises(ValueError, match=r"expected codes \(samples, 1\), got shape \(2, 2\)"):
        network.run_codes(np.zeros((2, 2), dtype=int), np.zeros((2, 1), dtype=int))
    with pytest.raises(ValueError, match="a code is outside -32768 to 32767"):
        network.run_codes(np.full((1, 1), 1 << 15), np.zeros((1, 1), dtype=int))
    with pytest.raises(ValueError, match="a value is NaN"):
        network.predict([[np.nan]])


def test_a_build_simulates_the_vhdl(built: Path) -> None:
    require_ghdl()
    assert "`sim/load_tb.vhd`" in (built / "README.md").read_text()
    if find_simulator("verilator") is not None:
        report = json.loads((built / "report.json").read_text())
        assert report["vhdl"]["vectors"] == 200 and report["vhdl"]["mismatches"] == 0
    sim = built / "sim"
    ghdl(sim, "-a", "--std=08", "../vhdl/load.vhd", "load_tb.vhd")
    ghdl(sim, "-e", "--std=08", "load_tb")
    assert re.fullmatch(
        r"PASS: 200 samples, \d+ coefficients\n", ghdl(sim, "-r", "--std=08", "load_tb")
    )


WRONG = {
    r"(  y0 <= )std_logic_vector\((\w+)\);": (r"\1std_logic_vector(not \2);", "sample 0: y0 is"),
    r"if (\w+) = '1' then\n( +\w+_bank0\()": (r"if \1 = '0' then\n\2", "FAIL: "),
    r"  out_valid <= .*;": ("  out_valid <= '0';", "nothing comes after 0 samples"),
}
"""What is wrong in the VHDL, and what the testbench says of it."""


@pytest.mark.parametrize("pattern", WRONG)
def test_wrong_vhdl_of_training_is_found(pattern: str, tmp_path: Path) -> None:
    require_ghdl()
    tool = find_simulator("ghdl")
    assert tool is not None
    module = random_network(np.random.default_rng(5), [1, 1], [2], [3])
    MakeTrainablePass().apply(Context(), module)
    step = step_of(module.clone())
    LowerTrainingToHwPass().apply(Context(), module)
    text, path = emit_vhdl(module), tmp_path / "net.vhd"
    path.write_text(text)
    design = Design.of_step(step, 0, 0)
    drawn = Samples(*samples(step, np.random.default_rng(0), 60))
    assert check_training_vhdl(tool, path, design, drawn)["vectors"] == 60
    wrong, told = WRONG[pattern]
    path.write_text(changed := re.sub(pattern, wrong, text, count=1))
    assert changed != text
    analyse(tmp_path, changed)
    with pytest.raises(KanError, match=told):
        check_training_vhdl(tool, path, design, drawn)
