"""The compiler's hardware beside that of others, as ratios: cells, clocks, latency.

    python benchmarks/hardware.py                          all parts, of all networks (hours)
    python benchmarks/hardware.py --parts cells,clock --networks wine,moons

The parts:

- `cells`: cells with `cycles=2` on xcup, ECP5 and iCE40, beside KANELÉ's RTL;
- `latency`: the design for xcup with `cycles=2`, placed on ECP5 beside KANELÉ's RTL;
- `clock`: cycles, flip-flops and cells on ECP5 at the clock that KANELÉ's RTL reaches there;
- `clocks`: clocks asked and reached from 50 to 250 MHz on ECP5, and the best design of KANELÉ's
  structure that reaches each; ns are at the clock asked for, or at the one reached if that is
  lower;
- `passes`: logic cells on xcup with `cycles=2`, without one pass of the pipeline;
- `alkaid`: the compiler beside alkaid, for the same tables, with the same tools;
- `trainers`: logic cells, registers and carry cells on xcup of networks of HGQ-LUT, each written in
  four forms, beside da4ml's RTL at the same number of cycles, and those of alkaid's RTL, with
  `--alkaid`.

Networks are KANELÉ's four published models and six of its ablation, from `../shared/data` or
`$KAN_SHARED_DATA`. Where KANELÉ's own RTL has no figure, it is that of its structure
(`kanele_structure.py`), marked with an asterisk. Every design of ours is proven. Other designs are
simulated. Results are kept in a folder (`--folder`): a run that was stopped goes on where it was.

alkaid has an environment of its own: `python -m venv E && E/bin/pip install alkaid`, then
`--alkaid E/bin/python`.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from kanele_structure import OPERANDS, Structure, read_network
from measurements import (
    DATA,
    FORMS,
    NETWORKS,
    PUBLISHED,
    TABLE_OVERFLOW,
    TRAINERS,
    Built,
    Measurements,
    geometric_mean,
    play,
    print_versions,
    require_data,
    run_alone,
    some_of,
    tables_of,
)
from wire_numbers import as_numbers

from kan_dialect.devices.device import ECP5, ICE40, XCUP, DeviceFamily
from kan_dialect.errors import KanError
from kan_dialect.flows.tools.tool_runs import run
from kan_dialect.flows.tools.toolchain import find
from kan_dialect.frontends.frontend import ImportOptions
from kan_dialect.frontends.loading import load_model, make_context
from kan_dialect.ir.constants import FloatArray, IntArray
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.model.model import Model

CLOCKS = (50, 100, 150, 200, 250)
"""Clocks that `clocks` asks for, in MHz."""
CLOCK_STEP = 5
"""Step in MHz to a slower clock, if the delays of ECP5 allow no design for a clock."""
TARGETS = {target.name: target for target in (XCUP, ECP5, ICE40)}
READING = ImportOptions(table_overflow=TABLE_OVERFLOW)
SAMPLES = 2000
"""Random inputs that designs of others are simulated with."""
NEEDED = ("kan-fold-tables", "kan-expand-wires", "kan-schedule", "lower-kan-to-hw", "kan-quantize")
"""Passes without which nothing comes out."""
ALKAID = {"2 cycles": {"n_stages": 2}, "its default": {"latency_cutoff": 5}}
"""Settings of alkaid's designs."""
ALKAID_TRAINERS = ("alkaid, da4ml's cycles", "alkaid, its default")
"""alkaid's designs of `TRAINERS`, with adders of two operands: those of three take more cells."""
WORD = 32
"""Bits of each port of alkaid's designs of `TRAINERS`."""
FLATTENED = "proc; flatten; opt; memory; opt -full"
"""What Yosys does first with alkaid's designs on xcup, as for da4ml's figures: they take up to a
quarter more cells without. On ECP5 they take up to 4 % fewer without."""


