"""The report of a build: the content of `report.json`, and the table for the terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, cast

from rich.console import Console

from kan_dialect.errors import KanError
from kan_dialect.files.growing_folder import write_listed
from kan_dialect.flows.folder_owners import BUILT
from kan_dialect.flows.json_text import json_text
from kan_dialect.flows.part_fit import part_text, size_text
from kan_dialect.flows.report_certificate import certificate_text
from kan_dialect.flows.terminal import figure_table
from kan_dialect.flows.tools.toolchain import Tool
from kan_dialect.lowering.systemverilog.names import legal_name
from kan_dialect.model.saturation import Saturation
from kan_dialect.passbase.kan_pass import EXACT
from kan_dialect.quantity import every, quantity


@dataclass
class Report:
    """The sections of `report.json`, in its order. None and empty sections have no key."""

    name: str
    inputs: int
    outputs: int
    latency_cycles: int
    interval_cycles: int | None = None
    """Cycles from a sample to the next of a folded design; None of a pipeline."""
    classes: list[str] = field(default_factory=list[str])
    """Name of each class; empty where they are not known."""
    ports: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """An entry a port: `name`, `direction`, `bits`, and the values that its codes represent."""
    accuracy: dict[str, Any] | None = None
    """Share of right classes of `float` and `integer` on the `samples` of `on`; `confusion`."""
    regression: dict[str, Any] | None = None
    """Errors of `float` and `integer` against real-valued targets, and `residuals`."""
    head: dict[str, Any] | None = None
    """The decision that the hardware makes: `kind` and its numbers, and how well it decides."""
    float_engine: str | None = None
    """Runtime and version that computed the float outputs; None for the imported network."""
    max_abs_error: float | None = None
    """Largest difference between an output of the integer and of the float model."""
    mean_abs_error: float | None = None
    certificate: dict[str, Any] | None = None
    """Proven bounds on the error of the integer network: see `certificate_entry`."""
    edges: dict[str, int] = field(default_factory=dict[str, int])
    """Numbers of edges: `total`, and `kept` without the pruned ones."""
    training: dict[str, Any] | None = None
    """Of hardware that trains itself: interval, number and format of coefficients, memories."""
    fitted: list[dict[str, Any]] | None = None
    """Figures of `kan-fit-splines` for each layer that it fitted."""
    table_bits: int | None = 0
    saturation: dict[str, Saturation] = field(default_factory=dict[str, Saturation])
    """Saturation on the `calibration` samples, and on the `test` samples of a test set."""
    codes: dict[str, Any] | None = None
    """Use of codes by samples: `on`, `samples`, and `inputs`, `nodes`, `outputs` by name."""
    estimate: dict[str, Any] = field(default_factory=dict[str, Any])
    """Size and delay of the top module: see `estimate_entry`."""
    fit: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """Of `--fit`, an entry an interval that was considered: size, latency, and whether it fits."""
    layers: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """Costs of each layer, by kind and by edge: see `layer_costs`."""
    schedule: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """The logic between two rows of registers: see `stage_entries`."""
    stages: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """An entry a file of IR, in order: `file`, `pass`, `level`, and the estimate at wire level."""
    shapes: dict[str, Any] | None = None
    """Result of `kan-share-shapes` or `kan-shape-tables`: `up_to`, `shapes`, `edges`, `before`,
    `tried`."""
    bits: dict[str, Any] | None = None
    """Result of `kan-choose-bits`: `bits`, the budget, and the scores `before` and `after`."""
    precision: dict[str, Any] | None = None
    """Result of `kan-refine-precision`: `budget`, `seed`, `accuracy`, `edges`, `bits`."""
    trained: dict[str, Any] | None = None
    """Record of `kan-flow train`: `held_out`, `error`, `price`, `seed`, ..., `bits`."""
    checks: list[dict[str, str | int | float | bool]] = field(
        default_factory=list[dict[str, str | int | float | bool]]
    )
    """An entry a pass: `pass`, `claim`, `samples`, `nodes`, `exhaustive`, and its errors."""
    simulation: dict[str, Any] | None = None
    """`simulator`, `vectors`, `mismatches`"""
    vhdl: dict[str, Any] | None = None
    """The same of the network as VHDL."""
    interface: dict[str, Any] | None = None
    """Ports, beats and latency of the wrapper around the network: see `write_interface`."""
    project: dict[str, Any] | None = None
    """Top module and clock period of the files in `project/`."""
    warnings: list[str] = field(default_factory=list[str])
    tools: dict[str, str] = field(default_factory=dict[str, str])
    """Versions of the packages and tools that contributed figures."""
    command: str | None = None
    sources: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    """Names and hashes of the files that the build read."""

    def by_tool(self, tool: Tool, figures: Mapping[str, Any]) -> dict[str, Any]:
        """A section with the simulator that gave its figures, whose version is kept."""
        self.tools[tool.name] = tool.version
        return {"simulator": f"{tool.name} {tool.version}", **figures}

    def as_dict(self) -> dict[str, Any]:
        """The content of `report.json`."""
        whole = {each.name: getattr(self, each.name) for each in fields(self)}
        whole["saturation"] = {name: each.as_dict() for name, each in self.saturation.items()}
        return {name: value for name, value in whole.items() if value not in (None, [], {})}

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
    console.print()
    console.print(figure_table(_rows(report)))
    for warning in report.warnings:
        console.print(f"warning: {warning}", style="yellow", markup=False)
    console.print(f"\nwritten to {folder}", markup=False, highlight=False)


def _rows(report: Report) -> list[tuple[str, str]]:
    """Label and text of each row of the short report."""
    ports = f"{quantity(report.inputs, 'input')}, {quantity(report.outputs, 'output')}"
    network = ("network", f"{report.name}: {ports}")
    if report.training is not None:
        return [network, *_on_chip_rows(report, report.training)]
    return [
        network,
        *_accuracy_rows(report.accuracy),
        *_head_rows(report.head),
        *_error_rows(report.regression),
        *_trained_rows(report.trained),
        *_precision_rows(report.precision),
        *_quantization_rows(report),
        *_size_rows(report),
        *_speed_rows(report),
        *_interface_rows(report.interface),
        *_check_rows(report),
    ]


def _on_chip_rows(report: Report, training: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Rows of hardware that trains itself."""
    if report.fitted:
        largest = max(layer["largest_error"] for layer in report.fitted)
        yield "fitted", f"edges off by at most {largest:.2g} of what their node varies by"
    yield (
        "coefficients",
        f"{training['coefficients']} of {training['bits']} bits, {training['fraction_bits']} "
        f"behind the point, in {training['memories']} memories",
    )
    yield "latency", f"{quantity(report.latency_cycles, 'cycle')}, a sample every cycle"
    yield "training", f"a sample every {training['interval_cycles']} cycles"
    run = report.simulation
    if run is None:
        yield "simulation", "[yellow]not run[/yellow]"
    else:
        text = f"{run['vectors']} samples, {run['trained']} of them trained, and "
        text += f"{run['coefficients']} coefficients, no mismatch"
        yield "simulation", f"[green]{text}[/green] ({run['simulator']})"
    played = (report.interface or {}).get("simulation")
    if played is not None:
        text = f"{played['accesses']} accesses on AXI4-Lite, no mismatch"
        yield "registers", f"[green]{text}[/green] ({played['simulator']})"
    if report.vhdl is not None:
        text = f"{report.vhdl['vectors']} samples and all coefficients, no mismatch"
        yield "VHDL simulation", f"[green]{text}[/green] ({report.vhdl['simulator']})"


