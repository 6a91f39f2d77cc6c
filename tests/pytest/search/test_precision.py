"""`kan-refine-precision`: the search's integer model against the IR, and the budget it keeps."""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import flow
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp

import kan_dialect as kan
import kan_dialect.passes.refine_precision as refine_precision
from kan_dialect.analysis.wires import wire_functions
from kan_dialect.checking import run_passes
from kan_dialect.devices.estimate import Estimate, estimate
from kan_dialect.errors import KanError
from kan_dialect.evaluate.interpreter import find_function
from kan_dialect.flows.built_models import built_models
from kan_dialect.frontends.table_network import TableNetwork
from kan_dialect.ir.constants import Array, FloatArray, IntArray
from kan_dialect.ir.quant import UniformQuantizedType
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.maths.truth_tables import supports
from kan_dialect.model.model import Model
from kan_dialect.model.port_codes import encode
from kan_dialect.passbase.pipeline import build_pipeline
from kan_dialect.passes.expand_wires import ExpandWiresPass
from kan_dialect.passes.refine_precision import RefinePrecisionPass
from kan_dialect.search.precision import search
from kan_dialect.search.precision.bits import bits_of, trade_of
from kan_dialect.search.precision.descent import Descent, coarsened
from kan_dialect.search.precision.edges import best_table
from kan_dialect.search.precision.network import (
    TableChain,
    input_patterns,
    read_chain,
    write_chain,
)
from kan_dialect.search.precision.objective import Classes, Targets, one_hot, softmax
from kan_dialect.search.precision.paths import Fold, folds
from kan_dialect.search.precision.problem import Candidate, Problem, Refined, Scores
from kan_dialect.universe import UNIVERSE

deterministic = settings(derandomize=True, deadline=None, max_examples=25)
PRICES = np.array([0.0, 0.5, 0.5, 0.5, 1.0, 1.0, 1.5, 3.5, 6.5, 12.5, 24.5])


@pytest.fixture(scope="module", autouse=True)
def short_search() -> Iterator[None]:
    """Few starts and worths: what the tests say holds for the networks of any search."""
    with pytest.MonkeyPatch.context() as patch:
        few = replace(search.LIMITS, hidden_bits=(3, 4), orders=1, worths=search.LIMITS.worths[::2])
        patch.setattr(search, "LIMITS", few)
        yield


def network(
    rng: np.random.Generator, widths: list[int], *, signed: bool = False, constant: float = 0.0
) -> ModuleOp:
    """A random network of smooth tables, some constant; the last layer is not saturated."""
    kind = UniformQuantizedType(4, signed, 0.25, 0 if signed else 8)
    net = TableNetwork("net", kind, widths[0])
    entries = 16
    for index, (inputs, nodes) in enumerate(itertools.pairwise(widths)):
        place = np.linspace(-2, 2, entries)
        slope, centre = rng.normal(size=(2, nodes, inputs, 1))
        tables = np.rint(8 * slope * np.tanh(place - centre)).astype(np.int64)
        last = index == len(widths) - 2
        if constant:
            tables[rng.random((nodes, inputs)) < constant] = 3
        mask = rng.random((nodes, inputs)) < 0.9
        net.add_layer(tables, scale=0.5, mask=mask, saturate=None if last else (-16, 15))
        entries = 32
    return net.module()


def samples(rng: np.random.Generator, count: int, inputs: int) -> FloatArray:
    return rng.uniform(-2.2, 2.2, size=(count, inputs))


def loops(chain: TableChain, codes: IntArray) -> IntArray:
    """Results (out, samples), one number at a time."""
    found: list[list[int]] = []
    for sample in codes.T.tolist():
        for layer in chain.layers:
            values: list[int] = []
            for node, tables in enumerate(layer.tables.tolist()):
                total = int(layer.bias[node])
                total += sum(table[code] for table, code in zip(tables, sample, strict=True))
                if layer.sizes is not None:
                    # Half to even, as Python rounds.
                    total = round(total / 2 ** int(layer.shift[node])) + int(layer.zero[node])
                    total = min(max(total, 0), int(layer.sizes[node]) - 1)
                values.append(total)
            sample = values
        found.append(sample)
    return np.array(found).T