@dataclass(frozen=True)
class Row:
    """Figures of a design."""

    name: str
    group: str
    """What it is averaged with."""

    figures: Mapping[str, float | str | None]
    ratios: Mapping[str, float] = field(default_factory=dict[str, float])
    """Of some of the figures, ours to the others': below 1 we need less."""


@dataclass(frozen=True)
class StructureClock:
    """A design of KANELÉ's structure on ECP5."""

    name: str
    cycles: int
    mhz: float
    luts: int

    def ns(self, asked: float) -> float:
        return latency_ns(self.cycles, asked, self.mhz)


class Bench:
    """Measures rows of each part."""

    def __init__(
        self, measured: Measurements, networks: Sequence[str], alkaid: str | None, seeds: int
    ) -> None:
        self._measured = measured
        self.alkaid_python = alkaid
        self._seeds = seeds
        self.networks = networks
        self.published = [network for network in networks if network in PUBLISHED]
        self._baseline = json.loads((DATA / "kanele" / "baseline.json").read_text())["models"]
        vendor = json.loads((DATA / "kanele_sweep" / "vivado.json").read_text())["models"]
        self._vendor: Mapping[str, Any] = vendor

    def cells(self, target_name: str, network: str) -> Row:
        target = TARGETS[target_name]
        ours = self._measured.build(network, cycles=2, target=target_name)
        cells = self._luts(ours.rtl, network, target)
        theirs, mark = self._others_luts(network, target), ""
        if theirs is None:
            theirs, mark = self._luts(self._own_structure(network), network, target), "*"
        group = f"{target_name}, {'models' if network in PUBLISHED else 'ablation'}"
        figures = {"ours": cells, "KANELÉ": f"{theirs}{mark}"}
        return Row(network, group, figures, {"ours": cells / theirs})

    def _luts(self, rtl: str, top: str, target: DeviceFamily) -> int:
        if target is ECP5:  # As the baseline counts.
            return self._measured.packed_luts(rtl, top, target)
        return self._measured.cells(rtl, top, target)["luts"]

    def _others_luts(self, network: str, target: DeviceFamily) -> int | None:
        """Cells of KANELÉ's own RTL, where they are known."""
        if network in PUBLISHED:
            entry = self._baseline[network]
            known = {"xcup": entry["yosys_xilinx"]["lc"], "ecp5": entry["ecp5"]["comb"]}
            return known.get(target.name)
        return self._vendor[network]["lut"] if target is XCUP else None

    def _own_structure(self, network: str) -> str:
        """KANELÉ's structure as its generator has it, with adders of four; simulated."""
        structure = Structure(read_network(tables_of(network)), 4)
        return self._structure(structure, structure.own_cuts)

    def _structure(self, structure: Structure, cuts: Sequence[bool]) -> str:
        rtl = structure.emit(cuts)
        self._simulate(structure.network.name, rtl, sum(cuts))
        return rtl

    def _simulate(self, network: str, rtl: str, cycles: int) -> None:
        """Compare a design of others with the integer model on random codes.

        Raises
        ------
        KanError : it computes something else, or has another latency.
        """

        def check() -> bool:
            read = read_network(tables_of(network))
            top = 1 << read.bits[0]
            codes = np.random.default_rng(1).integers(0, top, (SAMPLES, read.inputs))
            found = play(rtl, network, codes, len(read.layers[-1]), read.bits[-1], cycles)
            model = Model.of(load_model(make_context(), tables_of(network), READING))
            return require_equal(network, found, model.run_codes(codes))

        self._measured.kept("played", (rtl, cycles, SAMPLES), check)

    def latency(self, network: str) -> Row:
        entry = self._baseline[network]
        ours = self._measured.build(network, cycles=2)
        routed = self._routed(ours)
        own = {
            "LCs": self._measured.cells(ours.rtl, network, XCUP)["luts"],
            "ff": routed["registers"],
            "TRELLIS_COMB": routed["luts"],
            "cycles": ours.cycles,
            "MHz": routed["mhz"],
            "ns": ours.cycles * 1000 / routed["mhz"],
        }
        ecp5 = entry["ecp5"]
        theirs = {
            "LCs": entry["yosys_xilinx"]["lc"],
            "ff": ecp5["ff"],
            "TRELLIS_COMB": ecp5["comb"],
            "cycles": entry["cycles"],
            "MHz": ecp5["mhz"],
            "ns": entry["cycles"] * 1000 / ecp5["mhz"],
        }
        return Row(network, "models", own, {name: own[name] / theirs[name] for name in own})

    def clock(self, network: str) -> Row:
        theirs = self._baseline[network]
        asked = theirs["ecp5"]["mhz"]
        ours = self._measured.build(network, mhz=asked, target="ecp5")
        routed = self._routed(ours)
        own = {
            "reached": routed["mhz"],
            "cycles": ours.cycles,
            "ff": routed["registers"],
            "TRELLIS_COMB": routed["luts"],
        }
        others = {
            "reached": asked,
            "cycles": theirs["cycles"],
            "ff": theirs["ecp5"]["ff"],
            "TRELLIS_COMB": theirs["ecp5"]["comb"],
        }
        figures = {**own, **{f"KANELÉ's {name}": value for name, value in others.items()}}
        return Row(network, "models", figures, {name: own[name] / others[name] for name in own})

    def _routed(self, built: Built) -> dict[str, float]:
        """Median clock of the seeds on ECP5; cells and registers do not depend on them."""
        runs = [
            self._measured.route(built.rtl, built.network, ECP5, seed=seed + 1)
            for seed in range(self._seeds)
        ]
        mhz = sorted(run.mhz for run in runs)[len(runs) // 2]
        return {"mhz": round(mhz, 1), "luts": runs[0].luts, "registers": runs[0].registers}

    def at_clock(self, asked: int, network: str) -> Row:
        ours = self._fastest_build(network, asked)
        routed = self._routed(ours)
        theirs = self._best_structure(network, asked)
        time = latency_ns(ours.cycles, asked, routed["mhz"])
        figures = {
            "reached": routed["mhz"],
            "cycles": ours.cycles,
            "ns": round(time, 1),
            "TRELLIS_COMB": routed["luts"],
            "structure": theirs.name,
            "it reaches": theirs.mhz,
            "its cycles": theirs.cycles,
            "its ns": round(theirs.ns(asked), 1),
            "its TRELLIS_COMB": theirs.luts,
        }
        ratios = {
            "reached": routed["mhz"] / asked,
            "ns": time / theirs.ns(asked),
            "TRELLIS_COMB": routed["luts"] / theirs.luts,
        }
        return Row(f"{network}, {asked} MHz", f"{asked} MHz", figures, ratios)

    def _fastest_build(self, network: str, asked: int) -> Built:
        """Ours for a clock, or for the next slower one that the delays of ECP5 allow."""
        for mhz in range(asked, 0, -CLOCK_STEP):
            try:
                return self._measured.build(network, mhz=float(mhz), target="ecp5")
            except KanError as error:
                if "take at most mhz=" not in str(error):
                    raise
        raise KanError(f"no clock is slow enough for {network}")

    def _best_structure(self, network: str, asked: int) -> StructureClock:
        """The design of KANELÉ's structure for a clock: of fewest cycles, then of fewest cells.

        KANELÉ's own RTL is one. Where none reaches the clock, the fastest one.
        """
        entry = self._baseline[network]
        # Its registers at the inputs are not in our count of cycles.
        rtl = StructureClock(
            "its RTL", entry["cycles"] - 1, entry["ecp5"]["mhz"], entry["ecp5"]["comb"]
        )
        read = read_network(tables_of(network))
        most = max(len(Structure(read, operands).steps) for operands in OPERANDS)
        found: list[StructureClock] = []
        for cycles in range(1, most + 1):
            found += self._structures(network, cycles)
            found += [rtl] if rtl.cycles == cycles else []
            fast = [one for one in found if one.mhz >= asked]
            if fast:
                return min(fast, key=lambda one: one.luts)
        return max(found, key=lambda one: one.mhz)

    def _structures(self, network: str, cycles: int) -> list[StructureClock]:
        """The designs of `cycles` cycles, for each number of operands."""
        read = read_network(tables_of(network))
        designs: dict[str, str] = {}
        for operands, before_clamps in product(OPERANDS, (False, True)):
            structure = Structure(read, operands)
            cuts = structure.best_cuts(cycles, before_clamps=before_clamps)
            if cuts is not None:
                designs.setdefault(self._structure(structure, cuts), f"adders of {operands}")
        found: list[StructureClock] = []
        for rtl, name in designs.items():
            routed = self._routed(Built(network, rtl, cycles))
            found.append(StructureClock(name, cycles, routed["mhz"], int(routed["luts"])))
        return found

    def without(self, left_out: str) -> Row:
        passes = CompilePass(cycles=2).passes()
        kept = ",".join(str(each.spec()) for each in passes if each.name != left_out)
        built = [self._measured.build(network, passes=kept) for network in self.published]
        cells = [self._measured.cells(each.rtl, each.network, XCUP)["luts"] for each in built]
        theirs = [self._baseline[network]["yosys_xilinx"]["lc"] for network in self.published]
        ratios = [own / other for own, other in zip(cells, theirs, strict=True)]
        figures: dict[str, float | str | None] = dict(zip(self.published, cells, strict=True))
        mean = f"{geometric_mean(ratios):.3f}"
        return Row(left_out or "all passes", "", {**figures, "geometric mean": mean})

    def alkaid(self, stages: str, network: str) -> Row:
        figures: dict[str, float | str | None] = {}
        ratios: dict[str, float] = {}
        theirs: list[dict[str, float]] = []
        for ternary, label in ((False, "alkaid's"), (True, "ternary")):
            settings = {**ALKAID[stages], "ternary_fuse": ternary}
            theirs.append(self._alkaid_figures(network, settings))
            figures |= {f"{label} {name}": value for name, value in theirs[-1].items()}
        # Without given cycles, ours is as fast as alkaid's faster design.
        asked: dict[str, Any] = (
            {"cycles": 2} if stages == "2 cycles" else {"mhz": max(each["MHz"] for each in theirs)}
        )
        xcup, ecp5 = (
            self._measured.build(network, target=target, **asked) for target in ("xcup", "ecp5")
        )
        routed = self._routed(ecp5)
        own = {
            "LC": self._measured.cells(xcup.rtl, network, XCUP)["luts"],
            "COMB": routed["luts"],
            "ff": routed["registers"],
            "cycles": ecp5.cycles,
            "MHz": routed["mhz"],
            "ns": round(ecp5.cycles * 1000 / routed["mhz"], 1),
        }
        for name, value in own.items():
            best = max if name == "MHz" else min
            ratios[name] = value / best(design[name] for design in theirs)
        return Row(f"{network}, {stages}", stages, {**own, **figures}, ratios)

    def trainers(self, form: str, network: str) -> Row:
        theirs = json.loads((DATA / "hgq_lut" / "baseline.json").read_text())
        cycles = theirs["cycles"][network]
        if form in FORMS:
            rtl = self._measured.build(f"{network}/{form}", cycles=cycles).rtl
        else:
            own = form == ALKAID_TRAINERS[1]
            stages = ALKAID["its default"] if own else {"n_stages": cycles}
            rtl, cycles = self._alkaid_program(network, {**stages, "ternary_fuse": False})
        cells = self._measured.cells(rtl, network, XCUP)
        figures = {
            "LC": cells["luts"],
            "ff": cells["registers"],
            "carry": cells["carries"],
            "cycles": cycles,
            "da4ml's LC": theirs["lc"][network],
            "da4ml's ff": theirs["ff"][network],
        }
        ratios = {name: figures[name] / figures[f"da4ml's {name}"] for name in ("LC", "ff")}
        return Row(network, form, figures, ratios)

    def _alkaid_program(self, network: str, settings: Mapping[str, Any]) -> tuple[str, int]:
        """alkaid's design of one of `TRAINERS`, flattened, and its cycles; compared on vectors."""
        folder = DATA / "hgq_lut" / network
        golden = np.load(folder / "golden.npz")
        numbers = {
            "program": json.loads((folder / "program.json").read_text()),
            "codes": golden["x"].tolist(),
            "outputs": golden["y"].tolist(),
            "code_bits": WORD,
            "result_bits": WORD,
        }
        made = alkaid_design(self._measured, self.alkaid_python, network, numbers, settings)
        rtl, cycles, scale = made["rtl"], made["cycles"], 2.0 ** np.array(made["fractions"])

        def check() -> bool:
            codes = np.floor(golden["x"] * scale[0]).astype(np.int64) & ((1 << WORD) - 1)
            found = play(rtl, network, codes, golden["y"].shape[1], WORD, cycles + 1)
            return require_equal(network, found, golden["y"] * scale[1])

        self._measured.kept("played", (rtl, cycles, numbers), check)
        return made["flat"], cycles

    def _alkaid_figures(self, network: str, settings: Mapping[str, Any]) -> dict[str, float]:
        bits = read_network(tables_of(network)).bits
        numbers = as_numbers(load_model(make_context(), tables_of(network), READING))
        numbers |= {"code_bits": bits[0], "result_bits": bits[-1]}
        made = alkaid_design(self._measured, self.alkaid_python, network, numbers, settings)
        rtl, cycles = made["rtl"], made["cycles"]
        self._simulate(network, rtl, cycles + 1)
        routed = self._measured.route(rtl, network, ECP5, timed=False)
        return {
            "LC": self._measured.cells(made["flat"], network, XCUP)["luts"],
            "COMB": routed.luts,
            "ff": routed.registers - made["input_bits"],
            "cycles": cycles,
            "MHz": round(routed.mhz, 1),
            "ns": round(cycles * 1000 / routed.mhz, 1),
        }


def require_equal(network: str, found: IntArray, expected: IntArray | FloatArray) -> bool:
    """True, or a KanError where a design of others has other outputs."""
    if not np.array_equal(found, expected):
        raise KanError(f"{network}: another's design computes something else")
    return True


def alkaid_design(
    measured: Measurements,
    python: str | None,
    network: str,
    numbers: Mapping[str, Any],
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """A network's Verilog by alkaid, in a module named as the network: see `peer_network.py`.

    Returns what that prints, and `flat`, the text as Yosys has flattened it for mapping.

    Raises
    ------
    KanError : alkaid is missing or fails, or computes something else.
    """
    if python is None:
        raise KanError("alkaid needs --alkaid, the Python of an environment that has it")
    script = Path(__file__).with_name("peer_network.py")

    def compute() -> Any:
        with tempfile.TemporaryDirectory() as directory:
            file, design = (Path(directory) / name for name in ("network.json", "design.v"))
            file.write_text(json.dumps({**numbers, "name": network}))
            made = run_alone(script, "alkaid", file, json.dumps(dict(settings)), python=python)
            design.write_text(made["rtl"])
            read = f"read_verilog -defer -sv {design}; hierarchy -top {network}"
            write = f"write_verilog -noattr {design}"
            run(find("yosys"), ["-q", "-p", f"{read}; {FLATTENED}; {write}"])
            return {**made, "flat": design.read_text()}

    version = run_alone(script, "alkaid", "--version", python=python)
    parts = (version, script.read_text(), FLATTENED, network, numbers, dict(settings))
    return measured.kept("alkaid", parts, compute)


@dataclass(frozen=True)
class Part:
    """One table: its title, what is measured, and how."""

    title: str
    items: Callable[[Bench], Iterable[Sequence[Any]]]
    measure: Callable[..., Row]


def left_out(bench: Bench) -> Iterable[Sequence[str]]:
    names = [stage.name for stage in CompilePass(cycles=2).passes()]
    return [("",), *((name,) for name in names if name not in NEEDED)]


PARTS = {
    "cells": Part("Cells with cycles=2", lambda b: product(TARGETS, b.networks), Bench.cells),
    "latency": Part(
        "Latency with cycles=2", lambda b: [(name,) for name in b.published], Bench.latency
    ),
    "clock": Part(
        "At KANELÉ's own clock on ECP5", lambda b: [(name,) for name in b.published], Bench.clock
    ),
    "clocks": Part("Clocks on ECP5", lambda b: product(CLOCKS, b.published), Bench.at_clock),
    "passes": Part("Logic cells without one pass", left_out, Bench.without),
    "trainers": Part(
        "Beside da4ml, networks of HGQ-LUT",
        lambda b: product((*FORMS, *(ALKAID_TRAINERS if b.alkaid_python else ())), TRAINERS),
        Bench.trainers,
    ),
    "alkaid": Part("Beside alkaid", lambda b: product(ALKAID, b.published), Bench.alkaid),
}


def latency_ns(cycles: int, asked: float, reached: float) -> float:
    """The latency at the clock asked for, or at the one reached where that is slower."""
    slower = min(asked, reached)
    return cycles * 1000 / slower if slower else math.inf


def shown(value: float | str | None) -> str:
    if isinstance(value, float):
        return f"{value:.1f}"
    return "" if value is None else str(value)


def markdown(title: str, rows: Sequence[Row]) -> str:
    """A table, with the ratios in brackets and their geometric means for each group."""
    columns = list(dict.fromkeys(name for row in rows for name in row.figures))
    lines = [f"### {title}", "", "| " + " | ".join(["", *columns]) + " |"]
    lines.append("|" + " --- |" * (len(columns) + 1))
    for group in dict.fromkeys(row.group for row in rows):
        members = [row for row in rows if row.group == group]
        for row in members:
            cells = [_cell(row, name) for name in columns]
            lines.append("| " + " | ".join([row.name, *cells]) + " |")
        means = [_mean(members, name) for name in columns]
        if any(means):
            lines.append("| " + " | ".join([f"**{group}**", *means]) + " |")
    return "\n".join(lines) + "\n"


def _cell(row: Row, name: str) -> str:
    text = shown(row.figures.get(name))
    return f"{text} ({row.ratios[name]:.2f})" if name in row.ratios else text


def _mean(rows: Sequence[Row], name: str) -> str:
    ratios = [row.ratios[name] for row in rows if name in row.ratios]
    return f"**{geometric_mean(ratios):.3f}**" if ratios else ""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--parts", type=some_of(PARTS), default=list(PARTS), help="some of " + ", ".join(PARTS)
    )
    parser.add_argument("--networks", type=some_of(NETWORKS), default=list(NETWORKS))
    parser.add_argument("--seeds", type=int, default=1, help="of nextpnr (default: 1, as baseline)")
    parser.add_argument("--alkaid", metavar="PYTHON", help="of an environment that has alkaid")
    parser.add_argument("--folder", type=Path, default=Path("build/hardware"), help="keeps results")
    options = parser.parse_args()
    require_data()
    bench = Bench(Measurements(options.folder), options.networks, options.alkaid, options.seeds)
    print_versions(tools=["yosys", "nextpnr-ecp5"], packages=["xdsl"])
    failed = False
    for part in (PARTS[name] for name in options.parts):
        rows: list[Row] = []
        for item in part.items(bench):
            try:
                rows.append(part.measure(bench, *item))
            except KanError as error:
                failed = True
                print(f"{part.title}, {', '.join(map(str, item))}: {error}", file=sys.stderr)
        print(markdown(part.title, rows), flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
