"""Models that Keras exported: the import has the outputs that Keras computes."""

from __future__ import annotations

import numpy as np
import pytest

from kan_dialect.evaluate.interpreter import evaluate_function
from kan_dialect.frontends.frontend import ImportOptions
from kan_dialect.frontends.onnx.load import load_onnx
from kan_dialect.ir.functions import functions_of
from kan_dialect.ops.spline import BSplineOp
from repository import TEST_DATA

FOLDER = TEST_DATA / "keras"


@pytest.mark.parametrize("name", ["dense", "convolutions"])
def test_classifiers(name: str) -> None:
    """A dense network with a batch norm, by JAX; convolutions and pooling, by TensorFlow."""
    data = np.load(FOLDER / f"{name}.npz")
    (function,) = functions_of(load_onnx(FOLDER / f"{name}.onnx", ImportOptions(strip_head=True)))
    (logits,) = evaluate_function(function, [data["x"].astype(np.float64)])
    powers = np.exp(logits)
    assert np.allclose(powers / powers.sum(axis=1, keepdims=True), data["y"], atol=1e-5)


def test_two_inputs_and_a_skip_connection() -> None:
    data = np.load(FOLDER / "two_inputs.npz")
    (function,) = functions_of(load_onnx(FOLDER / "two_inputs.onnx"))
    (found,) = evaluate_function(function, [data["x"].astype(np.float64)])
    assert np.allclose(found, data["y"], atol=1e-5)


def test_a_kan_layer_written_in_keras() -> None:
    data = np.load(FOLDER / "kan.npz")
    (function,) = functions_of(load_onnx(FOLDER / "kan.onnx"))
    assert sum(isinstance(op, BSplineOp) for op in function.walk()) == 2
    (found,) = evaluate_function(function, [data["x"].astype(np.float64)])
    assert np.allclose(found, data["y"], atol=1e-5)
