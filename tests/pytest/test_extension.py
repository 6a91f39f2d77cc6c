"""Packages of `examples/`, installed apart: kan-opt and xdsl-opt find them, their tests pass."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = Path(sys.executable).parent
PACKAGES = sorted(path.parent.name for path in ROOT.glob("examples/*/pyproject.toml"))
RUN = re.compile(r"^(?://|#) RUN: (kan-opt .*) \| filecheck", re.MULTILINE)
"""The command of a lit test."""


@dataclass(frozen=True)
class Installed:
    """An example package in an environment of its own."""

    name: str
    tests: Path
    """Its tests, away from its sources."""
    environment: dict[str, str]

    def run(self, *command: str | Path) -> str:
        """What a command prints; its errors are part of the failure."""
        done = subprocess.run(
            [SCRIPTS / command[0], *command[1:]],
            env=self.environment,
            cwd=self.tests,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module", params=PACKAGES)
def installed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Installed:
    name = str(request.param)
    site, folder = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("source")
    # Building leaves files beside the sources, so a copy is built.
    source = folder / name
    shutil.copytree(ROOT / "examples" / name, source)
    command = [sys.executable, "-m", "pip", "install", "-qq", "--no-deps", "--target", site, source]
    subprocess.run(command, check=True)
    tests = tmp_path_factory.mktemp("tests") / "tests"
    shutil.copytree(source / "tests", tests)
    path = os.pathsep.join([str(SCRIPTS), os.environ["PATH"]])
    return Installed(name, tests, {**os.environ, "PYTHONPATH": str(site), "PATH": path})


def test_a_package_has_all_parts(installed: Installed) -> None:
    folder = ROOT / "examples" / installed.name
    assert (folder / "README.md").read_text().startswith(f"# {installed.name.replace('_', '-')}\n")
    assert list(folder.glob("tests/*.mlir")) and list(folder.glob("tests/test_*.py"))


def test_its_lit_tests_pass(installed: Installed) -> None:
    installed.run("lit", "-v", installed.tests)


def test_its_pytest_passes(installed: Installed) -> None:
    installed.run("pytest", "-q", "-c", os.devnull, "--rootdir", installed.tests, installed.tests)


def test_xdsl_opt_does_the_same(installed: Installed) -> None:
    """On the inputs of the lit tests; files that only kan-opt reads are read by it first."""
    compared = 0
    for test in sorted(installed.tests.iterdir()):
        for line in RUN.findall(test.read_text()) if test.is_file() else ():
            words = [test.name if word == "%s" else word for word in shlex.split(line)]
            words = [word for word in words if not word.startswith("--check-passes")]
            if test.suffix != ".mlir":
                (installed.tests / "read.mlir").write_text(installed.run("kan-opt", test.name))
                words = ["read.mlir" if word == test.name else word for word in words]
            ours, theirs = (installed.run(tool, *words[1:]) for tool in ("kan-opt", "xdsl-opt"))
            assert ours == theirs
            compared += 1
    assert compared


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
    tiny = tmp_path / "tiny.mlir"
    tiny.write_text(
        "func.func @tiny(%x: !kan.int<0:3>) -> !kan.int<0:2> {\n"
        '  %t = kan.table %x as "t" entries dense<[0, 1, 1, 2]> : tensor<4xi8>'
        " : !kan.int<0:3> -> !kan.int<0:2>\n"
        "  func.return %t : !kan.int<0:2>\n}\n"
    )
    command = [SCRIPTS / "xdsl-opt", tiny, "-p", "kan-compile", "-t", "systemverilog"]
    ours = [SCRIPTS / "kan-opt", *command[1:]]
    texts = [
        subprocess.run(line, check=True, capture_output=True, text=True).stdout
        for line in (command, ours)
    ]
    assert "module tiny" in texts[0]
    assert texts[0] == texts[1]
