"""Functions whose modules load at the first call, so that commands without need of them start fast.

`onnx` with ONNX Runtime takes a third of a second to load; most commands on IR need neither.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import cast


def deferred(module: str, name: str) -> Callable[..., object]:
    """The function `name` of `module`, which is imported when the function is first called."""

    def call(*arguments: object) -> object:
        function = cast("Callable[..., object]", getattr(import_module(module), name))
        return function(*arguments)

    return call
