"""Processor time of the compiler by stage and by number of edges.

    python benchmarks/compile_speed.py            everything (minutes)
    python benchmarks/compile_speed.py --quick    the two small networks only
    python benchmarks/compile_speed.py --goals    the two networks that have a goal

Each network is measured in a process of its own, so that the peak memory is its own. Nothing here
asserts a time; `benchmarks/README.md` holds figures with the versions they were measured with.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from importlib.metadata import version
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
from xdsl.builder import ImplicitBuilder
from xdsl.dialects import arith, func
from xdsl.dialects.builtin import ModuleOp, TensorType, f32
from xdsl.ir import SSAValue

from kan_dialect.analysis.quantization_points import spline_functions
from kan_dialect.evaluate.edge_tables import has_real_edges
from kan_dialect.frontends.loading import load_model, make_context
from kan_dialect.ir.module_verifier import verify_module
from kan_dialect.ir.types import tensor_shape
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.model.model import Model
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.ops.spline import BaseOp, BSplineOp
from kan_dialect.passbase.garbage_collector import collector_paused
from kan_dialect.passbase.record import open_record
from kan_dialect.passes.calibrate import observe

SMALL = [("13-4-3", 6), ("13-4-3", 8), ("64-16-10", 6), ("64-16-10", 8)]
GROWTH = [("25-32-6", 6), ("80-100-20", 6), ("250-320-63", 6)]
"""Random networks of about 10^3, 10^4 and 10^5 edges with 64-entry tables."""
NETWORKS = ["jsc_openml", "64-16-8-16-64"]
"""One of KANELÉ's published models (83 edges), and a random network (2304 edges) at 8 bits."""
DATA = Path(
    os.environ.get("KAN_SHARED_DATA", Path(__file__).resolve().parents[2] / "shared" / "data")
)


def random_network(widths: list[int], seed: int = 0) -> ModuleOp:
    """A spline-level network: cubic B-splines on 6 cells plus SiLU, all edges kept."""
    rng = np.random.default_rng(seed)
    types = [TensorType(f32, (widths[0],))], [TensorType(f32, (widths[-1],))]
    function = func.FuncOp("network", types)
    with ImplicitBuilder(function.body.block) as (argument,):
        x: SSAValue = argument
        for layer, (inputs, outputs) in enumerate(pairwise(widths)):
            shape = (outputs, inputs, 9)
            coefficients = rng.normal(size=shape).astype(np.float32) / np.sqrt(inputs)
            weights = rng.normal(size=shape[:2]).astype(np.float32) / np.sqrt(inputs)
            grid = np.linspace(-3, 3, 7)
            spline = BSplineOp(x, 3, grid, coefficients, extend=True)
            base = BaseOp("silu", x, weights)
            x = NodeSumOp(arith.AddfOp(spline, base), name=f"layer{layer}").result
        func.ReturnOp(x)
    return ModuleOp([function])


def network(name: str) -> ModuleOp | None:
    """A network by its widths, or one of KANELÉ's models; None without the shared data."""
    if name[0].isdigit():
        return random_network([int(width) for width in name.split("-")])
    folder = DATA / "kanele" / name
    # Checkpoints need PyTorch; the tables are what they become.
    path = folder / ("checkpoint.pt" if find_spec("torch") else "truth_tables.json")
    return load_model(make_context(), path) if path.is_file() else None


def compiler(bits: int, *, fast: bool = False) -> CompilePass:
    # Edges are resolved finer than nodes: else most tables of a wide layer would be constant.
    return CompilePass(bits=bits, guard_bits=4, fast=fast)


def calibrated(module: ModuleOp) -> ModuleOp:
    """A spline-level network after calibration on normal samples; any other unchanged."""
    for function in spline_functions(module):
        width = tensor_shape(function.args[0])[0]
        observe(function, [np.random.default_rng(2).normal(size=(500, width))], 256)
    return module


