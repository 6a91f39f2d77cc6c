"""Functions whose modules load at the first call, so that commands without need of them start fast.

`onnx` with ONNX Runtime takes a third of a second to load; most commands on IR need neither.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from operator import attrgetter
from typing import cast


def deferred(module: str, name: str) -> Callable[..., object]:
    """The function `name` of `module`, which is imported when the function is first called.

    A method of a class has a dot in its name: `Model.of`.
    """

    def call(*arguments: object) -> object:
        function = cast("Callable[..., object]", attrgetter(name)(import_module(module)))
        return function(*arguments)

    return call
