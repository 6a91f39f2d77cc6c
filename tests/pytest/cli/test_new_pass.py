"""`kan-opt --new-pass`: what it makes passes its own tests and ruff; bad names are refused."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kan_dialect.cli.new_pass import FILES, TEMPLATES, make_package
from kan_dialect.errors import KanError

SCRIPTS = Path(sys.executable).parent


def test_what_it_makes_passes_its_own_tests(tmp_path: Path) -> None:
    def run(*command: str | Path, cwd: Path, **variables: str) -> str:
        path = os.pathsep.join([str(SCRIPTS), os.environ["PATH"]])
        environment = {**os.environ, "PATH": path, **variables}
        program = [SCRIPTS / command[0], *command[1:]]
        done = subprocess.run(program, cwd=cwd, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "wrote mend-clamps" in run("kan-opt", "--new-pass", "mend-clamps", cwd=tmp_path)
    folder, site = tmp_path / "mend-clamps", tmp_path / "site"
    run("ruff", "check", "--isolated", "--select", "E,F,I,UP,B,RUF,PTH", ".", cwd=folder)
    run("ruff", "format", "--isolated", "--check", ".", cwd=folder)
    run("pip", "install", "-qq", "--no-deps", "--target", site, ".", cwd=folder)
    run("lit", "-v", "tests", cwd=folder, PYTHONPATH=str(site))
    run("pytest", "-q", "-c", os.devnull, "tests", cwd=folder, PYTHONPATH=str(site))


def test_it_refuses_an_existing_folder(tmp_path: Path) -> None:
    folder = make_package("mend-clamps", tmp_path)
    before = (folder / "README.md").read_bytes()
    with pytest.raises(KanError, match=r"there is a .*mend-clamps already; take another name"):
        make_package("mend-clamps", tmp_path)
    assert (folder / "README.md").read_bytes() == before


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Fuse", "a pass cannot be called 'Fuse'; take lower-case words"),
        ("a--b", "a pass cannot be called"),
        ("x_y", "a pass cannot be called"),
        ("../a", "a pass cannot be called"),
        ("import", "a pass cannot be called"),
        ("kan-narrow", "there is a pass kan-narrow already"),
        ("json", "there is a Python package json already"),
    ],
)
def test_bad_names_are_refused(name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(KanError, match=message):
        make_package(name, tmp_path)
    assert not list(tmp_path.iterdir())


def test_every_template_is_used() -> None:
    assert {path.name for path in TEMPLATES.iterdir()} == set(FILES)
