"""Checks in environments of their own: every Python, PyTorch, newest packages, the built wheel.

`make test` needs none of this; `.ci/run` runs most of it. `nox --list` shows the sessions.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import nox
from nox.command import CommandFailed

nox.options.default_venv_backend = "venv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["check"]
nox.options.error_on_missing_interpreters = False
nox.options.error_on_external_run = True
nox.options.stop_on_first_error = False

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
JOBS = os.environ.get("JOBS", "2")
UV = "uv==0.13.9"
"""Resolver of `make lock`."""

QUICK = [
    "flows/test_benchmark_set.py",
    "flows/test_tune.py",
    "flows/tools/test_tools.py",
    "frontends/onnx/test_classifier_head.py",
    "ir/test_constants.py",
    "ir/test_quant.py",
    "lowering/targets/test_circt.py",
    "lowering/test_systemverilog.py",
    "passes/test_wire_passes.py",
]
"""Test files that touch each dependency and each stage once; run on every Python."""

# The inputs of each lock file; a later one takes the versions of an earlier one.
LOCKS = {
    "test": [
        "eda",
        "place-and-route-all",
        "cocotb",
        "sweep",
        "extend",
        "group:build",
        "group:tests",
        "group:checks",
    ],
    "demo": ["simulation", "synthesis", "proof", "group:build"],
    "docs": ["group:docs", "group:build"],
    "torch": [
        "simulation",
        "synthesis",
        "proof",
        "study",
        "group:build",
        "group:tests",
        "group:torch-tests",
    ],
}
NOT_LOCKED = ("torch", "triton", "tensorflow")
"""Not in requirements/torch.txt: PyTorch has a file of its own, kanx works without TensorFlow."""


def install(session: nox.Session, *locks: str) -> None:
    """Install locked requirements, then this repository, editable, without its dependencies."""
    options = ("--quiet", "--disable-pip-version-check", "--no-deps")
    for lock in locks:
        session.install(*options, "--require-hashes", "--only-binary=:all:", "-r", lock)
    session.install(*options, "--no-build-isolation", "--editable", ".")


LINT = {
    "lint": ("ruff", "check", "--quiet", "."),
    "imports": ("lint-imports", "--no-logo", "--no-cache"),
}
"""The same on every Python, but not with every version of the tools."""


def check_all(session: nox.Session, first: Mapping[str, tuple[str, ...]]) -> None:
    """Run `first`, types, lit and the quick subset of pytest; then say which of them failed."""
    files = [f"tests/pytest/{name}" for name in QUICK]
    steps = {
        **first,
        "types": ("pyright", "--pythonpath", str(Path(session.bin) / "python")),
        "lit": ("lit", "-q", "-j", JOBS, "tests/filecheck"),
        "pytest": ("python", "-m", "pytest", "-n", JOBS, "-m", "not ci and not torch", *files),
    }
    failed: list[str] = []
    for name, command in steps.items():
        try:
            session.run(*command)
        except CommandFailed:
            failed.append(name)
    if failed:
        session.error(f"failed: {', '.join(failed)}")


@nox.session(python=PYTHONS)
def check(session: nox.Session) -> None:
    """Types, lit and a quick subset of pytest, from the lock, on every Python found.

    Not on that of `.venv`, on which `make test` does all of it; `-- all` does it there too.
    """
    if session.python == "{}.{}".format(*sys.version_info) and not session.posargs:
        session.skip("make test does all of it on the Python of .venv")
    install(session, "requirements/test.txt")
    check_all(session, {})


@nox.session
def torch(session: nox.Session) -> None:
    """Run the tests that need PyTorch, pykan or other KAN packages (downloads PyTorch)."""
    install(session, "requirements/torch.txt")
    session.install("--quiet", "--disable-pip-version-check", "-r", "requirements/pytorch.txt")
    arguments = session.posargs or ["tests/pytest"]
    session.run("python", "-m", "pytest", "-n", JOBS, "-m", "torch", *arguments)


@nox.session
def wheel(session: nox.Session) -> None:
    """Install the built wheel into an empty environment, and build a design with it elsewhere."""
    folder = Path(session.create_tmp()).resolve()
    session.install("--quiet", "--disable-pip-version-check", "build==1.6.1")
    dist = folder / "dist"
    for old in dist.glob("*"):
        old.unlink()
    session.run("python", "-m", "build", "--outdir", str(dist), silent=True)
    (built,) = dist.glob("*.whl")
    empty = folder / "empty"
    session.run("python", "-m", "venv", "--clear", str(empty))
    python = str(empty / "bin" / "python")
    pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    # As a user gets it: the newest packages that pyproject.toml admits.
    session.run(*pip, f"{built}[simulation]", external=True)
    session.run(python, "-m", "pip", "check", external=True)
    root = Path.cwd()
    with session.chdir(folder):
        for name in ("kan-opt", "kan-run", "kan-flow"):
            session.run(str(empty / "bin" / name), "--help", silent=True, external=True)
        session.run(
            str(empty / "bin" / "kan-flow"),
            *("build", str(root / "examples" / "wine.onnx")),
            *("--calibration", str(root / "examples" / "wine.npz"), "--bits", "4", "-o", "wine"),
            external=True,
        )
        # Files that are no Python: the template of a pass, the networks of the benchmark set.
        new_pass = (str(empty / "bin" / "kan-opt"), "--new-pass", "my-pass")
        benchmarks = (str(empty / "bin" / "kan-flow"), "benchmark-set", "-o", "networks")
        for name in ("my-pass", "networks"):
            shutil.rmtree(name, ignore_errors=True)
        for command in (new_pass, benchmarks):
            session.run(*command, silent=True, external=True)
        api = f"import kan_dialect as kan; print(kan.load({str(root / 'examples/wine.onnx')!r}))"
        session.run(python, "-c", api, external=True)
        opt = (str(empty / "bin" / "xdsl-opt"), "wine/ir/00-import.mlir", "-p", "canonicalize")
        session.run(*opt, silent=True, external=True)


def compile_lock(session: nox.Session, name: str, output: Path, *options: str) -> None:
    """Resolve one of LOCKS for all Pythons and platforms of [tool.uv] into `output`."""
    inputs = LOCKS[name]
    flags = [f"--{'group' if ':' in item else 'extra'}={item.split(':')[-1]}" for item in inputs]
    overrides = Path(session.create_tmp()) / "overrides.txt"
    overrides.write_text("".join(f"{p} ; sys_platform == 'never'\n" for p in NOT_LOCKED))
    session.run(
        *("uv", "pip", "compile", "--quiet", "pyproject.toml", *flags, *options),
        *("--universal", "--python-version", PYTHONS[0], "--generate-hashes", "--no-annotate"),
        *("--overrides", str(overrides), "--custom-compile-command", "make lock"),
        *("--output-file", str(output)),
    )


@nox.session
def lock(session: nox.Session) -> None:
    """Resolve the newest versions that pyproject.toml admits into requirements/*.txt."""
    session.install("--quiet", "--disable-pip-version-check", UV)
    for name in LOCKS:
        constraints = () if name == "test" else ("--constraints", "requirements/test.txt")
        compile_lock(session, name, Path("requirements") / f"{name}.txt", "--upgrade", *constraints)


def versions(text: str) -> dict[str, str]:
    """Package names with their versions (several where Pythons differ) in a requirements file."""
    found: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", text, re.MULTILINE):
        found.setdefault(name, []).append(version)
    return {name: ", ".join(sorted(set(each))) for name, each in found.items()}


@nox.session
def latest(session: nox.Session) -> None:
    """Resolve anew, say what is newer than the lock, and run the checks with it."""
    session.install("--quiet", "--disable-pip-version-check", UV)
    fresh = Path(session.create_tmp()) / "latest.txt"
    fresh.unlink(missing_ok=True)
    compile_lock(session, "test", fresh)
    before = versions(Path("requirements/test.txt").read_text())
    after = versions(fresh.read_text())
    changed = sorted(n for n in before | after if before.get(n) != after.get(n))
    for name in changed:
        session.log(f"{name}: {before.get(name, 'absent')} -> {after.get(name, 'absent')}")
    session.log(f"{len(changed)} of {len(after)} packages differ from requirements/test.txt")
    install(session, str(fresh))
    # What the upper bounds of pyproject.toml hold back.
    session.run("python", "-m", "pip", "list", "--outdated", "--disable-pip-version-check")
    check_all(session, LINT)
