"""Puts bugs into heads, formats and the writers of files, and prints the test that finds each.

    python benchmarks/seeded_files.py                    all (some minutes)
    python benchmarks/seeded_files.py --only VHDL        seeds whose subject or name has a word

Each seed (`seeds/generated.py`) names a test of `tests/pytest`. A process of its own imports the
module with the bug and runs the test, which must fail. A test that skips (a tool is missing) is
told as such. The exit code is 1 if a test passes with a bug, or fails without one.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import multiprocessing
import os
import sys
from contextlib import nullcontext
from multiprocessing.connection import Connection
from multiprocessing.pool import ThreadPool
from pathlib import Path
from types import ModuleType

import pytest
from seeds import imported_with_bug, spoilt_module
from seeds.generated import SEEDS

TESTS = Path(__file__).parent.parent / "tests" / "pytest"


class _Results:
    """Counts the outcomes of tests, and keeps the first failure."""

    def __init__(self) -> None:
        self.passed = self.skipped = 0
        self.problem = ""

    def pytest_collection(self) -> None:
        """Keep hypothesis from searching a smaller failure, and from keeping it: both take long."""
        hypothesis: ModuleType = importlib.import_module("hypothesis")
        phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
        options = {"database": None, "phases": phases, "derandomize": True}
        hypothesis.settings.register_profile("seeded", **options)
        hypothesis.settings.load_profile("seeded")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped:
            self.skipped += 1
        elif report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            said = str(report.longrepr) if crash is None else crash.message
            self.problem = self.problem or " ".join(said.split())[:160] or "failed"
        elif report.when == "call":
            self.passed += 1

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.problem = self.problem or f"not collected: {report.longrepr}"


def run(task: tuple[int | None, str]) -> tuple[str, bool]:
    """The verdict of a test with the seed of an index, or without a bug.

    Returns
    -------
    The first failure, `passes` or `skips`; and whether the test failed.
    """
    index, check = task
    bug = nullcontext() if index is None else imported_with_bug(spoilt_module(SEEDS[index].seed))
    results = _Results()
    printed = io.StringIO()
    os.chdir(TESTS.parent.parent)
    options = ["-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", "--override-ini", "addopts="]
    with bug, contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        code = pytest.main([*options, str(TESTS / check)], plugins=[results])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        return f"pytest ends with {code!r}: {printed.getvalue()[-2000:]}", index is None
    if results.problem:
        return results.problem, True
    return ("passes" if results.passed else "skips"), False


def _send(task: tuple[int | None, str], answer: Connection) -> None:
    try:
        verdict = run(task)
    except Exception as error:
        verdict = f"no verdict: {error!r}", task[0] is None
    answer.send(verdict)


def run_alone(task: tuple[int | None, str]) -> tuple[str, bool]:
    """`run` in a process of its own, which a bug may end: the sanitizer of C does."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(task, sender))
    process.start()
    sender.close()
    try:
        verdict: tuple[str, bool] = receiver.recv()
    except EOFError:
        process.join()
        verdict = f"the process of the test ends with {process.exitcode}", True
    process.join()
    return verdict


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", action="append", metavar="WORD", help="in subject or name")
    parser.add_argument("--bugs-alone", action="store_true", help="no tests without a bug")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    words: list[str] = options.only or [""]
    chosen = [
        index
        for index, each in enumerate(SEEDS)
        if any(word in f"{each.seed.subject}: {each.seed.name}" for word in words)
    ]
    for index in chosen:
        spoilt_module(SEEDS[index].seed)  # Names a seed that does not fit before anything runs.
    checks = dict.fromkeys(SEEDS[index].check for index in chosen)
    tasks: list[tuple[int | None, str]] = [(None, check) for check in checks]
    if options.bugs_alone:
        tasks = []
    tasks += [(index, SEEDS[index].check) for index in chosen]
    bad = 0
    with ThreadPool(options.jobs) as pool:
        for (index, check), (said, failed) in zip(tasks, pool.imap(run_alone, tasks), strict=True):
            bad += said != "skips" and failed == (index is None)
            what = "without a bug"
            if index is not None:
                seed = SEEDS[index].seed
                what = f"{seed.subject}: {seed.name}"
            print(f"{what}: {check}: {said}", flush=True)
    print(f"{len(chosen)} bugs, {bad} wrong verdicts")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
