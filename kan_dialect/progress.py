"""How far long work is: a pass says it, whoever runs the pass may listen."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar

Listener = Callable[[str, int, int], None]
"""Told what is being done, and how many of how many steps are."""

_LISTENER: ContextVar[Listener | None] = ContextVar("kan_dialect.progress", default=None)


def tell(what: str, done: int, total: int) -> None:
    """Say that `done` of `total` steps are done."""
    listener = _LISTENER.get()
    if listener is not None:
        listener(what, done, total)


@contextmanager
def listening(listener: Listener) -> Generator[None]:
    """Have `listener` told, within a `with` statement."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


class TimeLeft:
    """Says in words how far something is, and how long the rest takes at the pace so far."""

    def __init__(self) -> None:
        self._started: dict[str, float] = {}

    def __call__(self, what: str, done: int, total: int) -> str:
        now = time.monotonic()
        start = self._started.setdefault(what, now)
        if done == 0 or now == start:
            return f"{what}: {done} of {total}"
        left = (now - start) / done * (total - done)
        return f"{what}: {done} of {total}, {left:.0f} s left"
