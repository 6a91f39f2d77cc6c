"""Limits of time and memory that hold for the runs of electronic design tools."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Limits:
    """Limits of a run of a tool, with all its processes."""

    seconds: float = 1800.0
    """Wall-clock time; infinite: no limit."""

    memory: float | None = None
    """Resident bytes of all processes; None: three quarters of the machine's memory."""

    @property
    def bytes(self) -> float:
        """The limit of memory, in bytes."""
        return 0.75 * _machine_memory() if self.memory is None else self.memory


DEFAULT_LIMITS = Limits()

_LIMITS: ContextVar[Limits] = ContextVar("kan_dialect.limits", default=DEFAULT_LIMITS)


@contextmanager
def limited(limits: Limits) -> Generator[None]:
    """Set the limits of tools that run within a `with` statement."""
    token = _LIMITS.set(limits)
    try:
        yield
    finally:
        _LIMITS.reset(token)


def limits_in_force() -> Limits:
    """The limits that `limited` set, or the default ones."""
    return _LIMITS.get()


@cache
def _machine_memory() -> float:
    """Memory in bytes of the machine, or of the container if that is less."""
    known = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    with suppress(OSError, ValueError):  # not Linux, or no bound: `max`
        known = min(known, float(Path("/sys/fs/cgroup/memory.max").read_text()))
    return known


def own_resident_bytes() -> int:
    """Memory of this process; 0 where the system does not say (no `/proc`)."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
