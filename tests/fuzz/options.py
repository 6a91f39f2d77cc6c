"""Options of the commands with values of any type: one message or success, never a traceback."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from fuzz.commands import Case
from kan_dialect.cli import kan_flow, kan_opt, kan_run

MODEL = b"""
func.func @tiny(%x: !kan.int<0:3>) -> !kan.int<0:9> {
  %t = kan.table %x as "t" entries dense<[1, 2, 3, 4]> : tensor<4xi8>
    : !kan.int<0:3> -> !kan.int<0:9>
  func.return %t : !kan.int<0:9>
}
"""

WORDS = (
    "", "x", "nan", "-inf", "inf", "1e999", "%", "50%", "1,2", "1,", "0x10", "1_0", "\u00e9",
    "\udcff", "true", "auto", "none", "m.mlir", "built", "out.txt", "none/x", "{", "=", "9" * 5000,
)  # fmt: skip
"""Values that are no numbers, or odd ones; names of files that are there and of none."""
WHOLE = [-1, 0, 1, 2, 5, 100, 1 << 31, 1 << 32, 1 << 63, 1 << 64, 10**20, -(10**20), 10**400]


@dataclass(frozen=True)
class Option:
    """An option of a command that takes a value."""

    command: tuple[str, ...]
    """`kan-flow`, `build`."""
    needed: tuple[str, ...]
    """What the command cannot do without."""
    name: str
    action: argparse.Action


def _parsers() -> Iterator[tuple[tuple[str, ...], argparse.ArgumentParser]]:
    flow = kan_flow._parser()  # pyright: ignore[reportPrivateUsage]
    for action in flow._actions:  # pyright: ignore[reportPrivateUsage]
        if isinstance(action, argparse._SubParsersAction):  # pyright: ignore[reportPrivateUsage]
            for name, parser in action.choices.items():
                yield ("kan-flow", name), parser
    yield ("kan-run",), kan_run._parser()  # pyright: ignore[reportPrivateUsage]
    opt = argparse.ArgumentParser()
    kan_opt.KanOptMain(["none.mlir"]).register_all_arguments(opt)
    yield ("kan-opt",), opt


@cache
def all_options(model: str = "none.mlir") -> Sequence[Option]:
    """All options of all commands that take a value, as the parsers declare them.

    Parameters
    ----------
    model : the model or folder that the commands get.
    """
    found: list[Option] = []
    for command, parser in _parsers():
        actions = parser._actions  # pyright: ignore[reportPrivateUsage]
        needed = [model for action in actions if not action.option_strings]
        for action in actions:
            if action.required and action.option_strings:
                needed += [action.option_strings[0], "none"]
        if command == ("kan-flow", "build"):
            needed += ["--simulator", "none", "--vectors", "5"]
        found += [
            Option(command, tuple(needed), action.option_strings[-1], action)
            for action in actions
            if action.option_strings and action.nargs != 0
        ]
    return found


def case(rng: np.random.Generator) -> Case:
    """A command with one to three options of it, each with any value."""
    options = all_options("m.mlir")
    first = options[int(rng.integers(len(options)))]
    others = [option for option in options if option.command == first.command]
    chosen = [first, *(others[int(n)] for n in rng.integers(len(others), size=rng.integers(3)))]
    words = [f"{option.name}={_value(rng, option.action)}" for option in chosen]
    return Case({"m.mlir": MODEL}, "m.mlir", (*first.command, *first.needed, *words))


def _value(rng: np.random.Generator, action: argparse.Action) -> str:
    match int(rng.integers(6)):
        case 0 | 1:
            return WORDS[int(rng.integers(len(WORDS)))]
        case 2 | 3:
            whole = WHOLE[int(rng.integers(len(WHOLE)))]
            return str(whole)
        case 4 if action.choices is not None:
            known = [str(choice) for choice in action.choices if choice not in SLOW]
            return known[int(rng.integers(len(known)))] if known else ""
        case _:
            return repr(float(np.round(rng.normal() * 10.0 ** rng.integers(-3, 6), 3)))


SLOW = ("verilator", "icarus")
