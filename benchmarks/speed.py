"""Speed of the compiler, of simulation and emulator, and of whole commands.

    python benchmarks/speed.py                             all parts but `peers` (half an hour)
    python benchmarks/speed.py --parts compile --quick     the two small networks
    python benchmarks/speed.py --parts peers --peers E/bin/python

The parts:

- `compile`: seconds of each stage from spline-level IR to SystemVerilog, by number of edges;
- `simulation`: vectors a second of the compiled Verilator model, with the check of every cycle;
- `emulator`: samples a second of the emulator that every build has, compiled by `cc -O2`;
- `commands`: whole processes of `kan-opt` and `kan-flow build`;
- `peers`: `kan-compile` and emission, and the integer model, beside da4ml and alkaid for the same
  tables and sums (`peer_network.py`). Outputs of all sides must be equal.

Times are those of the processor, the best of several runs, in processes with one thread of their
own where memory or caches matter. Simulation and emulator take times of the clock. Nothing here
asserts a time. The peers have an environment of their own: `python -m venv E && E/bin/pip install
alkaid da4ml`. KANELÉ's models are read from `../shared/data`, or from `$KAN_SHARED_DATA`.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from measurements import DATA, EXAMPLES, MarkdownTable, print_versions, run_alone, some_of
from wire_numbers import SAMPLES, as_numbers, random_codes
from xdsl.builder import ImplicitBuilder
from xdsl.dialects import arith, func
from xdsl.dialects.builtin import ModuleOp, TensorType, f32
from xdsl.ir import SSAValue

import kan_dialect
from kan_dialect.analysis.quantization_points import spline_functions
from kan_dialect.flows.simulate.simulation import open_simulation
from kan_dialect.flows.simulate.stimuli import stimuli
from kan_dialect.frontends.loading import load_model, make_context
from kan_dialect.ir.module_verifier import verify_module
from kan_dialect.ir.types import tensor_shape
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.model.model import Model
from kan_dialect.model.port_codes import encode
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.ops.spline import BaseOp, BSplineOp
from kan_dialect.passbase.garbage_collector import collector_paused
from kan_dialect.passbase.record import open_record
from kan_dialect.passes.calibrate import observe

SMALL = (("13-4-3", 6), ("64-16-10", 6))
LARGE = (("jsc_openml", 8), ("64-16-8-16-64", 8), *((n, 6) for n in ("25-32-6", "80-100-20")))
LARGEST = (("250-320-63", 6),)
"""Random networks by their widths, and one of KANELÉ's models. The last three have about 10^3, 10^4
and 10^5 edges with 64-entry tables."""
PEER_NETWORKS = ("jsc_openml", "wine", "64-16-8-16-64")
"""KANELÉ's published models (83 and 64 edges), and a random network (2304 edges) at 8 bits."""
EXAMPLE_BITS = {"wine": 6, "digits": 8}
PEERS = ("da4ml", "alkaid")
MODEL_SAMPLES = 50_000
VECTORS = 200_000
EMULATED = 1 << 18


def random_network(widths: Sequence[int]) -> ModuleOp:
    """A spline-level network: cubic B-splines on 6 cells plus SiLU, all edges kept."""
    rng = np.random.default_rng(0)
    types = [TensorType(f32, (widths[0],))], [TensorType(f32, (widths[-1],))]
    function = func.FuncOp("network", types)
    with ImplicitBuilder(function.body.block) as (argument,):
        x: SSAValue = argument
        for layer, (inputs, outputs) in enumerate(pairwise(widths)):
            shape = (outputs, inputs, 9)
            coefficients = rng.normal(size=shape).astype(np.float32) / np.sqrt(inputs)
            weights = rng.normal(size=shape[:2]).astype(np.float32) / np.sqrt(inputs)
            spline = BSplineOp(x, 3, np.linspace(-3, 3, 7), coefficients, extend=True)
            base = BaseOp("silu", x, weights)
            x = NodeSumOp(arith.AddfOp(spline, base), name=f"layer{layer}").result
        func.ReturnOp(x)
    return ModuleOp([function])


def network(name: str) -> ModuleOp:
    """A network by its widths, calibrated on normal samples, or one of KANELÉ's models.

    Raises
    ------
    KanError : the file is missing.
    """
    if not name[0].isdigit():
        return load_model(make_context(), DATA / "kanele" / name / "truth_tables.json")
    module = random_network([int(width) for width in name.split("-")])
    for function in spline_functions(module):
        width = tensor_shape(function.args[0])[0]
        observe(function, [np.random.default_rng(2).normal(size=(500, width))], 256)
    return module


def compiler(bits: int, *, fast: bool = False) -> CompilePass:
    # Edges are resolved finer than nodes: else most tables of a wide layer would be constant.
    return CompilePass(bits=bits, guard_bits=4, fast=fast)


# Each part prints its tables.


