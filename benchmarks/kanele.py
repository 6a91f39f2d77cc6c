"""Compares our RTL of KANELÉ's published models with that of KANELÉ's generator, by the same tools.

    python benchmarks/kanele.py                                 default pipeline, all models
    python benchmarks/kanele.py --models moons,wine --configs "levels=1;levels=3"
    python benchmarks/kanele.py --ablate --configs cycles=2     without each optimising pass in turn
    python benchmarks/kanele.py --cells                         logic cells only, in minutes

Models and the generator's figures (`baseline.json`) are read from `../shared/data/kanele`, or from
`$KAN_SHARED_DATA/kanele`. Every design is proven (`kan-flow prove`) before it is measured. Ratios
below 1 are in our favour; they are given only with the versions that made the baseline.

Flip-flops are compared as ECP5's, which are all of one type: the baseline's `ff` for Xilinx counts
FDRE only. `ns` is cycles over the clock frequency with registers at all inputs (`with inputs` in
`kan-flow pnr`), the slower of our two; the baseline's designs start with registers of their own.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import measurements
from measurements import geometric_mean, kan_flow
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from xdsl.utils.arg_spec import parse_pipeline

from kan_dialect.devices.device import ECP5, XCUP
from kan_dialect.errors import KanError
from kan_dialect.flows.report import read_report
from kan_dialect.flows.tools.place_and_route import place_and_route
from kan_dialect.flows.tools.synthesis import synthesize
from kan_dialect.flows.tools.toolchain import find
from kan_dialect.lowering.compile import CompilePass

DATA = measurements.DATA / "kanele"
VERSIONS = {"yosys": "0.52", "nextpnr-ecp5": "0.7"}
"""What the baseline was measured with."""

NEEDED = ("kan-fold-tables", "kan-expand-wires", "kan-schedule", "lower-kan-to-hw", "kan-quantize")
"""Passes without which nothing comes out."""

FIGURES = ("lc", "ff", "comb", "cycles", "mhz", "ns")


def measure(
    model: str, pipeline: str, folder: Path, proof: bool, seeds: int, cells: bool = False
) -> dict[str, Any]:
    """Build, prove, synthesise and place one model; with `cells`, only count Xilinx cells."""
    build = folder / model
    checkpoint = DATA / model / "checkpoint.pt"
    options = ["--no-check-passes", *([] if proof else ["--vectors", "20000"])]
    simulator = ["--simulator", "none"] if proof else []
    kan_flow("build", checkpoint, "-o", build, "-p", pipeline, *options, *simulator)
    if proof:
        kan_flow("prove", build)
    report = read_report(build / "report.json")
    cycles = int(report["latency_cycles"])
    rtl = build / "rtl" / f"{model}.sv"
    xilinx = synthesize(rtl, XCUP, top=model)
    figures = {
        "model": model,
        "pipeline": pipeline,
        "cycles": cycles,
        "lc": xilinx.cells.luts,
        "xilinx_ff": xilinx.cells.registers,
        "estimate": report["estimate"],
    }
    if cells:
        return figures
    ecp5 = synthesize(rtl, ECP5, top=model, with_netlist=True)
    placed = place_and_route(ecp5, cycles, seeds=seeds).summary()
    mhz = placed.get("fmax_with_inputs_mhz", 0.0)
    return figures | {
        "comb": placed["luts"],
        "ff": ecp5.cells.registers,
        "mhz": mhz,
        "mhz_register_to_register": placed.get("fmax_mhz"),
        # Of a combinational design, the path itself.
        "ns": cycles * 1000 / mhz if cycles else placed["latency_ns"],
    }


def baseline(model: str) -> dict[str, float]:
    """The generator's figures under our names."""
    entry = json.loads((DATA / "baseline.json").read_text())["models"][model]
    ecp5 = entry["ecp5"]
    return {
        "cycles": entry["cycles"],
        "lc": entry["yosys_xilinx"]["lc"],
        "comb": ecp5["comb"],
        "ff": ecp5["ff"],
        "mhz": ecp5["mhz"],
        "ns": entry["cycles"] * 1000 / ecp5["mhz"],
    }


