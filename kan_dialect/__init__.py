"""The `kan` dialect: Kolmogorov-Arnold networks from trained model to SystemVerilog, on xDSL.

`load`, `from_ir`, `Network` and the other names of `kan_dialect.api` stand here as well, and
`train` and `study` of `kan_dialect.qat`. They are imported at their first use.
"""

from __future__ import annotations

import os
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kan_dialect.api import Build, Edge, KanError, Layer, Network, Tuned, from_ir, load
    from kan_dialect.flows.study.results import Studied
    from kan_dialect.qat.api import train
    from kan_dialect.qat.results import Trained
    from kan_dialect.qat.study.api import study

__all__ = [
    "Build",
    "Edge",
    "KanError",
    "Layer",
    "Network",
    "Studied",
    "Trained",
    "Tuned",
    "__version__",
    "from_ir",
    "load",
    "study",
    "train",
]

_ROOMS = {
    "Studied": "flows.study.results",
    "Trained": "qat.results",
    "study": "qat.study.api",
    "train": "qat.api",
}
"""Where names are that are not of `kan_dialect.api`."""

# ONNX Runtime would report its use to its maker, from the moment that it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

try:
    __version__ = version("kan-dialect")
except PackageNotFoundError:  # imported from a source tree that is not installed
    __version__ = "0.0.0"


def __getattr__(name: str) -> object:
    """The API's names, imported at their first use: importing the package alone stays fast."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = _ROOMS.get(name, "api")
    found: object = getattr(import_module(f"kan_dialect.{module}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
