"""Compiles a network with da4ml or alkaid and evaluates it, in their environment.

    E/bin/python benchmarks/peer_network.py da4ml network.json
    E/bin/python benchmarks/peer_network.py alkaid network.json '{"n_stages": 2}'
    E/bin/python benchmarks/peer_network.py alkaid --version

The file is what `wire_numbers.py` makes of the result of `kan-expand-wires`: a lookup for each
edge, the sums, rounding and saturation, and codes with the outputs that they must give. The peer
traces, optimises, pipelines and writes Verilog. Prints a JSON object: `version`, `seconds` of the
processor without imports and reading, and `samples_per_second` of `predict`.

With settings of alkaid's `RTLModel`, the object has `rtl` instead, with all modules, the last of
them named as the network; `cycles` as alkaid tells them; `input_bits`, the registers at its inputs;
and `fractions`, the bits behind the point of an input and of an output. The file then has the
network's `name`, and `code_bits` and `result_bits`, the bits of each of its ports. It may have a
`program` that da4ml 0.5 saved instead of the ops; its `codes` and `outputs` are then numbers with
bits behind the point. Needs NumPy and the peer, and nothing of this project.
"""

from __future__ import annotations

import json
import math
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


def packed(program: list[Any]) -> dict[str, Any]:
    """A program of inputs, sums, quantisers and tables that da4ml 0.5 saved, as alkaid's version 2.

    da4ml counts an added constant in steps of the result; alkaid has its own step beside it.
    """
    rows = [list(row) for row in program[5]]
    for row in rows:
        if row[2] == 4:
            row[3] = -int(math.log2(row[4][2])) << 32 | row[3] & 0xFFFFFFFF
    model = [*program[:5], rows, *program[6:]]
    return {"meta": "DAISModel", "spec_version": 2, "model": model}


def loaded(program: list[Any]) -> Any:
    """alkaid's optimised program of one that da4ml saved: alkaid traces it again, op by op."""
    logic = import_module("alkaid.types").CombLogic.from_dict(packed(program))
    return import_module("alkaid.trace.passes").optimize(logic)


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


def write(peer: str, logic: Any, folder: Path, settings: dict[str, Any]) -> Any:
    """Write Verilog with registers. Returns the peer's model of it."""
    codegen = import_module(f"{peer}.codegen")
    if peer == "da4ml":
        written = codegen.VerilogModel(logic, "theirs", folder, **settings)
    else:
        written = codegen.RTLModel(logic, folder, prj_name="theirs", **settings)
    written.write()
    return written


def with_ports(network: dict[str, Any], input_bits: int, output_bits: int) -> str:
    """A module named as the network, with ports clk, x0.., y0.., around alkaid's wrapper.

    Parameters
    ----------
    input_bits, output_bits : of one input and output of the wrapper, which all are as wide.
    """
    code, result = network["code_bits"], network["result_bits"]
    inputs, outputs = len(network["codes"][0]), len(network["outputs"][0])
    ports = [f"input [{code - 1}:0] x{i}" for i in range(inputs)]
    ports += [f"output signed [{result - 1}:0] y{i}" for i in range(outputs)]
    codes = [f"x{i}[{input_bits - 1}:0]" for i in reversed(range(inputs))]
    lines = [
        f"module {network['name']} (input clk, {', '.join(ports)});",
        f"  wire [{outputs * output_bits - 1}:0] results;",
        f"  theirs_wrapper inner (.clk(clk), .model_inp({{{', '.join(codes)}}}),",
        "    .model_out(results));",
        *(
            f"  assign y{i} = $signed(results[{i * output_bits} +: {output_bits}]);"
            for i in range(outputs)
        ),
        "endmodule",
    ]
    return "\n" + "\n".join(lines) + "\n"


def speed_of(logic: Any, codes: Any) -> float:
    """Samples a second of `predict`, the best of three runs."""
    codes = np.resize(codes, (SAMPLES, codes.shape[1]))
    times: list[float] = []
    for _ in range(3):
        started = time.process_time()
        logic.predict(codes)
        times.append(time.process_time() - started)
    return SAMPLES / min(times)


def main() -> None:
    peer, file, *settings = sys.argv[1:]
    if file == "--version":
        print(json.dumps(version(peer)))
        return
    network = json.loads(Path(file).read_text())
    options = json.loads(settings[0]) if settings else {"latency_cutoff": CYCLE_LEVELS}
    for part in ("trace", "codegen"):
        import_module(f"{peer}.{part}")
    started = time.process_time()
    logic = loaded(network["program"]) if "program" in network else traced(peer, network)
    with tempfile.TemporaryDirectory() as folder:
        written = write(peer, logic, Path(folder) / "theirs", options)
        seconds = time.process_time() - started
        sources = sorted((Path(folder) / "theirs" / "src").rglob("*.v"))
        rtl = "\n".join(source.read_text() for source in sources)
    codes = np.array(network["codes"], dtype=float)
    if not np.array_equal(logic.predict(codes), network["outputs"]):
        raise SystemExit(f"{peer} computes something else")
    found: dict[str, Any] = {"version": version(peer)}
    if settings:
        ports = written.fsm.inp_signals[0], written.fsm.out_signals[0]
        widest = np.array([np.max(signal.precisions, axis=0) for signal in ports])
        found["rtl"] = rtl + with_ports(network, *widest.sum(1))
        found["cycles"] = int(written.latency)
        found["input_bits"] = int(np.sum(ports[0].precisions))
        found["fractions"] = widest[:, 2].tolist()
    else:
        found |= {"seconds": seconds, "samples_per_second": speed_of(logic, codes)}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
