"""Compiles a network with da4ml or alkaid and evaluates it; run by `peers_speed.py` in their
environment.

    E/bin/python benchmarks/peer_network.py da4ml network.json

The file has the result of `kan-expand-wires` as numbers: a lookup for each edge, the sums, rounding
and saturation, and codes with the outputs that they must give. The peer traces, optimises,
pipelines and writes Verilog. Prints a JSON object: `version`, `seconds` of the processor without
imports and reading, and `samples_per_second` of `predict`. Needs NumPy and the peer, and nothing of
this project.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

CYCLE_LEVELS = 5
"""Levels of adders between two registers, in the peers' units of delay."""
SAMPLES = 50_000


def traced(peer: str, network: dict[str, Any]) -> Any:
    """The peer's optimised program of a network."""
    trace = import_module(f"{peer}.trace")
    kind = trace.FixedVariableArray if peer == "da4ml" else trace.FVArray
    low, high = (np.array(network[end], dtype=float) for end in ("low", "high"))
    inputs = kind.from_lhs(low, high, np.ones_like(low))
    values: list[Any] = list(inputs)
    for name, *rest in network["ops"]:
        match name:
            case "constant":
                values.append(float(rest[0]))
            case "table":
                values.append(looked_up(values[rest[0]], *rest[1:]))
            case "sum":
                values.append(np.sum(kind(np.array([values[each] for each in rest[0]]))))
            case "shift":
                values.append(shifted(values[rest[0]], rest[1]))
            case _:
                source, least, most, signed, bits = rest
                limited = values[source].max_of(float(least)).min_of(float(most))
                values.append(limited.quantize(signed, bits, 0))
    program = trace.comb_trace if peer == "da4ml" else trace.trace
    return program(inputs, [values[each] for each in network["results"]])


def looked_up(value: Any, entries: list[int], low: int, high: int) -> Any:
    """The entries for the codes that the peer knows its value to have."""
    least, most, step = value.qint
    codes = np.arange(least, most + step, step).astype(np.int64)
    return value.lookup(np.array(entries, dtype=float)[np.clip(codes, low, high) - low])


def shifted(value: Any, amount: int) -> Any:
    """Divided by 2^amount, rounded half to even: half less one is added, and the last bit kept."""
    if amount <= 0:
        return value * 2.0**-amount
    odd = value.quantize(0, amount + 1, -amount)
    rounded = value + float((1 << (amount - 1)) - 1) + odd * 2.0**-amount
    signed, bits, _ = rounded.kif
    return rounded.quantize(signed, bits, -amount) * 2.0**-amount


def write(peer: str, logic: Any, folder: Path) -> None:
    """Verilog with registers."""
    codegen = import_module(f"{peer}.codegen")
    if peer == "da4ml":
        codegen.VerilogModel(logic, "theirs", folder, latency_cutoff=CYCLE_LEVELS).write()
    else:
        codegen.RTLModel(logic, folder, prj_name="theirs", latency_cutoff=CYCLE_LEVELS).write()


def main() -> None:
    peer, network = sys.argv[1], json.loads(Path(sys.argv[2]).read_text())
    for part in ("trace", "codegen"):
        import_module(f"{peer}.{part}")
    started = time.process_time()
    logic = traced(peer, network)
    with tempfile.TemporaryDirectory() as folder:
        write(peer, logic, Path(folder) / "theirs")
    seconds = time.process_time() - started
    codes = np.array(network["codes"], dtype=float)
    if not np.array_equal(logic.predict(codes).astype(np.int64), network["outputs"]):
        raise SystemExit(f"{peer} computes something else")
    codes = np.resize(codes, (SAMPLES, codes.shape[1]))
    times: list[float] = []
    for _ in range(3):
        started = time.process_time()
        logic.predict(codes)
        times.append(time.process_time() - started)
    speed = SAMPLES / min(times)
    print(json.dumps({"version": version(peer), "seconds": seconds, "samples_per_second": speed}))


if __name__ == "__main__":
    main()
