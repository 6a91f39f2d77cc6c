"""Functions and modules that load at first use, so that commands that use none of them start fast.

`onnx` with ONNX Runtime takes a third of a second to load, NumPy a tenth. Most commands on IR do
without ONNX, help texts without both.
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


class DeferredModule:
    """A module that is imported at the first look at one of its names.

    Type checkers get the module itself by an import under `TYPE_CHECKING`.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> object:
        return getattr(import_module(self._name), name)
