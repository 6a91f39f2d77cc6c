"""The report of a build: the content of `report.json`, and the table for the terminal."""

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
from kan_dialect.flows.folder_owners import BUILT
from kan_dialect.flows.json_text import json_text
from kan_dialect.flows.part_fit import part_text
from kan_dialect.flows.report_certificate import certificate_text
from kan_dialect.lowering.systemverilog.names import legal_name
from kan_dialect.model.saturation import Saturation
from kan_dialect.passbase.kan_pass import EXACT
from kan_dialect.quantity import quantity


@dataclass
class Report:
    """Figures of one build. A stage that did not run leaves None, and no key in the file."""

    name: str
    inputs: int
    outputs: int
    latency_cycles: int
    edges_total: int
    edges_kept: int
    table_bits: int
    estimate: dict[str, Any]
    """`target`, `luts`, `registers`, `levels`, `delay_ns`, `latency_ns`, `fmax_mhz`; `core`
    and `part`: see `estimate_entry`"""
    tools: dict[str, str]
    """Versions of the packages and tools that contributed figures."""
    classes: tuple[str, ...] = ()
    """Name of each class; empty where they are not known."""
    accuracy_on: str | None = None
    """The samples behind accuracy and errors: `test` or `calibration`."""
    accuracy_float: float | None = None
    accuracy_integer: float | None = None
    accuracy_samples: int | None = None
    errors_float: Errors | None = None
    """Errors against real-valued targets on the same samples; None for class labels."""
    errors_integer: Errors | None = None
    float_engine: str | None = None
    """Runtime and version that computed the float outputs; None for the imported network."""
    saturation: dict[str, Saturation] | None = None
    """Saturation on the `calibration` samples, and on the `test` samples of a test set."""
    head: dict[str, Any] | None = None
    """The decision that the hardware makes: `kind` and its numbers, and how well it decides."""
    max_abs_error: float | None = None
    """Largest difference between an output of the integer and of the float model."""
    mean_abs_error: float | None = None
    certificate: dict[str, Any] | None = None
    """Proven bounds on the error of the integer network: see `certificate_entry`."""
    shapes: dict[str, Any] | None = None
    """Result of `kan-share-shapes`: `up_to`, `shapes`, `edges`, `before`, `tried`."""
    chosen_bits: dict[str, Any] | None = None
    """Result of `kan-choose-bits`: `bits`, the budget, and the scores `before` and `after`."""
    precision: dict[str, Any] | None = None
    """Result of `kan-refine-precision`: `budget`, `seed`, `accuracy`, `edges`, `bits`."""
    trained: dict[str, Any] | None = None
    """Record of `kan-flow train`: `held_out`, `error`, `price`, `seed`, ..., `bits`."""
    checks: list[dict[str, str | int | float | bool]] = field(
        default_factory=list[dict[str, str | int | float | bool]]
    )
    """An entry a pass: `pass`, `claim`, `samples`, `nodes`, `exhaustive`, and its errors."""
    stages: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """An entry a file of IR, in order: `file`, `pass`, `level`, and the estimate at wire level."""
    layers: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """Costs of each layer, by kind and by edge: see `layer_costs`."""
    schedule: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """The logic between two rows of registers: see `stage_entries`."""
    codes: dict[str, Any] | None = None
    """Use of codes by samples: `on`, `samples`, and `inputs`, `nodes`, `outputs` by name."""
    confusion: dict[str, list[list[int]]] | None = None
    """Number of samples of each class (row) that are taken for each class (column)."""
    residuals: dict[str, Any] | None = None
    """Histograms of output less target, and some points: see `residual_figures`."""
    simulation: dict[str, str | int] | None = None
    """`simulator`, `vectors`, `mismatches`"""
    vhdl: dict[str, str | int] | None = None
    """The same of the network as VHDL."""
    synthesis: dict[str, str | int] | None = None
    pnr: dict[str, str | float] | None = None
    interface: dict[str, Any] | None = None
    """Ports, beats and latency of the wrapper around the network: see `write_interface`."""
    project: dict[str, Any] | None = None
    """Top module and clock period of the files in `project/`."""
    ports: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """An entry a port: `name`, `direction`, `bits`, and the values that its codes represent."""
    origin: dict[str, Any] = field(default_factory=dict[str, Any])
    """`command`, and `sources`: names and hashes of the files that the build read."""
    warnings: list[str] = field(default_factory=list[str])

    def as_dict(self) -> dict[str, Any]:
        """The content of `report.json`."""
        accuracy = {
            "on": self.accuracy_on,
            "samples": self.accuracy_samples,
            "float": self.accuracy_float,
            "integer": self.accuracy_integer,
            "confusion": self.confusion,
        }
        whole: dict[str, Any] = {
            "name": self.name,
            "inputs": self.inputs,
            "outputs": self.outputs,
            "latency_cycles": self.latency_cycles,
            "classes": list(self.classes) or None,
            "ports": self.ports or None,
            "accuracy": {k: v for k, v in accuracy.items() if v is not None}
            if self.accuracy_integer is not None
            else None,
            "regression": self._regression(),
            "head": self.head,
            "float_engine": self.float_engine,
            "max_abs_error": self.max_abs_error,
            "mean_abs_error": self.mean_abs_error,
            "certificate": self.certificate,
            "edges": {"total": self.edges_total, "kept": self.edges_kept},
            "table_bits": self.table_bits,
            "saturation": None
            if self.saturation is None
            else {name: found.as_dict() for name, found in self.saturation.items()},
            "codes": self.codes,
            "estimate": self.estimate or None,
            "layers": self.layers or None,
            "schedule": self.schedule or None,
            "stages": self.stages or None,
            "shapes": self.shapes,
            "bits": self.chosen_bits,
            "precision": self.precision,
            "trained": self.trained,
            "checks": self.checks or None,
            "simulation": self.simulation,
            "vhdl": self.vhdl,
            "synthesis": self.synthesis,
            "pnr": self.pnr,
            "interface": self.interface,
            "project": self.project,
            "warnings": self.warnings or None,
            "tools": self.tools,
            **self.origin,
        }
        return {key: value for key, value in whole.items() if value is not None}

    def _regression(self) -> dict[str, Any] | None:
        """`on`, `samples`, and the `rmse`, `r2`, `max_error` of `float` and `integer`."""
        errors = {"float": self.errors_float, "integer": self.errors_integer}
        known = {name: each.as_dict() for name, each in errors.items() if each is not None}
        if not known:
            return None
        shown = {} if self.residuals is None else {"residuals": self.residuals}
        return {"on": self.accuracy_on, "samples": self.accuracy_samples, **known, **shown}

    def as_json(self) -> str:
        """The text of `report.json`."""
        return json_text(self.as_dict())


