"""The budgets that the passes of a pipeline were given, for messages that name the option."""

from __future__ import annotations

from collections.abc import Iterable

from xdsl.passes import ModulePass

from kan_dialect.passbase.kan_pass import unwrapped
from kan_dialect.passbase.option_bounds import shown
from kan_dialect.passbase.options import options_of

_SIZES = ("luts", "levels", "registers", "bits")
"""Ends of the names of limits that a larger value loosens; a larger loss loses more."""


def budget_remedy(passes: Iterable[ModulePass]) -> str:
    """How to change the budgets that may have left a constant network.

    Returns
    -------
    `give a smaller max-rmse (80% in kan-refine-precision)`, with each budget once; without
    budgets, advice to give more bits.
    """
    found: dict[str, None] = {}
    for stage in map(unwrapped, passes):
        for option in options_of(type(stage)):
            value = getattr(stage, option.field)
            if (
                (option.name.startswith("max-") or option.name == "threshold")
                and value is not None
                and value != option.default
            ):
                more = "larger" if option.name.endswith(_SIZES) else "smaller"
                given = f"{shown(value)} in {stage.name}"
                found.setdefault(f"a {more} {option.name} ({given})")
    if not found:
        return "give more bits (--bits)"
    return f"give {' or '.join(found)}"
