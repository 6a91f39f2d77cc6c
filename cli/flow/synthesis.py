"""`kan-flow synth` and `kan-flow pnr`: what a design takes, and how fast it is, by open tools."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from rich.console import Console
from rich.table import Table

from kan_dialect.cli.number_options import add_number
from kan_dialect.cli.tool_limits import add_limits, status_line
from kan_dialect.errors import KanError
from kan_dialect.files.file_swap import settle
from kan_dialect.flows.report import merge_into_report, read_report
from kan_dialect.flows.tools.place_and_route import DEVICES, PlaceAndRoute, place_and_route
from kan_dialect.flows.tools.run_limits import limits_in_force
from kan_dialect.flows.tools.synthesis import Synthesis, find_target, synthesize
from kan_dialect.flows.tools.toolchain import find
from kan_dialect.passbase.option_bounds import Bounds

SEEDS = Bounds(1, 100)
"""Runs of nextpnr."""


def add_synth(parser: argparse.ArgumentParser) -> None:
    """Options of `kan-flow synth`."""
    parser.description = (
        "Synthesise the RTL of a build with Yosys: lookup tables, registers, carry chains. The "
        "figures go into report.json, beside the estimate."
    )
    _add_design(parser)
    parser.add_argument(
        "--target", default="xcup", metavar="T", help="xcup (default), ecp5, ice40, or lut3 .. lut8"
    )


def add_pnr(parser: argparse.ArgumentParser) -> None:
    """Options of `kan-flow pnr`."""
    parser.description = (
        "Synthesise the RTL of a build, place and route it with nextpnr, and report clock "
        "frequency and latency in ns. The figures go into report.json."
    )
    _add_design(parser)
    parser.add_argument("--target", choices=list(DEVICES), default="ecp5")
    add_number(
        parser, "--seeds", SEEDS, default=3, metavar="N", help="runs of nextpnr (default: 3)"
    )
    add_number(
        parser,
        "--freq",
        Bounds(0, 10_000, above=True),
        kind=float,
        default=500.0,
        metavar="MHZ",
        help="to strive for (default: 500)",
    )


def _add_design(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "design", type=Path, metavar="DIR", help="what kan-flow build wrote, or a .sv file"
    )
    add_limits(parser)


@dataclass(frozen=True)
class _Design:
    """What is to be measured."""

    rtl: Path
    report: Path | None
    """Of the build that it belongs to; None for a file on its own."""

    known: Mapping[str, Any]
    """What stands in the report."""

    top: str | None = None

    @property
    def cycles(self) -> int | None:
        cycles = self.known.get("latency_cycles")
        return cycles if isinstance(cycles, int) else None

    @property
    def interval(self) -> int | None:
        """Cycles from a training sample to the next, of hardware that trains itself."""
        training: object = self.known.get("training")
        if not isinstance(training, dict):
            return None
        cycles: object = cast("dict[str, object]", training).get("interval_cycles")
        return cycles if isinstance(cycles, int) else None


def _design(options: argparse.Namespace) -> _Design:
    path: Path = options.design
    if not path.is_dir():
        if not path.is_file():
            raise KanError(f"there is no {path}", remedy="run kan-flow build first")
        return _Design(path, None, {})
    settle(path)
    report = path / "report.json"
    known = read_report(report)
    rtl = path / "rtl" / f"{known.get('name')}.sv"
    if not rtl.is_file():
        raise KanError(f"there is no {rtl}", remedy="run kan-flow build again")
    return _Design(rtl, report, known, str(known["name"]))


_YOSYS_BYTES = 500
"""Memory that Yosys takes for each bit of a table, at the very least."""


def _require_memory(design: _Design) -> None:
    """Refuse a design whose tables alone are more than Yosys has memory for."""
    bits = design.known.get("table_bits")
    limit = limits_in_force().bytes
    if isinstance(bits, int) and bits * _YOSYS_BYTES > limit:
        raise KanError(
            f"the design's tables have {bits} bits, for which Yosys takes at least "
            f"{bits * _YOSYS_BYTES / (1 << 30):.3g} GiB; {limit / (1 << 30):.3g} GiB are allowed",
            remedy="build it with fewer bits or edges, or allow more with --memory",
        )


def _synthesize(design: _Design, options: argparse.Namespace, *, netlist: bool) -> Synthesis:
    target = find_target(options.target)
    _require_memory(design)
    yosys = find("yosys")
    with status_line(f"synthesising for {target.name} in {yosys.path.name}"):
        return synthesize(
            design.rtl,
            target,
            top=design.top,
            yosys=yosys,
            with_netlist=netlist,
        )


def run_synth(options: argparse.Namespace) -> int:
    """Run `kan-flow synth`."""
    design = _design(options)
    synthesis = _synthesize(design, options, netlist=False)
    _note(design, "synthesis", synthesis.summary(), {"yosys": synthesis.version})
    console = Console(highlight=False)
    console.print(_synthesis_table(design, synthesis))
    _say_where(design, console)
    return 0


def synth_after_build(folder: Path, target: str) -> int:
    """What `kan-flow build --synth` does at its end."""
    return run_synth(argparse.Namespace(design=folder, target=target))


def run_pnr(options: argparse.Namespace) -> int:
    """Run `kan-flow pnr`."""
    design = _design(options)
    nextpnr = find(DEVICES[options.target].tool)
    synthesis = _synthesize(design, options, netlist=True)
    with status_line(f"placing and routing in {nextpnr.path.name}"):
        result = place_and_route(
            synthesis,
            design.cycles,
            seeds=options.seeds,
            frequency=options.freq,
            nextpnr=nextpnr,
        )
    versions = {"yosys": synthesis.version, nextpnr.name: result.version}
    summary = result.summary()
    frequency, interval = summary.get("fmax_with_inputs_mhz"), design.interval
    if frequency is not None and interval is not None:
        summary["training_ns"] = round(1000 * interval / frequency, 2)
    _note(design, "pnr", summary, versions)
    console = Console(highlight=False)
    table = _pnr_table(result, summary)
    if "training_ns" in summary:
        table.add_row("a trained sample", f"every {summary['training_ns']} ns, with the inputs")
    console.print(table)
    _say_where(design, console)
    return 0


def _note(design: _Design, key: str, summary: dict[str, Any], tools: dict[str, str]) -> None:
    if design.report is not None:
        merge_into_report(design.report, key, summary, tools)


def _say_where(design: _Design, console: Console) -> None:
    if design.report is not None:
        console.print(f"\nnoted in {design.report}", markup=False, soft_wrap=True)


def _grid() -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column()
    return table


def _synthesis_table(design: _Design, synthesis: Synthesis) -> Table:
    cells, target = synthesis.cells, synthesis.target
    table = _grid()
    table.add_row("design", synthesis.top)
    table.add_row("synthesis", f"{target.name} (yosys {synthesis.version})")
    sizes = ", ".join(f"{count} of {size}" for size, count in cells.luts_by_inputs.items())
    table.add_row("LUTs", f"{cells.luts}" + (f"; by inputs: {sizes}" if sizes else ""))
    table.add_row("registers", str(cells.registers))
    if cells.shift_registers:
        table.add_row("shift registers", str(cells.shift_registers))
    if cells.carries:
        table.add_row("carry cells", str(cells.carries))
    if cells.muxes:
        table.add_row("wide muxes", str(cells.muxes))
    if cells.multipliers:
        table.add_row("multipliers", str(cells.multipliers))
    if cells.memories:
        table.add_row("memory cells", str(cells.memories))
    estimate: Mapping[str, Any] = design.known.get("estimate", {})
    luts, registers = estimate.get("luts"), estimate.get("registers")
    if (
        estimate.get("target") == target.name
        and isinstance(luts, int)
        and isinstance(registers, int)
    ):
        off = (luts - cells.luts) / max(cells.luts, 1)
        told = f"{luts} LUTs ({off:+.0%}), {registers} registers ({registers - cells.registers:+d})"
        table.add_row("estimate was", told)
    return table


def _pnr_table(result: PlaceAndRoute, summary: dict[str, Any]) -> Table:
    table = _grid()
    table.add_row("place and route", f"{summary['device']} ({summary['tool']})")
    table.add_row("LUTs", f"{summary['luts']}")
    if "registers" in summary:
        table.add_row("registers", str(summary["registers"]))
    seeds = f"median of {summary['seeds']} seeds"
    if result.combinational:
        if "path_ns" in summary:
            table.add_row("combinational", f"{summary['path_ns']} ns ({seeds})")
    else:
        for suffix, label in (("", "register to register"), ("_with_inputs", "with the inputs")):
            if f"fmax{suffix}_mhz" not in summary:
                continue
            latency = summary.get(f"latency{suffix}_ns")
            table.add_row(
                label,
                f"{summary[f'fmax{suffix}_mhz']} MHz ({seeds}, best "
                f"{summary[f'fmax{suffix}_best_mhz']})"
                + ("" if latency is None else f", latency {latency} ns"),
            )
        for key, label in (("input_ns", "input to register"), ("output_ns", "register to output")):
            if key in summary:
                table.add_row(label, f"{summary[key]} ns, pads included")
    if "area_delay" in summary:
        table.add_row("area × delay", f"{summary['area_delay']} LUT·ns")
    return table
