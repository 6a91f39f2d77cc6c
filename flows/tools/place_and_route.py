"""Place and route with nextpnr: how fast a design is on a device.

Each design is placed and routed with several seeds, and twice with each. As it stands, for the
clock frequency that tools report: that of paths between registers. And with a register at every
input (`timed_netlist.py`), so that paths from the ports count as well. Where nextpnr gives every
port a pin, designs of more ports have the second run only, with few pins (`pin_harness.py`).
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, cast

from kan_dialect.devices.device import DEVICES, Nextpnr, Part, device
from kan_dialect.errors import KanError
from kan_dialect.flows.tools.pin_harness import CLOCK, DATA, Harnessed, harness
from kan_dialect.flows.tools.synthesis import Synthesis
from kan_dialect.flows.tools.timed_netlist import is_clocked, port_bits, register_ports
from kan_dialect.flows.tools.tool_runs import run_all
from kan_dialect.flows.tools.toolchain import Tool, find
from kan_dialect.shown import Shown

ASYNC = "<async>"
"""What nextpnr calls ports and all that has no clock."""


@dataclass(frozen=True)
class Placement:
    """A device that nextpnr places designs on."""

    target: str
    """Name of the device that was asked for: a family or a part."""
    nextpnr: Nextpnr
    part: Part
    name: str
    """Name of the part as a target: `ecp5-85`."""

    @property
    def pins(self) -> int | None:
        """Most bits of ports that get a pin each; None: designs are placed out of context."""
        if self.nextpnr.out_of_context:
            return None
        return self.part.pins if self.nextpnr.places_ports else 0

    @property
    def options(self) -> tuple[str, ...]:
        """Options of nextpnr for a design in its harness, or out of context."""
        nextpnr = self.nextpnr
        outside = ("--out-of-context",) if nextpnr.out_of_context else nextpnr.harness_options
        return (*self.part.nextpnr, *nextpnr.options, *outside)

    @property
    def files(self) -> dict[str, str]:
        """Text of the files that the options name."""
        if not self.nextpnr.pin_file:
            return {}
        pins = zip((CLOCK, DATA), self.part.harness_pins, strict=True)
        lines = [self.nextpnr.pin_line.format(port=port, pin=pin) for port, pin in pins]
        return {self.nextpnr.pin_file: "\n".join(lines) + "\n"}


def placed_families() -> list[str]:
    """Names of the families of this compiler that nextpnr places."""
    return [name for name, family in DEVICES.items() if family.nextpnr is not None]


def is_placed(name: str) -> bool:
    """Whether nextpnr places designs on a device.

    Raises
    ------
    KanError : the device is unknown.
    """
    return device(name).routed_part is not None


def placement_on(name: str) -> Placement:
    """The device of a name as nextpnr knows it.

    Raises
    ------
    KanError : the device is unknown, or nextpnr does not place it; lists the families that it does.
    """
    chosen = device(name)
    part = chosen.routed_part
    if part is None or chosen.nextpnr is None:
        raise KanError(
            f"there is no place and route for {name}",
            remedy=f"take one of {', '.join(placed_families())}",
        )
    known = part.target_of(chosen.family)
    return Placement(name, chosen.nextpnr, part, known)


@dataclass(frozen=True)
class Step:
    """A part of a path."""

    kind: str
    """`clk-to-q`, `logic`, `routing`, `setup` or `clk-skew`."""
    source: str
    """The pin that it comes from."""
    sink: str
    delay_ns: float


@dataclass(frozen=True)
class Routed:
    """What one run of nextpnr says."""

    fmax_mhz: float | None
    """Of paths between registers; None without any."""

    input_ns: float | None
    """The longest path from a port to a register, where nextpnr times it."""

    output_ns: float | None
    """The longest path from a register to a port, likewise."""

    path_ns: float | None
    """The longest path from port to port, likewise."""

    used: dict[str, int]
    """Cells of each type."""

    steps: Sequence[Step] = ()
    """Of the longest path between registers."""


def read_report(text: str) -> Routed:
    """What `nextpnr --report` writes.

    Raises
    ------
    KanError : the text is something else.
    """
    try:
        report = cast("dict[str, Any]", json.loads(text))
        clocks = [float(clock["achieved"]) for clock in report["fmax"].values()]
        paths = {
            (path["from"] == ASYNC, path["to"] == ASYNC): sum(
                step["delay"] for step in path["path"]
            )
            for path in report["critical_paths"]
        }
        steps = [
            Step(step["type"], step["from"]["port"], step["to"]["port"], step["delay"])
            for path in report["critical_paths"]
            if ASYNC not in (path["from"], path["to"])
            for step in path["path"]
            if "type" in step  # Which older versions leave out.
        ]
        used = {name: int(cell["used"]) for name, cell in report["utilization"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise KanError(f"nextpnr's report cannot be read: {error}") from None
    return Routed(
        min(clocks, default=None),
        paths.get((True, False)),
        paths.get((False, True)),
        paths.get((True, True)),
        used,
        steps,
    )


@dataclass(frozen=True, repr=False)
class PlaceAndRoute(Shown):
    """A design on a device, with several seeds."""

    device: Placement
    version: str
    cycles: int | None
    """Latency of the design; None where that is not known."""

    combinational: bool
    """The design has no clock of its own."""

    runs: Sequence[Routed]
    """As it stands, a seed each; empty for a combinational design, and where nextpnr needs pins."""

    timed: Sequence[Routed]
    """With registers at its ports."""

    harnessed: Harnessed | None = None
    """What the timed runs have beside the design, where nextpnr needs pins."""

    block_rams: int = 0
    """Block RAMs of the mapped design. nextpnr places all of them."""

    def figures(self) -> dict[str, Any]:
        """The summary."""
        return self.summary()

    def summary(self) -> dict[str, Any]:
        """What `report.json` holds under `pnr`."""
        shown = self.runs or self.timed
        added = self._added_luts
        luts = round(median(_used(run, self.device.nextpnr.luts) for run in shown)) - added
        whole: dict[str, Any] = {
            "tool": f"{self.device.nextpnr.tool} {self.version}",
            "target": self.device.target,
            "device": self.device.name,
            "seeds": len(self.timed),
            "luts": luts,
        }
        cells = self.device.nextpnr.registers
        if cells is not None and (self.runs or self.harnessed):
            registers = shown[0].used.get(cells, 0)
            whole["registers"] = registers - (self.harnessed.registers if self.harnessed else 0)
        if self.block_rams:
            whole["block_rams"] = self.block_rams
        with_ports = _frequencies(self.timed)
        if self.combinational:
            # From register to register, so that the path's ends are real; both are in it.
            whole["path_ns"] = _rounded(1000 / median(with_ports)) if with_ports else None
            whole["latency_ns"] = whole["path_ns"]
        else:
            alone = _frequencies(self.runs)
            whole |= self._clocked("", alone) | self._clocked("_with_inputs", with_ports)
            for name in ("input_ns", "output_ns"):
                delays = [getattr(run, name) for run in self.runs]
                known = [delay for delay in delays if delay is not None]
                whole[name] = _rounded(median(known)) if known else None
        latency = whole.get("latency_with_inputs_ns", whole.get("latency_ns"))
        if latency is not None:
            whole["area_delay"] = round(luts * latency)
        return {key: value for key, value in whole.items() if value is not None}

    @property
    def _added_luts(self) -> int:
        if self.harnessed is None:
            return 0
        at_registers = self.harnessed.registers if self.device.nextpnr.luts_at_registers else 0
        return self.harnessed.gates + at_registers

    def _clocked(self, suffix: str, frequencies: Sequence[float]) -> dict[str, float | None]:
        if not frequencies:
            return {}
        fmax = median(frequencies)
        return {
            f"fmax{suffix}_mhz": _rounded(fmax),
            f"fmax{suffix}_best_mhz": _rounded(max(frequencies)),
            f"latency{suffix}_ns": None
            if self.cycles is None
            else _rounded(self.cycles * 1000 / fmax),
        }


def _used(run: Routed, luts: Mapping[str, int]) -> int:
    return sum(count * run.used.get(kind, 0) for kind, count in luts.items())


def _frequencies(runs: Iterable[Routed]) -> list[float]:
    return [run.fmax_mhz for run in runs if run.fmax_mhz is not None]


def _rounded(number: float) -> float:
    return round(number, 2)


def place_and_route(
    synthesis: Synthesis,
    cycles: int | None,
    *,
    seeds: int = 3,
    frequency: float = 500.0,
    timeout: float | None = None,
    nextpnr: Tool | None = None,
    progress: Callable[[int, int], None] = lambda _done, _count: None,
) -> PlaceAndRoute:
    """Place and route a mapped design with seeds 1 to `seeds`, as many at once as there are cores.

    Parameters
    ----------
    synthesis : with its netlist, for a target that has a device here.
    cycles : the latency of the design, None where it is not known.
    frequency : what nextpnr tries to reach, in MHz.
    timeout : for all runs together, in seconds; None takes the limit in force (`tools.limited`).
    progress : told how many runs have ended, of how many.

    Raises
    ------
    KanError : nextpnr is missing or fails, the design does not fit, or it takes too long or
        too much memory.
    """
    placement = placement_on(synthesis.target.name)
    if synthesis.netlist is None:
        raise KanError("synthesis has not kept the netlist")
    nextpnr = nextpnr or find(placement.nextpnr.tool)
    clocked = is_clocked(synthesis.netlist, synthesis.top)
    harnessed = None
    register = placement.nextpnr.register
    pins = placement.pins
    if pins is not None and port_bits(synthesis.netlist, synthesis.top) > pins:
        harnessed = harness(synthesis.netlist, synthesis.top, placement.nextpnr)
        designs = {"timed": harnessed.netlist}
    else:
        designs = {"timed": register_ports(synthesis.netlist, synthesis.top, register)}
        if clocked:
            designs["plain"] = synthesis.netlist
    with tempfile.TemporaryDirectory(prefix="kan-pnr-") as directory:
        folder = Path(directory)
        for name, design in designs.items():
            (folder / f"{name}.json").write_text(json.dumps(design))
        for name, text in placement.files.items():
            (folder / name).write_text(text)
        run_all(
            nextpnr,
            _calls(placement, designs, seeds, frequency),
            cwd=folder,
            timeout=timeout,
            phase=f"placing and routing for {placement.name}",
            progress=progress,
        )

        runs = _results(folder, "plain", seeds) if "plain" in designs else []
        timed = _results(folder, "timed", seeds)
        return PlaceAndRoute(
            placement,
            nextpnr.version,
            cycles,
            not clocked,
            runs,
            timed,
            harnessed,
            synthesis.cells.block_rams,
        )


def _calls(
    placement: Placement, names: Iterable[str], seeds: int, frequency: float
) -> list[list[str]]:
    """Arguments of nextpnr for each named design and seed; a run writes NAME and seed `.report`."""
    return [
        [
            *placement.options,
            *("--json", f"{name}.json", "--report", f"{name}{seed}.report"),
            *("--seed", str(seed), "--freq", f"{frequency:g}"),
            "--timing-allow-fail",
            "--quiet",
        ]
        for name in names
        for seed in range(1, seeds + 1)
    ]


def _results(folder: Path, name: str, seeds: int) -> list[Routed]:
    """The reports of a design, by ascending seed."""
    reports = [folder / f"{name}{seed}.report" for seed in range(1, seeds + 1)]
    return [read_report(report.read_text()) for report in reports]
