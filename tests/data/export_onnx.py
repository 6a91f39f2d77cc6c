"""Write the ONNX files of the importer's tests: small B-spline KANs with random weights.

To regenerate `tests/data/onnx`: pip install "kan-dialect[torch]", then

    python tests/data/export_onnx.py

Each case is exported by both of PyTorch's exporters, each with its usual opset, as
CASE_EXPORTEROPSET.onnx; the case `plain` with every opset. The .npz of the same name holds `x`,
(samples, in) float32, with points on knots and outside the grid, and `y`, (samples, out), as ONNX
Runtime computes it. The layers' weights depend on the case's name alone.
"""

from __future__ import annotations

import argparse
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "examples"))

from kan_layers import (  # noqa: E402  (found by way of the line above)
    Activation,
    Kan,
    KanLayer,
    bspline_basis,
    check_export,
    export,
)

SAMPLES = 48
FIXED_BATCH = 4
DOMAIN = (-2.0, 2.0)


class EinsumLayer(KanLayer):
    """Basis and coefficients meet in one einsum over inputs and basis functions."""

    def forward(self, x: Tensor) -> Tensor:
        basis = bspline_basis(x, self.knots, self.degree)
        spline = torch.einsum("bik,oik->bo", basis, self.coefficients)
        return spline + F.linear(self.base(x), self.base_weight)


class EdgesLayer(KanLayer):
    """As pykan writes it: every edge by itself, weighted and masked, then summed."""

    def __init__(self, inputs: int, outputs: int, **options: object) -> None:
        super().__init__(inputs, outputs, **options)
        self.spline_scale = nn.Parameter(torch.rand(inputs, outputs) + 0.5)
        self.register_buffer("mask", (torch.rand(inputs, outputs) < 0.75).float())

    def forward(self, x: Tensor) -> Tensor:
        basis = bspline_basis(x, self.knots, self.degree)
        spline = torch.einsum("ijk,jlk->ijl", basis, self.coefficients.transpose(0, 1))
        base = self.base_weight.t()[None, :, :] * self.base(x)[:, :, None]
        edges = self.mask[None, :, :] * (base + self.spline_scale[None, :, :] * spline)
        return edges.sum(dim=1)


class ScaledLayer(KanLayer):
    """As efficient-kan writes it: coefficients times a scaler per edge, any leading dimensions."""

    def __init__(self, inputs: int, outputs: int, **options: object) -> None:
        super().__init__(inputs, outputs, **options)
        self.inputs = inputs
        self.outputs = outputs
        self.spline_scaler = nn.Parameter(torch.rand(outputs, inputs) + 0.5)

    def forward(self, x: Tensor) -> Tensor:
        shape = x.shape
        x = x.reshape(-1, self.inputs)
        weights = self.coefficients * self.spline_scaler.unsqueeze(-1)
        basis = bspline_basis(x, self.knots, self.degree)
        spline = F.linear(basis.view(x.size(0), -1), weights.view(self.outputs, -1))
        y = F.linear(self.base(x), self.base_weight) + spline
        return y.reshape(*shape[:-1], self.outputs)


class WhereLayer(KanLayer):
    """Cells by `torch.where`, and the recursion over a list of basis functions."""

    def forward(self, x: Tensor) -> Tensor:
        knots = self.knots.t()
        one, zero = torch.ones_like(x), torch.zeros_like(x)
        basis = [
            torch.where((x >= knots[m]) & (x < knots[m + 1]), one, zero)
            for m in range(len(knots) - 1)
        ]
        for order in range(1, self.degree + 1):
            basis = [
                (x - knots[i]) / (knots[i + order] - knots[i]) * basis[i]
                + (knots[i + order + 1] - x) / (knots[i + order + 1] - knots[i + 1]) * basis[i + 1]
                for i in range(len(basis) - 1)
            ]
        spline = sum(
            F.linear(function, self.coefficients[:, :, m]) for m, function in enumerate(basis)
        )
        return spline + F.linear(self.base(x), self.base_weight)


@dataclass(frozen=True)
class Exporter:
    """One of PyTorch's exporters at an opset."""

    dynamo: bool
    opset: int

    def __str__(self) -> str:
        return f"{'dynamo' if self.dynamo else 'script'}{self.opset}"


SCRIPT = Exporter(dynamo=False, opset=17)
DYNAMO = Exporter(dynamo=True, opset=18)
ALL_OPSETS = (
    *(Exporter(dynamo=False, opset=opset) for opset in (13, 14, 15, 16, 17)),
    *(Exporter(dynamo=True, opset=opset) for opset in (18, 19, 20, 21)),
)


@dataclass(frozen=True)
class Case:
    """A network and how it is written.

    `layer` is the class of its layers; `uneven` draws the knots of every input at random.
    """

    name: str
    widths: tuple[int, ...] = (3, 4, 2)
    degree: int = 2
    base: Activation | None = F.silu
    layer: type[KanLayer] = KanLayer
    bias: bool = False
    batch_norm: bool = False
    uneven: bool = False
    dynamic_batch: bool = True
    exporters: tuple[Exporter, ...] = (SCRIPT, DYNAMO)


