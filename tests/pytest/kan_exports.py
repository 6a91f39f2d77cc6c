"""PyTorch networks to ONNX files, by both of PyTorch's exporters, and what they compute."""

from __future__ import annotations

import contextlib
import logging
import warnings
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import pytest

from kan_dialect.ir.constants import FloatArray

torch: Any = pytest.importorskip("torch")

Exporter: TypeAlias = Literal["script", "dynamo"]
"""`script`, the older, records one run as TorchScript; `dynamo` builds on `torch.export`."""

EXPORTERS: tuple[Exporter, ...] = get_args(Exporter)


def export(model: Any, inputs: int, path: Path, exporter: Exporter) -> Path:
    """Write the model, which maps (batch, inputs), as ONNX for any batch; returns the path."""
    common: dict[str, Any] = {"input_names": ["x"], "output_names": ["y"], "opset_version": 18}
    if exporter == "dynamo":
        batch = {0: torch.export.Dim("batch")}
        common |= {"dynamic_shapes": (batch,), "external_data": False, "verbose": False}
    else:
        common |= {"dynamic_axes": {"x": {0: "batch"}, "y": {0: "batch"}}}
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(None):
            warnings.simplefilter("ignore")
            example = (torch.zeros(2, inputs),)
            torch.onnx.export(model, example, path, dynamo=exporter == "dynamo", **common)
    finally:
        logging.disable(before)
    return path


def outputs_of(model: Any, x: FloatArray) -> FloatArray:
    """What the model computes of x (samples, inputs) in float64; it stays in float32 itself."""
    with torch.no_grad():
        result: FloatArray = model.double()(torch.from_numpy(x)).numpy()
    model.float()
    return result


def samples(inputs: int, count: int = 400, seed: int = 0, reach: float = 1.5) -> FloatArray:
    """Inputs (count, inputs) between -reach and reach, float32 values."""
    x = np.random.default_rng(seed).uniform(-reach, reach, (count, inputs))
    return x.astype(np.float32).astype(np.float64)
