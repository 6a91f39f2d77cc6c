"""Steps of runs that are trained in other processes, for the line that tells of them."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from kan_dialect.qat.results import State

SECONDS = 0.5
"""Time between two looks at the steps."""


@dataclass(frozen=True)
class StepFile:
    """A file for each run, with its step: any process of the machine writes it."""

    folder: str

    def write(self, name: str, state: State) -> None:
        """Write how far a run is."""
        path = Path(self.folder) / name
        with suppress(OSError):  # Nobody looks any more.
            path.write_text(f"{state.step} {state.luts} {state.loss}")


@contextmanager
def watched(progress: Callable[[State], None], steps: int, known: int) -> Generator[StepFile]:
    """Tell `progress` the sum of the steps of all files, until the `with` statement ends.

    Parameters
    ----------
    steps : of all runs.
    known : steps that were done before.
    """
    with tempfile.TemporaryDirectory(prefix="kan-train-") as folder:
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(SECONDS):
                found = _read(Path(folder))
                if found is not None:
                    progress(State(known + found.step, steps, found.luts, found.loss))

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield StepFile(folder)
        finally:
            ended.set()
            thread.join()


def _read(folder: Path) -> State | None:
    """The steps of all runs, with the figures of the one that was written last."""
    total, newest, latest = 0, -1.0, None
    for path in folder.iterdir():
        with suppress(OSError, ValueError):
            step, luts, loss = path.read_text().split()
            total += int(step)
            written = path.stat().st_mtime
            if written > newest:
                newest, latest = written, (float(luts), float(loss))
    return None if latest is None else State(total, 0, *latest)


class Every:
    """Says when some seconds have passed since it last said so."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._last = seconds, time.monotonic()

    def is_due(self) -> bool:
        """Whether the time has passed; then it begins anew."""
        now = time.monotonic()
        if now - self._last < self._seconds:
            return False
        self._last = now
        return True
