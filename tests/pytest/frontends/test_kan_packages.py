"""Third-party KAN packages: small networks of their layers are imported or refused."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
import pytest

from kan_dialect.errors import KanError
from kan_dialect.frontends.onnx.load import load_onnx
from kan_dialect.model.model import Model
from kan_exports import EXPORTERS, Exporter, export, outputs_of, samples

pytestmark = pytest.mark.torch
torch: Any = pytest.importorskip("torch")
pytest.importorskip("onnxscript", reason="PyTorch's exporters need onnxscript")

TOLERANCE = 1e-5
"""Largest difference of the import from PyTorch in float64, relative to the outputs' range."""


def package(name: str) -> Any:
    """A module of a package; skips the test if the package is not installed."""
    return pytest.importorskip(name, reason=f"the module {name} is not installed (make test-torch)")


def without_tensorflow() -> None:
    """kanx's folders as packages, without running its `__init__`, which imports TensorFlow."""
    if "kanx" in sys.modules:
        return
    spec = importlib.util.find_spec("kanx")
    if spec is None or spec.origin is None:
        pytest.skip("kanx is not installed (without its dependencies: pip install --no-deps kanx)")
    folder = Path(spec.origin).parent
    for name, path in (("kanx", folder), ("kanx.torch", folder / "torch")):
        sys.modules[name] = ModuleType(name)
        sys.modules[name].__path__ = [str(path)]


def chain(layer: Callable[[int, int], Any], widths: Sequence[int] = (5, 4, 3)) -> Any:
    """A sequence of layers with these widths."""
    return torch.nn.Sequential(*[layer(*pair) for pair in pairwise(widths)])


def inkan(**options: Any) -> Any:
    return package("inkan").KANNetwork([5, 4, 3], **options)


def kanx() -> Any:
    without_tensorflow()
    return chain(package("kanx.torch.layers").KANLinear)


def flashkan() -> Any:
    return package("flashkan").KANNetwork([5, 4, 3])


def kanditioned(impl: str) -> Any:
    layer = package("KANditioned").KANLayer
    return chain(
        lambda inputs, outputs: layer(
            inputs, outputs, "random_normal", num_control_points=8, impl=impl
        )
    )


def mlp_kan() -> Any:
    layer = package("mlp_kan").KANLayer
    network = chain(lambda inputs, outputs: layer(inputs, outputs, fcn_hidden=6, fcn_n_sin=2))
    # The package's initialisation makes edges that hardly differ from 0.
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return network


def wavelet_kan() -> Any:
    return chain(package("torch_wavelet_kan").WaveletKANLayer)


def single_kan(function: str) -> Any:
    functions = package("skan.basis")
    network = package("skan").SKANNetwork([5, 4, 3], basis_function=getattr(functions, function))
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter)
    return network


def fkan() -> Any:
    block, linear = package("fkan.torch").FractionalJacobiNeuralBlock, torch.nn.Linear
    parts = linear(5, 4), block(2), linear(4, 4), block(3), linear(4, 3)
    return torch.nn.Sequential(*parts)


def rkan() -> Any:
    blocks, linear = package("rkan.torch"), torch.nn.Linear
    parts = linear(5, 4), blocks.JacobiRKAN(3), linear(4, 4), blocks.PadeRKAN(3, 2), linear(4, 3)
    return torch.nn.Sequential(*parts)


Failures: TypeAlias = tuple[tuple[Exporter, str], ...]
"""(network, exporter) that fail -> the exporter's reason."""


@dataclass(frozen=True)
class Case:
    """A network of a package."""

    build: Callable[[], Any]
    fails: Failures = ()


COMPILED: Failures = (("script", "torch.jit.trace a dynamo-optimized function"),)
"""Only the newer exporter can export a function under `torch.compile`."""

VMAP: Failures = (("script", "Unsupported value kind: Tensor"),)
"""The older exporter does not know `torch.vmap`."""

KANS: dict[str, Case] = {
    "inkan": Case(inkan, COMPILED),
    "inkan_local_bases": Case(lambda: inkan(compile_basis=False)),
    "inkan_all_bases": Case(lambda: inkan(compile_basis=False, basis_mode="dense")),
    "inkan_gathered": Case(lambda: inkan(compile_basis=False, contraction="direct")),
    "kanx": Case(kanx),
    "flashkan": Case(flashkan, COMPILED),
    "kanditioned": Case(lambda: kanditioned("embedding")),
    "mlp_kan": Case(mlp_kan, VMAP),
    "torch_wavelet_kan": Case(wavelet_kan),
    "single_kan_softplus": Case(lambda: single_kan("lshifted_softplus")),
    "single_kan_swish": Case(lambda: single_kan("lswish")),
    "fkan": Case(fkan),
    "rkan": Case(rkan),
}


def make(build: Callable[[], Any]) -> Any:
    torch.manual_seed(7)
    return build().eval()


@pytest.mark.parametrize("exporter", EXPORTERS)
@pytest.mark.parametrize("name", KANS)
def test_networks_of_packages(name: str, exporter: Exporter, tmp_path: Path) -> None:
    case = KANS[name]
    model, path = make(case.build), tmp_path / f"{name}.onnx"
    reason = dict(case.fails).get(exporter)
    if reason is not None:
        with pytest.raises(RuntimeError, match=reason):
            export(model, 5, path, exporter)
        return
    module = load_onnx(export(model, 5, path, exporter))
    x = samples(5, reach=1.0)
    expected = outputs_of(model, x)
    assert np.ptp(expected, axis=0).min() > 0.05
    np.testing.assert_allclose(
        Model.of(module).run(x), expected, rtol=0, atol=TOLERANCE * np.ptp(expected)
    )


@pytest.mark.parametrize("exporter", EXPORTERS)
def test_a_surface_over_two_inputs_is_no_kan(exporter: Exporter, tmp_path: Path) -> None:
    """inkan's layers of dimension 2 multiply the bases of two inputs."""
    network = package("inkan").KANNetwork
    options = {"compile_basis": False, "basis_mode": "dense", "contraction": "dense"}
    model = make(lambda: network([2, 4, 3], dim=2, **options))
    path = export(model, 2, tmp_path / "surface.onnx", exporter)
    with pytest.raises(KanError, match=r"^surface\.onnx: .*Mul"):
        load_onnx(path)


@pytest.mark.parametrize("norm", ["LayerNorm", "RMSNorm"])
def test_norms_between_layers_of_a_package_are_no_kan(norm: str, tmp_path: Path) -> None:
    def build() -> Any:
        layer = package("torch_wavelet_kan").WaveletKANLayer
        return torch.nn.Sequential(layer(5, 4), getattr(torch.nn, norm)(4), layer(4, 3))

    path = export(make(build), 5, tmp_path / "normed.onnx", "dynamo")
    with pytest.raises(KanError, match=r"^normed\.onnx: .*(Normalization|Div|Mul|ReduceMean)"):
        load_onnx(path)
