"""Trains look-up-table networks with torchlogix; run by `training.py` in torchlogix' environment.

    E/bin/python benchmarks/logic_network.py job.npz result.json

torchlogix (`pip install torchlogix`, "WARP Logic Neural Networks", arXiv 2602.03527) trains nodes
of six or four bits with learned inputs. Features become thermometer bits, whose thresholds are
quantiles of the training samples: comparators in hardware. Results are sums of the last layer's
nodes, a group for each class. A front is made of networks of several sizes and shapes. Writes what
`peer_training.py` describes. Needs NumPy, PyTorch and torchlogix, and nothing of this project but
`logic_hardware.py` and `peer_training.py`.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from logic_hardware import Encoder, Layer, cost, output_bits, sums, verilog
from numpy.typing import NDArray
from peer_training import Clock, Job, PeerNetwork, candidates, read_job, write_result
from torch.nn import functional

# torchlogix' module of circuits is written for Python 3.12. Nothing here uses it.
if sys.version_info < (3, 12):
    sys.modules["torchlogix.circuit"] = ModuleType("torchlogix.circuit")
    sys.modules["torchlogix.circuit"].Circuit = None

from torchlogix.connections import LearnableDenseConnections
from torchlogix.layers import GroupSum, LogicDense

THRESHOLDS = 15
"""Thermometer bits of a feature, at most."""
SIZES, WIDE_SIZES = (1, 2, 4, 8, 16, 32), (12, 48, 192)
"""Nodes of the last layer for each result, and those of wide jobs."""
SHAPES: tuple[tuple[int, ...], ...] = ((6,), (4,), (4, 4))
"""Inputs of a node in each layer; a layer before the last has twice its nodes."""
CANDIDATES = 48
"""Inputs that a node's input may become, at most."""
BATCH = 128
RATE = 0.03
LEAST_STEPS = 50
PROBE = 10
"""Steps that tell how long one takes."""


def make_model(bits: int, shape: tuple[int, ...], size: int, job: Job) -> torch.nn.Sequential:
    """A network of logic before training."""
    last = size * job.outputs
    layers: list[torch.nn.Module] = []
    width = bits
    for index, rank in enumerate(shape):
        nodes = last if index + 1 == len(shape) else 2 * last
        rank = min(rank, max(each for each in (1, 2, 4, 6) if each <= width))
        layer = LogicDense(
            width, nodes, lut_rank=rank, parametrization="warp", connections="learnable"
        )
        restrict(layer.connections)
        layers.append(layer)
        width = nodes
    return torch.nn.Sequential(*layers, GroupSum(job.outputs, temperature(size)))


def restrict(connections: LearnableDenseConnections) -> None:
    """Leave each input of a node `CANDIDATES` bits that it may become, at random.

    torchlogix does so itself only for layers that are large enough to read all bits.
    """
    bits, rank, nodes = connections.weights.shape
    if bits > CANDIDATES:
        order = torch.rand(bits, rank, nodes).argsort(dim=0)
        connections.indices = order[:CANDIDATES].contiguous()
        connections.weights = torch.nn.Parameter(torch.rand(CANDIDATES, rank, nodes))


def temperature(size: int) -> float:
    """What sums are divided by: a third of their standard deviation, if bits were independent."""
    return max(1.0, size**0.5) / 3.0


