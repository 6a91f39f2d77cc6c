"""Trains look-up-table networks with torchlogix; run by `training.py` in torchlogix' environment.

    E/bin/python benchmarks/torchlogix_network.py job.npz result.json

torchlogix (`pip install torchlogix`, "WARP Logic Neural Networks", arXiv 2602.03527) trains nodes
of six or four bits with learned inputs. `logic_network.py` says the rest.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import torch
from logic_hardware import Layer
from logic_network import LogicKind, run
from torch.optim.lr_scheduler import CosineAnnealingLR

# torchlogix' module of circuits is written for Python 3.12. Nothing here uses it.
if sys.version_info < (3, 12):
    sys.modules["torchlogix.circuit"] = ModuleType("torchlogix.circuit")
    sys.modules["torchlogix.circuit"].Circuit = None

from torchlogix.connections import LearnableDenseConnections
from torchlogix.layers import GroupSum, LogicDense

CANDIDATES = 48
"""Inputs that a node's input may become, at most."""


def layer(width: int, nodes: int, rank: int, first: bool) -> torch.nn.Module:
    """A layer before training; narrow ones have nodes of fewer inputs."""
    rank = min(rank, max(each for each in (1, 2, 4, 6) if each <= width))
    found = LogicDense(width, nodes, lut_rank=rank, parametrization="warp", connections="learnable")
    restrict(found.connections)
    return found


def restrict(connections: LearnableDenseConnections) -> None:
    """Leave each input of a node `CANDIDATES` bits that it may become, at random.

    torchlogix does so itself only for layers that are large enough to read all bits.
    """
    bits, rank, nodes = connections.weights.shape
    if bits > CANDIDATES:
        order = torch.rand(bits, rank, nodes).argsort(dim=0)
        connections.indices = order[:CANDIDATES].contiguous()
        connections.weights = torch.nn.Parameter(torch.rand(CANDIDATES, rank, nodes))


def trained(layer: Any) -> Layer:
    """The nodes of a layer as tables."""
    return Layer(layer.connections.resolve_connections().numpy(), layer.get_luts().numpy())


if __name__ == "__main__":
    run(
        LogicKind(
            "torchlogix",
            layer,
            GroupSum,
            trained,
            shapes=((6,), (4,), (4, 4)),
            sizes=(1, 2, 4, 8, 16, 32),
            wide_sizes=(12, 48, 192),
            thresholds=15,
            batch=128,
            wide_batch=128,
            rate=0.03,
            rates=CosineAnnealingLR,
        )
    )
