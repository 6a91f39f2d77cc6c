"""A file of the subset as a netlist: read, parsed, elaborated."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kan_dialect.errors import KanError
from kan_dialect.flows.prove.netlist import Netlist
from kan_dialect.flows.prove.text.elaborate import elaborate
from kan_dialect.flows.prove.text.parse import parse
from kan_dialect.flows.prove.text.tokens import tokens


def read_text(rtl: Path, top: str, known: Mapping[str, Netlist] | None = None) -> Netlist:
    """The module `top` of a file in the subset that `docs/reference/rtl-subset.md` defines.

    Parameters
    ----------
    known : modules of other files that the file may have instances of, by name.

    Raises
    ------
    NotInSubset : the text is outside the subset. KanError : the file or module does not exist.
    """
    netlists = check_text(_text(rtl), rtl.name, known)
    if top not in netlists:
        raise KanError(
            f"{rtl} holds no module {top}",
            remedy="prove a wrapper, or a copy with a clock enable, with --wrapper FILE",
        )
    return netlists[top]


def check_text(
    text: str, name: str = "RTL", known: Mapping[str, Netlist] | None = None
) -> dict[str, Netlist]:
    """Every module of a text, by its name; `name` is what messages call the text.

    Parameters
    ----------
    known : modules of other texts that this one may have instances of, by name.

    Raises
    ------
    NotInSubset : the text is outside the subset.
    """
    read = tokens(text)
    found: dict[str, Netlist] = {}
    before = dict(known or {})
    for module in parse(read):
        if module.name in before:
            raise read.refuse(module.at + 1, f"a second module {module.name}")
        found[module.name] = before[module.name] = elaborate(module, read, name, before)
    return found


def _text(rtl: Path) -> str:
    if not rtl.is_file():
        raise KanError(f"there is no {rtl}", remedy="run kan-flow build first")
    # Latin-1 reads any byte; other than ASCII is refused with its place. Line ends stay.
    return rtl.read_bytes().decode("latin-1")
