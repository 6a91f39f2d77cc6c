"""`kan-flow tune`: the space, the search on costs that are given, what is resumed, its results."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from commands import flow
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.universe import Universe

from kan_dialect.cli.flow.tune import seconds_of
from kan_dialect.cli.kan_flow import main
from kan_dialect.errors import KanError
from kan_dialect.files.growing_folder import GrowingFolder
from kan_dialect.flows.folder_owners import TUNE
from kan_dialect.flows.input_codes import comparison_codes
from kan_dialect.flows.tools.toolchain import look_for
from kan_dialect.flows.trials.bench import Perform, Task
from kan_dialect.flows.trials.kinds import Measure
from kan_dialect.flows.trials.pipeline import Pipeline
from kan_dialect.flows.trials.points import Axis, Point
from kan_dialect.flows.trials.runners import Outcomes, T, Work
from kan_dialect.flows.tune.base import Base, make_base
from kan_dialect.flows.tune.objectives import OBJECTIVES
from kan_dialect.flows.tune.search import DEFAULT, Search, best_points
from kan_dialect.flows.tune.space import Space
from kan_dialect.flows.tune.tune import Effort, Tuning, tune
from kan_dialect.frontends.loading import load_model, make_context
from kan_dialect.ir.constants import dense
from kan_dialect.model.model import Model
from kan_dialect.ops.wire import TableOp
from kan_dialect.passbase.kan_pass import KanPass
from kan_dialect.passbase.option_bounds import Bounds, bounded
from repository import BENCHMARKS, EXAMPLES

EXAMPLE, DATA = EXAMPLES / "wine.onnx", EXAMPLES / "wine.npz"
TABLES, WIRES = (BENCHMARKS / "seeded_networks" / name for name in ("negative.mlir", "alike.mlir"))
SMALL = Pipeline("kan-compile{cycles=2}")
needs_yosys = pytest.mark.skipif(look_for("yosys") is None, reason="Yosys is not installed")


def run(*arguments: object) -> int:
    return flow("tune", *arguments)


@pytest.fixture(scope="module")
def base() -> Base:
    return make_base(load_model(make_context(), TABLES), SMALL, None, None)


# The space.


def test_the_space_is_what_passes_declare(base: Base) -> None:
    space = Space.of(base.passes, with_schedule=True)
    axes = {axis.option: axis.values for axis in space.axes}
    assert axes["kan-merge-tables"] == (False,)
    assert axes["kan-split-tables.parts"] == (1, 2, 3, 4, 6)
    assert "xcup" not in axes["kan-share-sums.target"]
    # The pipeline has chosen the latency, and the network of codes does not change.
    assert not {"kan-schedule.cycles", "kan-narrow", "kan-quantize.bits"} & axes.keys()
    free = make_base(
        load_model(make_context(), TABLES), Pipeline(f'kan-compile{{data="{DATA}"}}'), None, None
    )
    for with_schedule in (False, True):
        names = {axis.option for axis in Space.of(free.passes, with_schedule=with_schedule).axes}
        assert ("kan-schedule.cycles" in names) == with_schedule


def test_a_pass_that_is_left_out_has_no_options() -> None:
    space = Space((Axis("a", (False,)), Axis("a.n", (1, 2)), Axis("b.n", (1, 3))))
    point = space.moved(DEFAULT, (("b.n", 1), ("a.n", 2)))
    assert point == Point((("a.n", 2), ("b.n", 1)))
    assert space.moved(point, (("a", False),)) == Point((("a", False), ("b.n", 1)))
    assert space.without(point, "a.n") == Point((("b.n", 1),))
    # Values that two passes share are one move more.
    assert (("a.n", 1), ("b.n", 1)) in space.moves() and len(space.moves()) == 6


# The search, on costs that are given.


def searched(space: Space, cost: Callable[[Point], float], rounds: int) -> dict[Point, float]:
    search, costs = Search(space), {DEFAULT: cost(DEFAULT)}
    for _ in range(rounds):
        found = search.propose(costs)
        assert not costs.keys() & set(found), "a point is proposed once"
        costs |= {point: cost(point) for point in found}
    return costs


AXES = Space(tuple(Axis(f"p{n}.n", (1, 2, 3)) for n in range(8)))


def test_changes_that_help_are_combined() -> None:
    """Costs that add up: the optimum takes the best value of every axis."""

    def cost(point: Point) -> float:
        gains = {1: -3, 2: 1, 3: -1}
        return 100.0 + sum(gains[int(str(v))] * (int(n[1]) + 1) for n, v in point.options)

    costs = searched(AXES, cost, 16)
    (best, *_) = best_points(costs)
    assert dict(best.options) == {f"p{n}.n": 1 for n in range(8)}
    assert costs[best] == 100 - 3 * 36
    assert costs == searched(AXES, cost, 16), "the same costs give the same search"


def test_random_changes_leave_a_local_optimum() -> None:
    """No change helps alone; two together do."""

    def cost(point: Point) -> float:
        chosen = dict(point.options)
        both = {chosen.get("p0.n"), chosen.get("p1.n")} == {2}
        return 50.0 if both else 100.0 + len(chosen)

    assert min(searched(AXES, cost, 60).values()) == 50.0


def test_a_search_without_changes_ends() -> None:
    assert Search(Space(())).propose({DEFAULT: 1.0}) == []
    one = Search(Space((Axis("a.n", (1,)),)))
    assert len(one.propose({DEFAULT: 1.0})) == 1
    assert one.propose({DEFAULT: 1.0, Point((("a.n", 1),)): 1.0}) == []


# Whole runs, with a measurement in the place of Yosys.


@dataclass
class Fake:
    """Compiles for real. Measures by the number of LUTs that a function gives."""

    luts: Callable[[Point, int], float]
    measured: list[tuple[Point, int]] = field(default_factory=list[tuple[Point, int]])
    """Points, and the seed of their names."""

    def __call__(self, work: Work[T], tasks: Sequence[T]) -> Outcomes:
        assert isinstance(work, Perform)
        for number, task in enumerate(tasks):
            assert isinstance(task, Task)
            if not isinstance(work.kind, Measure):
                yield number, work(task)
                continue
            self.measured.append((task.trial.point, work.kind.renamed))
            yield number, {"tool": "fake", "luts": self.luts(*self.measured[-1]), "registers": 1}

    @property
    def searched(self) -> int:
        """Number of measurements with the names that signals have."""
        return sum(not renamed for _, renamed in self.measured)


def lucky(point: Point, renamed: int) -> float:
    """Many changes that look good by luck, and one that is."""
    chosen = dict(point.options)
    good = -20 if chosen.get("kan-split-tables") is False else 0
    return 200 + good - (0 if renamed else len(chosen)) + renamed


def fake_tune(base: Base, folder: Path, fake: Fake, effort: Effort, **more: Any) -> Tuning:
    return tune(base, OBJECTIVES["cells"], effort, GrowingFolder(folder, TUNE), fake, **more)


def test_the_judgement_sees_through_luck(base: Base, tmp_path: Path) -> None:
    fake = Fake(lucky)
    result = fake_tune(base, tmp_path, fake, Effort(None, 16))
    assert len(result.rows) == 16 and result.is_over
    assert dict(result.best.point.options)["kan-split-tables"] is False
    # Means over the seeds 1 to 5, and nothing of the search.
    assert result.default.costs == (201, 202, 203, 204, 205)
    assert result.ratio == pytest.approx(183 / 203)
    assert not result.is_within_noise
    assert "kan-split-tables" not in result.pipeline and "kan-narrow" in result.pipeline
    digests = [row["design"] for row in result.rows]
    assert len(set(digests)) == len(digests), "a design is measured once"


def test_luck_alone_is_no_gain(base: Base, tmp_path: Path) -> None:
    fake = Fake(lambda point, renamed: 100 + (1 if renamed else -1) * len(point.options))
    result = fake_tune(base, tmp_path, fake, Effort(None, 15))
    assert result.best.point == DEFAULT and result.ratio == 1.0
    assert result.pipeline == base.text(DEFAULT)


@pytest.mark.ci
def test_the_same_trials_give_the_same_result_and_are_not_repeated(
    base: Base, tmp_path: Path
) -> None:
    first, again, more = (Fake(lucky) for _ in range(3))
    result = fake_tune(base, tmp_path, first, Effort(None, 14))
    same = fake_tune(base, tmp_path, again, Effort(None, 14))
    assert not again.measured and same.found == 14
    assert (same.rows, same.best) == (result.rows, result.best)
    fake_tune(base, tmp_path, more, Effort(None, 20))
    assert more.searched == 6
    elsewhere = Fake(lucky)
    fake_tune(base, tmp_path / "other", elsewhere, Effort(None, 14))
    assert elsewhere.measured == first.measured


def test_the_time_ends_the_search(base: Base, tmp_path: Path) -> None:
    """A clock that goes on by a minute with each measurement."""
    fake = Fake(lucky)
    result = fake_tune(
        base, tmp_path, fake, Effort(1000.0), clock=lambda: 60.0 * len(fake.measured)
    )
    assert result.is_over and fake.searched == 12, "until 700 s"
    # Two rounds of the default and three finalists in any case.
    assert len(result.default.costs) == 2 == len(result.best.costs)


def test_a_search_that_was_interrupted_goes_on(base: Base, tmp_path: Path) -> None:
    fake = Fake(lucky)

    def interrupted(point: Point, renamed: int) -> float:
        if len(fake.measured) == 5:
            raise KeyboardInterrupt
        return lucky(point, renamed)

    fake.luts = interrupted
    with pytest.raises(KeyboardInterrupt):
        fake_tune(base, tmp_path, fake, Effort(None, 14))
    again = Fake(lucky)
    result = fake_tune(base, tmp_path, again, Effort(None, 14))
    assert result.found == 4
    assert again.searched == 10


@dataclass(frozen=True)
class WrongPass(KanPass):
    """Changes an entry of a table where its option says so."""

    name = "wrong-pass"
    works_at = ("wire",)
    entry: int = bounded(0, Bounds(0, 1), tried=(0, 1))

    def run(self, ctx: Context, module: ModuleOp) -> bool:
        tables = [op for op in module.walk() if isinstance(op, TableOp)]
        for table in tables[: self.entry]:
            entries = table.entries_array.copy()
            entries[:] = entries.min()
            table.entries = dense(entries)
        return bool(tables)


def test_a_design_that_computes_something_else_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    available = {**Universe.get_multiverse().all_passes, WrongPass.name: lambda: WrongPass}
    monkeypatch.setattr("kan_dialect.flows.trials.pipeline._available", lambda: available)
    module = load_model(make_context(), TABLES)
    base = make_base(module, Pipeline(WITH_WRONG_PASS), None, None)
    with pytest.raises(KanError, match=r"wrong-pass\.entry=1 computes something else"):
        fake_tune(base, tmp_path, Fake(lucky), Effort(None, 14))


WITH_WRONG_PASS = (
    "kan-expand-wires,kan-narrow,wrong-pass,kan-balance-sums,kan-schedule{cycles=2},lower-kan-to-hw"
)


# The integer network.


def test_all_designs_have_the_integers_of_the_pipeline(base: Base) -> None:
    """Against the whole pipeline, run by itself."""
    codes = comparison_codes(Model.of(base.integers()).ports()[0], None)
    module = load_model(make_context(), TABLES)
    whole = base.text(DEFAULT)
    for stage in Pipeline(whole).resolved().passes:
        stage.apply(make_context(), module)
    expected = Model.of(module).run_codes(codes)
    assert (Model.of(base.integers()).run_codes(codes) == expected).all()
    changed = base.hardware(Point((("kan-balance-sums", False),)))
    assert (Model.of(changed).run_codes(codes) == expected).all()


def test_ir_of_wire_level_needs_no_passes_of_earlier_levels() -> None:
    base = make_base(load_model(make_context(), WIRES), Pipeline(), None, None)
    assert Model.of(base.integers()).level == "wire"
    names = base.text(DEFAULT).split(",")
    assert "kan-schedule" in names and "kan-expand-wires" not in names


# The command.


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--objective", "ns"), "nextpnr, which has no xcup; take objective cells"),
        (("--budget", "10"), "takes a time, as 90s, 10m, 2h or inf, got '10'"),
        (("--budget", "0s"), "takes a time"),
        (("--trials", "0"), "--trials must lie in 1..100000, got 0"),
        (("--target", "xcap"), "there is no target 'xcap'"),
        (("-p", "kan-fold-affine"), "no exact passes to tune"),
        (("-p", "kan-compile", "--bits", "3"), "--bits has no meaning with --passes"),
        (("-p", "kan-compil"), "unknown pass 'kan-compil'"),
        (("--scheduler", "nowhere"), "--scheduler takes an address"),
        (("--calibration", "missing.npz"), "missing.npz"),
    ],
)
@needs_yosys
def test_bad_input_gets_one_message(
    options: Sequence[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(EXAMPLE, "-o", tmp_path / "tune", *options) == 1
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1
    assert not (tmp_path / "tune").exists()


def test_times_are_read() -> None:
    times = {"90s": 90.0, "10m": 600.0, "1.5h": 5400.0, "inf": None}
    assert {text: seconds_of(text) for text in times} == times


def results_of(folder: Path) -> Mapping[str, Any]:
    return json.loads((folder / "tune.json").read_text())


@pytest.mark.ci
@needs_yosys
def test_a_search_with_yosys_gives_a_pipeline_that_builds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, built = tmp_path / "tune", tmp_path / "built"
    assert run(TABLES, "--cycles", "1", "--trials", "3", "--jobs", "1", "-o", folder) == 0
    said = capsys.readouterr().out
    assert "3 designs measured" in said and "proven: the best design computes" in said
    found = results_of(folder)
    with (folder / "tune.csv").open() as stream:
        luts = [int(row["synthesis_luts"]) for row in csv.DictReader(stream)]
    assert luts == sorted(luts) and len(luts) == 3 and found["designs"] == 3
    with pytest.raises(SystemExit) as ended:
        pipeline = (folder / "best.txt").read_text().strip()
        options = ("-p", pipeline, "--simulator", "none", "--no-check-passes")
        main(["build", str(TABLES), *options, "-o", str(built)])
    assert ended.value.code == 0
    assert (built / "rtl" / "negative.sv").read_text() == (folder / "best.sv").read_text()
