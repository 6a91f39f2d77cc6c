"""Errors that are the user's to mend: one message with the place, what is wrong and the remedy."""

from __future__ import annotations

from xdsl.utils.exceptions import DiagnosticException

TRACEBACK_VARIABLE = "KAN_TRACEBACK"
"""Set in the environment, it brings Python's traceback back, for those who mend the compiler."""

EXCERPT = 120
"""Characters of a line of IR that a message shows: constants take thousands."""


class KanError(DiagnosticException):
    """A problem with the input or the options, told in one message.

    The command line tools print it after `error: ` and exit with 1; anything else that escapes
    is a bug of ours.
    """

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        self.message = message
        self.remedy = remedy
        super().__init__(message if remedy is None else f"{message}; {remedy}")


def excerpt(message: str) -> str:
    """A message of xDSL's parser with long lines of IR cut around the carets below them."""
    lines = message.strip().splitlines()
    for below, carets in enumerate(lines[1:], 1):
        column = carets.find("^")
        if len(lines[below - 1]) > EXCERPT and not carets.strip(" ^") and column >= 0:
            start = max(0, column - EXCERPT // 2)
            for number in (below - 1, below):
                lines[number] = lines[number][start : start + EXCERPT]
            if below + 1 < len(lines) and not lines[below + 1][:start].strip():
                lines[below + 1] = lines[below + 1][start:]
    return "\n".join(lines)
