"""Compares reports of builds with their JSON schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from repository import ROOT

jsonschema: Any = pytest.importorskip("jsonschema")

SCHEMA = ROOT / "flows" / "report.schema.json"
ADD = "add the key, its type and its meaning to flows/report.schema.json: one place"


def problems(report: dict[str, Any]) -> list[str]:
    """What a report has that its schema does not admit, with the place in the report."""
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))
    return [f"{each.json_path}: {each.message}; {ADD}" for each in validator.iter_errors(report)]


def valid_report(folder: Path) -> dict[str, Any]:
    """The report in the folder of a build; it follows the schema."""
    report: dict[str, Any] = json.loads((folder / "report.json").read_text())
    assert problems(report) == []
    return report
