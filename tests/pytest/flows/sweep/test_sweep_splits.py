"""`kan-flow sweep`: constant networks, repeated validation splits, choices within noise."""

from __future__ import annotations

import csv
import json
import math
import statistics
from pathlib import Path

import numpy as np
import pytest
from commands import flow

from kan_dialect.files.data_sets import load_dataset
from kan_dialect.flows.budget_options import budget_remedy
from kan_dialect.flows.sweep.noise import (
    Splits,
    cheaper_within_noise,
    over_splits,
    standard_error,
    statements,
    t_quantile,
)
from kan_dialect.flows.sweep.study import make_study
from kan_dialect.flows.trials import processes
from kan_dialect.flows.trials.bench import Bench, Task
from kan_dialect.flows.trials.columns import Row
from kan_dialect.flows.trials.kinds import Compile
from kan_dialect.flows.trials.points import Point
from kan_dialect.flows.trials.study import Trial
from kan_dialect.frontends.loading import load_model, make_context
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.passes.prune import PrunePass

NETWORK = """
func.func @rare(%x: tensor<1xf32>) -> tensor<1xf32> {
  %0 = kan.base "silu" %x weights dense<[[1.0]]> : tensor<1x1xf32>
    : tensor<1xf32> -> tensor<1x1xf32>
  %1 = kan.node_sum %0 bias dense<[-3.0]> : tensor<1xf32> : tensor<1x1xf32> -> tensor<1xf32>
  func.return %1 : tensor<1xf32>
}
"""


@pytest.fixture
def rare(tmp_path: Path) -> tuple[str, ...]:
    """Options for a network of one edge, with 5 samples of class 1 among 60."""
    x = np.random.default_rng(0).uniform(-4, 4, (60, 1))
    (tmp_path / "rare.mlir").write_text(NETWORK)
    np.savez(tmp_path / "rare.npz", x=x, y=(x[:, 0] > 3.15).astype(np.int64))
    return (str(tmp_path / "rare.mlir"), "--calibration", str(tmp_path / "rare.npz"))


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "sweep.csv").open() as stream:
        return list(csv.DictReader(stream))


# Constant networks.


def test_a_remedy_names_the_budgets() -> None:
    passes = CompilePass(data="d", precision="auto", max_rmse=5.0, max_luts=9).passes()
    assert budget_remedy([PrunePass("d", max_accuracy_loss=0.5), *passes]) == (
        "give a smaller max-accuracy-loss (0.5 in kan-prune) or a smaller max-rmse (5 in "
        "kan-refine-precision) or a larger max-luts (9 in kan-refine-precision)"
    )
    assert budget_remedy(CompilePass().passes()) == "give more bits (--bits)"


