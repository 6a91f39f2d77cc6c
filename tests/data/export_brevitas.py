"""Write the files of Brevitas's exporters that tests of the importer read.

To regenerate `tests/data/brevitas`: pip install brevitas onnxoptimizer onnxscript, then

    python tests/data/export_brevitas.py

The .npz of the same name holds `x`, (samples, in) float32, and `y`, (samples, out), as Brevitas
0.13.4 computes it.
"""

from __future__ import annotations

from pathlib import Path

import brevitas.nn as qnn
import numpy as np
import torch
from brevitas.export import export_onnx_qcdq, export_qonnx
from brevitas.quant import Int8WeightPerChannelFloat, Int32Bias
from torch import Tensor, nn

FOLDER = Path(__file__).parent / "brevitas"
SAMPLES = 48


class Network(nn.Module):
    """A network 8-6-3 with 4-bit weights, batch norm, and a bias that is quantised or not."""

    def __init__(self) -> None:
        super().__init__()
        self.input = qnn.QuantIdentity(bit_width=6, return_quant_tensor=True)
        self.first = qnn.QuantLinear(8, 6, bias=True, weight_bit_width=4)
        self.norm = nn.BatchNorm1d(6)
        self.relu = qnn.QuantReLU(bit_width=4, return_quant_tensor=True)
        self.last = qnn.QuantLinear(
            6,
            3,
            bias=True,
            weight_bit_width=4,
            weight_quant=Int8WeightPerChannelFloat,
            bias_quant=Int32Bias,
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.relu(self.norm(self.first(self.input(x)))))


def main() -> None:
    torch.manual_seed(0)
    network = Network()
    for _ in range(20):
        network(torch.randn(256, 8))  # Measures the ranges of activations.
    network.eval()
    x = torch.randn(SAMPLES, 8)
    y = network(x).detach()
    for name, export in (("qonnx", export_qonnx), ("qcdq", export_onnx_qcdq)):
        export(network, x[:1], export_path=str(FOLDER / f"{name}.onnx"), dynamo=False)
        np.savez_compressed(FOLDER / f"{name}.npz", x=x.numpy(), y=y.numpy())


if __name__ == "__main__":
    main()
