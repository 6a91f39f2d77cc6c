"""How far long work is: a pass says it, whoever runs the pass may listen."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar

Listener = Callable[[str, int, int], None]
"""Told what is being done, and how many of how many steps are."""

_LISTENER: ContextVar[Listener | None] = ContextVar("kan_dialect.passbase.progress", default=None)


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


_SPEAKER: ContextVar[Callable[[str], None] | None] = ContextVar("kan_dialect.speaker", default=None)


def say(what: str) -> None:
    """Say what is being done, a few words, for a line that the next ones replace."""
    speaker = _SPEAKER.get()
    if speaker is not None:
        speaker(what)


@contextmanager
def speaking(speaker: Callable[[str], None]) -> Generator[None]:
    """Have `speaker` told what is said, within a `with` statement."""
    token = _SPEAKER.set(speaker)
    try:
        yield
    finally:
        _SPEAKER.reset(token)


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
