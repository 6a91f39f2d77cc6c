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
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, cast

from kan_dialect.devices.device import ICE40
from kan_dialect.errors import KanError
from kan_dialect.flows.tools.pin_harness import Harnessed, harness
from kan_dialect.flows.tools.synthesis import Synthesis
from kan_dialect.flows.tools.timed_netlist import is_clocked, port_bits, register_ports
from kan_dialect.flows.tools.tool_runs import run_all
from kan_dialect.flows.tools.toolchain import Tool, find
from kan_dialect.shown import Shown

ASYNC = "<async>"
"""What nextpnr calls ports and all that has no clock."""


@dataclass(frozen=True)
class Device:
    """A device that nextpnr knows."""

    name: str
    target: str
    """The synthesis target that it belongs to."""

    tool: str
    options: tuple[str, ...]
    luts: Mapping[str, int]
    """Lookup tables of each cell that has some, under nextpnr's names."""

    registers: str | None
    """What it calls its flip-flops, where these are cells of their own."""

    pins: int | None = None
    """Most bits of ports that get a pin each; None: nextpnr places designs out of context."""

    files: Mapping[str, str] = field(default_factory=dict[str, str])
    """Text of the files that the options name."""

    luts_at_registers: bool = False
    """A register takes a lookup table where the one before it is not its own."""


DEVICES = {
    "ecp5": Device(
        "ecp5-85k",
        "ecp5",
        "nextpnr-ecp5",
        ("--85k", "--package", "CABGA756", "--out-of-context"),
        {"TRELLIS_COMB": 1},
        "TRELLIS_FF",
    ),
    "ice40": Device(
        "ice40-hx8k",
        "ice40",
        "nextpnr-ice40",
        # The default router may swap two arcs for ever here; no run for ECP5 is known to.
        ("--hx8k", "--package", "ct256", "--router", "router2"),
        {"ICESTORM_LC": 1},
        None,
        pins=ICE40.part(ICE40.project_part).pins,
        luts_at_registers=True,
    ),
    "nexus": Device(
        "nexus-LIFCL-40-9BG400C",
        "nexus",
        "nextpnr-nexus",
        # The default router finds no way from the pin of the clock to its buffer in most designs.
        ("--device", "LIFCL-40-9BG400C", "--pdc", "pins.pdc", "--router", "router1"),
        {"OXIDE_COMB": 1},
        "OXIDE_FF",
        pins=0,
        files={
            "pins.pdc": "ldc_set_location -site {L13} [get_ports clk]\n"
            "ldc_set_location -site {E11} [get_ports scan]\n"
        },
    ),
    "gowin": Device(
        "gowin-GW1NR-LV9QN88PC6/I5",
        "gowin",
        "nextpnr-himbaechel-gowin",
        (
            *("--device", "GW1NR-LV9QN88PC6/I5", "--vopt", "family=GW1N-9C"),
            *("--vopt", "cst=pins.cst"),
        ),
        {"LUT4": 1, "ALU": 1},
        "DFF",
        pins=0,
        files={"pins.cst": 'IO_LOC "clk" 52;\nIO_LOC "scan" 10;\n'},
    ),
    "gatemate": Device(
        "gatemate-CCGM1A1",
        "gatemate",
        "nextpnr-himbaechel-gatemate",
        ("--device", "CCGM1A1", "--vopt", "allow-unconstrained"),
        # Halves of a CPE; adders of two bits and multiplexers of four inputs are whole ones.
        {"CPE_LT": 1, "CPE_ADDF": 2, "CPE_ADDF2": 2, "CPE_MX4": 2},
        "CPE_FF",
        pins=0,
        luts_at_registers=True,
    ),
}
"""Devices by the target that they belong to."""


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
    """Of paths between registers; None where there are none."""

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

    device: Device
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

    def figures(self) -> dict[str, Any]:
        """The summary."""
        return self.summary()

    def summary(self) -> dict[str, Any]:
        """What `report.json` holds under `pnr`."""
        shown = self.runs or self.timed
        added = self._added_luts
        luts = round(median(_used(run, self.device.luts) for run in shown)) - added
        whole: dict[str, Any] = {
            "tool": f"{self.device.tool} {self.version}",
            "device": self.device.name,
            "seeds": len(self.timed),
            "luts": luts,
        }
        if self.device.registers is not None and (self.runs or self.harnessed):
            registers = shown[0].used.get(self.device.registers, 0)
            whole["registers"] = registers - (self.harnessed.registers if self.harnessed else 0)
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
        at_registers = self.harnessed.registers if self.device.luts_at_registers else 0
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
    device = DEVICES.get(synthesis.target.name)
    if device is None or synthesis.netlist is None:
        raise KanError(
            f"there is no place and route for {synthesis.target.name}",
            remedy=f"take one of {', '.join(DEVICES)}",
        )
    nextpnr = nextpnr or find(device.tool)
    clocked = is_clocked(synthesis.netlist, synthesis.top)
    harnessed = None
    if device.pins is not None and port_bits(synthesis.netlist, synthesis.top) > device.pins:
        harnessed = harness(synthesis.netlist, synthesis.top, device.target)
        designs = {"timed": harnessed.netlist}
    else:
        designs = {"timed": register_ports(synthesis.netlist, synthesis.top, device.target)}
        if clocked:
            designs["plain"] = synthesis.netlist
    with tempfile.TemporaryDirectory(prefix="kan-pnr-") as directory:
        folder = Path(directory)
        for name, design in designs.items():
            (folder / f"{name}.json").write_text(json.dumps(design))
        for name, text in device.files.items():
            (folder / name).write_text(text)
        run_all(
            nextpnr,
            _calls(device, designs, seeds, frequency),
            cwd=folder,
            timeout=timeout,
            phase=f"placing and routing for {device.name}",
            progress=progress,
        )

        runs = _results(folder, "plain", seeds) if "plain" in designs else []
        timed = _results(folder, "timed", seeds)
        return PlaceAndRoute(device, nextpnr.version, cycles, not clocked, runs, timed, harnessed)


def _calls(device: Device, names: Iterable[str], seeds: int, frequency: float) -> list[list[str]]:
    """Arguments of nextpnr for each named design and seed; a run writes NAME and seed `.report`."""
    return [
        [
            *device.options,
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
