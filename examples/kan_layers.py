"""B-spline Kolmogorov-Arnold networks in PyTorch: layers, training with pruning, export to ONNX.

Shared by the training scripts beside it and by the test fixtures. Nothing of `kan_dialect` needs
it: the compiler reads the exported files.
"""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
import torch.nn.functional as F
from torch import Tensor, nn

Activation = Callable[[Tensor], Tensor]


def extended_grid(grid: Tensor, degree: int) -> Tensor:
    """The knots of a grid: `degree` more points on both sides, at the grid's mean spacing.

    Parameters
    ----------
    grid : (in, points), ascending.

    Returns
    -------
    (in, points + 2 * degree)
    """
    first, last = grid[:, :1], grid[:, -1:]
    beyond = (last - first) / (grid.shape[1] - 1) * torch.arange(1, degree + 1, dtype=grid.dtype)
    return torch.cat([first - beyond.flip(1), grid, last + beyond], dim=1)


def bspline_basis(x: Tensor, knots: Tensor, degree: int) -> Tensor:
    """B-splines by the Cox-de Boor recursion; cells are half-open, outside the knots all are 0.

    Parameters
    ----------
    x : (batch, in)
    knots : (in, K), strictly ascending.

    Returns
    -------
    (batch, in, K - 1 - degree)
    """
    x = x.unsqueeze(-1)
    basis = ((x >= knots[:, :-1]) & (x < knots[:, 1:])).to(x.dtype)
    for order in range(1, degree + 1):
        width = knots[:, order:] - knots[:, :-order]
        rising = (x - knots[:, : -order - 1]) / width[:, :-1]
        falling = (knots[:, order + 1 :] - x) / width[:, 1:]
        basis = rising * basis[..., :-1] + falling * basis[..., 1:]
    return basis


class KanLayer(nn.Module):
    """Every edge is a spline plus a weighted base function; nodes sum their edges.

    y[o] = bias[o] + sum_i base_weight[o, i] * base(x[i]) + sum_im coefficients[o, i, m] * B_m(x[i])

    Parameters
    ----------
    degree : of the B-splines.
    intervals : cells of the uniform grid on `domain`.
    base : the fixed function beside the spline; None leaves the branch out.
    batch_norm : normalise the inputs first.
    noise : standard deviation of Gaussian noise that training adds to the (normalised) inputs.

    Attributes
    ----------
    knots : (in, intervals + 1 + 2 * degree)
    coefficients : (out, in, intervals + degree)
    base_weight : (out, in)
    bias : (out), or None
    kept : (out, in) bool; False where the edge is pruned.
    """

    knots: Tensor
    kept: Tensor

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        degree: int = 3,
        intervals: int = 5,
        domain: tuple[float, float] = (-1.0, 1.0),
        base: Activation | None = F.silu,
        bias: bool = False,
        batch_norm: bool = False,
        noise: float = 0.0,
    ) -> None:
        super().__init__()
        self.degree = degree
        self.limit = max(abs(end) for end in domain)
        self.base = base
        self.noise = noise
        grid = torch.linspace(*domain, intervals + 1).expand(inputs, -1)
        self.register_buffer("knots", extended_grid(grid, degree).contiguous())
        self.register_buffer("kept", torch.ones(outputs, inputs, dtype=torch.bool))
        scale = 1.0 / math.sqrt(inputs)
        self.coefficients = nn.Parameter(
            0.3 * scale * torch.randn(outputs, inputs, intervals + degree)
        )
        self.base_weight = nn.Parameter(scale * torch.randn(outputs, inputs)) if base else None
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.norm = nn.BatchNorm1d(inputs) if batch_norm else None

    def forward(self, x: Tensor) -> Tensor:
        """(batch, in) -> (batch, out)"""
        if self.norm is not None:
            x = self.norm(x)
        if self.training and self.noise:
            x = x + self.noise * torch.randn_like(x)
        basis = bspline_basis(x, self.knots, self.degree)
        y = F.linear(basis.flatten(1), self.coefficients.flatten(1), self.bias)
        if self.base is not None:
            y = y + F.linear(self.base(x), self.base_weight)
        return y

    def edges(self, x: Tensor) -> Tensor:
        """The value of every edge function: (batch, in) -> (batch, out, in)."""
        if self.norm is not None:
            x = self.norm(x)
        basis = bspline_basis(x, self.knots, self.degree)
        values = torch.einsum("bim,oim->boi", basis, self.coefficients)
        if self.base is not None:
            values = values + self.base_weight * self.base(x).unsqueeze(1)
        return values

    @torch.no_grad()
    def clear_pruned_edges(self) -> None:
        """Set the parameters of edges that are not `kept` to exactly zero."""
        self.coefficients.mul_(self.kept.unsqueeze(-1))
        if self.base_weight is not None:
            self.base_weight.mul_(self.kept)


class Rescale(nn.Module):
    """x * gain + offset: a fixed map of raw features to the domain of the first grid."""

    def __init__(self, gain: float, offset: float) -> None:
        super().__init__()
        self.gain = gain
        self.offset = offset

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gain + self.offset