@deterministic
@given(st.integers(0, 10_000), st.booleans(), st.integers(1, 3))
def test_chain_is_the_function(seed: int, signed: bool, layers: int) -> None:
    rng = np.random.default_rng(seed)
    widths = rng.integers(1, 4, layers + 1).tolist()
    module = network(rng, widths, signed=signed, constant=0.2)
    function = find_function(module)
    chain = read_chain(function)
    assert chain is not None
    codes = rng.integers(*((-8, 8) if signed else (0, 16)), (50, widths[0]))
    expected = Model.of(module).run_codes(codes)
    patterns = input_patterns(function, codes)
    assert np.array_equal(chain.outputs(patterns).T, expected)
    assert np.array_equal(loops(chain, patterns).T, expected)
    write_chain(function, chain)
    module.verify()
    assert np.array_equal(Model.of(module).run_codes(codes), expected)


@deterministic
@given(st.integers(0, 10_000), st.integers(2, 5), st.booleans())
def test_descent_evaluates_what_it_leaves(seed: int, bits: int, classes: bool) -> None:
    """After sweeps, what was evaluated bit by bit is what the chain and the IR give."""
    rng = np.random.default_rng(seed)
    widths = [2, 3, *rng.integers(2, 4, 1 + seed % 2).tolist()]
    module = network(rng, widths)
    function = find_function(module)
    chain = read_chain(function)
    assert chain is not None
    ports, _ = Model.of(module).ports()
    codes = input_patterns(function, encode(ports, samples(rng, 80, 2)))
    outputs = chain.outputs(codes).astype(np.float64)
    coarse = coarsened(chain, bits, 2.0, codes)
    objective = Classes(softmax(outputs / 4), 0.5) if classes else Targets(outputs / 4, 0.5)
    descent = Descent(coarse, codes, objective, PRICES)
    before = np.inf
    for worth in (0.0, 0.0, 1e-2, 1e-2):
        descent.sweep(worth, 0.0, rng)
        assert np.array_equal(descent.sums[-1], loops(coarse, codes))
        # At the same worth, loss and LUTs together never rise.
        whole = descent.loss() + worth * sum(float(each.sum()) for each in descent.luts)
        if worth == 0.0:
            assert whole <= before + 1e-5
            before = whole
    write_chain(function, coarse)
    module.verify()
    others = encode(ports, samples(rng, 40, 2))
    expected = loops(coarse, input_patterns(function, others))
    assert np.array_equal(Model.of(module).run_codes(others).T, expected)
    for layer, edges in zip(coarse.layers, bits_of(coarse).edges, strict=True):
        assert np.array_equal(edges > 0, layer.kept)


@deterministic
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.05, 0.5, 5.0]))
def test_best_table_against_all_tables(seed: int, weight: float) -> None:
    """No table of two input bits is better than the one found, where all are tried."""
    rng = np.random.default_rng(seed)
    values = np.arange(-2, 3)
    losses = rng.random((4, len(values)))
    found = best_table(losses, values, PRICES, weight)
    index = found.entries - values[0]
    assert losses[np.arange(4), index].sum() == pytest.approx(found.loss)
    width = int(found.entries.max() - found.entries.min()).bit_length()
    used = supports(found.entries[np.newaxis] - found.entries.min(), width or 1)[0]
    assert PRICES[used].sum() <= found.luts + 1e-12
    best = np.inf
    for some in itertools.product(range(len(values)), repeat=4):
        entries = np.array(some)
        above = entries - entries.min()
        # Values from the least on, in steps of the common power of two.
        every = int(np.bitwise_or.reduce(above))
        planes = every.bit_length() - (every & -every).bit_length() + 1 if every else 0
        looks = int(supports(above[np.newaxis], 3)[0].max()) if every else 0
        cost = losses[np.arange(4), entries].sum() + weight * planes * PRICES[looks]
        best = min(best, float(cost))
    assert found.loss + weight * found.luts <= best + 1e-9


@pytest.mark.parametrize("outputs", [1, 3])
def test_along_is_the_loss(outputs: int) -> None:
    rng = np.random.default_rng(0)
    sums = rng.integers(-20, 20, (outputs, 30))
    labels = rng.integers(0, max(outputs, 2), 30)
    steps = np.arange(-5, 6)
    for objective in (
        Classes(one_hot(labels, outputs), 0.3),
        Targets(np.asarray(sums * 0.1, np.float64), 0.3),
    ):
        for output in range(outputs):
            along = objective.along(sums, output, steps)
            for column, step in enumerate(steps):
                moved = sums.copy()
                moved[output] += step
                apart = objective.loss(moved) - objective.loss(sums)
                assert np.allclose(along[:, column] - along[:, 5], apart, atol=1e-4)


