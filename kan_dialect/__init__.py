"""The `kan` dialect: Kolmogorov-Arnold networks from trained model to SystemVerilog, on xDSL."""

import os
from importlib.metadata import PackageNotFoundError, version

# ONNX Runtime would report its use to its maker, from the moment that it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

try:
    __version__ = version("kan-dialect")
except PackageNotFoundError:  # imported from a source tree that is not installed
    __version__ = "0.0.0"
