"""Quantisation-aware training: gradients, integers, the front, what is resumed and refused."""

from __future__ import annotations

import csv
import json
import math
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kan_dialect.api import from_ir
from kan_dialect.cli.kan_flow import main
from kan_dialect.devices.device import XCUP, device
from kan_dialect.errors import KanError
from kan_dialect.files.data_sets import Dataset
from kan_dialect.ir.constants import Array, FloatArray

pytestmark = pytest.mark.torch
torch: Any = pytest.importorskip("torch")
# Threads that wait for each other are slow where tests run side by side.
torch.set_num_threads(1)

from kan_dialect.qat import api as qat_api
from kan_dialect.qat.api import train
from kan_dialect.qat.bases import Basis, seen_by, spline_basis, table_basis
from kan_dialect.qat.codes import fit_codes
from kan_dialect.qat.cost import EdgeCost
from kan_dialect.qat.descent import Schedule, folds_of
from kan_dialect.qat.export import module_of
from kan_dialect.qat.front import Point, choose, is_dominated
from kan_dialect.qat.network import QuantisedKan, make_network
from kan_dialect.qat.quantisers import round_to_step
from kan_dialect.qat.training import State, Training, TrainingOptions

SHORT = Schedule(steps=300, first_price=1e-4, last_price=3e-2, rate=0.04)


def two_moons(samples: int, seed: int) -> tuple[FloatArray, Array]:
    """Two half circles with noise, and which of them a sample is of."""
    random = np.random.default_rng(seed)
    angle, of = random.uniform(0.0, math.pi, samples), np.arange(samples) % 2
    x = np.where(of == 0, np.cos(angle), 1.0 - np.cos(angle))
    y = np.where(of == 0, np.sin(angle), 0.5 - np.sin(angle))
    return np.stack([x, y], axis=1) + random.normal(0.0, 0.1, (samples, 2)), of


def moons(seed: int = 0) -> Dataset:
    return Dataset(*two_moons(240, seed), *two_moons(400, seed + 1))


def random_network(
    bits: list[int], widths: list[int], seed: int, *, tables: bool = False
) -> QuantisedKan:
    """A network with random functions, bits and biases, some of them beyond its codes."""
    bases: list[Basis] = [table_basis(b) if tables else spline_basis(b, 4) for b in bits]
    network = make_network(bases, widths, EdgeCost(XCUP), seed=seed, reference=False)
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for layer in network.edge_layers():
            for parameter, scale, offset in (
                (layer.read, layer.most + 0.4, -0.2),
                (layer.bits, 8.0, -2.0),
                (layer.bias, 1.0, -0.5),
            ):
                uniform = torch.rand(parameter.shape, generator=random, dtype=torch.float64)
                parameter.copy_(uniform * scale + offset)
            layer.coefficients.mul_(3.0)
            layer.clamp_bits()
    return network


def test_rounding_is_to_steps_half_to_even() -> None:
    values = torch.tensor([0.125, 0.375, -0.125, 0.3, 5.0], dtype=torch.float64)
    bits = torch.full_like(values, 2.3)
    assert round_to_step(values, bits).tolist() == [0.0, 0.5, 0.0, 0.25, 5.0]


def test_gradient_of_bits_is_that_of_the_mean_squared_error() -> None:
    """Errors are uniform in a step s, so the mean of their squares is s²/12 = 4^-bits / 12."""
    values = torch.linspace(-1.0, 1.0, 100_001, dtype=torch.float64)
    for number in (2.0, 3.0, 5.0):
        bits = torch.full_like(values, number).requires_grad_()
        ((round_to_step(values, bits) - values) ** 2).mean().backward()
        # By finite differences of the closed form.
        step = 1e-4
        slope = (4.0 ** -(number + step) - 4.0 ** -(number - step)) / 12.0 / (2.0 * step)
        assert float(bits.grad.sum()) == pytest.approx(slope, rel=0.01)


