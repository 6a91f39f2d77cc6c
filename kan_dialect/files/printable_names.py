"""Names of files and command lines as text that every file can hold."""

from __future__ import annotations

import os


def printable(name: str) -> str:
    """A name from the command line as UTF-8: bytes that are not UTF-8 become `\\xff`.

    Linux takes any bytes for a name. Python keeps those that are no UTF-8 as surrogates
    (PEP 383), which no file in UTF-8 can hold.
    """
    return os.fsencode(name).decode("utf-8", "backslashreplace")
