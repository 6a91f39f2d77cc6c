"""Pipelines whose options vary: names, values and passes, also of another package."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kan_dialect.cli import kan_flow
from kan_dialect.errors import KanError
from kan_dialect.flows.trials.pipeline import DEFAULT, Pipeline
from kan_dialect.flows.trials.points import Axis, grid, parse_axis
from repository import EXAMPLES

EXAMPLE, DATA = EXAMPLES / "wine.onnx", EXAMPLES / "wine.npz"

STAGES = Pipeline("kan-calibrate,kan-quantize{bits=3},kan-fold-tables,kan-compile{fast=true}")


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "sweep.csv").open() as stream:
        return list(csv.DictReader(stream))


# Names and values.


def test_an_option_has_one_canonical_name() -> None:
    parts = Axis("kan-split-tables.parts", (1, 2, 3))
    assert parse_axis("kan-split-tables.parts=1..3") == parts
    assert parse_axis("kan-compile.bits=4") == parse_axis("bits=4") == Axis("bits", (4,))
    assert parse_axis("kan-quantize.guard_bits=0..1", STAGES).option == "kan-quantize.guard-bits"
    alone = Pipeline("kan-calibrate,kan-quantize,kan-fold-tables,kan-expand-wires,kan-schedule")
    assert parse_axis("levels=1,2", alone).option == "kan-schedule.levels"


def test_ranges_of_numbers_have_no_rounding() -> None:
    assert parse_axis("percentile=99..99.4..0.1").values == (99.0, 99.1, 99.2, 99.3, 99.4)


def resolved(text: str, pipeline: Pipeline) -> None:
    """As `kan-flow sweep` does before anything is compiled."""
    for point in grid([parse_axis(text, pipeline)]):
        pipeline.resolved(point.options)


@pytest.mark.parametrize(
    ("passes", "text", "message"),
    [
        (
            "kan-compile",
            "kan-split-table.parts=1",
            "unknown pass 'kan-split-table'; did you mean k",
        ),
        ("kan-compile", "kan-split-tables.prats=1", r"no option 'prats'; did you mean parts\?"),
        ("kan-compile", "kan-split-tables.parts=0", "kan-split-tables.parts must .*, got 0"),
        ("kan-compile", "kan-split-tables.parts=two", "parts cannot be 'two'; it takes a whole"),
        ("kan-compile", "kan-calibrate.data=x", "--calibration gives the data"),
        ("kan-quantize,kan-fold-tables", "kan-schedule.levels=1", "has no pass 'kan-schedule'"),
        ("kan-quantise", "bits=1", "unknown pass 'kan-quantise'; did you mean kan-quantize"),
        ("kan-quantize{", "bits=1", "cannot read the pass pipeline"),
        (
            "kan-merge-tables,kan-fold-clamps",
            "target=ecp5",
            "is one of several passes; write kan-merge-tables.target or kan-fold-clamps.target",
        ),
    ],
)
def test_wrong_names_and_values_are_refused(passes: str, text: str, message: str) -> None:
    with pytest.raises(KanError, match=message):
        resolved(text, Pipeline(passes))


def test_options_reach_passes_inside_kan_compile() -> None:
    """Against the passes of a pipeline that is written out."""
    axes = [parse_axis("kan-split-tables.parts=2"), parse_axis("bits=4")]
    (point,) = grid(axes)
    found = DEFAULT.resolved(point.options, 2, "d.npz")
    assert "kan-split-tables{parts=2}" in found.texts
    same = Pipeline("kan-compile{bits=4 parts=2}").resolved((), 2, "d.npz")
    assert found.texts == same.texts
    # The text that `kan-flow build` takes has the same passes.
    assert Pipeline(found.text).resolved((), 2, "d.npz").texts == found.texts
    with pytest.raises(KanError, match="the pipeline has no pass 'kan-split-tables'; did you"):
        Pipeline("kan-compile{fast=true}").resolved(point.options[:1], 2, None)


def test_a_pass_may_be_left_out() -> None:
    """Against the default pipeline, whose other passes stay as they are."""
    axis = parse_axis("kan-merge-tables=true,false")
    assert axis == Axis("kan-merge-tables", (True, False))
    with_it, without = (DEFAULT.resolved(point.options, 2, "d.npz") for point in grid([axis]))
    assert with_it == DEFAULT.resolved((), 2, "d.npz")
    texts = [text for text in with_it.texts if text != "kan-merge-tables"]
    assert list(without.texts) == texts and len(texts) == len(with_it.texts) - 1
    assert Pipeline(without.text).resolved((), 2, "d.npz").texts == without.texts
    alone = Pipeline("kan-fold-tables,kan-narrow").resolved((("kan-narrow", False),), 0, None)
    assert alone.text == "kan-fold-tables"
    with pytest.raises(KanError, match="the pipeline has no pass 'kan-narrow'"):
        resolved("kan-narrow=true,false", Pipeline("kan-fold-tables"))
    with pytest.raises(KanError, match="kan-narrow cannot be '3'; it takes true or false"):
        parse_axis("kan-narrow=3")


def test_passes_that_need_data_get_the_calibration_samples() -> None:
    found = STAGES.resolved((("kan-quantize.bits", (2, 3, 3)),), 2, "split.npz").text
    assert 'kan-calibrate{data="split.npz"},kan-quantize{bits=2,3,3},' in found
    assert 'kan-compile{data="split.npz" fast=true}' in found
    named = Pipeline('kan-prune{data="mine.npz" max-accuracy-loss=0.1}')
    assert named.data_files() == ["mine.npz"]
    assert "mine.npz" in named.resolved((), 0, "split.npz").text
    assert "mine.npz" not in named.without_data().resolved((), 0, "split.npz").text


def test_a_file_that_an_option_names_counts_for_the_key(tmp_path: Path) -> None:
    file = tmp_path / "q.json"
    pipeline = Pipeline(f'kan-compile{{quantizers="{file}"}}')
    file.write_text("1")
    before = pipeline.resolved((), 0, None).key
    assert pipeline.resolved((), 0, None).key == before
    file.write_text("2")
    assert pipeline.resolved((), 0, None).key != before


def test_data_of_the_pipeline_is_that_of_the_sweep(capsys: pytest.CaptureFixture[str]) -> None:
    passes = 'kan-calibrate{data="other.npz"},kan-compile'
    with pytest.raises(SystemExit):
        kan_flow.main(
            ["sweep", str(EXAMPLE), "-p", passes, "--vary", "bits=2,3", "-o", "/nonexistent/x"]
        )
    assert "give --calibration other.npz" in capsys.readouterr().err


# A pass of another package.

MY_PASS = '''
from dataclasses import dataclass, field
from typing import Literal

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass
from xdsl.universe import Universe

from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.passbase.option_bounds import Bounds, bounded


@dataclass(frozen=True)
class SpoilBias(ModulePass):
    """Removes edges of the first node of the network."""

    name = "spoil-bias"

    effort: int = bounded(0, Bounds(0, 9))
    """Number of edges."""
    mode: Literal["Add", "none"] = "Add"
    weights: tuple[float, ...] = ()

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        first = next(node for node in op.walk() if isinstance(node, NodeSumOp))
        if self.mode == "none" or not self.effort:
            return
        from xdsl.rewriter import Rewriter
        mask = first.mask_array.copy()
        mask[0, : self.effort] = False
        new = NodeSumOp(first.edges, mask=mask, bias=first.bias_array, bounds=first.bounds,
                        result_type=first.result.type, name=first.given_name)
        Rewriter.replace_op(first, new)


UNIVERSE = Universe(all_passes={"spoil-bias": lambda: SpoilBias})
'''


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment with a package that offers the pass `spoil-bias`."""
    site = tmp_path_factory.mktemp("site")
    (site / "my_package.py").write_text(MY_PASS)
    information = site / "my_package-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(
        "[xdsl.universe]\nmy-package = my_package:UNIVERSE\n"
    )
    return {**os.environ, "PYTHONPATH": str(site)}