def test_gradient_of_values_passes_rounding() -> None:
    values = torch.tensor([0.1, -0.7], dtype=torch.float64, requires_grad=True)
    rounded = round_to_step(values, torch.full_like(values, 3.0))
    (2.0 * rounded[0] + 5.0 * rounded[1]).backward()
    assert values.grad.tolist() == [2.0, 5.0]


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_splines_and_their_slopes(degree: int) -> None:
    basis = spline_basis(5, 7, degree)
    assert basis.values.shape == (6, 32, 7 + degree)
    assert np.allclose(basis.values.sum(axis=-1), 1.0)
    assert np.allclose(basis.values @ basis.linear, [seen_by(5, read) for read in range(6)])
    # Slopes by differences of a much finer basis.
    fine = spline_basis(15, 7, degree)
    differences = np.gradient(fine.values[-1], 2.0 / (1 << 15), axis=0)
    inner = seen_by(15, 15).searchsorted(seen_by(5, 5))
    assert np.allclose(basis.slopes[-1], differences[inner], atol=2e-2)


def test_tables_with_fewer_bits_have_means() -> None:
    basis = table_basis(3)
    entries = np.array([3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0])
    assert (basis.values[3] @ entries == entries).all()
    assert (basis.values[1] @ entries == [2.25] * 4 + [5.5] * 4).all()
    assert np.allclose(basis.slopes[3] @ basis.linear, 1.0)


@pytest.mark.parametrize("bits", [1, 4])
def test_gradient_of_coefficients_is_the_sum_over_samples(bits: int) -> None:
    """Each sample adds what its code's basis is: an exact sum, rounding passed by."""
    network = random_network([bits], [3, 2], seed=3)
    (layer,) = network.edge_layers()
    codes = torch.randint(0, 1 << bits, (50, 3), generator=torch.Generator().manual_seed(1))
    weights = torch.linspace(-1.0, 2.0, 50, dtype=torch.float64)
    (network(codes).results * weights[:, None]).sum().backward()
    basis = spline_basis(bits, 4)
    for node in range(2):
        for edge in range(3):
            read = round(float(layer.read.detach()[node, edge]))
            values = basis.values[read][codes[:, edge].numpy()]
            expected = (values * weights.numpy()[:, None]).sum(axis=0)
            assert np.allclose(layer.coefficients.grad[node, edge].numpy(), expected)


def test_gradient_through_a_hidden_layer_is_the_slope_of_the_next() -> None:
    """With many bits a network is as good as smooth: finite differences of a bias."""
    network = random_network([6, 8], [2, 1, 1], seed=8)
    first, second = network.edge_layers()
    with torch.no_grad():
        first.coefficients.mul_(0.15)
        for layer in (first, second):
            layer.read.fill_(float(layer.most))
            layer.bits.fill_(9.0)
        first.bias.zero_()
    codes = torch.randint(0, 64, (400, 2), generator=torch.Generator().manual_seed(2))
    network(codes).results.mean().backward()
    step = 2.0**-5
    found: list[float] = []
    for moved in (-step, step):
        with torch.no_grad():
            first.bias.fill_(moved)
            found.append(float(network(codes).results.mean()))
    assert float(first.bias.grad[0]) == pytest.approx((found[1] - found[0]) / (2 * step), abs=0.03)


@given(st.integers(0, 10_000), st.sampled_from(["xcup", "ecp5"]))
@settings(max_examples=25, deadline=None)
def test_gradient_of_the_cost(seed: int, name: str) -> None:
    random = torch.Generator().manual_seed(seed)
    cost = EdgeCost(device(name))
    # Away from whole numbers, where the cost has corners.
    read = torch.rand(3, generator=random, dtype=torch.float64) * 0.8 + 3.0 * torch.arange(3) + 0.1
    values = torch.randn(3, 16, generator=random, dtype=torch.float64)
    bits = torch.rand(3, generator=random, dtype=torch.float64) * 6.0
    arguments = [each.requires_grad_() for each in (read, values, bits)]
    assert torch.autograd.gradcheck(lambda *given: cost.luts(*given), arguments)


def test_the_cost_is_the_devices_at_whole_bits() -> None:
    costs = XCUP.summand_costs(8, ideal=True)
    read = torch.arange(9).double()
    # Two values a step apart are one bit.
    values = torch.tensor([[0.0, 0.25]], dtype=torch.float64).expand(9, 2)
    luts = EdgeCost(XCUP).luts(read, values, torch.full((9,), 2.0, dtype=torch.float64))
    assert luts.tolist() == costs.tolist()


