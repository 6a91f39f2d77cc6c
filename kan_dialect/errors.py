"""Errors that are the user's to mend: one message with the place, what is wrong and the remedy."""

from __future__ import annotations

from xdsl.utils.exceptions import DiagnosticException

TRACEBACK_VARIABLE = "KAN_TRACEBACK"
"""Set in the environment, it brings Python's traceback back, for those who mend the compiler."""


class KanError(DiagnosticException):
    """A problem with the input or the options, told in one message.

    The command line tools print it after `error: ` and exit with 1; anything else that escapes
    is a bug of ours.
    """

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        self.message = message
        self.remedy = remedy
        super().__init__(message if remedy is None else f"{message}; {remedy}")
