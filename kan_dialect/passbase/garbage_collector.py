"""Python's collector of cyclic garbage, kept from running while IR is built.

IR is one large cycle: ops know their blocks, values their uses. While a pass makes thousands of
ops, the collector looks through all of them again and again and finds nothing, which took a fifth
of the time of large networks.
"""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Generator[None]:
    """No automatic collection inside. Garbage waits until the context ends."""
    was_running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_running:
            gc.enable()