def luts(module: ModuleOp, *, fast: bool = False) -> int:
    """What a network of tables takes, by the target's own count, compiled without this pass."""
    clone = module.clone()
    run_passes(Context(), clone, CompilePass(combinational=True, fast=fast).passes()[2:-2])
    return estimate(next(iter(wire_functions(clone)))).luts


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> tuple[ModuleOp, Path]:
    """A network and labels that it gets right, but for some noise."""
    rng = np.random.default_rng(3)
    module = network(rng, [3, 2, 3])
    x = samples(rng, 400, 3)
    labels = Model.of(module).run(x + 0.1 * rng.normal(size=x.shape)).argmax(axis=1)
    path = tmp_path_factory.mktemp("task") / "data.npz"
    data = {"x_train": x[:300], "y_train": labels[:300]}
    np.savez(path, **data, x_test=x[300:], y_test=labels[300:])
    return module, path


@pytest.fixture(scope="module")
def refined(task: tuple[ModuleOp, Path]) -> tuple[ModuleOp, list[str]]:
    module, path = task
    clone = module.clone()
    checks = run_passes(Context(), clone, [RefinePrecisionPass(str(path), max_accuracy_loss=0.08)])
    return clone, [check.summary() for check in checks]


def _shares(module: ModuleOp, x: Array, labels: Array) -> float:
    return float((Model.of(module).run(x).argmax(axis=1) == labels).mean())


def test_figures_are_what_the_ir_gives(
    task: tuple[ModuleOp, Path], refined: tuple[ModuleOp, list[str]]
) -> None:
    """Accuracy before and after, on all samples and on those held out, and the budget."""
    module, path = task
    with np.load(path) as data:
        x, labels = data["x_train"], data["y_train"]
    figures = trade_of(find_function(refined[0]))
    assert figures is not None
    every = np.random.default_rng(0).permutation(300)
    splits = [every[first : first + 75] for first in range(0, 300, 75)]
    held = next(
        index
        for index in splits
        if figures["validation_after"]
        == pytest.approx(_shares(refined[0], x[index], labels[index]))
    )
    for name, index in (("calibration", np.arange(300)), ("validation", held)):
        assert figures[f"{name}_before"] == pytest.approx(_shares(module, x[index], labels[index]))
        after = _shares(refined[0], x[index], labels[index])
        assert figures[f"{name}_after"] == pytest.approx(after)
        assert figures[f"{name}_samples"] == len(index)
        assert figures[f"{name}_before"] - after <= 0.08 + 1e-9
    before, chain = read_chain(find_function(module)), read_chain(find_function(refined[0]))
    assert before is not None and chain is not None
    assert (figures["edges_before"], figures["edges_after"]) == (before.edges, chain.edges)
    assert luts(refined[0]) < 0.7 * luts(module)


def test_the_descent_does_not_see_validation_samples(task: tuple[ModuleOp, Path]) -> None:
    """Other ones, with other labels, leave what it works on as it is; and all come by turns."""
    module, path = task
    model = Model.of(module)
    ports, _ = model.ports()
    function = find_function(module)
    chain = read_chain(function)
    assert chain is not None
    with np.load(path) as data:
        x, labels = data["x_train"], data["y_train"]

    def folds_of(x: FloatArray, labels: Array) -> list[Fold]:
        problem = Problem(
            chain,
            x,
            labels,
            model.run(x),
            lambda some: input_patterns(function, encode(ports, some)),
            model.run,
            lambda _: Estimate("xcup", 0, 0, 0),
            PRICES,
        )
        return list(folds(problem, 0.25, 0, search.LIMITS))

    found = folds_of(x, labels)
    assert sorted(np.concatenate([fold.judge.held for fold in found]).tolist()) == list(range(300))
    for number, fold in enumerate(found):
        others, wrong = x.copy(), labels.copy()
        others[fold.judge.held] += 0.7  # and no copies of each other
        wrong[fold.judge.held] = (labels[fold.judge.held] + 1) % 3
        again = folds_of(others, wrong)[number]
        assert np.array_equal(again.codes, fold.codes)
        assert np.array_equal(again.objective(1.0).targets, fold.objective(1.0).targets)
        assert again.step == fold.step


