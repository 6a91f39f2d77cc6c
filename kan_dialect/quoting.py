"""Values of users in messages, cut to a length that a line takes."""

from __future__ import annotations

from reprlib import Repr

MAX_CHARACTERS = 80
"""Longest quotation of a value."""

_MAX_REASON = 200
"""Longest quotation of a library's message."""


class _ShortRepr(Repr):
    """Writes a few items of a container, and the ends of a string."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 3
        self.maxstring = self.maxother = MAX_CHARACTERS

    def repr_int(self, x: int, level: int) -> str:
        """An integer; Python refuses to write one of thousands of digits."""
        bits = x.bit_length()
        return repr(x) if bits <= MAX_CHARACTERS else f"<integer of {bits} bits>"


_REPR = _ShortRepr()


def quoted(value: object) -> str:
    """A value as Python writes it, with `...` for what is too long or too deep.

    The time does not depend on the depth of the value.
    """
    text = _REPR.repr(value)
    return text if len(text) <= MAX_CHARACTERS else f"{text[: MAX_CHARACTERS - 3]}..."


def reason(error: Exception) -> str:
    """A library's message about a file, on one line and cut: it may quote the file."""
    text = " ".join(str(error).split())
    return text if len(text) <= _MAX_REASON else f"{text[:_MAX_REASON]}..."
