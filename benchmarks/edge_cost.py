"""What an edge takes beside its table: the constant of the cost in training (`qat/cost.py`).

    kan-flow train DATA -o DIR
    python benchmarks/edge_cost.py DIR [DIR ...]

Of each network of the trainings' fronts: LUTs by the estimate, LUTs of tables and of the adders'
bits that add them (`DeviceFamily.summand_costs`), and the difference for an edge. The difference is
the part of adders that are wider than an edge's values.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from kan_dialect.api.network import Network
from kan_dialect.devices.device import DeviceFamily, device
from kan_dialect.frontends.loading import load_model, make_context
from kan_dialect.ir.constants import IntArray


def main() -> None:
    """Print a row for each network."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--target", default="xcup")
    options = parser.parse_args()
    family = device(options.target)
    table = Table("network", "estimate", "edges", "LUTs of their bits", "more, an edge")
    for folder in options.folders:
        for path in sorted(folder.glob("front/*.mlir"), key=lambda each: int(each.stem)):
            network = Network(load_model(make_context(), path))
            luts = network.compile(target=family.name).estimate(family.name).luts
            edges = [summand(entries, family) for entries in edges_of(network)]
            more = (luts - sum(edges)) / max(1, len(edges))
            cells = luts, len(edges), f"{sum(edges):.1f}", f"{more:.2f}"
            table.add_row(f"{folder.name}/{path.stem}", *map(str, cells))
    Console().print(table)


def edges_of(network: Network) -> Iterator[IntArray]:
    """Entries of the edges that are not constant, each in codes of its input."""
    for layer in network.layers:
        for entries in layer.tables[layer.mask != 0]:
            if entries.min() < entries.max():
                yield entries


def summand(entries: IntArray, family: DeviceFamily) -> float:
    """LUTs of an edge's bits, by the number of upper bits of its input that it reads."""
    step = int(np.gcd.reduce(entries - entries[0]))
    bits = math.log2((int(entries.max()) - int(entries.min())) / step + 1)
    read = (len(entries) - 1).bit_length()
    while read and (entries[::2] == entries[1::2]).all():
        entries, read = entries[::2], read - 1
    return float(family.summand_costs(read, ideal=True)[read]) * bits


if __name__ == "__main__":
    main()
