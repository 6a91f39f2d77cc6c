"""A campaign: runs chunks of cases in processes of their own, counts them and keeps failures.

The number of a case and the campaign's seed determine the case. The state file holds the number of
finished cases of each kind, so that a campaign resumes where it stopped.
"""

from __future__ import annotations

import gc
import json
import multiprocessing
import re
import resource
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import cast

from kan_dialect.flows.tools.run_limits import Limits, limited

MEMORY = 8 << 30
"""Bytes of address space that a process gets: what asks for more is out of memory."""
KEPT = 3
"""Failures with the same message (but for numbers) of which files are written."""


@dataclass(frozen=True)
class Failure:
    """A case that failed, with the files that show it."""

    kind: str
    index: int
    message: str
    files: Mapping[str, bytes] = field(default_factory=dict[str, bytes])

    @property
    def signature(self) -> str:
        """The message without its parts that change from case to case."""
        return f"{self.kind}: {re.sub(r'-?[0-9]+', 'N', self.message)[:100]}"


@dataclass
class Chunk:
    """A process's report on its cases."""

    counts: Counter[str] = field(default_factory=Counter[str])
    failures: list[Failure] = field(default_factory=list[Failure])


Work = Callable[[int, range, Callable[[int], None]], Chunk]
"""Runs the cases of a range, with a seed; tells before each which one it is."""


@dataclass(frozen=True)
class Kind:
    """A kind of case."""

    work: Work
    size: int
    """Cases of a chunk."""
    limit: float
    """Seconds for a chunk."""
    weight: int = 1
    """Of the time that it gets."""


@dataclass
class _Running:
    kind: str
    cases: range
    process: BaseProcess
    connection: Connection
    started: float
    current: int | None = None


class Campaign:
    """Cases of all kinds until the time is over."""

    def __init__(self, kinds: Mapping[str, Kind], folder: Path, seed: int) -> None:
        """
        Parameters
        ----------
        folder : for the state and the failures.
        """
        self.kinds, self.folder, self.seed = kinds, folder, seed
        self.next: dict[str, int] = dict.fromkeys(kinds, 0)
        self.counts: Counter[str] = Counter()
        self.signatures: Counter[str] = Counter()
        self.seconds = 0.0
        self._state = folder / f"state-{seed}.json"
        if self._state.is_file():
            known = json.loads(self._state.read_text())
            self.next |= known["next"]
            self.counts += Counter(cast("dict[str, int]", known["counts"]))
            self.signatures += Counter(cast("dict[str, int]", known["failures"]))
            self.seconds = known["seconds"]

    def run(self, seconds: float, jobs: int, tell: Callable[[str], None]) -> None:
        """Run chunks of all kinds in turn, `jobs` at once, for some seconds."""
        started = last = time.monotonic()
        before = self.seconds
        running: list[_Running] = []
        spent: Counter[str] = Counter()
        while True:
            now = time.monotonic()
            while now - started < seconds and len(running) < jobs:
                kind = min(self.kinds, key=lambda name: spent[name] / self.kinds[name].weight)
                running.append(self._start(kind))
                spent[kind] += 1
            if not running:
                break
            wait([one.connection for one in running], timeout=1.0)
            for one in list(running):
                if self._look(one, tell):
                    running.remove(one)
                    spent[one.kind] += int(time.monotonic() - one.started)
            self.seconds = before + time.monotonic() - started
            self._save()
            if time.monotonic() - last > 60:
                last = time.monotonic()
                tell(self.summary())

    def _start(self, kind: str) -> _Running:
        first = self.next[kind]
        cases = range(first, first + self.kinds[kind].size)
        self.next[kind] = cases.stop
        ours, theirs = multiprocessing.Pipe(duplex=False)
        # A fork of this process would be without the threads that libraries here wait for.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["fuzz.kinds"])
        process = context.Process(
            target=_work, args=(self.kinds[kind].work, self.seed, cases, theirs), daemon=True
        )
        process.start()
        theirs.close()
        return _Running(kind, cases, process, ours, time.monotonic())

    def _look(self, one: _Running, tell: Callable[[str], None]) -> bool:
        """Read a process's report. Returns whether the process has ended."""
        try:
            while one.connection.poll():
                said: object = one.connection.recv()
                if isinstance(said, Chunk):
                    self.counts += said.counts
                    for failure in said.failures:
                        self._keep(failure, tell)
                    one.process.join()
                    return True
                one.current = cast(int, said)
        except EOFError:
            one.process.join()
            self._died(one, f"the process died, exit code {one.process.exitcode}", tell)
            return True
        if time.monotonic() - one.started > self.kinds[one.kind].limit:
            one.process.kill()
            one.process.join()
            self._died(one, f"no end after {self.kinds[one.kind].limit} s", tell)
            return True
        return False

    def _died(self, one: _Running, message: str, tell: Callable[[str], None]) -> None:
        index = one.cases.start if one.current is None else one.current
        self._keep(Failure(one.kind, index, message), tell)

    def _keep(self, failure: Failure, tell: Callable[[str], None]) -> None:
        self.signatures[failure.signature] += 1
        if self.signatures[failure.signature] > KEPT:
            return
        name = f"{failure.kind}-{self.seed}-{failure.index}"
        folder = self.folder / "failures" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "message.txt").write_text(f"{failure.message}\n", errors="replace")
        for file, data in failure.files.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_bytes(data)
        tell(f"{folder}: {failure.message.splitlines()[0][:300]}")

    def _save(self) -> None:
        state = {
            "next": self.next,
            "counts": dict(sorted(self.counts.items())),
            "failures": dict(self.signatures),
            "seconds": round(self.seconds, 1),
        }
        part = self._state.with_suffix(".part")
        part.write_text(json.dumps(state, indent=1) + "\n")
        part.replace(self._state)

    def summary(self) -> str:
        """Counts in one line."""
        shown = ", ".join(f"{count} {name}" for name, count in sorted(self.counts.items()))
        failures = sum(self.signatures.values())
        return (
            f"seed {self.seed}, {self.seconds:.0f} s: {shown or 'nothing yet'}; {failures} failures"
        )


def _work(work: Work, seed: int, cases: range, connection: Connection) -> None:
    # Data, not address space: WebAssembly, as of the wheels, reserves more than it uses.
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    # A process does not live long: seldom collected garbage costs less than looking for it.
    gc.set_threshold(200_000, 20, 100)
    try:
        # Less than that, so that what keeps to the limit is not out of memory.
        with limited(Limits(memory=MEMORY * 3 / 4)):
            chunk = work(seed, cases, connection.send)
    except Exception:
        chunk = Chunk(failures=[Failure("harness", cases.start, traceback.format_exc())])
    connection.send(chunk)
    connection.close()
