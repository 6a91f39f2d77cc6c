"""`kan-flow synth` and `kan-flow pnr`: what a design takes, and how fast it is, by open tools."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from kan_dialect.cli.number_options import add_number
from kan_dialect.cli.tool_limits import add_limits, status_line
from kan_dialect.devices.standard_cells import is_library
from kan_dialect.flows.measure import (
    FREQUENCY,
    SEEDS,
    Design,
    measure_asic,
    measure_routed,
    measure_synthesis,
    open_design,
)
from kan_dialect.flows.part_fit import part_entry, part_text, size_text
from kan_dialect.flows.terminal import figure_table
from kan_dialect.flows.tools.asic import AsicSynthesis
from kan_dialect.flows.tools.place_and_route import PlaceAndRoute, placed_families
from kan_dialect.flows.tools.synthesis import Synthesis
from kan_dialect.quantity import quantity


def add_synth(parser: argparse.ArgumentParser) -> None:
    """Options of `kan-flow synth`."""
    parser.description = (
        "Synthesise the RTL of a build with Yosys: lookup tables, registers, carry chains. The "
        "figures go into report.json, beside the estimate."
    )
    _add_design(parser)
    parser.add_argument(
        "--target",
        metavar="T",
        help="a device or part of kan-flow --list-devices, or a Liberty file of standard cells, "
        "CELLS.lib (default: the build's, or xcup)",
    )


def add_pnr(parser: argparse.ArgumentParser) -> None:
    """Options of `kan-flow pnr`."""
    parser.description = (
        "Synthesise the RTL of a build, place and route it with nextpnr, and report clock "
        "frequency and latency in ns. The figures go into report.json."
    )
    _add_design(parser)
    parser.add_argument(
        "--target",
        metavar="T",
        help=f"{', '.join(placed_families())}, or a part of one such as ecp5-25 (default: the "
        "build's, or ecp5 where there is no place and route for it)",
    )
    add_number(
        parser, "--seeds", SEEDS, default=3, metavar="N", help="runs of nextpnr (default: 3)"
    )
    add_number(
        parser,
        "--freq",
        FREQUENCY,
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


def run_synth(options: argparse.Namespace) -> int:
    """Run `kan-flow synth`."""
    design = open_design(options.design)
    console = Console(highlight=False)
    target = options.target or design.target
    if target is not None and is_library(target):
        with status_line("synthesising"):
            asic = measure_asic(design, Path(target))
        console.print(_asic_table(asic))
        _say_where(design, console)
        return 0
    with status_line("synthesising"):
        synthesis = measure_synthesis(design, options.target)
    console.print(_synthesis_table(design, synthesis))
    _say_where(design, console)
    return 0


def synth_after_build(folder: Path, target: str) -> int:
    """What `kan-flow build --synth` does at its end."""
    return run_synth(argparse.Namespace(design=folder, target=target))


def run_pnr(options: argparse.Namespace) -> int:
    """Run `kan-flow pnr`."""
    design = open_design(options.design)
    with status_line("synthesising"):
        result, summary = measure_routed(design, options.target, options.seeds, options.freq)
    console = Console(highlight=False)
    table = _pnr_table(result, summary)
    if "training_ns" in summary:
        table.add_row("a trained sample", f"every {summary['training_ns']} ns, with the inputs")
    console.print(table)
    _say_where(design, console)
    return 0


def _say_where(design: Design, console: Console) -> None:
    if design.report is not None:
        console.print(f"\nnoted in {design.report}", markup=False, soft_wrap=True)


def _synthesis_table(design: Design, synthesis: Synthesis) -> Table:
    cells, target = synthesis.cells, synthesis.target
    table = figure_table()
    table.add_row("design", synthesis.top)
    table.add_row("synthesis", f"{target.name} (yosys {synthesis.version})")
    sizes = ", ".join(f"{count} of {size}" for size, count in cells.luts_by_inputs.items())
    table.add_row("LUTs", f"{cells.luts}" + (f"; by inputs: {sizes}" if sizes else ""))
    table.add_row("registers", str(cells.registers))
    if synthesis.core is not None:
        table.add_row("network alone", _size_text(synthesis.core.size()))
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
    if cells.block_rams:
        table.add_row("block RAMs", str(cells.block_rams))
    _part_row(table, target.name, synthesis.size())
    estimate: Mapping[str, Any] = design.known.get("estimate", {})
    luts, registers = estimate.get("luts"), estimate.get("registers")
    if (
        estimate.get("target") == target.name
        and isinstance(luts, int)
        and isinstance(registers, int)
    ):
        off = (luts - cells.luts) / max(cells.luts, 1)
        told = f"{luts} LUTs ({off:+.0%}), {registers} registers ({registers - cells.registers:+d})"
        if block_rams := estimate.get("block_rams", 0):
            difference = block_rams - cells.block_rams
            told += f", {quantity(block_rams, 'block RAM')} ({difference:+d})"
        table.add_row("estimate was", told)
    return table


def _size_text(figures: Mapping[str, Any]) -> str:
    """LUTs, registers and block RAMs, where they are known, and clocks."""
    shown = [size_text(figures)]
    for suffix, label in (("", "register to register"), ("_with_inputs", "with the inputs")):
        if f"fmax{suffix}_mhz" in figures:
            shown.append(f"{figures[f'fmax{suffix}_mhz']} MHz {label}")
    return ", ".join(shown)


def _part_row(table: Table, target: str, figures: Mapping[str, Any]) -> None:
    """The part of the family that the design fits."""
    size = (figures.get(key, 0) for key in ("luts", "registers", "block_rams"))
    part = part_entry(target, *size)
    if part is not None:
        table.add_row("part", part_text(part), style=None if part["fits"] else "yellow")


def _asic_table(synthesis: AsicSynthesis) -> Table:
    table = figure_table()
    table.add_row("design", synthesis.top)
    table.add_row("synthesis", f"{synthesis.library} (yosys {synthesis.version})")
    table.add_row("area", f"{synthesis.area:g}, in the units of the library")
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(synthesis.cells.items()))
    table.add_row("cells", f"{sum(synthesis.cells.values())}: {kinds}")
    table.add_row("registers", str(synthesis.registers))
    if (timing := synthesis.timing) is not None:
        path = f"{timing.path_ns:.3f} ns, {1000 / timing.path_ns:.0f} MHz"
        table.add_row("longest path", f"{path}: {timing.path_from} to {timing.path_to}")
        table.add_row("leakage", f"{1e6 * timing.leakage_w:.3g} µW")
        if timing.energy_j is not None:
            table.add_row(
                "energy of a sample", f"{1e12 * timing.energy_j:.3g} pJ, a sample every cycle"
            )
    return table


def _pnr_table(result: PlaceAndRoute, summary: dict[str, Any]) -> Table:
    table = figure_table()
    table.add_row("place and route", f"{summary['device']} ({summary['tool']})")
    table.add_row("LUTs", f"{summary['luts']}")
    if "registers" in summary:
        table.add_row("registers", str(summary["registers"]))
    if "block_rams" in summary:
        table.add_row("block RAMs", str(summary["block_rams"]))
    _part_row(table, result.device.target, summary)
    if "core" in summary:
        table.add_row("network alone", _size_text(summary["core"]))
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
