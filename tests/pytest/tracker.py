"""The example of a network that learns, and `kan-flow` in this process."""

from __future__ import annotations

from pathlib import Path

import pytest

from kan_dialect.cli import kan_flow
from kan_dialect.flows.tools.toolchain import look_for
from repository import EXAMPLES

TRACKER = str(EXAMPLES / "tracker.mlir")


needs_verilator = pytest.mark.skipif(
    look_for("verilator") is None, reason="verilator not installed"
)


def run(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as ended:
        kan_flow.main([str(argument) for argument in arguments])
    code = ended.value.code
    return code if isinstance(code, int) else 1
