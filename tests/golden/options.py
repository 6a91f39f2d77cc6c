"""Values of the options of `kan-compile` that apply from table level on, and their combinations."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from itertools import combinations, product
from typing import TypeAlias

from kan_dialect.devices.device import DEVICES
from kan_dialect.lowering.compile import CompilePass
from kan_dialect.passbase.kan_pass import KanPass

Value: TypeAlias = str | int | bool | None
Options: TypeAlias = dict[str, Value]

QUANTISER = {
    *("data", "bits", "scale", "percentile", "per_tensor", "per_layer", "guard_bits", "quantizers"),
}
BUDGET = {
    *("precision", "max_accuracy_loss", "max_rmse", "max_error", "max_luts", "max_levels", "seed"),
}
FORMATS = {"input_format", "output_format"}
BEFORE_TABLES = QUANTISER | BUDGET | FORMATS
"""Options that decide which integers a network has: the published ones are given."""
DECISIONS = {"head", "threshold", "probability", "k"}
"""Options that put something else in the place of the published integers."""

VALUES: Mapping[str, Sequence[Value]] = {
    "target": tuple(DEVICES),
    "parts": (None, 1, 2, 3),
    "extra_levels": (0, 1, 2),
    "fast": (False, True),
    "adders": ("chains", "plain"),
    "levels": (None, 1, 2),
    "cycles": (None, 0, 2, 3),
    "combinational": (False, True),
}
"""What each of the others is tried with, its default among them."""

EXCLUSIVE: Options = {"levels": None, "cycles": None, "combinational": False}
"""Options that exclude each other: at most one may differ from its default."""

APART: Sequence[Options] = (
    *({"mhz": mhz} for mhz in (150, 400)),
    *({"mhz": 40, "target": target} for target in ("ecp5", "ice40")),
    {"tables": "plain", "target": "ice40"},
    *({"interval": interval, "target": "ecp5"} for interval in (3, 16)),
    {"interval": 4, "loadable": True, "target": "ecp5"},
    {"interval": 4, "logic_words": 16, "target": "ecp5"},
)
"""Combinations of options that exclude some of those above."""


def missing_values() -> set[str]:
    """Options without values here, values without an option, and defaults that are not listed."""
    fields = {each.name: each.default for each in dataclasses.fields(CompilePass)}
    known = (
        BEFORE_TABLES | DECISIONS | VALUES.keys() | {name for options in APART for name in options}
    )
    without_default = {name for name in VALUES.keys() & fields if fields[name] not in VALUES[name]}
    return (fields.keys() ^ known) | without_default


def all_options() -> list[Options]:
    """Every combination of options that may stand together, of the values above."""
    return [*all_combinations(), *APART]


def few_options() -> list[Options]:
    """The defaults, combinations that cover every pair of values, and the separate ones."""
    return [{}, *covering(), *APART]


def stages_of(options: Options) -> tuple[KanPass, ...]:
    """The passes of `kan-compile` with these options."""
    return tuple(CompilePass(**options).passes())  # pyright: ignore[reportArgumentType] (by name)


def all_combinations(values: Mapping[str, Sequence[Value]] = VALUES) -> list[Options]:
    """Every combination of the options' values that may stand together."""
    every = (dict(zip(values, each, strict=True)) for each in product(*values.values()))
    return [options for options in every if may_stand(options)]


def may_stand(options: Options) -> bool:
    """Whether no two of the options exclude each other."""
    return sum(options.get(name, value) != value for name, value in EXCLUSIVE.items()) <= 1


def covering(values: Mapping[str, Sequence[Value]] = VALUES, strength: int = 2) -> list[Options]:
    """Few combinations in which any `strength` options have each combination of their values.

    Values that exclude each other are left out.

    Greedy: each new combination starts from a tuple of values that is not covered yet; the other
    options then take, one after the other, the value that covers most.
    """
    names = list(values)
    strength = min(strength, len(names))
    missing = {
        frozenset(zip(group, chosen, strict=True))
        for group in combinations(names, strength)
        for chosen in product(*(values[name] for name in group))
        if may_stand(dict(zip(group, chosen, strict=True)))
    }
    found: list[Options] = []
    for start in sorted(missing, key=lambda part: sorted(map(str, part))):
        if start not in missing:
            continue
        chosen = dict(start)
        for name in (name for name in names if name not in chosen):
            tried = [{**chosen, name: value} for value in values[name]]
            tried = [each for each in tried if may_stand(each)]
            chosen = max(tried, key=lambda each: len(missing.intersection(_parts(each, strength))))
        whole = {name: chosen[name] for name in names}
        found.append(whole)
        missing.difference_update(_parts(whole, strength))
    return found


def _parts(options: Options, strength: int) -> set[frozenset[tuple[str, Value]]]:
    """The tuples of `strength` options that a combination covers."""
    return {frozenset(part) for part in combinations(options.items(), strength)}
