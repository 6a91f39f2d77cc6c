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
from typing import TypeAlias, cast

from kan_dialect.flows.tools.run_limits import Limits, limited

MEMORY = 8 << 30
"""Bytes of address space that a process gets: what asks for more is out of memory."""
KEPT = 3
"""Failures with the same message (but for numbers) of which files are written."""
LIMIT = 900.0
"""Seconds for a chunk."""

Files: TypeAlias = Mapping[str, bytes]
Counts: TypeAlias = Counter[str]


class FailedCase(Exception):
    """A case that failed, with the files that show it."""

    def __init__(self, message: str, files: Files) -> None:
        super().__init__(message)
        self.message, self.files = message, files


@dataclass(frozen=True)
class Failure:
    """The failure of a numbered case."""

    kind: str
    index: int
    message: str
    files: Files = field(default_factory=dict[str, bytes])

    @property
    def signature(self) -> str:
        """The message without its parts that change from case to case."""
        return f"{self.kind}: {re.sub(r'-?[0-9]+', 'N', self.message)[:100]}"


@dataclass
class Chunk:
    """A process's report on its cases."""

    counts: Counts = field(default_factory=Counter[str])
    failures: list[Failure] = field(default_factory=list[Failure])


@dataclass(frozen=True)
class Kind:
    """A kind of case."""

    name: str
    check: Callable[[int, int, Counts], None]
    """Runs a case of a seed and a number, and counts its outcome; raises `FailedCase`."""
    size: int
    """Cases of a chunk."""
    weight: int = 1
    """Of the time that it gets."""

    def run(
        self, seed: int, cases: range, tell: Callable[[int], None] = lambda _index: None
    ) -> Chunk:
        """Run the cases of a range. `tell` gets the number of each before it starts."""
        chunk = Chunk()
        for index in cases:
            tell(index)
            try:
                self.check(seed, index, chunk.counts)
            except FailedCase as failed:
                chunk.failures.append(Failure(self.name, index, failed.message, failed.files))
        return chunk


@dataclass
class _Running:
    kind: Kind
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
        self.counts: Counts = Counter()
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
                name = min(self.kinds, key=lambda name: spent[name] / self.kinds[name].weight)
                running.append(self._start(self.kinds[name]))
                spent[name] += 1
            if not running:
                break
            wait([one.connection for one in running], timeout=1.0)
            for one in list(running):
                if self._has_ended(one, tell):
                    running.remove(one)
                    spent[one.kind.name] += int(time.monotonic() - one.started)
            self.seconds = before + time.monotonic() - started
            self._save()
            if time.monotonic() - last > 60:
                last = time.monotonic()
                tell(self.summary())

    def _start(self, kind: Kind) -> _Running:
        first = self.next[kind.name]
        cases = range(first, first + kind.size)
        self.next[kind.name] = cases.stop
        ours, theirs = multiprocessing.Pipe(duplex=False)
        # A fork of this process would be without the threads that libraries here wait for.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["fuzz.kinds"])
        process = context.Process(target=_work, args=(kind, self.seed, cases, theirs), daemon=True)
        process.start()
        theirs.close()
        return _Running(kind, cases, process, ours, time.monotonic())

    def _has_ended(self, one: _Running, tell: Callable[[str], None]) -> bool:
        """Read a process's report. Returns whether the process has ended."""
        message = ""
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
            message = f"the process died, exit code {one.process.exitcode}"
        if time.monotonic() - one.started > LIMIT:
            one.process.kill()
            one.process.join()
            message = f"no end after {LIMIT} s"
        if message:
            index = one.cases.start if one.current is None else one.current
            self._keep(Failure(one.kind.name, index, message), tell)
        return bool(message)

    def _keep(self, failure: Failure, tell: Callable[[str], None]) -> None:
        self.signatures[failure.signature] += 1
        if self.signatures[failure.signature] > KEPT:
            return
        folder = self.folder / "failures" / f"{failure.kind}-{self.seed}-{failure.index}"
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


def _work(kind: Kind, seed: int, cases: range, connection: Connection) -> None:
    # Data, not address space: WebAssembly, as of the wheels, reserves more than it uses.
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    # A process does not live long: seldom collected garbage costs less than looking for it.
    gc.set_threshold(200_000, 20, 100)
    try:
        # Less than that, so that what keeps to the limit is not out of memory.
        with limited(Limits(memory=MEMORY * 3 / 4)):
            chunk = kind.run(seed, cases, connection.send)
    except Exception:
        chunk = Chunk(failures=[Failure("harness", cases.start, traceback.format_exc())])
    connection.send(chunk)
    connection.close()
