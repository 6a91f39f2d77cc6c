"""Random networks, at scales unknown to the frontend: imported exactly, or refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from xdsl.context import Context

from fuzz.random_graphs import MIXINGS, REGIMES, Network, make_network
from kan_dialect.checking import Checker, run_passes
from kan_dialect.errors import KanError
from kan_dialect.frontends.frontend import ImportOptions
from kan_dialect.frontends.onnx.compare.reference_models import open_reference
from kan_dialect.frontends.onnx.load import load_onnx
from kan_dialect.frontends.onnx.read.graph import Unrecognised, read_graph
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.model.model import Model
from kan_dialect.ops.onnx import OnnxOp
from kan_dialect.ops.spline import BaseOp

FOUND = {
    2: "large, with samples: narrow functions of hidden nodes",
    5: "offset, with samples: outputs that vanish far away",
    10: "raw: a function mistaken for another",
    11: "offset: batch normalisation of opset 13 without kernels for float64",
    19: "shifted: functions that saturate at all fixed magnitudes",
    24: "unit, with samples: two layers taken for one",
    52: "raw: a logarithm that is not finite at any fixed magnitude",
}
"""Seeds of networks that were once imported wrongly or refused."""


def _save(network: Network, folder: Path) -> Path:
    path = folder / "net.onnx"
    path.write_bytes(network.model.SerializeToString())
    return path


@pytest.mark.parametrize("seed", sorted(FOUND), ids=lambda seed: f"{seed}")
def test_networks_at_scales_of_their_own(seed: int, tmp_path: Path) -> None:
    network = make_network(seed, REGIMES[seed % len(REGIMES)])
    path = _save(network, tmp_path)
    rng = np.random.default_rng(seed + 1)
    samples = network.points(rng, 200) if "samples" in FOUND[seed] else None
    module = load_onnx(path, ImportOptions(samples=samples))
    x = network.points(rng, 200)
    graph = read_graph(path)
    expected = open_reference(graph, 256, wide=True, keep_decisions=True).outputs(x)
    finite = np.isfinite(expected).all(axis=1)
    assert finite.any()
    difference = np.abs(Model.of(module).run(x) - expected)[finite]
    assert difference.max() <= 1e-5 * np.ptp(expected[finite])


@pytest.mark.parametrize("seed", [2, 10])
def test_imported_networks_compile(seed: int, tmp_path: Path) -> None:
    """Layers of known and of unknown form in one network, through every pass."""
    network = make_network(seed, REGIMES[seed % len(REGIMES)])
    data = tmp_path / "data.npz"
    np.savez(data, x=network.points(np.random.default_rng(seed + 1), 50))
    module = load_onnx(_save(network, tmp_path))
    assert {OnnxOp, BaseOp} & {type(op) for op in module.walk()} == {OnnxOp, BaseOp}
    passes = CompilePass(data=str(data), bits=3).passes()
    checks = run_passes(Context(), module, passes, Checker(count=20))
    assert len(checks) == len(passes)


@pytest.mark.ci
def test_casts_of_nan_are_not_taken_for_a_dependence_on_the_batch(tmp_path: Path) -> None:
    """A runtime casts NaN to any integer, which is the index of a table here."""
    network = make_network(41, "offset")
    path = _save(network, tmp_path)
    with pytest.raises(KanError, match="not finite for any of the inputs that were tried"):
        load_onnx(path)
    load_onnx(path, ImportOptions(samples=network.points(np.random.default_rng(42), 100)))


@pytest.mark.parametrize(
    ("seed", "mixing", "regime"),
    [
        (13, "bumps", "unit"),
        (39, "attention", "shifted"),
        (46, "weak 1e-5", "large"),
        (24, "gate", "shifted"),
        (27, "corner of 2", "shifted"),
    ],
)
def test_the_mixing_op_is_named(seed: int, mixing: str, regime: str, tmp_path: Path) -> None:
    assert mixing in MIXINGS
    network = make_network(seed, regime, mixing)
    with pytest.raises(KanError) as caught:
        load_onnx(_save(network, tmp_path))
    assert isinstance(caught.value, Unrecognised)
    assert caught.value.node.outputs[0] in network.mixing
