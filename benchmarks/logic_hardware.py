"""Look-up-table networks as Verilog: thermometer encoder, nodes as tables, sums of groups.

`logic_network.py` trains them. A node's table is a constant that its inputs index. Needs NumPy, and
nothing of this project.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


class Encoder:
    """Thermometer bits of codes: bit k is 1 where code `feature[k]` is above `threshold[k]`."""

    def __init__(self, codes: NDArray[np.int64], thresholds: int) -> None:
        """
        Parameters
        ----------
        codes : (samples, inputs), whose quantiles are the thresholds.
        thresholds : most of them for a feature.
        """
        parts = np.arange(1, thresholds + 1) / (thresholds + 1)
        pairs = [
            (feature, int(threshold))
            for feature, column in enumerate(codes.T)
            for threshold in np.unique(np.floor(np.quantile(column, parts)))
            if (column > threshold).any()
        ]
        self.feature, self.threshold = np.array(pairs, dtype=np.int64).T

    def __call__(self, codes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Bits (samples, bits) of codes (samples, inputs)."""
        return codes[:, self.feature] > self.threshold


@dataclass(frozen=True)
class Layer:
    """Nodes as tables."""

    inputs: NDArray[np.int64]
    """(inputs of a node, nodes): indices of bits of the layer before."""
    tables: NDArray[np.bool_]
    """(nodes, entries); the first input is the upper bit of the index."""

    def __call__(self, bits: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(samples, nodes) of (samples, bits)."""
        index = np.zeros((len(bits), self.inputs.shape[1]), dtype=np.int64)
        for row in self.inputs:
            index = 2 * index + bits[:, row]
        return self.tables[np.arange(self.inputs.shape[1]), index]


def sums(layers: Sequence[Layer], bits: NDArray[np.bool_], outputs: int) -> NDArray[np.int64]:
    """Results (samples, outputs) of bits."""
    for layer in layers:
        bits = layer(bits)
    return bits.reshape(len(bits), outputs, bits.shape[1] // outputs).sum(axis=2)


def output_bits(layers: Sequence[Layer], outputs: int) -> int:
    """Bits of a result, with a sign that is 0."""
    return (layers[-1].inputs.shape[1] // outputs).bit_length() + 1


def verilog(
    encoder: Encoder,
    layers: Sequence[Layer],
    *,
    inputs: int,
    bits: int,
    outputs: int,
) -> str:
    """The network as the combinational module `peer`, which has `core` behind the encoder.

    Parameters
    ----------
    inputs, bits : number of features, and bits of a code.
    """
    group = layers[-1].inputs.shape[1] // outputs
    needed = needed_bits(layers)
    read = sorted(needed[0])
    lines: list[str] = []
    for depth, (layer, wanted) in enumerate(zip(layers, needed[1:], strict=True)):
        entries = layer.tables.shape[1]
        for node in sorted(wanted):
            value = sum(1 << entry for entry in np.flatnonzero(layer.tables[node]).tolist())
            index = ", ".join(f"b{depth}_{source}" for source in layer.inputs[:, node])
            name = f"b{depth + 1}_{node}"
            lines.append(f"  localparam [{entries - 1}:0] T{name} = {entries}'h{value:x};")
            lines.append(f"  wire {name} = T{name}[{{{index}}}];")
    for output in range(outputs):
        first = output * group
        terms = [f"b{len(layers)}_{node}" for node in range(first, first + group)]
        lines.append(f"  assign y{output} = {' + '.join(terms)};")
    width = output_bits(layers, outputs)
    results = [f"output signed [{width - 1}:0] y{i}" for i in range(outputs)]
    ports = [*(f"input b0_{k}" for k in read), *results]
    core = [f"module core ({', '.join(ports)});", *lines, "endmodule"]
    ports = [*(f"input [{bits - 1}:0] x{i}" for i in range(inputs)), *results]
    encoded = [f".b0_{k}(x{encoder.feature[k]} > {bits}'d{encoder.threshold[k]})" for k in read]
    joined = [*encoded, *(f".y{i}(y{i})" for i in range(outputs))]
    peer = [f"module peer ({', '.join(ports)});", f"  core inner ({', '.join(joined)});"]
    return "\n".join([*core, *peer, "endmodule", ""])


def needed_bits(layers: Sequence[Layer]) -> list[set[int]]:
    """Bits of the encoder and of each layer that a result depends on."""
    needed = [set(range(layers[-1].inputs.shape[1]))]
    for layer in reversed(layers):
        needed.insert(0, {int(each) for node in needed[0] for each in layer.inputs[:, node]})
    return needed


def cost(layers: Sequence[Layer]) -> float:
    """LUTs by the number of nodes, comparators and summands."""
    needed = needed_bits(layers)
    return len(needed[0]) + sum(map(len, needed[1:])) + layers[-1].inputs.shape[1]