@pytest.mark.parametrize("fast", [False, True])
def test_limit_of_luts(task: tuple[ModuleOp, Path], fast: bool) -> None:
    """As the passes that follow count, with their options."""
    module, path = task
    clone = module.clone()
    run_passes(Context(), clone, [RefinePrecisionPass(str(path), max_luts=20, fast=fast)])
    assert luts(clone, fast=fast) <= 20
    assert "max-luts=20" in str(clone.attributes["kan.pipeline"])
    assert "data.npz" not in str(clone)


@pytest.fixture
def no_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search takes the network as it was given, and says that it costs and loses nothing."""

    def nothing(problem: Problem, *_: object, **__: object) -> Refined:
        same = Scores(1.0, 1.0)
        # Another object, so that it is written.
        chosen = Candidate(problem.chain.copy(), 1.0, same, same, 0.0)
        return Refined(chosen, Estimate("xcup", 1, 0, 1), 75, 1)

    monkeypatch.setattr(refine_precision, "refine", nothing)


@pytest.mark.usefixtures("no_search")
def test_a_broken_limit_is_found(task: tuple[ModuleOp, Path]) -> None:
    """The check counts for itself what the network takes."""
    module, path = task
    for limited, message in (
        (RefinePrecisionPass(str(path), max_luts=1), "LUTs, at most 1 were"),
        (RefinePrecisionPass(str(path), max_levels=1), "levels, at most 1 were"),
    ):
        with pytest.raises(KanError, match=message):
            run_passes(Context(), module.clone(), [limited])


@pytest.mark.usefixtures("no_search")
def test_a_broken_budget_is_found(
    task: tuple[ModuleOp, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check does not believe the search; also in a pipeline from text, as drivers run it."""
    module, path = task

    def worse(function: func.FuncOp, chain: TableChain) -> None:
        chain = chain.copy()
        chain.layers[-1].tables[:] = 0
        write_chain(function, chain)

    monkeypatch.setattr(refine_precision, "write_chain", worse)
    with np.load(path) as data:
        np.savez(tmp_path / "numbers.npz", x=data["x_train"])
    for file, option, message in (
        (path, 'max-accuracy-loss="8%"', "a loss of at most 0.08 was allowed"),
        (tmp_path / "numbers.npz", "max-rmse=0.5", "mean squared error of .*, at most 0.5 was"),
        (tmp_path / "numbers.npz", "max-error=0.5", "a largest error of .*, at most 0.5 was"),
    ):
        text = f'kan-refine-precision{{data="{file}" {option}}}'
        passes = build_pipeline(UNIVERSE.all_passes, text)
        with pytest.raises(KanError, match=message):
            run_passes(Context(), module.clone(), passes)


def test_refusals(task: tuple[ModuleOp, Path], tmp_path: Path) -> None:
    module, path = task
    with pytest.raises(KanError, match="max-accuracy-loss must be at least 0 and below 1"):
        RefinePrecisionPass(str(path), max_accuracy_loss=-0.1)
    with pytest.raises(KanError, match="there is no target"):
        RefinePrecisionPass(str(path), target="none")
    with pytest.raises(KanError, match=r"no network keeps the budget: of .* the fewest levels"):
        stage = RefinePrecisionPass(str(path), max_accuracy_loss=0.0, max_levels=0)
        stage.apply(Context(), module.clone())
    np.savez(tmp_path / "few.npz", x=np.zeros((3, 3)), y=np.zeros(3, dtype=np.int64))
    with pytest.raises(KanError, match="3 samples are too few"):
        RefinePrecisionPass(str(tmp_path / "few.npz")).apply(Context(), module.clone())
    np.savez(tmp_path / "wide.npz", x=np.zeros((300, 4)), y=np.zeros(300, dtype=np.int64))
    with pytest.raises(KanError, match="has 4 features a sample, @net takes 3"):
        RefinePrecisionPass(str(tmp_path / "wide.npz")).apply(Context(), module.clone())


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.arange(300) % 10, "labels from 0 to 9, the network has 3 outputs"),
        (np.arange(300) % 3 - 1, "labels from -1 to 1, the network has 3 outputs"),
        (np.zeros((300, 2)), "2 targets a sample, the network has 3 outputs"),
    ],
)
def test_labels_of_another_network(
    task: tuple[ModuleOp, Path], tmp_path: Path, labels: Array, message: str
) -> None:
    """They would be compared with outputs that they say nothing about."""
    with np.load(task[1]) as data:
        np.savez(tmp_path / "data.npz", x=data["x_train"], y=labels)
    with pytest.raises(KanError, match=message):
        stage = RefinePrecisionPass(str(tmp_path / "data.npz"))
        stage.apply(Context(), task[0].clone())


