"""Trained models of the shared data, from ONNX to simulated RTL."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from ci_cases import others_in_ci
from commands import flow
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.errors import KanError
from kan_dialect.flows.tools.toolchain import find_simulator
from kan_dialect.frontends.frontend import NO_OPTIONS
from kan_dialect.frontends.onnx.discover import layer_search
from kan_dialect.frontends.onnx.discover.layer_search import search_layers
from kan_dialect.frontends.onnx.load import load_onnx
from kan_dialect.frontends.onnx.read.graph import read_graph
from kan_dialect.frontends.onnx.recognise.layers import ImportedNetwork
from kan_dialect.model.model import Model
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.ops.onnx import OnnxOp
from kan_dialect.ops.spline import BaseOp, BSplineOp, ChebyshevOp, EdgeOp, RadialOp


@dataclass(frozen=True)
class Case:
    """A trained model.

    Attributes
    ----------
    data : its data set.
    edges : the kinds of edge functions that each of its two layers has.
    loss : the largest loss of test accuracy.
    reference : whose outputs are its own, where they are those of another model.
    by_form : its layers are known by their form; otherwise they are found by exchange, with nothing
        recognised.
    bits : of the codes.
    """

    data: str
    edges: tuple[type[EdgeOp], ...]
    loss: float = 1 / 54  # One sample of the wine data.
    reference: str | None = None
    by_form: bool = True
    bits: int = 8


MODELS = {
    "chebykan_wine": Case("wine", (ChebyshevOp,), by_form=False),
    "efficient_kan_wine": Case("wine", (BSplineOp, BaseOp)),
    "efficient_kan_wine_dynamo": Case("wine", (BSplineOp, BaseOp), reference="efficient_kan_wine"),
    "efficient_kan_digits": Case("digits", (BSplineOp, BaseOp), loss=0.03, bits=5),
    "fastkan_wine": Case("wine", (RadialOp, BaseOp)),
    "mlp_relu_wine": Case("wine", (BaseOp,), by_form=False),
}


def opaque(path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleOp:
    """The network as layers that were found by exchange and are not recognised either."""

    def unknown(assembly: object, part: object, activations: object) -> ImportedNetwork | None:
        return None

    monkeypatch.setattr(layer_search._Assembly, "_recognise", unknown)  # pyright: ignore[reportPrivateUsage]
    _, network = search_layers(read_graph(path), NO_OPTIONS, KanError("not recognised"))
    return network.module


@pytest.mark.parametrize("name", others_in_ci(MODELS))
def test_from_onnx_to_rtl(
    name: str, shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = MODELS[name]
    source = shared_data / "onnx" / f"{name}.onnx"
    module = load_onnx(source) if case.by_form else opaque(source, monkeypatch)
    kinds = [type(op) for op in module.walk() if isinstance(op, EdgeOp)]
    assert sum(isinstance(op, NodeSumOp) for op in module.walk()) == 2
    assert kinds == 2 * list(case.edges if case.by_form else (OnnxOp,))

    samples = shared_data / "onnx" / f"{case.data}.npz"
    x_test = np.load(samples)["x_test"].astype(np.float64)
    reference = np.load(shared_data / "onnx" / "reference_outputs.npz")[case.reference or name]
    np.testing.assert_allclose(Model.of(module).run(x_test), reference, rtol=0, atol=1e-5)

    if find_simulator("verilator") is None:
        pytest.skip("Verilator is not installed")
    if not case.by_form:  # As IR, which carries the subgraphs.
        source = tmp_path / f"{name}.mlir"
        source.write_text(str(module))
    folder = tmp_path / "build"
    options = ["--calibration", samples, "--bits", case.bits, "-o", folder]
    assert flow("build", source, *options) == 0
    report = json.loads((folder / "report.json").read_text())
    assert report["simulation"]["mismatches"] == 0
    assert report["simulation"]["vectors"] >= 10_000 + len(x_test)
    assert report["accuracy"]["integer"] >= report["accuracy"]["float"] - case.loss - 1e-9