@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=3),
    st.integers(0, 10_000),
    st.booleans(),
    st.data(),
)
@settings(max_examples=40, deadline=None)
def test_integers_are_those_of_the_compiler(
    bits: list[int], seed: int, tables: bool, data: st.DataObject
) -> None:
    widths = data.draw(st.lists(st.integers(1, 4), min_size=len(bits) + 1, max_size=len(bits) + 1))
    network = random_network(bits, widths, seed, tables=tables)
    x = np.random.default_rng(seed).normal(size=(60, widths[0]))
    codes = fit_codes(x, bits[0])
    layers = network.integers()
    compiled = from_ir(module_of("net", codes, layers, scale=0.5))
    with torch.no_grad():
        results = network(torch.from_numpy(codes.encode(x))).results.numpy()
    assert (compiled.run_codes(codes.encode(x)) == results * 2.0 ** layers[-1].step_bits).all()
    assert (compiled.run(x) == results * 0.5).all()


def test_codes_are_those_of_the_ir_at_ties() -> None:
    x = np.arange(-9.0, 9.0, 0.25)[:, np.newaxis]
    codes = fit_codes(x, 3)
    network = random_network([3], [1, 1], seed=0)
    compiled = from_ir(module_of("net", codes, network.integers()))
    table = compiled.run_codes(np.arange(8)[:, np.newaxis])[:, 0]
    unit = 2.0 ** -network.integers()[0].step_bits
    assert (compiled.run(x)[:, 0] == table[codes.encode(x)[:, 0]] * unit).all()


def test_a_constant_feature_gets_the_code_0() -> None:
    codes = fit_codes(np.array([[1.0, 7.0], [2.0, 7.0], [4.0, 7.0]]), 4)
    assert codes.encode(np.array([[0.0, 7.0], [9.0, -3.0]])).tolist() == [[0, 0], [15, 0]]


def test_a_constant_feature_has_no_edges(caplog: pytest.LogCaptureFixture) -> None:
    dataset = moons()
    x = np.insert(dataset.x, 1, 7.0, axis=1)
    options = TrainingOptions(schedule=Schedule(steps=100), folds=1)
    trained = train({"x": x, "y": dataset.y}, options)
    assert "1 constant features (the first is feature 1)" in caplog.text
    mask = trained.front[0].network.layers[0].mask
    # The first edge of a node has its bias; this is another one.
    assert not mask[:, 1].any() and mask[:, 2].any()


def test_a_feature_that_is_rarely_set_keeps_its_range() -> None:
    x = np.zeros((1000, 1))
    x[3] = 1.0
    assert fit_codes(x, 1).encode(np.array([[0.0], [1.0]])).tolist() == [[0], [1]]


@pytest.mark.parametrize("folds", [1, 3])
def test_folds_have_all_classes(folds: int) -> None:
    targets = torch.tensor([0] * 40 + [1] * 12)
    parts = list(folds_of(targets, True, folds, 0.25, seed=5))
    assert len(parts) == folds
    for trained, held in parts:
        assert sorted([*trained.tolist(), *held.tolist()]) == list(range(52))
        groups = folds if folds > 1 else 4
        assert abs(int((targets[held] == 1).sum()) - 12 / groups) <= 1
    if folds > 1:
        assert sorted(i for _, held in parts for i in held.tolist()) == list(range(52))


def test_small_batches_use_every_sample_before_any_is_used_again() -> None:
    dataset = moons()
    options = TrainingOptions(schedule=Schedule(steps=100, batch=50), folds=1)
    (run, _) = Training(dataset, options, "moons").runs
    seen: list[int] = []
    for _ in range(2):
        for _ in range(3):  # 180 samples are trained with.
            seen.append(len(run.samples_of_step()))
            run.advance()
    assert seen == [60] * 6
    epochs = [torch.cat([run.samples_of_step(step) for step in range(k, k + 3)]) for k in (0, 3)]
    for epoch in epochs:
        assert sorted(epoch.tolist()) == list(range(180))
    assert epochs[0].tolist() != epochs[1].tolist()


