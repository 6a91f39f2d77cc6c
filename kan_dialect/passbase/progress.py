"""Progress of long work. A pass reports it, and the caller of the pass may listen."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar

Listener = Callable[[str, int, int], None]
"""Called with the work in words, the number of finished steps and the number of steps."""

_LISTENER: ContextVar[Listener | None] = ContextVar("kan_dialect.passbase.progress", default=None)


def tell(what: str, done: int, total: int) -> None:
    """Report that `done` of `total` steps are finished."""
    listener = _LISTENER.get()
    if listener is not None:
        listener(what, done, total)


@contextmanager
def listening(listener: Listener) -> Generator[None]:
    """Send reports of `tell` to `listener` within a `with` statement."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


_SPEAKER: ContextVar[Callable[[str], None] | None] = ContextVar("kan_dialect.speaker", default=None)


def say(what: str) -> None:
    """Report the current work in a few words, for a line that the next report replaces."""
    speaker = _SPEAKER.get()
    if speaker is not None:
        speaker(what)


@contextmanager
def speaking(speaker: Callable[[str], None]) -> Generator[None]:
    """Send reports of `say` to `speaker` within a `with` statement."""
    token = _SPEAKER.set(speaker)
    try:
        yield
    finally:
        _SPEAKER.reset(token)


class TimeLeft:
    """Progress in words, with the time that the rest takes at the pace so far."""

    def __init__(self) -> None:
        self._started: dict[str, float] = {}

    def __call__(self, what: str, done: int, total: int) -> str:
        now = time.monotonic()
        start = self._started.setdefault(what, now)
        if done == 0 or now == start:
            return f"{what}: {done} of {total}"
        left = (now - start) / done * (total - done)
        return f"{what}: {done} of {total}, {left:.0f} s left"
