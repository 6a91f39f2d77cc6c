"""The compiler and the integer model beside da4ml and alkaid, and the time of whole commands.

    python -m venv E && E/bin/pip install alkaid da4ml
    python benchmarks/peers_speed.py --peers E/bin/python

- `kan-compile` and emission, at default optimisation and with `fast`, and the peers' tracing,
  optimisation, pipelining and Verilog for the same tables and sums (`peer_network.py`);
- samples a second of the integer model, compiled by `cc` (`host/NAME_emulator.py` of a build) and
  in NumPy, and of the peers' `predict`;
- whole processes: `kan-opt --help`, `kan-opt` on a file of IR with nothing to do, and the second
  build of the example wine.

All are times of the processor, the best of several runs, each in a process of its own with one
thread: threads that wait in a loop take processor time, of the peers as of NumPy. Outputs of all
sides must be equal. Without `--peers`, only our figures are printed.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from compile_speed import integers_of
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue

from kan_dialect.analysis.wires import wire_functions
from kan_dialect.flows.host.codec import write_host
from kan_dialect.flows.host.emulator import write_emulator
from kan_dialect.frontends.loading import load_model, make_context
from kan_dialect.ir.types import range_of
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.model.model import Model
from kan_dialect.ops.clamp import ClampOp
from kan_dialect.ops.shift import ShiftOp
from kan_dialect.ops.wire import ConstantOp, SumOp, TableOp
from kan_dialect.passbase.garbage_collector import collector_paused
from kan_dialect.passbase.record import open_record
from kan_dialect.passes.expand_wires import ExpandWiresPass

NETWORKS = ("jsc_openml", "wine", "64-16-8-16-64")
"""KANELÉ's published models (83 and 64 edges), and a random network (2304 edges) at 8 bits."""
PEERS = ("da4ml", "alkaid")
SAMPLES = 1000
MODEL_SAMPLES = 50_000
EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def as_numbers(module: ModuleOp) -> dict[str, Any]:
    """A network at table level as `peer_network.py` reads it; the module is expanded to wires."""
    model = Model.of(module)
    ports = model.interface().inputs
    low, high = np.array([[port.low, port.high] for port in ports]).T
    codes = np.random.default_rng(1).integers(low, high + 1, size=(SAMPLES, len(ports)))
    outputs = model.run_codes(codes)
    ExpandWiresPass().apply(make_context(), module)
    (function,) = wire_functions(module)
    places: dict[SSAValue, int] = {value: place for place, value in enumerate(function.args)}
    ops: list[list[Any]] = []
    results: list[int] = []
    for op in function.body.block.ops:
        match op:
            case ConstantOp():
                ops.append(["constant", op.value.value.data])
            case TableOp():
                kind = range_of(op.inputs[0])
                entries = op.entries_array.tolist()
                ops.append(["table", places[op.inputs[0]], entries, kind.low, kind.high])
            case SumOp():
                ops.append(["sum", [places[value] for value in op.inputs]])
            case ShiftOp():
                ops.append(["shift", places[op.input], op.amount.value.data])
            case ClampOp():
                kind = range_of(op.result)
                sign = int(kind.is_signed)
                ops.append(["clamp", places[op.input], kind.low, kind.high, sign, kind.bits - sign])
            case func.ReturnOp():
                results = [places[value] for value in op.operands]
                continue
            case _:
                continue
        places[op.results[0]] = len(places)
    numbers = {"low": low.tolist(), "high": high.tolist(), "ops": ops, "results": results}
    return {**numbers, "codes": codes.tolist(), "outputs": outputs.tolist()}


def compiled(network: Path, fast: bool) -> None:
    """Print the seconds of `kan-compile` and emission, as `kan-opt` runs them."""
    context = make_context()
    module = load_model(context, network)
    started = time.process_time()
    with collector_paused(), open_record(module):
        CompilePass(fast=fast).apply(context, module)
        text = emit_systemverilog(module)
        seconds = time.process_time() - started
    print(json.dumps({"seconds": seconds, "characters": len(text)}))


def modelled(network: Path) -> None:
    """Print samples a second of the integer model, in NumPy and compiled."""
    context = make_context()
    model = Model.of(load_model(context, network))
    interface = model.interface()
    low, high = np.array([[port.low, port.high] for port in interface.inputs]).T
    size = (MODEL_SAMPLES, len(interface.inputs))
    codes = np.random.default_rng(1).integers(low, high + 1, size=size)
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        write_host(folder, interface)
        write_emulator(context, folder, model, interface)
        path = folder / f"{interface.name}_emulator.py"
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None and spec.loader is not None
        emulator = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(emulator)
        found: dict[str, float] = {}
        for name, run in (("numpy", model.run_codes), ("compiled", emulator.run_codes)):
            run(codes[:10])
            times: list[float] = []
            for _ in range(3):
                started = time.process_time()
                outputs = run(codes)
                times.append(time.process_time() - started)
            found[name] = MODEL_SAMPLES / min(times)
            assert np.array_equal(outputs[:SAMPLES], model.run_codes(codes[:SAMPLES]))
    print(json.dumps(found))


