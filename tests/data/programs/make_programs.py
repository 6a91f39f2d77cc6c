"""Write the programs of this folder: da4ml 0.5.1 and alkaid 0.8.2 trace small networks.

    python make_programs.py    (Python with both packages)

Each program has golden vectors beside it, what the package's own interpreter in C++ computes.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
RNG = np.random.default_rng(0)
SAMPLES = (RNG.normal(size=(100, 4)) * 192).round() / 64


def sine(x: Any) -> Any:
    return np.sin(x) * 2


def network(x: Any, quantized: Any) -> Any:
    """Edges that are tables, and nodes that add; then a dense layer with ReLU and a maximum."""
    edges = quantized(x, 1, 2, 2)
    tables = [[edges[i : i + 1].apply(f) for i in range(4)] for f in (sine, np.tanh, np.abs)]
    nodes = [
        sum(quantized(each, 1, 2, 3) for each in row[1:]) + quantized(row[0], 1, 2, 3)
        for row in tables
    ]
    hidden = np.concatenate([quantized(each, 1, 3, 2) for each in nodes])
    weights = np.array([[1.5, -2.0, 0.75], [-3.25, 0.5, 5.0], [1.0, 2.25, -0.5]])
    dense = hidden @ weights + np.array([0.125, -0.75, 2.0])
    positive = dense.relu(i=np.array([3] * 3), f=np.array([1] * 3))
    largest = np.maximum(positive[0:1], quantized(dense[1:2], 1, 3, 1))
    negated = quantized(-dense[2:3], 1, 4, 1)
    mirrored = (-dense[0:1]).relu(i=np.array([3]), f=np.array([1])) + np.abs(dense[1:2])
    outputs = [largest, negated, -positive[2:3], positive[1:2] * 0 + 0.75, mirrored]
    return np.concatenate(outputs)


def bits(x: Any, quantized: Any) -> Any:
    """Bit operations, which alkaid has."""
    q = quantized(x, 1, 2, 1)
    u = quantized(x, 0, 2, 1)
    found = [
        q[0] & u[1],
        q[1] | u[2],
        q[2] ^ u[3],
        ~q[3],
        q[0].unary_bit_op("any"),
        u[1].unary_bit_op("all"),
    ]
    return found


def save(name: str, program: Any) -> None:
    program.save(HERE / f"{name}.json")
    y = program.predict(SAMPLES)
    np.savez_compressed(HERE / f"{name}.npz", x=SAMPLES.astype(np.float32), y=y.astype(np.float32))
    ops = sorted({op.opcode for op in program.ops})
    print(name, len(program.ops), "operations", ops, file=sys.stderr)


if __name__ == "__main__":
    from da4ml.trace import FixedVariableArrayInput, HWConfig, comb_trace

    x = FixedVariableArrayInput((4,), hwconf=HWConfig(1, -1, -1))
    save("da4ml", comb_trace(x, network(x, lambda v, k, i, f: v.quantize(k, i, f))))

    from alkaid.trace import FVArray, FVArrayInput, trace

    x = FVArrayInput((4,))
    save("alkaid", trace(x, network(x, lambda v, k, i, f: v.quantize(k, i, f))))
    x = FVArrayInput((4,))
    save(
        "alkaid_bits", trace(x, FVArray(np.array(bits(x, lambda v, k, i, f: v.quantize(k, i, f)))))
    )
