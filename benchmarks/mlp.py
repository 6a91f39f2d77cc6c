"""A KAN and perceptrons with ReLU side by side: accuracy, LUTs, latency, by the same compiler.

    python benchmarks/mlp.py [--only wine|digits]

Perceptrons are trained as `examples/train_NAME.py` trains the KAN: noise, smoothed labels, bounded
hidden nodes and pruning, by the same code. All are compiled with the same widths of codes. LUTs and
latency are estimates for xcup.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from xdsl.context import Context

from kan_dialect.analysis.wires import latency_of, wire_functions
from kan_dialect.devices.estimate import estimate
from kan_dialect.files.data_sets import accuracy, load_dataset
from kan_dialect.frontends.loading import load_model, make_context
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.model.model import Model
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.passes.calibrate import CalibratePass
from kan_dialect.passes.fold_affine import FoldAffinePass

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
sys.path.insert(0, str(EXAMPLES))

from kan_layers import (  # noqa: E402  (found by way of the line above)
    Kan,
    KanLayer,
    Rescale,
    export,
    train_classifier,
)

INPUT_BITS = 4
ACTIVATION_BITS = (4, 5, 6)


class DenseLayer(KanLayer):
    """A perceptron's layer: edges that are a weight times ReLU, or times the input."""

    def __init__(
        self, inputs: int, outputs: int, function: Callable[[Tensor], Tensor], **options: Any
    ):
        super().__init__(inputs, outputs, base=function, bias=True, **options)
        self.coefficients = nn.Parameter(torch.zeros_like(self.coefficients), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        x = x if self.norm is None else self.norm(x)
        if self.training and self.noise:
            x = x + self.noise * torch.randn_like(x)
        return F.linear(self.base(x), self.base_weight, self.bias)


def perceptron(name: str, hidden: int) -> Kan:
    """With the normalisation, noise and bounds of the KAN's layers."""
    if name == "wine":
        options: dict[str, Any] = {"domain": (-3.0, 3.0), "noise": 0.1}
        first = DenseLayer(13, hidden, nn.Identity(), batch_norm=True, **options)
        return Kan(first, DenseLayer(hidden, 3, F.relu, **options))
    first = DenseLayer(64, hidden, nn.Identity(), noise=0.3)
    second = DenseLayer(hidden, 10, F.relu, domain=(-3.0, 3.0), noise=0.3)
    return Kan(Rescale(1 / 8, -1.0), first, second)


HIDDEN = {"wine": (4, 8, 16), "digits": (16, 32)}
TRAINING: dict[str, dict[str, Any]] = {
    "wine": {"epochs": 600, "batch": 124},
    "digits": {"epochs": 250, "batch": 64, "keep": 0.4},
}


def measure(what: str, path: Path, data: Path) -> None:
    """Print a row of a network for each width."""
    arrays = load_dataset(data)
    assert arrays.x_test is not None and arrays.y_test is not None
    module = load_model(make_context(), path)
    for stage in (FoldAffinePass(), CalibratePass(str(data))):
        stage.apply(Context(), module)
    edges = sum(int(op.mask_array.sum()) for op in module.walk() if isinstance(op, NodeSumOp))
    floats = accuracy(Model.of(module).run(arrays.x_test), arrays.y_test)
    row = f"| {what} | {edges} | {floats:.4f} "
    for bits in ACTIVATION_BITS:
        quantized = module.clone()
        integers: float | None = None
        for stage in CompilePass(bits=(INPUT_BITS, bits, bits)).passes()[1:-1]:
            stage.apply(Context(), quantized)
            if stage.name == "kan-fold-tables":
                integers = accuracy(Model.of(quantized).run(arrays.x_test), arrays.y_test)
        function = next(iter(wire_functions(quantized)))
        found, cycles = estimate(function), latency_of(function)
        row += f"| {INPUT_BITS} x {bits} | {integers:.4f} | {found.luts} | {cycles} | "
        print(row + f"{max(cycles, 1) * found.delay_ns:.1f} |", flush=True)
        row = "| | | "


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=HIDDEN)
    only = parser.parse_args().only
    print("| network | edges | floats | bits | integers | LUTs | cycles | ns |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    torch.set_num_threads(1)
    for name, widths in HIDDEN.items():
        if only not in (None, name):
            continue
        data = EXAMPLES / f"{name}.npz"
        x, y = (torch.from_numpy(np.load(data)[key]) for key in ("x_train", "y_train"))
        with TemporaryDirectory() as folder:
            given = EXAMPLES / f"{name}.onnx"
            measure(f"{name}, KAN", given, data)
            for hidden in widths:
                torch.manual_seed(0)
                model = perceptron(name, hidden)
                train_classifier(model, x, y, **TRAINING[name])
                path = Path(folder) / f"{name}.onnx"
                export(model, x[:2], path, opset=17, dynamo=False)
                what = f"{name}, perceptron of {hidden}"
                measure(what, path, data)


if __name__ == "__main__":
    main()
