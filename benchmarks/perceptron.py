"""Perceptrons and spline networks of a study at equal score: on an ECP5, or in standard cells.

    kan-flow study benchmarks/studies/perceptron.toml -o DIR
    python benchmarks/perceptron.py DIR
    python benchmarks/perceptron.py DIR --library CELLS.lib

Both kinds have the tightest bound on LUTs at which their mean held-out score is within `LOSS` of
what both reach. Figures are medians over seeds, with the least and the largest. On an ECP5 networks
are placed and routed, unrolled and folded. Energy in standard cells is that of random codes.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
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
CLOCK = 200.0
"""MHz, in standard cells."""
LOSS = 0.01
"""Held-out score that a choice may lose, as that of the study."""
KINDS = {"line": "perceptron", "spline": "spline"}

Row = dict[str, str]


@dataclass(frozen=True)
class Networks:
    """What a kind has chosen for a data set, a network for each seed."""

    data: str
    kind: str
    bound: str
    score: float
    """Mean test score."""
    networks: Sequence[kan_dialect.Network]


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


def in_cells(network: kan_dialect.Network, library: Path) -> tuple[float, float, float]:
    """Area in 1000 units of the library, latency in ns and energy of a sample in pJ."""
    with tempfile.TemporaryDirectory() as folder:
        built = network.build(
            Path(folder) / "o", target=str(library), mhz=CLOCK, simulator="none", vectors=1000
        )
        cells = built.synthesize_asic(library)
        assert cells.timing is not None and cells.timing.energy_j is not None
        latency = built.report["latency_cycles"] * 1000 / CLOCK
        return cells.area / 1000, latency, 1e12 * cells.timing.energy_j


def spread(values: Sequence[float], digits: int = 0) -> str:
    """Median, least and largest."""
    low, high = min(values), max(values)
    return f"{median(values):.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def placed(networks: Sequence[Networks]) -> None:
    """Print what networks take on an ECP5."""
    table = MarkdownTable(
        *("data set", "kind", "bound", "test score", "LUTs", "longest path, ns", "latency, ns")
    )
    folded: list[tuple[str, ...]] = []
    for one in networks:
        figures = [
            (*measured(network), *measured(network, interval=INTERVAL, logic_words=0))
            for network in one.networks
        ]
        luts, _, path, latency, luts_folded, *others, latency_folded = zip(*figures, strict=True)
        table.add(
            *(one.data, one.kind, one.bound, f"{one.score:.3f}"),
            *(spread(luts), spread(path, 1), spread(latency, 1)),
        )
        folded.append((one.data, one.kind, *map(spread, (luts_folded, others[0], latency_folded))))
    print(f"\nFolded to an interval of {INTERVAL}, with all tables in block RAM:\n")
    table = MarkdownTable("data set", "kind", "LUTs", "block RAMs", "latency, ns")
    for cells in folded:
        table.add(*cells)


def mapped(networks: Sequence[Networks], library: Path) -> None:
    """Print what networks take in standard cells."""
    table = MarkdownTable(
        *("data set", "kind", "test score", "area, 1000 units", "latency, ns", "energy, pJ")
    )
    for one in networks:
        figures = [in_cells(network, library) for network in one.networks]
        area, latency, energy = zip(*figures, strict=True)
        table.add(
            *(one.data, one.kind, f"{one.score:.3f}"),
            *(spread(area, 1), spread(latency), spread(energy, 1)),
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="of kan-flow study")
    parser.add_argument("--seeds", type=int, default=5, help="the first seeds of the study alone")
    parser.add_argument("--only", type=lambda text: text.split(","), help="names of data sets")
    parser.add_argument("--library", type=Path, help="a Liberty file, in place of an ECP5")
    options = parser.parse_args()
    print_versions(tools=["yosys", "sta" if options.library else "nextpnr-ecp5"])
    with (options.folder / "study.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["test_score"]]
    networks: list[Networks] = []
    for data in options.only or dict.fromkeys(row["data"] for row in rows):
        of_data = [row for row in rows if row["data"] == data]
        if {row["functions"] for row in of_data} != set(KINDS):
            print(f"{data} is left out: a kind reaches no bound with all seeds", file=sys.stderr)
            continue
        for kind, own in chosen(of_data).items():
            own = [row for row in own if int(row["seed"]) < options.seeds]
            names = ("_".join([data, kind, row["max_luts"], row["seed"]]) for row in own)
            files = [options.folder / "networks" / f"{identifier(name)}.mlir" for name in names]
            score = mean(float(row["test_score"]) for row in own)
            loaded = [kan_dialect.load(file) for file in files]
            networks.append(Networks(data, KINDS[kind], own[0]["max_luts"], score, loaded))
    if options.library:
        mapped(networks, options.library)
    else:
        placed(networks)


if __name__ == "__main__":
    main()
