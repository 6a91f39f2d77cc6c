"""The report of a build: what `report.json` holds and what the terminal shows."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from rich.console import Console
from rich.table import Table

from kan_dialect.errors import KanError
from kan_dialect.files.data_sets import Errors
from kan_dialect.files.growing_folder import write_listed
from kan_dialect.flows.report_certificate import certificate_text
from kan_dialect.lowering.systemverilog.names import legal_name
from kan_dialect.model.saturation import Saturation
from kan_dialect.passbase.kan_pass import EXACT
from kan_dialect.quantity import quantity


@dataclass
class Report:
    """Figures of one build; what did not run is None, and absent from the file."""

    name: str
    inputs: int
    outputs: int
    latency_cycles: int
    edges_total: int
    edges_kept: int
    table_bits: int
    estimate: dict[str, str | int | float]
    """`target`, `luts`, `registers`, `levels`, `delay_ns`, `latency_ns`"""
    tools: dict[str, str]
    """Versions of what had a part in the figures."""
    accuracy_on: str | None = None
    """Which samples accuracy and errors are of: `test` or `calibration`."""
    accuracy_float: float | None = None
    accuracy_integer: float | None = None
    accuracy_samples: int | None = None
    errors_float: Errors | None = None
    """Against targets, of the same samples; None of classes."""
    errors_integer: Errors | None = None
    float_engine: str | None = None
    """The runtime, with version, that the float outputs are of; None: the imported network's."""
    saturation: dict[str, Saturation] | None = None
    """On `calibration` samples, and on `test` samples where there are some."""
    max_abs_error: float | None = None
    """Largest difference between an output of the integer and of the float model."""
    mean_abs_error: float | None = None
    certificate: dict[str, Any] | None = None
    """What the error of the integers is bounded by: see `certificate_entry`."""
    shapes: dict[str, Any] | None = None
    """What `kan-share-shapes` found: `up_to`, `shapes`, `edges`, `before`, `tried`."""
    chosen_bits: dict[str, Any] | None = None
    """What `kan-choose-bits` found: `bits`, the budget, and the scores `before` and `after`."""
    precision: dict[str, Any] | None = None
    """What `kan-refine-precision` traded: `budget`, `seed`, `accuracy`, `edges`, `bits`."""
    checks: list[dict[str, str | int | float | bool]] = field(
        default_factory=list[dict[str, str | int | float | bool]]
    )
    """Of each pass: `pass`, `claim`, `samples`, `nodes`, `exhaustive`, and what it traded."""
    simulation: dict[str, str | int] | None = None
    """`simulator`, `vectors`, `mismatches`"""
    synthesis: dict[str, str | int] | None = None
    pnr: dict[str, str | float] | None = None
    ports: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """Of each port `name`, `direction`, `bits`, and of codes what they stand for."""
    origin: dict[str, Any] = field(default_factory=dict[str, Any])
    """`command`, and `sources`: names and hashes of the files that were read."""
    warnings: list[str] = field(default_factory=list[str])

    def as_dict(self) -> dict[str, Any]:
        """What `report.json` holds."""
        accuracy = {
            "on": self.accuracy_on,
            "samples": self.accuracy_samples,
            "float": self.accuracy_float,
            "integer": self.accuracy_integer,
        }
        whole: dict[str, Any] = {
            "name": self.name,
            "inputs": self.inputs,
            "outputs": self.outputs,
            "latency_cycles": self.latency_cycles,
            "ports": self.ports or None,
            "accuracy": {k: v for k, v in accuracy.items() if v is not None}
            if self.accuracy_integer is not None
            else None,
            "regression": self._regression(),
            "float_engine": self.float_engine,
            "max_abs_error": self.max_abs_error,
            "mean_abs_error": self.mean_abs_error,
            "certificate": self.certificate,
            "edges": {"total": self.edges_total, "kept": self.edges_kept},
            "table_bits": self.table_bits,
            "saturation": None
            if self.saturation is None
            else {name: found.as_dict() for name, found in self.saturation.items()},
            "estimate": self.estimate or None,
            "shapes": self.shapes,
            "bits": self.chosen_bits,
            "precision": self.precision,
            "checks": self.checks or None,
            "simulation": self.simulation,
            "synthesis": self.synthesis,
            "pnr": self.pnr,
            "warnings": self.warnings or None,
            "tools": self.tools,
            **self.origin,
        }
        return {key: value for key, value in whole.items() if value is not None}

    def _regression(self) -> dict[str, Any] | None:
        """`on`, `samples`, and of `float` and `integer` `rmse`, `r2`, `max_error`."""
        errors = {"float": self.errors_float, "integer": self.errors_integer}
        known = {name: each.as_dict() for name, each in errors.items() if each is not None}
        if not known:
            return None
        return {"on": self.accuracy_on, "samples": self.accuracy_samples, **known}

    def as_json(self) -> str:
        return json.dumps(self.as_dict(), indent=2) + "\n"