def _accuracy_rows(accuracy: dict[str, Any] | None) -> list[tuple[str, str]]:
    """Share of right classes, where the data has class labels."""
    if accuracy is None:
        return []
    # A model that came with codes has no float model beside it.
    known = f", {accuracy['float']:.4f} float" if "float" in accuracy else ""
    samples = f"{accuracy['samples']} {accuracy['on']} samples"
    return [("accuracy", f"{accuracy['integer']:.4f} integer{known} ({samples})")]


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
    if report.bits is not None:
        chosen = report.bits
        scores = f"{chosen['before']:.4f} to {chosen['after']:.4f}"
        text = f"{chosen['bits']} ({scores} on {chosen['samples']} calibration samples)"
        rows.append(("bits chosen", text))
    if report.max_abs_error is not None:
        mean = "" if report.mean_abs_error is None else f", {report.mean_abs_error:.4g} on average"
        rows.append(("output error", f"{report.max_abs_error:.4g} at most{mean}"))
    if report.certificate is not None:
        rows.append(("certificate", certificate_text(report.certificate)))
    if report.saturation:
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
    total, kept = report.edges["total"], report.edges["kept"]
    rows.append(("edges", f"{kept} kept of {total}, {total - kept} pruned"))
    rows.append(("tables", f"{report.table_bits} bits"))
    folded = [f"{each['shapes']} of {each['name']}" for each in report.layers if "shapes" in each]
    if folded:
        rows.append(("folded shapes", ", ".join(folded)))
    return rows


def _speed_rows(report: Report) -> list[tuple[str, str]]:
    """Latency, and the estimate of the hardware that reaches it."""
    cycles, estimate = report.latency_cycles, report.estimate
    rate = every(report.interval_cycles or 1, "cycle")
    text = f"{quantity(cycles, 'cycle')}, a sample {rate}" if cycles else "all combinational"
    rows = [("latency", text)]
    if estimate:
        text = f"{size_text(estimate)}, {quantity(int(estimate['levels']), 'level')} of logic"
        if "fmax_mhz" in estimate:
            text += f", about {float(estimate['fmax_mhz']):.0f} MHz"
        rows.append((f"estimate ({estimate['target']})", text))
    core = estimate.get("core")
    if core is not None:
        rows.append(("network alone", size_text(core)))
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
    loaded = f"{simulation['words']} words loaded, " if "words" in simulation else ""
    return (
        f"[green]{loaded}{simulation['vectors']} vectors, {simulation['mismatches']} mismatches"
        f"[/green] ({simulation['simulator']})"
    )


def _error_rows(regression: dict[str, Any] | None) -> list[tuple[str, str]]:
    """Errors against real-valued targets, where the data has targets."""
    if regression is None:
        return []
    integer, real = regression["integer"], regression.get("float", {})
    samples = f"({regression['samples']} {regression['on']} samples)"
    rows: list[tuple[str, str]] = []
    for key, label, how in (
        ("rmse", "RMSE", ".4g"),
        ("r2", "R²", ".4f"),
        ("max_error", "largest error", ".4g"),
    ):
        if key in integer:
            known = f", {real[key]:{how}} float" if key in real else ""
            rows.append((label, f"{integer[key]:{how}} integer{known} {samples}"))
    return rows


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
