"""Errors of the API: whatever is the caller's to mend is a `KanError`."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from xdsl.utils.exceptions import (
    DiagnosticException,
    ParseError,
    PyRDLError,
    UnregisteredConstructException,
)

from kan_dialect.errors import KanError, excerpt

_OF_XDSL = (DiagnosticException, ParseError, PyRDLError, UnregisteredConstructException)


@contextmanager
def as_kan_errors() -> Generator[None]:
    """Raise xDSL's errors of parsing, verifying and passes as `KanError`, with the same text."""
    try:
        yield
    except KanError:
        raise
    except _OF_XDSL as error:
        raise KanError(excerpt(str(error))) from error
