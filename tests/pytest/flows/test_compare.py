"""`kan-flow compare`: pipelines over networks, checked, resumed, summed up with intervals."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from commands import flow
from scipy import stats
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass
from xdsl.universe import Universe

from kan_dialect import multiverse
from kan_dialect.cli.flow import compare as compare_command
from kan_dialect.devices.device import device
from kan_dialect.errors import KanError
from kan_dialect.files.data_sets import load_dataset
from kan_dialect.flows.compare.pipelines import parse_change, parse_named, without
from kan_dialect.flows.compare.statistics import ratio_of
from kan_dialect.flows.tools import synthesis_cache
from kan_dialect.flows.tools.toolchain import look_for
from kan_dialect.flows.trials import compiler_digest as digests
from kan_dialect.flows.trials import kinds, pipeline, processes
from kan_dialect.flows.trials.pipeline import Pipeline, recorded, up_to_trades
from kan_dialect.flows.trials.processes import run_here
from kan_dialect.flows.trials.runners import Outcome, Work
from kan_dialect.frontends.loading import load_model, make_context
from kan_dialect.ir.constants import dense
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.lowering.estimate import estimate_design
from kan_dialect.lowering.kan_to_hw import LowerKanToHwPass
from kan_dialect.model.model import Model
from kan_dialect.ops.wire import TableOp
from kan_dialect.passbase.kan_pass import KanPass
from repository import EXAMPLES

EXAMPLE = EXAMPLES / "wine.onnx"
SOME = ("--benchmark-set", "--only", "symbolic,wires,alike", "--by-estimate")


def run(*arguments: object) -> int:
    return flow("compare", *arguments)


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "compare.csv").open() as file:
        return list(csv.DictReader(file))


def summary_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "compare.json").read_text())


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compare") / "out"
    changes = ("--pipeline", "fast=kan-compile{fast=true}", "--without", "kan-balance-sums")
    assert run(*SOME, *changes, "--bits", "3,5", "--jobs", 1, "-o", folder) == 0
    return folder


# Pipelines.


def test_options_are_filled_in_where_they_are_not_given() -> None:
    fill = (("bits", 5), ("target", "ecp5"))
    text = "kan-quantize{scale=minmax},\n kan-quantize{bits=3},kan-narrow"
    first, second, third = Pipeline(text, fill=fill).resolved(data="d.npz").texts
    assert "bits=5" in first and 'scale="minmax"' in first
    assert "bits=3" in second and third == "kan-narrow"
    whole = Pipeline(fill=fill).resolved().texts
    assert list(whole) == [recorded(s) for s in CompilePass(bits=5, target="ecp5").passes()]


def test_the_baseline_with_passes_added_or_left_out() -> None:
    baseline = Pipeline(name="baseline")
    whole = [stage.name for stage in baseline.resolved().passes]
    at = whole.index("kan-narrow")
    before = parse_change("kan-fold-affine,kan-narrow before kan-narrow", baseline)
    found = [stage.name for stage in before.resolved().passes]
    assert found == [*whole[:at], "kan-fold-affine", "kan-narrow", *whole[at:]]
    after = parse_change("kan-narrow after kan-narrow", baseline)
    found = [stage.name for stage in after.resolved().passes]
    assert found == [*whole[: at + 1], "kan-narrow", *whole[at + 1 :]]
    left = without("kan-narrow", baseline).resolved().passes
    assert [stage.name for stage in left] == [name for name in whole if name != "kan-narrow"]


def test_passes_up_to_the_last_trade_decide_the_codes() -> None:
    passes = Pipeline("kan-fold-affine,kan-quantize{bits=4},kan-narrow").resolved().passes
    first, second = up_to_trades(passes)
    assert first == "kan-fold-affine" and second.startswith("kan-quantize")
    assert up_to_trades(passes[2:]) == []


@pytest.mark.parametrize(
    ("parse", "told"),
    [
        (lambda: parse_named("kan-compile"), "cannot read --pipeline"),
        (lambda: parse_change("a before", Pipeline()), "cannot read --with"),
    ],
)
def test_unreadable_pipelines_are_refused(parse: Callable[[], object], told: str) -> None:
    with pytest.raises(KanError, match=told):
        parse()


# Statistics.


def rows(metric: str, values: Mapping[str, Sequence[float]]) -> list[dict[str, Any]]:
    return [{"network": name, metric: v} for name, several in values.items() for v in several]


def test_the_mean_and_the_interval_are_those_of_scipy() -> None:
    rng = np.random.default_rng(5)
    base = {f"n{n}": rng.integers(50, 500, 2).tolist() for n in range(20)}
    other = {name: [v * rng.uniform(0.8, 1.1) for v in each] for name, each in base.items()}
    found = ratio_of("table_bits", rows("table_bits", other), rows("table_bits", base))
    assert found is not None and found.interval is not None
    means = [stats.gmean(np.divide(other[name], base[name])) for name in base]
    assert found.mean == pytest.approx(stats.gmean(means))
    assert list(found.by_network.values()) == pytest.approx(means)
    reference = stats.bootstrap(
        (np.log(means),), np.mean, n_resamples=20_000, method="percentile", rng=rng
    ).confidence_interval
    assert found.interval == pytest.approx(np.exp([reference.low, reference.high]), abs=2e-3)


@pytest.mark.parametrize(
    ("other", "verdict"),
    [
        ([10, 10, 10, 10, 10], "same"),
        ([9, 8, 9, 9, 8], "less"),
        ([11, 12, 11, 11, 13], "more"),
        ([9, 11, 10, 9, 11], "within noise"),
        ([9, 8, 9, 9], "too few networks"),
        ([10], "same"),
    ],
)
def test_verdicts(other: list[float], verdict: str) -> None:
    pairs = [
        rows("table_bits", {f"n{i}": [value] for i, value in enumerate(values)})
        for values in (other, [10] * len(other))
    ]
    found = ratio_of("table_bits", *pairs)
    assert found is not None and found.verdict == verdict


def test_zeros_have_no_ratio() -> None:
    other, base = (
        rows("table_bits", {"a": [0], "b": [0], "c": [5]}),
        rows("table_bits", {"a": [0], "b": [3], "c": [5]}),
    )
    found = ratio_of("table_bits", other, base)
    assert found is not None and found.by_network == {"a": 1.0, "c": 1.0} and found.left_out == 1
    assert ratio_of("output_error", other, base) is None


def sizes(
    estimates: Sequence[float], measured: Mapping[int, float], designs: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Rows of networks n0, n1, ...: LUTs by estimate, and by synthesis where they are measured."""
    return [
        {
            "network": f"n{number}",
            "design": designs[number] if designs else f"d{number}, {luts}",
            "estimate_luts": luts,
            **({"synthesis_luts": measured[number]} if number in measured else {}),
        }
        for number, luts in enumerate(estimates)
    ]


