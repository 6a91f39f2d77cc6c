"""Processor time of `kan-compile` and emission against da4ml's, for the same tables and sums.

    python benchmarks/da4ml_speed.py                 jsc_openml, and a random 64-16-8-16-64 network
    python benchmarks/da4ml_speed.py --fast          `kan-compile{fast=true}`

da4ml (`pip install da4ml`; https://github.com/calad0i/da4ml) is no dependency of this project. It
gets the result of `kan-expand-wires` by its functional interface: a lookup for each edge, the sums,
rounding, saturation. It traces, optimises, pipelines and writes Verilog. Ours starts from the same
integers at table level. Each runs in a process of its own. Reading the network and imports are not
counted. Times are processor times, with wall-clock times in brackets. Both evaluate the same random
codes, and must agree.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from compile_speed import NETWORKS, integers_of
from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue

from kan_dialect.analysis.wires import wire_functions
from kan_dialect.frontends.loading import load_model, make_context
from kan_dialect.ir.constants import IntArray
from kan_dialect.ir.types import range_of
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.model.model import Model
from kan_dialect.ops.wire import ClampOp, ConstantOp, DeadOp, MarkOp, ShiftOp, SumOp, TableOp
from kan_dialect.passes.expand_wires import ExpandWiresPass

SAMPLES = 1000
CYCLE_LEVELS = 5
"""Levels of adders between two registers, in da4ml's units of delay."""


def random_codes(module: ModuleOp) -> IntArray:
    """(samples, inputs), the same in every process."""
    ports = Model.of(module).interface().inputs
    low, high = np.array([[port.low, port.high] for port in ports]).T
    return np.random.default_rng(1).integers(low, high + 1, size=(SAMPLES, len(ports)))


def ours(context: Context, module: ModuleOp, folder: Path, fast: bool) -> Callable[[], IntArray]:
    """Our timed part. Returns a function that evaluates the result."""
    codes = random_codes(module)
    started = time.perf_counter(), time.process_time()
    CompilePass(fast=fast).apply(context, module)
    (folder / "ours.sv").write_text(emit_systemverilog(module))
    _report(started)
    return lambda: Model.of(module).run_codes(codes)


def theirs(context: Context, module: ModuleOp, folder: Path, fast: bool) -> Callable[[], IntArray]:
    """da4ml's timed part. Returns a function that evaluates the result."""
    from da4ml.codegen import VerilogModel
    from da4ml.trace import FixedVariableArray, comb_trace

    codes = random_codes(module)
    ExpandWiresPass().apply(context, module)
    (function,) = wire_functions(module)
    plan = [(op, op.entries_array if isinstance(op, TableOp) else None) for op in _ops(function)]
    ranges = [range_of(argument) for argument in function.args]
    started = time.perf_counter(), time.process_time()
    low, high = (
        np.array([float(getattr(kind, end)) for kind in ranges]) for end in ("low", "high")
    )
    inputs = FixedVariableArray.from_lhs(low, high, np.ones(len(ranges)))
    values: dict[SSAValue, Any] = dict(zip(function.args, inputs, strict=True))
    for op, entries in plan:
        match op:
            case ConstantOp():
                values[op.result] = float(op.value.value.data)
            case TableOp() if entries is not None:
                values[op.result] = _lookup(values[op.inputs[0]], entries, range_of(op.inputs[0]))
            case SumOp():
                terms = [values[value] for value in op.inputs]
                values[op.result] = np.sum(FixedVariableArray(np.array(terms)))
            case ShiftOp():
                values[op.result] = _shifted(values[op.input], op.amount.value.data)
            case ClampOp():
                kind = range_of(op.result)
                bits = kind.bits - kind.is_signed
                limited = values[op.input].max_of(float(kind.low)).min_of(float(kind.high))
                values[op.result] = limited.quantize(int(kind.is_signed), bits, 0)
            case MarkOp() | DeadOp():
                pass
            case _:
                raise SystemExit(f"da4ml_speed.py: {op.name} has no counterpart here")
    results = function.get_return_op()
    assert results is not None
    logic = comb_trace(inputs, [values[value] for value in results.operands])
    VerilogModel(logic, "theirs", folder / "theirs", latency_cutoff=CYCLE_LEVELS).write()
    _report(started)
    return lambda: np.asarray(logic.predict(codes.astype(np.float64))).astype(np.int64)


