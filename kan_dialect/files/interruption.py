"""Parts of the work that Ctrl-C and its like may not cut in two."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from types import FrameType

_Handler = Callable[[int, FrameType | None], object] | int | None

_INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def undisturbed() -> Generator[None]:
    """SIGINT, SIGTERM and SIGHUP come when all is done.

    Handlers that raise may otherwise do so between any two steps: after a lock was taken, say,
    and before it is known that it must be released. `subprocess.Popen.poll` has such a place.
    Processes that are started meanwhile get the signals as always: none is blocked.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # handlers run in the main thread
        return
    came: list[int] = []
    numbers = [number for number in _INTERRUPTIONS if signal.getsignal(number) != signal.SIG_IGN]
    handlers = {number: signal.getsignal(number) for number in numbers}
    mask: set[int] = set(signal.pthread_sigmask(signal.SIG_BLOCK, []))
    try:
        _exchange({number: lambda number, _: came.append(number) for number in numbers}, mask)
        yield
    finally:
        _exchange(handlers, mask)
        for number in came:
            signal.raise_signal(number)


def _exchange(handlers: Mapping[signal.Signals, _Handler], mask: set[int]) -> None:
    """Install all handlers before any of them runs."""
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, handlers)
        for number, handler in handlers.items():
            signal.signal(number, handler)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


@contextmanager
def holding_signals() -> Generator[None]:
    """SIGINT, SIGTERM and SIGHUP come at the end; processes forked inside hold them, too.

    Until they call `end_on_signals`: for a pool, whose processes inherit the parent's handlers.
    """
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _INTERRUPTIONS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def end_on_signals() -> None:
    """In a process of a pool: SIGTERM and SIGHUP end it at once, also those that were held.

    A handler that Python runs, as the tools have, comes to its turn between two steps of Python: a
    signal just before the process waits for work would not end it, and the pool would wait for it
    for ever. Ctrl-C, which reaches all processes of a terminal, is left to the parent.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _INTERRUPTIONS)