def output_of(*command: object) -> dict[str, Any]:
    run = subprocess.run(
        [*map(str, command)],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    return json.loads(run.stdout)


def processor_seconds(*command: object, folder: Path) -> float:
    """User and system time of a process with its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = dict(os.environ)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment["PYTHONPYCACHEPREFIX"] = str(folder / "bytecode")
    subprocess.run([*map(str, command)], check=True, capture_output=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def measure_network(name: str, folder: Path, peers: str | None, repeat: int) -> None:
    """Print the rows of one network."""
    module = integers_of(name)
    if module is None:
        return
    network, numbers = folder / "network.mlir", folder / "network.json"
    network.write_text(str(module))
    numbers.write_text(json.dumps(as_numbers(module)))
    commands: dict[str, list[object]] = {
        "default": [sys.executable, __file__, "--one", "compile", network],
        "fast": [sys.executable, __file__, "--one", "fast", network],
    }
    for peer in PEERS if peers else ():
        commands[peer] = [peers, Path(__file__).parent / "peer_network.py", peer, numbers]
    runs = {side: [] for side in commands}
    for _ in range(repeat):
        for side, command in commands.items():
            runs[side].append(output_of(*command))
    best = {side: min(run["seconds"] for run in some) for side, some in runs.items()}
    for side in ("default", "fast"):
        ratios = [f"{best[side] / best[peer]:.2f} x {peer}" for peer in PEERS if peer in best]
        print(f"{name}, {side}: {best[side]:.3f} s; {', '.join(ratios)}", flush=True)
    for peer in PEERS if peers else ():
        print(f"{name}, {peer} {runs[peer][0]['version']}: {best[peer]:.3f} s", flush=True)
    own = output_of(sys.executable, __file__, "--one", "model", network)
    speeds = {peer: max(run["samples_per_second"] for run in runs[peer])
              for peer in PEERS if peer in runs}  # fmt: skip
    line = ", ".join(f"{side} {speed:.3g}" for side, speed in {**own, **speeds}.items())
    ratio = f"; {own['compiled'] / max(speeds.values()):.1f} x the better peer" if speeds else ""
    print(f"{name}, samples/s of the integer model: {line}{ratio}", flush=True)


def measure_commands(folder: Path, repeat: int) -> None:
    """Print the times of whole processes."""
    scripts = Path(sys.executable).parent
    unchanged = folder / "unchanged.mlir"
    unchanged.write_text(
        "func.func @f(%x: !kan.int<0:3>) -> !kan.int<0:3> { func.return %x : !kan.int<0:3> }\n"
    )
    build = [scripts / "kan-flow", "build", EXAMPLES / "wine.onnx", "--bits", 6, "--force"]
    build += ["--calibration", EXAMPLES / "wine.npz"]
    for what, command in (
        ("kan-opt --help", [scripts / "kan-opt", "--help"]),
        ("kan-opt x.mlir", [scripts / "kan-opt", unchanged]),
        ("kan-flow build wine.onnx", [*build, "-o", folder / "wine"]),
    ):
        processor_seconds(*command, folder=folder)  # fills the caches
        seconds = min(processor_seconds(*command, folder=folder) for _ in range(repeat))
        print(f"{what}: {seconds:.3f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--peers", metavar="PYTHON", help="of an environment with both peers")
    parser.add_argument("--repeat", type=int, default=3, help="runs, of which the fastest counts")
    parser.add_argument("--networks", nargs="*", default=NETWORKS, help="some of them, or none")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        what, network = options.one[0], Path(options.one[1])
        if what == "model":
            modelled(network)
        else:
            compiled(network, what == "fast")
        return
    versions = ", ".join(f"{name} {version(name)}" for name in ("xdsl", "numpy"))
    print(f"# Python {platform.python_version()}, {versions}, {platform.machine()}")
    with tempfile.TemporaryDirectory() as directory:
        for name in options.networks:
            measure_network(name, Path(directory), options.peers, options.repeat)
        measure_commands(Path(directory), options.repeat)


if __name__ == "__main__":
    main()
