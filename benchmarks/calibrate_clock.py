"""Delays of the devices (`kan_dialect/devices`) against nextpnr, on networks of no other benchmark.

    python benchmarks/calibrate_clock.py                       ecp5 and ice40 (an hour or two)
    python benchmarks/calibrate_clock.py --targets ecp5 --networks 8
    python benchmarks/calibrate_clock.py --fit                 figures that fit the even networks

Networks are random: widths, bits and pruning vary, edges are cubic splines with a SiLU base as
trained ones are. Each is compiled with `mhz=` for some clocks, mapped by Yosys, and placed and
routed by nextpnr with registers before its inputs, as `kan-flow pnr` does. The clock that counts is
that of seed 1, or the median of `--seeds`.

Networks of even numbers are those to fit the figures of a device to. `--fit` prints figures with
the least mean square of log(measured period / typical period), and the spread that nine of ten
designs keep. Networks of odd numbers check them. Printed for each half:

- `error`: of the typical period, as mean and standard deviation of measured / typical - 1;
- `reached`: designs that reach the clock that was asked for, and the median of reached / asked.

A clock that no schedule reaches is left out. Routed results are kept in a folder by their contents.

`--vendor` compares xcup instead with the periods that the vendor's tool reached for KANELÉ's RTL of
ten networks, by the delay of the longest stage of its structure (`kanele_structure.py`).
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product
from math import exp, log
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from kanele_structure import Structure, read_network
from measurements import (
    DATA,
    NETWORKS,
    MarkdownTable,
    Measurements,
    print_versions,
    some_of,
    tables_of,
)
from xdsl.dialects import func

from kan_dialect.analysis.wires import latency_of
from kan_dialect.devices.device import DEVICES, DeviceFamily
from kan_dialect.devices.estimate import longest_delay
from kan_dialect.devices.lut_count import count_luts
from kan_dialect.errors import KanError
from kan_dialect.frontends.frontend import ImportOptions
from kan_dialect.frontends.loading import load_model, make_context
from kan_dialect.ir.constants import FloatArray, IntArray
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.lowering.kan_to_hw import LowerKanToHwPass
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.maths.bsplines import bspline_basis, extend_grid

CLOCKS = {"ecp5": (80, 130, 180, 230), "ice40": (60, 90, 120, 160)}
"""Clocks that are asked for, in MHz."""
FIGURES = ("register", "lut", "carry", "carry_bit", "wide", "clamp", "growth")
"""Figures of `Timing` that are fitted."""
PULL = 0.02
"""Weight of the former figures in a fit, relative to one design."""
ROUNDS = 5
"""Of a fit: the longest paths change with the figures."""
REACHING = 0.9
"""Share of designs that a spread lets reach their clock."""
LARGEST = 700
"""Most lookup tables of a network, by a rough count: what a place and route takes is limited."""
GRID = extend_grid(np.linspace(-2.0, 2.0, 7), 3)


@dataclass(frozen=True)
class Network:
    """A random table network."""

    number: int
    widths: Sequence[int]
    bits: Sequence[int]
    tables: dict[str, dict[str, Any]]
    """As in `truth_tables.json`; the name of the key `acive` is KANELÉ's."""

    def write(self, folder: Path) -> Path:
        config = {
            "layers": list(self.widths),
            "layers_bitwidth": list(self.bits),
            "grid_range": [-2, 2],
            "grid_size": 6,
            "spline_order": 3,
            "base_activation": "nn.SiLU",
        }
        (folder / "config.json").write_text(json.dumps(config))
        file = folder / "truth_tables.json"
        file.write_text(json.dumps(self.tables))
        return file


def random_network(number: int, seed: int) -> Network:
    """A network of two layers, each sixth of three."""
    rng = np.random.default_rng([seed, number])
    depth = 3 if number % 6 == 5 else 2
    while True:
        hidden = rng.integers(2, 9, depth - 1).tolist()
        widths = [int(rng.integers(2, 17)), *hidden, int(rng.integers(1, 6))]
        bits = [int(rng.integers(3, 8)), *rng.integers(4, 8, depth - 1).tolist()]
        bits.append(int(rng.integers(5, 9)))
        kept = float(rng.choice([1.0, 0.8, 0.55]))
        luts = [
            0.8 * kept * ins * outs * max(1.0, 2.0 ** (bits[layer] - 4)) * (bits[layer + 1] - 1)
            for layer, (ins, outs) in enumerate(pairwise(widths))
        ]
        if LARGEST / 20 <= sum(luts) <= LARGEST:
            break
    tables: dict[str, dict[str, Any]] = {}
    for layer, (ins, outs) in enumerate(pairwise(widths)):
        there = rng.random((ins, outs)) < kept
        there[rng.integers(ins, size=outs), np.arange(outs)] = True
        for source in range(ins):
            for node in range(outs):
                entries = _entries(rng, bits[layer], bits[layer + 1], kept * ins)
                tables[f"{layer}_{source}_{node}"] = {
                    "acive": int(there[source, node]),
                    "values_int": entries.tolist() if there[source, node] else [],
                }
    return Network(number, widths, bits, tables)


