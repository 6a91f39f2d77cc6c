"""Verilog of a table network by alkaid, as one text; run by `hardware.py` in alkaid's environment.

    E/bin/python benchmarks/alkaid_network.py truth_tables.json '{"n_stages": 2}'

alkaid (`pip install alkaid`) gets a lookup for each edge, the sums, and the clamps. Its optimised
program must give the outputs of the tables for random codes. Prints a JSON object: `rtl` with all
modules, the last of them named as the network, `cycles` as alkaid tells them, and `input_bits`, the
registers at its inputs. Needs NumPy and alkaid, and nothing of this project but
`kanele_structure.py`, which reads the tables.
"""

from __future__ import annotations

import json
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from kanele_structure import TableNetwork, read_network

SAMPLES = 2000


def traced(network: TableNetwork) -> Any:
    """alkaid's program of a network."""
    from alkaid.trace import FVArray, trace

    high = np.full(network.inputs, 2.0 ** network.bits[0] - 1)
    inputs = FVArray.from_lhs(np.zeros_like(high), high, np.ones_like(high))
    values: list[Any] = list(inputs)
    for layer, nodes in enumerate(network.layers):
        low, top = network.limits(layer)
        bits = network.bits[layer + 1] - 1
        results: list[Any] = []
        for edges in nodes:
            terms = [
                looked_up(values[source], table, network.offset(layer)) for source, table in edges
            ]
            total = np.sum(FVArray(np.array(terms))) if edges else values[0] * 0.0
            limited = total.max_of(float(low)).min_of(float(top))
            results.append(limited.quantize(1, bits, 0))
        values = results
    return trace(inputs, values)


def looked_up(value: Any, table: np.ndarray[Any, Any], offset: int) -> Any:
    """The entries for the codes that alkaid knows its value to have."""
    low, high, step = value.qint
    codes = np.arange(low, high + step, step).astype(np.int64)
    return value.lookup(table[codes + offset].astype(np.float64))


def with_ports(network: TableNetwork, input_bits: int, output_bits: int) -> str:
    """A module named as the network, with ports clk, x0.., y0.., around alkaid's wrapper.

    Parameters
    ----------
    input_bits, output_bits : of one input and output of the wrapper, which all are as wide.
    """
    code, result = network.bits[0], network.bits[-1]
    outputs = len(network.layers[-1])
    ports = [f"input [{code - 1}:0] x{i}" for i in range(network.inputs)]
    ports += [f"output signed [{result - 1}:0] y{i}" for i in range(outputs)]
    inputs = [f"x{i}[{input_bits - 1}:0]" for i in reversed(range(network.inputs))]
    lines = [
        f"module {network.name} (input clk, {', '.join(ports)});",
        f"  wire [{outputs * output_bits - 1}:0] results;",
        f"  theirs_wrapper inner (.clk(clk), .model_inp({{{', '.join(inputs)}}}),",
        "    .model_out(results));",
        *(
            f"  assign y{i} = $signed(results[{i * output_bits} +: {output_bits}]);"
            for i in range(outputs)
        ),
        "endmodule",
    ]
    return "\n" + "\n".join(lines) + "\n"


def main() -> None:
    if sys.argv[1] == "--version":
        print(version("alkaid"))
        return
    from alkaid.codegen import RTLModel

    network = read_network(Path(sys.argv[1]))
    settings = json.loads(sys.argv[2])
    logic = traced(network)
    codes = np.random.default_rng(1).integers(
        0, 1 << network.bits[0], (SAMPLES, network.inputs), dtype=np.int64
    )
    found = np.asarray(logic.predict(codes.astype(np.float64))).astype(np.int64)
    if not np.array_equal(found, network.evaluate(codes)):
        raise SystemExit("its program computes something else")
    with tempfile.TemporaryDirectory() as directory:
        model = RTLModel(logic, directory, prj_name="theirs", **settings)
        model.write()
        ports = model.fsm.inp_signals[0], model.fsm.out_signals[0]
        sources = sorted((Path(directory) / "src").rglob("*.v"))
        rtl = "\n".join(source.read_text() for source in sources)
    widths = [max(sum(kif) for kif in signal.precisions) for signal in ports]
    whole = {
        "rtl": rtl + with_ports(network, *widths),
        "cycles": int(model.latency),
        "input_bits": network.bits[0] * network.inputs,
    }
    print(json.dumps(whole))


if __name__ == "__main__":
    main()
