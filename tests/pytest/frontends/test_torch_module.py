"""PyTorch modules in memory, through ONNX; and pykan's networks by their attributes."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kan_dialect.errors import KanError
from kan_dialect.frontends.torch_module import import_module
from kan_dialect.model.model import Model
from kan_dialect.ops.spline import BSplineOp
from repository import EXAMPLES

pytestmark = pytest.mark.torch
torch: Any = pytest.importorskip("torch")
pytest.importorskip("onnxscript")


def basis(x: Any, knots: Any, degree: int) -> Any:
    """B-splines (batch, in, K - 1 - degree)."""
    x = x.unsqueeze(-1)
    values = ((x >= knots[:, :-1]) & (x < knots[:, 1:])).to(x.dtype)
    for k in range(1, degree + 1):
        left = (x - knots[:, : -k - 1]) / (knots[:, k:-1] - knots[:, : -k - 1])
        right = (knots[:, k + 1 :] - x) / (knots[:, k + 1 :] - knots[:, 1:-k])
        values = left * values[..., :-1] + right * values[..., 1:]
    return values


class Layer(torch.nn.Module):  # type: ignore[misc]
    """Splines and a base function after a dropout."""

    def __init__(self, inputs: int, outputs: int, grid: int = 4, degree: int = 3) -> None:
        super().__init__()
        self.degree = degree
        step = 2.0 / grid
        knots = (torch.arange(-degree, grid + degree + 1) * step - 1.0).expand(inputs, -1)
        self.register_buffer("knots", knots.contiguous())
        self.dropout = torch.nn.Dropout(0.5)
        self.weight = torch.nn.Parameter(torch.randn(outputs, inputs))
        self.coefficients = torch.nn.Parameter(torch.randn(outputs, inputs, grid + degree))

    def forward(self, x: Any) -> Any:
        x = self.dropout(x)
        splines = basis(x, self.knots, self.degree).flatten(1)
        linear = torch.nn.functional.linear
        base = linear(torch.nn.functional.silu(x), self.weight)
        return base + linear(splines, self.coefficients.flatten(1))


@pytest.mark.parametrize("batch", [1, 5])
def test_a_module_in_memory(batch: int, capfd: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(3)
    model = torch.nn.Sequential(Layer(3, 4), Layer(4, 2))
    model[1].eval()
    module = import_module(model, torch.zeros(batch, 3), name="my network")
    assert model.training and model[0].training and not model[1].training
    assert capfd.readouterr().out == ""
    x = torch.rand(100, 3) * 2 - 1
    imported = Model.of(module)
    assert (imported.name, imported.level) == ("my_network", "spline")
    assert sum(isinstance(op, BSplineOp) for op in module.walk()) == 2
    outputs = model.eval()(x).detach().numpy()
    np.testing.assert_allclose(imported.run(x.double().numpy()), outputs, atol=1e-4)


class TwoInputs(torch.nn.Module):  # type: ignore[misc]
    """A module of two inputs, joined in reverse order, or of any number of inputs."""

    def __init__(self, *, named: bool) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.layer = Layer(5, 2)
        if named:
            self.forward = self.of_two  # type: ignore[method-assign]

    def forward(self, *parts: Any) -> Any:
        return self.layer(torch.cat(parts[::-1], 1))

    def of_two(self, first: Any, second: Any) -> Any:
        return self.layer(torch.cat([second, first], 1))


@pytest.mark.parametrize("named", [True, False])
def test_a_module_of_several_inputs(named: bool) -> None:
    model = TwoInputs(named=named).eval()
    imported = Model.of(import_module(model, (torch.zeros(2, 3), torch.zeros(2, 2))))
    first, second = torch.rand(50, 3) * 2 - 1, torch.rand(50, 2) * 2 - 1
    expected = model(first, second).detach().numpy()
    together = torch.cat([first, second], 1).double().numpy()
    np.testing.assert_allclose(imported.run(together), expected, atol=1e-4)


def test_a_classifier_without_its_softmax() -> None:
    torch.manual_seed(5)
    logits = Layer(3, 4).eval()
    model = torch.nn.Sequential(logits, torch.nn.Softmax(dim=1))
    with pytest.raises(KanError, match=r"strip_head=True"):
        import_module(model, torch.zeros(2, 3))
    x = torch.rand(50, 3) * 2 - 1
    samples = x.double().numpy()
    imported = Model.of(import_module(model, x, strip_head=True, samples=samples))
    np.testing.assert_allclose(imported.run(samples), logits(x).detach().numpy(), atol=1e-4)


@pytest.mark.parametrize(
    "activation",
    [
        lambda x: torch.nn.functional.softplus(x),
        lambda x: torch.nn.functional.softplus(x, beta=2.0, threshold=15.0),
        lambda x: torch.nn.functional.logsigmoid(x),
        lambda x: torch.nn.functional.mish(x),
        lambda x: torch.nn.functional.celu(x, 0.7),
        lambda x: torch.where(x > 0, x, torch.exp(x) - 1),
    ],
)
def test_activations_that_the_exporter_decomposes(activation: Any) -> None:
    class Perceptron(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = torch.nn.Linear(3, 4), torch.nn.Linear(4, 2)

        def forward(self, x: Any) -> Any:
            return self.last(activation(self.first(x)))

    torch.manual_seed(6)
    model = Perceptron()
    x = torch.randn(100, 3) * 5
    outputs = Model.of(import_module(model, x)).run(x.double().numpy())
    np.testing.assert_allclose(outputs, model(x).detach().numpy(), atol=1e-4)


class FakePykan(torch.nn.Module):  # type: ignore[misc]
    """The attributes and the state dict of pykan's MultKAN, 2-1."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.width, self.grid, self.k = [[2, 0], [1, 0]], 3, 2
        self.base_fun_name, self.symbolic_enabled = "identity", True
        self.input_id = torch.arange(2)
        part = torch.nn.Module()
        part.grid = torch.nn.Parameter(torch.linspace(-3, 3, 8).expand(2, 8).clone())
        part.coef = torch.nn.Parameter(torch.randn(2, 1, 5))
        part.mask = torch.nn.Parameter(torch.tensor([[1.0], [0.0]]))
        part.scale_base = torch.nn.Parameter(torch.randn(2, 1))
        part.scale_sp = torch.nn.Parameter(torch.randn(2, 1))
        symbolic = torch.nn.Module()
        symbolic.mask = torch.nn.Parameter(torch.tensor([[0.0, 1.0]]))
        symbolic.affine = torch.nn.Parameter(torch.tensor([[[0.0] * 4, [2.0, 0.5, 3.0, -1.0]]]))
        symbolic.funs_name = [["0", "sin"]]
        self.act_fun = torch.nn.ModuleList([part])
        self.symbolic_fun = torch.nn.ModuleList([symbolic])
        self.node_scale_0 = torch.nn.Parameter(torch.full((1,), 2.0))
        self.node_bias_0 = torch.nn.Parameter(torch.full((1,), 0.5))
        self.subnode_scale_0 = torch.nn.Parameter(torch.ones(1))
        self.subnode_bias_0 = torch.nn.Parameter(torch.zeros(1))
        self.node_scale, self.subnode_scale = [self.node_scale_0], [self.subnode_scale_0]