def read_report(path: Path) -> dict[str, Any]:
    """What a build's `report.json` holds.

    Raises
    ------
    KanError : there is no such file, or it holds something else: a report has a module's name, and
        objects for `tools` and `estimate`, if anything.
    """
    remedy = "run kan-flow build first"
    try:
        report: object = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise KanError(f"cannot read {path}: {error}", remedy=remedy) from None
    if isinstance(report, dict):
        read = cast("dict[str, Any]", report)
        name = read.get("name")
        if isinstance(name, str) and legal_name(name) == name:
            for section in ("tools", "estimate"):
                if not isinstance(read.get(section, {}), dict):
                    raise KanError(f"{path}: '{section}' is no object", remedy=remedy)
            return read
    raise KanError(f"{path} is no report of a build", remedy=remedy)


def merge_into_report(path: Path, key: str, summary: dict[str, Any], tools: dict[str, str]) -> None:
    """Note figures of a build in its report, and versions of the tools that they are from.

    Raises
    ------
    KanError : there is no report, or it cannot be written.
    """
    report = read_report(path)
    versions = {**report.pop("tools", {}), **tools}
    report[key] = summary
    report["tools"] = versions
    write_listed(path, json.dumps(report, indent=2) + "\n")


def print_report(report: Report, console: Console, folder: str) -> None:
    """The short report: will it fit, how fast, how accurate, is it right."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column()
    for label, text in _rows(report):
        table.add_row(label, text)
    console.print()
    console.print(table)
    for warning in report.warnings:
        console.print(f"warning: {warning}", style="yellow", markup=False)
    console.print(f"\nwritten to {folder}", markup=False, highlight=False)


def _rows(report: Report) -> list[tuple[str, str]]:
    ports = f"{quantity(report.inputs, 'input')}, {quantity(report.outputs, 'output')}"
    rows = [("network", f"{report.name}: {ports}")]
    if report.accuracy_integer is not None and report.accuracy_float is not None:
        rows.append(
            (
                "accuracy",
                f"{report.accuracy_integer:.4f} integer, {report.accuracy_float:.4f} float "
                f"({report.accuracy_samples} {report.accuracy_on} samples)",
            )
        )
    rows.extend(_error_rows(report))
    rows.extend(_precision_rows(report.precision))
    if report.chosen_bits is not None:
        chosen = report.chosen_bits
        scores = f"{chosen['before']:.4f} to {chosen['after']:.4f}"
        text = f"{chosen['bits']} ({scores} on {chosen['samples']} calibration samples)"
        rows.append(("bits chosen", text))
    if report.max_abs_error is not None:
        mean = "" if report.mean_abs_error is None else f", {report.mean_abs_error:.4g} on average"
        rows.append(("output error", f"{report.max_abs_error:.4g} at most{mean}"))
    if report.certificate is not None:
        rows.append(("certificate", certificate_text(report.certificate)))
    if report.saturation is not None:
        rows.append(("saturation", _saturation_text(report.saturation)))
    if report.shapes is not None and "shapes" in report.shapes:
        each = "input" if report.shapes["up_to"] == "sign" else "layer"
        count, edges = report.shapes["shapes"], report.shapes["edges"]
        text = f"{count} for each {each}, up to {report.shapes['up_to']}, {edges} edges"
        rows.append(("shapes", text))
    pruned = report.edges_total - report.edges_kept
    rows.append(("edges", f"{report.edges_kept} kept of {report.edges_total}, {pruned} pruned"))
    rows.append(("tables", f"{report.table_bits} bits"))
    cycles = report.latency_cycles
    rows.append(
        (
            "latency",
            f"{quantity(cycles, 'cycle')}, a sample every cycle" if cycles else "all combinational",
        )
    )
    estimate = report.estimate
    if estimate:
        rows.append(
            (
                f"estimate ({estimate['target']})",
                f"{quantity(int(estimate['luts']), 'LUT')}, "
                f"{quantity(int(estimate['registers']), 'register')}, "
                f"{quantity(int(estimate['levels']), 'level')} of logic",
            )
        )
    if report.checks:
        exact = [check for check in report.checks if check["claim"] == EXACT]
        samples = max(int(check.get("samples", 0)) for check in report.checks)
        rows.append(
            (
                "passes",
                f"[green]{len(report.checks)} checked[/green] on up to {samples} samples, "
                f"{len(exact)} exact",
            )
        )
    if report.simulation is None:
        rows.append(("simulation", "[yellow]not run[/yellow]"))
    else:
        simulation = report.simulation
        rows.append(
            (
                "simulation",
                f"[green]{simulation['vectors']} vectors, {simulation['mismatches']} mismatches"
                f"[/green] ({simulation['simulator']})",
            )
        )
    return rows


def _error_rows(report: Report) -> list[tuple[str, str]]:
    """Errors against targets, where there are some."""
    integer, real = report.errors_integer, report.errors_float
    if integer is None:
        return []
    figures = [
        ("RMSE", integer.rmse, None if real is None else real.rmse, ".4g"),
        ("R²", integer.r2, None if real is None else real.r2, ".4f"),
        ("largest error", integer.max_error, None if real is None else real.max_error, ".4g"),
    ]
    of = f" ({report.accuracy_samples} {report.accuracy_on} samples)"
    return [
        (label, f"{mine:{how}} integer" + ("" if other is None else f", {other:{how}} float") + of)
        for label, mine, other, how in figures
        if mine is not None
    ]


def _saturation_text(saturation: dict[str, Saturation]) -> str:
    """How many samples saturate; of test samples, if there are some."""
    name = "test" if "test" in saturation else "calibration"
    return saturation[name].told(f"{name} samples")


def _precision_rows(precision: dict[str, Any] | None) -> list[tuple[str, str]]:
    """The accuracy that was traded for bits, where it was."""
    if precision is None:
        return []
    shown = [
        f"{scores['before']:.4f} to {scores['after']:.4f} ({scores['samples']} {name} samples)"
        for name, scores in precision["accuracy"].items()
    ]
    inputs: list[int] = precision["bits"]["inputs"]
    nodes = [bits for layer in precision["bits"]["layers"] for bits in layer["nodes"]]
    edges = [
        bits for layer in precision["bits"]["layers"] for row in layer["edges"] for bits in row
    ]
    kept = [bits for bits in edges if bits]
    return [
        ("precision traded", "; ".join(shown)),
        (
            "bits",
            f"inputs {_range_text(inputs)}, nodes {_range_text(nodes)}, edges {_range_text(kept)}",
        ),
    ]


def _range_text(bits: list[int]) -> str:
    low, high = min(bits, default=0), max(bits, default=0)
    return str(low) if low == high else f"{low} to {high}"
