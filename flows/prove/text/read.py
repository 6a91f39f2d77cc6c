"""A file of the subset as a netlist: read, parsed, elaborated."""

from __future__ import annotations

from pathlib import Path

from kan_dialect.errors import KanError
from kan_dialect.flows.prove.netlist import Netlist
from kan_dialect.flows.prove.text.elaborate import elaborate
from kan_dialect.flows.prove.text.parse import parse
from kan_dialect.flows.prove.text.tokens import tokens


def read_text(rtl: Path, top: str) -> Netlist:
    """The module `top` of a file in the subset that `docs/reference/rtl-subset.md` defines.

    Raises
    ------
    NotInSubset : the text is outside the subset. KanError : there is no such file or module.
    """
    netlists = check_text(_text(rtl), rtl.name)
    if top not in netlists:
        raise KanError(f"{rtl} holds no module {top}")
    return netlists[top]


def check_text(text: str, name: str = "RTL") -> dict[str, Netlist]:
    """Every module of a text, by its name; `name` is what messages call the text.

    Raises
    ------
    NotInSubset : the text is outside the subset.
    """
    read = tokens(text)
    found: dict[str, Netlist] = {}
    for module in parse(read):
        if module.name in found:
            raise read.refuse(module.at + 1, f"a second module {module.name}")
        found[module.name] = elaborate(module, read, name)
    return found


def _text(rtl: Path) -> str:
    if not rtl.is_file():
        raise KanError(f"there is no {rtl}", remedy="run kan-flow build first")
    # Latin-1 reads any byte; other than ASCII is refused with its place. Line ends stay.
    return rtl.read_bytes().decode("latin-1")