def test_a_pykan_network_by_its_attributes() -> None:
    model = FakePykan()
    x = torch.rand(50, 2, dtype=torch.float64) * 2 - 1
    part = model.act_fun[0]
    spline = part.scale_sp[0] * (basis(x, part.grid, 2)[:, 0] @ part.coef[0, 0].double())
    edges = spline + part.scale_base[0] * x[:, 0] + 3 * torch.sin(2 * x[:, 1] + 0.5) - 1
    module = import_module(model, x.float())
    expected = (edges * 2 + 0.5).detach().numpy()
    np.testing.assert_allclose(Model.of(module).run(x.numpy())[:, 0], expected, rtol=1e-6)
    with pytest.raises(KanError, match=r"reading a pykan network strips no head"):
        import_module(model, x.float(), strip_head=True)
    with pytest.raises(KanError, match=r"reading a pykan network has no use for samples"):
        import_module(model, x.float(), samples=x.numpy())
    model.input_id = torch.tensor([0, 2])
    with pytest.raises(KanError, match=r"left the inputs \[0, 2\]"):
        import_module(model, x.float())


def test_pykan_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kan = pytest.importorskip("kan", reason="pykan is not installed")
    monkeypatch.chdir(tmp_path)
    model = kan.KAN(width=[2, 2, 1], grid=4, k=3, seed=2, auto_save=False)
    model.fix_symbolic(0, 1, 0, "sin", fit_params_bool=False, verbose=False)
    x = torch.rand(100, 2) * 2 - 1
    outputs = Model.of(import_module(model, x)).run(x.double().numpy())
    np.testing.assert_allclose(outputs, model(x).detach().numpy(), atol=1e-5)


class Mixing(torch.nn.Module):  # type: ignore[misc]
    def forward(self, x: Any) -> Any:
        return torch.softmax(x, dim=1)


class Failing(torch.nn.Module):  # type: ignore[misc]
    def forward(self, x: Any) -> Any:
        raise RuntimeError("no such luck")


def test_the_example_says_what_it_needs_before_it_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    example = EXAMPLES / "train_wine.py"
    with pytest.raises(ImportError, match="onnxscript"):
        runpy.run_path(str(example))


def test_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.zeros(2, 3)
    with pytest.raises(KanError, match=r"list is no torch\.nn\.Module"):
        import_module([], x)
    with pytest.raises(KanError, match="the example input is no tensor but list"):
        import_module(Layer(3, 2), [0.0])
    with pytest.raises(KanError, match="the example input is no tensor but tuple"):
        import_module(Layer(3, 2), ())
    with pytest.raises(KanError, match="the example input is no tensor but int"):
        import_module(Layer(3, 2), (x, 2))
    with pytest.raises(KanError, match=r"has shape \(3,\)"):
        import_module(Layer(3, 2), torch.zeros(3))
    with pytest.raises(KanError):
        import_module(Mixing(), x)
    with pytest.raises(KanError, match="PyTorch cannot export Failing to ONNX"):
        import_module(Failing(), x)
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(KanError, match="needs onnxscript"):
        import_module(Layer(3, 2), x)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(KanError, match="importing a module needs PyTorch"):
        import_module(Layer(3, 2), x)
