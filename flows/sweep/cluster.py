"""Tasks on a Dask cluster.

What a worker had when it died is done again by others: that is Dask's promise. The study is a task
as well, so that it too comes back where all workers that had it are gone.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from types import ModuleType
from typing import Any

from kan_dialect.errors import KanError
from kan_dialect.flows.sweep.study import Study
from kan_dialect.flows.sweep.tasks import Outcome, Outcomes, Task, perform
from kan_dialect.passbase.option_bounds import shown

CONNECT_SECONDS = 10.0
"""For the scheduler to answer."""

WORKER_SECONDS = 60.0
"""For the first worker to be there."""


def require_distributed() -> ModuleType:
    """Dask's `distributed`.

    Raises
    ------
    KanError : it is not installed.
    """
    try:
        return import_module("distributed")
    except ImportError:
        raise KanError(
            "--scheduler needs Dask, which is not installed",
            remedy="pip install 'kan-dialect[sweep]'",
        ) from None


_ADDRESS = re.compile(r"(?:(?:tcp|tls|wss?|ucxx?)://)?(?:[\w.-]+|\[[0-9A-Fa-f:.%]+\]):(\d{1,5})")


def require_address(address: str) -> None:
    """Refuse what is no address: Dask's client would begin to connect, and print a traceback later.

    Raises
    ------
    KanError : it is none.
    """
    found = _ADDRESS.fullmatch(address)
    if found is None or not 0 < int(found[1]) < 1 << 16:
        raise KanError(f"--scheduler takes an address, as tcp://host:8786, got {shown(address)!r}")


def _given(study: Study) -> Study:
    return study


@contextmanager
def connected(address: str) -> Generator[Any]:
    """A client of the scheduler at `address`, as `tcp://host:8786`.

    Raises
    ------
    KanError : it is no address, Dask is not installed, nobody answers at the address, or there are
        no workers.
    """
    require_address(address)
    distributed: Any = require_distributed()
    remedy = "start one with `dask scheduler`, and workers with `dask worker ADDRESS`"
    try:
        client: Any = distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, TimeoutError, ValueError, TypeError) as error:
        told = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise KanError(
            f"cannot reach a Dask scheduler at {address!r}: {told}", remedy=remedy
        ) from None
    try:
        try:
            client.wait_for_workers(1, timeout=WORKER_SECONDS)
        except TimeoutError:
            raise KanError(
                f"the Dask scheduler at {address!r} has no workers", remedy=remedy
            ) from None
        yield client
    finally:
        # Where the scheduler is gone, there is nobody to say goodbye to.
        with suppress(OSError, TimeoutError):
            client.close(timeout=CONNECT_SECONDS)


def run_on_cluster(study: Study, tasks: Sequence[Task], client: Any) -> Outcomes:
    """Tasks on the workers of a client's scheduler; closed early, what is left is cancelled.

    Raises
    ------
    KanError : the scheduler goes away, or the workers have no kan-dialect.
    """
    distributed: Any = require_distributed()
    shared = client.submit(_given, study, pure=False)
    futures: list[Any] = client.map(perform, [shared] * len(tasks), list(tasks), pure=False)
    numbers = {future.key: number for number, future in enumerate(futures)}
    try:
        for future in distributed.as_completed(futures, loop=client.loop):
            yield numbers[future.key], _outcome(future)
    finally:
        with suppress(OSError, TimeoutError, RuntimeError):
            client.cancel([*futures, shared])


def _outcome(future: Any) -> Outcome:
    if future.status == "finished":
        return future.result()
    if future.status == "cancelled":
        raise KanError("the Dask scheduler went away", remedy="run the same command again to go on")
    error: BaseException = future.exception()
    match error:
        case ModuleNotFoundError():
            raise KanError(
                f"the workers of the cluster cannot import {error.name}",
                remedy="install the same kan-dialect everywhere",
            )
        case _ if type(error).__name__ == "KilledWorker":
            return "its workers died, one after the other: out of memory?"
        case _:
            raise error