def test_a_gain_by_estimate_alone_is_not_real() -> None:
    """The estimate has all networks 1.3 % smaller; those that are synthesised stay as they are."""
    rng = np.random.default_rng(3)
    base = rng.uniform(80, 900, 60).tolist()
    other = [luts * 0.987 for luts in base]
    found = ratio_of("luts", sizes(other, {}), sizes(base, {}))
    assert found is not None and found.basis == "by estimate" and found.verdict == "within noise"
    measured = {number: base[number] * 1.05 for number in range(0, 60, 5)}
    changed = {number: luts * rng.normal(1.0, 0.01) for number, luts in measured.items()}
    found = ratio_of("luts", sizes(other, changed), sizes(base, measured))
    assert found is not None and found.basis == "by synthesis of 12 of 60"
    assert found.verdict == "within noise" and found.mean == pytest.approx(1.0, abs=0.006)
    other_tool = [row | {"synthesis_tool": "another"} for row in sizes(other, changed)]
    found = ratio_of("luts", other_tool, sizes(base, measured))
    assert found is not None and found.basis == "by estimate"
    real = {number: luts * 0.9 for number, luts in measured.items()}
    found = ratio_of("luts", sizes(other, real), sizes(base, measured))
    assert found is not None and found.verdict == "less" and found.mean == pytest.approx(0.9)
    found = ratio_of("luts", sizes([0.9 * luts for luts in base], {}), sizes(base, {}))
    assert found is not None and found.verdict == "less" and found.basis == "by estimate"
    assert found.interval == pytest.approx((0.9 / np.exp(0.1), 0.9 * np.exp(0.1)))
    designs = [f"d{number}" for number in range(60)]
    half = sizes([*base[:30], *(0.9 * luts for luts in base[30:])], {}, [*designs[:30], *"x" * 30])
    found = ratio_of("luts", half, sizes(base, {}, designs))
    assert found is not None and found.interval is not None
    # Half of the networks have no error, since their designs are the same.
    assert np.log(found.interval[1] / found.interval[0]) < 0.1 + 0.06


