"""`kan-flow sweep`: constant networks, repeated validation splits, choices within noise."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from kan_dialect.cli import kan_flow
from kan_dialect.flows.budget_options import budget_remedy
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


def flow(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        kan_flow.main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


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
