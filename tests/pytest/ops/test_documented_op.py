"""The op of docs/tutorials/first-op.md, as printed there, in a package installed beside ours."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from xdsl.parser import Parser

from kan_dialect.frontends.loading import make_context
from kan_dialect.ir.constants import FloatArray
from kan_dialect.model.model import Model
from repository import ROOT

PAGE = ROOT / "docs" / "tutorials" / "first-op.md"
SCRIPTS = Path(sys.executable).parent


def printed(language: str, containing: str) -> str:
    """The fenced code of the page that contains a text."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    (found,) = (block for block in blocks if containing in block)
    return found


def wavelets(x: FloatArray) -> FloatArray:
    """What the network of the page is, written anew."""
    hat = (1 - x**2) * np.exp(-0.5 * x**2)
    return hat[:, 0] - 0.5 * hat[:, 1]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the page's module, and its entry point as an installer leaves it."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "my_waves.py").write_text(printed("python", "WaveletOp"))
    header, entry = printed("toml", "my_waves").splitlines()
    assert header == '[project.entry-points."xdsl.universe"]'
    about = folder / "my_waves-0.1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: my-waves\nVersion: 0.1\n")
    (about / "entry_points.txt").write_text("[xdsl.universe]\n" + entry.replace('"', "") + "\n")
    return folder


def test_the_page_compiles_its_network(site: Path, tmp_path: Path) -> None:
    """The page's command, with every pass checked; the hardware is the function that is meant."""
    x = np.random.default_rng(0).uniform(-3.0, 3.0, size=(200, 2))
    (tmp_path / "waves.mlir").write_text(printed("mlir", "my.wavelet"))
    np.savez(tmp_path / "x.npz", x=x)
    name, *arguments = shlex.split(printed("sh", "waves.mlir"))
    environment = {**os.environ, "PYTHONPATH": str(site)}
    command = [SCRIPTS / name, *arguments, "--check-passes=x.npz", "--print-between-passes"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert "kan-fold-tables: exact on all 4096 inputs" in done.stderr
    assert "endmodule" in (tmp_path / "waves.sv").read_text()
    # Once there is a table, the op is gone.
    stages = dict(
        re.findall(r"^IR after (\S+):\n(.*?)\n\n\n", done.stdout, re.DOTALL | re.MULTILINE)
    )
    assert "my.wavelet" in stages["kan-quantize"]
    assert "my.wavelet" not in stages["kan-fold-tables"]
    scheduled = Parser(make_context(), stages["kan-schedule"]).parse_module()
    got = Model.of(scheduled).run(x)[:, 0]
    assert np.abs(got - wavelets(x)).max() < 0.2


def test_a_verifier_that_fails_is_named(site: Path, tmp_path: Path) -> None:
    """Also where the extension's code runs without a pass or evaluation around it."""
    other = tmp_path / "site"
    shutil.copytree(site, other)
    module = other / "my_waves.py"
    verifier = "    def verify_(self) -> None:\n        raise TypeError('no waves')\n\n"
    module.write_text(module.read_text().replace("    def evaluate", f"{verifier}    def evaluate"))
    (tmp_path / "waves.mlir").write_text(printed("mlir", "my.wavelet"))
    environment = {**os.environ, "PYTHONPATH": str(other)}
    command = [SCRIPTS / "kan-opt", "waves.mlir"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert re.fullmatch(
        r"kan-opt: error: 'my.wavelet' of the package my_waves failed at my_waves.py:\d+: "
        r"TypeError: no waves; it is no part of kan-dialect; KAN_TRACEBACK=1 .*\n",
        done.stderr,
    )
