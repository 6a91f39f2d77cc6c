"""Further targets: estimates beside Yosys's cells and nextpnr's clock, and the delays of cells.

    python benchmarks/targets.py                                   all targets (half an hour)
    python benchmarks/targets.py --targets nexus --models moons

Builds the networks of KANELÉ's generator and the wine example for each target, synthesises them,
and places and routes them where there is a nextpnr, with one seed. Prints for each the estimate and
the measurement, and for each target the mean delays along the critical paths, as
`kan_dialect/devices/families` has them. Results are in `benchmarks/results/targets.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from rich.console import Console
from rich.table import Table

from kan_dialect.devices.device import device
from kan_dialect.errors import KanError
from kan_dialect.flows.report import read_report
from kan_dialect.flows.tools.place_and_route import Step, is_placed, place_and_route
from kan_dialect.flows.tools.synthesis import synthesize

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("KAN_SHARED_DATA", ROOT.parent / "shared" / "data")) / "kanele"
EXAMPLES = ROOT / "examples"
MODELS: dict[str, list[object]] = {
    **{
        name: [DATA / name / "truth_tables.json"]
        for name in ("moons", "wine", "drybean", "jsc_openml")
    },
    "example": [EXAMPLES / "wine.onnx", "--calibration", EXAMPLES / "wine.npz", "--bits", 4],
}
CARRY_IN = ("CIN", "FCI", "CINY1", "CINX", "CINY2")
CARRY_OUT = ("COUT", "FCO", "COUTY1", "COUTX", "COUTY2")


def build(model: str, target: str, cycles: int, folder: Path) -> dict[str, Any]:
    """The report of a build. Raises KanError with the command's message if it fails."""
    words = [sys.executable, "-m", "kan_dialect.cli.kan_flow", "build", *MODELS[model]]
    options = ["-o", folder, "--target", target, "--cycles", cycles]
    fast = ["--simulator", "none", "--no-check-passes", "--name", model]
    command = [str(word) for word in (*words, *options, *fast)]
    ended = subprocess.run(command, capture_output=True, text=True)
    if ended.returncode:
        raise KanError((ended.stderr or ended.stdout).strip())
    return read_report(folder / "report.json")


def measure(model: str, target: str, cycles: int) -> dict[str, Any]:
    """Estimate, cells and clock of a network on a target."""
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        estimate = build(model, target, cycles, folder)["estimate"]
        mapped = synthesize(folder / "rtl" / f"{model}.sv", device(target), with_netlist=True)
    found: dict[str, Any] = {
        "target": target,
        "model": model,
        "cycles": cycles,
        "estimated_luts": estimate["luts"],
        "luts": mapped.cells.luts,
        "estimated_registers": estimate["registers"],
        "registers": mapped.cells.registers,
        "estimated_ns": estimate["delay_ns"],
    }
    if is_placed(target):
        placed = place_and_route(mapped, cycles, seeds=1)
        summary = placed.summary()
        found |= {
            "placed_luts": summary["luts"],
            "mhz": summary["fmax_with_inputs_mhz"],
            "ns": 1000 / summary["fmax_with_inputs_mhz"],
            "delays": delays(placed.timed[0].steps),
        }
    return found


def delays(steps: Sequence[Step]) -> dict[str, list[float]]:
    """Delays in ns along a path, by what they are of.

    A lookup table, and the way onto a carry chain and off it, include the routing to them.
    """
    found: dict[str, list[float]] = defaultdict(list)
    at_register = sum(step.delay_ns for step in steps if step.kind not in ("logic", "routing"))
    found["register"].append(at_register)
    way = entered = 0.0
    for step in steps:
        match step.kind, step.source in CARRY_IN, step.sink in CARRY_OUT:
            case "routing", _, _:
                way += step.delay_ns
                continue
            case "logic", True, True:
                found["carry_bit"].append(step.delay_ns + way)
            case "logic", False, True:
                entered = step.delay_ns + way
            case "logic", True, False:
                found["carry"].append(entered + step.delay_ns + way)
            case "logic", False, False:
                found["lut"].append(step.delay_ns + way)
            case _:
                continue
        way = 0.0
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Estimates beside Yosys and nextpnr.")
    parser.add_argument("--targets", default="nexus,gowin,gatemate,xc7,cyclonev")
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--cycles", default="2", help="pipeline stages (default: 2)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="all figures, a network a line")
    options = parser.parse_args()
    found: list[dict[str, Any]] = []
    for target in options.targets.split(","):
        for model in options.models.split(","):
            for cycles in map(int, options.cycles.split(",")):
                found.append(measure(model, target, cycles))
                if options.json:
                    with options.json.open("a") as file:
                        file.write(json.dumps(found[-1]) + "\n")
    show(found)


def show(found: Sequence[dict[str, Any]]) -> None:
    """The networks, and the mean delays of each target."""
    console = Console()
    names = ("LUTs: Yosys", "estimated", "placed", "registers", "estimated", "MHz", "estimated")
    table = Table("target", "network", "stages", *names)
    for entry in found:
        routed = [f"{entry['mhz']:.1f}"] if "mhz" in entry else ["—"]
        figures = [entry["luts"], entry["estimated_luts"], entry.get("placed_luts", "—")]
        figures += [entry["registers"], entry["estimated_registers"], *routed]
        figures += [f"{1000 / entry['estimated_ns']:.1f}"]
        row = [entry["target"], entry["model"], entry["cycles"], *figures]
        table.add_row(*map(str, row))
    console.print(table)
    for target in dict.fromkeys(entry["target"] for entry in found):
        paths = [e for e in found if e["target"] == target and "delays" in e]
        if not paths:
            continue
        parts: dict[str, list[float]] = defaultdict(list)
        for entry in paths:
            for part, values in entry["delays"].items():
                parts[part] += values
        means = ", ".join(f"{part} {mean(values):.3f} ns" for part, values in parts.items())
        ratios = ", ".join(f"{e['estimated_ns'] / e['ns']:.2f}" for e in paths)
        console.print(f"{target}: {means}; estimate over routed: {ratios}")


if __name__ == "__main__":
    main()
