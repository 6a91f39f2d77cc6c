"""Trained KAN variants: each imports from both exporters and reaches hardware unchanged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from xdsl.dialects.builtin import ModuleOp

from certificates import excess, only, quantised, samples_of
from kan_dialect.analysis.certificate import certify
from kan_dialect.errors import KanError
from kan_dialect.flows.simulate.simulation import simulate
from kan_dialect.flows.simulate.stimuli import stimuli
from kan_dialect.flows.tools.toolchain import find_simulator
from kan_dialect.frontends.loading import make_context
from kan_dialect.frontends.onnx.load import load_onnx
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.lowering.systemverilog import emit_systemverilog
from kan_dialect.model.model import Model
from kan_dialect.passes.calibrate import observe
from kan_dialect.passes.quantize import QuantizePass
from kan_exports import EXPORTERS, Exporter, export, outputs_of, samples
from kan_variants import (
    INPUTS,
    NO_KANS,
    STANDARDISED,
    VARIANTS,
    FarMixed,
    FarNode,
    Standardised,
    make,
)

pytestmark = pytest.mark.torch
torch: Any = pytest.importorskip("torch")
pytest.importorskip("onnxscript", reason="PyTorch's exporters need onnxscript")

IMPORT_TOLERANCE = 1e-5
"""Largest difference of the import from PyTorch in float64, relative to the outputs' range."""

X = samples(INPUTS)


@dataclass
class Zoo:
    """Networks, their exports and imports, each made once.

    Attributes
    ----------
    folder : where the exports and the calibration data are.
    """

    folder: Path
    networks: dict[str, Any] = field(default_factory=dict[str, Any])
    modules: dict[tuple[str, Exporter], ModuleOp] = field(
        default_factory=dict[tuple[str, Exporter], ModuleOp]
    )

    def network(self, name: str) -> Any:
        if name not in self.networks:
            self.networks[name] = make(name)
        return self.networks[name]

    def export(self, name: str, exporter: Exporter) -> Path:
        path = self.folder / f"{name}_{exporter}.onnx"
        return path if path.exists() else export(self.network(name), INPUTS, path, exporter)

    def load(self, name: str, exporter: Exporter) -> ModuleOp:
        """A copy of the imported network."""
        key = name, exporter
        if key not in self.modules:
            self.modules[key] = load_onnx(self.export(name, exporter))
        return self.modules[key].clone()

    @property
    def calibration(self) -> str:
        path = self.folder / "calibration.npz"
        if not path.exists():
            np.savez(path, x=X)
        return str(path)

    def compile(
        self, name: str, bits: int, after: Callable[[str, ModuleOp], None] | None = None
    ) -> ModuleOp:
        """The network at hardware level; `after` sees the module after each pass."""
        module, context = self.load(name, "script"), make_context()
        for stage in CompilePass(data=self.calibration, bits=bits, guard_bits=2).expand():
            stage.apply(context, module)
            module.verify()
            if after is not None:
                after(stage.name, module)
        return module


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Zoo:
    return Zoo(tmp_path_factory.mktemp("zoo"))