@pytest.mark.ci
def test_build_with_automatic_precision(task: tuple[ModuleOp, Path], tmp_path: Path) -> None:
    """The report says what was traded; what is simulated and proven is the refined network."""
    module, path = task
    (tmp_path / "net.mlir").write_text(str(module))
    out = tmp_path / "out"
    command = ["build", str(tmp_path / "net.mlir"), "--calibration", str(path), "-o", str(out)]
    options = ["--precision", "auto", "--max-accuracy-loss", "8%", "--simulator", "none"]
    assert flow(*command, *options) == 0
    report = json.loads((out / "report.json").read_text())
    precision = report["precision"]
    assert precision["budget"] == {"max_accuracy_loss": 0.08}
    assert set(precision["accuracy"]) == {"calibration", "validation", "test"}
    assert precision["accuracy"]["test"]["after"] == pytest.approx(report["accuracy"]["integer"])
    assert precision["accuracy"]["validation"]["samples"] == 75
    assert len(precision["bits"]["inputs"]) == 3
    assert report["edges"] == {"total": 12, "kept": precision["edges"]["after"]}
    (traded,) = [check for check in report["checks"] if check["pass"] == "kan-refine-precision"]
    assert "budget" in traded["claim"]
    # What is compared with the RTL and proven is the network as it was refined.
    integer, circuit = built_models(out)
    codes = np.random.default_rng(0).integers(0, 16, (200, 3))
    assert np.array_equal(integer.run_codes(codes), circuit.run_codes(codes))
    assert not np.array_equal(integer.run_codes(codes), Model.of(module).run_codes(codes))


def test_nothing_to_refine(
    task: tuple[ModuleOp, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wires are no tables any more: better said than not done."""
    module, path = task
    run_passes(Context(), module := module.clone(), [ExpandWiresPass()])
    (tmp_path / "net.mlir").write_text(str(module))
    out = tmp_path / "out"
    command = ["build", str(tmp_path / "net.mlir"), "--calibration", str(path), "-o", str(out)]
    assert flow(*command, "--precision", "auto", "--simulator", "none") == 1
    message = "kan-refine-precision has nothing to refine at wire level; give the model"
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_budget_without_automatic_precision(
    task: tuple[ModuleOp, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    module, _ = task
    (tmp_path / "net.mlir").write_text(str(module))
    for options, message in (
        (
            ["--max-luts", "9"],
            "there is a budget, but precision is as given; choose precision auto",
        ),
        (["--precision", "auto"], "precision auto needs samples to choose by"),
        (["-p", "kan-compile", "--precision", "auto"], "--precision has no meaning with --passes"),
        (["-p", "kan-compile", "--bits", "5"], "--bits has no meaning with --passes"),
        (["--trainable", "--max-luts", "9"], "--max-luts has no meaning with --trainable"),
        (["--max-accuracy-loss", "few"], "takes a share, as 0.5% or 0.005, got 'few'"),
    ):
        command = ["build", str(tmp_path / "net.mlir"), "-o", str(tmp_path / "out"), *options]
        assert flow(*command) == 1
        assert message in capsys.readouterr().err


@pytest.mark.ci
def test_budgets_in_a_sweep(task: tuple[ModuleOp, Path], tmp_path: Path) -> None:
    """Points with automatic precision choose by labels, of calibration samples only."""
    module, path = task
    (tmp_path / "net.mlir").write_text(str(module))
    out = tmp_path / "out"
    command = ["sweep", str(tmp_path / "net.mlir"), "--calibration", str(path), "-o", str(out)]
    axes = ["--vary", "precision=auto", "--vary", "max-accuracy-loss=0.04,0.2"]
    assert flow(*command, *axes, "--jobs", "1") == 0
    with (out / "sweep.csv").open() as file:
        near, far = csv.DictReader(file)
    whole = kan.from_ir(str(module)).compile().estimate().luts
    assert int(far["estimate_luts"]) < 0.8 * whole and int(near["estimate_luts"]) < 0.8 * whole
    assert float(near["validation_accuracy"]) > 0.8
    with np.load(out / "calibration.npz") as data, np.load(path) as whole:
        rows = {tuple(x): y for x, y in zip(whole["x_train"], whole["y_train"], strict=True)}
        assert len(data["x"]) == 225
        assert [rows[tuple(x)] for x in data["x"]] == data["y"].tolist()
