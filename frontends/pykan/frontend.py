"""Frontend for pykan's checkpoints: NAME_config.yml with NAME_state, as `saveckpt` writes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

from xdsl.dialects.builtin import ModuleOp

from kan_dialect.deferred import deferred
from kan_dialect.frontends.frontend import Frontend

PYKAN_FRONTEND = Frontend(
    name="pykan",
    extensions=("_config.yml",),
    description="checkpoints that pykan's saveckpt wrote",
    load=cast(
        "Callable[[Path], ModuleOp]", deferred("kan_dialect.frontends.pykan.load", "load_pykan")
    ),
)
