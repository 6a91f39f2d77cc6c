"""Measures the RTL of a build by open tools, and notes the figures in the build's report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from kan_dialect.devices.device import DeviceFamily, device
from kan_dialect.devices.liberty import read_library
from kan_dialect.errors import KanError
from kan_dialect.files.growing_folder import write_listed
from kan_dialect.flows.folder_owners import BUILT, require_as_built
from kan_dialect.flows.page.page import update_page
from kan_dialect.flows.part_fit import part_entry
from kan_dialect.flows.report import merge_into_report, read_report
from kan_dialect.flows.simulate.port_words import Words, from_hex
from kan_dialect.flows.tools.asic import AsicSynthesis, Vectors, synthesize_asic
from kan_dialect.flows.tools.module_files import instantiated_files
from kan_dialect.flows.tools.place_and_route import PlaceAndRoute, place_and_route, placement_on
from kan_dialect.flows.tools.run_limits import limits_in_force
from kan_dialect.flows.tools.synthesis import Synthesis, synthesize
from kan_dialect.flows.tools.toolchain import find
from kan_dialect.passbase.option_bounds import Bounds
from kan_dialect.passbase.progress import say

SEEDS = Bounds(1, 100)
"""Runs of nextpnr."""
FREQUENCY = Bounds(0, 10_000, above=True)
"""Clock that nextpnr strives for, in MHz."""

CORE_FIGURES = ("luts", "registers", "block_rams", "fmax_mhz", "fmax_with_inputs_mhz")
"""Figures of a routed network that stand beside those of the wrapper around it."""

_YOSYS_BYTES = 500
"""Memory that Yosys takes for each bit of a table, at the very least."""


@dataclass(frozen=True)
class Design:
    """The RTL of a build's top module, or a SystemVerilog file on its own."""

    rtl: Path
    report: Path | None
    """Report of the build; None of a file on its own."""
    known: Mapping[str, Any]
    """Content of the report."""
    top: str | None = None
    modules: tuple[Path, ...] = ()
    """Files of the modules that the RTL instantiates."""
    core: Design | None = None
    """The network alone, of a build with a wrapper around it."""

    @property
    def cycles(self) -> int | None:
        """Latency of the design; None where it is not known."""
        cycles = self._known_in("interface", "latency_cycles") if self.core else None
        cycles = cycles or self.known.get("latency_cycles")
        return cycles if isinstance(cycles, int) else None

    @property
    def target(self) -> str | None:
        """Device that the build was made for; None where it is not known."""
        target = self._known_in("estimate", "target")
        return target if isinstance(target, str) else None

    @property
    def asked_mhz(self) -> float | None:
        """Clock that the build was asked for; None where none was."""
        clock = self._known_in("project", "asked_mhz")
        return clock if isinstance(clock, int | float) else None

    @property
    def interval(self) -> int | None:
        """Cycles from a training sample to the next, of hardware that trains itself."""
        cycles = self._known_in("training", "interval_cycles")
        return cycles if isinstance(cycles, int) else None

    def _known_in(self, section: str, key: str) -> object:
        """An entry of a section of the report; None where it has none."""
        found: object = self.known.get(section)
        return cast("dict[str, object]", found).get(key) if isinstance(found, dict) else None


def open_design(path: Path) -> Design:
    """The design in a build's folder or in a file.

    Raises
    ------
    KanError : the file or folder does not exist, or the folder is not that of a build.
    """
    if not path.is_dir():
        if not path.is_file():
            raise KanError(f"there is no {path}", remedy="run kan-flow build first")
        return Design(path, None, {}, modules=instantiated_files(path))
    report = path / "report.json"
    known = read_report(report)
    rtl = path / "rtl" / f"{known.get('name')}.sv"
    if not rtl.is_file():
        raise KanError(f"there is no {rtl}", remedy="run kan-flow build again")
    core = Design(rtl, report, known, str(known["name"]))
    wrapper = known.get("interface")
    if wrapper is None:
        return core
    top = path / wrapper["file"]
    if not top.is_file():
        raise KanError(f"there is no {top}", remedy="run kan-flow build again")
    modules = instantiated_files(top)
    return Design(top, report, known, wrapper["top"], modules, core if rtl in modules else None)


def measure_synthesis(design: Design, target: str | None = None) -> Synthesis:
    """Synthesise a design with Yosys, and note the figures under `synthesis`.

    Of a build with a wrapper, these are figures of the wrapper with the network in it. The network
    is synthesised alone too.

    Parameters
    ----------
    target : `xcup`, `ecp5-25` or another device; None for that of the build, or `xcup` where Yosys
        does not map to it.

    Raises
    ------
    KanError : the target is unknown; Yosys is missing, refuses the design, or takes more time or
        memory than the limits in force allow.
    """
    _require_as_built(design)
    chosen = target or _own_target(design, lambda own: own.yosys is not None, "xcup")
    synthesis = _synthesize(design, chosen, netlist=False)
    if design.core is not None:
        core = _synthesize(design.core, chosen, netlist=False)
        synthesis = replace(synthesis, core=core)
    summary = _with_part(synthesis.summary(), chosen)
    _note(design, "synthesis", summary, {"yosys": synthesis.version})
    return synthesis


