"""Small networks as ONNX files, and builds of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from commands import flow

from kan_dialect.files.atomic import write_arrays
from kan_dialect.ir.constants import Array

FUNCTION = """
func.func @net(%x: tensor<2xf32>) -> tensor<{n}xf32> {{
  %e = kan.base "identity" %x as "layer0" weights dense<{weights}> : tensor<{n}x2xf32>
    : tensor<2xf32> -> tensor<{n}x2xf32>
  %s = kan.node_sum %e as "layer0" bias dense<{bias}> : tensor<{n}xf32>
    : tensor<{n}x2xf32> -> tensor<{n}xf32>
  {head}
}}
"""
"""Lines of two inputs, perhaps with a head."""


PLAIN = "func.return %s : tensor<{n}xf32>"


HEAD = '%h = kan.map "{function}" %s : tensor<{n}xf32>\n  func.return %h : tensor<{n}xf32>'


def model(
    weights: list[list[float]], *, bias: float | list[float] = 0.0, head: str | None = None
) -> str:
    count = len(weights)
    end = PLAIN if head is None else HEAD
    return FUNCTION.format(
        n=count, weights=weights, bias=bias, head=end.format(n=count, function=head)
    )


def build(folder: Path, text: str, data: dict[str, Array], *options: str) -> dict[str, Any]:
    """The report of a build."""
    (folder / "net.mlir").write_text(text)
    write_arrays(folder / "data.npz", data)
    command = ["build", str(folder / "net.mlir"), "--calibration", str(folder / "data.npz")]
    few = ["--simulator", "none", "--no-check-passes", "--fast", "--vectors", "50"]
    assert flow(*command, *few, "-o", folder / "out", *options) == 0
    return json.loads((folder / "out" / "report.json").read_text())


def square(count: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).uniform(-1, 1, (count, 2))
