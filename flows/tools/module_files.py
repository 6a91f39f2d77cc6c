"""Files of the modules that a SystemVerilog file instantiates, found beside it."""

from __future__ import annotations

import re
from pathlib import Path

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)


def instantiated_files(rtl: Path) -> tuple[Path, ...]:
    """Files in the folder of a file that declare the modules which it instantiates, sorted.

    A module counts as instantiated where its name is a word of the text. Modules that such files
    instantiate are found too.
    """
    texts = {path: _COMMENT.sub(" ", path.read_text()) for path in rtl.parent.glob("*.sv")}
    texts[rtl] = _COMMENT.sub(" ", rtl.read_text())
    owners = {name: path for path, text in texts.items() for name in _declared(text)}
    owners |= dict.fromkeys(_declared(texts[rtl]), rtl)
    found, waiting = {rtl}, [rtl]
    while waiting:
        words = set(re.findall(r"\w+", texts[waiting.pop()]))
        more = {path for name, path in owners.items() if name in words} - found
        found |= more
        waiting += more
    return tuple(sorted(found - {rtl}))


def _declared(text: str) -> list[str]:
    """Names of the modules that a text declares."""
    return re.findall(r"\bmodule\s+(\w+)", text)


def design_text(rtl: Path, modules: tuple[Path, ...]) -> str:
    """The text of a file behind that of the modules which it instantiates."""
    return "\n".join(path.read_text() for path in (*modules, rtl))