def measure_asic(design: Design, liberty: Path) -> AsicSynthesis:
    """Map a design to the cells of a Liberty file, and note the figures under `asic`.

    Netlist and constraints of a build are written into its folder `asic/`. It is mapped for the
    clock that the build was asked for.

    Raises
    ------
    KanError : the file is no Liberty file, or lacks cells; Yosys is missing, refuses the design, or
        takes more time or memory than the limits in force allow.
    """
    _require_as_built(design)
    read_library(liberty)
    _require_memory(design)
    yosys = find("yosys")
    say(f"synthesising for {liberty.name} in {yosys.path.name}")
    synthesis = synthesize_asic(
        design.rtl,
        liberty,
        modules=design.modules,
        top=design.top,
        mhz=design.asked_mhz,
        vectors=_vectors(design),
        yosys=yosys,
    )
    if design.report is not None:
        for ending, text in (("v", synthesis.netlist), ("sdc", synthesis.constraints)):
            write_listed(design.report.parent, BUILT, f"asic/{synthesis.top}.{ending}", text)
    _note(design, "asic", synthesis.summary(), {"yosys": synthesis.version})
    return synthesis


def measure_routed(
    design: Design, target: str | None, seeds: int, frequency: float
) -> tuple[PlaceAndRoute, dict[str, Any]]:
    """Place and route a design with nextpnr, and note the figures under `pnr`.

    A wrapper and the network in it are measured as `measure_synthesis` does.

    Parameters
    ----------
    target : `ecp5`, `ice40`, `nexus`, `gowin` or `gatemate`, or a part of one; None for that of the
        build, or `ecp5` where there is no place and route for it.
    seeds : number of runs.
    frequency : clock to strive for, in MHz.

    Returns
    -------
    The runs, and the figures that the report has.

    Raises
    ------
    KanError : the target is unknown, a number out of bounds, a tool is missing or fails, or the
        design does not fit.
    """
    _require_as_built(design)
    SEEDS.require("seeds", seeds)
    FREQUENCY.require("frequency", frequency)
    target = target or _own_target(design, lambda own: own.routed_part is not None, "ecp5")
    nextpnr = find(placement_on(target).nextpnr.tool)

    def routed(measured: Design) -> PlaceAndRoute:
        synthesis = _synthesize(measured, target, netlist=True)
        say(f"placing and routing {synthesis.top} in {nextpnr.path.name}")
        return place_and_route(
            synthesis, measured.cycles, seeds=seeds, frequency=frequency, nextpnr=nextpnr
        )

    result = routed(design)
    summary = _with_part(result.summary(), target)
    if design.core is not None:
        core = routed(design.core).summary()
        summary["core"] = {key: core[key] for key in CORE_FIGURES if key in core}
    reached, interval = summary.get("fmax_with_inputs_mhz"), design.interval
    if reached is not None and interval is not None:
        summary["training_ns"] = round(1000 * interval / reached, 2)
    yosys = find("yosys").version
    _note(design, "pnr", summary, {"yosys": yosys, nextpnr.name: result.version})
    return result, summary


def _vectors(design: Design) -> Vectors | None:
    """Vectors of the build's testbench; None without them, and of a build with a wrapper."""
    if design.report is None or "interface" in design.known or "training" in design.known:
        return None
    by_port: list[dict[str, Words]] = []
    for side in ("input", "output"):
        own = (port for port in design.known["ports"] if port["direction"] == side)
        widths = {port["name"]: port["bits"] for port in own if "low" in port}
        file = design.report.parent / "sim" / f"{design.known['name']}_{side}s.hex"
        if not file.is_file():
            return None
        words, _ = from_hex(file.read_bytes().replace(b"_", b""), [*widths.values()])
        by_port.append(dict(zip(widths, words.T, strict=True)))
    return Vectors(*by_port)


def _require_as_built(design: Design) -> None:
    """Refuse RTL that has changed since its build: the build's report would have its figures."""
    if design.report is not None:
        names = (f"rtl/{design.rtl.name}", design.report.name)
        remedy = f"run kan-flow build again, or measure {design.rtl} on its own"
        require_as_built(design.report.parent, *names, remedy=remedy)


def _with_part(summary: dict[str, Any], target: str) -> dict[str, Any]:
    """Figures with the part of the family that the design fits."""
    size = (summary.get(key, 0) for key in ("luts", "registers", "block_rams"))
    part = part_entry(target, *size)
    return summary if part is None else {**summary, "part": part}


def _own_target(design: Design, is_usable: Callable[[DeviceFamily], bool], other: str) -> str:
    """The device of the build, or another one where that is not known or not usable."""
    with suppress(KanError):
        if design.target is not None and is_usable(device(design.target)):
            return design.target
    return other


def _synthesize(design: Design, target: str, *, netlist: bool) -> Synthesis:
    found = device(target)
    _require_memory(design)
    yosys = find("yosys")
    say(f"synthesising for {found.name} in {yosys.path.name}")
    return synthesize(
        design.rtl,
        found,
        modules=design.modules,
        top=design.top,
        yosys=yosys,
        with_netlist=netlist,
    )


def _require_memory(design: Design) -> None:
    """Refuse a design whose tables alone are more than Yosys has memory for."""
    bits = design.known.get("table_bits")
    limit = limits_in_force().bytes
    if isinstance(bits, int) and bits * _YOSYS_BYTES > limit:
        raise KanError(
            f"the design's tables have {bits} bits, for which Yosys takes at least "
            f"{bits * _YOSYS_BYTES / (1 << 30):.3g} GiB; {limit / (1 << 30):.3g} GiB are allowed",
            remedy="build it with fewer bits or edges, or allow more with --memory",
        )


def _note(design: Design, key: str, summary: dict[str, Any], tools: dict[str, str]) -> None:
    if design.report is not None:
        merge_into_report(design.report, key, summary, tools)
        update_page(design.report)
