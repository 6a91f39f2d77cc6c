"""How a command line tool ends on bad input: one message, exit code 1, no traceback."""

from __future__ import annotations

import argparse
import errno
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Generator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any, NoReturn

from xdsl.utils.exceptions import (
    ArgSpecParseError,
    DiagnosticException,
    ParseError,
    PyRDLError,
    UnregisteredConstructException,
)

from kan_dialect.cli.standard_streams import open_streams
from kan_dialect.errors import TRACEBACK_VARIABLE, KanError, excerpt
from kan_dialect.other_packages import plugin_failure


class _Notes(logging.Handler):
    """Prints what the compiler logs as notes of a tool, on standard error as it is by then."""

    def __init__(self, tool: str) -> None:
        super().__init__(logging.WARNING)
        self.tool = tool

    def emit(self, record: logging.LogRecord) -> None:
        print(f"{self.tool}: note: {record.getMessage()}", file=sys.stderr)


@contextmanager
def _noting(tool: str) -> Generator[None]:
    """Print notes within a `with` statement; the application's own handlers get none of them."""
    logger, notes = logging.getLogger("kan_dialect"), _Notes(tool)
    propagates, logger.propagate = logger.propagate, False
    logger.addHandler(notes)
    try:
        yield
    finally:
        logger.removeHandler(notes)
        logger.propagate = propagates


class ArgumentParser(argparse.ArgumentParser):
    """Reports bad options as the tools report everything else."""

    def error(self, message: str) -> NoReturn:
        raise KanError(message, remedy=f"{self.prog} --help lists the options")

    def parse_known_args(  # pyright: ignore[reportIncompatibleMethodOverride] (typeshed has overloads)
        self, args: Any = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        """As argparse has it, but what is unknown to a command is that command's error."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            names = [name[2:] for name in self._option_string_actions if name.startswith("--")]
            match = get_close_matches(unknown[0].partition("=")[0].lstrip("-"), names, n=1)
            meant = f" (did you mean --{match[0]}?)" if match else ""
            self.error(f"unrecognized arguments: {' '.join(unknown)}{meant}")
        return found, unknown


def _terminate(number: int, _frame: object) -> NoReturn:
    """On SIGTERM, or where the terminal goes, leave by way of every `finally`, as on Ctrl-C."""
    sys.exit(128 + number)


def _let_interrupt() -> None:
    """Ctrl-C raises KeyboardInterrupt, where it is not ignored."""
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    if threading.current_thread() is threading.main_thread() and not ignored:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _ended(body: Callable[[], int | None]) -> int | None:
    """What `body` returns, or exits with where all went well, as `--help` does."""
    try:
        return body()
    except SystemExit as ended:
        if ended.code in (0, None):
            return 0
        raise


def run_tool(name: str, body: Callable[[], int | None]) -> int:
    """Run `body`; what goes wrong becomes one message on standard error.

    Returns
    -------
    The exit code: `body`'s, 1 for an error, 130 for Ctrl-C.
    """
    open_streams()
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _terminate)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup has it
            signal.signal(signal.SIGHUP, _terminate)
    try:
        _let_interrupt()
        with _noting(name):
            code = _ended(body)
        sys.stdout.flush()
        return code or 0
    except BrokenPipeError:
        # The reader of our output went away (`| head`): nothing is wrong.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        return 130
    except BaseException as error:
        if isinstance(error, SystemExit):
            raise
        if os.environ.get(TRACEBACK_VARIABLE):
            traceback.print_exc()
        print(f"{name}: error: {_message(error)}", file=sys.stderr)
        try:
            sys.stdout.flush()
        except OSError:
            # What could not be written must not be tried again when Python ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _message(error: BaseException) -> str:
    match error:
        case KanError():
            return str(error)
        case ParseError() | ArgSpecParseError():
            return excerpt(str(error))
        case DiagnosticException() | PyRDLError() | UnregisteredConstructException():
            return str(error)
        case OSError() if error.filename is not None:
            return f"{error.filename}: {error.strerror}"
        case OSError():
            # Of a stream without a name: standard output, most likely.
            if error.errno == errno.EBADF:
                return "cannot write the output: standard output is closed"
            return f"cannot write the output: {error.strerror or error}"
        case ValueError() if "integer string conversion" in str(error):
            return "a number in the input has thousands of digits"
        case RecursionError():
            return "the input is nested too deeply"
        case MemoryError():
            return "out of memory"
        case _:
            theirs = plugin_failure(error)
            if theirs is not None:
                return str(theirs)
            where = "".join(f" in {note}" for note in getattr(error, "__notes__", ()))
            return (
                f"internal error{where}: {type(error).__name__}: {error}\n"
                f"This is a bug; please report it, with what {TRACEBACK_VARIABLE}=1 prints."
            )