def read_report(path: Path) -> dict[str, Any]:
    """Read the `report.json` of a build.

    Raises
    ------
    KanError : the file is missing, or is not a report. A report has a legal module name as `name`.
        Its `tools` and `estimate`, where present, are objects.
    """
    remedy = "run kan-flow build first"
    try:
        report: object = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise KanError(f"cannot read {path}: {error}", remedy=remedy) from None
    if isinstance(report, dict):
        read = cast("dict[str, Any]", report)
        name = read.get("name")
        if isinstance(name, str) and legal_name(name) == name:
            for section in ("tools", "estimate"):
                if not isinstance(read.get(section, {}), dict):
                    raise KanError(f"{path}: '{section}' is not an object", remedy=remedy)
            return read
    raise KanError(f"{path} is not the report of a build", remedy=remedy)


def merge_into_report(path: Path, key: str, summary: dict[str, Any], tools: dict[str, str]) -> None:
    """Add a section to the report of a build, and the versions of the tools that measured it.

    Parameters
    ----------
    path : `report.json` of the build.
    key : name of the section; an earlier section of this name is replaced.

    Raises
    ------
    KanError : the report is missing, or cannot be written.
    """
    report = read_report(path)
    versions = {**report.pop("tools", {}), **tools}
    report[key] = summary
    report["tools"] = versions
    write_listed(path.parent, BUILT, path.name, json_text(report))


def print_report(report: Report, console: Console, folder: str) -> None:
    """Print the short report: accuracy, size, latency and verification."""
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
    """Label and text of each row of the short report."""
    ports = f"{quantity(report.inputs, 'input')}, {quantity(report.outputs, 'output')}"
    return [
        ("network", f"{report.name}: {ports}"),
        *_accuracy_rows(report),
        *_head_rows(report.head),
        *_error_rows(report),
        *_trained_rows(report.trained),
        *_precision_rows(report.precision),
        *_quantization_rows(report),
        *_size_rows(report),
        *_speed_rows(report),
        *_interface_rows(report.interface),
        *_check_rows(report),
    ]


def _accuracy_rows(report: Report) -> list[tuple[str, str]]:
    """Share of right classes, where the data has class labels."""
    if report.accuracy_integer is None:
        return []
    # A model that came with codes has no float model beside it.
    known = "" if report.accuracy_float is None else f", {report.accuracy_float:.4f} float"
    samples = f"{report.accuracy_samples} {report.accuracy_on} samples"
    return [("accuracy", f"{report.accuracy_integer:.4f} integer{known} ({samples})")]


def _head_rows(head: dict[str, Any] | None) -> list[tuple[str, str]]:
    """The decision that the hardware makes, and how often it is that of the float model."""
    if head is None:
        return []
    text = str(head["decision"])
    if "accuracy" in head:
        text += f"; {head['accuracy']:.4f} right"
    if "agreement" in head:
        text += f"; as the float model on {head['agreement']:.2%} of samples"
    return [(f"head {head['kind']}", text)]


def _quantization_rows(report: Report) -> list[tuple[str, str]]:
    """Chosen bits, error against the float model with its proven bound, and saturation."""
    rows: list[tuple[str, str]] = []
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
    return rows


