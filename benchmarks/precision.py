"""Automatic precision: LUTs, registers, latency and test accuracy, before and after.

    python benchmarks/precision.py                       all models (a quarter of an hour)
    python benchmarks/precision.py --models wine,moons --place

KANELÉ's published integer models are compared with the RTL of KANELÉ's own generator
(`baseline.json`); networks from ONNX with themselves in 6 bits everywhere. Bits are chosen on the
training samples; the test samples are evaluated once, for the report. Data is read from
`../shared/data`, or from `$KAN_SHARED_DATA`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass
from typing import Any

from measurements import (
    DATA,
    MarkdownTable,
    geometric_mean,
    print_versions,
    require_data,
    some_of,
)

import kan_dialect
from kan_dialect.errors import KanError


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


def measure(name: str, options: argparse.Namespace) -> tuple[list[object], float | None]:
    """A row of the table, and the ratio to the baseline of a published model.

    Raises
    ------
    KanError : a build or a tool fails.
    """
    task = TASKS[name]
    found = built(task, options, precision="auto", max_accuracy_loss=options.loss or task.loss)
    given = baseline(task.baseline) if task.baseline else built(task, options, bits=6)
    precision = found["report"]["precision"]
    scores = [precision["accuracy"][on] for on in ("validation", "test")]
    ratio = found["luts"] / given["luts"]
    row = [
        *(name, found["luts"], given["luts"], f"{ratio:.3f}", found["registers"]),
        *(given["registers"], found.get("ns", ""), given.get("ns", "")),
        *(f"{score['before']:.4f} → {score['after']:.4f}" for score in scores),
        f"{precision['edges']['before']} → {precision['edges']['after']}",
    ]
    return row, ratio if task.baseline else None


def built(task: Task, options: argparse.Namespace, **given: Any) -> dict[str, Any]:
    """Cells of a build, its report, and its latency in ns if asked for."""
    network = kan_dialect.load(DATA / task.model, data=DATA / task.data)
    with tempfile.TemporaryDirectory() as folder:
        build = network.build(folder, seed=options.seed, cycles=options.cycles, **given)
        cells = build.synthesize("xcup").cells
        found = {"luts": cells.luts, "registers": cells.registers, "report": build.report}
        if options.place:
            summary = build.place_and_route("ecp5", seeds=1).summary()
            found["ns"] = f"{options.cycles * 1000 / summary['fmax_with_inputs_mhz']:.1f}"
    return found


def baseline(model: str) -> dict[str, Any]:
    """Figures of the RTL of KANELÉ's generator."""
    entry = json.loads((DATA / "kanele" / "baseline.json").read_text())["models"][model]
    cells = entry["yosys_xilinx"]
    ns = f"{entry['cycles'] * 1000 / entry['ecp5']['mhz']:.1f}"
    return {"luts": cells["lc"], "registers": cells["ff"], "ns": ns}


def main() -> int:
    parser = argparse.ArgumentParser(description="What automatic precision saves, and costs.")
    parser.add_argument("--models", type=some_of(TASKS), default=list(TASKS))
    parser.add_argument("--loss", metavar="P", help="this budget for all, in place of theirs")
    parser.add_argument("--cycles", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--place", action="store_true", help="latency in ns too, by nextpnr")
    options = parser.parse_args()
    require_data()
    print_versions(tools=["yosys", "nextpnr-ecp5"], packages=["numpy"])
    table = MarkdownTable(
        "model", "LCs", "before", "ratio", "flip-flops", "before", "ns", "before", "validation",
        "test", "edges",
    )  # fmt: skip
    ratios: list[float] = []
    failed = False
    for name in options.models:
        try:
            row, ratio = measure(name, options)
        except KanError as error:
            failed = True
            print(f"{name}: {error}", file=sys.stderr)
            continue
        table.add(*row)
        ratios += [] if ratio is None else [ratio]
    print(f"\ngeometric mean of the ratios to KANELÉ's RTL: {geometric_mean(ratios):.3f}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
