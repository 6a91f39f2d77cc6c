"""Studies end to end: trainings, choices, tests, files, and what a second run does again."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import flow

import kan_dialect as kan
from kan_dialect.api import from_ir
from kan_dialect.errors import KanError
from kan_dialect.files.growing_folder import GrowingFolder
from kan_dialect.flows.tools.toolchain import look_for
from kan_dialect.flows.trials.processes import run_here
from kan_dialect.flows.trials.runners import Outcomes, Work
from kan_dialect.ir.constants import Array

pytestmark = pytest.mark.torch
torch: Any = pytest.importorskip("torch")

from kan_dialect.qat.study import work
from kan_dialect.qat.study.api import STUDY, study_by
from kan_dialect.qat.study.plan import Plan, read_plan
from kan_dialect.qat.table import read_table

STUDY_TOML = """
seeds = 2
[data.squares]
file = "squares.npz"
[data.moons]
hidden = [2]
[options]
steps = 100
folds = 1
rate = 0.05
[axes]
input-bits = [2, 4]
[tuned]
last-price = [1e-3, 1e-1]
"""


def squares() -> dict[str, Array]:
    """A sum of squares."""
    rng = np.random.default_rng(0)
    x, x_test = rng.uniform(-1.0, 1.0, (300, 2)), rng.uniform(-1.0, 1.0, (50, 2))
    return {"x": x, "y": (x**2).sum(1), "x_test": x_test, "y_test": (x_test**2).sum(1)}


def planned(folder: Path) -> Path:
    np.savez(folder / "squares.npz", **squares())
    path = folder / "study.toml"
    path.write_text(STUDY_TOML)
    return path


def run(plan: Plan, folder: Path) -> kan.Studied:
    return study_by(run_here, plan, plan.read(), GrowingFolder(folder, STUDY), None)


def table(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_a_study_from_file_to_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sklearn")
    path, out = planned(tmp_path), tmp_path / "out"
    assert flow("study", path, "-o", out, "--jobs", "1") == 0
    rows = table(out / "study.csv")
    assert len(rows) == 2 * 2 * 2 * 2
    chosen = [row for row in rows if row["chosen"] == "true"]
    assert len(chosen) == 2 * 2 * 2
    # Both seeds of a point have the tuned option whose mean held-out loss is the least.
    for data in ("squares", "moons"):
        for bits in ("2", "4"):
            own = [row for row in rows if (row["data"], row["input_bits"]) == (data, bits)]
            means = {
                price: np.mean([float(r["held_out_loss"]) for r in own if r["last_price"] == price])
                for price in ("0.001", "0.1")
            }
            best = min(means, key=means.__getitem__)
            assert {r["last_price"] for r in own if r["chosen"] == "true"} == {best}
    assert all(bool(row["test_score"]) == (row["chosen"] == "true") for row in rows)
    # A row says what repeats it, and its network is the one whose score it has.
    row = next(row for row in chosen if row["data"] == "squares" and row["input_bits"] == "4")
    samples = squares()
    trained = kan.train({"x": samples["x"], "y": samples["y"]}, **json.loads(row["options"]))
    assert trained.chosen.luts == int(row["estimate_luts"])
    error = trained.network.run(samples["x_test"])[:, 0] - samples["y_test"]
    r2 = 1.0 - (error**2).mean() / samples["y_test"].var()
    assert float(row["test_score"]) == pytest.approx(r2) and r2 > 0.5
    fronts = table(out / "fronts.csv")
    assert len(fronts) >= len(rows) and {"data", "seed", "price", "held_out_score"} <= {*fronts[0]}
    assert "| moons |" in (out / "study.md").read_text()
    # Again: nothing is trained or tested.
    monkeypatch.setattr(work.TrainWork, "__call__", None)
    monkeypatch.setattr(work.TestWork, "__call__", None)
    assert [*map(dict, run(read_plan(path), out).rows)] and table(out / "study.csv") == rows


def test_a_cluster_gives_the_same_tables_and_parquet_has_them(
    scheduler: str, tmp_path: Path
) -> None:
    arrow: Any = pytest.importorskip("pyarrow.parquet")
    path, here, there = planned(tmp_path), tmp_path / "here", tmp_path / "there"
    data, options = '[data.squares]\nfile = "squares.npz"', "[options]\nsteps = 100\nfolds = 1"
    path.write_text(f"seeds = 1\n{data}\n{options}\n[axes]\nhidden = [[2], [3, 2]]\n")
    assert flow("study", path, "-o", here, "--jobs", "1") == 0
    assert flow("study", path, "-o", there, "--scheduler", scheduler) == 0
    for name in ("study", "fronts"):
        rows = table(here / f"{name}.csv")
        for row, other in zip(rows, table(there / f"{name}.csv"), strict=True):
            assert row | {"seconds": ""} == other | {"seconds": ""}
        columns: Any = arrow.read_table(here / f"{name}.parquet")
        kinds = {"hidden": str, "held_out_loss": float, "estimate_luts": int}
        for column, kind in kinds.items():
            values = columns[column].to_pylist()
            assert values == [kind(row[column]) for row in rows]


def test_trainings_see_no_test_set_and_other_test_sets_change_no_choice(tmp_path: Path) -> None:
    samples = squares()
    np.savez(tmp_path / "squares.npz", **samples)
    data = {"squares": {"file": str(tmp_path / "squares.npz")}}
    options = {"steps": 100, "folds": 1}
    plan = read_plan({"data": data, "options": options, "axes": {"input-bits": [2, 3]}, "seeds": 1})
    order: list[str] = []

    def runner(doing: Work[Any], tasks: Sequence[Any]) -> Outcomes:
        given: Mapping[str, Mapping[str, Array]] = doing.data  # pyright: ignore
        order.append(type(doing).__name__)
        assert ("y_test" in given["squares"]) == isinstance(doing, work.TestWork)
        return run_here(doing, tasks)

    first = study_by(runner, plan, plan.read(), GrowingFolder(tmp_path / "first", STUDY), None)
    assert order == ["TrainWork", "TestWork"]
    np.savez(tmp_path / "squares.npz", **{**samples, "y_test": -samples["y_test"]})
    second = run(plan, tmp_path / "second")
    same = ("held_out_loss", "estimate_luts", "chosen")
    for one, other in zip(first.rows, second.rows, strict=True):
        assert [one[name] for name in same] == [other[name] for name in same]
        assert one["test_score"] > other["test_score"]


def test_budgets_of_luts_share_a_training(tmp_path: Path) -> None:
    np.savez(tmp_path / "squares.npz", **squares())
    options = {"steps": 100, "folds": 1, "rate": 0.05, "last-price": 0.1, "interval": 5}
    plan = read_plan(
        {
            "data": {"squares": {"file": str(tmp_path / "squares.npz")}},
            "options": options,
            "axes": {"max-luts": [1, 40, False]},
            "seeds": 1,
        }
    )
    trainings: list[int] = []

    def runner(doing: Work[Any], tasks: Sequence[Any]) -> Outcomes:
        trainings.append(len(tasks))
        return run_here(doing, tasks)

    folder = GrowingFolder(tmp_path / "out", STUDY)
    found = study_by(runner, plan, plan.read(), folder, None)
    assert trainings == [1, 2]
    # Each network is the one that a training for its budget alone chooses.
    samples = {name: array for name, array in squares().items() if not name.endswith("_test")}
    for cell in found.cells:
        given = json.loads(cell.rows[0]["options"])
        assert given.get("max_luts", 40) == 40
        alone = kan.train(samples, **given)
        assert cell.luts.mean == alone.chosen.luts
        ((_, budget),) = cell.point.options
        written = kan.load(tmp_path / "out" / "networks" / f"squares_{str(budget).lower()}_0.mlir")
        assert (written.run(samples["x"]) == alone.network.run(samples["x"])).all()
    (failure,) = found.failed
    assert "no network has at most 1 LUTs; the smallest has" in failure


def test_a_wrong_plan_is_refused_before_any_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("kan_dialect.cli.flow.workers.find_spec", lambda _: None)
    path = tmp_path / "study.toml"
    path.write_text("[data.missing]\nfile = 'missing.npz'\n")
    assert flow("study", path, "-o", tmp_path / "out") == 1
    message = capsys.readouterr().err
    assert "missing.npz" in message and "note" not in message
    assert not (tmp_path / "out").exists()


def test_a_failed_seed_leaves_its_point_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, train = planned(tmp_path), work.train
    path.write_text(STUDY_TOML.replace("[data.moons]\nhidden = [2]", ""))

    def failing(data: Any, options: Any) -> Any:
        if options.input_bits == 4 and options.seed == 1:
            raise KanError("too bad")
        return train(data, options)

    monkeypatch.setattr(work, "train", failing)
    found = run(read_plan(path), tmp_path / "out")
    assert [str(cell.point) for cell in found.cells] == ["input-bits=2"]
    assert found.failed == ["too bad"] * 2
    # A second run trains those alone.
    monkeypatch.setattr(work, "train", train)
    done: list[int] = []

    def counting(doing: Work[Any], tasks: Sequence[Any]) -> Outcomes:
        done.append(len(tasks))
        return run_here(doing, tasks)

    plan, folder = read_plan(path), GrowingFolder(tmp_path / "out", STUDY)
    again = study_by(counting, plan, plan.read(), folder, None)
    assert len(again.cells) == 2 and not again.failed and done == [2, 2]
    monkeypatch.setattr(
        work, "train", lambda *_: failing(None, read_plan(path).tasks()[-1].options)
    )
    with pytest.raises(KanError, match="a seed of every point failed; the first: too bad"):
        run(read_plan(path), tmp_path / "none")


def test_steps_are_those_that_fit_into_a_processor_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = planned(tmp_path)
    (task, *_) = read_plan(path).tasks()
    clock = iter(np.arange(0.0, 1e3, 0.5).tolist())
    monkeypatch.setattr(work.time, "process_time", lambda: next(clock))
    samples = read_table(squares(), task.options.table)
    # 50 steps take half a second.
    assert work.within(4.0, samples, task.options).schedule.steps == 400
    assert work.within(0.1, samples, task.options).schedule.steps == work.LEAST_STEPS


@pytest.mark.skipif(look_for("yosys") is None, reason="needs Yosys")
def test_yosys_counts_chosen_networks(tmp_path: Path) -> None:
    np.savez(tmp_path / "squares.npz", **squares())
    data = {"squares": {"file": str(tmp_path / "squares.npz"), "steps": 100, "folds": 1}}
    found = kan.study({"data": data, "seeds": 1}, tmp_path / "out", synth=True)
    (cell,) = found.cells
    (row,) = cell.rows
    (stored,) = (tmp_path / "out" / "trainings").glob("*.json")
    text = json.loads(stored.read_text())["figures"]["ir"]
    built = from_ir(text).build(tmp_path / "built", simulator="none")
    assert row["synthesis_luts"] == built.synthesize("xcup").cells.luts == cell.luts.mean
