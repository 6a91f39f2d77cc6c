"""Fixtures that several test files use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of models and data sets that the repository does not hold; skips without it."""
    default = Path(__file__).parent.parent.parent.parent / "shared" / "data"
    folder = Path(os.environ.get("KAN_SHARED_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"no shared data at {folder} (set KAN_SHARED_DATA)")
    return folder
