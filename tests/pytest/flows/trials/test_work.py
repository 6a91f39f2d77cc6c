"""Trials on benches, in processes and on clusters: what they share, and what is lost."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import pytest
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

import kan_dialect
from kan_dialect.files.data_sets import load_dataset
from kan_dialect.flows.sweep.study import make_study
from kan_dialect.flows.trials.bench import Bench, Perform, Task, make_tasks
from kan_dialect.flows.trials.cluster import connected, run_on_cluster
from kan_dialect.flows.trials.compiler_digest import compiler_digest
from kan_dialect.flows.trials.kinds import Compile, Measure
from kan_dialect.flows.trials.points import grid, parse_axis
from kan_dialect.flows.trials.processes import run_here, run_in_processes
from kan_dialect.flows.trials.runners import Outcome
from kan_dialect.flows.trials.study import Study, Trial
from kan_dialect.frontends.loading import load_model, make_context
from kan_dialect.passes.calibrate import CalibratePass
from repository import EXAMPLES

EXAMPLE, DATA = EXAMPLES / "wine.onnx", EXAMPLES / "wine.npz"


@pytest.fixture(scope="module")
def study() -> Study:
    return make_study(load_model(make_context(), EXAMPLE), load_dataset(DATA))


def six_tasks(study: Study) -> list[Task]:
    points = grid([parse_axis("bits=4,5"), parse_axis("levels=1,2,3")])
    return make_tasks(study, [Trial(point) for point in points])


@pytest.mark.ci
def test_a_process_that_is_killed_is_replaced(study: Study) -> None:
    tasks = six_tasks(study)
    others = {child.pid for child in active_children()}  # such as a cluster of other tests
    outcomes: dict[int, Outcome] = {}
    for number, outcome in run_in_processes(Perform(study, Compile()), tasks, 2):
        if not outcomes:
            victim = next(each.pid for each in active_children() if each.pid not in others)
            assert victim is not None
            os.kill(victim, signal.SIGKILL)
        outcomes[number] = outcome
    assert outcomes == dict(run_here(Perform(study, Compile()), tasks))
    assert {child.pid for child in active_children()} <= others


def test_a_task_that_kills_its_processes_is_given_up() -> None:
    kill: Any = signal.raise_signal
    assert list(run_in_processes(kill, [signal.SIGKILL], 1)) == [
        (0, "its process was killed 3 times: out of memory?")
    ]


@pytest.mark.ci
def test_a_worker_of_a_cluster_that_is_killed_loses_nothing(study: Study, scheduler: str) -> None:
    tasks = six_tasks(study)
    outcomes: dict[int, Outcome] = {}
    with connected(scheduler) as client:
        workers = client.run(os.getpid)
        for number, outcome in run_on_cluster(Perform(study, Compile()), tasks, client):
            if not outcomes:
                os.kill(next(iter(workers.values())), signal.SIGKILL)
            outcomes[number] = outcome
    assert outcomes == dict(run_here(Perform(study, Compile()), tasks))


@pytest.mark.parametrize(
    "changed",
    ["fpga.py", "search/c/costs.h", "passes/narrow.py", "lowering/systemverilog/module.py"],
)
def test_another_compiler_has_another_digest(
    changed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The emitter's source counts too: figures of Yosys depend on its text."""
    root = tmp_path / "kan_dialect"
    for path in ("fpga.py", "passes/narrow.py", "lowering/systemverilog/module.py", changed):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("pass\n")
    monkeypatch.setattr(kan_dialect, "__file__", str(root / "__init__.py"))
    before = compiler_digest.__wrapped__()
    assert compiler_digest.__wrapped__() == before
    (root / changed).write_text("pass  # something else\n")
    assert compiler_digest.__wrapped__() != before


def test_another_compiler_on_a_cluster_is_refused(study: Study) -> None:
    other = replace(study, compiler="another")
    tasks = make_tasks(other, [Trial()])
    ((_, outcome),) = run_here(Perform(other, Compile()), tasks)
    assert outcome == (
        "a worker has another kan-dialect or other extension packages; install the same version on "
        "all workers"
    )


def test_neighbours_share_what_their_passes_have_in_common(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    calibrate = CalibratePass.run

    def counted(self: CalibratePass, ctx: Context, module: ModuleOp) -> bool:
        calls.append(self.name)
        return calibrate(self, ctx, module)

    monkeypatch.setattr(CalibratePass, "run", counted)
    axes = [parse_axis("bits=2,3"), parse_axis("levels=1,2")]
    tasks = make_tasks(study, [Trial(point) for point in grid(axes)])
    bench = Bench(study)
    figures = [Compile().perform(bench, task) for task in tasks]
    assert len(calls) == 1
    alone = [Compile().perform(Bench(study), Task(task.trial)) for task in tasks]
    assert figures == alone


def test_results_of_tools_depend_on_device_seeds_and_names(study: Study) -> None:
    kinds = [
        *(Measure("synthesis"), Measure("synthesis", "ecp5"), Measure("synthesis", renamed=1)),
        *(Measure("pnr", "ecp5"), Measure("pnr", "ecp5-25"), Measure("pnr", "ecp5", seeds=2)),
    ]
    sections = [kind.section(study, Trial()) for kind in kinds]
    assert sections[0] == "synthesis for xcup" and len(set(sections)) == len(sections)
