"""Trains weightless networks with torch-dwn; run by `training.py` in torch-dwn's environment.

    E/bin/python benchmarks/dwn_network.py job.npz result.json

torch-dwn 1.1.1 ("Differentiable Weightless Neural Networks", arXiv 2410.11112) trains nodes of six
bits, those of the first layer with learned inputs. Settings are those of its example for MNIST; of
many inputs, batches are larger. `logic_network.py` says the rest.

Its setup compiles CUDA. For a CPU, unpack its source archive, delete
`src/torch_dwn/custom_operators`, and run `E/bin/pip install wheel` and `E/bin/pip install
--no-build-isolation torch_dwn-1.1.1`. Its gradient of a table has CUDA code alone, so that of
`kan-flow train`, `qat/finite_difference.py`, takes its place.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
import torch_dwn.lut_layer
import torch_dwn.mapping
from logic_hardware import Layer
from logic_network import LogicKind, run
from torch.optim.lr_scheduler import LRScheduler, StepLR
from torch_dwn import GroupSum, LearnableMapping, LUTLayer
from torch_dwn.mapping import LearnableMappingFunction

sys.path.append(str(Path(__file__).parents[1] / "qat"))
from finite_difference import FiniteDifference

CONSTANT_PART = 14 / 30
"""Part of the steps after which the rate falls to a tenth."""


class FirstMapping(LearnableMappingFunction):
    """Learned inputs of the first layer, without the slopes of features, which nothing reads."""

    @staticmethod
    def backward(ctx: Any, slopes: torch.Tensor) -> tuple[Any, ...]:
        x, _, _ = ctx.saved_tensors
        return None, (2 * x - 1).T @ slopes, None


torch_dwn.lut_layer.EFDFunction = FiniteDifference
torch_dwn.mapping.LearnableMappingFunction = FirstMapping


def layer(width: int, nodes: int, rank: int, first: bool) -> torch.nn.Module:
    """A layer before training."""
    return LUTLayer(width, nodes, n=rank, mapping="learnable" if first else "random")


def trained(layer: Any) -> Layer:
    """The nodes of a layer as tables. Theirs have their first input as the lowest bit."""
    mapping = layer.mapping
    if isinstance(mapping, LearnableMapping):
        mapping = mapping.weights.argmax(dim=0).reshape(-1, layer.n)
    inputs = mapping.detach().numpy().T[::-1].astype("int64")
    return Layer(inputs, (layer.luts > 0).numpy())


def rates(optimizer: torch.optim.Optimizer, steps: int) -> LRScheduler:
    """A rate that falls to a tenth, and to a hundredth."""
    return StepLR(optimizer, max(1, round(CONSTANT_PART * steps)), gamma=0.1)


if __name__ == "__main__":
    run(
        LogicKind(
            "torch-dwn",
            layer,
            GroupSum,
            trained,
            shapes=((6,), (6, 6)),
            sizes=(1, 2, 4, 8, 16, 32),
            wide_sizes=(12, 24, 40, 100),
            thresholds=15,
            batch=32,
            wide_batch=128,
            rate=0.01,
            rates=rates,
        )
    )
