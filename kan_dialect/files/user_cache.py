"""The folder of what is compiled once for a user: that of `$KAN_CACHE`, or the user's cache."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path

CACHE_VARIABLE = "KAN_CACHE"
"""Environment variable that names the folder; empty: what is compiled is kept for one process."""


def user_cache() -> Path | None:
    """The folder, which need not exist; None where nothing is kept."""
    asked = os.environ.get(CACHE_VARIABLE)
    if asked == "":
        return None
    return Path(asked).absolute() if asked else user_cache_path("kan-dialect")
