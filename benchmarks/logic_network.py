"""Trains look-up-table networks of a peer; `torchlogix_network.py` and `dwn_network.py` run it.

Features become thermometer bits, whose thresholds are quantiles of the training samples:
comparators in hardware. Results are sums of the last layer's nodes, a group for each class. A front
is made of networks of several sizes and shapes. Writes what `peer_training.py` describes. Needs
NumPy and PyTorch, and nothing of this project but `logic_hardware.py` and `peer_training.py`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from logic_hardware import Encoder, Layer, cost, output_bits, sums, verilog
from numpy.typing import NDArray
from peer_training import Clock, Job, PeerNetwork, candidates, read_job, write_result
from torch.nn import functional
from torch.optim.lr_scheduler import LRScheduler

LEAST_STEPS = 50
PROBE = 10
"""Steps that tell how long one takes."""


@dataclass(frozen=True)
class LogicKind:
    """A peer, and its settings."""

    package: str
    layer: Callable[[int, int, int, bool], torch.nn.Module]
    """A layer before training, by width, nodes, inputs of a node, and whether it is the first."""
    group_sum: Callable[[int, float], torch.nn.Module]
    """Sums of groups, by their number and what sums are divided by."""
    trained: Callable[[Any], Layer]
    """The nodes of a layer after training."""
    shapes: tuple[tuple[int, ...], ...]
    """Inputs of a node in each layer; a layer before the last has twice its nodes."""
    sizes: tuple[int, ...]
    """Nodes of the last layer for each result."""
    wide_sizes: tuple[int, ...]
    """Those of wide jobs."""
    thresholds: int
    """Thermometer bits of a feature, at most."""
    batch: int
    wide_batch: int
    rate: float
    """Of Adam."""
    rates: Callable[[torch.optim.Optimizer, int], LRScheduler]
    """How the rate falls, by the number of steps."""


def make_model(
    kind: LogicKind, bits: int, shape: tuple[int, ...], size: int, outputs: int
) -> torch.nn.Sequential:
    """A network of logic before training."""
    layers: list[torch.nn.Module] = []
    width = bits
    for index, rank in enumerate(shape):
        nodes = size * outputs * (1 if index + 1 == len(shape) else 2)
        layers.append(kind.layer(width, nodes, rank, index == 0))
        width = nodes
    return torch.nn.Sequential(*layers, kind.group_sum(outputs, temperature(size)))


def temperature(size: int) -> float:
    """What sums are divided by: a third of their standard deviation, if bits were independent."""
    return max(1.0, size**0.5) / 3.0


def train(
    kind: LogicKind,
    model: torch.nn.Sequential,
    bits: NDArray[np.bool_],
    labels: NDArray[np.int64],
    size: int,
    batch_size: int,
    steps: int,
    seed: int,
) -> None:
    """Train with Adam.

    Parameters
    ----------
    size : nodes of the last layer for each result.
    """
    x = torch.from_numpy(bits.astype(np.float32))
    y = torch.from_numpy(labels)
    random = np.random.default_rng(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=kind.rate, fused=True)
    rates = kind.rates(optimizer, steps)
    model.train()
    batches: list[NDArray[np.int64]] = []
    for _ in range(steps):
        if not batches:
            order = random.permutation(len(x))
            batches = np.array_split(order, max(1, len(x) // batch_size))
        batch = batches.pop()
        optimizer.zero_grad()
        loss(model(x[batch]), y[batch], size).backward()
        optimizer.step()
        rates.step()


def loss(results: torch.Tensor, y: torch.Tensor, size: int) -> torch.Tensor:
    """Cross entropy; of one result, half of the nodes are the middle."""
    if results.shape[1] > 1:
        return functional.cross_entropy(results, y)
    logits = results[:, 0] - size / 2 / temperature(size)
    return functional.binary_cross_entropy_with_logits(logits, y.float())


def run(kind: LogicKind) -> None:
    """Train the job that the command line names, and write its front."""
    job = read_job(Path(sys.argv[1]))
    torch.set_num_threads(1)
    encoder = Encoder(job.codes, kind.thresholds)
    bits = encoder(job.codes)
    test_bits = encoder(job.test_codes)
    sizes, batch = (kind.wide_sizes, kind.wide_batch) if job.wide else (kind.sizes, kind.batch)
    networks = [(shape, size) for shape in kind.shapes for size in sizes]

    def trained(
        shape: tuple[int, ...], size: int, samples: Any, steps: int, seed: int
    ) -> torch.nn.Sequential:
        model = make_model(kind, bits.shape[1], shape, size, job.outputs)
        train(kind, model, bits[samples], job.labels[samples], size, batch, steps, seed)
        return model

    # The first steps load parts of PyTorch, whose time is not counted.
    trained(*networks[0], slice(None), PROBE, 0)
    clock = Clock()
    found: list[dict[str, Any]] = []
    for done, (shape, size) in enumerate(networks):
        left = (job.seconds - clock.seconds) / (len(networks) - done)
        probe = Clock()
        trained(shape, size, slice(None), PROBE, 0)
        steps = max(LEAST_STEPS, int(PROBE * left / len(job.runs) / probe.seconds))
        held: list[NDArray[np.float64]] = []
        for index, (members, kept) in enumerate(job.runs):
            torch.manual_seed(job.seed * 100 + index)
            model = trained(shape, size, members, steps, job.seed)
            layers = [kind.trained(each) for each in model[:-1]]
            results = sums(layers, bits[kept], job.outputs)
            held.append(job.scores(centred(results, size), job.labels[kept]))
        model.eval()
        with torch.no_grad():
            theirs = model(torch.from_numpy(test_bits.astype(np.float32))) * temperature(size)
        results = sums(layers, test_bits, job.outputs)
        if not np.array_equal(results, theirs.round().numpy().astype(np.int64)):
            raise SystemExit(f"the tables give other sums than {kind.package}")
        every = np.concatenate(held)
        found.append(
            {
                "layers": layers,
                "size": size,
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
    written = [network_of(found[index], encoder, job) for index in chosen]
    versions = {name: version(name) for name in (kind.package, "torch")}
    write_result(Path(sys.argv[2]), written, seconds, versions)


def network_of(found: dict[str, Any], encoder: Encoder, job: Job) -> PeerNetwork:
    """A network as hardware."""
    layers: list[Layer] = found["layers"]
    ports = {"inputs": job.codes.shape[1], "bits": job.bits, "outputs": job.outputs}
    return PeerNetwork(
        [verilog(encoder, layers, **ports)],
        found["results"].tolist(),
        output_bits(layers, job.outputs),
        signed=False,
        score=found["score"],
        error=found["error"],
        what=found["what"],
        threshold=found["size"] / 2 if job.outputs == 1 else 0.0,
        core="core",
    )


def centred(results: NDArray[np.int64], size: int) -> NDArray[np.float64]:
    """Results whose decision is that of `Job.scores`."""
    return results - size / 2 if results.shape[1] == 1 else results.astype(np.float64)
