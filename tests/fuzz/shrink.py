"""Shrinks a failing case as long as it fails in the same way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")

SECONDS = 25.0
"""For one failure."""


def shrunk(failing: T, smaller: Callable[[T], Iterable[T]], fails: Callable[[T], bool]) -> T:
    """Replace a case by its first smaller one that fails, until none fails or time is over."""
    deadline = time.monotonic() + SECONDS
    found = True
    while found:
        found = False
        for candidate in smaller(failing):
            if time.monotonic() > deadline:
                return failing
            if fails(candidate):
                failing, found = candidate, True
                break
    return failing


def smaller_bytes(data: bytes) -> Iterable[bytes]:
    """The data without one part: a half, a quarter, ..., a line of text, a byte of short data."""
    pieces = data.splitlines(keepends=True) if b"\n" in data else [bytes([b]) for b in data]
    size = len(pieces) // 2
    while size >= 1:
        if len(pieces) // size > 200:
            return
        for start in range(0, len(pieces), size):
            yield b"".join(pieces[:start] + pieces[start + size :])
        size //= 2
