"""What the benchmarks share: options, tables, versions, and measurements that are kept in a folder.

A run that was stopped can be resumed. A result is kept under a hash of all that it depends on: the
compiler's sources and the options of a build; the text of a design, the command and the tool's
version of a measurement. So a result of another compiler or tool is never taken for one of this.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

import kan_dialect
from kan_dialect.devices.device import DeviceFamily
from kan_dialect.errors import KanError
from kan_dialect.flows.tools.place_and_route import placement_on
from kan_dialect.flows.tools.place_and_route import read_report as read_routed
from kan_dialect.flows.tools.synthesis import Synthesis, synthesize, yosys_of
from kan_dialect.flows.tools.timed_netlist import register_ports
from kan_dialect.flows.tools.tool_runs import run
from kan_dialect.flows.tools.toolchain import Tool, find, look_for

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
DATA = Path(os.environ.get("KAN_SHARED_DATA", ROOT.parent / "shared" / "data"))
PUBLISHED = ("jsc_openml", "wine", "drybean", "moons")
"""KANELÉ's four published models, with figures for its own RTL by open tools."""
SWEEP = ("bits4", "bits8", "width2", "width16", "pruned_half", "pruned_most")
"""Networks of KANELÉ's ablation, with the vendor's figures for its own RTL."""
NETWORKS = (*PUBLISHED, *SWEEP)
TRAINERS = ("openml_0_743", "openml_0_761", "cernbox_0_737", "cernbox_0_752")
"""Networks of HGQ-LUT with da4ml's figures."""
FORMS = ("program.json", "one_table.mlir", "first_quantiser.mlir", "windows.mlir")
"""How these are written: as da4ml's program, as one table an edge, or with the first quantiser of
an edge or the window of its table as ops."""
TABLE_OVERFLOW = "saturate"
"""Entries of tables beyond their layer's bits, as the checkpoints compute them."""
FREQUENCY = 500.0
"""What nextpnr tries to reach, in MHz, as for the baseline."""


def model_of(network: str) -> Path:
    """The model file of a published network: its truth tables, or a form of one of `TRAINERS`."""
    return DATA / "hgq_lut" / network if "/" in network else tables_of(network)


def tables_of(network: str) -> Path:
    """The truth tables of a published network."""
    folder = "kanele" if network in PUBLISHED else "kanele_sweep"
    return DATA / folder / network / "truth_tables.json"


def require_data() -> None:
    """End with a message where the published networks are not at hand."""
    if not DATA.is_dir():
        raise SystemExit(f"there is no {DATA}; set KAN_SHARED_DATA")


def some_of(known: Collection[str]) -> Callable[[str], list[str]]:
    """The type of an option that takes some of these names, separated by commas."""

    def names(text: str) -> list[str]:
        given = text.split(",")
        for name in given:
            if name not in known:
                problem = f"there is no {name!r}: take some of {', '.join(known)}"
                raise argparse.ArgumentTypeError(problem)
        return given

    return names


def print_versions(*, tools: Iterable[str] = (), packages: Iterable[str] = ()) -> None:
    """Print the versions of Python, and of those of these tools and packages that are there."""
    found = {"Python": platform.python_version()}
    for name in packages:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    found |= {name: tool.version for name in tools if (tool := look_for(name)) is not None}
    print("#", ", ".join(f"{name} {number}" for name, number in found.items()), flush=True)


class MarkdownTable:
    """A table of a page. Each row is printed as soon as it is known."""

    def __init__(self, *columns: str) -> None:
        self.add(*columns)
        self.add(*["---"] * len(columns))

    def add(self, *cells: object) -> None:
        """Print a row."""
        print(f"| {' | '.join(map(str, cells))} |", flush=True)


def run_alone(script: str | Path, *arguments: object, python: str = sys.executable) -> Any:
    """What a script prints as JSON, in a process of its own with one thread.

    Threads of NumPy wait in loops, which takes processor time.

    Raises
    ------
    KanError : it fails; with its message.
    """
    command = [python, str(script), *map(str, arguments)]
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    ended = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **threads})
    if ended.returncode:
        problem = (ended.stderr or ended.stdout).strip()
        raise KanError(f"{Path(script).name} {' '.join(map(str, arguments))}: {problem}")
    return json.loads(ended.stdout)


def geometric_mean(ratios: Iterable[float]) -> float:
    """NaN without ratios, 0 where one is 0."""
    values = list(ratios)
    if not values or min(values) < 0:
        return math.nan
    return math.exp(sum(map(math.log, values)) / len(values)) if min(values) else 0.0


def digest(*parts: object) -> str:
    """A hash of texts and of values that JSON has."""
    whole = hashlib.sha256()
    for part in parts:
        text = part if isinstance(part, str) else json.dumps(part, sort_keys=True)
        whole.update(f"{len(text)}:{text}".encode())
    return whole.hexdigest()[:24]


