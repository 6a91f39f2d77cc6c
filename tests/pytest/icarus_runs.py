"""Runs of text in Icarus Verilog."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest


def _tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def _output_of(*command: str | Path, folder: Path) -> str:
    done = subprocess.run([*map(str, command)], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def run_icarus(folder: Path, files: Sequence[Path]) -> str:
    _output_of(_tool("iverilog"), "-g2012", "-s", "tb", "-o", "tb.vvp", *files, folder=folder)
    return _output_of(_tool("vvp"), "-N", "tb.vvp", folder=folder)
