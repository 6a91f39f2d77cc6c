"""Malformed files end kan-opt with one message, soon and in little memory, and run nothing.

The command runs in forks of one warm child process, so that each has its own peak memory and may
crash alone; a few cases go through the command as users start it.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Generator, Iterable, Sequence
from pathlib import Path
from typing import Any

import malformed_child
import pytest
from _pytest.mark import ParameterSet
from malformed_files import (
    CASES,
    END,
    HIDDEN,
    MARKER,
    checkpoint,
    model_of,
    pykan_files,
    save,
    state_dict,
)

GROWTH = 1 << 30
"""Most bytes that a case may take beyond what a good file does."""

CHECKPOINT_GROWTH = 1 << 27
"""The same for checkpoints, whose good files take no memory to speak of."""

SECONDS = 30.0
"""Of processor time, which grows where others use the caches."""

COMMAND = ["onnx huge Expand", "onnx cycle", "pt with a foreign object", "tables cut off"]
COMMAND += ["pykan config that is empty", "samples that claim terabytes", "mlir of noise"]
"""Cases that the command is started for."""


class Child:
    """A process that runs kan-opt on files, and what it takes for a good one."""

    def __init__(self, good: Sequence[Path], folder: Path) -> None:
        script = malformed_child.__file__
        self._process = subprocess.Popen(
            [sys.executable, script, *map(str, good)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=folder,
        )
        results = [self.run(path) for path in good]
        assert [result["code"] for result in results] == [0] * len(good)
        self.peak = max(result["peak"] for result in results)

    def run(self, path: Path, *options: str) -> dict[str, Any]:
        assert self._process.stdin is not None and self._process.stdout is not None
        arguments = [str(path), *options, "-o", "/dev/null"]
        self._process.stdin.write(json.dumps(arguments) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate()


# The child reads first what the cases are made of, unharmed: the refusals are for what is wrong
# with each.


@pytest.fixture(scope="module")
def child(tmp_path_factory: pytest.TempPathFactory) -> Generator[Child]:
    folder = tmp_path_factory.mktemp("good")
    good = [save(folder, model_of([*HIDDEN, *END])), pykan_files(folder)]
    good.append(checkpoint(folder, {"model_state_dict": state_dict()}))
    child = Child(good, folder)
    yield child
    child.close()


def need_torch(name: str) -> bool:
    return name.startswith("torch ")


LONG = ("gigabytes", "huge axes", "many skip", "many layers", "products of products", "long list")
"""In names of cases that take seconds."""


def cases(names: Iterable[str]) -> list[ParameterSet]:
    return [
        pytest.param(
            name,
            marks=[pytest.mark.torch] * need_torch(name)
            + [pytest.mark.ci] * any(words in name for words in LONG),
        )
        for name in names
    ]


def write(name: str, folder: Path) -> tuple[Path, list[str]]:
    """The file of a case, and the options of kan-opt."""
    case = CASES[name]
    path = case.make(folder)
    return path, [str(folder / each) if each.endswith(".npz") else each for each in case.options]


def check_message(name: str, message: str, folder: Path) -> None:
    if not re.search(r"\.mlir:\d+:\d+\n", message):  # The parser shows the place in the text.
        assert re.fullmatch(r"kan-opt: error: [^\n]+\n", message), message
    assert "internal error" not in message and "Traceback" not in message, message
    assert len(message) < 2000
    assert re.search(CASES[name].words, message), message
    assert not list(folder.rglob(MARKER))


@pytest.mark.parametrize("name", cases(CASES))
def test_malformed_files(
    name: str, child: Child, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    if need_torch(name):
        request.getfixturevalue("torch")
    path, options = write(name, tmp_path)
    result = child.run(path, *options)
    assert result["code"] == 1, result
    check_message(name, result["stderr"], tmp_path)
    growth = CHECKPOINT_GROWTH if name.startswith("pt ") else GROWTH
    assert result["peak"] - child.peak < growth
    assert result["seconds"] < SECONDS


@pytest.mark.parametrize("name", cases(COMMAND))
def test_the_command_itself(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    if need_torch(name):
        request.getfixturevalue("torch")
    path, options = write(name, tmp_path)
    output = tmp_path / "out.mlir"
    output.write_text("kept")
    ended = subprocess.run(
        [sys.executable, "-m", "kan_dialect.cli.kan_opt", str(path), *options, "-o", str(output)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    check_message(name, ended.stderr, tmp_path)
    assert output.read_text() == "kept"
