"""Failures in code of other packages: told as theirs, with the pass or op that they are in."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from types import FrameType

from xdsl.ir import Attribute, Operation
from xdsl.passes import ModulePass
from xdsl.utils.exceptions import DiagnosticException
from xdsl.utils.target import Target

from kan_dialect.errors import TRACEBACK_VARIABLE, KanError

OURS = __name__.partition(".")[0]
"""The package that this compiler is."""

EXTENSION_GROUPS = (
    "xdsl.universe",
    "kan_dialect.frontends",
    "kan_dialect.devices",
    "kan_dialect.onnx_recognisers",
)
"""Entry point groups by which other packages extend the commands."""


def package_of(owner: Callable[..., object]) -> str:
    """The top-level package in which a class or a function was defined."""
    return owner.__module__.partition(".")[0]


@contextmanager
def naming(what: str, owner: Callable[..., object]) -> Generator[None]:
    """Run code of `owner`; what it raises says `what` failed, as `name_failure` has it."""
    try:
        yield
    except Exception as error:
        name_failure(what, owner, error)
        raise


def name_failure(what: str, owner: Callable[..., object], error: Exception) -> None:
    """Say in an exception where it happened; call it while the exception is handled.

    An exception in our own code gets a note, and is the caller's to raise again.

    Parameters
    ----------
    what : the pass or op, as messages call it.
    owner : its class, or the function that was called.

    Raises
    ------
    KanError : `owner` is of another package. The message names `what`, and the package unless the
        exception is itself a message for users.
    """
    if isinstance(error, MemoryError | BrokenPipeError):
        return
    package = package_of(owner)
    if package == OURS:
        if not isinstance(error, DiagnosticException):
            error.add_note(what)
        return
    if isinstance(error, DiagnosticException):
        if what in str(error):
            return
        raise KanError(f"{what}: {error}") from error
    raise _failure(what, package, error) from error


def plugin_failure(error: BaseException) -> KanError | None:
    """The message for an exception that code of an installed extension was running into.

    For what no `naming` is around: verifiers, printers, frontends, targets, imports. None where no
    extension had a part in it.
    """
    packages = extension_packages()
    for frame, _ in reversed(list(traceback.walk_tb(error.__traceback__))):
        package = _package_of_frame(frame)
        if package in packages:
            running: object = frame.f_locals.get("self")
            named = isinstance(running, Operation | ModulePass | Target | Attribute)
            what = f"'{running.name}'" if named else "code"
            return _failure(what, package, error)
    return None


def extension_packages() -> set[str]:
    """Names of the installed packages that extend the compiler."""
    entries = (entry for group in EXTENSION_GROUPS for entry in entry_points(group=group))
    found = {entry.value.partition(":")[0].partition(".")[0] for entry in entries}
    return found - {OURS, "xdsl"}


def _failure(what: str, package: str, error: BaseException) -> KanError:
    return KanError(
        f"{what} of the package {package} failed{place_of(error, package)}: "
        f"{type(error).__name__}: {error}",
        remedy=f"it is no part of kan-dialect; {TRACEBACK_VARIABLE}=1 in the environment shows the "
        "traceback for its authors",
    )


def place_of(error: BaseException, package: str) -> str:
    """` at FILE:LINE`, the innermost line of the package's code; empty without one."""
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        if _package_of_frame(frame) == package:
            return f" at {Path(frame.f_code.co_filename).name}:{line}"
    return ""


def _package_of_frame(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__")).partition(".")[0]
