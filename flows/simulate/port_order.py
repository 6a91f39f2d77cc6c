"""Checks the order of ports in the text of a design; simulators connect ports by name."""

from __future__ import annotations

import re

from kan_dialect.errors import KanError
from kan_dialect.flows.design import Design
from kan_dialect.model.interface import Interface

_COMMENTS = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_LAST_NAME = re.compile(r"(\w+)(?:\s*\[[^\]]*\])*\s*$")


def check_port_order(text: str, interface: Interface) -> None:
    """Compare the order of ports in SystemVerilog with the interface.

    Missing or additional ports pass, and so does a text without the module: the simulator refuses
    them.

    Raises
    ------
    KanError : a port is in the place of another one.
    """
    header = re.search(
        rf"\bmodule\s+{re.escape(interface.name)}\s*\((.*?)\)\s*;",
        _COMMENTS.sub(" ", text),
        re.DOTALL,
    )
    if header is None:
        return
    found = [match[1] for part in header[1].split(",") if (match := _LAST_NAME.search(part))]
    expected = list(Design(interface).ports)
    if sorted(found) != sorted(expected):
        return
    for port, wanted in zip(found, expected, strict=True):
        if port != wanted:
            raise KanError(f"port {port} of the RTL stands where {wanted} should")
