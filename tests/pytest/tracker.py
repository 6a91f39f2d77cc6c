"""The example of a network that learns."""

from __future__ import annotations

import pytest

from kan_dialect.flows.tools.toolchain import look_for
from repository import EXAMPLES

TRACKER = str(EXAMPLES / "tracker.mlir")


needs_verilator = pytest.mark.skipif(
    look_for("verilator") is None, reason="verilator not installed"
)
