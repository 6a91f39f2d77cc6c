"""The fewest logic cells that ABC finds for small nodes, beside ours.

    python benchmarks/node_bound.py [--networks bits8] [--files NETWORK.mlir ...] [--nodes 3]
                                    [--seconds 5]

A node is the sum of two edges of a published network, or two tables of a sum in IR, chosen at
random. ABC searches from the gates
of our design, without carry chains: it maps them again and again, with don't-cares and `&deepsyn`.
Cells of both are counted as Yosys counts those of xcup, which leaves carry cells out.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import tempfile
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
from kanele_structure import read_network
from measurements import (
    NETWORKS,
    PUBLISHED,
    geometric_mean,
    require_data,
    some_of,
    synthesized,
    tables_of,
)

import kan_dialect
from kan_dialect.devices.device import XCUP
from kan_dialect.frontends.loading import load_model, make_context
from kan_dialect.ir.constants import IntArray
from kan_dialect.ops.wire import SumOp, TableOp

MAPPED = "strash; dch; if -a -K 6; mfs2 -a -e; "
SEARCH = "{0}{0}strash; &get -n; &deepsyn -I 2 -J 20 -T {1}; &put; {0}{0}"


def node_of(edges: list[IntArray]) -> kan_dialect.Network:
    """A wire-level network of one sum of tables."""
    lines = [f"%t{i} = kan.table %x{i} entries dense<{edge.tolist()}> : tensor<{len(edge)}xi64> : "
             f"!kan.int<0:{len(edge) - 1}> -> !kan.int<{edge.min()}:{edge.max()}>"
             for i, edge in enumerate(edges)]  # fmt: skip
    ports = ", ".join(f"%x{i}: !kan.int<0:{len(edge) - 1}>" for i, edge in enumerate(edges))
    kinds = [f"!kan.int<{edge.min()}:{edge.max()}>" for edge in edges]
    whole = f"!kan.int<{sum(e.min() for e in edges)}:{sum(e.max() for e in edges)}>"
    terms = ", ".join(f"%t{i}" for i in range(len(edges)))
    lines += [f"%s = kan.sum {terms} : {', '.join(kinds)} -> {whole}", f"func.return %s : {whole}"]
    text = f"func.func @node({ports}) -> {whole} {{\n" + "\n".join(lines) + "\n}\n"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "node.mlir"
        file.write_text(text)
        return kan_dialect.load(file)


def published_nodes(network: str) -> list[list[IntArray]]:
    """The tables of each node of a published network's first layer."""
    nodes = read_network(tables_of(network)).layers[0]
    return [[edge[1] for edge in node] for node in nodes]


def nodes_in(file: Path) -> list[list[IntArray]]:
    """The tables of each sum of a network at wire level."""
    module = load_model(make_context(), file)
    return [
        [each.owner.filled for each in op.inputs if isinstance(each.owner, TableOp)]
        for op in module.walk()
        if isinstance(op, SumOp)
    ]


def abc_cells(rtl: str, seconds: int) -> int:
    """Cells of the best mapping that ABC's search finds for a combinational design."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "node.sv").write_text(rtl)
        gates = "read_verilog -sv node.sv; synth -flatten -auto-top; abc -g AND; opt_clean; "
        _run(["yosys", "-p", gates + "write_blif gates.blif"], folder)
        search = SEARCH.format(MAPPED, seconds)
        _run(["yosys-abc", "-c", f"read gates.blif; {search} write_blif found.blif"], folder)
        text = (Path(folder) / "found.blif").read_text().replace("\\\n", " ")
    inputs = Counter(len(line.split()) - 2 for line in re.findall(r"^\.names.*", text, re.M))
    del inputs[0]
    return XCUP.pack(inputs)


def _run(command: list[str], folder: str) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", type=some_of(NETWORKS), default=list(PUBLISHED))
    parser.add_argument("--files", type=Path, nargs="+", help="networks at wire level, in place")
    parser.add_argument("--nodes", type=int, default=3, help="nodes of each network")
    parser.add_argument("--seconds", type=int, default=5, help="of each search of ABC's `&deepsyn`")
    options = parser.parse_args()
    require_data()
    rng = np.random.default_rng(1)
    print("| network | bits of edges | ours | carries | ABC |\n| --- | --- | --- | --- | --- |")
    ratios: list[float] = []
    read = {network: partial(published_nodes, network) for network in options.networks}
    if options.files:
        read = {
            f"{file.parent.name}/{file.stem}": partial(nodes_in, file) for file in options.files
        }
    for network, nodes_of in read.items():
        nodes = [node for node in nodes_of() if len(node) > 1]
        for _ in range(options.nodes):
            node = nodes[int(rng.integers(len(nodes)))]
            edges = [node[i] for i in rng.permutation(len(node))[:2]]
            rtl = node_of(edges).compile(cycles=0).systemverilog()
            cells = synthesized(rtl, "node", XCUP).cells
            found = abc_cells(rtl, options.seconds)
            ratios.append(found / cells.luts)
            bits = ", ".join(str(int(np.ptp(edge)).bit_length()) for edge in edges)
            print(f"| {network} | {bits} | {cells.luts} | {cells.carries} | {found} |", flush=True)
    print(f"\nABC takes {geometric_mean(ratios):.2f} of ours in the geometric mean.")


if __name__ == "__main__":
    main()