ONE_LAYER = (3, 2)
GELU_EXPORTERS = (SCRIPT, DYNAMO, Exporter(dynamo=True, opset=20))  # Opset 20 has an op for it.
CASES = (
    Case("plain", degree=3, exporters=ALL_OPSETS),
    # Degree 0 jumps at knots, where a second layer would turn rounding into other results.
    Case("degree0", degree=0, widths=ONE_LAYER),
    Case("degree1", degree=1),
    Case("degree2"),
    Case("degree5", degree=5, widths=ONE_LAYER),
    Case("depth1", degree=3, widths=ONE_LAYER),
    Case("depth3", widths=(3, 4, 3, 2)),
    Case("one_input", widths=(1, 3, 2)),
    Case("one_output", widths=(3, 2, 1)),
    Case("base_gelu_erf", base=F.gelu, widths=ONE_LAYER, exporters=GELU_EXPORTERS),
    Case(
        "base_gelu_tanh",
        base=partial(F.gelu, approximate="tanh"),
        widths=ONE_LAYER,
        exporters=GELU_EXPORTERS,
    ),
    Case("base_relu", base=F.relu, widths=ONE_LAYER),
    Case("base_tanh", base=torch.tanh, widths=ONE_LAYER),
    Case("base_sigmoid", base=torch.sigmoid, widths=ONE_LAYER),
    Case("base_identity", base=nn.Identity(), widths=ONE_LAYER),
    Case("base_none", base=None),
    Case("bias", bias=True),
    Case("uneven_knots", uneven=True),
    Case("batch_norm", batch_norm=True),
    Case("fixed_batch", dynamic_batch=False),
    Case("writing_einsum", layer=EinsumLayer),
    Case("writing_edges", layer=EdgesLayer),
    Case("writing_scaler", degree=3, layer=ScaledLayer),
    Case("writing_where", layer=WhereLayer, widths=ONE_LAYER),
)


@torch.no_grad()
def build_model(case: Case) -> Kan:
    """The case's network with random weights, knots and statistics, in evaluation mode."""
    torch.manual_seed(zlib.crc32(case.name.encode()))
    model = Kan(
        *(
            case.layer(
                inputs,
                outputs,
                degree=case.degree,
                intervals=3,
                domain=DOMAIN,
                base=case.base,
                bias=case.bias,
                batch_norm=case.batch_norm,
            )
            for inputs, outputs in zip(case.widths, case.widths[1:], strict=False)
        )
    )
    for layer in model.kan_layers:
        if case.uneven:
            layer.knots.copy_(uneven_knots(layer.knots))
        if layer.bias is not None:
            layer.bias.normal_()
        if layer.norm is not None:
            layer.norm.weight.uniform_(0.5, 1.5)
            layer.norm.bias.normal_(std=0.3)
            layer.norm.running_mean.normal_()
            layer.norm.running_var.uniform_(0.3, 3.0)
    return model.eval()


def uneven_knots(knots: Tensor) -> Tensor:
    """Random ascending knots for each input that span what `knots`, (in, K), span."""
    steps = (0.2 + torch.rand(knots.shape[0], knots.shape[1] - 1)).cumsum(1)
    span = knots[:, -1:] - knots[:, :1]
    return torch.cat([knots[:, :1], knots[:, :1] + span * steps / steps[:, -1:]], dim=1)


def sample_inputs(model: Kan, case: Case) -> Tensor:
    """(samples, in): far outside the grid, 0, on each knot, then at random over and past it."""
    first = model.kan_layers[0]
    inputs = case.widths[0]
    far = torch.tensor([[-9.0], [9.0], [0.0]]).expand(-1, inputs)
    count = SAMPLES if case.dynamic_batch else FIXED_BATCH
    special = torch.cat([far, first.knots.t()])
    span = 1.2 * float(first.knots.abs().max())
    spread = (2.0 * torch.rand(SAMPLES, inputs) - 1.0) * span
    return torch.cat([special, spread])[:count] if case.dynamic_batch else spread[:count]


def export_case(case: Case, directory: Path) -> Iterator[Path]:
    """Write the case's files; yields the path of every model."""
    model = build_model(case)
    x = sample_inputs(model, case)
    for exporter in case.exporters:
        path = directory / f"{case.name}_{exporter}.onnx"
        export(
            model,
            x[:2] if case.dynamic_batch else x,
            path,
            opset=exporter.opset,
            dynamo=exporter.dynamo,
            dynamic_batch=case.dynamic_batch,
        )
        y = check_export(model, x, path)
        np.savez_compressed(path.with_suffix(".npz"), x=x.numpy(), y=y)
        yield path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=HERE / "onnx")
    directory = parser.parse_args().output
    directory.mkdir(parents=True, exist_ok=True)
    for case in CASES:
        for path in export_case(case, directory):
            print(f"{path.stat().st_size:7d}  {path.name}")


if __name__ == "__main__":
    main()
