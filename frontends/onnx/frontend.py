"""The ONNX frontend: imports trained networks at spline level.

Layers keep the grids and coefficients of the file. An unrecognised network is refused with the op
and a remedy. Every imported network is compared with ONNX Runtime (`load.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

from xdsl.dialects.builtin import ModuleOp

from kan_dialect.deferred import deferred
from kan_dialect.frontends.frontend import Frontend, ImportOptions, Original

_LOAD = "kan_dialect.frontends.onnx.load"

FRONTEND = Frontend(
    name="onnx",
    extensions=(".onnx",),
    description="trained networks as PyTorch and other frameworks export them",
    load=cast("Callable[[Path], ModuleOp]", deferred(_LOAD, "load_onnx")),
    load_with=cast("Callable[[Path, ImportOptions], ModuleOp]", deferred(_LOAD, "load_onnx")),
    original=cast("Callable[[Path, ImportOptions], Original]", deferred(_LOAD, "onnx_original")),
)
