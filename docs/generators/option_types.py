"""Types of the options of `Network.compile`, `build` and `tune`, and of `train`, as Python.

The fields of passes declare options. Type checkers read the types of keyword arguments from text
only, so `make reference` writes them.
"""

from __future__ import annotations

import textwrap
from collections.abc import Collection
from pathlib import Path
from types import NoneType
from typing import Literal, get_args, get_origin

from xdsl.utils.hints import type_repr

from generators.links import ROOT
from kan_dialect.api.network import BUILT, COMPILED, SET_APART
from kan_dialect.api.options import Owners, options_by_owner
from kan_dialect.api.training import NOT_TRAINABLE, TRAINABLE
from kan_dialect.passbase.options import Option
from kan_dialect.qat.api import NOT_TRAINED, TRAINED

HEAD = '''"""Types of the options of {of}, made by `make reference` from what declares them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypedDict'''


def modules() -> dict[Path, str]:
    """Text of each module by its path."""
    about = "Options of `Network.compile` and `Network.tune`."
    compiled = _typed("CompileOptionTypes", about, COMPILED, SET_APART)
    owners, without = BUILT | TRAINABLE, {*SET_APART, *NOT_TRAINABLE}
    built = _typed("BuildOptionTypes", "Options of `Network.build`.", owners, without)
    trained = _typed("TrainOptionTypes", "Options of `train`.", TRAINED, NOT_TRAINED)
    return {
        ROOT / "api" / "option_types.py": _module("networks", compiled, built),
        ROOT / "qat" / "option_types.py": _module("training", trained),
    }


def _module(of: str, *classes: str) -> str:
    return "\n\n\n".join([HEAD.format(of=of), *classes]) + "\n"


def _typed(name: str, about: str, owners: Owners, without: Collection[str]) -> str:
    options: dict[str, list[Option]] = {}
    for declared in options_by_owner(owners, without).values():
        for field, option in declared.items():
            options.setdefault(field, []).append(option)
    lines = [f"class {name}(TypedDict, total=False):", f'    """{about}"""', ""]
    for field, several in options.items():
        kinds = dict.fromkeys(kind for option in several for kind in _kinds(option))
        told = next((option.help for option in several if option.help), "")
        lines.append(f"    {field}: {' | '.join(kinds)}")
        if told:
            lines += textwrap.wrap(
                f'"""{told}"""', 100, initial_indent="    ", subsequent_indent="    "
            )
    return "\n".join(lines)


def _kinds(option: Option) -> list[str]:
    """What an option takes from Python, which is more than what its field holds."""
    found: list[str] = []
    for kind in option.kinds:
        if kind in (str, Path):
            found += ["str", "Path"]
        elif kind is float:
            found += ["float", *(["str"] if option.is_loss else [])]
        elif kind in (tuple[int, ...], tuple[str, ...]):
            found.append(f"Sequence[{get_args(kind)[0].__name__}]")
        elif get_origin(kind) is Literal:
            words = ", ".join(f'"{word}"' for word in get_args(kind))
            found.append(f"Literal[{words}]")
        elif kind is not NoneType:
            found.append(type_repr(kind))
    if NoneType in option.kinds:
        # The word of the command line stands for None.
        found += ['Literal["none"]'] if option.choices else []
        found.append("None")
    return found