def _ops(function: func.FuncOp) -> list[Any]:
    return [op for op in function.body.block.ops if not isinstance(op, func.ReturnOp)]


def _lookup(value: Any, entries: IntArray, kind: Any) -> Any:
    """The table for the values that da4ml knows its input to have."""
    low, high, step = value.qint
    codes = np.arange(low, high + step, step).astype(np.int64)
    return value.lookup(entries[np.clip(codes, kind.low, kind.high) - kind.low].astype(np.float64))


def _shifted(value: Any, amount: int) -> Any:
    """Divided by 2^amount, rounded half to even: half less one is added, and the last bit kept."""
    if amount <= 0:
        return value * 2.0**-amount
    odd = value.quantize(0, amount + 1, -amount)
    rounded = value + float((1 << (amount - 1)) - 1) + odd * 2.0**-amount
    signed, bits, _ = rounded.kif
    return rounded.quantize(signed, bits, -amount) * 2.0**-amount


def _report(started: tuple[float, float]) -> None:
    seconds = time.perf_counter() - started[0], time.process_time() - started[1]
    print(json.dumps({"seconds": seconds[0], "processor_seconds": seconds[1]}))


def run(side: str, network: Path, folder: Path, fast: bool) -> dict[str, float]:
    """Run one side in a process of its own. Returns its report."""
    command = [sys.executable, __file__, "--one", side, str(network), str(folder)]
    command += ["--fast"] if fast else []
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(command, check=True, capture_output=True, text=True, env=one_thread)
    return json.loads(ended.stdout.splitlines()[0])


def main() -> None:
    parser = argparse.ArgumentParser(description="Our compile time beside da4ml's.")
    parser.add_argument("--fast", action="store_true", help="without expensive searches")
    parser.add_argument("--repeat", type=int, default=3, help="runs, of which the fastest counts")
    parser.add_argument("--json", action="store_true", help="one JSON object a network")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        side, network, folder = options.one[0], Path(options.one[1]), Path(options.one[2])
        context = make_context()
        timed = ours if side == "ours" else theirs
        evaluate = timed(context, load_model(context, network), folder, options.fast)
        np.save(folder / f"{side}.npy", evaluate())
        return
    try:
        da4ml = version("da4ml")
    except PackageNotFoundError:
        raise SystemExit(
            "da4ml_speed.py: skipped, da4ml is not installed (pip install da4ml)"
        ) from None
    versions = ", ".join(f"{name} {version(name)}" for name in ("xdsl", "numpy"))
    print(f"# Python {platform.python_version()}, {versions}, da4ml {da4ml}, {platform.machine()}")
    for name in NETWORKS:
        module = integers_of(name)
        if module is None:
            continue
        with tempfile.TemporaryDirectory() as directory:
            folder = Path(directory)
            (folder / "network.mlir").write_text(str(module))
            best: dict[str, dict[str, float]] = {}
            for _ in range(options.repeat):
                for side in ("ours", "theirs"):
                    found = run(side, folder / "network.mlir", folder, options.fast)
                    key = "processor_seconds"
                    if side not in best or found[key] < best[side][key]:
                        best[side] = found
            outputs = [np.load(folder / f"{side}.npy") for side in ("ours", "theirs")]
            if not np.array_equal(*outputs):
                raise SystemExit(f"da4ml_speed.py: {name}: the outputs differ")
        ratio = best["ours"]["processor_seconds"] / best["theirs"]["processor_seconds"]
        if options.json:
            print(json.dumps({"network": name, "ratio": ratio, **best}))
        else:
            times = ", ".join(
                f"{side} {found['processor_seconds']:.3f} s of processor ({found['seconds']:.3f} s)"
                for side, found in best.items()
            )
            print(f"{name}: {times}, ratio {ratio:.1f}; outputs equal on {SAMPLES} samples")


if __name__ == "__main__":
    main()
