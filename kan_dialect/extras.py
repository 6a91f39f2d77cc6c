"""Optional dependencies: their import, and the command that installs them.

The extras are those of `pyproject.toml`.
"""

from __future__ import annotations

import json
import shlex
from importlib import import_module, metadata
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from kan_dialect.errors import KanError

_DISTRIBUTION = "kan-dialect"


def install_command(extra: str) -> str:
    """The command that installs an extra from where the package itself came from."""
    return f"pip install {_requirement(extra)}"


def require_extra(module: str, library: str, extra: str, what: str) -> ModuleType:
    """Import a module that an extra brings.

    Parameters
    ----------
    library : name of the library that the module is of, for the message.
    what : task that needs it, for the message.

    Raises
    ------
    KanError : the library is not installed.
    """
    try:
        return import_module(module)
    except ImportError:
        raise KanError(
            f"{what} needs {library}, which is not installed", remedy=install_command(extra)
        ) from None


def require_torch(what: str) -> ModuleType:
    """Import PyTorch; see `require_extra`."""
    return require_extra("torch", "PyTorch", "torch", what)


def _requirement(extra: str) -> str:
    """The package with an extra, as an argument of pip. Source of the record: PEP 610."""
    name = f"{_DISTRIBUTION}[{extra}]"
    try:
        record = metadata.distribution(_DISTRIBUTION).read_text("direct_url.json")
    except metadata.PackageNotFoundError:  # imported from a source tree that is not installed
        return shlex.quote(f"{Path(__file__).parent.parent}[{extra}]")
    if record is None:
        return shlex.quote(name)
    origin: dict[str, Any] = json.loads(record)
    url: str = origin["url"]
    version = origin.get("vcs_info")
    if version is not None:
        return shlex.quote(f"{name} @ {version['vcs']}+{url}@{version['commit_id']}")
    parts = urlsplit(url)
    if parts.scheme != "file":
        return shlex.quote(f"{name} @ {url}")
    option = "-e " if origin.get("dir_info", {}).get("editable") else ""
    return option + shlex.quote(f"{url2pathname(parts.path)}[{extra}]")
