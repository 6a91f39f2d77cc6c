"""The reference of a pass, from its docstrings and the fields that declare its options."""

from __future__ import annotations

import inspect
import re
import sys
from typing import cast

from xdsl.passes import ModulePass

from kan_dialect.cli.reference.markdown import Layout, prose, table
from kan_dialect.passbase.kan_pass import KanPass
from kan_dialect.passbase.options import Option, options_of


def pass_reference(kind: type[ModulePass], layout: Layout = table) -> str:
    """Description, what the pass preserves, and its options."""
    rows = [
        (
            f"`{option.name}`",
            _taken(option.type),
            _default(option),
            "" if option.bounds is None else option.bounds.range,
            option.help,
        )
        for option in options_of(kind)
    ]
    parts = [
        prose(description(kind)),
        f"Preserves: {preserves(kind)}." if preserves(kind) else "",
        layout(("option", "takes", "default", "bounds", "meaning"), rows) or "It has no options.",
    ]
    return "\n\n".join(part for part in parts if part)


def description(kind: type[ModulePass]) -> str:
    """The docstring of the pass's module if it is about the pass alone, else that of its class.

    A module is about a pass alone if its docstring begins with the pass's name as code.
    """
    module = inspect.cleandoc(sys.modules[kind.__module__].__doc__ or "")
    about = re.sub(rf"^`{kind.name}`: (\w)", lambda start: start[1].upper(), module)
    return about if about != module else inspect.cleandoc(kind.__doc__ or "")


def preserves(kind: type[ModulePass]) -> str:
    """What a pass says that it preserves; empty where it does not say."""
    return kind.preserves if issubclass(kind, KanPass) else str(getattr(kind, "preserves", ""))


def _taken(annotation: str) -> str:
    """A type in the words of a user."""
    words: list[str] = []
    for part in re.split(r" \| (?![^\[]*\])", annotation):
        if part == "None":
            continue
        literal = re.fullmatch(r"Literal\[(.*)\]", part)
        if literal:
            words += [f"`{each.strip()[1:-1]}`" for each in literal[1].split(",")]
        else:
            words.append(_WORDS.get(part, f"`{part}`"))
    return " or ".join(dict.fromkeys(words))


_WORDS = {
    "bool": "true or false",
    "int": "integer",
    "float": "number",
    "str": "text",
    "tuple[int, ...]": "integers",
    "tuple[str, ...]": "texts",
    "tuple[float, ...]": "numbers",
}


def _default(option: Option) -> str:
    if option.required:
        return "required"
    default = option.default
    if default is None:
        return "none"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, tuple):
        return f"`{','.join(map(str, cast('tuple[object, ...]', default)))}`"
    return f"`{default}`"
