"""What a frontend is, and how those that are installed are found.

A frontend reads a model file into a module of the `kan` dialect. It is published under the entry
point group `kan_dialect.frontends`, by this package and by any other alike.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from xdsl.dialects.builtin import ModuleOp

from kan_dialect.errors import KanError

ENTRY_POINT_GROUP = "kan_dialect.frontends"


@dataclass(frozen=True)
class Frontend:
    """A reader of one kind of model file.

    Attributes
    ----------
    name : what the frontend is called in messages.
    extensions : how the names of its files end, with the dot: `.onnx`, `_config.yml`.
    description : one line.
    load : reads a file into `builtin.module { func.func @... }`; raises KanError where it cannot.
    """

    name: str
    extensions: tuple[str, ...]
    description: str
    load: Callable[[Path], ModuleOp]


def find_frontends() -> dict[str, Frontend]:
    """The frontends that are installed, by extension. One that cannot be loaded is warned of."""
    found: dict[str, Frontend] = {}
    for entry in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda entry: entry.name):
        frontend = _load(entry)
        if frontend is not None:
            found |= dict.fromkeys(frontend.extensions, frontend)
    return found


def frontend_for(path: Path) -> Frontend:
    """The frontend whose extension ends the file's name; the longest, where several do.

    Raises
    ------
    KanError : there is none.
    """
    frontends = find_frontends()
    fitting = [extension for extension in frontends if path.name.lower().endswith(extension)]
    if not fitting:
        raise KanError(
            f"{path.name}: no frontend reads files of this kind",
            remedy=f"known extensions are {', '.join(sorted(frontends)) or 'none'}",
        )
    return frontends[max(fitting, key=len)]


def _load(entry: EntryPoint) -> Frontend | None:
    try:
        frontend: object = entry.load()
    except Exception as error:  # A broken package of others must not break every command.
        warnings.warn(f"frontend {entry.name!r} cannot be loaded: {error}", stacklevel=3)
        return None
    if not isinstance(frontend, Frontend):
        warnings.warn(f"frontend {entry.name!r} is {frontend!r}, not a Frontend", stacklevel=3)
        return None
    return frontend
