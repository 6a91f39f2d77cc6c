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
from ci_cases import others_in_ci

from repository import EXAMPLES, ROOT

SCRIPTS = Path(sys.executable).parent
PACKAGES = sorted(path.parent.name for path in ROOT.glob("examples/*/pyproject.toml"))
RUN = re.compile(r"^(?://|#) RUN: (kan-opt .*) \| filecheck", re.MULTILINE)
"""The command of a lit test."""
NOT_XDSL = ("--check-passes",)
"""Options of kan-opt alone."""


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


def install(name: str, folder: Path) -> Installed:
    """Install a package below a folder."""
    site = folder / "site"
    # Building leaves files beside the sources, so a copy is built.
    source = folder / "source"
    shutil.copytree(EXAMPLES / name, source)
    command = [sys.executable, "-m", "pip", "install", "-qq", "--no-deps", "--target", site, source]
    subprocess.run(command, check=True)
    tests = folder / "tests"
    shutil.copytree(source / "tests", tests)
    path = os.pathsep.join([str(SCRIPTS), os.environ["PATH"]])
    return Installed(name, tests, {**os.environ, "PYTHONPATH": str(site), "PATH": path})


@pytest.mark.parametrize("name", others_in_ci(PACKAGES))
def test_a_package_passes_its_tests(name: str, tmp_path: Path) -> None:
    """Once it is installed; all in one, since installing takes most of the time."""
    folder = EXAMPLES / name
    assert (folder / "README.md").read_text().startswith(f"# {name.replace('_', '-')}\n")
    assert list(folder.glob("tests/*.mlir")) and list(folder.glob("tests/test_*.py"))
    installed = install(name, tmp_path)
    installed.run("lit", "-v", installed.tests)
    installed.run("pytest", "-q", "-c", os.devnull, "--rootdir", installed.tests, installed.tests)
    _require_same_from_xdsl_opt(installed)


def _require_same_from_xdsl_opt(installed: Installed) -> None:
    """On the inputs of the lit tests; files that only kan-opt reads are read by it first."""
    compared = 0
    for test in sorted(installed.tests.glob("*.mlir")):
        for line in RUN.findall(test.read_text()):
            words = [word for word in shlex.split(line) if word not in NOT_XDSL]
            source = words[1].replace("%S/", "").replace("%s", test.name)
            if not source.endswith(".mlir"):
                module = installed.run("kan-opt", source)
                source = "module.mlir"
                (installed.tests / source).write_text(module)
            options = words[2:]
            ours, theirs = (
                installed.run(tool, *options, source) for tool in ("kan-opt", "xdsl-opt")
            )
            if "--verify-diagnostics" in options:
                # What verifiers say: kan-opt says where as well, and xdsl-opt prints the module.
                reason = theirs.splitlines()[0]
                assert ours.splitlines()[0].endswith(reason) and reason
            else:
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