@cache
def compiler_digest() -> str:
    """A hash of the compiler's Python sources."""
    folder = Path(cast("str", kan_dialect.__file__)).parent
    files = [
        Path(place) / name
        for place, _, names in os.walk(folder, followlinks=True)
        for name in names
        if name.endswith(".py")
    ]
    texts = {str(file.relative_to(folder)): file.read_text() for file in files}
    return digest(texts)


@dataclass(frozen=True)
class Built:
    """A network as SystemVerilog."""

    network: str
    rtl: str
    """The text of its one file."""

    cycles: int
    """From the inputs to the outputs; registers before the inputs do not count."""


@dataclass(frozen=True)
class Routed:
    """A design on a device."""

    luts: int
    """Cells of lookup tables as nextpnr counts them (TRELLIS_COMB)."""

    registers: int
    mhz: float
    """With a register before every input; 0 where there is no path between registers."""


class Measurements:
    """Measures designs, or reads what an earlier run kept."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def kept(self, kind: str, parts: Sequence[object], compute: Callable[[], Any]) -> Any:
        """The value under a name and what it depends on; computed and kept where it is new."""
        file = self._folder / f"{kind}-{digest(*parts)}.json.gz"
        if file.exists():
            return json.loads(gzip.decompress(file.read_bytes()))
        value = compute()
        partial = file.with_suffix(f".{os.getpid()}")
        partial.write_bytes(gzip.compress(json.dumps(value).encode()))
        partial.rename(file)
        return value

    def build(self, network: str, passes: str | None = None, **options: Any) -> Built:
        """Build a published network, and prove it or play its vectors.

        Parameters
        ----------
        passes : a pipeline instead of the default one.
        options : those of `Network.build`.

        Raises
        ------
        KanError : the build or its proof fails.
        """
        parts = (compiler_digest(), model_of(network).read_text(), network, passes, options)
        kept = self.kept("build", parts, lambda: self._build(network, passes, options))
        return Built(network, kept["rtl"], kept["cycles"])

    def _build(self, network: str, passes: str | None, options: dict[str, Any]) -> dict[str, Any]:
        file, (name, _, form) = model_of(network), network.partition("/")
        if file.suffix == ".mlir":
            return self._compiled(file, name, options)
        overflow = "keep" if form else TABLE_OVERFLOW
        given = kan_dialect.load(file, name=name, table_overflow=overflow)
        quick: dict[str, Any] = {"simulator": "none", "check_passes": False, "certificate": "never"}
        with tempfile.TemporaryDirectory() as folder:
            built = given.build(Path(folder) / name, passes=passes, **quick, **options)
            if not built.prove().proven:
                raise KanError(f"{network}: the design is not proven")
            return {"rtl": built.systemverilog(), "cycles": built.report["latency_cycles"]}

    def _compiled(self, file: Path, name: str, options: dict[str, Any]) -> dict[str, Any]:
        """A form without nodes, which would divide a proof: compared on its vectors."""
        compiled = kan_dialect.load(file, name=name).compile(**options)
        vectors = np.load(file.with_name("codes.npz"))
        if not np.array_equal(compiled.run_codes(vectors["codes"]), vectors["outputs"]):
            raise KanError(f"{file}: the design computes something else")
        return {"rtl": compiled.systemverilog(), "cycles": compiled.latency_cycles}

    def cells(self, rtl: str, top: str, target: DeviceFamily) -> Mapping[str, int]:
        """`luts` (of Xilinx logic cells), `registers` and `carries` that Yosys maps a design to."""
        parts = (rtl, top, yosys_of(target).command, find("yosys").version)
        return self.kept("cells", parts, lambda: _cells(synthesized(rtl, top, target)))

    def packed_luts(self, rtl: str, top: str, target: DeviceFamily) -> int:
        """Cells of lookup tables that nextpnr packs a design into, without placing it."""
        used = self._nextpnr(rtl, top, target, seed=0, timed=False)["used"]
        return sum(used.get(kind, 0) for kind in placement_on(target.name).nextpnr.luts)

    def route(
        self, rtl: str, top: str, target: DeviceFamily, *, seed: int = 1, timed: bool = True
    ) -> Routed:
        """Place and route a design.

        Parameters
        ----------
        timed : put registers before its inputs; without, it has them itself.
        """
        found = self._nextpnr(rtl, top, target, seed, timed)
        device = placement_on(target.name)
        luts = sum(found["used"].get(kind, 0) for kind in device.nextpnr.luts)
        # With `timed`, nextpnr's own count has the registers before the inputs as well.
        return Routed(luts, self.cells(rtl, top, target)["registers"], found["mhz"] or 0.0)

    def _nextpnr(
        self, rtl: str, top: str, target: DeviceFamily, seed: int, timed: bool
    ) -> dict[str, Any]:
        """What nextpnr reports; without a seed, of packing alone."""
        device = placement_on(target.name)
        nextpnr = find(device.nextpnr.tool)
        yosys = find("yosys")
        mapped = (rtl, top, yosys_of(target).command, yosys.version)

        def compute() -> dict[str, Any]:
            netlist = self.kept("netlist", mapped, lambda: self._netlist(rtl, top, target))
            return _placed(netlist, top, target, seed, timed, nextpnr)

        options = [device.options, seed, FREQUENCY if seed else 0, timed]
        return self.kept("nextpnr", (*mapped, nextpnr.version, options), compute)

    def _netlist(self, rtl: str, top: str, target: DeviceFamily) -> dict[str, Any]:
        found = synthesized(rtl, top, target, with_netlist=True)
        parts = (rtl, top, yosys_of(target).command, find("yosys").version)
        self.kept("cells", parts, lambda: _cells(found))
        return found.netlist or {}


def synthesized(
    rtl: str, top: str, target: DeviceFamily, *, with_netlist: bool = False
) -> Synthesis:
    """What Yosys makes of a design as text."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "design.sv"
        file.write_text(rtl)
        return synthesize(file, target, top=top, with_netlist=with_netlist)