@pytest.mark.parametrize("exporter", EXPORTERS)
@pytest.mark.parametrize("name", VARIANTS)
def test_variants_compute_what_pytorch_computes(zoo: Zoo, name: str, exporter: Exporter) -> None:
    expected = outputs_of(zoo.network(name), X)
    model = Model.of(zoo.load(name, exporter))
    assert (model.name, model.level) == (f"{name}_{exporter}", "spline")
    # A network that hardly reacts to its inputs would prove nothing.
    assert expected.std(axis=0).min() > 0.05
    tolerance = IMPORT_TOLERANCE * np.ptp(expected)
    np.testing.assert_allclose(model.run(X), expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("layer", STANDARDISED)
def test_networks_on_raw_measurements(layer: str, tmp_path: Path) -> None:
    """Inputs far from 0 and of different magnitudes, scaled by the network itself."""
    torch.manual_seed(5)
    network = Standardised(STANDARDISED[layer]).eval()
    x = (X * Standardised.deviation + Standardised.mean).astype(np.float32).astype(np.float64)
    expected = outputs_of(network, x)
    assert expected.std(axis=0).min() > 0.05
    path = export(network, INPUTS, tmp_path / "raw.onnx", "script")
    tolerance = IMPORT_TOLERANCE * np.ptp(expected)
    np.testing.assert_allclose(Model.of(load_onnx(path)).run(x), expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", VARIANTS)
def test_variants_in_hardware(zoo: Zoo, name: str) -> None:
    """All levels with codes give the same codes, near PyTorch's outputs."""
    codes: list[Any] = []

    def compare(stage: str, module: ModuleOp) -> None:
        model = Model.of(module)
        if not model.has_codes:
            return
        ports = model.interface().inputs
        low, high = np.array([[port.low, port.high] for port in ports]).T
        inputs = np.random.default_rng(2).integers(low, high + 1, size=(200, len(ports)))
        codes.append(model.run_codes(inputs))
        np.testing.assert_array_equal(codes[-1], codes[0], err_msg=stage)

    circuit = Model.of(zoo.compile(name, 10, compare))
    assert circuit.level == "hardware" and len(codes) > 3
    assert len(np.unique(codes[0])) > 50
    expected = outputs_of(zoo.network(name), X)
    errors = np.abs(circuit.run(X) - expected) / np.ptp(expected)
    assert errors.max() < 0.03 and errors.mean() < 0.003


@pytest.mark.parametrize("exporter", EXPORTERS)
@pytest.mark.parametrize("name", VARIANTS)
def test_variants_have_certificates(zoo: Zoo, name: str, exporter: Exporter) -> None:
    """Every form of edges has bounds, and no sample exceeds them."""
    module = zoo.load(name, exporter)
    observe(only(module), [X], 1024)
    functions = quantised(module, QuantizePass(bits=6))
    found = certify(*functions)
    x = samples_of(found.box, 3000, np.random.default_rng(0))
    assert excess(functions, found, x) <= 0


@pytest.mark.parametrize("name", ["edge_networks", "spline_matrix", "dense"])
def test_variants_in_a_simulator(zoo: Zoo, name: str, tmp_path: Path) -> None:
    if find_simulator("verilator") is None:
        pytest.skip("Verilator is not installed")
    module = zoo.compile(name, 6)
    model, rtl = Model.of(module), tmp_path / f"{name}.sv"
    rtl.write_text(emit_systemverilog(module))
    codes = stimuli(model.interface(), random=1000)
    np.testing.assert_array_equal(simulate(rtl, model.interface(), codes), model.run_codes(codes))


@pytest.mark.parametrize("exporter", EXPORTERS)
@pytest.mark.parametrize("name", NO_KANS)
def test_other_networks_are_refused(zoo: Zoo, name: str, exporter: Exporter) -> None:
    """The refusal names the op that mixes, whatever form the layers around it have."""
    path = zoo.export(name, exporter)
    with pytest.raises(KanError, match=f"^{path.name}: .*({NO_KANS[name][1]})") as caught:
        load_onnx(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("reach", [1.0, 20.0, 500.0, 3000.0])
def test_mixing_far_from_zero_is_refused(reach: float, tmp_path: Path) -> None:
    torch.manual_seed(3)
    path = export(FarMixed(reach).eval(), INPUTS, tmp_path / "far.onnx", "script")
    with pytest.raises(KanError, match=r"^far\.onnx: "):
        load_onnx(path)


@pytest.mark.parametrize("reach", [1.0, 20.0, 500.0, 3000.0])
def test_nodes_that_react_far_from_zero_are_not_lost(reach: float, tmp_path: Path) -> None:
    """The network may be refused, as its inputs are unknown, but must not be imported wrongly."""
    torch.manual_seed(3)
    network = FarNode(reach).eval()
    path = export(network, INPUTS, tmp_path / "far.onnx", "script")
    try:
        model = Model.of(load_onnx(path))
    except KanError:
        assert reach > 1.0
        return
    x = samples(INPUTS, reach=reach)
    expected = outputs_of(network, x)
    np.testing.assert_allclose(model.run(x), expected, rtol=0, atol=1e-5 * np.ptp(expected))
