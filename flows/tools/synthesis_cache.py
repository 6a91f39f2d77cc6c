"""Figures of synthesis that are kept in the user's cache, by text, target and version of Yosys."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from kan_dialect.devices.device import DeviceFamily
from kan_dialect.errors import KanError
from kan_dialect.files.atomic import write_atomically
from kan_dialect.files.user_cache import user_cache
from kan_dialect.flows.tools.synthesis import synthesize, yosys_of
from kan_dialect.flows.tools.toolchain import find


def known_synthesis(rtl: Path, target: DeviceFamily, top: str, renamed: int = 0) -> dict[str, Any]:
    """The summary of `synthesize`; a text is synthesised once.

    Parameters
    ----------
    renamed : seed of random names for all signals; 0: the names that they have.

    Raises
    ------
    KanError : Yosys is missing, refuses the design or takes too long or too much memory.
    """
    yosys = find("yosys")
    how = f"{yosys.version}\n{target.name}\n{yosys_of(target)}\n{top}\n{renamed}"
    key = sha256(f"{how}\n{rtl.read_text()}".encode()).hexdigest()
    folder = user_cache()
    kept = None if folder is None else folder / "synthesis" / f"{key[:32]}.json"
    if kept is not None:
        try:
            return json.loads(kept.read_text())
        except (OSError, ValueError):  # not synthesised yet, or damaged
            pass
    found = synthesize(rtl, target, top=top, yosys=yosys, renamed=renamed).summary()
    if kept is not None:
        try:
            kept.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(kept, json.dumps(found))
        except (OSError, KanError):  # for example a full disk: it is synthesised again
            pass
    return found