def _cells(found: Synthesis) -> dict[str, int]:
    cells = found.cells
    return {"luts": cells.luts, "registers": cells.registers, "carries": cells.carries}


def _placed(
    netlist: dict[str, Any], top: str, target: DeviceFamily, seed: int, timed: bool, nextpnr: Tool
) -> dict[str, Any]:
    device = placement_on(target.name)
    design = register_ports(netlist, top, device.nextpnr.register) if timed else netlist
    effort = ["--seed", str(seed), "--freq", f"{FREQUENCY:g}"] if seed else ["--pack-only"]
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        (folder / "design.json").write_text(json.dumps(design))
        files = ("--json", "design.json", "--report", "report.json")
        quiet = ("--timing-allow-fail", "--quiet")
        run(nextpnr, [*device.options, *files, *effort, *quiet], cwd=folder, phase="placing")
        routed = read_routed((folder / "report.json").read_text())
    return {"mhz": routed.fmax_mhz, "used": routed.used}


def play(
    rtl: str, top: str, codes: NDArray[np.int64], outputs: int, bits: int, cycles: int
) -> NDArray[np.int64]:
    """Outputs (samples, out) of a design in Icarus Verilog, a sample a clock.

    Parameters
    ----------
    rtl : with ports clk, x0.., and signed y0.. of `bits` each.
    codes : (samples, in).

    Raises
    ------
    KanError : Icarus is missing, refuses the design, or plays unknown bits (`x`).
    """
    samples, inputs = codes.shape
    ports = [f".x{i}(x{i})" for i in range(inputs)] + [f".y{i}(y{i})" for i in range(outputs)]
    bench = [
        "module bench;",
        "  reg clk = 0; reg [31:0] codes [0:" + str(samples * inputs - 1) + "]; integer i;",
        *(f"  reg [31:0] x{i};" for i in range(inputs)),
        *(f"  wire signed [{bits - 1}:0] y{i};" for i in range(outputs)),
        f"  {top} dut (.clk(clk), {', '.join(ports)});",
        '  initial begin $readmemh("codes.hex", codes);',
        f"    for (i = 0; i < {samples + cycles}; i = i + 1) begin",
        f"      if (i >= {cycles}) $display({_displayed(outputs)});",
        *(f"      if (i < {samples}) x{n} = codes[i * {inputs} + {n}];" for n in range(inputs)),
        "      #1 clk = 1; #1 clk = 0;",
        "    end $finish; end endmodule",
    ]
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        (folder / "design.sv").write_text(rtl + "\n" + "\n".join(bench) + "\n")
        (folder / "codes.hex").write_text("\n".join(f"{code:x}" for code in codes.ravel()))
        compiler = find("iverilog")
        run(compiler, ["-g2012", "-s", "bench", "-o", "bench.vvp", "design.sv"], cwd=folder)
        printed = run(find("vvp"), ["-n", "bench.vvp"], cwd=folder)
    lines = [line[1:] for line in printed.splitlines() if line.startswith(">")]
    if any("x" in line for line in lines):
        raise KanError(f"{top} gives unknown outputs after {cycles} cycles")
    return np.array([[int(word) for word in line.split()] for line in lines])


def _displayed(outputs: int) -> str:
    words = " ".join(["%0d"] * outputs)
    return f'"> {words}", ' + ", ".join(f"y{i}" for i in range(outputs))
