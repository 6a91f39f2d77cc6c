"""Loads Python modules of a build's `host/`, which are no part of a package."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from kan_dialect.errors import KanError


def load_module(path: Path) -> ModuleType:
    """The module of a file, loaded anew.

    Raises
    ------
    KanError : the file is no module of Python.
    """
    spec = spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise KanError(f"{path} is no module of Python", remedy="build the network again")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
