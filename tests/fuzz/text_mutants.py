"""Changes of emitted SystemVerilog that keep the bits and leave the proven language.

One tool may read the result as the same design while another reads a different one, or refuses it.
`text_mutants.yaml` lists the kinds. Harmless kinds are a control group, which a reader of the text
need not refuse.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_CATALOGUE: Mapping[str, Any] = yaml.safe_load(
    Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8")
)
_PLACES: Mapping[str, str] = _CATALOGUE["places"]


@dataclass(frozen=True)
class TextChange:
    """A kind of change."""

    name: str
    variants: Sequence[Mapping[str, Any]]
    """As in the catalogue."""
    harmless: bool = False

    def texts(self, text: str) -> Iterator[str]:
        """Every text that the change makes of a text, place by place."""
        for variant in self.variants:
            for changed in _texts(variant, text):
                if "then" in variant:
                    pattern, replacement = variant["then"]
                    yield re.sub(_whole(pattern), replacement, changed, flags=re.MULTILINE)
                else:
                    yield changed


@dataclass(frozen=True)
class Mutant:
    """A text with one change."""

    kind: str
    text: str
    harmless: bool = False


def mutants(text: str, chosen: Sequence[TextChange] | None = None) -> Iterator[Mutant]:
    """Every mutant of a text, kind by kind."""
    for change in CHANGES if chosen is None else chosen:
        for changed in change.texts(text):
            if changed != text:
                yield Mutant(change.name, changed, change.harmless)


def _whole(pattern: str) -> str:
    """A pattern with its places written out."""
    for name, place in _PLACES.items():
        pattern = pattern.replace(f"<{name}>", place)
    return pattern


def _texts(variant: Mapping[str, Any], text: str) -> Iterator[str]:
    match variant:
        case {"replace": pattern, "with": texts}:
            return _replaced(pattern, texts, text)
        case {"before": pattern, "with": texts}:
            lines = [rf"{line}\n" for line in texts]
            return _replaced(f"(?=(?P<place>{pattern}))", lines, text)
        case {"after": pattern, "with": texts}:
            lines = [rf"\g<all>{line}\n" for line in texts]
            return _replaced(f"(?P<all>{pattern})", lines, text)
        case {"around": pattern, "with": pairs}:
            lines = [rf"{before}\n\g<all>\n{after}" for before, after in pairs]
            return _replaced(f"(?P<all>{pattern})", lines, text)
        case {"rename": _, "with": names}:
            return _renamed(names, text)
        case {"move": "late"}:
            return _late(text)
        case _:
            return _swapped(text)


def _replaced(pattern: str, replacements: Sequence[str], text: str) -> Iterator[str]:
    """Replace every match of a pattern outside comments, by each of some templates."""
    for match in re.finditer(_whole(pattern), text, re.MULTILINE):
        line = text.rfind("\n", 0, match.start()) + 1
        if "//" in text[line : match.start()]:
            continue
        for replacement in replacements:
            yield text[: match.start()] + match.expand(replacement) + text[match.end() :]


def _renamed(names: Sequence[str], text: str) -> Iterator[str]:
    """A wire gets another name everywhere in the code."""
    marked = re.compile(r"layer\d+_(?:node|sum)\d+(?:_s\d+)?$")
    for match in re.finditer(_PLACES["wire"], text, re.MULTILINE):
        old = match[2]
        if not marked.match(old) and not old.startswith("unused"):
            for name in names:
                new = name.replace("OLD", old)
                yield re.sub(rf"(?<!\w){old}(?!\w)", lambda _, new=new: new, text)


def _late(text: str) -> Iterator[str]:
    """A wire that is read before it is declared."""
    end = text.index("endmodule\n")
    for match in re.finditer(_whole(r"<wire>\n"), text, re.MULTILINE):
        if re.search(rf"\b{match[2]}\b", text[match.end() :]):
            without = text[: match.start()] + text[match.end() : end]
            yield without + match[0] + text[end:]


def _swapped(text: str) -> Iterator[str]:
    """Two tables change places."""
    pattern = _whole(r"(?P<first><table>\n)(?P<second><table>\n)")
    for match in re.finditer(pattern, text, re.MULTILINE):
        yield text[: match.start()] + match["second"] + match["first"] + text[match.end() :]


CHANGES = tuple(
    TextChange(name, variants, harmless=group == "harmless")
    for group in ("language", "harmless")
    for name, variants in _CATALOGUE[group].items()
)
"""All kinds, the harmless ones last."""