def test_errors_of_the_estimate_widen_the_interval() -> None:
    """As a loop over resamples has it: errors of the sample, then one for each other network."""
    rng = np.random.default_rng(4)
    base = rng.uniform(80, 900, 15)
    other = base * rng.normal(0.95, 0.02, 15)
    measured = dict(enumerate(base[:6]))
    changed = {number: luts * rng.normal(0.97, 0.05) for number, luts in measured.items()}
    found = ratio_of("luts", sizes(other.tolist(), changed), sizes(base.tolist(), measured))
    assert found is not None and found.interval is not None
    estimated = np.log(other / base)
    synthesised = np.array([np.log(changed[n] / measured[n]) for n in range(6)])
    errors = synthesised - estimated[:6]
    means: list[float] = []
    for _ in range(20_000):
        drawn = rng.choice(errors, 6)
        whole = np.concatenate([synthesised, estimated[6:] + rng.choice(drawn, 9)])
        means.append(rng.choice(whole, 15).mean())
    assert found.interval == pytest.approx(np.exp(np.quantile(means, [0.025, 0.975])), abs=3e-3)
    expected = np.concatenate([synthesised, estimated[6:] + errors.mean()]).mean()
    assert found.mean == pytest.approx(np.exp(expected))


def test_networks_of_the_same_design_have_no_error() -> None:
    base, designs = [100.0] * 8, [f"d{number}" for number in range(8)]
    unchanged = sizes(base, {}, designs)
    found = ratio_of("luts", unchanged, unchanged)
    assert found is not None and found.verdict == "same" and found.basis == ""
    changed = sizes(base, {0: 90.0, 1: 90.0}, ["a", "b", *designs[2:]])
    found = ratio_of("luts", changed, sizes(base, {0: 100.0, 1: 100.0}, designs))
    assert found is not None and found.basis == "by synthesis"
    assert [found.by_network[f"n{n}"] for n in (0, 1, 2)] == pytest.approx([0.9, 0.9, 1.0])


# The command.


def test_every_network_width_and_pipeline_has_a_row(compared: Path) -> None:
    found = rows_of(compared)
    baseline = [(row["network"], row["bits"]) for row in found if row["pipeline"] == "baseline"]
    assert baseline == [("symbolic", "3"), ("symbolic", "5"), ("alike", ""), ("wires", "")]
    assert len(found) == 12
    for row in found:
        assert int(row["estimate_luts"]) > 0 and float(row["compile_seconds"]) > 0
        assert (row["accuracy"] != "") == (row["network"] == "symbolic")
    (row,) = [r for r in found if (r["bits"], r["pipeline"]) == ("5", "baseline")]
    assert float(row["float_accuracy"]) == 1.0 and float(row["output_error"]) > 0
    summary = summary_of(compared)
    assert summary["set"] == "kan-dialect benchmark set 1" and not summary["wrong"]
    assert set(summary["ratios"]) == {"fast", "without kan-balance-sums"}
    assert (compared / "luts.png").read_bytes().startswith(b"\x89PNG")
    assert (compared / "compare.parquet").exists() == (find_spec("pyarrow") is not None)