def integers_of(name: str) -> ModuleOp | None:
    """A network at table level, at 8 bits; None without the shared data."""
    module = network(name)
    if module is None:
        print(f"# {name} is not in {DATA}; set KAN_SHARED_DATA")
        return None
    calibrated(module)
    for stage in compiler(8).expand():
        stage.apply(make_context(), module)
        if stage.name == "kan-fold-tables":
            break
    return module


def measure(name: str, bits: int, *, fast: bool) -> dict[str, float | int | str]:
    """Seconds of each stage of one network, from the imported module to SystemVerilog text.

    Python's collector is paused, and the record of passes is open, as `kan-opt` has them: the
    digest of the module is computed once, and not twice in each pass.
    """
    module = network(name)
    assert module is not None
    with collector_paused(), open_record(module):
        return _measured(name, module, bits, fast=fast)


def _measured(
    name: str, module: ModuleOp, bits: int, *, fast: bool
) -> dict[str, float | int | str]:
    context = make_context()
    result: dict[str, float | int | str] = {"network": name, "bits": bits}
    started = time.process_time()
    calibrated(module)
    result["calibrate"] = time.process_time() - started
    for stage in compiler(bits, fast=fast).passes():
        begun = time.process_time()
        stage.apply(context, module)
        done = time.process_time()
        verify_module(module)
        result[stage.name] = done - begun
        result["verify"] = float(result.get("verify", 0.0)) + time.process_time() - done
        if stage.name == "kan-fold-tables":
            assert not has_real_edges(module)
            table_level = module.clone()
            masks = [op.mask_array for op in module.walk() if isinstance(op, NodeSumOp)]
            result["edges"] = int(sum(mask.sum() for mask in masks))
    begun = time.process_time()
    text = emit_systemverilog(module)
    result["emit"] = time.process_time() - begun
    result["total"] = time.process_time() - started
    result["compile_and_emit"] = float(result["total"]) - float(result["verify"])
    result["characters"] = len(text)
    result["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    model = Model.of(table_level)
    ports = model.interface().inputs
    samples = max(1000, 2_000_000 // int(result["edges"]))
    rng = np.random.default_rng(1)
    low, high = np.array([[port.low, port.high] for port in ports]).T
    codes = rng.integers(low, high + 1, (samples, len(ports)), dtype=np.int64)
    begun = time.process_time()
    model.run_codes(codes)
    result["samples_per_second"] = samples / (time.process_time() - begun)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="the two small networks only")
    parser.add_argument("--goals", action="store_true", help="the networks that have a goal only")
    parser.add_argument("--fast", action="store_true", help="without expensive searches")
    parser.add_argument("--json", action="store_true", help="one JSON object a network")
    parser.add_argument("--one", nargs=2, metavar=("NETWORK", "BITS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one[0], int(options.one[1]), fast=options.fast)))
        return
    versions = ", ".join(f"{name} {version(name)}" for name in ("xdsl", "numpy"))
    print(f"# Python {platform.python_version()}, {versions}, {platform.machine()}")
    goals = [(name, 8) for name in NETWORKS]
    chosen = goals if options.goals else SMALL if options.quick else SMALL + goals + GROWTH
    for name, bits in chosen:
        if not name[0].isdigit() and not (DATA / "kanele" / name).is_dir():
            print(f"# {name} is not in {DATA}; set KAN_SHARED_DATA")
            continue
        command = [sys.executable, __file__, "--one", name, str(bits)]
        command += ["--fast"] if options.fast else []
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        figures = json.loads(output)
        print(output.strip() if options.json else _line(figures), flush=True)


_OTHER_FIGURES = ("total", "compile_and_emit", "samples_per_second")


def _line(figures: dict[str, float | int | str]) -> str:
    stages = " ".join(
        f"{name} {value:.3f}"
        for name, value in figures.items()
        if isinstance(value, float) and name not in _OTHER_FIGURES
    )
    return (
        f"{figures['network']} at {figures['bits']} bits, {figures['edges']} edges: "
        f"{figures['total']:.3f} s ({figures['compile_and_emit']:.3f} s without verification), "
        f"{figures['peak_mib']} MiB, "
        f"{figures['samples_per_second']:.3g} samples/s\n    {stages}"
    )


if __name__ == "__main__":
    main()
