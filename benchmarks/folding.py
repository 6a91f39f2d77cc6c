"""What a network takes at each interval, placed and routed: LUTs, block RAM, clock, latency.

    python benchmarks/folding.py                            all networks (an hour)
    python benchmarks/folding.py --networks 64-64-10/6 --intervals 8,16
    python benchmarks/folding.py --model FILE --calibration FILE --bits 6 --target ecp5-25

A network `64-16-8-16-64/7` has random smooth tables of 7-bit codes (`--seed`); its edges are not
pruned, and no two are alike. Those of `784-128-10/5s4` choose from 4 shapes a layer, with shifts by
0 to 3 and signs. The part that each is routed for is that of the goal. The design at
interval 1 is not routed where it is larger than the part: its size is the estimate.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from measurements import MarkdownTable, print_versions, synthesized

import kan_dialect
from kan_dialect import Network
from kan_dialect.api.loading import from_ir
from kan_dialect.devices.device import device
from kan_dialect.errors import KanError
from kan_dialect.flows.tools.place_and_route import place_and_route
from kan_dialect.flows.tools.run_limits import Limits, limited
from kan_dialect.frontends.table_network import TableNetwork
from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.quant import UniformQuantizedType

INTERVALS = (1, 4, 8, 16, 32)
GOALS = {
    "64-16-8-16-64/7": ("ecp5-85", 100.0, INTERVALS),
    "64-64-10/6": ("ecp5-45", 100.0, INTERVALS),
    "64-64-10/5": ("ecp5-25", 100.0, INTERVALS),
    "64-16-10/4": ("ice40-up5k", 12.0, INTERVALS),
    "784-128-10/5s4": ("ecp5-85", 100.0, (96, 196, 392)),
}
"""Part, clock in MHz and intervals of each network."""
HARMONICS = 3
TOOL_SECONDS = 4 * 3600.0
"""Longest run of a tool: nextpnr takes half an hour for the largest network."""
SHIFTS = 4
"""Powers of two, from 1 on, that a shape is multiplied by."""


@dataclass(frozen=True)
class Case:
    """A network with its part and clock in MHz."""

    label: str
    network: Network
    target: str
    mhz: float
    intervals: Sequence[int]
    bits: int | None = None


def random_network(label: str, seed: int) -> Network:
    """A network of smooth tables: `64-64-10/6` has 64, 64 and 10 nodes, and codes of 6 bits.

    `64-64-10/6s4` has 4 shapes a layer.
    """
    shape, figures = label.partition("/")[0].split("-"), label.partition("/")[2].partition("s")
    bits, shapes = int(figures[0]), int(figures[2] or 0)
    rng, half = np.random.default_rng(seed), 1 << (bits - 1)
    sizes = [int(size) for size in shape]
    kind = UniformQuantizedType(bits, True, 1 / half)
    network = TableNetwork("net", kind, sizes[0])
    for layer, (inputs, nodes) in enumerate(pairwise(sizes)):
        shift = 0
        if shapes:
            tables = _of_shapes(rng, (nodes, inputs), _smooth(rng, (1, shapes), bits, half)[0])
            shift = round(np.log2(SHIFTS * inputs**0.5))
        else:
            tables = _smooth(rng, (nodes, inputs), bits, max(1.0, 2 * half / inputs**0.5))
        last = layer == len(sizes) - 2
        saturate = None if last else (-half, half - 1)
        network.add_layer(tables, scale=2.0**-shift / half, saturate=saturate, shift=shift)
    return from_ir(network.module())


def _smooth(rng: np.random.Generator, shape: tuple[int, int], bits: int, height: float) -> IntArray:
    """Sums of a few sines as tables: (nodes, inputs, 2^bits), int64, -height to height."""
    x = np.linspace(-1.0, 1.0, 1 << bits)
    waves = [
        rng.normal(size=(*shape, 1)) * np.sin(2 * k * x + rng.uniform(0, 6.3, (*shape, 1))) / k
        for k in range(1, HARMONICS + 1)
    ]
    total = np.sum(waves, axis=0)
    total /= np.abs(total).max(axis=2, keepdims=True)
    return np.rint(height * total).astype(np.int64)


def _of_shapes(rng: np.random.Generator, edges: tuple[int, int], shapes: IntArray) -> IntArray:
    """Tables that are a random shape each, times a power of two with a sign."""
    factors = rng.choice([-1, 1], edges) << rng.integers(0, SHIFTS, edges)
    return shapes[rng.integers(0, len(shapes), edges)] * factors[:, :, np.newaxis]


def measure(case: Case, seeds: int) -> None:
    """A table of all intervals of a network."""
    family = device(case.target)
    part = family.part(family.project_part)
    print(f"\n### {case.label} on {part.name} at {case.mhz:g} MHz\n")
    table = MarkdownTable(
        *("interval", "LUTs", "registers", "block RAMs", "share of LUTs", "MHz"),
        *("cycles", "ns", "samples/s"),
    )
    for interval in case.intervals:
        options: dict[str, Any] = {} if case.bits is None else {"bits": case.bits}
        design = case.network.compile(
            interval=interval, target=case.target, mhz=case.mhz, **options
        )
        found = design.estimate(case.target)
        cycles = design.latency_cycles
        if not part.holds(found.luts, found.registers, found.block_rams):
            share = f"{found.luts / part.luts:.2f}"
            size = (f"{found.luts} (estimate)", found.registers, found.block_rams)
            table.add(interval, *size, share, "", cycles, "", "")
            continue
        mapped = synthesized(design.systemverilog(), design.name, family, with_netlist=True)
        cells = mapped.cells
        try:
            routed = place_and_route(mapped, cycles, seeds=seeds, frequency=case.mhz).summary()
        except KanError as error:
            table.add(interval, cells.luts, cells.registers, cells.block_rams, str(error)[:60])
            continue
        mhz = routed.get("fmax_mhz") or routed["fmax_with_inputs_mhz"]
        table.add(
            *(interval, routed["luts"], cells.registers, cells.block_rams),
            f"{routed['luts'] / part.luts:.3f}",
            *(f"{mhz:.0f}", cycles, f"{1000 * cycles / mhz:.0f}", f"{1e6 * mhz / interval:.2g}"),
        )


def cases(options: argparse.Namespace) -> Iterator[Case]:
    if options.model is not None:
        network = kan_dialect.load(options.model, data=options.calibration)
        intervals = options.intervals or INTERVALS
        yield Case(
            options.model.stem, network, options.target, options.mhz, intervals, options.bits
        )
        return
    for label in options.networks:
        target, mhz, intervals = GOALS.get(label, (options.target, options.mhz, INTERVALS))
        network = random_network(label, options.seed)
        yield Case(label, network, target, mhz, options.intervals or intervals)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--networks", type=lambda text: text.split(","), default=list(GOALS))
    parser.add_argument("--model", type=Path, help="a model file in place of the networks")
    parser.add_argument("--calibration", type=Path, help="its samples")
    parser.add_argument("--bits", type=int, help="its bits")
    parser.add_argument("--target", default="ecp5-85", help="the part, where it is no goal's")
    parser.add_argument("--mhz", type=float, default=100.0, help="the clock, likewise")
    parser.add_argument(
        "--intervals",
        type=lambda text: [int(each) for each in text.split(",")],
        help="in place of those of the goals",
    )
    parser.add_argument("--seeds", type=int, default=1, help="runs of nextpnr")
    parser.add_argument("--seed", type=int, default=0, help="of the random tables")
    options = parser.parse_args()
    print_versions(tools=["yosys", "nextpnr-ecp5", "nextpnr-ice40"])
    for case in cases(options):
        with limited(Limits(seconds=TOOL_SECONDS)):
            measure(case, options.seeds)


if __name__ == "__main__":
    main()