def test_figures_are_those_of_the_pipeline(tmp_path: Path) -> None:
    for name in ("wine.onnx", "wine.npz"):
        shutil.copy(EXAMPLE.with_name(name), tmp_path)
    options = ("--without", "kan-share-sums", "--bits", 3, "--target", "ecp5", "--jobs", 1)
    assert run(tmp_path / "wine.onnx", *options, "-o", tmp_path / "out") == 0
    row, _ = rows_of(tmp_path / "out")
    data = load_dataset(tmp_path / "wine.npz")
    module = load_model(make_context(), tmp_path / "wine.onnx")
    for stage in CompilePass(str(tmp_path / "wine.npz"), bits=3, target="ecp5").passes():
        if not isinstance(stage, LowerKanToHwPass):
            stage.apply(make_context(), module)
    model = Model.of(module)
    found = estimate_design(model.op, device("ecp5"))  # type: ignore[arg-type]
    assert int(row["estimate_luts"]) == found.luts
    assert int(row["estimate_registers"]) == found.registers
    assert data.x_test is not None and data.y_test is not None
    expected = (model.run(data.x_test).argmax(axis=1) == data.y_test).mean()
    assert float(row["accuracy"]) == pytest.approx(expected)


def forbidden(_work: object, tasks: Sequence[object]) -> Generator[tuple[int, Outcome]]:
    raise AssertionError(f"{len(tasks)} tasks were not to be done")
    yield 0, ""


