"""A file of the subset as a netlist: checked, typed by slang, then read module by module."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kan_dialect.errors import KanError
from kan_dialect.flows.prove.netlist import Netlist
from kan_dialect.flows.prove.text.constructs import typed_modules
from kan_dialect.flows.prove.text.modules import ModuleReader
from kan_dialect.flows.prove.text.source import Source


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
    source = Source.of(text)
    found: dict[str, Netlist] = {}
    before = dict(known or {})
    for module in typed_modules(source, before):
        netlist = ModuleReader(source, name, before).read(module)
        found[module.name] = before[module.name] = netlist
    return found


def _text(rtl: Path) -> str:
    if not rtl.is_file():
        raise KanError(f"there is no {rtl}", remedy="run kan-flow build first")
    # Latin-1 reads any byte; other than ASCII is refused with its place. Line ends stay.
    return rtl.read_bytes().decode("latin-1")