def compile_part(options: argparse.Namespace) -> None:
    networks = SMALL if options.quick else (*SMALL, *LARGE, *LARGEST)
    for fast in (False, True):
        for name, bits in networks:
            figures = run_alone(__file__, "stages", name, bits, int(fast))
            label = f"{name}, {bits} bits{', fast' if fast else ''}, {figures.pop('edges')} edges"
            print(label, " ".join(f"{stage} {value:.3g}" for stage, value in figures.items()))


def stages(name: str, bits: str, fast: str) -> dict[str, float]:
    """Seconds of each stage of one network, edges and peak memory in MiB.

    Python's collector is paused, and the record of passes is open, as `kan-opt` has them.
    """
    module, context = network(name), make_context()
    result: dict[str, float] = {"verify": 0.0}
    with collector_paused(), open_record(module):
        started = time.process_time()
        for stage in compiler(int(bits), fast=bool(int(fast))).passes():
            begun = time.process_time()
            stage.apply(context, module)
            done = time.process_time()
            verify_module(module)
            result[stage.name] = done - begun
            result["verify"] += time.process_time() - done
            if stage.name == "kan-fold-tables":
                masks = [op.mask_array for op in module.walk() if isinstance(op, NodeSumOp)]
                result["edges"] = sum(int(mask.sum()) for mask in masks)
        begun = time.process_time()
        emit_systemverilog(module)
        done = time.process_time()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {**result, "emit": done - begun, "total": done - started, "peak_mib": peak}