def test_run_again_it_does_what_is_missing(
    compared: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "again"
    shutil.copytree(compared, folder)
    monkeypatch.setattr(processes, "run_here", forbidden)
    fast = ("--pipeline", "fast=kan-compile{fast=true}", "--jobs", 1, "-o", folder)
    assert run(*SOME, *fast, "--bits", "3,5") == 0
    assert "(8 compiled by earlier runs)" in capsys.readouterr().out
    done: list[object] = []

    def counted(work: Work[Any], tasks: Sequence[Any]) -> Generator[tuple[int, Outcome]]:
        done.extend(tasks)
        yield from run_here(work, tasks)

    monkeypatch.setattr(processes, "run_here", counted)
    assert run(*SOME, *fast, "--bits", "4,5") == 0
    assert len(done) == 2


@pytest.mark.ci
@pytest.mark.skipif(look_for("yosys") is None, reason="Yosys is not installed")
def test_synthesis_is_beside_the_estimate(tmp_path: Path) -> None:
    options = ("--without", "kan-split-tables", "--synthesize", "ecp5", "--jobs", 1)
    assert run("--benchmark-set", "--only", "wires", *options, "-o", tmp_path) == 0
    first, second = rows_of(tmp_path)
    assert int(first["synthesis_luts"]) > 0 and first["target"] == second["target"] == "ecp5"
    ratio = summary_of(tmp_path)["ratios"]["without kan-split-tables"]["luts"]
    assert ratio["basis"] == "by synthesis"
    sizes = [int(row["synthesis_luts"]) for row in (second, first)]
    assert ratio["ratio"] == pytest.approx(sizes[0] / sizes[1])


@pytest.fixture
def synthesised(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the designs that are synthesised, here by a size of the text."""
    found: list[str] = []

    def known_synthesis(rtl: Path, _target: object, top: str, _renamed: int) -> dict[str, Any]:
        found.append(top)
        lines = len(rtl.read_text().splitlines())
        return {"luts": lines, "registers": lines, "tool": "yosys 0"}

    monkeypatch.setattr(kinds, "known_synthesis", known_synthesis)
    monkeypatch.setattr(compare_command, "look_for", lambda name: name)
    monkeypatch.setattr(compare_command, "SAMPLE", 2)
    return found


@pytest.mark.ci
def test_a_part_of_each_size_is_synthesised(
    synthesised: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = ("--benchmark-set", "--only", "wires,symbolic,cubic,constants", "--bits", "3,6")
    change = ("--without", "kan-split-tables", "--jobs", 1, "-o", tmp_path)
    assert run(*chosen, *change) == 0
    table = rows_of(tmp_path)
    pairs = [(b, o) for b, o in zip(table[::2], table[1::2], strict=True)]
    changed = [b for b, o in pairs if b["design"] != o["design"]]
    changed.sort(key=lambda row: int(row["estimate_luts"]))
    assert len(changed) >= 4
    expected = [changed[len(changed) // 4], changed[3 * len(changed) // 4]]
    measured = [b for b, _ in pairs if b["synthesis_luts"]]
    assert sorted(measured, key=changed.index) == expected
    assert [bool(b["synthesis_luts"]) for b, _ in pairs] == [
        bool(o["synthesis_luts"]) for _, o in pairs
    ]
    assert len(synthesised) == 4
    # Of two errors, no interval can be made.
    told = capsys.readouterr().out
    assert "too few networks, by estimate" in told
    assert run(*chosen, *change) == 0 and len(synthesised) == 4


def test_without_yosys_sizes_are_by_estimate(
    synthesised: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(compare_command, "look_for", lambda _name: None)
    change = ("--without", "kan-window-tables")
    one = ("--benchmark-set", "--only", "wires", *change, "--jobs", 1)
    assert run(*one, "-o", tmp_path / "none") == 0
    assert "Yosys is not installed, so sizes are by estimate" in capsys.readouterr().err
    monkeypatch.setattr(compare_command, "look_for", lambda name: name)
    assert run(*one, "-o", tmp_path / "measured") == 0
    assert run(*one, "--by-estimate", "-o", tmp_path / "asked") == 0
    assert not capsys.readouterr().err
    assert len(synthesised) == 2


def test_a_text_is_synthesised_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAN_CACHE", str(tmp_path / "cache"))
    tool = SimpleNamespace(version="0.1")
    monkeypatch.setattr(synthesis_cache, "find", lambda _name: tool)
    done: list[str] = []

    def synthesize(rtl: Path, *_: object, **__: object) -> object:
        done.append(rtl.read_text())
        return SimpleNamespace(summary=lambda: {"luts": len(done)})

    monkeypatch.setattr(synthesis_cache, "synthesize", synthesize)
    rtl = tmp_path / "a.sv"

    def luts(text: str, target: str = "xcup", renamed: int = 0) -> int:
        rtl.write_text(text)
        return synthesis_cache.known_synthesis(rtl, device(target), "a", renamed)["luts"]

    assert [luts("a"), luts("b"), luts("a"), luts("a", "ecp5"), luts("b")] == [1, 2, 1, 3, 2]
    tool.version = "0.2"
    assert luts("a") == 4
    for kept in (tmp_path / "cache").rglob("*.json"):
        kept.write_text("{")
    assert luts("a") == 5 and luts("a") == 5
    assert luts("a", renamed=1) == 6 and luts("a", renamed=2) == 7
    monkeypatch.setenv("KAN_CACHE", "")
    assert luts("a") == 8 and luts("a") == 9


# Passes of others that are wrong, or fail.


@dataclass(frozen=True)
class MirrorPass(KanPass):
    """Mirrors the first table at wire level, and claims to be exact."""

    name = "mirror"

    def run(self, ctx: Context, module: ModuleOp) -> bool:
        for op in module.walk():
            if isinstance(op, TableOp) and op.care is None and len(op.inputs) == 1:
                mirrored = op.entries_array[::-1]
                if not (mirrored == op.entries_array).all():
                    op.entries = dense(mirrored.astype(np.int32))
                    return True
        return False


@dataclass(frozen=True)
class RefusesPass(ModulePass):
    """Refuses a network of two arguments or more."""

    name = "refuses"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        if len(Model.of(op).ports()[0]) != 3:
            raise KanError("only networks of three inputs")


UNIVERSE = Universe(all_passes={"mirror": lambda: MirrorPass, "refuses": lambda: RefusesPass})


@pytest.fixture
def extended(monkeypatch: pytest.MonkeyPatch) -> None:
    """The passes above, as if their package were installed."""
    ours = EntryPoint("compare", f"{__name__}:UNIVERSE", multiverse.GROUP)
    installed = (*entry_points(group=multiverse.GROUP), ours)
    monkeypatch.setattr(multiverse, "entry_points", lambda group: installed)
    found = multiverse.installed_universe().all_passes
    monkeypatch.setattr(pipeline, "_available", lambda: found)


@pytest.mark.usefixtures("extended")
def test_a_wrong_pass_is_named_not_ranked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changes = ("--with", "mirror before kan-balance-sums", "--without", "kan-share-sums")
    assert run(*SOME, *changes, "--jobs", 1, "--bits", 4, "-o", tmp_path) == 1
    told = capsys.readouterr().out
    assert "mirror does not keep its claim" in told
    assert "with mirror is not ranked" in told
    assert set(summary_of(tmp_path)["ratios"]) == {"without kan-share-sums"}
    wrong = [row for row in rows_of(tmp_path) if row["wrong"]]
    assert {row["pipeline"] for row in wrong} == {"with mirror"} and len(wrong) == 3


@pytest.mark.usefixtures("extended")
def test_failures_are_listed_and_others_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changes = ("--with", "refuses before kan-narrow")
    assert run(*SOME, *changes, "--jobs", 1, "--bits", 4, "-o", tmp_path) == 1
    told = capsys.readouterr().out
    assert "wires, with refuses has no figures, or not all: " in told
    assert "only networks of three inputs" in told
    ratios = summary_of(tmp_path)["ratios"]["with refuses"]["luts"]
    assert ratios["networks"] == {"symbolic": 1.0} and ratios["verdict"] == "same"
    assert len(summary_of(tmp_path)["failed"]) == 2


def test_an_extension_changes_the_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "some_extension"
    package.mkdir()
    (package / "__init__.py").write_text("A = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    compute = digests.compiler_digest.__wrapped__
    found = {compute(), compute(("some_extension",))}
    (package / "__init__.py").write_text("A = 2\n")
    assert len({*found, compute(("some_extension",))}) == 3


# Bad input.

CHANGE = ("--without", "kan-narrow")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--benchmark-set",), "there is nothing to compare the baseline with"),
        (CHANGE, "there is no network to compare on"),
        ((*SOME, "--without", "kan-narow"), "the baseline has no pass 'kan-narow'; did you mean"),
        ((*SOME, "--with", "my-pass before kan-narrow"), "unknown pass 'my-pass'"),
        ((*SOME, "--pipeline", "kan-compile"), "cannot read --pipeline 'kan-compile'"),
        ((*SOME, "--pipeline", "a=kan-compile{bits=99}"), "pipeline 'a': pass kan-compile: "),
        ((*SOME, "--pipeline", "a=kan-compile{"), "pipeline 'a': cannot read the pass pipeline"),
        ((*SOME, "--pipeline", "a=@none.txt"), "there is no file none.txt"),
        (
            (*SOME, *CHANGE, *CHANGE),
            "'without kan-narrow'; give one as --pipeline NAME=PASSES",
        ),
        ((*SOME, *CHANGE, "--bits", "four"), "bits cannot be 'four'"),
        ((*SOME, *CHANGE, "--bits", "0"), "bits must lie in 1..16, got 0"),
        ((*SOME, *CHANGE, "--target", "none"), "none"),
        (("--benchmark-set", "--only", "wire", *CHANGE), "no network 'wire'; did you mean wires?"),
        (("none.onnx", *CHANGE), "there is no file none.onnx"),
        ((EXAMPLE, EXAMPLE, *CHANGE), "there are two networks 'wine'; rename the file of one"),
        ((*SOME, *CHANGE, "--scheduler", "x"), "--scheduler takes an address"),
    ],
)
def test_bad_input_gets_one_message(
    arguments: Sequence[object], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments, "--jobs", 1, "-o", tmp_path / "out") == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and told in lines[0]
    assert not (tmp_path / "out").exists()


def test_a_folder_of_others_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    assert run(*SOME, *CHANGE, "-o", tmp_path) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
