"""Layers that repeat their functions, as convolutions do, are told before they are compiled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from xdsl.dialects.builtin import ModuleOp

from kan_dialect.analysis.repeated_edges import Repetition, repetitions
from kan_dialect.cli import kan_flow
from kan_dialect.frontends.loading import load_model, make_context, parse_text
from kan_dialect.ir.constants import FloatArray
from repository import EXAMPLES

KERNEL = np.array([0.5, -1.25, 2.0])


def convolution(places: int) -> FloatArray:
    """Weights (places, places + 2) of a kernel of three that moves along its inputs."""
    weights = np.zeros((places, places + 2))
    for place in range(places):
        weights[place, place : place + 3] = KERNEL
    return weights


def network(weights: FloatArray) -> str:
    """A layer with these weights, and a dense one behind it."""
    out, count = weights.shape
    dense = np.linspace(-1, 1, 2 * out).reshape(2, out)
    edges = f"tensor<{count}xf32> -> tensor<{out}x{count}xf32>"
    return f"""
    func.func @net(%x: tensor<{count}xf32>) -> tensor<2xf32> {{
      %a = kan.base "silu" %x as "layer0" weights dense<{weights.tolist()}>
        : tensor<{out}x{count}xf32>
        : {edges}
      %b = kan.node_sum %a as "layer0" : tensor<{out}x{count}xf32> -> tensor<{out}xf32>
      %c = kan.base "tanh" %b as "layer1" weights dense<{dense.tolist()}> : tensor<2x{out}xf32>
        : tensor<{out}xf32> -> tensor<2x{out}xf32>
      %d = kan.node_sum %c as "layer1" : tensor<2x{out}xf32> -> tensor<2xf32>
      func.return %d : tensor<2xf32>
    }}"""


def parsed(weights: FloatArray) -> ModuleOp:
    return parse_text(make_context(), network(weights).encode(), "net")


def test_a_convolution_is_found_and_others_are_not() -> None:
    assert repetitions(parsed(convolution(8))) == [Repetition("layer0", 0, 8, 24, 3)]
    assert not repetitions(parsed(convolution(3)))  # Each function stands for three edges.
    rng = np.random.default_rng(1)
    assert not repetitions(parsed(rng.normal(size=(8, 10))))
    assert not repetitions(parsed(np.ones((8, 10))))  # Dense: nothing is local.
    assert not repetitions(parsed(np.where(convolution(8), rng.normal(size=(8, 10)), 0.0)))
    assert not repetitions(parsed(np.zeros((8, 10))))
    assert not repetitions(load_model(make_context(), EXAMPLES / "wine.onnx"))


@pytest.mark.parametrize(
    ("bits", "tables"),
    [("3", "24 tables of 8 entries, 576 bits in all"), ("4,2,3", "24 tables of 16 entries, 768 ")],
)
def test_a_build_says_how_large_it_is(
    bits: str, tables: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "net.mlir").write_text(network(convolution(8)))
    np.savez(tmp_path / "data.npz", x=np.random.default_rng(1).normal(size=(50, 10)))
    options = ["--bits", bits, "--fast", "--simulator", "none", "--no-check-passes"]
    arguments = ["build", "net.mlir", "--calibration", "data.npz", "-o", "out", *options]
    with pytest.raises(SystemExit) as ended, pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        kan_flow.main(arguments)
    assert ended.value.code == 0
    told = (
        "kan-flow: note: layer0 repeats 3 functions like a convolution, but is unrolled: 8 nodes, "
        f"24 edges; {tables}"
    )
    assert told in capfd.readouterr().err
