"""`kan-flow sweep`: grids, fronts, figures, what is resumed, processes and clusters, pictures."""

from __future__ import annotations

import csv
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest
from commands import flow
from hypothesis import given
from hypothesis import strategies as st

from kan_dialect.cli import kan_flow
from kan_dialect.cli.flow import sweep as command
from kan_dialect.cli.flow import workers
from kan_dialect.extras import install_command
from kan_dialect.files.data_sets import load_dataset
from kan_dialect.flows.sweep.pareto import cheapest, pareto_front
from kan_dialect.flows.sweep.schedules import useful
from kan_dialect.flows.sweep.study import make_study
from kan_dialect.flows.trials import processes
from kan_dialect.flows.trials import tables as written_tables
from kan_dialect.flows.trials.bench import Task
from kan_dialect.flows.trials.columns import Row
from kan_dialect.flows.trials.points import Point
from kan_dialect.flows.trials.processes import run_here
from kan_dialect.flows.trials.runners import Outcome, Work
from kan_dialect.flows.trials.study import Study
from kan_dialect.frontends.loading import load_model, make_context
from repository import EXAMPLES

EXAMPLE, DATA = EXAMPLES / "wine.onnx", EXAMPLES / "wine.npz"
GRID = ("--vary", "input-bits=2,3", "--vary", "activation-bits=3..4", "--loss", "0.1")
needs_tools = pytest.mark.skipif(
    shutil.which("yosys") is None or shutil.which("nextpnr-ecp5") is None,
    reason="Yosys or nextpnr-ecp5 is not on the PATH",
)


def run(*arguments: object) -> int:
    """Exit code of `kan-flow sweep`, run in this process."""
    return flow("sweep", *arguments)


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "sweep.csv").open() as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def study() -> Study:
    return make_study(load_model(make_context(), EXAMPLE), load_dataset(DATA))


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sweep") / "wine"
    assert run(EXAMPLE, "--calibration", DATA, *GRID, "--jobs", 1, "-o", folder) == 0
    return folder


# Fronts.


@given(
    st.lists(
        st.lists(st.sampled_from([0.0, 1.0, 2.0, float("nan")]), min_size=3, max_size=3),
        max_size=14,
    )
)
def test_the_front_is_what_no_point_dominates(costs: list[list[float]]) -> None:
    array = np.array(costs, dtype=np.float64).reshape(len(costs), 3)

    def dominates(one: list[float], other: list[float]) -> bool:
        pairs = list(zip(one, other, strict=True))
        return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)

    expected = [
        not any(np.isnan(row)) and not any(dominates(other, row) for other in costs)
        for row in costs
    ]
    assert pareto_front(array).tolist() == expected


def test_the_choice_is_the_cheapest_that_is_good_enough() -> None:
    def row(accuracy: float, luts: int, error: float) -> Row:
        return {
            "validation_accuracy": accuracy,
            "estimate_luts": luts,
            "validation_error": error,
        }

    rows = [row(0.97, 50, 0.1), row(0.99, 80, 0.3), row(0.99, 80, 0.2), row(1.0, 90, 0.1)]
    choose = ("validation_accuracy", "estimate_luts", 1.0)
    assert cheapest(rows, *choose, 0.01) == 2
    assert cheapest(rows, *choose, 0.0) == 3
    assert cheapest(rows, *choose, 0.05) == 0
    assert cheapest(rows[:3], *choose, 0.0) is None
    errors: list[Row] = [{"validation_mse": 1.04, "estimate_luts": 5}, {"validation_mse": 1.2}]
    assert cheapest(errors, "validation_mse", "estimate_luts", 1.0, 0.05) == 0


def test_schedules_that_only_delay_are_left_out() -> None:
    def schedule(name: str, cycles: int, levels: int, registers: int) -> tuple[Point, Row]:
        row = {
            "design": name,
            "latency_cycles": cycles,
            "estimate_levels": levels,
            "estimate_delay_ns": levels / 2,
            "estimate_luts": 100,
            "estimate_registers": registers,
        }
        return Point((("cycles", len(points)),)), row

    points: list[tuple[Point, Row]] = []
    for of in (
        ("flat", 0, 9, 0),
        ("a", 1, 9, 20),
        ("b", 2, 5, 40),
        ("b", 2, 5, 40),
        ("c", 3, 5, 60),
    ):
        points.append(schedule(*of))
    kept = useful([point for point, _ in points], dict(points))
    assert kept == [points[n][0] for n in (0, 1, 2)]


