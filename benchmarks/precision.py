"""Automatic precision: LUTs, registers, latency and test accuracy, before and after.

    python benchmarks/precision.py                       all models
    python benchmarks/precision.py --models wine,moons --place

KANELÉ's published integer models are compared with the RTL of KANELÉ's own generator
(`baseline.json`, with the versions of the tools that made it); networks from ONNX with themselves
in 6 bits everywhere. Bits are chosen on the training samples; the test samples are evaluated once,
for the report. Data is read from `../shared/data`, or from `$KAN_SHARED_DATA`.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from kan_dialect.devices.device import ECP5, XCUP
from kan_dialect.errors import KanError
from kan_dialect.flows.report import read_report
from kan_dialect.flows.tools.place_and_route import place_and_route
from kan_dialect.flows.tools.synthesis import synthesize

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("KAN_SHARED_DATA", ROOT.parent / "shared" / "data"))


@dataclass(frozen=True)
class Task:
    """A model, its data, and the accuracy that it may lose."""

    model: str
    data: str
    loss: str
    baseline: str | None = None


TASKS = {
    "wine": Task("kanele/wine/checkpoint.pt", "kanele/wine/dataset.npz", "1.85%", "wine"),
    "drybean": Task(
        "kanele/drybean/checkpoint.pt", "kanele/drybean/dataset.npz", "0.25%", "drybean"
    ),
    "moons": Task("kanele/moons/checkpoint.pt", "kanele/moons/dataset.npz", "0.25%", "moons"),
    "onnx-wine": Task("onnx/efficient_kan_wine.onnx", "onnx/wine.npz", "1.85%"),
    "onnx-digits": Task("onnx/efficient_kan_digits.onnx", "onnx/digits.npz", "1%"),
}
"""A sample of wine's 54 in the test set is 1.85 %."""


def kan_flow(*arguments: object) -> str:
    """Run `kan-flow`. Returns the command. Raises KanError with its message if it fails."""
    command = [sys.executable, "-m", "kan_dialect.cli.kan_flow", *map(str, arguments)]
    ended = subprocess.run(command, capture_output=True, text=True)
    if ended.returncode:
        raise KanError((ended.stderr or ended.stdout).strip())
    return " ".join(["kan-flow", *map(str, arguments)])


def measure(task: Task, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Build with automatic precision, synthesise, and place if requested."""
    start = time.monotonic()
    command = kan_flow(
        "build", DATA / task.model, "--calibration", DATA / task.data, "-o", folder,
        "--precision", "auto", "--max-accuracy-loss", options.loss or task.loss,
        "--seed", options.seed, "--cycles", options.cycles,
    )  # fmt: skip
    seconds = time.monotonic() - start
    print("#", command.replace(f"{DATA}/", "../shared/data/").replace(str(folder), "OUT"))
    report = read_report(folder / "report.json")
    rtl = folder / "rtl" / f"{report['name']}.sv"
    cells = synthesize(rtl, XCUP, top=report["name"]).cells
    figures: dict[str, Any] = {
        "luts": cells.luts,
        "registers": cells.registers,
        "cycles": report["latency_cycles"],
        "seconds": seconds,
        "accuracy": report["precision"]["accuracy"],
        "edges": report["precision"]["edges"],
        "bits": report["precision"]["bits"],
    }
    if options.place:
        placed = place_and_route(
            synthesize(rtl, ECP5, top=report["name"], with_netlist=True), figures["cycles"], seeds=1
        ).summary()
        figures["ns"] = figures["cycles"] * 1000 / placed["fmax_with_inputs_mhz"]
    figures["before"] = before(task, folder.with_name("before"), options)
    return figures


def before(task: Task, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """The generator's figures; for a network from ONNX, its figures with 6 bits everywhere."""
    if task.baseline is not None:
        entry = json.loads((DATA / "kanele" / "baseline.json").read_text())["models"]
        entry = entry[task.baseline]
        return {
            "luts": entry["yosys_xilinx"]["lc"],
            "registers": entry["yosys_xilinx"]["ff"],
            "cycles": entry["cycles"],
            "ns": entry["cycles"] * 1000 / entry["ecp5"]["mhz"],
        }
    kan_flow(
        "build", DATA / task.model, "--calibration", DATA / task.data, "-o", folder, "--bits", 6,
        "--cycles", options.cycles, "--no-check-passes", "--simulator", "none",
    )  # fmt: skip
    report = read_report(folder / "report.json")
    cells = synthesize(folder / "rtl" / f"{report['name']}.sv", XCUP, top=report["name"]).cells
    return {
        "luts": cells.luts,
        "registers": cells.registers,
        "cycles": report["latency_cycles"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="What automatic precision saves, and costs.")
    parser.add_argument("--models", default=",".join(TASKS))
    parser.add_argument("--loss", metavar="P", help="this budget for all, in place of theirs")
    parser.add_argument("--cycles", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--place", action="store_true", help="latency in ns too, by nextpnr")
    parser.add_argument("--json", type=Path, metavar="FILE", help="all figures")
    options = parser.parse_args()
    if not DATA.is_dir():
        raise SystemExit(f"precision.py: there is no {DATA}; set KAN_SHARED_DATA")
    found: dict[str, dict[str, Any]] = {}
    for name in options.models.split(","):
        with tempfile.TemporaryDirectory() as directory:
            try:
                found[name] = measure(TASKS[name], Path(directory) / "out", options)
            except KanError as error:
                print(f"{name}: {error}", file=sys.stderr)
    Console(width=140).print(table(found))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))


def table(found: dict[str, dict[str, Any]]) -> Table:
    """A row for each model, and the geometric mean of the ratios to the baseline."""
    shown = Table(
        "model", "LUTs", "before", "ratio", "registers", "before", "cycles", "ns", "before",
        "validation", "test", "edges", "s",
    )  # fmt: skip
    ratios: list[float] = []
    for name, row in found.items():
        given = row["before"]
        ratio = row["luts"] / given["luts"]
        if TASKS[name].baseline is not None:
            ratios.append(ratio)
        scores = [
            f"{row['accuracy'][on]['before']:.4f} → {row['accuracy'][on]['after']:.4f}"
            for on in ("validation", "test")
        ]
        shown.add_row(
            name,
            str(row["luts"]),
            str(given["luts"]),
            f"{ratio:.3f}",
            str(row["registers"]),
            str(given["registers"]),
            f"{row['cycles']}, {given['cycles']}",
            f"{row['ns']:.1f}" if "ns" in row else "",
            f"{given['ns']:.1f}" if "ns" in given else "",
            *scores,
            f"{row['edges']['before']} → {row['edges']['after']}",
            f"{row['seconds']:.0f}",
        )
    if ratios:
        mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
        shown.add_row("geometric mean", "", "", f"{mean:.3f}", style="bold")
    return shown


if __name__ == "__main__":
    main()