def pipelines(configs: str, ablate: bool) -> dict[str, str]:
    """The pipelines to measure, by name."""
    named: dict[str, str] = {}
    for config in configs.split(";"):
        name, pipeline = (
            config or "default",
            f"kan-compile{{{config}}}" if config else "kan-compile",
        )
        named[name] = pipeline
        if ablate:
            (spec,) = parse_pipeline(pipeline)
            stages = CompilePass.from_spec(spec.normalize_parameter_names()).passes()
            for left_out in stages:
                if left_out.name not in NEEDED:
                    kept = [str(stage.spec()) for stage in stages if stage is not left_out]
                    named[f"{name} without {left_out.name}"] = ",".join(kept)
    return named


def main() -> None:
    parser = argparse.ArgumentParser(description="Our RTL beside KANELÉ's, with the same tools.")
    parser.add_argument("--models", default="jsc_openml,wine,drybean,moons")
    parser.add_argument(
        "--configs", default="", help='options of kan-compile, as "levels=1;levels=3 guard-bits=1"'
    )
    parser.add_argument("--ablate", action="store_true", help="leave out each pass in turn")
    parser.add_argument("--seeds", type=int, default=1, help="of nextpnr (default: 1, as baseline)")
    parser.add_argument("--cells", action="store_true", help="do not place, nor map for ECP5")
    parser.add_argument("--no-proof", action="store_true", help="simulate instead of proving")
    parser.add_argument("--json", type=Path, metavar="FILE", help="all figures")
    options = parser.parse_args()
    if not DATA.is_dir():
        raise SystemExit(f"kanele.py: there is no {DATA}; set KAN_SHARED_DATA")
    versions = {name: find(name).version for name in VERSIONS}
    comparable = all(versions[name].split("-")[0] == want for name, want in VERSIONS.items())
    print("#", ", ".join(f"{name} {version}" for name, version in versions.items()))
    if not comparable:
        wanted = ", ".join(f"{name} {version}" for name, version in VERSIONS.items())
        print(f"# no ratios: the baseline is of {wanted}")
    found: dict[str, list[dict[str, Any]]] = {}
    models = options.models.split(",")
    named = pipelines(options.configs, options.ablate)
    console = Console()
    with tempfile.TemporaryDirectory() as directory, Progress(console=console) as progress:
        task = progress.add_task("", total=len(named) * len(models))
        for name, pipeline in named.items():
            for model in models:
                progress.update(task, description=f"{model}, {name}")
                try:
                    figures = measure(
                        model,
                        pipeline,
                        Path(directory),
                        not options.no_proof,
                        options.seeds,
                        options.cells,
                    )
                    found.setdefault(name, []).append(figures)
                except KanError as error:
                    progress.console.print(f"{model}, {name}: {error}", style="red", markup=False)
                progress.advance(task)
    for name, rows in found.items():
        console.print(table(name, rows, comparable))
    if options.json:
        options.json.write_text(json.dumps({"versions": versions, "results": found}, indent=1))


def table(name: str, rows: Sequence[dict[str, Any]], comparable: bool) -> Table:
    """A table of our figures and their ratios to the baseline, geometric means last."""
    figures = [figure for figure in FIGURES if all(figure in row for row in rows)]
    shown = Table("model", *figures, title=name, title_justify="left")
    ratios: dict[str, list[float]] = {figure: [] for figure in figures}
    for row in rows:
        theirs = baseline(row["model"])
        cells: list[str] = []
        for figure in figures:
            ratio = row[figure] / theirs[figure]
            ratios[figure].append(ratio)
            value = f"{row[figure]:.1f}" if figure in ("mhz", "ns") else str(row[figure])
            cells.append(f"{value} ({ratio:.2f})" if comparable else value)
        shown.add_row(row["model"], *cells)
    if comparable and rows:
        means = [
            f"{geometric_mean(ratios[figure]):.3f}" if min(ratios[figure]) > 0 else ""
            for figure in figures
        ]
        shown.add_row("geometric mean", *means, style="bold")
    return shown


if __name__ == "__main__":
    main()