class Kan(nn.Sequential):
    """`KanLayer`s in a chain, perhaps after a `Rescale`: (batch, in) -> (batch, out)."""

    @property
    def kan_layers(self) -> list[KanLayer]:
        return [layer for layer in self if isinstance(layer, KanLayer)]

    def forward_with_excess(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The outputs (batch, out), and how far hidden nodes leave the grid that reads them.

        The excess is the mean square of |h| - limit where that is positive. Held small, nodes keep
        to a range known beforehand, which a few bits can cover.
        """
        excess = x.new_zeros(())
        first = self.kan_layers[0]
        for layer in self:
            if isinstance(layer, KanLayer) and layer is not first:
                excess = excess + (x.abs() - layer.limit).clamp_min(0.0).square().mean()
            x = layer(x)
        return x, excess


@torch.no_grad()
def prune_edges(model: Kan, x: Tensor, share: float) -> None:
    """Keep the `share` of all edges that matter most to their nodes on x (samples, in).

    An edge matters by the standard deviation of its value relative to that of its node's, so edges
    of constant inputs go first, and layers compare.
    """
    importance: list[Tensor] = []
    for layer in model:
        if isinstance(layer, KanLayer):
            edges = layer.edges(x)
            deviation = edges.sum(-1).std(0).clamp_min(1e-6)
            importance.append(edges.std(0) / deviation.unsqueeze(1))
        x = layer(x)
    ranked = torch.cat([values.flatten() for values in importance]).sort(descending=True).values
    threshold = ranked[round(share * (len(ranked) - 1))]
    for layer, values in zip(model.kan_layers, importance, strict=True):
        layer.kept &= values >= threshold
        layer.clear_pruned_edges()


def train_classifier(
    model: Kan,
    x: Tensor,
    y: Tensor,
    *,
    epochs: int,
    batch: int,
    learning_rate: float = 5e-3,
    weight_decay: float = 0.1,
    keep: float = 1.0,
    smoothing: float = 0.1,
    range_weight: float = 10.0,
) -> None:
    """Train `model` in place with AdamW and a cosine schedule on smoothed cross-entropy.

    Parameters
    ----------
    x : (samples, in), raw features; y : (samples), integer classes.
    keep : share of the edges that survive pruning, which goes by the cubic schedule of Zhu and
        Gupta (arXiv 1710.01878) over the second and third quarter of the epochs.
    smoothing : of the labels, which bounds the outputs.
    range_weight : of the penalty on hidden nodes that leave the next layer's grid.
    """
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for epoch in range(epochs):
        progress = (epoch / epochs - 0.25) / 0.5
        if keep < 1.0 and 0.0 < progress <= 1.0:
            model.eval()
            prune_edges(model, x, keep + (1.0 - keep) * (1.0 - progress) ** 3)
        model.train()
        for rows in torch.randperm(len(x)).split(batch):
            outputs, excess = model.forward_with_excess(x[rows])
            loss = F.cross_entropy(outputs, y[rows], label_smoothing=smoothing)
            optimizer.zero_grad()
            (loss + range_weight * excess).backward()
            optimizer.step()
            for layer in model.kan_layers:
                layer.clear_pruned_edges()
        schedule.step()
    model.eval()


@torch.no_grad()
def accuracy(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """Share of the samples whose largest output is that of their class."""
    return (model(x).argmax(1) == y).double().mean().item()


def edge_counts(model: Kan) -> tuple[int, int]:
    """Edges that are not zero, and all edges."""
    kept = sum(int((layer.coefficients.abs().sum(-1) > 0).sum()) for layer in model.kan_layers)
    return kept, sum(layer.kept.numel() for layer in model.kan_layers)


def export(
    model: nn.Module,
    sample: Tensor,
    path: Path,
    *,
    opset: int,
    dynamo: bool,
    dynamic_batch: bool = True,
) -> None:
    """Write `model` as ONNX with input `x` and output `y`, weights inside the file.

    What the exporters add about the exporting program (stack traces, source paths, versions) is
    removed, so that the file depends on the model and the exporter alone.

    Parameters
    ----------
    sample : (batch, in); its batch is the model's where `dynamic_batch` is false.
    dynamo : the exporter built on `torch.export`, or the older one built on TorchScript.
    """
    names = {"input_names": ["x"], "output_names": ["y"]}
    if dynamo:
        shapes = ({0: torch.export.Dim("batch")},) if dynamic_batch else None
        options = {"dynamic_shapes": shapes, "external_data": False, "verbose": False}
    else:
        axes = {"x": {0: "batch"}, "y": {0: "batch"}} if dynamic_batch else None
        options = {"dynamic_axes": axes}
    model.eval()
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Both exporters warn about their own internals.
        torch.onnx.export(
            model, (sample,), path, opset_version=opset, dynamo=dynamo, **names, **options
        )
    onnx_model = onnx.load(path)
    strip_provenance(onnx_model)
    onnx.checker.check_model(onnx_model, full_check=True)
    onnx.save(onnx_model, path)


def strip_provenance(model: onnx.ModelProto) -> None:
    """Clear documentation, metadata and the producer's version throughout `model`."""
    model.ClearField("producer_version")
    pending = [model]
    while pending:
        message = pending.pop()
        for field, value in message.ListFields():
            if field.name in ("doc_string", "metadata_props"):
                message.ClearField(field.name)
            elif field.message_type is not None:
                pending.extend(value if field.is_repeated else [value])


def check_export(model: nn.Module, x: Tensor, path: Path, *, tolerance: float = 1e-5) -> np.ndarray:
    """ONNX Runtime's outputs (samples, out) on x (samples, in).

    Raises
    ------
    RuntimeError : they differ from PyTorch's by more than `tolerance`.
    """
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (outputs,) = session.run(["y"], {"x": x.numpy()})
    with torch.no_grad():
        difference = float(np.abs(outputs - model(x).numpy()).max())
    if not difference <= tolerance:
        raise RuntimeError(f"{path.name} differs from PyTorch by {difference:.2e}")
    return outputs