def test_a_sweep_warns_of_constant_networks(
    rare: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    budget = "kan-prune.max-accuracy-loss=0.01,0.5"
    varied = ("-p", "kan-prune,kan-compile{bits=4}", "--vary", budget)
    folder = tmp_path / "out"
    assert flow("sweep", *rare, *varied, "--jobs", 1, "-o", folder) == 0
    assert [row["constant"] for row in rows_of(folder)] == ["false", "true"]
    told = (
        "1 of 2 points are constant networks: all outputs are the same for all samples. The first "
        "one is kan-prune.max-accuracy-loss=0.5; give a smaller max-accuracy-loss (0.5 in "
        "kan-prune)"
    )
    assert f"warning: {told}\n" in capsys.readouterr().out
    assert told in (folder / "sweep.html").read_text()


def test_a_build_names_the_budget_that_left_a_constant(
    rare: tuple[str, ...], tmp_path: Path
) -> None:
    data = rare[-1]
    passes = f'kan-prune{{data="{data}" max-accuracy-loss=0.5}},kan-compile{{data="{data}"}}'
    assert flow("build", *rare, "-p", passes, "--simulator", "none", "-o", tmp_path / "out") == 0
    found = json.loads((tmp_path / "out" / "report.json").read_text())["warnings"]
    assert any(
        "the design is a constant" in text
        and "a smaller max-accuracy-loss (0.5 in kan-prune)" in text
        for text in found
    )


# Repeated splits.

ACCURACY, LUTS = "validation_accuracy", "estimate_luts"


@pytest.mark.parametrize(
    ("freedom", "expected"),
    [(1, 12.7062), (2, 4.3027), (3, 3.1824), (4, 2.7764), (9, 2.2622), (30, 2.0423), (99, 1.9842)],
)
def test_quantiles_of_student(freedom: int, expected: float) -> None:
    """Against the printed table of two-sided 95 % quantiles."""
    assert t_quantile(freedom) == pytest.approx(expected, abs=1e-4)


def test_the_standard_error_of_splits_that_overlap() -> None:
    scores = [0.9, 0.95, 0.93, 0.97]
    expected = statistics.stdev(scores) * math.sqrt(1 / 4 + 1 / 3)
    assert float(standard_error(np.array(scores), 1 / 3)) == pytest.approx(expected)


def test_differences_are_paired() -> None:
    """Splits differ by much more than the points do, by the same amount for both."""
    base = np.array([0.7, 0.9, 0.8, 0.95, 0.75])
    above = base + np.array([0.010, 0.011, 0.009, 0.010, 0.010])
    other = base[::-1] + 0.01
    splits = Splits({ACCURACY: np.array([base, above, other])}, 1 / 3)
    found = splits.difference(ACCURACY, 1, 0)
    assert found.mean == pytest.approx(0.01) and not found.is_noise
    assert found.margin == pytest.approx(
        2.7764 * statistics.stdev((above - base).tolist()) * math.sqrt(1 / 5 + 1 / 3), rel=1e-3
    )
    assert splits.difference(ACCURACY, 2, 0).is_noise
    rows: list[Row] = [{LUTS: 5}, {LUTS: 9}, {LUTS: 8}]
    assert cheaper_within_noise(splits, rows, ACCURACY, LUTS, 2, [0, 1]) == 0
    assert cheaper_within_noise(splits, rows, ACCURACY, LUTS, 1, [0]) is None
    assert cheaper_within_noise(splits, rows, ACCURACY, LUTS, 0, [0, 1, 2]) is None


def test_what_splits_say_in_words() -> None:
    scores = np.array([[0.6, 0.61, 0.6], [0.90, 0.97, 0.92], [0.96, 0.90, 0.95], [0.98, 0.99, 1.0]])
    splits = Splits({ACCURACY: scores}, 1 / 3)
    rows: list[Row] = [
        {ACCURACY: mean, LUTS: luts, "front": True}
        for mean, luts in zip(scores.mean(axis=1).tolist(), (10, 20, 30, 40), strict=True)
    ]
    names = ["a", "b", "c", "d"]
    said = statements(splits, rows, names, ACCURACY, LUTS, 2)
    assert len(said) == 2
    assert said[0].startswith(
        "the choice, c (30 LUTs), is within noise of a cheaper one, b (20 LUTs): accuracy "
        "(validation) differs by 0.00667 ± "
    )
    assert said[1].startswith("the most accurate point, d (40 LUTs), is within noise of a cheaper")
    assert said[0].endswith("(95% confidence, 3 splits)")
    marked: list[Row] = [*rows[:2], {**rows[2], "within_noise_of": "b"}, rows[3]]
    assert statements(splits, marked, names, ACCURACY, LUTS, 0)[0].startswith(
        "the choice, a (10 LUTs), is the cheapest"
    )
    assert statements(splits, marked, names, ACCURACY, LUTS, 1)[0].startswith(
        "the choice, b (20 LUTs), is better than all cheaper ones, beyond noise"
    )
    assert statements(splits, marked, names, ACCURACY, LUTS, 2)[-1].startswith(
        "1 of 4 points on the front are within noise of a cheaper one: c"
    )


def test_a_point_that_fails_in_one_split_has_no_score() -> None:
    tables: list[list[Row]] = [
        [{ACCURACY: 0.9, LUTS: 4}, {ACCURACY: 0.8, LUTS: 5}],
        [{ACCURACY: 0.7, LUTS: 9}, {"error": "too few bits"}],
    ]
    rows, _ = over_splits(tables, 1 / 3)
    assert rows[0][ACCURACY] == pytest.approx(0.8) and rows[0][LUTS] == 4
    assert rows[1] == {LUTS: 5, "error": "split 2: too few bits"}


def test_a_sweep_over_splits(
    rare: tuple[str, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "out"
    options = (*rare, "--vary", "bits=2,4", "--splits", 3, "--loss", "50%", "--jobs", 1)
    assert flow("sweep", *options, "-o", folder) == 0
    said, rows = capsys.readouterr().out, rows_of(folder)
    # Against the scores of each split, compiled alone.
    data = load_dataset(Path(rare[-1]))
    module = load_model(make_context(), Path(rare[0]))
    study = make_study(module, data, splits=3)
    for row, bits in zip(rows, (2, 4), strict=True):
        trials = [Trial(Point((("bits", bits),)), split) for split in range(3)]
        scores = [Compile().perform(Bench(study), Task(trial))[ACCURACY] for trial in trials]
        assert float(row[ACCURACY]) == pytest.approx(statistics.fmean(scores))
        error = statistics.stdev(scores) * math.sqrt(1 / 3 + 15 / 45)
        assert float(row[f"{ACCURACY}_se"]) == pytest.approx(error)
        assert f"{statistics.fmean(scores):.4f} ± {error:.4f}" in said
    assert "The choice, bits=2 (" in said and "95% confidence, 3 splits" in said
    whole = json.loads((folder / "sweep.json").read_text())
    assert whole["splits"] == 3
    page = (folder / "sweep.html").read_text()
    assert f'"error":"{ACCURACY}_se"' in page and all(
        json.dumps(text)[1:-1] in page for text in whole["noise"]
    )
    assert (folder / "front.png").exists() and len(list((folder / "points").iterdir())) == 6

    def forbidden(*_: object) -> None:
        raise AssertionError("nothing was left to compile")

    monkeypatch.setattr(processes, "run_here", forbidden)
    assert flow("sweep", *options, "-o", folder) == 0


def test_splits_need_data(rare: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    wrong = ("--vary", "levels=1,2", "--splits", 3, "-o", "/nonexistent/out")
    assert flow("sweep", rare[0], *wrong) == 1
    assert "--splits repeats the split of the data, and no data" in capsys.readouterr().err