def _size_rows(report: Report) -> list[tuple[str, str]]:
    """Shared shapes, edges after pruning, and bits of tables."""
    rows: list[tuple[str, str]] = []
    if report.shapes is not None and "shapes" in report.shapes:
        each = "input" if report.shapes["up_to"] == "sign" else "layer"
        count, edges = report.shapes["shapes"], report.shapes["edges"]
        text = f"{count} for each {each}, up to {report.shapes['up_to']}, {edges} edges"
        rows.append(("shapes", text))
    pruned = report.edges_total - report.edges_kept
    rows.append(("edges", f"{report.edges_kept} kept of {report.edges_total}, {pruned} pruned"))
    rows.append(("tables", f"{report.table_bits} bits"))
    return rows


def _speed_rows(report: Report) -> list[tuple[str, str]]:
    """Latency, and the estimate of the hardware that reaches it."""
    cycles, estimate = report.latency_cycles, report.estimate
    text = f"{quantity(cycles, 'cycle')}, a sample every cycle" if cycles else "all combinational"
    rows = [("latency", text)]
    if estimate:
        text = (
            f"{quantity(int(estimate['luts']), 'LUT')}, "
            f"{quantity(int(estimate['registers']), 'register')}, "
            f"{quantity(int(estimate['levels']), 'level')} of logic"
        )
        if "fmax_mhz" in estimate:
            text += f", about {float(estimate['fmax_mhz']):.0f} MHz"
        rows.append((f"estimate ({estimate['target']})", text))
    core = estimate.get("core")
    if core is not None:
        size = f"{quantity(core['luts'], 'LUT')}, {quantity(core['registers'], 'register')}"
        rows.append(("network alone", size))
    part = estimate.get("part")
    if part is not None:
        rows.append(("part", part_text(part)))
    return rows


def _interface_rows(interface: dict[str, Any] | None) -> list[tuple[str, str]]:
    """The wrapper around the network: its module, latency and beats."""
    if interface is None:
        return []
    text = f"{interface['top']}, {quantity(int(interface['latency_cycles']), 'cycle')}"
    sides = [interface[side] for side in ("input", "output") if side in interface]
    if sides:
        beats = (f"{quantity(int(each['beats']), 'beat')} of {each['beat_bits']}" for each in sides)
        text += f", {' bits in, '.join(beats)} bits out"
    if "registers" in interface:
        text += f", {quantity(len(interface['registers']), 'register')}"
    return [("interface", text)]


def _check_rows(report: Report) -> list[tuple[str, str]]:
    """Checks of the passes, and the simulation of the RTL."""
    rows: list[tuple[str, str]] = []
    if report.checks:
        exact = [check for check in report.checks if check["claim"] == EXACT]
        samples = max(int(check.get("samples", 0)) for check in report.checks)
        text = (
            f"[green]{len(report.checks)} checked[/green] on up to {samples} samples, "
            f"{len(exact)} exact"
        )
        rows.append(("passes", text))
    if report.simulation is None:
        rows.append(("simulation", "[yellow]not run[/yellow]"))
    else:
        rows.append(("simulation", _simulation_text(report.simulation)))
    if report.vhdl is not None:
        rows.append(("VHDL simulation", _simulation_text(report.vhdl)))
    return rows


def _simulation_text(simulation: dict[str, str | int]) -> str:
    return (
        f"[green]{simulation['vectors']} vectors, {simulation['mismatches']} mismatches"
        f"[/green] ({simulation['simulator']})"
    )


def _error_rows(report: Report) -> list[tuple[str, str]]:
    """Errors against real-valued targets, where the data has targets."""
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
    """Share of samples that saturate, on the test samples where a test set exists."""
    name = "test" if "test" in saturation else "calibration"
    return saturation[name].told(f"{name} samples")


def _precision_rows(precision: dict[str, Any] | None) -> list[tuple[str, str]]:
    """Accuracy traded for bits, and the bits of inputs, nodes and edges."""
    if precision is None:
        return []
    shown = [
        f"{scores['before']:.4f} to {scores['after']:.4f} ({scores['samples']} {name} samples)"
        for name, scores in precision["accuracy"].items()
    ]
    return [("precision traded", "; ".join(shown)), *_bits_rows(precision)]


def _trained_rows(trained: dict[str, Any] | None) -> list[tuple[str, str]]:
    """What `kan-flow train` found for the network, and its bits."""
    if trained is None:
        return []
    return [
        (
            "trained",
            f"held-out {trained['measure']} {trained['held_out']:.4f} ± {trained['error']:.4f} at "
            f"a price of {trained['price']:.2g} a LUT, seed {trained['seed']}",
        ),
        *_bits_rows(trained),
    ]


def _bits_rows(figures: dict[str, Any]) -> list[tuple[str, str]]:
    """Bits of inputs, nodes and edges, where they are known."""
    if "bits" not in figures:
        return []
    layers: list[dict[str, Any]] = figures["bits"]["layers"]
    nodes = [bits for layer in layers for bits in layer["nodes"]]
    kept = [bits for layer in layers for row in layer["edges"] for bits in row if bits]
    inputs = _range_text(figures["bits"]["inputs"])
    return [
        ("bits", f"inputs {inputs}, nodes {_range_text(nodes)}, edges {_range_text(kept)}"),
    ]


def _range_text(bits: list[int]) -> str:
    low, high = min(bits, default=0), max(bits, default=0)
    return str(low) if low == high else f"{low} to {high}"