def test_a_training_gives_a_front() -> None:
    trained = train(moons(), TrainingOptions(schedule=SHORT, hidden=(2,), name="moons"))
    luts = [point.luts for point in trained.front]
    scores = [point.score for point in trained.front]
    assert len(luts) >= 3 and luts == sorted(luts, reverse=True)
    assert scores == sorted(scores, reverse=True)
    assert luts[0] > luts[-1]
    assert trained.test_score is not None and trained.test_score > 0.93
    best = trained.front[0]
    assert trained.chosen.score >= best.score - best.error
    assert trained.chosen.network.compile(cycles=1).latency_cycles == 1


def test_three_classes_have_a_reference() -> None:
    x = np.random.default_rng(0).normal(size=(150, 2))
    y = (x[:, 0] > 0.5).astype(int) + (x[:, 0] > -0.5)
    trained = train({"x": x, "y": y}, TrainingOptions(schedule=SHORT))
    network = trained.chosen.network
    assert network.shape == (2, 3)
    assert (network.run(x)[:, 2] == 0.0).all()
    assert (network.run(x).argmax(axis=1) == y).mean() > 0.93


def test_numbers_are_learned_in_their_unit() -> None:
    x = np.random.default_rng(0).uniform(-1.0, 1.0, size=(200, 1))
    y = 100.0 + 30.0 * np.sin(3.0 * x[:, 0])
    trained = train({"x": x, "y": y}, TrainingOptions(schedule=SHORT))
    error = trained.front[0].network.run(x)[:, 0] - y
    assert np.abs(error).mean() < 4.0
    assert not trained.is_classes and trained.front[0].score > -0.05


def test_a_budget_of_luts_is_kept() -> None:
    free = train(moons(), TrainingOptions(schedule=SHORT))
    most = free.front[-2].luts
    within = train(moons(), TrainingOptions(schedule=SHORT, max_luts=most))
    assert within.chosen.luts <= most


def test_a_stopped_training_goes_on_to_the_same_networks() -> None:
    options = TrainingOptions(schedule=Schedule(steps=120), folds=2)
    whole, first, second = (Training(moons(), options, "moons") for _ in range(3))
    for _ in whole.run():
        pass
    for state in first.run():
        if state.step == 170:  # In the middle of the second network.
            break
    second.restore(first.state())
    for _ in second.run():
        pass
    for one, other in zip(whole.front(), second.front(), strict=True):
        assert one.network.text() == other.network.text()
        assert one.score == other.score


def command(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["train", *map(str, arguments)])
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "moons.npz"
    dataset = moons()
    np.savez(path, x=dataset.x, y=dataset.y, x_test=dataset.x_test, y_test=dataset.y_test)
    return path


