"""Networks of floats that `training.py` has small networks learn from, beside the labels.

A teacher learns from all samples that it is given. A training that learns from the teacher holds
some of these samples out. This module needs PyTorch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from kan_dialect.files.data_sets import Dataset

RATE = 3e-3
"""Of AdamW at the first step; it falls to 0 along a cosine."""


class Teacher(nn.Module):
    """A network of floats, and how it is trained."""

    steps: int
    batch: int
    """Samples of a step."""
    weight_decay: float

    def __init__(self, x: Tensor, classes: int) -> None:
        """
        Parameters
        ----------
        x : (samples, features), float32, which it will learn.
        classes : number of results.
        """
        super().__init__()

    def varied(self, x: Tensor) -> Tensor:
        """Other samples of the same classes, (samples, features)."""
        return x

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        """Cross entropy of samples (samples, features) with labels (samples)."""
        return functional.cross_entropy(self(x), y)


class Perceptrons(Teacher):
    """The mean of five perceptrons of two hidden layers."""

    steps, batch, weight_decay = 1500, 512, 2e-2
    members, nodes = 5, 48

    def __init__(self, x: Tensor, classes: int) -> None:
        super().__init__(x, classes)
        self.register_buffer("mean", x.mean(0))
        self.register_buffer("spread", x.std(0).clamp(min=1e-6))
        self.all = nn.ModuleList(
            nn.Sequential(
                nn.Linear(x.shape[1], self.nodes),
                nn.ReLU(),
                nn.Linear(self.nodes, self.nodes),
                nn.ReLU(),
                nn.Linear(self.nodes, classes),
            )
            for _ in range(self.members)
        )

    def each(self, x: Tensor) -> Tensor:
        """(perceptrons, samples, classes)."""
        x = (x - self.mean) / self.spread
        return torch.stack([one(x) for one in self.all])

    def forward(self, x: Tensor) -> Tensor:
        return self.each(x).mean(0)

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        return functional.cross_entropy(self.each(x).flatten(0, 1), y.repeat(self.members))


class Convolutions(Teacher):
    """Three convolutions and a linear layer, for square images, which it turns and shifts."""

    steps, batch, weight_decay = 2500, 128, 1e-2
    channels = (16, 32, 64)
    turn, scale, shear, shift = 0.15, 0.06, 0.1, 0.07
    """Largest changes of an image: radians, parts of its size, and half of its side is 1."""
    smoothing = 0.02
    """Of labels, so that results tell what an image is like, not only what it is."""

    def __init__(self, x: Tensor, classes: int) -> None:
        super().__init__(x, classes)
        self.side = math.isqrt(x.shape[1])
        assert self.side**2 == x.shape[1]
        self.register_buffer("brightest", x.max())
        layers: list[nn.Module] = []
        side, before = self.side, 1
        for channels in self.channels:
            layers += [nn.Conv2d(before, channels, 3, padding=1), nn.BatchNorm2d(channels)]
            layers += [nn.ReLU(), nn.MaxPool2d(2, ceil_mode=True)]
            side, before = -(-side // 2), channels
        self.layers = nn.Sequential(
            *layers, nn.Flatten(), nn.Dropout(0.3), nn.Linear(before * side**2, classes)
        )

    def varied(self, x: Tensor) -> Tensor:
        turn, scale, shear, *shift = (
            (2.0 * torch.rand(len(x)) - 1.0) * most
            for most in (self.turn, self.scale, self.shear, self.shift, self.shift)
        )
        rows = [
            torch.stack([(1.0 + scale) * turn.cos(), shear - turn.sin(), shift[0]], 1),
            torch.stack([turn.sin(), (1.0 + scale) * turn.cos(), shift[1]], 1),
        ]
        images = x.reshape(-1, 1, self.side, self.side)
        places = functional.affine_grid(torch.stack(rows, 1), list(images.shape), False)
        return functional.grid_sample(images, places, align_corners=False).reshape(x.shape)

    def forward(self, x: Tensor) -> Tensor:
        images = x.reshape(-1, 1, self.side, self.side) / self.brightest
        # All samples at once would take gigabytes.
        return torch.cat([self.layers(part) for part in images.split(512)])

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        return functional.cross_entropy(self(x), y, label_smoothing=self.smoothing)


TEACHERS: Mapping[str, type[Teacher]] = {"perceptrons": Perceptrons, "convolutions": Convolutions}


def trained_teacher(kind: str, dataset: Dataset, seed: int) -> Teacher:
    """A teacher that has learned a data set, whose labels are classes.

    Parameters
    ----------
    kind : one of `TEACHERS`.
    """
    torch.manual_seed(seed)
    x = torch.from_numpy(dataset.x).float()
    y = torch.from_numpy(np.asarray(dataset.y, dtype=np.int64))
    teacher = TEACHERS[kind](x, int(y.max()) + 1)
    optimizer = torch.optim.AdamW(teacher.parameters(), RATE, weight_decay=teacher.weight_decay)
    rates = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, teacher.steps)
    for _ in range(teacher.steps):
        samples = torch.randint(len(x), (min(len(x), teacher.batch),))
        optimizer.zero_grad()
        teacher.loss(teacher.varied(x[samples]), y[samples]).backward()
        optimizer.step()
        rates.step()
    return teacher.eval()