def _entries(rng: np.random.Generator, bits: int, width: int, terms: float) -> IntArray:
    """A spline with a SiLU base, as codes of `width` bits; sums of `terms` saturate at times."""
    x = np.linspace(-2.0, 2.0, 1 << bits, endpoint=False)
    basis = bspline_basis(x[:, np.newaxis], GRID, 3)[:, 0]
    walk = 0.4 * np.cumsum(rng.normal(size=basis.shape[1]))
    y = rng.normal() * x / (1 + np.exp(-x)) + basis @ (walk + 0.3 * rng.normal(size=len(walk)))
    y -= y.mean() * rng.random()
    top = 1 << (width - 1)
    share = rng.uniform(0.15, 1.0) * min(1.0, 2.5 / float(np.sqrt(terms)))
    scaled = np.rint(y / max(float(np.abs(y).max()), 1e-9) * share * top)
    return np.clip(scaled, -top, top - 1).astype(np.int64)


@dataclass(frozen=True)
class Design:
    """A network for a clock."""

    network: int
    asked: float
    function: func.FuncOp
    cycles: int
    top: str
    rtl: str

    luts: int
    """By estimate."""

    @property
    def is_fitted(self) -> bool:
        return self.network % 2 == 0

    def typical(self, device: DeviceFamily) -> float:
        """The typical period in ns of a design of this size."""
        ops = list(self.function.body.block.ops)
        period = device.timing.register + longest_delay(ops, device)
        return period * device.timing.growth_of(self.luts)


def build(network: Network, target: str, mhz: float) -> Design:
    """Compile a network for a clock.

    Raises
    ------
    KanError : no schedule reaches it.
    """
    context = make_context()
    with tempfile.TemporaryDirectory() as directory:
        module = load_model(context, network.write(Path(directory)), ImportOptions())
    passes = CompilePass(target=target, mhz=mhz).passes()
    lowering = next(n for n, each in enumerate(passes) if isinstance(each, LowerKanToHwPass))
    for each in passes[:lowering]:
        each.resuming().apply(context, module)
    wires = module.clone()
    for each in passes[lowering:]:
        each.apply(context, module)
    rtl = emit_systemverilog(module)
    (function,) = (op for op in wires.ops if isinstance(op, func.FuncOp))
    (top,) = re.findall(r"^module (\w+)", rtl, re.MULTILINE)
    luts = DEVICES[target].pack(count_luts(function.body.block.ops, DEVICES[target]))
    return Design(network.number, mhz, function, latency_of(function), top, rtl, luts)


@dataclass(frozen=True)
class Measured:
    """A design on its device."""

    design: Design
    mhz: float
    luts: int

    @property
    def reached(self) -> float:
        return self.mhz / self.design.asked


class Calibration:
    """Measures the designs of a target."""

    def __init__(self, measured: Measurements, target: str, seeds: int) -> None:
        self._measured = measured
        self._target = DEVICES[target]
        self._seeds = seeds
        self.device = DEVICES[target]

    def measure(self, network: Network, asked: float) -> Measured | None:
        """A design's clock; None if no schedule is for it."""
        try:
            design = build(network, self._target.name, asked)
        except KanError:
            return None
        runs = [
            self._measured.route(design.rtl, design.top, self._target, seed=seed + 1)
            for seed in range(self._seeds)
        ]
        return Measured(design, median(run.mhz for run in runs), runs[0].luts)


def fitted(device: DeviceFamily, designs: Sequence[Measured]) -> DeviceFamily:
    """The device with the figures that fit best, by Gauss-Newton steps in their logarithm's error.

    Typical periods are linear in the delays between two changes of the longest path.
    """
    former = _figures(device)
    found = former.copy()
    for _ in range(ROUNDS):
        trial = _with(device, found)
        typical = np.array([each.design.typical(trial) for each in designs])
        errors = np.array([log(1000 / each.mhz) for each in designs]) - np.log(typical)
        slopes = np.zeros((len(designs), len(FIGURES)))
        for place, value in enumerate(found):
            more = found.copy()
            more[place] = value + 1e-4
            moved = _with(device, more)
            after = np.array([each.design.typical(moved) for each in designs])
            slopes[:, place] = (after - typical) / 1e-4 / typical
        used = former > 0
        pull = PULL * np.sqrt(len(designs)) * np.eye(len(FIGURES))[used]
        system = np.vstack([slopes * used, pull])
        goal = np.concatenate([errors, pull @ (former - found)])
        step = np.linalg.lstsq(system, goal, rcond=None)[0]
        found = np.where(used, np.maximum(found + 0.7 * step, 1e-3), found)
    return _with(device, found)


def _figures(device: DeviceFamily) -> FloatArray:
    return np.array([getattr(device.timing, name) for name in FIGURES], dtype=np.float64)