def swept(environment: dict[str, str], *options: object) -> subprocess.CompletedProcess[str]:
    program = "from kan_dialect.cli.kan_flow import main; import sys; main(sys.argv[1:])"
    command = [sys.executable, "-c", program, "sweep", EXAMPLE, "--calibration", DATA, *options]
    return subprocess.run(
        [str(part) for part in command],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.ci
def test_options_of_another_packages_pass_vary(installed: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "out"
    passes = (
        "kan-fold-affine,kan-calibrate,kan-quantize{bits=3},kan-fold-tables,spoil-bias,kan-compile"
    )
    grid_of = ("-p", passes, "--vary", "spoil-bias.effort=0..8..4", "--vary", "fast=true")
    ended = swept(installed, *grid_of, "--jobs", 2, "-o", folder)
    assert ended.returncode == 0, ended.stderr
    rows = rows_of(folder)
    assert [row["spoil_bias.effort"] for row in rows] == ["0", "4", "8"]
    assert len({row["design"] for row in rows}) == 3
    # The pass claims nothing, but the figures tell the points apart.
    errors = [float(row["validation_error"]) for row in rows]
    assert errors[0] < errors[1] < errors[2]
    whole = json.loads((folder / "sweep.json").read_text())
    assert "validation_accuracy" in whole["objectives"]
    assert whole["options"] == {"spoil-bias.effort": [0, 4, 8], "fast": [True]}
    assert "spoil_bias.effort" in (folder / "sweep.html").read_text()
    # Another version of the package computes its points anew.
    known = {path.name for path in (folder / "points").iterdir()}
    package = Path(installed["PYTHONPATH"]) / "my_package.py"
    package.write_text(MY_PASS.replace("mask[0,", "mask[1,"))
    ended = swept(installed, *grid_of, "--jobs", 1, "-o", folder)
    package.write_text(MY_PASS)
    assert ended.returncode == 0, ended.stderr
    assert len({path.name for path in (folder / "points").iterdir()} - known) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("spoil-bias.effort=10", "error: spoil-bias.effort must lie in 0..9, got 10"),
        ("spoil-bias.mode=add", "error: option spoil-bias.mode cannot be 'add'; it takes Add or"),
        ("spoil-bias.weights=a", "it takes numbers, as 0.5 or 0.5:1"),
        ("spoil-bias.efort=1", "pass spoil-bias has no option 'efort'; did you mean effort?"),
    ],
)
def test_options_of_another_packages_pass_are_checked(
    text: str, message: str, installed: dict[str, str], tmp_path: Path
) -> None:
    passes = "kan-calibrate,kan-quantize,kan-fold-tables,spoil-bias,kan-compile"
    ended = swept(installed, "-p", passes, "--vary", text, "-o", tmp_path / "out")
    assert ended.returncode == 1 and message in ended.stderr
    assert ended.stderr.count("\n") == 1 and not (tmp_path / "out").exists()
