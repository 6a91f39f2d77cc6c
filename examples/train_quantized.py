"""Train one of the example networks further, with its quantisers in place.

    kan-flow build examples/digits.onnx --calibration examples/digits.npz --bits 2,3,3 -o out/float
    python examples/train_quantized.py digits --quantizers out/float/quantizers.json -o out/trained
    kan-flow build out/trained/digits.onnx --calibration examples/digits.npz \
        --quantizers out/float/quantizers.json -o out/digits

The compiler says which bits and scales it chose (`quantizers.json`); `QuantizedKan` computes with
them as the compiler's integers will, in PyTorch, and lets gradients through what is rounded. The
trained weights go back as an ordinary ONNX file: with the same quantisers, the compiler makes the
very integers of it that were trained.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
import train_digits
import train_wine
from kan_layers import Kan, accuracy, check_export, export
from torch import Tensor, nn

from kan_dialect.frontends.loading import load_model, make_context
from kan_dialect.ir.constants import to_floats
from kan_dialect.ops.layer import AffineOp, NodeSumOp
from kan_dialect.ops.spline import BaseOp, BSplineOp

HERE = Path(__file__).parent
NETWORKS: dict[str, tuple[Callable[[], Kan], int, dict[str, Any]]] = {
    "wine": (train_wine.build_model, 300, {"opset": 18, "dynamo": True}),
    "digits": (train_digits.build_model, 60, {"opset": 17, "dynamo": False}),
}
"""Of each network: what makes it, epochs, and how it is exported."""


class RoundStraightThrough(torch.autograd.Function):
    """Rounds half to even; gradients pass as if it did not (Bengio et al., arXiv 1308.3432)."""

    @staticmethod
    def forward(context: Any, x: Tensor) -> Tensor:
        return x.round()

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        return gradient


def round_ste(x: Tensor) -> Tensor:
    """x rounded half to even, with the gradient of the identity."""
    return RoundStraightThrough.apply(x)


class Codes(nn.Module):
    """Codes of inputs or nodes: clamp(round(x / scale) + zero_point, low, high)."""

    def __init__(self, entry: dict[str, Any]) -> None:
        super().__init__()
        for name in ("low", "high", "scale", "zero_point"):
            self.register_buffer(name, torch.tensor(entry[name], dtype=torch.float64))

    def saturate(self, steps: Tensor) -> Tensor:
        """Steps of `scale` (batch, n) -> codes, as float64; where they saturate, gradients end."""
        codes = round_ste(steps) + self.zero_point
        return torch.minimum(torch.maximum(codes, self.low), self.high)

    def dequantize(self, codes: Tensor) -> Tensor:
        return (codes - self.zero_point) * self.scale


class QuantizedKan(nn.Module):
    """A chain of `KanLayer`s that computes with codes: the compiler's numerics, in float64.

    Each edge is rounded to the scale of its node, once; sums are exact; hidden nodes saturate.
    Batch norms stay as they are: the model is in evaluation mode, whatever is trained.
    """

    def __init__(self, model: Kan, quantizers: dict[str, Any]) -> None:
        """
        Parameters
        ----------
        model : trained in floats; its parameters are trained further, in float64.
        quantizers : what `quantizers.json` holds.

        Raises
        ------
        ValueError : they are of another network.
        """
        super().__init__()
        self.model = model.double().eval()
        entries = quantizers["layers"]
        layers = model.kan_layers
        shapes = [list(np.shape(entry.get("edges", {}).get("kept"))) for entry in entries]
        if len(quantizers["inputs"]) != 1 or shapes != [list(each.kept.shape) for each in layers]:
            raise ValueError(f"the quantisers are of another network: its layers are {shapes}")
        (given,) = quantizers["inputs"]
        self.inputs = Codes(given)
        self.nodes = nn.ModuleList(Codes(entry["nodes"]) for entry in entries)
        self.saturates = [entry["nodes"]["saturates"] for entry in entries]
        self.register_buffer("gain", torch.tensor(given["gain"], dtype=torch.float64))
        self.register_buffer("offset", torch.tensor(given["offset"], dtype=torch.float64))
        for index, (layer, entry) in enumerate(zip(layers, entries, strict=True)):
            scale = torch.tensor(entry["edges"]["scale"], dtype=torch.float64)
            self.register_buffer(f"scale{index}", scale.expand(len(layer.kept)))
            shift = torch.tensor(entry["nodes"]["shift"], dtype=torch.float64)
            self.register_buffer(f"divisor{index}", torch.exp2(shift))
            layer.kept &= torch.tensor(entry["edges"]["kept"])
            layer.clear_pruned_edges()
            if layer.norm is not None:
                # ONNX holds it as a float32.
                layer.norm.eps = float(np.float32(layer.norm.eps))

    def forward(self, x: Tensor) -> Tensor:
        """The outputs (batch, out) for raw features (batch, in)."""
        return self.sums(x) * self.get_buffer(f"scale{len(self.nodes) - 1}")

    def sums(self, x: Tensor) -> Tensor:
        """The output codes (batch, out), whole numbers as float64: what hardware gives."""
        x = x.double() * self.gain + self.offset
        value = self.inputs.dequantize(self.inputs.saturate(x / self.inputs.scale))
        sums, index = value, 0
        for module in self.model:
            if module not in self.model.kan_layers:
                value = module(value)
                continue
            scale = self.get_buffer(f"scale{index}")
            sums = round_ste(module.edges(value) / scale[:, None]).sum(-1)
            if module.bias is not None:
                sums = sums + round_ste(module.bias / scale)
            if self.saturates[index]:
                sums = self.nodes[index].saturate(sums / self.get_buffer(f"divisor{index}"))
                value = self.nodes[index].dequantize(sums)
            index += 1
        return sums


def load_parameters(model: Kan, path: Path) -> None:
    """Give `model` the parameters of an exported network, as the compiler reads them."""
    ops = list(load_model(make_context(), path).walk())

    def arrays(kind: type[Any], name: str) -> list[Tensor]:
        found = [to_floats(getattr(op, name)) for op in ops if isinstance(op, kind)]
        return [torch.tensor(array, dtype=torch.float32) for array in found]

    masks = [torch.tensor(op.mask_array) for op in ops if isinstance(op, NodeSumOp)]
    coefficients, weights = arrays(BSplineOp, "coefficients"), arrays(BaseOp, "weights")
    with torch.no_grad():
        for index, layer in enumerate(model.kan_layers):
            layer.coefficients.copy_(coefficients[index])
            layer.base_weight.copy_(weights[index])
            layer.kept.copy_(masks[index])
        norm = model.kan_layers[0].norm
        if norm is not None:
            norm.running_var.fill_(1.0 - norm.eps)
            norm.weight.copy_(arrays(AffineOp, "scale")[0])
            norm.bias.copy_(arrays(AffineOp, "bias")[0])


def train(
    network: QuantizedKan,
    x: Tensor,
    y: Tensor,
    *,
    epochs: int,
    batch: int = 64,
    learning_rate: float = 2e-3,
) -> None:
    """Train in place with Adam and a cosine schedule on smoothed cross-entropy.

    Parameters
    ----------
    x : (samples, in), raw features; y : (samples), integer classes.
    """
    optimizer = torch.optim.Adam(network.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(batch):
            loss = F.cross_entropy(network(x[rows]), y[rows], label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            for layer in network.model.kan_layers:
                layer.clear_pruned_edges()
        schedule.step()


def round_to_float32(network: QuantizedKan) -> Kan:
    """The trained model as it is exported; the network computes with the same numbers from now."""
    with torch.no_grad():
        for tensor in [*network.model.parameters(), *network.model.buffers()]:
            if tensor.dtype == torch.float64:
                tensor.copy_(tensor.float())
    return network.model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("--quantizers", type=Path, required=True, metavar="FILE.json")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    options = parser.parse_args()
    build_model, epochs, exporting = NETWORKS[options.network]
    torch.manual_seed(0)
    torch.set_num_threads(1)  # Sums then have one order, on any number of cores.
    data = np.load(HERE / f"{options.network}.npz")
    names = ("x_train", "y_train", "x_test", "y_test")
    x_train, y_train, x_test, y_test = (torch.from_numpy(data[name]) for name in names)
    model = build_model().eval()
    load_parameters(model, HERE / f"{options.network}.onnx")
    print(f"test accuracy of floats          {accuracy(model, x_test, y_test):.4f}")
    network = QuantizedKan(model, json.loads(options.quantizers.read_text()))
    print(f"of codes, before training        {accuracy(network, x_test, y_test):.4f}")
    train(network, x_train, y_train, epochs=options.epochs or epochs)
    model = round_to_float32(network)
    print(f"of codes, after training         {accuracy(network, x_test, y_test):.4f}")
    options.output.mkdir(parents=True, exist_ok=True)
    path = options.output / f"{options.network}.onnx"
    with torch.no_grad():
        sums = network.sums(torch.cat([x_train, x_test])).numpy().astype(np.int64)
    np.save(options.output / "codes.npy", sums)
    export(model.float(), x_train[:2], path, **exporting)
    check_export(model, torch.cat([x_train, x_test]), path, tolerance=1e-4)


if __name__ == "__main__":
    main()
