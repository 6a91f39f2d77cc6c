"""The locked requirements have hashes, no addresses, and versions that pyproject.toml admits."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement

from repository import ROOT

LOCKS = ("demo", "test", "torch")
PYTHONS = ("3.11", "3.12", "3.13", "3.14")


def locked(name: str, python: str) -> dict[str, str]:
    """Versions that a lock file gives a Python on Linux; each with at least one hash."""
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": "linux",
    }
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    found: dict[str, str] = {}
    for block in re.split(r"\n(?=[\w])", text)[1:]:
        match = re.match(r"([\w.-]+)==(\S+)(?: ; ([^\\]+))?", block)
        assert match, block
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", block), block
        if match[3] is None or Marker(match[3]).evaluate(environment):
            assert match[1] not in found
            found[match[1]] = match[2]
    return found


def wanted(python: str, *inputs: str) -> list[Requirement]:
    """What pyproject.toml asks for: `project`, extras, and groups as `group:NAME`."""
    data: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
    lines: list[str] = list(data["project"]["dependencies"])
    data["extras"] = data["project"]["optional-dependencies"]
    for item in inputs:
        kind, _, group = item.rpartition(":")
        lines += data["dependency-groups" if kind else "extras"][group]
    found = [Requirement(line) for line in lines]
    environment = {"python_version": python, "python_full_version": f"{python}.0"}
    return [r for r in found if r.marker is None or r.marker.evaluate(environment)]


_EDA = ("simulation", "synthesis", "place-and-route")


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("demo", ("simulation", "synthesis", "group:build")),
        (
            "test",
            (*_EDA, "cocotb", "sweep", "extend", "group:build", "group:tests", "group:checks"),
        ),
        (
            "torch",
            ("simulation", "synthesis", "sweep", "torch", "group:tests", "group:torch-tests"),
        ),
    ],
)
def test_locks_hold_what_pyproject_admits(name: str, inputs: tuple[str, ...], python: str) -> None:
    versions = locked(name, python)
    for requirement in wanted(python, *inputs):
        if requirement.name == "torch":  # Has a file of its own, without hashes.
            continue
        assert requirement.name in versions
        assert requirement.specifier.contains(versions[requirement.name])


@pytest.mark.parametrize("python", PYTHONS)
def test_environments_of_the_two_commands_agree(python: str) -> None:
    """`make test` after `make demo` adds packages and changes none."""
    demo, test = locked("demo", python), locked("test", python)
    assert demo.items() <= test.items()


@pytest.mark.parametrize("name", [*LOCKS, "pytorch"])
def test_requirements_name_no_address(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    assert not re.search(r"https?:|--(extra-)?index-url|--find-links|@ file:", text)