def test_the_command_writes_a_front_that_builds(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "out"
    assert command(data, "--steps", 200, "--hidden", "2", "-o", folder) == 0
    told = capsys.readouterr().out
    rows = list(csv.DictReader((folder / "front.csv").open()))
    record = json.loads((folder / "training.json").read_text())
    assert f"{len(rows)} networks" in told
    assert f"{record['test_score']:.4f}" in told
    assert (folder / "network.mlir").read_text() == (folder / record["chosen"]).read_text()
    assert record["options"]["hidden"] == [2]
    with pytest.raises(SystemExit) as ended:
        network, rtl = str(folder / "network.mlir"), str(tmp_path / "rtl")
        main(["build", network, "--calibration", str(data), "-o", rtl])
    assert ended.value.code == 0
    report = json.loads((tmp_path / "rtl" / "report.json").read_text())
    assert report["accuracy"]["integer"] == pytest.approx(record["test_score"])


def test_the_page_works_as_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parents[2]
    page = (root / "docs" / "howto" / "train.md").read_text()
    (tmp_path / "examples").symlink_to(root / "examples")
    monkeypatch.chdir(tmp_path)
    (commands,) = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    for line in commands.splitlines():
        program, *arguments = shlex.split(line)
        assert program == "kan-flow"
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 0
    (program,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(program, {})
    assert (tmp_path / "out" / "wine" / "report.json").exists()
    assert (tmp_path / "out" / "wine_python" / "report.json").exists()


def test_a_killed_command_goes_on(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = (
        "import sys; from kan_dialect.qat import api; api.SAVE_SECONDS = 0.0; "
        "from kan_dialect.cli.kan_flow import main; main(sys.argv[1:])"
    )
    folder, options = tmp_path / "out", ["--steps", "400", "--folds", "1"]
    child = subprocess.Popen(
        [sys.executable, "-c", program, "train", str(data), *options, "-o", str(folder)]
    )
    while not (folder / "training.pt").exists() and child.poll() is None:
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    steps: list[int] = []
    monkeypatch.setattr(qat_api, "SAVE_SECONDS", 0.0)
    chosen = TrainingOptions(schedule=Schedule(steps=400), folds=1, name="moons")
    resumed = train(data, chosen, folder=folder, progress=lambda state: steps.append(state.step))
    assert steps[0] > 1
    again = train(data, chosen)
    assert resumed.chosen.network.text() == again.chosen.network.text()


def test_a_folder_of_other_options_is_refused(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "out"
    assert command(data, "--steps", 100, "-o", folder) == 0
    assert command(data, "--steps", 110, "-o", folder) == 1
    assert "other data or with other options" in capsys.readouterr().err
    assert command(data, "--steps", 110, "-o", folder, "--force") == 0


def test_a_damaged_checkpoint_is_refused(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "out"
    assert command(data, "--steps", 100, "-o", folder) == 0
    (folder / "training.pt").write_bytes(b"PK\x03\x04 no archive")
    assert command(data, "--steps", 100, "-o", folder) == 1
    assert "training.pt in" in capsys.readouterr().err
    assert command(data, "--steps", 100, "-o", folder, "--force") == 0


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.eye(8)}, "has no labels"),
        ({"x": np.eye(8), "y": np.zeros(8, int)}, "all 8 samples are of class 0"),
        ({"x": np.ones((8, 2)), "y": np.arange(8) % 2}, "all features are constant"),
        ({"x": np.eye(8), "y": np.array([0, 2] * 4)}, "no sample is of class 1"),
        ({"x": np.eye(8), "y": np.array([-1, 1] * 4)}, "a class is -1"),
        ({"x": np.eye(8), "y": np.arange(8)}, "has 1 sample of class 0, fewer than the 4 parts"),
        ({"x": np.eye(8), "y": np.full(8, 0.5)}, "all targets are the same"),
        ({"x": np.eye(3), "y": np.array([0.5, 1.0, 2.0])}, "has 3 samples, fewer than 8"),
        ({"x": np.full((8, 2), np.nan), "y": np.arange(8) % 2}, "`x`[0, 0] is nan"),
    ],
)
def test_bad_data_gets_one_message(
    arrays: dict[str, Array], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, folder = tmp_path / "data.npz", tmp_path / "out"
    np.savez(path, **arrays)
    assert command(path, "-o", folder) == 1
    told = capsys.readouterr().err
    assert message in told and "Traceback" not in told
    assert not folder.exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--hidden", "4,x"], "--hidden takes whole numbers"),
        (["--hidden", "0"], "--hidden"),
        (["--first-price", "1e-2", "--last-price", "1e-3"], "give a higher last price"),
        (["--max-luts", "1"], "no network has at most 1 LUTs; the smallest has"),
    ],
)
def test_bad_options_get_one_message(
    options: list[str],
    message: str,
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert command(data, "--steps", 100, *options, "-o", tmp_path / "out") == 1
    told = capsys.readouterr().err
    assert message in told and "Traceback" not in told


def point(luts: int, score: float, error: float = 0.01) -> Point:
    found: Any = None
    return Point(found, 0.0, score, error, luts, 0, 1)


def test_the_choice_is_within_a_standard_error() -> None:
    front = [point(90, 0.95), point(60, 0.945), point(40, 0.941), point(20, 0.93)]
    assert choose(front, None) is front[2]
    assert choose(front, 30) is front[3]
    assert choose(front, 10) is None


def test_dominated_networks_leave_the_front() -> None:
    points = [point(90, 0.95), point(60, 0.96), point(60, 0.94), point(20, 0.9)]
    assert [is_dominated(each, points) for each in points] == [True, False, True, False]


def test_progress_is_told() -> None:
    states: list[State] = []
    options = TrainingOptions(schedule=Schedule(steps=100), folds=1)
    train(moons(), options, progress=states.append)
    assert [state.step for state in states] == list(range(1, 201))
    assert all(state.steps == 200 for state in states)


def test_options_out_of_bounds_are_refused() -> None:
    with pytest.raises(KanError, match="input-bits"):
        TrainingOptions(input_bits=11)
