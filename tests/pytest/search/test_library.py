"""The C part of the searches, and what is told where it has not been built."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kan_dialect.errors import KanError
from kan_dialect.search import library
from repository import ROOT


def test_a_missing_library_is_told_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "_FILE", tmp_path / "missing.so")
    with pytest.raises(KanError, match=r"missing\.so") as told:
        library.search_library.__wrapped__()
    assert told.value.remedy is not None and "pip install" in told.value.remedy


def test_an_installation_without_a_compiler_says_what_is_missing(tmp_path: Path) -> None:
    command = [sys.executable, "setup.py", "-q", "build_ext"]
    folders = ["--build-lib", str(tmp_path), "--build-temp", str(tmp_path)]
    environment = {**os.environ, "PATH": str(tmp_path), "CC": ""}
    done = subprocess.run(
        [*command, *folders], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "no C compiler is on PATH: install one" in done.stderr
    assert "Traceback" not in done.stderr
