"""A slice of `benchmarks/seeded_text.py`: what leaves the language is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from fuzz.text_mutants import CHANGES, mutants
from kan_dialect.flows.tools.toolchain import look_for
from repository import BENCHMARKS

NOWHERE = {"operators of four states"}
"""Kinds that have no place in the slice's designs."""


@pytest.mark.ci
@pytest.mark.skipif(look_for("yosys") is None, reason="Yosys is not installed")
def test_changes_of_the_language_are_refused(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCHMARKS / "seeded_text.py"), "--jobs", "1", "--places", "1"]
    command += ["--networks", "negative,tracker", "--json", str(tmp_path / "found.json")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    rows: list[tuple[str, str, str, str]] = json.loads((tmp_path / "found.json").read_text())
    assert {kind for _, kind, _, _ in rows} >= {change.name for change in CHANGES} - NOWHERE
    harmless = {change.name for change in CHANGES if change.harmless}
    proven = {kind for _, kind, outcome, _ in rows if outcome == "proven"}
    assert proven == harmless
    # Refusals of the grammar say where.
    refused = [message for *_, outcome, message in rows if outcome == "refused"]
    assert sum("line " in message for message in refused) > 0.9 * len(refused)


def test_mutants_are_texts_of_their_own() -> None:
    text = (
        "`default_nettype none\n// x0 + 1\nmodule top (\n  input  wire logic clk\n);\n"
        "  wire logic [1:0] a = b + 2'd1;\n  always_ff @(posedge clk)\n    c <= a;\nendmodule\n"
    )
    every = list(mutants(text))
    assert all(mutant.text != text for mutant in every)
    assert {mutant.kind for mutant in every} <= {change.name for change in CHANGES}
    process = [mutant.text for mutant in every if mutant.kind == "= in a clocked process"]
    assert process == [text.replace("c <= a", "c = a")]