# Figures.


def test_a_table_has_a_row_for_each_point(swept: Path) -> None:
    rows = rows_of(swept)
    assert [(row["input_bits"], row["activation_bits"]) for row in rows] == [
        (str(a), str(b)) for a in (2, 3) for b in (3, 4)
    ]
    assert len({row["design"] for row in rows}) == 4
    assert len(list((swept / "points").glob("*.json"))) == 4
    luts = [int(row["estimate_luts"]) for row in rows]
    assert luts[0] < luts[1] < luts[3]
    assert any(row["front"] == "true" for row in rows) and "error" not in rows[0]


def test_parquet_holds_the_same(swept: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(swept / "sweep.parquet").to_pydict()
    rows = rows_of(swept)
    assert list(table) == list(rows[0])
    for name, column in table.items():
        shown = [str(value).lower() if isinstance(value, bool) else str(value) for value in column]
        assert shown == [row[name] for row in rows]


def test_the_choice_can_be_built_and_has_these_figures(swept: Path, tmp_path: Path) -> None:
    whole = json.loads((swept / "sweep.json").read_text())
    pipeline = whole["pipeline"].replace('"calibration.npz"', f'"{swept / "calibration.npz"}"')
    with pytest.raises(SystemExit) as ended:
        kan_flow.main(
            [
                *("build", str(EXAMPLE), "-p", pipeline, "--simulator", "none"),
                *("--no-check-passes", "--calibration", str(swept / "calibration.npz")),
                *("-o", str(tmp_path / "built")),
            ]
        )
    assert not ended.value.code
    report = json.loads((tmp_path / "built" / "report.json").read_text())
    choice = whole["choice"]
    assert report["latency_cycles"] == choice["latency_cycles"]
    assert report["table_bits"] == choice["table_bits"]
    for name in ("luts", "registers", "levels"):
        assert report["estimate"][name] == choice[f"estimate_{name}"]
    assert report["accuracy"]["integer"] == pytest.approx(choice["test_accuracy"])
    assert report["mean_abs_error"] == pytest.approx(choice["test_error"])


def test_points_are_compared_by_samples_that_did_not_calibrate(study: Study) -> None:
    data = load_dataset(DATA)
    (network,) = study.networks
    validation = network.scored["validation"]
    assert network.calibration is not None
    together = np.concatenate([network.calibration.x, validation.x])
    assert len(validation.x) == 31
    assert sorted(together.tolist()) == sorted(data.x.tolist())
    assert data.x_test is not None
    assert np.array_equal(network.scored["test"].x, data.x_test)


def test_the_test_set_decides_nothing(swept: Path, tmp_path: Path) -> None:
    with np.load(DATA) as archive:
        arrays = dict(archive)
    arrays["y_test"] = (arrays["y_test"] + 1) % 3
    np.savez(tmp_path / "wrong.npz", **arrays)
    options = (*GRID, "--jobs", 1, "-o", tmp_path / "wrong")
    assert run(EXAMPLE, "--calibration", tmp_path / "wrong.npz", *options) == 0
    first, second = rows_of(swept), rows_of(tmp_path / "wrong")
    for one, other in zip(first, second, strict=True):
        differ = {name for name in one if one[name] != other[name]}
        assert differ == {"test_accuracy"}


def test_without_labels_points_are_compared_by_their_error(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=load_dataset(DATA).x)
    options = ("--vary", "bits=2,3", "--jobs", 1, "-o", tmp_path / "out")
    assert run(EXAMPLE, "--calibration", tmp_path / "x.npz", *options) == 0
    rows = rows_of(tmp_path / "out")
    assert "validation_accuracy" not in rows[0]
    assert [row["front"] for row in rows] == ["true", "true"]


def test_a_schedule_curve_goes_from_combinational_to_the_most_stages(tmp_path: Path) -> None:
    fixed = ("--vary", "bits=3", "--schedule", "--jobs", 1)
    assert run(EXAMPLE, "--calibration", DATA, *fixed, "-o", tmp_path) == 0
    rows = rows_of(tmp_path)
    cycles = [int(row["latency_cycles"]) for row in rows]
    assert rows[0]["combinational"] == "true" and cycles[0] == 0
    assert len({row["design"] for row in rows}) == len(rows)
    assert set(range(1, 4)) <= set(cycles)
    levels = {int(row["estimate_levels"]) for row in rows if row["latency_cycles"] != "0"}
    assert len(levels) > 2 and min(levels) <= 2
    assert (tmp_path / "schedule.png").exists() and not (tmp_path / "front.png").exists()


@pytest.mark.ci
@needs_tools
def test_tools_measure_each_design_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = ("--vary", "bits=2", "--vary", "levels=8,9", "--synth", "--pnr", "--jobs", 1)
    assert run(EXAMPLE, "--calibration", DATA, *options, "-o", tmp_path) == 0
    first, second = rows_of(tmp_path)
    assert first["design"] == second["design"]
    measured = [name for name in first if name.startswith(("synthesis", "pnr"))]
    assert {name: first[name] for name in measured} == {name: second[name] for name in measured}
    assert 0 < int(first["synthesis_luts"]) < 60 and int(first["synthesis_registers"]) > 0
    assert float(first["pnr_latency_ns"]) == pytest.approx(
        int(first["latency_cycles"]) * float(first["pnr_delay_ns"]), abs=0.01
    )
    # Another time, nothing is left to do.
    monkeypatch.setattr(processes, "run_here", forbidden)
    assert run(EXAMPLE, "--calibration", DATA, *options, "-o", tmp_path) == 0


# What is resumed.


def forbidden(_work: object, tasks: list[Task]) -> Generator[tuple[int, Outcome]]:
    raise AssertionError(f"{len(tasks)} tasks were not to be done")
    yield 0, ""


def counting(monkeypatch: pytest.MonkeyPatch) -> list[Task]:
    """The tasks that sweeps in this process do from now on."""
    done: list[Task] = []

    def counted(work: Work[Task], tasks: list[Task]) -> Generator[tuple[int, Outcome]]:
        for number, outcome in run_here(work, tasks):
            done.append(tasks[number])
            yield number, outcome

    monkeypatch.setattr(processes, "run_here", counted)
    return done


def test_a_sweep_does_only_what_is_missing(
    swept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "again"
    shutil.copytree(swept, folder)
    common = (EXAMPLE, "--calibration", DATA, "--jobs", 1, "-o", folder)
    done = counting(monkeypatch)
    assert run(*common, *GRID) == 0 and not done
    assert rows_of(folder) == rows_of(swept)
    # A damaged file, and a point more of another grid.
    damaged = next((folder / "points").glob("*.json"))
    damaged.write_text("")
    other = max((folder / "points").glob("*.json"), key=lambda path: path != damaged)
    other.write_text(other.read_text().replace('"design"', '"sign"'))
    assert run(*common, *GRID) == 1
    assert run(*common, *GRID, "--force") == 0 and len(done) == 2
    assert run(*common, "--vary", "input-bits=3", "--vary", "activation-bits=3,5") == 0
    assert [str(task.trial.point) for task in done[2:]] == ["input-bits=3 activation-bits=5"]


def test_another_model_or_other_data_is_another_sweep(
    swept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "again"
    shutil.copytree(swept, folder)
    done = counting(monkeypatch)
    once = ("--vary", "input-bits=3", "--vary", "activation-bits=3", "--jobs", 1, "-o", folder)
    assert run(EXAMPLE, "--calibration", DATA, "--validation", 0.3, *once) == 0
    assert len(done) == 1
    changed = tmp_path / "wine.mlir"
    text = str(load_model(make_context(), EXAMPLE)).replace('"silu"', '"relu"')
    changed.write_text(text)
    assert run(changed, "--calibration", DATA, *once) == 0
    assert len(done) == 2
    assert run(EXAMPLE, "--calibration", DATA, *once) == 0
    assert len(done) == 2


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_sweep_that_was_ended_goes_on(
    how: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A network whose points take tenths of a second: the end comes before the last one.
    network = [EXAMPLES / "digits.onnx", "--calibration", EXAMPLES / "digits.npz"]
    options = ["--vary", "bits=4", "--vary", "levels=1..60", "--jobs", 2, "-o", tmp_path]
    arguments = map(str, [*network, *options])
    # Shells start commands in the background with Ctrl-C ignored, and processes inherit that.
    program = (
        "import signal, sys; from kan_dialect.cli.kan_flow import main; "
        "signal.signal(signal.SIGINT, signal.default_int_handler); main(sys.argv[1:])"
    )
    started = subprocess.Popen(
        [sys.executable, "-c", program, "sweep", *arguments], stderr=subprocess.PIPE, text=True
    )
    points = tmp_path / "points"
    while len(list(points.glob("*.json"))) < 2:
        assert started.poll() is None
        time.sleep(0.02)
    started.send_signal(how)
    _, said = started.communicate()
    if how is signal.SIGINT:
        assert (started.returncode, said) == (130, "kan-flow: interrupted\n")
    known = len(list(points.glob("*.json")))
    assert 2 <= known < 60
    # What is known already is not done again.
    done = counting(monkeypatch)
    passes = [json.loads(path.read_text())["passes"] for path in points.glob("*.json")]
    schedules = [next(text for text in each if "kan-schedule" in text) for each in passes]
    levels = [(re.findall(r"levels=(\d+)", text) or ["4"])[0] for text in schedules]
    few = ("--vary", "bits=4", "--vary", f"levels={','.join(levels)}", "--jobs", 1)
    assert run(*network, *few, "-o", tmp_path) == 0
    assert not done and len(rows_of(tmp_path)) == known


# Clusters.


def test_a_cluster_gives_the_same_table(scheduler: str, swept: Path, tmp_path: Path) -> None:
    options = ("--scheduler", scheduler, "-o", tmp_path)
    assert run(EXAMPLE, "--calibration", DATA, *GRID, *options) == 0
    assert rows_of(tmp_path) == rows_of(swept)


# Pages and pictures.


def test_the_page_refers_to_nothing_outside(swept: Path) -> None:
    page = (swept / "sweep.html").read_text()
    assert not re.search(r"https?://|\b(src|href)\s*=|@import|url\(|fetch\(|XMLHttp", page)
    content = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    assert content is not None
    data = json.loads(content[1])
    assert len(data["rows"]) == 4 and data["y"] == "validation_accuracy"
    assert set(data["rows"][0]) <= set(data["columns"])


def test_text_in_a_page_cannot_end_its_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_work: Work[Task], tasks: list[Task]) -> Generator[tuple[int, Outcome]]:
        yield 0, "</script><b>"
        yield from ((n, o) for n, o in run_here(_work, tasks) if n)

    monkeypatch.setattr(processes, "run_here", failing)
    options = ("--vary", "bits=2,3", "--jobs", 1, "-o", tmp_path)
    assert run(EXAMPLE, "--calibration", DATA, *options) == 0
    page = (tmp_path / "sweep.html").read_text()
    assert page.count("</script>") == 2 and "<b>" not in page
    assert rows_of(tmp_path)[0]["error"] == "</script><b>"


def test_pictures_are_png(swept: Path) -> None:
    for name in ("front.png", "heatmap.png"):
        assert (swept / name).read_bytes().startswith(b"\x89PNG")


def test_without_the_extra_there_are_tables_and_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = {"matplotlib", "pyarrow"}
    for module in (command, workers, written_tables):
        monkeypatch.setattr(module, "find_spec", lambda name: None if name in absent else name)
    options = ("--vary", "bits=2,3", "--loss", 0.1, "--jobs", 1, "-o", tmp_path)
    assert run(EXAMPLE, "--calibration", DATA, *options) == 0
    said = capsys.readouterr()
    assert said.err.count(install_command("sweep")) == 1
    assert "fewest LUTs within" in said.out
    names = {path.name for path in tmp_path.iterdir()}
    tables = {"sweep.csv", "sweep.html", "sweep.json"}
    assert names == {*tables, "points", "calibration.npz", ".kan-files"}


# Bad input.


def test_a_point_that_fails_does_not_end_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--vary", "bits=3,6:8", "--jobs", 1, "-o", tmp_path)
    assert run(EXAMPLE, "--calibration", DATA, *options) == 0
    assert "2 numbers of bits for @wine" in capsys.readouterr().out
    rows = rows_of(tmp_path)
    assert rows[0]["error"] == "" and rows[1]["front"] == "false"
