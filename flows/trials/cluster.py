"""Runs tasks on a Dask cluster.

Dask repeats the tasks of a worker that dies on other workers. The study is submitted as a task too,
so that Dask restores it when all workers that held it are gone.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import Any

from kan_dialect.errors import KanError
from kan_dialect.extras import require_extra
from kan_dialect.flows.trials.runners import Outcome, Outcomes, T, Work
from kan_dialect.passbase.option_bounds import shown

CONNECT_SECONDS = 10.0
"""Time limit for an answer of the scheduler."""

WORKER_SECONDS = 60.0
"""Time limit for the first worker to appear."""


def require_distributed() -> ModuleType:
    """Import Dask's `distributed`.

    Raises
    ------
    KanError : Dask is not installed.
    """
    return require_extra("distributed", "Dask", "sweep", "--scheduler")


_ADDRESS = re.compile(r"(?:(?:tcp|tls|wss?|ucxx?)://)?(?:[\w.-]+|\[[0-9A-Fa-f:.%]+\]):(\d{1,5})")


def require_address(address: str) -> None:
    """Refuse a malformed address; Dask's client would print a traceback while it connects.

    Raises
    ------
    KanError : the text is not an address.
    """
    found = _ADDRESS.fullmatch(address)
    if found is None or not 0 < int(found[1]) < 1 << 16:
        raise KanError(f"--scheduler takes an address, as tcp://host:8786, got {shown(address)!r}")


def _given(work: Work[T]) -> Work[T]:
    return work


@contextmanager
def connected(address: str) -> Generator[Any]:
    """A client of the scheduler at `address`, for example `tcp://host:8786`.

    Raises
    ------
    KanError : the address is malformed, Dask is not installed, no scheduler answers at the
        address, or the scheduler has no workers.
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
        # Closing fails if the scheduler is gone.
        with suppress(OSError, TimeoutError):
            client.close(timeout=CONNECT_SECONDS)


def run_on_cluster(work: Work[T], tasks: Sequence[T], client: Any) -> Outcomes:
    """Run tasks on the workers of a client's scheduler; closing early cancels the rest.

    Raises
    ------
    KanError : the scheduler disappears, or the workers cannot import kan-dialect.
    """
    distributed: Any = require_distributed()
    shared = client.submit(_given, work, pure=False)
    futures: list[Any] = client.map(operator.call, [shared] * len(tasks), list(tasks), pure=False)
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
        raise KanError("the Dask scheduler disappeared", remedy="repeat the command to continue")
    error: BaseException = future.exception()
    match error:
        case ModuleNotFoundError():
            raise KanError(
                f"the workers of the cluster cannot import {error.name}",
                remedy="install the same kan-dialect on all workers",
            )
        case _ if type(error).__name__ == "KilledWorker":
            return "its workers died one after another: out of memory?"
        case _:
            raise error