def simulation_part(options: argparse.Namespace) -> None:
    table = MarkdownTable("network", "vectors", "number", "vectors/s")
    for name, bits in EXAMPLE_BITS.items():
        given = kan_dialect.load(EXAMPLES / f"{name}.onnx", data=EXAMPLES / f"{name}.npz")
        hardware = given.compile(bits=bits)
        interface = Model.of(hardware.module()).interface()
        assert given.data is not None
        parts = [x for x in (given.data.x, given.data.x_test) if x is not None]
        samples = encode(interface.inputs, np.concatenate(parts))
        sets = {
            "the data set": samples,
            "the data set, repeated": np.tile(samples, (-(-VECTORS // len(samples)), 1)),
            "random and corners": stimuli(interface, random=VECTORS),
        }
        with tempfile.TemporaryDirectory() as folder:
            rtl = Path(folder) / f"{interface.name}.sv"
            rtl.write_text(hardware.systemverilog())
            with open_simulation(rtl, interface) as simulation:
                for kind, codes in sets.items():
                    seconds = best_of(3, partial(simulation.run, codes))
                    speed = f"{len(codes) / seconds:.3g}"
                    table.add(f"{name}, {bits} bits", kind, len(codes), speed)


def emulator_part(options: argparse.Namespace) -> None:
    table = MarkdownTable("network", "`NAME_run` in C", "`run_codes`", "`predict`")
    for name, bits in EXAMPLE_BITS.items():
        given = kan_dialect.load(EXAMPLES / f"{name}.onnx", data=EXAMPLES / f"{name}.npz")
        with tempfile.TemporaryDirectory() as folder:
            built = given.build(folder, bits=bits, fast=True, simulator="none", check_passes=False)
            emulator = built.emulator()
            integers = given.compile(bits=bits, level="table")
            assert given.data is not None
            x = np.resize(given.data.x, (EMULATED, len(integers.inputs)))
            source = random_codes(integers.inputs, EMULATED).astype(np.int32)
            result = np.empty((EMULATED, len(integers.outputs)), np.int32)
            run = getattr(emulator._library(), f"{name}_run")
            pointers = [ctypes.c_void_p(array.ctypes.data) for array in (source, result)]
            calls: list[Callable[[], object]] = [
                partial(run, EMULATED, *pointers),
                partial(emulator.run_codes, source),
                partial(emulator.predict, x),
            ]
            speeds = [f"{EMULATED / best_of(10, call):.3g}" for call in calls]
            table.add(f"{name}, {bits} bits", *speeds)


def best_of(times: int, call: Callable[[], object]) -> float:
    """Seconds of the clock of the fastest run."""
    found: list[float] = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        found.append(time.perf_counter() - began)
    return min(found)


def commands_part(options: argparse.Namespace) -> None:
    table = MarkdownTable("command", "seconds")
    scripts = Path(sys.executable).parent
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        unchanged = folder / "unchanged.mlir"
        text = "func.func @f(%x: !kan.int<0:3>) -> !kan.int<0:3> "
        unchanged.write_text(text + "{ func.return %x : !kan.int<0:3> }\n")
        build = [scripts / "kan-flow", "build", EXAMPLES / "wine.onnx", "--bits", 6, "--force"]
        build += ["--calibration", EXAMPLES / "wine.npz", "-o", folder / "wine"]
        for label, command in (
            ("`kan-opt --help`", [scripts / "kan-opt", "--help"]),
            ("`kan-opt x.mlir`, nothing to do", [scripts / "kan-opt", unchanged]),
            ("`kan-flow build examples/wine.onnx --bits 6`", build),
        ):
            processor_seconds(command, folder)  # fills the caches
            seconds = min(processor_seconds(command, folder) for _ in range(options.repeat))
            table.add(label, f"{seconds:.2f}")


def processor_seconds(command: Sequence[object], folder: Path) -> float:
    """User and system time of a process with its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    subprocess.run([*map(str, command)], check=True, capture_output=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def peers_part(options: argparse.Namespace) -> None:
    peers = PEERS if options.peers else ()
    seconds = MarkdownTable("network", "side", "seconds", *(f"ours / {peer}" for peer in peers))
    models: list[list[object]] = []
    for name in PEER_NETWORKS:
        module = network(name)
        for stage in compiler(8).passes() if name[0].isdigit() else ():
            stage.apply(make_context(), module)
            if stage.name == "kan-fold-tables":
                break
        with tempfile.TemporaryDirectory() as directory:
            file, numbers = Path(directory) / "network.mlir", Path(directory) / "network.json"
            file.write_text(str(module))
            numbers.write_text(json.dumps(as_numbers(module)))
            script = Path(__file__).with_name("peer_network.py")
            calls: dict[str, Callable[[], dict[str, Any]]] = {
                "default": partial(run_alone, __file__, "text", file, 0),
                "fast": partial(run_alone, __file__, "text", file, 1),
            }
            for peer in peers:
                calls[peer] = partial(run_alone, script, peer, numbers, python=options.peers)
            runs: dict[str, list[dict[str, Any]]] = {side: [] for side in calls}
            for _ in range(options.repeat):  # in turns
                for side, call in calls.items():
                    runs[side].append(call())
            own = run_alone(__file__, "model", file)
        best = {side: min(run["seconds"] for run in found) for side, found in runs.items()}
        for side, value in best.items():
            ratios = [f"{value / best[peer]:.2f}" for peer in peers]
            label = f"{side} {runs[side][0]['version']}" if side in peers else side
            seconds.add(name, label, f"{value:.3f}", *ratios)
        speeds = [max(run["samples_per_second"] for run in runs[peer]) for peer in peers]
        models.append([name, *(f"{speed:.3g}" for speed in (*own.values(), *speeds))])
    print("\nSamples a second of the integer model:\n")
    table = MarkdownTable("network", "NumPy", "compiled", *peers)
    for row in models:
        table.add(*row)


def text(file: str, fast: str) -> dict[str, float]:
    """Seconds of `kan-compile` and emission, as `kan-opt` runs them."""
    context = make_context()
    module = load_model(context, Path(file))
    started = time.process_time()
    with collector_paused(), open_record(module):
        CompilePass(fast=bool(int(fast))).apply(context, module)
        emit_systemverilog(module)
        return {"seconds": time.process_time() - started}


def model(file: str) -> dict[str, float]:
    """Samples a second of the integer model, in NumPy and compiled."""
    given = kan_dialect.load(Path(file))
    codes = random_codes(given.inputs, MODEL_SAMPLES)
    with tempfile.TemporaryDirectory() as folder:
        built = given.build(folder, fast=True, simulator="none", check_passes=False)
        emulator = built.emulator()
        found: dict[str, float] = {}
        for name, run in (("numpy", given.run_codes), ("compiled", emulator.run_codes)):
            assert np.array_equal(run(codes[:SAMPLES]), given.run_codes(codes[:SAMPLES]))
            times: list[float] = []
            for _ in range(3):
                started = time.process_time()
                run(codes)
                times.append(time.process_time() - started)
            found[name] = MODEL_SAMPLES / min(times)
    return found


PARTS: dict[str, Callable[[argparse.Namespace], None]] = {
    "compile": compile_part,
    "simulation": simulation_part,
    "emulator": emulator_part,
    "commands": commands_part,
    "peers": peers_part,
}
ALONE = {"stages": stages, "text": text, "model": model}
"""Measurements that run in a process of their own."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    default = [part for part in PARTS if part != "peers"]
    parser.add_argument(
        "--parts", type=some_of(PARTS), default=default, help="some of " + ", ".join(PARTS)
    )
    parser.add_argument("--quick", action="store_true", help="compile the two small networks only")
    parser.add_argument("--peers", metavar="PYTHON", help="of an environment with both peers")
    parser.add_argument("--repeat", type=int, default=3, help="runs of commands and beside peers")
    options = parser.parse_args()
    print_versions(tools=["verilator"], packages=["xdsl", "numpy"])
    for part in options.parts:
        print(f"\n### {part}\n")
        PARTS[part](options)


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] in ALONE:
        print(json.dumps(ALONE[sys.argv[1]](*sys.argv[2:])))
    else:
        main()
