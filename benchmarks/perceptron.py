"""Perceptrons and spline networks of a study on an ECP5, at equal score: unrolled and folded.

    kan-flow study benchmarks/studies/perceptron.toml -o DIR
    python benchmarks/perceptron.py DIR

Both kinds have the tightest bound on LUTs at which their mean held-out score is within `LOSS` of
what both reach. Figures are medians over seeds, with the least and the largest.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, median
from typing import Any

from measurements import MarkdownTable, print_versions, synthesized

import kan_dialect
from kan_dialect.devices.device import device
from kan_dialect.flows.tools.place_and_route import place_and_route
from kan_dialect.frontends.naming import identifier

TARGET = "ecp5-25"
INTERVAL = 8
LOSS = 0.01
"""Held-out score that a choice may lose, as that of the study."""
KINDS = {"line": "perceptron", "spline": "spline"}

Row = dict[str, str]


def chosen(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The rows of a kind's tightest bound that reaches what both kinds reach.

    Parameters
    ----------
    rows : of one data set, a row for each network that the study chose.
    """
    bounds: dict[str, dict[int, list[Row]]] = {kind: {} for kind in KINDS}
    for row in rows:
        bounds[row["functions"]].setdefault(int(row["max_luts"]), []).append(row)
    scores = {
        kind: {
            bound: mean(float(row["held_out_score"]) for row in own) for bound, own in of.items()
        }
        for kind, of in bounds.items()
    }
    level = min(max(of.values()) for of in scores.values()) - LOSS
    return {
        kind: bounds[kind][min(bound for bound, score in of.items() if score >= level)]
        for kind, of in scores.items()
    }


def measured(network: kan_dialect.Network, **options: Any) -> tuple[int, int, float, float]:
    """LUTs, block RAMs, longest path in ns and latency in ns, placed and routed."""
    design = network.compile(target=TARGET, **options)
    text = design.systemverilog()
    mapped = synthesized(text, design.name, device(TARGET), with_netlist=True)
    routed = place_and_route(mapped, design.latency_cycles, seeds=1).summary()
    path = 1000 / routed["fmax_with_inputs_mhz"]
    return (routed["luts"], mapped.cells.block_rams, path, routed["latency_with_inputs_ns"])


def spread(values: Sequence[float], digits: int = 0) -> str:
    """Median, least and largest."""
    low, high = min(values), max(values)
    return f"{median(values):.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="of kan-flow study")
    parser.add_argument("--seeds", type=int, default=5, help="the first seeds of the study alone")
    parser.add_argument("--only", type=lambda text: text.split(","), help="names of data sets")
    options = parser.parse_args()
    print_versions(tools=["yosys", "nextpnr-ecp5"])
    with (options.folder / "study.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["test_score"]]
    table = MarkdownTable(
        *("data set", "kind", "bound", "test score", "LUTs", "longest path, ns", "latency, ns")
    )
    rows_folded: list[tuple[str, ...]] = []
    for data in options.only or dict.fromkeys(row["data"] for row in rows):
        of_data = [row for row in rows if row["data"] == data]
        if {row["functions"] for row in of_data} != set(KINDS):
            print(f"{data} is left out: a kind reaches no bound with all seeds", file=sys.stderr)
            continue
        for kind, own in chosen(of_data).items():
            own = [row for row in own if int(row["seed"]) < options.seeds]
            figures: list[tuple[float, ...]] = []
            for row in own:
                name = identifier("_".join([data, kind, row["max_luts"], row["seed"]]))
                network = kan_dialect.load(options.folder / "networks" / f"{name}.mlir")
                folded = measured(network, interval=INTERVAL, logic_words=0)
                figures.append((*measured(network), *folded))
            luts, _, path, latency, luts_folded, block_rams, _, latency_folded = zip(
                *figures, strict=True
            )
            score = mean(float(row["test_score"]) for row in own)
            table.add(
                *(data, KINDS[kind], own[0]["max_luts"], f"{score:.3f}"),
                *(spread(luts), spread(path, 1), spread(latency, 1)),
            )
            figures_folded = (luts_folded, block_rams, latency_folded)
            rows_folded.append((data, KINDS[kind], *map(spread, figures_folded)))
    print(f"\nFolded to an interval of {INTERVAL}, with all tables in block RAM:\n")
    table = MarkdownTable("data set", "kind", "LUTs", "block RAMs", "latency, ns")
    for cells in rows_folded:
        table.add(*cells)


if __name__ == "__main__":
    main()