def train(
    model: torch.nn.Sequential,
    bits: NDArray[np.bool_],
    labels: NDArray[np.int64],
    steps: int,
    seed: int,
) -> None:
    """Train with Adam, the rate falling to 0 along a cosine."""
    x = torch.from_numpy(bits.astype(np.float32))
    y = torch.from_numpy(labels)
    random = np.random.default_rng(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    rates = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    model.train()
    batches: list[NDArray[np.int64]] = []
    for _ in range(steps):
        if not batches:
            order = random.permutation(len(x))
            count = max(1, len(x) // BATCH)
            batches = np.array_split(order, count)
        batch = batches.pop()
        optimizer.zero_grad()
        loss(model, model(x[batch]), y[batch]).backward()
        optimizer.step()
        rates.step()


def loss(model: torch.nn.Sequential, results: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Cross entropy; of one result, half of the nodes are the middle."""
    if results.shape[1] > 1:
        return functional.cross_entropy(results, y)
    logits = results[:, 0] - middle(model) / model[-1].tau
    return functional.binary_cross_entropy_with_logits(logits, y.float())


def middle(model: torch.nn.Sequential) -> float:
    """Half of the nodes of a group."""
    return model[-2].out_dim / model[-1].k / 2


def layers_of(model: torch.nn.Sequential) -> list[Layer]:
    """The trained nodes as tables."""
    return [
        Layer(each.connections.resolve_connections().numpy(), each.get_luts().numpy())
        for each in model[:-1]
    ]


def main() -> None:
    job = read_job(Path(sys.argv[1]))
    torch.set_num_threads(1)
    encoder = Encoder(job.codes, THRESHOLDS)
    bits = encoder(job.codes)
    test_bits = encoder(job.test_codes)
    sizes = WIDE_SIZES if job.wide else SIZES
    kinds = [(shape, size) for shape in SHAPES for size in sizes]
    # The first steps load parts of PyTorch, whose time is not counted.
    train(make_model(bits.shape[1], *kinds[0], job), bits, job.labels, PROBE, 0)
    clock = Clock()
    found: list[dict[str, Any]] = []
    for done, (shape, size) in enumerate(kinds):
        torch.manual_seed(job.seed)
        steps = None
        left = (job.seconds - clock.seconds) / (len(kinds) - done)
        share = left / len(job.runs)
        held: list[NDArray[np.float64]] = []
        for index, (trained, kept) in enumerate(job.runs):
            torch.manual_seed(job.seed * 100 + index)
            model = make_model(bits.shape[1], shape, size, job)
            if steps is None:
                probe = Clock()
                train(make_model(bits.shape[1], shape, size, job), bits, job.labels, PROBE, 0)
                steps = max(LEAST_STEPS, int(PROBE * share / probe.seconds))
            train(model, bits[trained], job.labels[trained], steps, job.seed)
            layers = layers_of(model)
            results = sums(layers, bits[kept], job.outputs)
            held.append(job.scores(centred(results, model), job.labels[kept]))
        model.eval()
        with torch.no_grad():
            theirs = model(torch.from_numpy(test_bits.astype(np.float32))) * model[-1].tau
        results = sums(layers, test_bits, job.outputs)
        if not np.array_equal(results, theirs.round().numpy().astype(np.int64)):
            raise SystemExit("the tables give other sums than torchlogix")
        every = np.concatenate(held)
        found.append(
            {
                "layers": layers,
                "middle": middle(model),
                "results": results,
                "score": float(every.mean()),
                "error": float(every.std() / len(every) ** 0.5),
                "what": f"{'+'.join(map(str, shape))} inputs, {size} nodes, {steps} steps",
                "cost": cost(layers),
            }
        )
    seconds = clock.seconds
    chosen = candidates(
        [each["cost"] for each in found], [each["score"] for each in found], job.most
    )
    networks: list[PeerNetwork] = []
    for each in (found[index] for index in chosen):
        layers: list[Layer] = each["layers"]
        ports = {"inputs": job.codes.shape[1], "bits": job.bits, "outputs": job.outputs}
        networks.append(
            PeerNetwork(
                [verilog(encoder, layers, **ports)],
                each["results"].tolist(),
                output_bits(layers, job.outputs),
                signed=False,
                score=each["score"],
                error=each["error"],
                what=each["what"],
                threshold=each["middle"] if job.outputs == 1 else 0.0,
            )
        )
    versions = {name: version(name) for name in ("torchlogix", "torch")}
    write_result(Path(sys.argv[2]), networks, seconds, versions)


def centred(results: NDArray[np.int64], model: torch.nn.Sequential) -> NDArray[np.float64]:
    """Results whose decision is that of `Job.scores`."""
    return results - middle(model) if results.shape[1] == 1 else results.astype(np.float64)


if __name__ == "__main__":
    main()
