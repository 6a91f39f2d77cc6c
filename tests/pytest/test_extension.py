"""A pass in a package of its own (examples/prune_constant_edges), found by kan-opt and xdsl-opt."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kan_dialect.frontends.loading import load_model, make_context
from kan_dialect.frontends.table_network import TableNetwork
from kan_dialect.ir.quant import UniformQuantizedType
from kan_dialect.model.model import Model
from kan_dialect.ops.layer import NodeSumOp

ROOT = Path(__file__).parent.parent.parent
SCRIPTS = Path(sys.executable).parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which the package is installed, apart from the running one."""
    target = tmp_path_factory.mktemp("site")
    source = tmp_path_factory.mktemp("source") / "package"
    # Building leaves files beside the sources, so a copy is built.
    subprocess.run(["cp", "-r", ROOT / "examples" / "prune_constant_edges", source], check=True)
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-qq", "--no-deps", "--target", target, source],
        check=True,
    )
    return {**os.environ, "PYTHONPATH": str(target)}


def network() -> str:
    """A layer with two constant edges, one of them alone in its node."""
    tables = np.arange(2 * 3 * 4).reshape(2, 3, 4) % 7
    tables[0, 1] = 5
    tables[1, 2] = -3
    builder = TableNetwork("tiny", UniformQuantizedType(2, False, 1.0), inputs=3)
    return str(builder.add_layer(tables).module())


@pytest.mark.parametrize("tool", ["kan-opt", "xdsl-opt"])
def test_the_pass_prunes_and_keeps_the_function(
    tool: str, installed: dict[str, str], tmp_path: Path
) -> None:
    source, output = tmp_path / "tiny.mlir", tmp_path / "pruned.mlir"
    source.write_text(network())
    command = [SCRIPTS / tool, source, "-p", "prune-constant-edges", "-o", output]
    subprocess.run(command, check=True, env=installed)
    before, after = (load_model(make_context(), path) for path in (source, output))
    (pruned,) = (op for op in after.walk() if isinstance(op, NodeSumOp))
    assert pruned.mask_array.tolist() == [[True, False, True], [True, True, False]]
    assert pruned.bias_array.tolist() == [5, -3]
    codes = np.array(np.meshgrid(*[range(4)] * 3)).reshape(3, -1).T
    expected = Model.of(before).run_codes(codes)
    np.testing.assert_array_equal(Model.of(after).run_codes(codes), expected)


def test_xdsl_opt_lists_and_runs_our_passes(tmp_path: Path) -> None:
    # Wide enough that no pass is broken at one of its hyphens.
    listed = subprocess.run(
        [SCRIPTS / "xdsl-opt", "--help"],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "100000"},
    ).stdout
    for name in ("kan-quantize", "kan-fold-tables", "lower-kan-to-hw", "kan-compile"):
        assert name in listed
    source = tmp_path / "tiny.mlir"
    source.write_text(network())
    command = [SCRIPTS / "xdsl-opt", source, "-p", "kan-compile", "-t", "systemverilog"]
    ours = [SCRIPTS / "kan-opt", *command[1:]]
    texts = [
        subprocess.run(line, check=True, capture_output=True, text=True).stdout
        for line in (command, ours)
    ]
    assert "module tiny" in texts[0]
    assert texts[0] == texts[1]