def _with(device: DeviceFamily, figures: FloatArray) -> DeviceFamily:
    values = dict(zip(FIGURES, map(float, figures), strict=True))
    return replace(device, timing=replace(device.timing, **values))


def errors_of(device: DeviceFamily, designs: Sequence[Measured]) -> FloatArray:
    """log(measured / typical period) of each design."""
    return np.array([log(1000 / each.mhz / each.design.typical(device)) for each in designs])


def add_row(
    table: MarkdownTable, name: str, device: DeviceFamily, designs: Sequence[Measured]
) -> None:
    errors = np.exp(errors_of(device, designs)) - 1
    reached = np.array([each.reached for each in designs])
    table.add(
        name,
        len(designs),
        f"{errors.mean():+.1%} ± {errors.std():.1%}",
        f"{(reached >= 1).mean():.0%}",
        f"{np.median(reached):.2f}",
        f"{np.quantile(reached, 1 - REACHING):.2f}",
    )


def structure_ns(structure: Structure, device: DeviceFamily) -> float:
    """The typical delay of the longest stage of KANELÉ's structure, without its growth."""
    timing = device.timing
    longest = spent = 0.0
    for step, is_cut in zip(structure.steps, structure.own_cuts, strict=True):
        if step.kind == "tables":
            levels = 1 + max(0, step.bits - device.lut_inputs + 1) // 2
            spent += levels * timing.lut
        elif step.kind == "adders":
            rows = (step.operands - 1).bit_length()
            spent += rows * timing.carry + step.bits * timing.carry_bit
        else:
            spent += timing.clamp or 2 * timing.lut
        longest = max(longest, spent)
        spent = 0.0 if is_cut else spent
    return timing.register + longest


def show_vendor() -> None:
    """xcup's estimate beside the periods that the vendor's tool reached."""
    published = json.loads((DATA / "kanele" / "baseline.json").read_text())["models"]
    swept = json.loads((DATA / "kanele_sweep" / "vivado.json").read_text())["models"]
    table = MarkdownTable("network", "LUTs", "published, ns", "estimate, ns", "ratio")
    device = DEVICES["xcup"]
    ratios: list[float] = []
    for name in NETWORKS:
        found = published[name]["vivado"] if name in published else swept[name]
        period = found["period_ns"] - found.get("slack_ns", 0.0)
        structure = Structure(read_network(tables_of(name)), 4)
        typical = structure_ns(structure, device) * device.timing.growth_of(found["lut"])
        ratios.append(period / typical)
        table.add(name, found["lut"], f"{period:.3f}", f"{typical:.3f}", f"{ratios[-1]:.2f}")
    print(f"vendor's period / estimate: {np.mean(ratios):.2f} ± {np.std(ratios):.2f}")


def calibrate(options: argparse.Namespace, target: str) -> None:
    """Print each design of a target, and what its figures say of both halves."""
    calibration = Calibration(Measurements(options.folder), target, options.seeds)
    device = calibration.device
    networks = [random_network(number, options.seed) for number in range(options.networks)]
    found: list[Measured] = []
    table = MarkdownTable("network", "asked", "reached", "cycles", "cells", "typical, ns")
    for network, clock in product(networks, CLOCKS[target]):
        one = calibration.measure(network, clock)
        if one is not None:
            found.append(one)
            typical = f"{one.design.typical(device):.2f}"
            table.add(network.number, clock, f"{one.mhz:.1f}", one.design.cycles, one.luts, typical)
    print()
    table = MarkdownTable(target, "designs", "error", "reached", "median", "one of ten below")
    halves = {
        "fitted": [one for one in found if one.design.is_fitted],
        "checked": [one for one in found if not one.design.is_fitted],
    }
    for name, designs in halves.items():
        add_row(table, name, device, designs)
    if options.fit:
        better = fitted(device, halves["fitted"])
        for name, designs in halves.items():
            add_row(table, f"{name}, figures as fitted", better, designs)
        spread = exp(float(np.quantile(errors_of(better, halves["fitted"]), REACHING)))
        figures = {name: round(getattr(better.timing, name), 3) for name in FIGURES}
        print(f"\n{target} {figures} spread {spread:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description="How far the delay model is from nextpnr.")
    parser.add_argument("--targets", type=some_of(CLOCKS), default=list(CLOCKS))
    parser.add_argument("--networks", type=int, default=16)
    parser.add_argument("--seed", type=int, default=1, help="of the networks (default: 1)")
    parser.add_argument("--seeds", type=int, default=1, help="of nextpnr (default: 1)")
    parser.add_argument("--fit", action="store_true", help="print figures that fit better")
    parser.add_argument("--folder", type=Path, default=Path("build/calibrate-clock"))
    parser.add_argument("--vendor", action="store_true", help="xcup against published periods")
    options = parser.parse_args()
    if options.vendor:
        show_vendor()
        return
    print_versions(tools=["yosys", *(f"nextpnr-{target}" for target in options.targets)])
    for target in options.targets:
        calibrate(options, target)


if __name__ == "__main__":
    main()
