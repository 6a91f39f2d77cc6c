"""The `kan` dialect: Kolmogorov-Arnold networks from trained model to SystemVerilog, on xDSL."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("kan-dialect")
except PackageNotFoundError:  # imported from a source tree that is not installed
    __version__ = "0.0.0"
